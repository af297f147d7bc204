//! Publishing an index: whole, and as the change from what was published before.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use model::Timestamp;

use super::key::{Envelope, SecretKey};
use super::pull::{expand, sha256_of_file};
use super::shelf::Shelf;
use super::statement::{Change, Content, STATEMENT_TYPE, STATEMENT_VERSION, Statement};
use super::{ShareError, delta};
use crate::index::Index;

/// Changes kept: who was away longer takes the whole.
const CHANGES_MAX: usize = 14;
/// How hard the whole is compressed: each step beyond costs twice the time for a hundredth of the size.
const LEVEL: i32 = 15;

/// Choices for publishing.
#[derive(Debug)]
pub struct PublishOptions<'a> {
    /// The index file.
    pub index: &'a Path,
    /// Where to, for messages.
    pub place: &'a str,
    /// Who signs: several while keys are being changed.
    pub keys: &'a [SecretKey],
    /// The moment.
    pub now: Timestamp,
    /// When the next is to be expected at the latest.
    pub expires: Timestamp,
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The statement.
    pub statement: Statement,
    /// The index is the one that was published before; only its time is new.
    pub same: bool,
}

/// Publishes an index.
///
/// # Errors
///
/// When what is there already is not signed by one of the keys, the index is unsound, or the place does not take it.
pub fn publish(shelf: &dyn Shelf, options: &PublishOptions<'_>) -> Result<Published, ShareError> {
    let index = Index::open(options.index)?;
    let scratch =
        tempfile::tempdir().map_err(|source| ShareError::File { path: "temporary directory".into(), source })?;
    let at_shelf = |source| ShareError::Shelf { place: options.place.to_owned(), source };
    let trusted: Vec<_> = options.keys.iter().map(SecretKey::public).collect();
    let before =
        shelf.envelope().map_err(at_shelf)?.map(|envelope| Statement::open(&envelope, &trusted)).transpose()?;
    let before = before.map(|(statement, _)| statement);
    let content = content_of(options.index)?;
    let mut parts = Vec::new();
    let same = before.as_ref().is_some_and(|before| before.index == content);
    let sequence = before.as_ref().map_or(1, |before| before.sequence + 1);
    let (whole, changes) = match before {
        Some(before) if same => (before.whole, before.changes),
        before => {
            let path = scratch.path().join("whole");
            compress(options.index, &path)?;
            let whole = content_of(&path)?;
            parts.push((whole.clone(), path));
            let change = before.as_ref().map(|before| change(shelf, options, &scratch, before, &index, &content));
            let mut changes = before.map(|before| before.changes).unwrap_or_default();
            match change.transpose()?.filter(|(change, _)| change.part.bytes < whole.bytes / 2) {
                Some((change, path)) => {
                    parts.push((change.part.clone(), path));
                    changes.push(change);
                }
                // A chain with a missing link leads nowhere.
                None => changes.clear(),
            }
            let surplus = changes.len().saturating_sub(CHANGES_MAX);
            changes.drain(..surplus);
            (whole, changes)
        }
    };
    let statement = Statement {
        version: STATEMENT_VERSION,
        sequence,
        created: options.now,
        expires: options.expires,
        index: content,
        whole,
        changes,
    };
    let payload = serde_json::to_vec(&statement).map_err(|error| ShareError::Malformed(error.to_string()))?;
    let envelope = Envelope::sign(STATEMENT_TYPE, &payload, options.keys);
    let envelope = serde_json::to_vec(&envelope).map_err(|error| ShareError::Malformed(error.to_string()))?;
    // Those of earlier publications lie there already.
    let older =
        statement.parts().filter(|part| !parts.iter().any(|(fresh, _)| fresh == *part)).cloned().collect::<Vec<_>>();
    shelf.put(&envelope, &parts, &older).map_err(at_shelf)?;
    Ok(Published { statement, same })
}

/// The change from what is published to the index.
fn change(
    shelf: &dyn Shelf,
    options: &PublishOptions<'_>,
    scratch: &tempfile::TempDir,
    before: &Statement,
    index: &Index,
    content: &Content,
) -> Result<(Change, PathBuf), ShareError> {
    let (packed, old) = (scratch.path().join("before.zst"), scratch.path().join("before"));
    shelf
        .take(&before.whole, &packed)
        .map_err(|source| ShareError::Shelf { place: options.place.to_owned(), source })?;
    expand(&packed, &before.whole, &before.index, &old)?;
    let path = scratch.path().join("change");
    let failed = |source| ShareError::File { path: path.clone(), source };
    let mut file = File::create(&path).map_err(failed)?;
    let flat_bytes = delta::write(&Index::open(&old)?, index, &mut file)?;
    file.flush().map_err(failed)?;
    let change = Change {
        from: before.index.sha256.clone(),
        to: content.sha256.clone(),
        to_digest: index.digest(),
        flat_bytes,
        part: content_of(&path)?,
    };
    Ok((change, path))
}

fn compress(from: &Path, to: &Path) -> Result<(), ShareError> {
    let failed = |source| ShareError::File { path: to.to_owned(), source };
    let packed = || -> io::Result<()> {
        let mut from = File::open(from)?;
        let mut encoder = zstd::stream::write::Encoder::new(File::create(to)?, LEVEL)?;
        encoder.long_distance_matching(true)?;
        encoder.include_checksum(true)?;
        io::copy(&mut from, &mut encoder)?;
        encoder.finish()?.sync_all()
    };
    packed().map_err(failed)
}

fn content_of(path: &Path) -> Result<Content, ShareError> {
    let failed = |source| ShareError::File { path: path.to_owned(), source };
    Ok(Content { sha256: sha256_of_file(path)?, bytes: fs::metadata(path).map_err(failed)?.len() })
}
