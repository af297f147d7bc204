//! Keeping a machine's knowledge current: fetch the live feeds, check each, compile what is sound.
//!
//! Each feed stands alone: one that fails, or comes with far fewer records than before, leaves its last good copy in force
//! and says so; the others go on. The index is replaced at the end, whole, when anything changed.
//!
//! Reading order: [`sources`] names the feeds; [`locate`] finds one that moves, [`fetch`] gets it; [`verify`] decides whether
//! it is the feed; [`store`] is where all that is kept.
//!
//! **Never:** a publisher's file is unpacked to disk. It is kept as it came and read where it lies, so no path in an archive
//! means anything here.

mod fetch;
mod locate;
mod refresh;
mod sources;
pub(crate) mod store;
mod verify;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::Timestamp;
use model::report::CoverageState;
use reqwest::blocking::Client;

use sources::Location;

use crate::build::{
    BuildError, BuildOptions, BuildSummary, MANIFEST_NAME, MANIFEST_VERSION, Manifest, ManifestEcosystem, ManifestFile,
    build,
};

pub use fetch::FetchError;
pub use refresh::{FeedError, Outcome};
pub use reqwest::Url;
pub use sources::{Content, SOURCES, Source};
pub(crate) use store::replace;
pub use store::{FeedState, FeedStates, Store, Trouble};
pub use verify::Refusal;

/// Fetches a small document; none where the host has none.
pub(crate) fn fetch_small(
    client: &Client,
    retry_pause: Duration,
    url: &Url,
    scratch: &Path,
) -> Result<Option<Vec<u8>>, FetchError> {
    Ok(fetch::Fetcher { client, retry_pause }.text(url, scratch)?.map(String::into_bytes))
}

/// Fetches a file of at most so many bytes.
pub(crate) fn fetch_whole(
    client: &Client,
    retry_pause: Duration,
    url: &Url,
    to: &Path,
    bytes_max: u64,
) -> Result<(), FetchError> {
    let fetcher = fetch::Fetcher { client, retry_pause };
    fetcher.fetch(url, &fetch::Validators::default(), to, bytes_max).map(drop)
}

/// What to say of a feed that is one repository of a distribution.
const ONE_REPOSITORY: &str = "the core repository alone; packages of others (extras) are not in it";

/// Where feeds come from.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// Their publishers, or a mirror that has `https://HOST/PATH` as `MIRROR/HOST/PATH`.
    Network {
        /// What sends the requests: its proxies and trusted authorities apply. It must not follow redirects by itself.
        client: &'a Client,
        /// The mirror's address.
        mirror: Option<&'a Url>,
        /// The pause before the first repeated request; it doubles with each.
        retry_pause: Duration,
    },
    /// A directory laid out like a mirror.
    Directory(&'a Path),
}

/// Choices for an update.
#[derive(Debug, Clone)]
pub struct UpdateOptions<'a> {
    /// Where feeds are kept.
    pub store: &'a Store,
    /// The index to write.
    pub index: &'a Path,
    /// Where they come from.
    pub origin: Origin<'a>,
    /// Which to fetch.
    pub feeds: Vec<&'static Source>,
    /// They were asked for by name, so one that is not there is an error.
    pub named: bool,
    /// Take feeds also when they have lost many records.
    pub accept_shrunk: bool,
    /// The moment of the update.
    pub now: Timestamp,
}

/// What an update did.
#[derive(Debug)]
pub struct Updated {
    /// What became of each feed that was asked for.
    pub feeds: Vec<(&'static Source, Result<Outcome, FeedError>)>,
    /// The new index; none when nothing changed.
    pub index: Option<BuildSummary>,
}

/// Why there was no update.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The store cannot be used.
    #[error("could not use `{path}`, where feeds are kept")]
    Store {
        /// Which directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another update is running.
    #[error("another update of `{path}` is running")]
    Running {
        /// Which directory.
        path: PathBuf,
    },
    /// No feed was had, now or before.
    #[error("no feed could be had")]
    Nothing {
        /// Why the first failed, where one did.
        #[source]
        source: Option<Box<FeedError>>,
    },
    /// The feeds could not be compiled; the index in force is unchanged.
    #[error("the feeds could not be compiled")]
    Build(#[from] BuildError),
}

impl UpdateError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Running { .. } => Some("wait for it to end".into()),
            Self::Nothing { .. } => {
                Some("behind a proxy set HTTPS_PROXY; without a network use `--mirror URL` or `--from-dir DIR`".into())
            }
            Self::Build(error) => error.hint(),
            Self::Store { .. } => None,
        }
    }
}

/// Fetches what changed, and compiles the index from every feed in force. `progress` is told which feed is next.
///
/// # Errors
///
/// When nothing could be done at all. A feed that failed is no error here: see [`Updated::feeds`].
pub fn update(options: &UpdateOptions<'_>, progress: &mut dyn FnMut(&Source)) -> Result<Updated, UpdateError> {
    let store = options.store;
    let failed = |source| UpdateError::Store { path: store.root().to_owned(), source };
    let _lock = store.lock().map_err(failed)?.ok_or_else(|| UpdateError::Running { path: store.root().to_owned() })?;
    let mut states = store.states();
    forget_unknown(store, &mut states);
    let sums = refresh::listed_sums(options);
    let mut feeds = Vec::new();
    for &source in &options.feeds {
        progress(source);
        let state = states.feeds.remove(source.name).unwrap_or_default();
        let (state, outcome) = refresh::refresh(options, source, state, &sums);
        if state != FeedState::default() {
            states.feeds.insert(source.name.to_owned(), state);
        }
        feeds.push((source, outcome));
        // After each, so that an update which is stopped has not lost what it learned.
        store.keep(&states).map_err(failed)?;
    }
    if !states.feeds.values().any(|state| state.fetched_at.is_some()) {
        let source = feeds.into_iter().find_map(|(_, outcome)| outcome.err()).map(Box::new);
        return Err(UpdateError::Nothing { source });
    }
    let index = compile(options, &mut states)?;
    store.keep(&states).map_err(failed)?;
    Ok(Updated { feeds, index })
}

/// What is fetched when nothing is named: every feed but those which come on request and never were requested.
pub fn standing(store: &Store) -> Vec<&'static Source> {
    let states = store.states();
    let fetched = |source: &Source| states.feeds.get(source.name).is_some_and(|state| state.fetched_at.is_some());
    SOURCES.iter().filter(|source| !source.on_request || fetched(source)).collect()
}

/// A feed that this program no longer names would grow old in the index for ever.
fn forget_unknown(store: &Store, states: &mut FeedStates) {
    states.feeds.retain(|name, _| Source::named(name).is_some());
    let known: Vec<PathBuf> = SOURCES.iter().map(|source| store.feeds().join(source.file())).collect();
    let mut files = Vec::new();
    if crate::build::tree(&store.feeds(), 0, &mut files).is_ok() {
        files.iter().filter(|file| !known.contains(file)).for_each(|file| drop(fs::remove_file(file)));
    }
}

/// Compiles the feeds in force, unless the index in force was compiled from just these.
fn compile(options: &UpdateOptions<'_>, states: &mut FeedStates) -> Result<Option<BuildSummary>, UpdateError> {
    let store = options.store;
    let manifest = manifest(states);
    let text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    let sums = states.feeds.values().map(|state| state.sha256.as_str()).collect::<Vec<_>>().join(" ");
    let key = format!("{} {sums} {}", env!("CARGO_PKG_VERSION"), String::from_utf8_lossy(&text));
    let key = verify::sha256_of(key.as_bytes());
    let sound =
        crate::Index::open(options.index).is_ok_and(|index| states.compiled == format!("{key} {}", index.digest()));
    if sound {
        return Ok(None);
    }
    let failed = |source| UpdateError::Store { path: store.root().to_owned(), source };
    store::replace(&store.feeds().join(MANIFEST_NAME), &text).map_err(failed)?;
    options.index.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
    let summary = build(&[store.feeds()], options.index, &BuildOptions::default())?;
    states.compiled = format!("{key} {}", summary.digest);
    Ok(Some(summary))
}

/// What the compiler is told about the feeds: each is whole, and as current as the day it was last confirmed.
fn manifest(states: &FeedStates) -> Manifest {
    let files = states.feeds.iter().filter_map(|(name, state)| {
        let source = Source::named(name)?;
        // One repository is not all of a distribution.
        let (extent, note) = match source.location {
            Location::Repository(_) => (CoverageState::Partial, Some(ONE_REPOSITORY)),
            Location::Fixed | Location::Named(_) => (CoverageState::Complete, None),
        };
        let known = |ecosystem: &&str| ManifestEcosystem {
            ecosystem: (*ecosystem).to_owned(),
            state: extent,
            note: note.map(Into::into),
        };
        Some(ManifestFile {
            file: source.file(),
            content: name.clone(),
            origin: state.from.clone(),
            date: state.fetched_at?.to_string().get(..10)?.to_owned(),
            licence: source.licence.into(),
            attribution: source.attribution.into(),
            ecosystems: source.ecosystems.iter().map(known).collect(),
        })
    });
    Manifest { version: MANIFEST_VERSION, files: files.collect() }
}
