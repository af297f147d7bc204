//! Images in registries: OCI distribution specification 1.1. Images are only read; [`artifact`] can also push.
//!
//! Reading order: this file says what is asked for, and of whom ([`mirrors`]); [`http`] sends requests (scheme, redirects,
//! retries) at a [`pace`]; [`body`] reads answers and resumes those that break; [`challenge`] and [`auth`] satisfy a registry
//! that wants to know who asks, and [`credentials`] looks into Docker's configuration for that. [`list`] finds images by
//! pattern. [`shared`] is what one run keeps of all this.

mod artifact;
mod attached;
mod auth;
mod body;
mod challenge;
mod credentials;
mod error;
mod http;
mod list;
mod mirrors;
mod pace;
mod shared;
mod tls;

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::digest::Digest;
use reqwest::StatusCode;
use reqwest::blocking::Response;

use crate::target::{Pattern, Reference};

use super::blob::Stored;
use super::document::{self, CONFIG_BYTES_MAX, Descriptor, MANIFEST_BYTES_MAX, Parsed, Store};
use super::error::SourceError;
use super::provide::{Answer, Given, OutsideStore, Question};
use super::{OpenImage, SourceIdentity, SourceOptions, archive};

pub use artifact::{ArtifactFile, RegistryArtifact};
pub(super) use attached::attached;
pub use attached::{Attached, Attachments};
pub(super) use body::BlobReader;
use body::read_whole;
pub use challenge::understands_challenge;
pub use credentials::Credentials;
pub use error::RegistryError;
pub use http::http_client;
use http::{Http, Scope};
pub use list::{ListBounds, Listing};
pub use mirrors::{Mirror, MirrorError};
pub use pace::Pace;
pub use shared::Shared;

/// The documents that a manifest request accepts, ours to read.
const ACCEPT_MANIFEST: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

const ACCEPT_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The header in which a registry says what it thinks it sends.
const DIGEST_HEADER: &str = "docker-content-digest";

/// How many pages of referrers are read. One page has up to 4 MiB; more is no list but an attack.
const REFERRER_PAGES_MAX: usize = 16;

/// How to talk to registries.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// A PEM file with certificate authorities to trust beside the system's (which `SSL_CERT_FILE` and `SSL_CERT_DIR`
    /// replace).
    pub ca_file: Option<PathBuf>,
    /// Allows HTTP without TLS for any registry that does not speak TLS. Without it, only for this machine.
    pub insecure_http: bool,
    /// Who asks; none means what Docker's configuration says for the registry.
    pub credentials: Option<Credentials>,
    /// Docker's configuration file; none means `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`.
    pub docker_config: Option<PathBuf>,
    /// Where copies of images are looked for before the registry itself is asked, in this order.
    pub mirrors: Vec<Mirror>,
    /// What all requests share.
    pub shared: Arc<Shared>,
    /// How long a registry may be silent, while connecting, before its answer, and between two reads of a body.
    pub stall: Duration,
    /// The pause before the first repeated request; it doubles with each.
    pub retry_pause: Duration,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            ca_file: None,
            insecure_http: false,
            credentials: None,
            docker_config: None,
            mirrors: Vec::new(),
            shared: Arc::default(),
            stall: Duration::from_secs(30),
            retry_pause: Duration::from_millis(500),
        }
    }
}

/// One repository of one registry, with what was learned about it (scheme, token). Shared by all layers of an image.
#[derive(Debug)]
pub(super) struct Repository {
    /// The mirrors, then the registry itself.
    places: Vec<Place>,
    /// `registry/repository`, for messages.
    name: String,
}

/// One registry that has the repository.
#[derive(Debug)]
struct Place {
    http: Http,
    /// The repository's name there.
    path: String,
    /// Not to be asked for what a tag stands for.
    digest_only: bool,
    /// It did not answer, and is not asked again.
    lost: AtomicBool,
}

impl Repository {
    fn new(reference: &Reference, options: &RegistryOptions) -> Result<Self, RegistryError> {
        Self::to(reference, "pull", options)
    }

    /// The repository in the registry itself, for these actions.
    fn at_home(reference: &Reference, actions: &'static str, options: &RegistryOptions) -> Result<Self, RegistryError> {
        Self::to(reference, actions, &RegistryOptions { mirrors: Vec::new(), ..options.clone() })
    }

    fn to(reference: &Reference, actions: &'static str, options: &RegistryOptions) -> Result<Self, RegistryError> {
        let (registry, path) = (reference.registry(), reference.repository());
        let place = |registry: &str, path: String, plain, digest_only, options: &RegistryOptions| {
            let scope = Scope::Repository { name: path.clone(), actions };
            let http = Http::new(registry, scope, plain, options)?;
            Ok::<_, RegistryError>(Place { http, path, digest_only, lost: AtomicBool::new(false) })
        };
        let mut places = Vec::new();
        for mirror in &options.mirrors {
            if let Some(path) = mirror.repository(registry, path) {
                // Credentials that were given are the registry's own.
                let options = RegistryOptions { credentials: None, ..options.clone() };
                places.push(place(&mirror.host, path, mirror.plain, mirror.digest_only, &options)?);
            }
        }
        places.push(place(registry, path.to_owned(), false, false, options)?);
        Ok(Self { places, name: format!("{registry}/{path}") })
    }

    /// The registry itself.
    fn home(&self) -> &Place {
        &self.places[self.places.len() - 1]
    }

    /// Asks the mirrors, and the registry itself when none of them gives an answer.
    fn ask<T>(
        &self,
        by_digest: bool,
        request: impl Fn(&Place) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let mirrors = &self.places[..self.places.len() - 1];
        let usable = |place: &&Place| (by_digest || !place.digest_only) && !place.lost.load(Ordering::Relaxed);
        for mirror in mirrors.iter().filter(usable) {
            match request(mirror) {
                Ok(answer) => return Ok(answer),
                Err(RegistryError::NotFound { .. }) => {}
                Err(_) => mirror.lost.store(true, Ordering::Relaxed),
            }
        }
        request(self.home())
    }

    fn retry_pause(&self) -> Duration {
        self.home().http.options.retry_pause
    }

    fn blob_name(&self, digest: &Digest) -> String {
        format!("the blob {digest} of `{}`", self.name)
    }

    /// A blob from its byte `from` on, or from the beginning if it cannot be had otherwise; and which of the two.
    fn blob(&self, digest: &Digest, size: u64, from: u64) -> Result<(Response, u64), RegistryError> {
        let what = self.blob_name(digest);
        self.ask(true, |place| {
            let response = place.http.get_from(&format!("{}/blobs/{digest}", place.path), from, &what)?;
            let start = match response.status() {
                StatusCode::PARTIAL_CONTENT => from,
                _ => 0,
            };
            if start > 0 && content_range_start(&response) != Some(from) {
                return Err(RegistryError::Range { host: http::host_of(response.url()), what: what.clone() });
            }
            match content_length(&response) {
                Some(promised) if promised != size - start => Err(RegistryError::Length {
                    what: what.clone(),
                    expected: size,
                    actual: promised.saturating_add(start),
                }),
                _ => Ok((response, start)),
            }
        })
    }

    /// The bytes of a manifest or index, and the digest that the registry claims for them.
    fn manifest(&self, reference: &str) -> Result<(Vec<u8>, Option<Digest>), RegistryError> {
        let what = format!("the manifest `{reference}` of `{}`", self.name);
        self.ask(reference.contains(':'), |place| {
            let path = format!("{}/manifests/{reference}", place.path);
            let response = place.http.get(&path, ACCEPT_MANIFEST, &what)?;
            let claimed = claimed_digest(&response);
            Ok((read_whole(response, &what, MANIFEST_BYTES_MAX)?, claimed))
        })
    }

    /// The digest that a tag stands for now.
    fn resolve(&self, tag: &str) -> Result<Digest, RegistryError> {
        let what = format!("the manifest `{tag}` of `{}`", self.name);
        let claimed = self.ask(false, |place| {
            let response = place.http.head(&format!("{}/manifests/{tag}", place.path), ACCEPT_MANIFEST, &what)?;
            Ok(claimed_digest(&response))
        })?;
        match claimed {
            Some(digest) => Ok(digest),
            // The header is optional; then only the manifest itself can tell.
            None => Ok(document::digest_of(&self.manifest(tag)?.0)),
        }
    }

    /// One page of referrers, of the registry itself: mirrors seldom have them. None when the registry does not know the question.
    fn referrers_page(&self, path: &str) -> Result<Option<Page>, RegistryError> {
        let what = format!("the referrers in `{}`", self.name);
        let response = match self.home().http.get(path, ACCEPT_INDEX, &what) {
            Err(RegistryError::NotFound { .. }) => return Ok(None),
            other => other?,
        };
        // Some registries answer unknown addresses with a page for people.
        let kind = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.starts_with(ACCEPT_INDEX) {
            return Ok(None);
        }
        let next = next_page(&response);
        Ok(Some(Page { bytes: read_whole(response, &what, MANIFEST_BYTES_MAX)?, next }))
    }
}

/// A part of a long list, and the path of the next.
struct Page {
    bytes: Vec<u8>,
    next: Option<String>,
}

fn content_length(response: &Response) -> Option<u64> {
    response.headers().get("content-length")?.to_str().ok()?.parse().ok()
}

/// Source: RFC 9110, section 14.4: `bytes 100-199/200`.
fn content_range_start(response: &Response) -> Option<u64> {
    let range = response.headers().get("content-range")?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

fn claimed_digest(response: &Response) -> Option<Digest> {
    Digest::parse(response.headers().get(DIGEST_HEADER)?.to_str().ok()?).ok()
}

/// The path of `Link: <…>; rel="next"`, below `/v2/` of the same registry only.
fn next_page(response: &Response) -> Option<String> {
    let link = response.headers().get("link")?.to_str().ok()?;
    let (address, relation) = link.strip_prefix('<')?.split_once('>')?;
    let next = response.url().join(address).ok()?;
    if !relation.contains("next") || next.origin() != response.url().origin() {
        return None;
    }
    let path = next.path().strip_prefix("/v2/")?;
    Some(next.query().map_or(path.to_owned(), |query| format!("{path}?{query}")))
}

/// Which images match.
pub(super) fn list(pattern: &Pattern, bounds: ListBounds, options: &SourceOptions) -> Result<Listing, RegistryError> {
    list::list(pattern, bounds, &options.registry)
}

/// What the reference resolves to now: nothing is asked for a digest.
pub(super) fn identify(reference: &Reference, options: &SourceOptions) -> Result<SourceIdentity, SourceError> {
    let digest = match reference.digest() {
        Some(digest) => digest.clone(),
        None => options.registry.shared.repository(reference, &options.registry)?.resolve(tag_of(reference))?,
    };
    Ok(SourceIdentity::Manifest { digest, selection: archive::selection(None, options.platform.as_ref()) })
}

fn tag_of(reference: &Reference) -> &str {
    reference.tag().unwrap_or("latest")
}

/// Opens the image that the reference names.
pub(super) fn open(target: String, reference: &Reference, options: &SourceOptions) -> Result<OpenImage, SourceError> {
    let place = reference.to_string();
    if let Some(outside) = &options.outside {
        let top = outside.document(&Question::Top)?;
        let store = OutsideStore { outside: outside.clone(), place, sizes_are_asked: false };
        return read(target, reference, &store, top, options);
    }
    let repository = options.registry.shared.repository(reference, &options.registry)?;
    let top = repository.manifest(&name_of(reference))?;
    read(target, reference, &RegistryStore { repository, place }, top, options)
}

/// What the manifest is asked for by.
fn name_of(reference: &Reference) -> String {
    reference.digest().map_or(tag_of(reference).to_owned(), Digest::to_string)
}

/// Reads the documents of the image whose topmost one is this.
fn read(
    target: String,
    reference: &Reference,
    store: &dyn Store,
    (bytes, claimed): (Vec<u8>, Option<Digest>),
    options: &SourceOptions,
) -> Result<OpenImage, SourceError> {
    let digest = document::digest_of(&bytes);
    if let Some(expected) = reference.digest().or(claimed.as_ref()) {
        document::verify(store.place(), "the manifest", expected, &bytes)?;
    }
    let wanted = options.platform.as_ref();
    let manifest = document::select_manifest(store, document::parse(store.place(), &bytes)?, wanted)?;
    let (mut artifact, layers) = document::image(store, manifest, wanted)?;
    artifact.target = target;
    artifact.names = vec![reference.to_string()];
    let identity = SourceIdentity::Manifest { digest, selection: archive::selection(None, wanted) };
    Ok(OpenImage { artifact, layers, identity })
}

/// Lists what refers to `subject`.
///
/// Source: OCI distribution specification 1.1, "Listing Referrers" and "Referrers Tag Schema" (for registries that do
/// not know the question: an index under the tag `sha256-<hex>`).
pub(super) fn referrers(
    reference: &Reference,
    subject: &Digest,
    options: &SourceOptions,
) -> Result<Vec<Descriptor>, SourceError> {
    let documents = match &options.outside {
        Some(outside) => outside.documents(&Question::Referrers(subject.clone()))?,
        None => referring(reference, subject, options)?,
    };
    let place = reference.to_string();
    let lists = documents.iter().map(|bytes| index_entries(&place, bytes)).collect::<Result<Vec<_>, _>>()?;
    Ok(lists.concat())
}

/// The pages of the list of what refers to `subject`, not read yet.
fn referring(reference: &Reference, subject: &Digest, options: &SourceOptions) -> Result<Vec<Vec<u8>>, SourceError> {
    let repository = options.registry.shared.repository(reference, &options.registry)?;
    let mut found = Vec::new();
    let mut next = Some(format!("{}/referrers/{subject}", repository.home().path));
    for page in 0..REFERRER_PAGES_MAX {
        let Some(path) = next.take() else { return Ok(found) };
        match repository.referrers_page(&path)? {
            Some(page) => {
                found.push(page.bytes);
                next = page.next;
            }
            None if page == 0 => return referring_by_tag(&repository, subject),
            None => return Ok(found),
        }
    }
    if next.is_none() {
        return Ok(found);
    }
    Err(SourceError::Malformed {
        place: reference.to_string(),
        what: "the list of referrers".into(),
        detail: format!("it has more than {REFERRER_PAGES_MAX} pages"),
    })
}

fn referring_by_tag(repository: &Repository, subject: &Digest) -> Result<Vec<Vec<u8>>, SourceError> {
    match repository.manifest(&format!("sha256-{}", subject.hex())) {
        Ok((bytes, _)) => Ok(vec![bytes]),
        Err(RegistryError::NotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn index_entries(place: &str, bytes: &[u8]) -> Result<Vec<Descriptor>, SourceError> {
    match document::parse(place, bytes)? {
        Parsed::Index(manifests) => Ok(manifests),
        Parsed::Manifest(_) => Err(SourceError::Malformed {
            place: place.into(),
            what: "the list of referrers".into(),
            detail: "it is a manifest and not an index".into(),
        }),
    }
}

/// Hands over what a process asks for that may not ask itself; nothing of it is read here.
pub(super) fn answer(
    reference: &Reference,
    question: &Question,
    options: &SourceOptions,
) -> Result<Answer, SourceError> {
    let repository = options.registry.shared.repository(reference, &options.registry)?;
    Ok(match question {
        Question::Top => {
            let (bytes, claimed) = repository.manifest(&name_of(reference))?;
            Answer::Given(Given::Document(claimed), bytes)
        }
        Question::Manifest(digest) => Answer::Given(Given::Document(None), repository.manifest(&digest.to_string())?.0),
        Question::Blob { digest, size } => {
            Answer::Stream(Box::new(BlobReader::open(repository, digest.clone(), *size)?))
        }
        Question::Referrers(subject) => {
            let documents = referring(reference, subject, options)?;
            let lengths = documents.iter().map(|document| document.len() as u64).collect();
            Answer::Given(Given::Documents(lengths), documents.concat())
        }
        _ => return Err(SourceError::NoLayers { target: reference.to_string() }),
    })
}

/// The documents and layers of one image.
struct RegistryStore {
    repository: Arc<Repository>,
    place: String,
}

impl Store for RegistryStore {
    fn place(&self) -> &str {
        &self.place
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, SourceError> {
        Ok(self.repository.manifest(&descriptor.digest.to_string())?.0)
    }

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, SourceError> {
        if descriptor.size > CONFIG_BYTES_MAX {
            let what = "the configuration".into();
            return Err(SourceError::TooLarge { place: self.place.clone(), what, limit: CONFIG_BYTES_MAX });
        }
        let reader = BlobReader::open(self.repository.clone(), descriptor.digest.clone(), descriptor.size)?;
        let mut bytes = Vec::new();
        reader
            .take(CONFIG_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(|source| RegistryError::Body { what: format!("the configuration of `{}`", self.place), source })?;
        Ok(bytes)
    }

    fn layer(&self, descriptor: &Descriptor) -> Result<Stored, SourceError> {
        let Descriptor { digest, size, .. } = descriptor;
        Ok(Stored::Remote { repository: self.repository.clone(), digest: digest.clone(), size: *size })
    }
}
