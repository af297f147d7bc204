//! What earlier scans found, kept on disk so that no layer is read twice.
//!
//! Entries are files that are written once, under digests computed here, by rename: readers need no lock, two scans may
//! write the same entry, and a crash or a full disk leaves at worst a temporary file. An entry that cannot be read (cut,
//! damaged, of another version) is simply not there. So several processes, and machines that share a file system with an
//! atomic rename, may share one cache. They must trust each other: who can write here can make layers look clean.
//!
//! ```text
//! <root>/layers/<catalogers>/<diff id>        what is in a layer
//! <root>/targets/<catalogers>/<key>           the documents of an image, by what an unchanged target is recognised by
//! <root>/inventories/<catalogers>/<key>       the assembled inventory of a chain of layers
//! <root>/integrity/<catalogers>/<key>         its integrity model
//! <root>/verified/<key>                       the digests of an unchanged range of a file
//! <root>/spool/                               unnamed temporary files
//! <root>/CACHEDIR.TAG                         tells backups that nothing here is worth keeping
//! ```

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::SystemTime;

use inventory::cataloger::Cataloger;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Rises when the form of any entry changes.
const FORMAT: &str = "3";

/// The cache is brought below this size when it has grown beyond: a few hundred images' worth.
pub const CACHE_BYTES_MAX: u64 = 2 << 30;

/// The largest entry that is read: a layer of 16 million entries stays below it.
const ENTRY_BYTES_MAX: u64 = 4 << 30;

/// Source: the Cache Directory Tagging Specification, of which the first 43 bytes are the signature.
const TAG: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# What dogwatch remembers. It may be deleted at any time.\n";

/// A cache below one directory.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    catalogers: String,
    /// What threads of this process work on.
    busy: Arc<Busy>,
    /// Whoever writes in place of a process that may not, and a directory in place of the spool.
    keeper: Option<(Arc<dyn Keeper>, PathBuf)>,
}

/// Writes entries for a process that may only read them, and knows what other processes of the same scan work on.
pub(crate) trait Keeper: Send + Sync + std::fmt::Debug {
    fn keep(&self, kind: Kind, key: &str, entry: &[u8]) -> io::Result<()>;

    /// Holds others up until it is dropped; none when that cannot be had.
    fn alone(&self, key: &str) -> Option<Box<dyn std::fmt::Debug + Send>>;
}

#[derive(Debug, Default)]
struct Busy {
    keys: Mutex<HashSet<String>>,
    changed: Condvar,
}

/// Keeps other threads from working on the same entry until it is dropped.
#[derive(Debug)]
pub struct Alone<'a> {
    busy: &'a Busy,
    key: String,
    /// The same among processes; only its end matters.
    _kept: Option<Box<dyn std::fmt::Debug + Send>>,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.busy.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        self.busy.changed.notify_all();
    }
}

/// How much a cache holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Number of entries.
    pub entries: u64,
    /// Their size on disk.
    pub bytes: u64,
}

/// Why a cache could not be emptied.
#[derive(Debug, thiserror::Error)]
pub enum ClearError {
    /// Somebody else's directory, as far as we can tell.
    #[error("`{path}` has no `CACHEDIR.TAG` of ours, so it may be no cache")]
    NotACache {
        /// The directory.
        path: PathBuf,
    },
    /// Something in it could not be removed.
    #[error("`{path}` cannot be removed")]
    Remove {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// What is in a layer, by diff id.
    Layer,
    /// An image's documents, by identity.
    Target,
    /// An assembled inventory, by chain of diff ids.
    Inventory,
    /// The files of an integrity model, by chain of diff ids.
    Integrity,
    /// Digests of an unchanged range of a file.
    Verified,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Layer, Self::Target, Self::Inventory, Self::Integrity, Self::Verified];

    /// The directory of its entries.
    pub fn directory(self) -> &'static str {
        match self {
            Self::Layer => "layers",
            Self::Target => "targets",
            Self::Inventory => "inventories",
            Self::Integrity => "integrity",
            Self::Verified => "verified",
        }
    }
}

impl Cache {
    /// A cache below `root` for facts found by these catalogers. Nothing is created before the first write.
    pub fn new(root: impl Into<PathBuf>, catalogers: &[Cataloger]) -> Self {
        let mut names: Vec<String> =
            catalogers.iter().map(|cataloger| format!("{}={}", cataloger.name, cataloger.version)).collect();
        names.sort();
        let catalogers = key(&[FORMAT, env!("CARGO_PKG_VERSION"), &names.join(",")]);
        Self { root: root.into(), catalogers: catalogers[..16].to_owned(), busy: Arc::default(), keeper: None }
    }

    /// The same cache, written by somebody else, with temporary files in `spool`.
    pub(crate) fn kept_by(self, keeper: Arc<dyn Keeper>, spool: &Path) -> Self {
        Self { keeper: Some((keeper, spool.to_owned())), ..self }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Waits until no other thread of this process works on the entry. One thread may hold only one.
    pub fn alone(&self, key: &str) -> Alone<'_> {
        let keys = self.busy.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let is_busy = |keys: &mut HashSet<String>| keys.contains(key);
        let mut keys = self.busy.changed.wait_while(keys, is_busy).unwrap_or_else(PoisonError::into_inner);
        keys.insert(key.to_owned());
        drop(keys);
        let kept = self.keeper.as_ref().and_then(|(keeper, _)| keeper.alone(key));
        Alone { busy: &self.busy, key: key.to_owned(), _kept: kept }
    }

    /// A directory on the same disk for temporary files.
    pub fn spool_directory(&self) -> io::Result<PathBuf> {
        if let Some((_, spool)) = &self.keeper {
            return Ok(spool.clone());
        }
        let directory = self.root.join("spool");
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    /// The entry, if it is there and whole.
    pub fn get<T: DeserializeOwned>(&self, kind: Kind, key: &str) -> Option<T> {
        let file = fs::File::open(self.path(kind, key)).ok()?;
        let mut bytes = Vec::new();
        // The frame's own checksum tells a damaged entry from a whole one.
        zstd::stream::read::Decoder::new(file).ok()?.take(ENTRY_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        rmp_serde::from_slice(&bytes).ok()
    }

    /// Writes an entry. A failure costs the next scan time, nothing else, so the caller only mentions it.
    pub fn put<T: Serialize>(&self, kind: Kind, key: &str, value: &T) -> io::Result<()> {
        let encode =
            |mut writer: &mut dyn Write| rmp_serde::encode::write_named(&mut writer, value).map_err(io::Error::other);
        match &self.keeper {
            Some((keeper, _)) => {
                let mut entry = Vec::new();
                encode(&mut entry)?;
                keeper.keep(kind, key, &entry)
            }
            None => self.write(kind, key, encode),
        }
    }

    /// Writes an entry that another process encoded.
    pub(crate) fn put_encoded(&self, kind: Kind, key: &str, entry: &[u8]) -> io::Result<()> {
        self.write(kind, key, |writer| writer.write_all(entry))
    }

    fn write(&self, kind: Kind, key: &str, entry: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let path = self.path(kind, key);
        let directory = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(directory)?;
        let tag = self.root.join("CACHEDIR.TAG");
        if !tag.exists() {
            fs::write(tag, TAG)?;
        }
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        let mut encoder = zstd::stream::write::Encoder::new(&mut file, 1)?;
        encoder.include_checksum(true)?;
        entry(&mut encoder)?;
        encoder.finish()?.flush()?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes the entries longest not written until the cache is within its bound. Called after new layers were written.
    pub fn prune(&self) -> io::Result<()> {
        if self.keeper.is_some() {
            return Ok(()); // The keeper does.
        }
        let mut entries = Vec::new();
        for kind in Kind::ALL {
            collect(&self.root.join(kind.directory()), &mut entries)?;
        }
        let mut total: u64 = entries.iter().map(|entry: &(SystemTime, u64, PathBuf)| entry.1).sum();
        entries.sort();
        for (_, size, path) in entries {
            if total <= CACHE_BYTES_MAX {
                break;
            }
            fs::remove_file(path).ok();
            total -= size;
        }
        Ok(())
    }

    /// How much it holds of a kind, whatever version wrote it.
    pub fn usage(&self, kind: Kind) -> Usage {
        let mut entries = Vec::new();
        // A directory that cannot be listed holds nothing that could be used.
        collect(&self.root.join(kind.directory()), &mut entries).ok();
        Usage { entries: entries.len() as u64, bytes: entries.iter().map(|entry| entry.1).sum() }
    }

    /// Removes all entries. Scans that run meanwhile lose time, nothing else.
    pub fn clear(&self) -> Result<(), ClearError> {
        let tag = self.root.join("CACHEDIR.TAG");
        if !fs::read_to_string(tag).is_ok_and(|tag| tag == TAG) {
            return Err(ClearError::NotACache { path: self.root.clone() });
        }
        for kind in Kind::ALL {
            let path = self.root.join(kind.directory());
            match fs::remove_dir_all(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(ClearError::Remove { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn path(&self, kind: Kind, key: &str) -> PathBuf {
        let directory = self.root.join(kind.directory());
        match kind {
            // What was verified does not depend on who reads it.
            Kind::Verified => directory.join(key),
            _ => directory.join(&self.catalogers).join(key),
        }
    }
}

fn collect(directory: &Path, entries: &mut Vec<(SystemTime, u64, PathBuf)>) -> io::Result<()> {
    let Ok(listing) = fs::read_dir(directory) else { return Ok(()) };
    for entry in listing {
        let entry = entry?;
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            collect(&entry.path(), entries)?;
        } else {
            entries.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len(), entry.path()));
        }
    }
    Ok(())
}

/// A file name for whatever these parts say: their SHA-256, each part with its length before it.
pub fn key(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}
