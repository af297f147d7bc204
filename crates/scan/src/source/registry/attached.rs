//! Documents attached to an image: what its referrers hold, and what `cosign attest` puts under a tag.
//!
//! Source: OCI distribution specification 1.1, "Listing Referrers"; OCI image specification 1.1, "Guidelines for Artifact
//! Usage" (the type is `artifactType`, else that of the configuration); cosign, `specs/ATTESTATION_SPEC.md` (`sha256-<hex>.att`).
//! **Never:** nothing here checks a signature. Whoever can push to the repository can attach.

use std::io::Read;
use std::sync::Arc;

use model::digest::Digest;
use serde::Deserialize;

use super::body::BlobReader;
use super::{RegistryError, Repository, referrers, tag_of};
use crate::source::document::{self, Descriptor};
use crate::source::{SourceError, SourceOptions};
use crate::target::Reference;

/// Documents of one image. Vendors attach a handful; who attaches hundreds wants to keep us busy.
const ATTACHED_MAX: usize = 100;
/// The most bytes of one document, and of all of an image's together.
const DOCUMENT_BYTES_MAX: u64 = 16 << 20;
const DOCUMENTS_BYTES_MAX: u64 = 64 << 20;

/// A document attached to an image.
#[derive(Debug)]
pub struct Attached {
    /// The manifest that holds it, as `repository@digest`.
    pub place: String,
    /// Its bytes, which have the digest that the manifest states; or why they could not be had.
    pub bytes: Result<Vec<u8>, String>,
}

/// What is attached.
#[derive(Debug, Default)]
pub struct Attachments {
    /// The image's manifest, and the index that the name stands for.
    pub subjects: Vec<Digest>,
    /// Documents that may be VEX.
    pub documents: Vec<Attached>,
    /// How many were left out because of a bound.
    pub left_out: usize,
}

/// Fetches what is attached to `image`, or to what the reference stands for, and may be VEX or an attestation of it.
pub(in crate::source) fn attached(
    reference: &Reference,
    image: &Digest,
    options: &SourceOptions,
) -> Result<Attachments, SourceError> {
    let repository = options.registry.shared.repository(reference, &options.registry)?;
    let named = match reference.digest() {
        Some(digest) => digest.clone(),
        None => repository.resolve(tag_of(reference))?,
    };
    let mut attachments = Attachments { subjects: vec![image.clone()], ..Attachments::default() };
    if named != *image {
        attachments.subjects.push(named);
    }
    let mut fetching = Fetching {
        repository,
        place: format!("{}/{}", reference.registry(), reference.repository()),
        bytes: 0,
        into: attachments,
    };
    for subject in fetching.into.subjects.clone() {
        for referrer in referrers(reference, &subject, options)? {
            let kind = referrer.artifact_type.clone().unwrap_or_default();
            // Old lists do not state the type; then the manifest does.
            if kind.is_empty() || Kind::of(&kind) != Kind::Other {
                fetching.manifest(&referrer.digest.to_string(), Some(&referrer.digest));
            }
        }
        fetching.manifest(&format!("sha256-{}.att", subject.hex()), None);
    }
    Ok(fetching.into)
}

/// What a media type or artifact type promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A document that may hold VEX statements.
    Document,
    /// A statement in an envelope, of whatever.
    Attestation,
    Other,
}

impl Kind {
    fn of(kind: &str) -> Self {
        let has = |words: &[&str]| words.iter().any(|word| kind.contains(word));
        match () {
            () if has(&["openvex", "csaf", "cyclonedx"]) => Self::Document,
            () if has(&["in-toto", "dsse", "sigstore.bundle", "cosign.artifact.att"]) => Self::Attestation,
            () => Self::Other,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    artifact_type: Option<String>,
    config: Option<Typed>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typed {
    #[serde(default)]
    media_type: String,
}

struct Fetching {
    repository: Arc<Repository>,
    place: String,
    bytes: u64,
    into: Attachments,
}

impl Fetching {
    /// Takes what a manifest holds; one that is not there holds nothing.
    fn manifest(&mut self, name: &str, expected: Option<&Digest>) {
        if self.into.documents.len() >= ATTACHED_MAX {
            self.into.left_out += 1;
            return;
        }
        let bytes = match self.repository.manifest(name) {
            Ok((bytes, _)) => bytes,
            Err(RegistryError::NotFound { .. }) if expected.is_none() => return,
            Err(error) => return self.failed(name, error.to_string()),
        };
        let digest = document::digest_of(&bytes);
        if expected.is_some_and(|expected| *expected != digest) {
            return self.failed(name, format!("its manifest has the digest {digest}"));
        }
        let manifest: Manifest = match serde_json::from_slice(&bytes) {
            Ok(manifest) => manifest,
            Err(error) => return self.failed(name, format!("its manifest is malformed: {error}")),
        };
        let own = manifest.artifact_type.or(manifest.config.map(|config| config.media_type)).unwrap_or_default();
        for layer in &manifest.layers {
            // `oras attach` calls layers tar archives unless told otherwise; then the artifact's type counts.
            if Kind::of(&own) == Kind::Document || Kind::of(&layer.media_type) != Kind::Other && is_wanted(layer) {
                self.document(&digest, layer);
            }
        }
    }

    fn document(&mut self, manifest: &Digest, layer: &Descriptor) {
        let is_full = self.into.documents.len() >= ATTACHED_MAX
            || self.bytes + layer.size.min(DOCUMENTS_BYTES_MAX) > DOCUMENTS_BYTES_MAX;
        if is_full || layer.size > DOCUMENT_BYTES_MAX {
            self.into.left_out += 1;
            return;
        }
        self.bytes += layer.size;
        let read = || -> Result<Vec<u8>, String> {
            let reader = BlobReader::open(self.repository.clone(), layer.digest.clone(), layer.size);
            let mut bytes = Vec::new();
            let mut reader = reader.map_err(|error| error.to_string())?.take(DOCUMENT_BYTES_MAX);
            reader.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
            match document::digest_of(&bytes) {
                digest if digest == layer.digest => Ok(bytes),
                digest => Err(format!("it should have the digest {}, but has {digest}", layer.digest)),
            }
        };
        let bytes = read();
        self.into.documents.push(Attached { place: format!("{}@{manifest}", self.place), bytes });
    }

    fn failed(&mut self, name: &str, detail: String) {
        let separator = if name.contains(':') { '@' } else { ':' };
        let place = format!("{}{separator}{name}", self.place);
        self.into.documents.push(Attached { place, bytes: Err(detail) });
    }
}

/// Whether an attestation may be of VEX, as far as its annotations say of what it is.
fn is_wanted(layer: &Descriptor) -> bool {
    // Cosign's and BuildKit's names for the same remark.
    let predicate = ["predicateType", "in-toto.io/predicate-type"].iter().find_map(|key| layer.annotations.get(*key));
    predicate.is_none_or(|predicate| predicate.contains("vex") || predicate.contains("cyclonedx"))
}
