//! Fetching one file by HTTP from a host that may be slow, broken or hostile.
//!
//! Asked conditionally (RFC 9110, section 13), so an unchanged feed costs one small answer. What breaks off goes on where
//! it stopped (`Range` with `If-Range`), also in a later run. Every length and every wait has a bound.
//!
//! **Never:** what is fetched is not looked into here; [`super::verify`] decides whether it is the feed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response};
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_RANGE, LAST_MODIFIED, LOCATION, RANGE, RETRY_AFTER,
};
use reqwest::{StatusCode, Url};
use serde::{Deserialize, Serialize};

/// How often in a row one file is asked for without a byte of progress.
const ATTEMPTS_MAX: u32 = 4;
/// How often one file is asked for at all: a connection that breaks again and again is no connection.
const RESUMES_MAX: u32 = 20;
/// The longest pause between two attempts, whatever `Retry-After` wishes.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Redirects in a row. Publishers need one or two.
const REDIRECTS_MAX: usize = 5;
/// The least speed in bytes per second, after a time of grace, so that one byte per stall time is no way to hold us.
const RATE_MIN: u64 = 8 << 10;
/// See [`RATE_MIN`].
const TIME_OF_GRACE: Duration = Duration::from_secs(60);
/// The longest time one attempt may take, however steadily bytes arrive.
const TIME_MAX: Duration = Duration::from_secs(2 * 60 * 60);
/// The longest small text (a checksum, a list of checksums).
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The connection failed or broke: name, network, proxy, TLS.
    #[error("could not talk to `{host}`")]
    Connection {
        /// Which host.
        host: String,
        /// Why, without the address.
        #[source]
        source: reqwest::Error,
    },
    /// The body broke off, and again after each attempt to go on.
    #[error("`{host}` broke off after {bytes} bytes")]
    Broken {
        /// Which host.
        host: String,
        /// How much there is.
        bytes: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Any other answer than success.
    #[error("`{host}` answered {status}")]
    Status {
        /// Which host.
        host: String,
        /// The HTTP status.
        status: u16,
    },
    /// An answer that contradicts itself or the question.
    #[error("`{host}` answered something that makes no sense: {detail}")]
    Nonsense {
        /// Which host.
        host: String,
        /// What it is.
        detail: &'static str,
    },
    /// A redirect that is not followed.
    #[error("`{host}` redirects to an address that is not followed: {detail}")]
    Redirect {
        /// Which host.
        host: String,
        /// Why not.
        detail: &'static str,
    },
    /// More bytes than such a file has.
    #[error("`{host}` sends more than {limit} bytes")]
    TooLarge {
        /// Which host.
        host: String,
        /// The bound.
        limit: u64,
    },
    /// Too few bytes for too long.
    #[error("`{host}` sends too slowly")]
    TooSlow {
        /// Which host.
        host: String,
    },
    /// It could not be written here.
    #[error("could not write `{path}`")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl FetchError {
    /// Whether the same question may be answered better in a while.
    fn is_passing(&self) -> bool {
        match self {
            // A name that does not resolve, a refused certificate: asking again changes nothing within seconds.
            Self::Connection { source, .. } => !source.is_connect() && !source.is_builder(),
            Self::Broken { .. } | Self::Nonsense { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 416 | 429 | 500 | 502 | 503 | 504),
            Self::Redirect { .. } | Self::TooLarge { .. } | Self::TooSlow { .. } | Self::Write { .. } => false,
        }
    }

    /// Whether the host says that it has no such file.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Status { status: 404 | 410, .. })
    }
}

/// What tells one state of a file from another (RFC 9110, section 8.8).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Validators {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_modified: Option<String>,
}

impl Validators {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self { etag: text(ETAG), last_modified: text(LAST_MODIFIED) }
    }

    /// One that promises the same bytes: parts of two states must never be joined.
    fn strong(&self) -> Option<&str> {
        let etag = self.etag.as_deref().filter(|etag| !etag.starts_with("W/"));
        etag.or(self.last_modified.as_deref())
    }
}

/// What came of fetching.
#[derive(Debug)]
pub(super) enum Fetched {
    /// The host says that what we have is current.
    Unchanged,
    /// It is in the file that was given.
    Whole {
        validators: Validators,
        /// The SHA-256 that the host states for it (`Repr-Digest`, RFC 9530), base64.
        stated_sha256: Option<String>,
    },
}

/// Fetches files with one client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fetcher<'a> {
    pub(super) client: &'a Client,
    pub(super) retry_pause: Duration,
}

impl Fetcher<'_> {
    /// Fetches `url` into `file`, unless what `known` describes is still current. What is in `file` from an earlier try is
    /// gone on with.
    pub(super) fn fetch(
        &self,
        url: &Url,
        known: &Validators,
        file: &Path,
        bytes_max: u64,
    ) -> Result<Fetched, FetchError> {
        let mut partial = Partial::open(file, url)?;
        let mut pause = self.retry_pause;
        let mut in_vain = 0;
        for _ in 0..RESUMES_MAX {
            let before = partial.len;
            let mut wished = None;
            let error = match self.attempt(url, known, &mut partial, bytes_max, &mut wished) {
                Ok(fetched) => return Ok(fetched),
                Err(error) => error,
            };
            in_vain = if partial.len > before { 0 } else { in_vain + 1 };
            if !error.is_passing() || in_vain == ATTEMPTS_MAX {
                return Err(error);
            }
            std::thread::sleep(wished.unwrap_or(pause).min(PAUSE_MAX));
            pause = pause.saturating_mul(2);
        }
        let source = io::Error::other(format!("after {RESUMES_MAX} attempts"));
        Err(FetchError::Broken { host: host_of(url), bytes: partial.len, source })
    }

    /// A small text, such as a checksum; none where the host has none.
    pub(super) fn text(&self, url: &Url, scratch: &Path) -> Result<Option<String>, FetchError> {
        match self.fetch(url, &Validators::default(), scratch, TEXT_BYTES_MAX) {
            Ok(_) => {
                let text = fs::read(scratch).map_err(|source| FetchError::Write { path: scratch.into(), source })?;
                Partial::remove(scratch);
                Ok(Some(String::from_utf8_lossy(&text).into_owned()))
            }
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same of a list; storage that may not be listed answers 403 for what is not there.
    pub(super) fn list(&self, url: &Url, scratch: &Path) -> Result<Option<String>, FetchError> {
        match self.text(url, scratch) {
            Err(FetchError::Status { status: 403, .. }) => Ok(None),
            other => other,
        }
    }

    fn attempt(
        &self,
        url: &Url,
        known: &Validators,
        partial: &mut Partial,
        bytes_max: u64,
        wished: &mut Option<Duration>,
    ) -> Result<Fetched, FetchError> {
        let conditions = conditions(known, partial);
        let response = self.follow(url, &conditions)?;
        let host = host_of(response.url());
        let nonsense = |detail| FetchError::Nonsense { host: host.clone(), detail };
        match response.status() {
            StatusCode::NOT_MODIFIED if *known != Validators::default() && partial.len == 0 => {
                return Ok(Fetched::Unchanged);
            }
            StatusCode::NOT_MODIFIED => return Err(nonsense("`not modified` to a question without a condition")),
            StatusCode::OK => partial.begin(url, Validators::of(response.headers()))?,
            StatusCode::PARTIAL_CONTENT => {
                if continues_at(response.headers()) != Some(partial.len) || partial.len == 0 {
                    partial.begin(url, Validators::default())?;
                    return Err(nonsense("a part of the file that was not asked for"));
                }
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                partial.begin(url, Validators::default())?;
                return Err(FetchError::Status { host, status: 416 });
            }
            status => {
                *wished = retry_after(response.headers());
                return Err(FetchError::Status { host, status: status.as_u16() });
            }
        }
        if response.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            partial.begin(url, Validators::default())?;
            return Err(nonsense("an encoding that was not asked for"));
        }
        let stated_sha256 = stated_sha256(response.headers());
        receive(response, partial, bytes_max)?;
        Ok(Fetched::Whole { validators: partial.validators.clone(), stated_sha256 })
    }

    /// Sends the request, and again where it is redirected: by hand, so that it never leaves TLS or HTTP.
    fn follow(&self, url: &Url, conditions: &[(HeaderName, String)]) -> Result<Response, FetchError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let request = self.client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
            let request = conditions.iter().fold(request, |request, (name, value)| request.header(name, value));
            let response = request
                .send()
                .map_err(|error| FetchError::Connection { host: host_of(&url), source: error.without_url() })?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            url = next_url(&response)?;
        }
        Err(FetchError::Redirect { host: host_of(&url), detail: "there are too many in a row" })
    }
}

fn conditions(known: &Validators, partial: &Partial) -> Vec<(HeaderName, String)> {
    if let Some(strong) = partial.validators.strong().filter(|_| partial.len > 0) {
        return vec![(RANGE, format!("bytes={}-", partial.len)), (IF_RANGE, strong.to_owned())];
    }
    let etag = known.etag.iter().map(|etag| (IF_NONE_MATCH, etag.clone()));
    let date = known.last_modified.iter().map(|date| (IF_MODIFIED_SINCE, date.clone()));
    etag.chain(date).collect()
}

fn next_url(response: &Response) -> Result<Url, FetchError> {
    let refused = |detail| FetchError::Redirect { host: host_of(response.url()), detail };
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| refused("it names none"))?;
    let mut next = response.url().join(location).map_err(|_| refused("it is not an address"))?;
    match (next.scheme(), response.url().scheme()) {
        ("https", _) | ("http", "http") => {}
        ("http", _) => return Err(refused("it leaves TLS")),
        _ => return Err(refused("it is neither HTTP nor HTTPS")),
    }
    // A name and password in an address would be sent as authorization.
    if next.set_username("").and_then(|()| next.set_password(None)).is_err() {
        return Err(refused("it is not an address"));
    }
    Ok(next)
}

/// Where a part begins: `Content-Range: bytes 100-199/200`.
fn continues_at(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    range.split_once('-')?.0.trim().parse().ok()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// `sha-256=:…:` of `Repr-Digest`, which speaks of the whole file, also in the answer that has a part of it.
fn stated_sha256(headers: &HeaderMap) -> Option<String> {
    let digest = headers.get("repr-digest")?.to_str().ok()?;
    let value = digest.split(',').find_map(|part| part.trim().strip_prefix("sha-256=:"))?;
    value.strip_suffix(':').map(str::to_owned)
}

/// An address without name, password and query, which may hold a secret.
pub(super) fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), host_of(url), url.path())
}

/// Host and port of an address: the rest may hold a secret.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("no host");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Appends the body to the file. Hyper sees to it that a body with a length has that length.
fn receive(mut response: Response, partial: &mut Partial, bytes_max: u64) -> Result<(), FetchError> {
    let host = host_of(response.url());
    let too_large = || FetchError::TooLarge { host: host.clone(), limit: bytes_max };
    if response.content_length().is_some_and(|length| length.saturating_add(partial.len) > bytes_max) {
        return Err(too_large());
    }
    let started = Instant::now();
    let at_start = partial.len;
    let mut chunk = vec![0; 1 << 16];
    loop {
        let count = response.read(&mut chunk).map_err(|error| broken(error, &host, partial.len))?;
        if count == 0 {
            return partial.flush();
        }
        partial.append(&chunk[..count])?;
        if partial.len > bytes_max {
            partial.discard();
            return Err(too_large());
        }
        let allowed = TIME_OF_GRACE + Duration::from_secs((partial.len - at_start) / RATE_MIN);
        if started.elapsed() > allowed.min(TIME_MAX) {
            return Err(FetchError::TooSlow { host });
        }
    }
}

fn broken(error: io::Error, host: &str, bytes: u64) -> FetchError {
    let kind = error.kind();
    let source = match error.into_inner().map(|inner| inner.downcast::<reqwest::Error>()) {
        Some(Ok(inner)) => io::Error::new(kind, inner.without_url()),
        Some(Err(inner)) => io::Error::new(kind, inner),
        None => kind.into(),
    };
    FetchError::Broken { host: host.to_owned(), bytes, source }
}

/// A file that is being fetched, and beside it a note of which state of which address its bytes are from.
struct Partial {
    path: PathBuf,
    file: File,
    len: u64,
    validators: Validators,
}

/// The note: without it, or with another address in it, the bytes are not gone on with.
#[derive(Serialize, Deserialize)]
struct Note {
    url: String,
    #[serde(flatten)]
    validators: Validators,
}

impl Partial {
    fn open(path: &Path, url: &Url) -> Result<Self, FetchError> {
        let failed = |source| FetchError::Write { path: path.to_owned(), source };
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        let note = fs::read(note_beside(path)).ok().and_then(|note| serde_json::from_slice::<Note>(&note).ok());
        let validators = note.filter(|note| note.url == url.as_str()).map(|note| note.validators).unwrap_or_default();
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).append(true).open(path).map_err(failed)?;
        if validators.strong().is_none() {
            file.set_len(0).map_err(failed)?;
        }
        let len = file.seek(io::SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, len, validators })
    }

    /// Begins the file again: what comes is another state of it.
    fn begin(&mut self, url: &Url, validators: Validators) -> Result<(), FetchError> {
        self.validators = validators;
        self.len = 0;
        let note = Note { url: url.to_string(), validators: self.validators.clone() };
        let note = serde_json::to_vec(&note).unwrap_or_default();
        let begun = self.file.set_len(0).and_then(|()| fs::write(note_beside(&self.path), note));
        begun.map_err(|source| FetchError::Write { path: self.path.clone(), source })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.len += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|source| FetchError::Write { path: self.path.clone(), source })
    }

    fn flush(&mut self) -> Result<(), FetchError> {
        // What is whole is not gone on with: the next fetch into this place begins anew.
        fs::remove_file(note_beside(&self.path)).ok();
        self.file.sync_all().map_err(|source| FetchError::Write { path: self.path.clone(), source })
    }

    fn discard(&mut self) {
        Self::remove(&self.path);
        self.file.set_len(0).ok();
        self.len = 0;
    }

    fn remove(path: &Path) {
        fs::remove_file(note_beside(path)).ok();
        fs::remove_file(path).ok();
    }
}

fn note_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".note");
    name.into()
}
