//! Bringing one feed up to date: get, check, put in force. What is in force changes only by the last step.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;

use super::fetch::{FetchError, Fetched, Fetcher, Validators, shown};
use super::locate::{Place, locate};
use super::sources::Location;
use super::store::{FeedState, Trouble};
use super::verify::{self, Refusal};
use super::{Origin, Source, UpdateOptions};

/// The list of checksums at the top of a mirror or directory, as `sha256sum` writes it.
const SUMS: &str = "SHA256SUMS";

/// What became of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There is a new state of it.
    Changed {
        /// Its records.
        records: u64,
        /// Those of the state before; none when there was none.
        before: Option<u64>,
    },
    /// What is in force is current.
    Unchanged,
    /// The mirror or directory does not have it, and never had.
    NotThere,
}

/// Why the newest state of a feed is not in force.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// It could not be fetched.
    #[error("it could not be fetched from `{from}`")]
    Fetch {
        /// From where.
        from: String,
        /// Why.
        #[source]
        source: FetchError,
    },
    /// It is not there.
    #[error("`{from}` does not have it")]
    Absent {
        /// Where it was looked for.
        from: String,
    },
    /// It could not be read or kept.
    #[error("`{path}` could not be read or written")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What says where it is now makes no sense.
    #[error("`{from}` does not say where it is: {detail}")]
    List {
        /// Which list.
        from: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The address of the mirror and the feed make no address.
    #[error("`{0}` is no address")]
    Address(String),
    /// It came, and is not taken.
    #[error("it was refused")]
    Refused(#[from] Refusal),
}

impl FeedError {
    /// Whether it was refused only for what it lost.
    pub fn is_quarantine(&self) -> bool {
        matches!(self, Self::Refused(Refusal::Shrunk { .. }))
    }
}

/// The checksums that a mirror or directory lists, if it does; or why that cannot be known.
pub(super) type Sums = Result<Option<String>, String>;

/// Reads the list of checksums at the top of a mirror or directory. Publishers themselves have none.
pub(super) fn listed_sums(options: &UpdateOptions<'_>) -> Sums {
    match options.origin {
        Origin::Network { mirror: None, .. } => Ok(None),
        Origin::Network { client, mirror: Some(mirror), retry_pause } => {
            let fetcher = Fetcher { client, retry_pause };
            let url = below(mirror, SUMS).map_err(|error| error.to_string())?;
            let list = fetcher.list(&url, &options.store.partial().join(SUMS));
            list.map_err(|error| crate::build::whole(&error))
        }
        Origin::Directory(directory) => match fs::read_to_string(directory.join(SUMS)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        },
    }
}

/// Brings one feed up to date. The state that is returned is to be kept whatever the outcome.
pub(super) fn refresh(
    options: &UpdateOptions<'_>,
    source: &'static Source,
    mut state: FeedState,
    sums: &Sums,
) -> (FeedState, Result<Outcome, FeedError>) {
    let place = options.store.feeds().join(source.file());
    // Somebody took the file away, or the disk cut it: then nothing is known, and it is fetched anew.
    if !fs::metadata(&place).is_ok_and(|found| found.len() == state.bytes) {
        state = FeedState { trouble: state.trouble, ..FeedState::default() };
    }
    let outcome = renew(options, source, &mut state, &place, sums);
    let outcome = match outcome {
        Err(FeedError::Absent { .. }) if state.fetched_at.is_none() && !options.named => Ok(Outcome::NotThere),
        other => other,
    };
    match &outcome {
        Ok(Outcome::NotThere) => {}
        Ok(_) => {
            state.fetched_at = Some(options.now);
            state.trouble = None;
        }
        Err(error) => {
            let since = state.trouble.as_ref().map_or(options.now, |trouble| trouble.since);
            let detail = crate::build::whole(error);
            state.trouble = Some(Trouble { since, quarantined: error.is_quarantine(), detail });
        }
    }
    (state, outcome)
}

fn renew(
    options: &UpdateOptions<'_>,
    source: &Source,
    state: &mut FeedState,
    place: &Path,
    sums: &Sums,
) -> Result<Outcome, FeedError> {
    let candidate = options.store.partial().join(source.file());
    let Some(arrived) = get(options, source, state, &candidate)? else { return Ok(Outcome::Unchanged) };
    let result = check(options, source, state, &candidate, &arrived, sums);
    let (sum, seen) = match result {
        Ok(checked) => checked,
        Err(error) => {
            fs::remove_file(&candidate).ok();
            return Err(error);
        }
    };
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| FeedError::File { path, source }
    };
    state.from = arrived.from;
    state.validators = arrived.validators;
    let Some(seen) = seen else {
        fs::remove_file(&candidate).ok();
        return Ok(Outcome::Unchanged);
    };
    let before = state.fetched_at.map(|_| state.records);
    place.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed(place))?;
    state.bytes = fs::metadata(&candidate).map_err(failed(&candidate))?.len();
    fs::rename(&candidate, place).map_err(failed(place))?;
    state.sha256 = sum;
    state.records = seen.records;
    state.newest = seen.newest;
    Ok(Outcome::Changed { records: state.records, before })
}

/// A file that came.
struct Arrived {
    from: String,
    validators: Validators,
    /// SHA-256 that its host and its repository state for it, in hex: who, what.
    stated: Vec<(&'static str, String)>,
    /// SHA-256 that its publisher states for the text before compression, in hex.
    stated_text: Option<String>,
}

/// Gets the feed's file to `candidate`; none when what we have is current.
fn get(
    options: &UpdateOptions<'_>,
    source: &Source,
    state: &FeedState,
    candidate: &Path,
) -> Result<Option<Arrived>, FeedError> {
    let (client, mirror, retry_pause) = match options.origin {
        Origin::Directory(directory) => return copy(directory, source, candidate).map(Some),
        Origin::Network { client, mirror, retry_pause } => (client, mirror, retry_pause),
    };
    let fetcher = Fetcher { client, retry_pause };
    let at = |address: &str| match mirror {
        Some(mirror) => below(mirror, address.strip_prefix("https://").unwrap_or(address)),
        None => Url::parse(address).map_err(|_| FeedError::Address(address.into())),
    };
    let Place { url, stated: stated_by_repository } = locate(fetcher, source, &at, &candidate.with_extension("list"))?;
    let from = shown(&url);
    // What tells states of one address apart says nothing of another's.
    let same = state.fetched_at.is_some() && (source.location == Location::Fixed || state.from == from);
    let known = if same { state.validators.clone() } else { Validators::default() };
    let failed = |error: FetchError| match error.is_absence() {
        true => FeedError::Absent { from: from.clone() },
        false => FeedError::Fetch { from: from.clone(), source: error },
    };
    let (validators, stated_sha256) =
        match fetcher.fetch(&url, &known, candidate, source.content.bytes_max()).map_err(failed)? {
            Fetched::Unchanged => return Ok(None),
            Fetched::Whole { validators, stated_sha256 } => (validators, stated_sha256),
        };
    let stated = stated_sha256.and_then(|sum| STANDARD.decode(sum).ok());
    let stated = stated.map(|sum| sum.iter().map(|byte| format!("{byte:02x}")).collect());
    let by_host = stated.map(|sum| ("its `Repr-Digest`", sum));
    let by_repository = stated_by_repository.map(|sum| ("its repository", sum));
    let stated = by_host.into_iter().chain(by_repository).collect();
    let mut stated_text = None;
    if let Some(meta) = source.meta_path() {
        // A mirror may have the feed without it, and a list of its own instead.
        let text = fetcher.text(&at(&format!("https://{meta}"))?, &candidate.with_extension("meta")).map_err(failed)?;
        stated_text = text.as_deref().and_then(verify::sum_in_meta);
    }
    Ok(Some(Arrived { from, validators, stated, stated_text }))
}

fn copy(directory: &Path, source: &Source, candidate: &Path) -> Result<Arrived, FeedError> {
    let path = directory.join(source.file());
    let from = path.display().to_string();
    let failed = |source| FeedError::File { path: path.clone(), source };
    let found = match fs::metadata(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(FeedError::Absent { from }),
        Err(error) => return Err(failed(error)),
    };
    if !found.is_file() {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
    }
    let bytes_max = source.content.bytes_max();
    if found.len() > bytes_max {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, format!("more than {bytes_max} bytes"))));
    }
    candidate.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
    fs::copy(&path, candidate).map_err(failed)?;
    let meta = source.meta_path().and_then(|meta| fs::read_to_string(directory.join(meta)).ok());
    let stated_text = meta.as_deref().and_then(verify::sum_in_meta);
    Ok(Arrived { from, validators: Validators::default(), stated: Vec::new(), stated_text })
}

/// `MIRROR/HOST/PATH`, keeping the mirror's query (a token, for those that want one there).
fn below(mirror: &Url, path: &str) -> Result<Url, FeedError> {
    if mirror.cannot_be_a_base() || !matches!(mirror.scheme(), "http" | "https") {
        return Err(FeedError::Address(mirror.to_string()));
    }
    let mut url = mirror.clone();
    url.set_path(&format!("{}/{path}", mirror.path().trim_end_matches('/')));
    Ok(url)
}

/// The file's checksum and what is in it; nothing about the latter when it is the copy in force.
fn check(
    options: &UpdateOptions<'_>,
    source: &Source,
    state: &FeedState,
    candidate: &Path,
    arrived: &Arrived,
    sums: &Sums,
) -> Result<(String, Option<verify::Seen>), FeedError> {
    let sum = verify::sha256(candidate).map_err(|source| FeedError::File { path: candidate.to_owned(), source })?;
    for (who, stated) in &arrived.stated {
        verify::same_sum(who, stated, &sum)?;
    }
    match sums {
        Ok(None) => {}
        Ok(Some(list)) => {
            let stated = verify::listed(list, &source.file()).or_else(|| verify::listed(list, source.path()));
            verify::same_sum("`SHA256SUMS`", stated.ok_or(Refusal::NotListed)?, &sum)?;
        }
        Err(detail) => return Err(Refusal::NoSums(detail.clone()).into()),
    }
    if state.fetched_at.is_some() && state.sha256 == sum {
        return Ok((sum, None));
    }
    let seen = verify::verify(candidate, source)?;
    if let Some(stated) = &arrived.stated_text {
        // Unpacked once already, so it is no bomb.
        let text = verify::sha256_of_text(candidate);
        let text = text.map_err(|source| FeedError::File { path: candidate.to_owned(), source })?;
        verify::same_sum("its publisher's `.meta`", stated, &text)?;
    }
    if state.fetched_at.is_some() && !options.accept_shrunk {
        verify::not_shrunk(state.records, seen.records)?;
    }
    Ok((sum, Some(seen)))
}
