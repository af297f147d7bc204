//! Pulling what is published: the statement first, then as little as leads to what it names, then the swap.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use model::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::key::PublicKey;
use super::shelf::Shelf;
use super::statement::{Change, Content, Part, Statement};
use super::{ShareError, delta};
use crate::index::Index;
use crate::update::Store;

/// How far clocks may differ before a time is in the future.
const CLOCKS_DIFFER_SECS_MAX: i64 = 3600;

/// Choices for pulling.
#[derive(Debug)]
pub struct PullOptions<'a> {
    /// Where from, for messages and for the record.
    pub place: &'a str,
    /// Whose signatures are believed.
    pub trusted: &'a [PublicKey],
    /// Where what was pulled is remembered.
    pub store: &'a Store,
    /// The index to replace.
    pub index: &'a Path,
    /// The moment.
    pub now: Timestamp,
}

/// What was pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The statement.
    pub statement: Statement,
    /// Bytes fetched, without the statement.
    pub fetched_bytes: u64,
    /// How many changes were applied; none when the whole was taken, or nothing was needed.
    pub changes: usize,
    /// Why the whole was taken although changes were offered.
    pub fell_back: Option<String>,
}

/// What a machine remembers of pulling.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PulledState {
    /// The statement of the index that was pulled last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<Statement>,
    /// From where.
    pub from: String,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Ids of the keys that signed it.
    pub signed_by: Vec<String>,
    /// The content digest of that index: when the index in force has another, it is not the pulled one.
    pub digest: String,
    /// By key id, the highest number it ever signed, and the index of that number.
    pub(super) seen: BTreeMap<String, (u64, String)>,
}

/// What is remembered of pulling.
pub fn pulled_state(store: &Store) -> PulledState {
    fs::read(path_of(store)).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

fn path_of(store: &Store) -> PathBuf {
    store.root().join("pulled.json")
}

/// Brings the index to the published state.
///
/// # Errors
///
/// When nothing is published, it is not to be trusted, or cannot be had; the index in force is then unchanged.
pub fn pull(shelf: &dyn Shelf, options: &PullOptions<'_>) -> Result<Pulled, ShareError> {
    let place = || options.place.to_owned();
    let envelope = shelf.envelope().map_err(|source| ShareError::Shelf { place: place(), source })?;
    let envelope = envelope.ok_or_else(|| ShareError::Nothing(place()))?;
    let (statement, signers) = Statement::open(&envelope, options.trusted)?;
    let mut state = pulled_state(options.store);
    let ids: Vec<String> = signers.iter().map(PublicKey::id).collect();
    not_rolled_back(&statement, &ids, &state, options.now)?;
    let pulled = bring(shelf, options, statement)?;
    for id in &ids {
        state.seen.insert(id.clone(), (pulled.statement.sequence, pulled.statement.index.sha256.clone()));
    }
    state.digest = Index::open(options.index)?.digest();
    state.statement = Some(pulled.statement.clone());
    state.from = place();
    state.at = Some(options.now);
    state.signed_by = ids;
    let text = serde_json::to_vec_pretty(&state).unwrap_or_default();
    crate::update::replace(&path_of(options.store), &text)
        .map_err(|source| ShareError::File { path: path_of(options.store), source })?;
    Ok(pulled)
}

fn not_rolled_back(
    statement: &Statement,
    ids: &[String],
    state: &PulledState,
    now: Timestamp,
) -> Result<(), ShareError> {
    for (known, index) in ids.iter().filter_map(|id| state.seen.get(id)) {
        if statement.sequence < *known {
            return Err(ShareError::RolledBack { offered: statement.sequence, known: *known });
        }
        if statement.sequence == *known && statement.index.sha256 != *index {
            return Err(ShareError::Forked(*known));
        }
    }
    if statement.created.as_second() > now.as_second() + CLOCKS_DIFFER_SECS_MAX {
        return Err(ShareError::FromTheFuture(statement.created));
    }
    Ok(())
}

fn bring(shelf: &dyn Shelf, options: &PullOptions<'_>, statement: Statement) -> Result<Pulled, ShareError> {
    let mut pulled = Pulled { statement, fetched_bytes: 0, changes: 0, fell_back: None };
    // One that is not there, or is damaged, has no checksum that leads on.
    let have = if Index::open(options.index).is_ok() { sha256_of_file(options.index).ok() } else { None };
    if have.as_deref() == Some(pulled.statement.index.sha256.as_str()) {
        return Ok(pulled);
    }
    let directory = options.index.parent().unwrap_or(Path::new("."));
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ShareError::File { path, source }
    };
    fs::create_dir_all(directory).map_err(failed(directory))?;
    // On the same disk, so that the swap is one rename.
    let scratch = tempfile::Builder::new().prefix(".pull-").tempdir_in(directory).map_err(failed(directory))?;
    let scratch = Scratch { shelf, place: options.place, directory: scratch.path(), fetched: 0 };
    let mut scratch = scratch;
    let changes = have.as_deref().and_then(|have| pulled.statement.changes_since(have)).unwrap_or_default().to_vec();
    let changes_bytes: u64 = changes.iter().map(|change| change.part.bytes).sum();
    let mut fresh = None;
    if !changes.is_empty() && changes_bytes < pulled.statement.whole.bytes {
        match scratch.apply_all(options.index, &changes) {
            Ok(path) => {
                pulled.changes = changes.len();
                fresh = Some(path);
            }
            // Another version of this program may lay an index out in another way; the whole is what it is.
            Err(error) => pulled.fell_back = Some(crate::build::whole(&error)),
        }
    }
    let fresh = match fresh {
        Some(path) => path,
        None => scratch.whole(&pulled.statement)?,
    };
    pulled.fetched_bytes = scratch.fetched;
    Index::open(&fresh)?;
    readable(&fresh).map_err(failed(&fresh))?;
    fs::rename(&fresh, options.index).map_err(failed(options.index))?;
    Ok(pulled)
}

/// As every index: others on the machine scan with it.
fn readable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
    File::open(path)?.sync_all()
}

/// Where files are put while they are fetched and made.
struct Scratch<'a> {
    shelf: &'a dyn Shelf,
    place: &'a str,
    directory: &'a Path,
    fetched: u64,
}

impl Scratch<'_> {
    /// Fetches a file and checks that it is the one that was signed.
    fn part(&mut self, part: &Part, what: &'static str) -> Result<PathBuf, ShareError> {
        let path = self.directory.join(&part.sha256);
        let place = self.place;
        self.shelf.take(part, &path).map_err(|source| ShareError::Shelf { place: place.to_owned(), source })?;
        self.fetched += part.bytes;
        same(&path, &part.sha256, what)?;
        Ok(path)
    }

    fn whole(&mut self, statement: &Statement) -> Result<PathBuf, ShareError> {
        let packed = self.part(&statement.whole, "the index")?;
        let path = self.directory.join("index");
        expand(&packed, &statement.whole, &statement.index, &path)?;
        Ok(path)
    }

    fn apply_all(&mut self, index: &Path, changes: &[Change]) -> Result<PathBuf, ShareError> {
        let mut at = index.to_owned();
        for (number, change) in changes.iter().enumerate() {
            let part = self.part(&change.part, "a change")?;
            let next = self.directory.join(format!("step-{number}"));
            let mut file = File::open(&part).map_err(|source| ShareError::File { path: part.clone(), source })?;
            delta::apply(&Index::open(&at)?, &mut file, change.flat_bytes, &next)?;
            same(&next, &change.to, "the result of a change")?;
            at = next;
        }
        Ok(at)
    }
}

/// Expands the compressed index, and not one byte more than it has, and checks it.
pub(super) fn expand(packed: &Path, part: &Part, index: &Content, to: &Path) -> Result<(), ShareError> {
    same(packed, &part.sha256, "the index")?;
    let failed = |source| ShareError::File { path: to.to_owned(), source };
    let expanded = || -> io::Result<u64> {
        let mut decoder = zstd::stream::read::Decoder::new(File::open(packed)?)?;
        decoder.window_log_max(31)?;
        let mut file = File::create(to)?;
        let bytes = io::copy(&mut decoder.take(index.bytes.saturating_add(1)), &mut file)?;
        file.flush()?;
        Ok(bytes)
    };
    expanded().map_err(failed)?;
    same(to, &index.sha256, "the index")
}

fn same(path: &Path, expected: &str, what: &'static str) -> Result<(), ShareError> {
    let actual = sha256_of_file(path)?;
    if actual == expected {
        return Ok(());
    }
    Err(ShareError::Tampered { what, expected: expected.chars().take(64).collect(), actual })
}

/// The SHA-256 of a file, in hex.
pub(super) fn sha256_of_file(path: &Path) -> Result<String, ShareError> {
    let failed = |source| ShareError::File { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut chunk).map_err(failed)?;
        if count == 0 {
            return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(&chunk[..count]);
    }
}
