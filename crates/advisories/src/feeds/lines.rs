//! Opening a feed file: compression, archives, and which format the text is in.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use serde::Deserializer;
use serde::de::{SeqAccess, Visitor};
use serde_json::Value;

use super::cve::{self, CveFacts};
use super::osv::{self, Record};
use super::{Form, Item};

/// Longest line or single document. The longest records known are a few MB (kernel advisories).
const DOCUMENT_BYTES_MAX: u64 = 256 << 20;
/// Longest archive member: one record.
const MEMBER_BYTES_MAX: u64 = 64 << 20;
/// Most that one compressed file may expand to: some ten times the largest feed, yet an end to a bomb.
const EXPANDED_BYTES_MAX: u64 = 64 << 30;

/// Why a file gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotAFeed {
    /// It could not be read.
    #[error("could not be read")]
    Unreadable(#[from] io::Error),
    /// The archive is broken.
    #[error("is not a sound zip archive")]
    Archive(#[from] zip::result::ZipError),
    /// It looks like JSON and is not, or is cut short.
    #[error("is not sound JSON: {0}")]
    Json(String),
    /// It is something else.
    #[error("is neither OSV, KEV, EPSS nor CVE facts")]
    Unknown,
}

/// Reads one file and hands each thing it says to `sink`.
///
/// # Errors
///
/// When the file as a whole is unreadable or no feed. What was understood before that has been handed over.
pub fn read(path: &Path, sink: &mut dyn FnMut(Item)) -> Result<Form, NotAFeed> {
    let mut file = File::open(path)?;
    let mut magic = Vec::with_capacity(4);
    (&mut file).take(4).read_to_end(&mut magic)?;
    file.rewind()?;
    match magic.as_slice() {
        [b'P', b'K', 3 | 5, 4 | 6] => read_archive(file, sink),
        [0x28, 0xb5, 0x2f, 0xfd] => read_text(&mut bounded(zstd::stream::read::Decoder::new(file)?), sink),
        [0x1f, 0x8b, ..] => read_text(&mut bounded(flate2::read::MultiGzDecoder::new(BufReader::new(file))), sink),
        _ => read_text(&mut bounded(file), sink),
    }
}

fn bounded<R: Read>(reader: R) -> impl BufRead {
    BufReader::with_capacity(1 << 18, reader.take(EXPANDED_BYTES_MAX))
}

/// Reads text that has been unpacked already. Public for tests and fuzzing.
///
/// # Errors
///
/// As [`read`].
pub fn read_text(reader: &mut dyn BufRead, sink: &mut dyn FnMut(Item)) -> Result<Form, NotAFeed> {
    let mut line = Vec::new();
    while read_line(reader, &mut line)? && line.trim_ascii().is_empty() {}
    let start = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).trim_ascii_start().to_vec();
    match start.first() {
        Some(b'#') => read_epss(&start, reader, sink),
        Some(b'c') if start.starts_with(b"cve,epss") => read_epss(b"", reader, sink),
        Some(b'[') => read_array(&start, reader, sink),
        Some(b'{') => match serde_json::from_slice::<Record>(&start) {
            Ok(record) => read_lines(record, reader, sink),
            Err(error) if error.is_eof() => read_document(start, reader, sink),
            Err(error) => Err(NotAFeed::Json(error.to_string())),
        },
        _ => Err(NotAFeed::Unknown),
    }
}

/// Reads a line with its end; false at the end of the text.
fn read_line(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut limited = reader.take(DOCUMENT_BYTES_MAX);
    limited.read_until(b'\n', line)?;
    if limited.limit() == 0 && line.last() != Some(&b'\n') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than any record"));
    }
    Ok(!line.is_empty())
}

/// JSON lines. The first has been read and decides whether this is a feed at all.
fn read_lines(first: Record, reader: &mut dyn BufRead, sink: &mut dyn FnMut(Item)) -> Result<Form, NotAFeed> {
    if !document(first, sink) {
        return Err(NotAFeed::Unknown);
    }
    let mut line = Vec::new();
    let mut number = 1u64;
    while read_line(reader, &mut line)? {
        number += 1;
        let text = line.trim_ascii();
        if !text.is_empty() {
            one(text, || format!("line {number}"), sink);
        }
    }
    Ok(if number == 1 { Form::Single } else { Form::Collection })
}

/// One record that may be unsound: it becomes an item or a problem, never nothing.
fn one(json: &[u8], place: impl Fn() -> String, sink: &mut dyn FnMut(Item)) {
    match serde_json::from_slice::<Record>(json) {
        Ok(record) => {
            if !document(record, sink) {
                sink(Item::Problem { record: place(), detail: "is no record of a known format".into() });
            }
        }
        Err(error) => sink(Item::Problem { record: place(), detail: error.to_string() }),
    }
}

/// One JSON document over many lines.
fn read_document(mut text: Vec<u8>, reader: &mut dyn BufRead, sink: &mut dyn FnMut(Item)) -> Result<Form, NotAFeed> {
    let mut limited = reader.take(DOCUMENT_BYTES_MAX);
    limited.read_to_end(&mut text)?;
    if limited.limit() == 0 {
        return Err(NotAFeed::Json("the document is longer than any record or catalogue".into()));
    }
    let record = serde_json::from_slice::<Record>(&text).map_err(|error| NotAFeed::Json(error.to_string()))?;
    if document(record, sink) { Ok(Form::Single) } else { Err(NotAFeed::Unknown) }
}

/// An array of records, one at a time.
fn read_array(start: &[u8], reader: &mut dyn BufRead, sink: &mut dyn FnMut(Item)) -> Result<Form, NotAFeed> {
    struct Records<'a> {
        sink: &'a mut dyn FnMut(Item),
        understood: bool,
    }
    impl<'de> Visitor<'de> for &mut Records<'_> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of records")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
            while let Some(record) = seq.next_element::<Record>()? {
                self.understood |= document(record, self.sink);
            }
            Ok(())
        }
    }
    let mut records = Records { sink, understood: false };
    let mut json = serde_json::Deserializer::from_reader(start.chain(reader));
    let outcome = json.deserialize_seq(&mut records);
    match (outcome, records.understood) {
        (Ok(()), true) => Ok(Form::Collection),
        (Ok(()), false) => Err(NotAFeed::Unknown),
        (Err(error), _) => Err(NotAFeed::Json(error.to_string())),
    }
}

/// A zip archive of one file per record. A member that is not JSON is passed over: publishers add a licence or a list.
fn read_archive(file: File, sink: &mut dyn FnMut(Item)) -> Result<Form, NotAFeed> {
    let mut archive = zip::ZipArchive::new(BufReader::new(file))?;
    let mut text = Vec::new();
    let mut members = 0u64;
    for index in 0..archive.len() {
        let member = match archive.by_index(index) {
            Ok(member) => member,
            Err(error) => {
                sink(Item::Problem { record: format!("member {index}"), detail: error.to_string() });
                continue;
            }
        };
        let name = match member.name() {
            Ok(name) => name.into_owned(),
            Err(error) => {
                sink(Item::Problem { record: format!("member {index}"), detail: error.to_string() });
                continue;
            }
        };
        if !member.is_file() || !name.ends_with(".json") {
            continue;
        }
        members += 1;
        text.clear();
        let mut limited = member.take(MEMBER_BYTES_MAX);
        match limited.read_to_end(&mut text) {
            Ok(_) if limited.limit() == 0 => {
                sink(Item::Problem { record: name, detail: "is longer than any record".into() });
            }
            Ok(_) => one(&text, || name.clone(), sink),
            Err(error) => sink(Item::Problem { record: name, detail: error.to_string() }),
        }
    }
    if members == 0 { Err(NotAFeed::Unknown) } else { Ok(Form::Archive) }
}

/// EPSS: a comment with the day, a header, one line per CVE.
fn read_epss(comment: &[u8], reader: &mut dyn BufRead, sink: &mut dyn FnMut(Item)) -> Result<Form, NotAFeed> {
    let comment = String::from_utf8_lossy(comment);
    let mut line = Vec::new();
    if !comment.is_empty() {
        read_line(reader, &mut line)?;
        if !line.starts_with(b"cve,epss") {
            return Err(NotAFeed::Unknown);
        }
    }
    sink(Item::EpssDate(cve::epss_date(&comment).unwrap_or_default().to_owned()));
    let mut number = 2u64;
    while read_line(reader, &mut line)? {
        number += 1;
        match str::from_utf8(&line).ok().and_then(cve::epss_line) {
            Some(word) => sink(Item::Epss(word)),
            None if line.trim_ascii().is_empty() => {}
            None => sink(Item::Problem { record: format!("line {number}"), detail: "is no EPSS estimate".into() }),
        }
    }
    Ok(Form::Collection)
}

/// Hands over what a document says; false when it is of no format we know.
fn document(record: Record, sink: &mut dyn FnMut(Item)) -> bool {
    if let Some(entries) = &record.vulnerabilities {
        if !entries.iter().any(|entry| !entry.cve.is_empty()) {
            return false;
        }
        sink(Item::KevDate(record.released.as_str().and_then(|date| date.get(..10)).unwrap_or_default().to_owned()));
        record.vulnerabilities.unwrap_or_default().into_iter().for_each(|entry| sink(Item::Kev(entry)));
        return true;
    }
    if record.id.is_empty() {
        return false;
    }
    if let (Value::String(state), None) = (&record.state, &record.affected) {
        let assigner = record.assigner.as_str().unwrap_or_default();
        // A rejected id has no score, whatever was once said of it.
        let scores = if state == "REJECTED" { Vec::new() } else { cve::scores(&record.cvss, assigner) };
        sink(Item::Facts(CveFacts { cve: record.id, modified: record.modified, scores }));
        return true;
    }
    if record.affected.is_none() && record.modified.is_empty() {
        return false;
    }
    let id = record.id.clone();
    match osv::understand(record) {
        Ok(parsed) => sink(Item::Advisory(Box::new(parsed))),
        Err(detail) => sink(Item::Problem { record: id, detail }),
    }
    true
}
