//! Signs the audit log: keeps the key and the last checkpoint outside the database, and signs no log that does not continue it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use advisories::share::key::{KeyError, PublicKey, SecretKey};
use store::{AuditEntry, Filter, Store, chain_digest};
use tokio::sync::Mutex;

use crate::ServerError;
use crate::checkpoint::Checkpoint;
use crate::claim::hex_digest;

/// Entries that are read at a time.
const AT_A_TIME: i64 = 1000;

/// Who signs, and what was signed last.
#[derive(Debug)]
pub struct Notary {
    key: SecretKey,
    file: PathBuf,
    /// The last one, and its text.
    last: Mutex<Option<(Checkpoint, String)>>,
}

/// Why no checkpoint is made.
#[derive(Debug, thiserror::Error)]
pub enum NotaryError {
    /// The key is none.
    #[error("`{path}` cannot be used to sign")]
    Key {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// A file cannot be used.
    #[error("`{path}` cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The last checkpoint is none that the key signed.
    #[error("`{path}` is no checkpoint that this server's key signed; move it away if the key was changed on purpose")]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// The log is not the one of which a part was signed.
    #[error(
        "the audit log was changed: it does not continue what was signed at entry {entries} ({path}); \
         compare with an export kept elsewhere, and move that file away if an earlier backup was restored on purpose"
    )]
    Rewritten {
        /// How far it was signed.
        entries: i64,
        /// Where the last checkpoint is.
        path: PathBuf,
    },
    /// The log's chain is broken.
    #[error("the audit log was changed: entry {0} is not what was written")]
    Broken(i64),
}

impl Notary {
    /// With a key of its own in a directory, made when there is none, or with that of a file. Only its owner may read it.
    pub fn open(directory: &Path, key: Option<&Path>) -> Result<Self, NotaryError> {
        let path = key.map_or_else(|| directory.join("audit.key"), Path::to_owned);
        if key.is_none() && !path.exists() {
            let text = SecretKey::generate().map_err(|source| NotaryError::Key { path: path.clone(), source })?;
            write(&path, &text)?;
        }
        let text = fs::read_to_string(&path).map_err(|source| NotaryError::File { path: path.clone(), source })?;
        let key = SecretKey::parse(&text).map_err(|source| NotaryError::Key { path, source })?;
        let file = directory.join("audit.checkpoint");
        let last = match fs::read_to_string(&file) {
            Ok(note) => match Checkpoint::read(&note, &[key.public()]) {
                Some((checkpoint, Some(_))) => Some((checkpoint, note)),
                _ => return Err(NotaryError::Foreign { path: file }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(NotaryError::File { path: file, source }),
        };
        Ok(Self { key, file, last: Mutex::new(last) })
    }

    /// Whose signatures are to be believed.
    pub fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// How far the log was signed.
    pub async fn signed(&self) -> i64 {
        self.last.lock().await.as_ref().map_or(0, |(last, _)| last.entries)
    }

    /// A checkpoint over all entries; none while there are none. What was added since the last is verified first.
    pub async fn checkpoint(&self, store: &Store) -> Result<Option<(Checkpoint, String)>, ServerError> {
        let mut last = self.last.lock().await;
        let (mut entries, mut chain) = (0, String::new());
        if let Some((signed, _)) = &*last {
            let rewritten = || NotaryError::Rewritten { entries: signed.entries, path: self.file.clone() };
            let entry = store.audit_after(signed.entries - 1, &Filter::default(), 1).await?.pop();
            let is_there = entry.is_some_and(|entry| entry.number == signed.entries && entry.chain == signed.chain);
            if !is_there {
                return Err(rewritten().into());
            }
            (entries, chain) = (signed.entries, signed.chain.clone());
        }
        loop {
            let page: Vec<AuditEntry> = store.audit_after(entries, &Filter::default(), AT_A_TIME).await?;
            if page.is_empty() {
                break;
            }
            for entry in page {
                if entry.number != entries + 1 || chain_digest(&chain, &entry, hex_digest) != entry.chain {
                    return Err(NotaryError::Broken(entries + 1).into());
                }
                (entries, chain) = (entry.number, entry.chain);
            }
        }
        if entries > last.as_ref().map_or(0, |(last, _)| last.entries) {
            let checkpoint = Checkpoint { entries, chain };
            let note = checkpoint.sign(&self.key);
            write(&self.file, &note)?;
            // Whoever collects the log has it where nobody who can write the database can.
            tracing::info!(entries, checkpoint = note, "the audit log was signed");
            *last = Some((checkpoint, note));
        }
        Ok(last.clone())
    }
}

/// Writes a file that only its owner may read: all of it, or nothing.
fn write(path: &Path, text: &str) -> Result<(), NotaryError> {
    let partial = path.with_extension("partial");
    let write = || -> io::Result<()> {
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write().map_err(|source| NotaryError::File { path: path.to_owned(), source })
}
