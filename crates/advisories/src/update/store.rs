//! Where an updated machine keeps its feeds, and what is known about each.
//!
//! ```text
//! <store>/feeds/HOST/PATH        the feed files in force, as a mirror has them
//! <store>/feeds/coverage.json    what they are, for the compiler
//! <store>/feeds.json             when each was fetched, from where, what is wrong with it
//! <store>/partial/HOST/PATH      what is being fetched, or broke off
//! <store>/private/               the organisation's own advisories
//! <store>/lock                   held while an update runs
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::fetch::Validators;

/// The directory with feeds and what belongs to them.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// What is known about the feeds of a store.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FeedStates {
    /// By the feed's name.
    pub feeds: BTreeMap<String, FeedState>,
    /// What the index was compiled from, so that the same is not compiled again.
    pub(super) compiled: String,
}

/// What is known about one feed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FeedState {
    /// Where the copy in force is from.
    pub from: String,
    /// When its publisher last confirmed that this is the current state; none when there never was a copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetched_at: Option<Timestamp>,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// Records in it.
    pub records: u64,
    /// The newest of them, or the day the whole is for.
    pub newest: String,
    #[serde(flatten)]
    pub(super) validators: Validators,
    /// Why the copy in force is not the newest, where that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
}

/// Why a feed is not up to date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Since when, without a break.
    pub since: Timestamp,
    /// Something came, and was not taken since it had lost too many records.
    pub quarantined: bool,
    /// What happened last.
    pub detail: String,
}

impl Store {
    /// The store in this directory. Nothing is created before something is kept.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The feed files in force.
    pub fn feeds(&self) -> PathBuf {
        self.root.join("feeds")
    }

    /// The organisation's own advisories.
    pub fn private(&self) -> PathBuf {
        self.root.join("private")
    }

    pub(super) fn partial(&self) -> PathBuf {
        self.root.join("partial")
    }

    /// What is known about the feeds; nothing when there was no update yet, or its notes cannot be read.
    pub fn states(&self) -> FeedStates {
        let text = fs::read(self.root.join("feeds.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub(super) fn keep(&self, states: &FeedStates) -> io::Result<()> {
        replace(&self.root.join("feeds.json"), &serde_json::to_vec_pretty(states)?)
    }

    /// Keeps other updates of this store out until dropped; none when one is running.
    pub(super) fn lock(&self) -> io::Result<Option<File>> {
        fs::create_dir_all(&self.root)?;
        let file = File::options().create(true).truncate(false).write(true).open(self.root.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The directory itself, for messages.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// Writes a file whole or not at all.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
