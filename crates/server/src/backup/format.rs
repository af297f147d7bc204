//! The form of a backup: lines of JSON, compressed with zstd, that `zstd -dc FILE | head` shows.
//!
//! A head, then for each table of the schema its name and columns and a line for each row, then the advisory index in force (its bytes
//! follow their line as they are), then the digest over all that came before. A row's numbers are JSON numbers where they are whole, its
//! texts are texts; numbers with a fraction are texts, too, so that no reader rounds them, and bytes are base64.

use std::io::{self, BufRead, BufReader, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{Cell, Kind, Table};

use super::BackupError;

/// The form that this program writes and reads.
const FORMAT: u32 = 1;

/// Longest line. Neither database keeps a longer value, and what a server takes in is at most `CLAIM_BYTES_MAX`, each byte of which stands
/// as seven at worst.
const LINE_BYTES_MAX: u64 = 1 << 30;

/// How hard it is compressed: zstd's default, faster than the databases give rows.
const LEVEL: i32 = 3;

/// What stands in a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    DogwatchBackup(Head),
    Table { name: String, columns: Vec<String> },
    Row(Vec<Option<Value>>),
    Index { bytes: u64 },
    End { sha256: String },
}

/// What a backup says of itself first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    format: u32,
    /// The version of the tables.
    pub schema: i64,
    /// The moment of the newest write that is in it, in microseconds since 1970.
    pub at: i64,
    /// Which program wrote it.
    pub program: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    Number(i64),
    Text(String),
}

/// Writes a backup.
pub(super) struct Writer<W: Write> {
    out: zstd::stream::write::Encoder<'static, W>,
    digest: Sha256,
    pub(super) rows: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn begin(out: W, schema: i64, at: i64) -> io::Result<Self> {
        let out = zstd::stream::write::Encoder::new(out, LEVEL)?;
        let mut writer = Self { out, digest: Sha256::new(), rows: 0 };
        let program = format!("dogwatch {}", env!("CARGO_PKG_VERSION"));
        writer.line(&Line::DogwatchBackup(Head { format: FORMAT, schema, at, program }))?;
        Ok(writer)
    }

    pub(super) fn table(&mut self, table: &Table) -> io::Result<()> {
        let columns = table.columns.iter().map(|(name, _)| name.clone()).collect();
        self.line(&Line::Table { name: table.name.clone(), columns })
    }

    pub(super) fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        self.rows += 1;
        let values = cells.into_iter().map(|cell| match cell {
            Cell::Null => None,
            Cell::Integer(number) => Some(Value::Number(number)),
            Cell::Real(number) => Some(Value::Text(number.to_string())),
            Cell::Text(text) => Some(Value::Text(text)),
            Cell::Bytes(bytes) => Some(Value::Text(STANDARD.encode(bytes))),
        });
        self.line(&Line::Row(values.collect()))
    }

    /// The index, whose length is known before.
    pub(super) fn index(&mut self, mut file: impl Read, bytes: u64) -> io::Result<()> {
        self.line(&Line::Index { bytes })?;
        let copied = io::copy(&mut (&mut file).take(bytes), self)?;
        if copied == bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    pub(super) fn end(mut self) -> io::Result<W> {
        let sha256 = hex::encode(self.digest.clone().finalize());
        self.line(&Line::End { sha256 })?;
        self.out.finish()
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.write_all(&text)
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.digest.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads a backup, in the order in which it was written; whatever the bytes are, it ends in an answer or an error.
pub struct Reader<R: Read> {
    from: BufReader<zstd::stream::read::Decoder<'static, BufReader<R>>>,
    digest: Sha256,
    ahead: Option<Line>,
    /// How many rows were read.
    pub rows: u64,
}

impl<R: Read> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl<R: Read> Reader<R> {
    /// Begins with the head.
    pub fn begin(from: R) -> Result<(Self, Head), BackupError> {
        let decoder = zstd::stream::read::Decoder::new(from).map_err(|_| BackupError::NoBackup)?;
        let mut reader = Self { from: BufReader::new(decoder), digest: Sha256::new(), ahead: None, rows: 0 };
        match reader.line() {
            Ok(Line::DogwatchBackup(head)) if head.format == FORMAT => Ok((reader, head)),
            Ok(Line::DogwatchBackup(head)) => Err(BackupError::Newer { program: head.program }),
            _ => Err(BackupError::NoBackup),
        }
    }

    /// The beginning of a table, which must be this one.
    pub fn table(&mut self, table: &Table) -> Result<(), BackupError> {
        let is_it = |name: &str, columns: &[String]| {
            name == table.name && columns.iter().eq(table.columns.iter().map(|(column, _)| column))
        };
        match self.next()? {
            Line::Table { name, columns } if is_it(&name, &columns) => Ok(()),
            _ => Err(damaged(format!("the table `{}` does not follow, or has other columns", table.name))),
        }
    }

    /// The next row of the table; none after its last.
    pub fn row(&mut self, table: &Table) -> Result<Option<Vec<Cell>>, BackupError> {
        let values = match self.next()? {
            Line::Row(values) => values,
            other => {
                self.ahead = Some(other);
                return Ok(None);
            }
        };
        self.rows += 1;
        let is_whole = values.len() == table.columns.len();
        let cells = values.into_iter().zip(&table.columns).map(|(value, (_, kind))| cell(value, *kind));
        let cells: Option<Vec<Cell>> = cells.collect();
        let cells = cells.filter(|_| is_whole);
        cells.map(Some).ok_or_else(|| damaged(format!("row {} is no row of `{}`", self.rows, table.name)))
    }

    /// Writes the index to a file; false where the backup has none.
    pub fn index(&mut self, to: &mut impl Write) -> Result<bool, BackupError> {
        let bytes = match self.next()? {
            Line::Index { bytes } => bytes,
            other => {
                self.ahead = Some(other);
                return Ok(false);
            }
        };
        let mut left = bytes;
        while left > 0 {
            let read = self.from.fill_buf().map_err(|error| damaged(error.to_string()))?;
            let count = read.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if count == 0 {
                return Err(damaged("it breaks off inside the advisory index".into()));
            }
            self.digest.update(&read[..count]);
            to.write_all(&read[..count]).map_err(BackupError::Index)?;
            self.from.consume(count);
            left -= count as u64;
        }
        Ok(true)
    }

    /// The end: everything was as it was written, and nothing follows.
    pub fn end(mut self) -> Result<(), BackupError> {
        let computed = hex::encode(self.digest.clone().finalize());
        match self.next()? {
            Line::End { sha256 } if sha256 == computed => {}
            Line::End { .. } => return Err(damaged("its digest is another than it should be".into())),
            _ => return Err(damaged("something follows that should not".into())),
        }
        match self.from.fill_buf() {
            Ok([]) => Ok(()),
            _ => Err(damaged("something follows its end".into())),
        }
    }

    fn next(&mut self) -> Result<Line, BackupError> {
        match self.ahead.take() {
            Some(line) => Ok(line),
            None => self.line(),
        }
    }

    fn line(&mut self) -> Result<Line, BackupError> {
        let mut text = Vec::new();
        let read = (&mut self.from).take(LINE_BYTES_MAX).read_until(b'\n', &mut text);
        read.map_err(|error| damaged(error.to_string()))?;
        if text.last() != Some(&b'\n') {
            return Err(damaged("it breaks off, or a line has no end".into()));
        }
        let line = serde_json::from_slice(&text).map_err(|error| damaged(format!("a line is none: {error}")))?;
        // The digest does not stand over itself.
        if !matches!(line, Line::End { .. }) {
            self.digest.update(&text);
        }
        Ok(line)
    }
}

fn cell(value: Option<Value>, kind: Kind) -> Option<Cell> {
    match (value, kind) {
        (None, _) => Some(Cell::Null),
        (Some(Value::Number(number)), Kind::Integer) => Some(Cell::Integer(number)),
        (Some(Value::Text(text)), Kind::Text) => Some(Cell::Text(text)),
        (Some(Value::Text(text)), Kind::Real) => text.parse().ok().map(Cell::Real),
        (Some(Value::Text(text)), Kind::Bytes) => STANDARD.decode(text).ok().map(Cell::Bytes),
        _ => None,
    }
}

fn damaged(detail: String) -> BackupError {
    BackupError::Damaged { detail }
}
