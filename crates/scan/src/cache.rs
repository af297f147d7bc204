//! What earlier scans found, kept on disk so that no layer is read twice.
//!
//! Entries are files that are written once, under digests computed here, by rename: readers need no lock, two scans may
//! write the same entry, and a crash or a full disk leaves at worst a temporary file. An entry that cannot be read (cut,
//! damaged, of another version) is simply not there.
//!
//! ```text
//! <root>/layers/<catalogers>/<diff id>        what is in a layer
//! <root>/targets/<catalogers>/<key>           the documents of an image, by what an unchanged target is recognised by
//! <root>/inventories/<catalogers>/<key>       the assembled inventory of a chain of layers
//! <root>/integrity/<catalogers>/<key>         its integrity model
//! <root>/verified/<key>                       the digests of an unchanged range of a file
//! ```

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use inventory::cataloger::Cataloger;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// Rises when the form of any entry changes.
const FORMAT: &str = "1";

/// The cache is brought below this size when it has grown beyond: a few hundred images' worth.
const CACHE_BYTES_MAX: u64 = 2 << 30;

/// The largest entry that is read: a layer of 16 million entries stays below it.
const ENTRY_BYTES_MAX: u64 = 4 << 30;

/// A cache below one directory.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    catalogers: String,
}

/// The kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl Cache {
    /// A cache below `root` for facts found by these catalogers. Nothing is created before the first write.
    pub fn new(root: impl Into<PathBuf>, catalogers: &[Cataloger]) -> Self {
        let mut names: Vec<String> =
            catalogers.iter().map(|cataloger| format!("{}={}", cataloger.name, cataloger.version)).collect();
        names.sort();
        let catalogers = key(&[FORMAT, env!("CARGO_PKG_VERSION"), &names.join(",")]);
        Self { root: root.into(), catalogers: catalogers[..16].to_owned() }
    }

    /// A directory on the same disk for temporary files.
    pub fn spool_directory(&self) -> io::Result<PathBuf> {
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
        let path = self.path(kind, key);
        let directory = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        let mut encoder = zstd::stream::write::Encoder::new(&mut file, 1)?;
        encoder.include_checksum(true)?;
        rmp_serde::encode::write_named(&mut encoder, value).map_err(io::Error::other)?;
        encoder.finish()?.flush()?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes the entries longest not written until the cache is within its bound. Called after new layers were written.
    pub fn prune(&self) -> io::Result<()> {
        let mut entries = Vec::new();
        for kind in ["layers", "targets", "inventories", "integrity", "verified"] {
            collect(&self.root.join(kind), &mut entries)?;
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

    fn path(&self, kind: Kind, key: &str) -> PathBuf {
        let name = match kind {
            Kind::Layer => "layers",
            Kind::Target => "targets",
            Kind::Inventory => "inventories",
            Kind::Integrity => "integrity",
            Kind::Verified => return self.root.join("verified").join(key),
        };
        self.root.join(name).join(&self.catalogers).join(key)
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
