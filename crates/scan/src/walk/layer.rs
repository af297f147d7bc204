//! Reads one layer: every byte once, hashed and walked in the same pass.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use inventory::cataloger::Cataloger;
use inventory::content::{ReadAt, Spool};
use inventory::entry::normalise;
use inventory::layer::{FileContent, LayerFacts, LayerReader, MissedLink};
use inventory::tar::{Header, Kind, TarReader};
use model::digest::Digest;

use super::stages::{self, Budget, Sums};
use crate::source::LayerBlob;

/// One layer, read and verified.
#[derive(Debug)]
pub struct ReadLayer {
    /// What is in it.
    pub facts: LayerFacts,
    /// Digest of the stored bytes, computed here.
    pub digest: Digest,
    /// Digest of the uncompressed bytes, computed here.
    pub diff_id: Digest,
    /// Uncompressed size in bytes.
    pub size: u64,
}

/// Why a layer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Its bytes could not be read, inflated or understood.
    #[error("layer {number} ({digest}) cannot be read")]
    Unreadable {
        /// Counted from 1 at the bottom.
        number: u32,
        /// What it should be.
        digest: Digest,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Its bytes are others than the image says.
    #[error("layer {number} is not what the image says: its digest is {found}, expected {expected}")]
    WrongDigest {
        /// Counted from 1 at the bottom.
        number: u32,
        /// What the image says.
        expected: Digest,
        /// What was computed.
        found: Digest,
    },
    /// It is encrypted.
    #[error("layer {number} ({digest}) is encrypted")]
    Encrypted {
        /// Counted from 1 at the bottom.
        number: u32,
        /// The stored digest.
        digest: Digest,
    },
}

/// Reads a layer once, hashing what is stored and what it inflates to, and hands every entry to the catalogers.
///
/// Fails when the bytes cannot be read or are not those that the image promises. Files that a cataloger cannot understand
/// are gaps in the result.
pub fn read_layer(
    blob: &LayerBlob,
    catalogers: &[Cataloger],
    spool: &dyn Spool,
    budget: &Budget,
) -> Result<ReadLayer, LayerError> {
    let number = blob.index + 1;
    if blob.is_encrypted() {
        let digest = blob.expected_digest.clone().unwrap_or_else(|| blob.expected_diff_id.clone());
        return Err(LayerError::Encrypted { number, digest });
    }
    let unreadable = |source| LayerError::Unreadable { number, digest: blob.expected_diff_id.clone(), source };
    let mut reader = LayerReader::new(catalogers, spool);
    let sums = pass(blob, budget, |stream, random| walk(stream, &mut reader, random)).map_err(unreadable)?;
    check(number, blob.expected_digest.as_ref(), &sums.digest)?;
    check(number, Some(&blob.expected_diff_id), &sums.diff_id)?;
    if !reader.missed().is_empty() {
        pass(blob, budget, |stream, random| walk_missed(stream, &mut reader, random)).map_err(unreadable)?;
    }
    Ok(ReadLayer { facts: reader.finish(), digest: sums.digest, diff_id: sums.diff_id, size: sums.size })
}

/// Reads a layer's bytes only to compute its digests: what is in it is known already under `expected_diff_id`.
pub fn verify_layer(blob: &LayerBlob, budget: &Budget) -> Result<(), LayerError> {
    let number = blob.index + 1;
    let unreadable = |source| LayerError::Unreadable { number, digest: blob.expected_diff_id.clone(), source };
    let sums = pass(blob, budget, |_, _| Ok(())).map_err(unreadable)?;
    check(number, blob.expected_digest.as_ref(), &sums.digest)?;
    check(number, Some(&blob.expected_diff_id), &sums.diff_id)
}

fn check(number: u32, expected: Option<&Digest>, found: &Digest) -> Result<(), LayerError> {
    match expected.filter(|expected| *expected != found) {
        Some(expected) => Err(LayerError::WrongDigest { number, expected: expected.clone(), found: found.clone() }),
        None => Ok(()),
    }
}

/// Where the uncompressed layer lies on disk, if it does.
type Range = Option<(Arc<File>, u64)>;

fn pass(
    blob: &LayerBlob,
    budget: &Budget,
    walk: impl FnOnce(&mut dyn BufRead, Range) -> io::Result<()>,
) -> io::Result<Sums> {
    let stored = blob.open()?;
    let range = blob.file_range().map(|(file, offset, _)| (file, offset));
    std::thread::scope(|scope| {
        let mut stages = stages::start(scope, stored, budget);
        walk(&mut stages.bytes, range)?;
        stages.finish()
    })
}

fn walk(stream: &mut dyn BufRead, reader: &mut LayerReader<'_>, range: Range) -> io::Result<()> {
    let mut tar = TarReader::new(stream);
    while let Some(header) = tar.next()? {
        let Header { path, kind, mode, size, link } = &header;
        if reader.whiteout(path)? {
            continue;
        }
        match kind {
            Kind::Directory => reader.directory(path, *mode)?,
            Kind::Symlink => reader.symlink(path, link)?,
            Kind::Hardlink => reader.hardlink(path, link, *mode)?,
            Kind::Special => reader.special(path, *mode)?,
            Kind::SparseFile => reader.sparse(path, *mode, *size)?,
            Kind::File => with_content(&mut tar, *size, &range, |content| reader.file(path, *mode, *size, content))?,
        }
    }
    Ok(())
}

/// The second reading, for hard links whose content had passed before anybody knew that it was wanted.
fn walk_missed(stream: &mut dyn BufRead, reader: &mut LayerReader<'_>, range: Range) -> io::Result<()> {
    let mut missed: HashMap<Vec<u8>, Vec<MissedLink>> = HashMap::new();
    for link in reader.missed() {
        missed.entry(link.target.clone()).or_default().push(link.clone());
    }
    let mut tar = TarReader::new(stream);
    while let Some(Header { path, kind, mode, size, .. }) = tar.next()? {
        let links = normalise(&path).and_then(|path| missed.remove(&path)).filter(|_| kind == Kind::File);
        if let Some(links) = links {
            with_content(&mut tar, size, &range, |content| reader.linked_file(&links, mode, size, content))?;
        }
    }
    Ok(())
}

fn with_content<R: BufRead>(
    tar: &mut TarReader<R>,
    size: u64,
    range: &Range,
    read: impl FnOnce(FileContent<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let random =
        range.as_ref().map(|(file, start)| FileRange { file: file.clone(), start: start + tar.position(), size });
    read(FileContent { stream: &mut tar.content(), random: random.as_ref().map(|random| random as &dyn ReadAt) })
}

/// A member's bytes inside an uncompressed archive on disk.
struct FileRange {
    file: Arc<File>,
    start: u64,
    size: u64,
}

impl ReadAt for FileRange {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        self.file.read_at(&mut buffer[..count], self.start + offset)
    }
}
