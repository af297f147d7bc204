//! Images in registries: OCI distribution specification 1.1. Images are only read; [`artifact`] can also push.
//!
//! Reading order: this file says what is asked for; [`http`] sends requests (scheme, redirects, retries);
//! [`body`] reads answers; [`challenge`] and [`auth`] satisfy a registry that wants to know who asks, and [`credentials`]
//! looks into Docker's configuration for that.

mod artifact;
mod auth;
mod body;
mod challenge;
mod credentials;
mod error;
mod http;
mod tls;

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::digest::Digest;
use reqwest::blocking::Response;

use crate::target::Reference;

use super::blob::Stored;
use super::document::{self, CONFIG_BYTES_MAX, Descriptor, MANIFEST_BYTES_MAX, Parsed, Store};
use super::error::SourceError;
use super::{OpenImage, SourceIdentity, SourceOptions, archive};

pub use artifact::{ArtifactFile, RegistryArtifact};
use body::{BlobReader, read_whole};
pub use challenge::understands_challenge;
pub use credentials::Credentials;
pub use error::RegistryError;
use http::Http;
pub use http::http_client;

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
            stall: Duration::from_secs(30),
            retry_pause: Duration::from_millis(500),
        }
    }
}

/// One repository of one registry, with what was learned about it (scheme, token). Shared by all layers of an image.
#[derive(Debug)]
pub(super) struct Repository {
    http: Http,
    /// `registry/repository`, for messages.
    name: String,
    path: String,
}

impl Repository {
    fn new(reference: &Reference, options: &SourceOptions) -> Result<Self, RegistryError> {
        let path = reference.repository().to_owned();
        let name = format!("{}/{path}", reference.registry());
        Ok(Self { http: Http::new(reference, &options.registry)?, name, path })
    }

    /// Begins to read a blob. The reader fails unless it gives exactly `size` bytes.
    pub(super) fn blob(&self, digest: &Digest, size: u64) -> Result<BlobReader, RegistryError> {
        let what = format!("the blob {digest} of `{}`", self.name);
        let response = self.http.get(&format!("{}/blobs/{digest}", self.path), "*/*", &what)?;
        if let Some(promised) = content_length(&response)
            && promised != size
        {
            return Err(RegistryError::Length { what, expected: size, actual: promised });
        }
        Ok(BlobReader::new(response, what, size))
    }

    /// The bytes of a manifest or index, and the digest that the registry claims for them.
    fn manifest(&self, reference: &str) -> Result<(Vec<u8>, Option<Digest>), RegistryError> {
        let what = format!("the manifest `{reference}` of `{}`", self.name);
        let response = self.http.get(&format!("{}/manifests/{reference}", self.path), ACCEPT_MANIFEST, &what)?;
        let claimed = claimed_digest(&response);
        Ok((read_whole(response, &what, MANIFEST_BYTES_MAX)?, claimed))
    }

    /// The digest that a tag stands for now.
    fn resolve(&self, tag: &str) -> Result<Digest, RegistryError> {
        let what = format!("the manifest `{tag}` of `{}`", self.name);
        let response = self.http.head(&format!("{}/manifests/{tag}", self.path), ACCEPT_MANIFEST, &what)?;
        match claimed_digest(&response) {
            Some(digest) => Ok(digest),
            // The header is optional; then only the manifest itself can tell.
            None => Ok(document::digest_of(&self.manifest(tag)?.0)),
        }
    }

    /// One page of referrers; none when the registry does not know the question.
    fn referrers_page(&self, path: &str) -> Result<Option<Page>, RegistryError> {
        let what = format!("the referrers in `{}`", self.name);
        let response = match self.http.get(path, ACCEPT_INDEX, &what) {
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

/// What the reference resolves to now: nothing is asked for a digest.
pub(super) fn identify(reference: &Reference, options: &SourceOptions) -> Result<SourceIdentity, SourceError> {
    let digest = match reference.digest() {
        Some(digest) => digest.clone(),
        None => Repository::new(reference, options)?.resolve(tag_of(reference))?,
    };
    Ok(SourceIdentity::Manifest { digest, selection: archive::selection(None, options.platform.as_ref()) })
}

fn tag_of(reference: &Reference) -> &str {
    reference.tag().unwrap_or("latest")
}

/// Opens the image that the reference names.
pub(super) fn open(target: String, reference: &Reference, options: &SourceOptions) -> Result<OpenImage, SourceError> {
    let repository = Arc::new(Repository::new(reference, options)?);
    let store = RegistryStore { repository, place: reference.to_string() };
    let asked = reference.digest().map_or(tag_of(reference).to_owned(), Digest::to_string);
    let (bytes, claimed) = store.repository.manifest(&asked)?;
    let digest = document::digest_of(&bytes);
    if let Some(expected) = reference.digest().or(claimed.as_ref()) {
        document::verify(&store.place, "the manifest", expected, &bytes)?;
    }
    let wanted = options.platform.as_ref();
    let manifest = document::select_manifest(&store, document::parse(&store.place, &bytes)?, wanted)?;
    let (mut artifact, layers) = document::image(&store, manifest, wanted)?;
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
    let repository = Repository::new(reference, options)?;
    let place = reference.to_string();
    let mut found = Vec::new();
    let mut next = Some(format!("{}/referrers/{subject}", repository.path));
    for page in 0..REFERRER_PAGES_MAX {
        let Some(path) = next.take() else { return Ok(found) };
        match repository.referrers_page(&path)? {
            Some(page) => {
                found.extend(index_entries(&place, &page.bytes)?);
                next = page.next;
            }
            None if page == 0 => return referrers_by_tag(&repository, &place, subject),
            None => return Ok(found),
        }
    }
    if next.is_none() {
        return Ok(found);
    }
    Err(SourceError::Malformed {
        place,
        what: "the list of referrers".into(),
        detail: format!("it has more than {REFERRER_PAGES_MAX} pages"),
    })
}

fn referrers_by_tag(repository: &Repository, place: &str, subject: &Digest) -> Result<Vec<Descriptor>, SourceError> {
    match repository.manifest(&format!("sha256-{}", subject.hex())) {
        Ok((bytes, _)) => index_entries(place, &bytes),
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
        let reader = self.repository.blob(&descriptor.digest, descriptor.size)?;
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
