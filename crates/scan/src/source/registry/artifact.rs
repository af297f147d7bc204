//! Artifacts that are no images: a manifest with a type of its own and files as layers. Read, and pushed.
//!
//! Source: OCI image specification 1.1, "Guidelines for Artifact Usage"; OCI distribution specification 1.1, "Pushing a
//! blob monolithically" (POST then PUT) and "Pushing Manifests".

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::digest::Digest;
use reqwest::StatusCode;
use reqwest::blocking::{Body, Response};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::http::{Answer, host_of};
use super::{BlobReader, RegistryError, Repository, SourceOptions, tag_of};
use crate::source::document::{self, Descriptor};
use crate::target::Reference;

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The configuration of an artifact that has none ("Guidance for an Empty Descriptor").
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const EMPTY: &[u8] = b"{}";

/// The least speed of an upload, in bytes per second, after a time of grace.
const UPLOAD_RATE_MIN: u64 = 32 << 10;
const UPLOAD_TIME_OF_GRACE: Duration = Duration::from_secs(120);

/// The artifact that one reference names.
#[derive(Debug)]
pub struct RegistryArtifact {
    repository: Arc<Repository>,
    tag: String,
}

/// A file of an artifact that is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactFile {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// Where its bytes are; none when the repository has them already.
    pub path: Option<PathBuf>,
}

impl RegistryArtifact {
    /// One to be read.
    ///
    /// # Errors
    ///
    /// When TLS cannot be set up; so also below.
    pub fn to_read(reference: &Reference, options: &SourceOptions) -> Result<Self, RegistryError> {
        Self::new(reference, options, "pull")
    }

    /// One to be pushed.
    ///
    /// # Errors
    ///
    /// See [`Self::to_read`].
    pub fn to_push(reference: &Reference, options: &SourceOptions) -> Result<Self, RegistryError> {
        Self::new(reference, options, "pull,push")
    }

    fn new(reference: &Reference, options: &SourceOptions, actions: &'static str) -> Result<Self, RegistryError> {
        let repository = Arc::new(Repository::at_home(reference, actions, &options.registry)?);
        let tag = reference.digest().map_or_else(|| tag_of(reference).to_owned(), Digest::to_string);
        Ok(Self { repository, tag })
    }

    /// The files of the artifact; none when there is none, or what is there is of another type.
    ///
    /// # Errors
    ///
    /// When the registry cannot be asked.
    pub fn files(&self, artifact_type: &str) -> Result<Option<Vec<Descriptor>>, RegistryError> {
        let bytes = match self.repository.manifest(&self.tag) {
            Ok((bytes, _)) => bytes,
            Err(RegistryError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Manifest {
            artifact_type: String,
            layers: Vec<Descriptor>,
        }
        let manifest = serde_json::from_slice::<Manifest>(&bytes).ok();
        Ok(manifest.filter(|manifest| manifest.artifact_type == artifact_type).map(|manifest| manifest.layers))
    }

    /// Writes a file of exactly `size` bytes to `to`. The caller checks that it is the one.
    ///
    /// # Errors
    ///
    /// When it is not there, or shorter or longer.
    pub fn fetch(&self, digest: &Digest, size: u64, to: &mut dyn Write) -> Result<(), RegistryError> {
        let mut reader = BlobReader::open(self.repository.clone(), digest.clone(), size)?;
        let what = || format!("the blob {digest} of `{}`", self.repository.name);
        io::copy(&mut reader, to).map(drop).map_err(|source| RegistryError::Body { what: what(), source })
    }

    /// Pushes the files that the repository does not have, then the manifest that names them all.
    ///
    /// # Errors
    ///
    /// When the registry does not take them.
    pub fn push(&self, artifact_type: &str, files: &[ArtifactFile]) -> Result<Digest, RegistryError> {
        let empty = document::digest_of(EMPTY);
        self.push_blob(&empty, EMPTY.len() as u64, &|| Ok(Body::from(EMPTY)))?;
        for file in files {
            if let Some(path) = &file.path {
                self.push_blob(&file.digest, file.size, &|| opened(path))?;
            }
        }
        let layers: Vec<_> = files
            .iter()
            .map(|file| json!({ "mediaType": file.media_type, "digest": file.digest, "size": file.size }))
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": artifact_type,
            "config": { "mediaType": EMPTY_TYPE, "digest": empty, "size": EMPTY.len() },
            "layers": layers,
        });
        let manifest = manifest.to_string();
        let what = format!("the manifest `{}` of `{}`", self.tag, self.repository.name);
        let url = self.url(&format!("manifests/{}", self.tag))?;
        let size = manifest.len() as u64;
        let response =
            self.send(Method::PUT, &url, MANIFEST_TYPE, size, &|| Ok(Body::from(manifest.clone())), &what)?;
        expect(self, response, StatusCode::CREATED, what)?;
        Ok(Digest::from_bytes(Sha256::digest(manifest.as_bytes()).into()))
    }

    fn push_blob(&self, digest: &Digest, size: u64, body: &dyn Fn() -> io::Result<Body>) -> Result<(), RegistryError> {
        let (http, path) = (&self.repository.home().http, &self.repository.home().path);
        let what = format!("the blob {digest} of `{}`", self.repository.name);
        match http.head(&format!("{path}/blobs/{digest}"), "*/*", &what) {
            Ok(_) => return Ok(()),
            Err(RegistryError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        let start = self.url("blobs/uploads/")?;
        let nothing = || Ok(Body::from(""));
        let response = self.send(Method::POST, &start, "application/octet-stream", 0, &nothing, &what)?;
        let response = expect(self, response, StatusCode::ACCEPTED, what.clone())?;
        let mut place = self.place(&start, &response)?;
        place.query_pairs_mut().append_pair("digest", &digest.to_string());
        let response = self.send(Method::PUT, &place, "application/octet-stream", size, body, &what)?;
        expect(self, response, StatusCode::CREATED, what).map(drop)
    }

    /// Where the registry wants the bytes. They, and the authorization with them, stay with the registry.
    fn place(&self, asked: &Url, response: &Response) -> Result<Url, RegistryError> {
        let refused = |detail| RegistryError::Redirect { host: host_of(asked), detail };
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let place = asked.join(location.ok_or_else(|| refused("it names none"))?);
        let place = place.map_err(|_| refused("it is not an address"))?;
        if place.origin() == asked.origin() { Ok(place) } else { Err(refused("an upload to another host")) }
    }

    /// An address of the repository. The registry was reached before, so it is known how.
    fn url(&self, path: &str) -> Result<Url, RegistryError> {
        self.repository.home().http.url(&format!("{}/{path}", self.repository.home().path))
    }

    fn send(
        &self,
        method: Method,
        url: &Url,
        content_type: &str,
        size: u64,
        body: &dyn Fn() -> io::Result<Body>,
        what: &str,
    ) -> Result<Response, RegistryError> {
        let http = &self.repository.home().http;
        http.authorized(|authorization| {
            let body = body().map_err(|source| RegistryError::Body { what: what.to_owned(), source })?;
            let request = http
                .client
                .request(method.clone(), url.clone())
                .header(CONTENT_TYPE, content_type)
                .header(CONTENT_LENGTH, size)
                .timeout(UPLOAD_TIME_OF_GRACE + Duration::from_secs(size / UPLOAD_RATE_MIN))
                .body(body);
            let request = authorization
                .into_iter()
                .fold(request, |request, value| request.header(reqwest::header::AUTHORIZATION, value));
            Ok(Answer { response: http.sent(request)?, strayed: false })
        })
    }
}

fn opened(path: &Path) -> io::Result<Body> {
    File::open(path).map(Body::from)
}

fn expect(
    artifact: &RegistryArtifact,
    response: Response,
    status: StatusCode,
    what: String,
) -> Result<Response, RegistryError> {
    let http = &artifact.repository.home().http;
    match response.status() {
        found if found == status => Ok(response),
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
            Err(RegistryError::Denied { registry: http.registry.clone(), what: format!("or pushing {what}") })
        }
        _ => Err(http.unexpected(response, what, 1)),
    }
}
