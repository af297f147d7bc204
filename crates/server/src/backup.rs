//! Backups: all that a server remembers in one file, from which SQLite or PostgreSQL is filled again.
//!
//! A server may run meanwhile: a backup is what was committed when it began. Start at [`backup`] and [`restore`]; [`format`] is the file's
//! form. **Never:** no secret is in it. Of tokens there are digests only, and the key that signs the audit log stays where it is.

pub mod format;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use store::{Cell, Restore, Snapshot, StoreError};

use crate::ServerError;
use crate::knowledge::Indexes;
use format::{Reader, Writer};

/// Rows that are put in with one call.
const BATCH: usize = 500;

/// What was backed up or restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// As of when.
    pub at: String,
    /// How many rows.
    pub rows: u64,
    /// The advisory index in force was at hand.
    pub has_index: bool,
}

/// Why there is no backup, or why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be used.
    #[error("`{path}` cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is something else.
    #[error("this is no backup of dogwatch's")]
    NoBackup,
    /// Another form than this program's.
    #[error("this backup was made by `{program}`, in a form that this program does not know")]
    Newer {
        /// Which program wrote it.
        program: String,
    },
    /// It is not what was written.
    #[error("the backup is damaged: {detail}")]
    Damaged {
        /// How.
        detail: String,
    },
    /// The advisory index in it cannot be put in its place.
    #[error("the advisory index cannot be written")]
    Index(#[source] io::Error),
    /// The advisory index in it cannot be kept.
    #[error(transparent)]
    Keep(ServerError),
}

impl BackupError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Store(StoreError::Nothing) => {
                "name the directory or database that `dogwatch serve` was started with: `--data-dir`, `--database-url`"
            }
            Self::Store(StoreError::Occupied) => {
                "restore into an empty directory or database, and start the server there"
            }
            Self::Store(StoreError::Newer { .. }) | Self::Newer { .. } => {
                "restore it with the program that made it, or a newer one; nothing was restored"
            }
            Self::Store(error) if error.is_bad_text() => {
                "a text in it holds a NUL, which PostgreSQL keeps in none: restore it into SQLite"
            }
            Self::Damaged { .. } => "nothing was restored; take another copy of it, or an earlier one",
            Self::NoBackup => "name a file that `dogwatch backup` made",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Writes everything that the database at a URL holds, and the advisory index in force, to a file, in place of one that was there.
pub async fn backup(database_url: &str, indexes: &Indexes, file: &Path) -> Result<Backup, BackupError> {
    let failed = |source| BackupError::File { path: file.to_owned(), source };
    let mut snapshot = Snapshot::open(database_url).await?;
    // Opened before the rows are read: a server that takes another index into use removes it.
    let digest = snapshot.setting(crate::renew::INDEX).await?.unwrap_or_default();
    let index = File::open(indexes.path(&digest)).ok();
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Made for its owner alone.
    let partial = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    let out = BufWriter::new(partial.as_file().try_clone().map_err(failed)?);
    let mut writer = Writer::begin(out, snapshot.schema, snapshot.at).map_err(failed)?;
    for table in snapshot.tables.clone() {
        writer.table(&table).map_err(failed)?;
        snapshot.rows(&table, |cells| writer.row(cells).map_err(failed)).await?;
    }
    if let Some(index) = &index {
        let bytes = index.metadata().map_err(failed)?.len();
        writer.index(index, bytes).map_err(failed)?;
    }
    let rows = writer.rows;
    writer.end().and_then(|mut out| out.flush()).map_err(failed)?;
    partial.as_file().sync_all().map_err(failed)?;
    partial.persist(file).map_err(|error| failed(error.error))?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
    let at = crate::tell::moment(snapshot.at);
    snapshot.close().await;
    Ok(Backup { at, rows, has_index: index.is_some() })
}

/// Fills the empty database at a URL from a backup. It is whole, or nothing is changed.
pub async fn restore(file: &Path, database_url: &str, indexes: &Indexes) -> Result<Backup, BackupError> {
    let open = File::open(file).map_err(|source| BackupError::File { path: file.to_owned(), source })?;
    let (mut reader, head) = Reader::begin(BufReader::new(open))?;
    let mut restore = Restore::begin(database_url, head.schema).await?;
    for table in store::tables(head.schema).await? {
        reader.table(&table)?;
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        while let Some(row) = reader.row(&table)? {
            rows.push(row);
            if rows.len() == BATCH {
                restore.put(&table, &std::mem::take(&mut rows)).await?;
            }
        }
        restore.put(&table, &rows).await?;
    }
    let scratch = indexes.scratch("restored").map_err(BackupError::Keep)?;
    let index = scratch.path().join("index");
    let mut out = File::create(&index).map_err(BackupError::Index)?;
    let has_index = reader.index(&mut out)?;
    let rows = reader.rows;
    reader.end()?;
    if has_index {
        indexes.keep(&index).map_err(BackupError::Keep)?;
    }
    restore.commit().await?;
    Ok(Backup { at: crate::tell::moment(head.at), rows, has_index })
}
