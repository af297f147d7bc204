//! The JSON documents that lead to an image: index and manifest ([`super::config`] has the configuration).
//!
//! Source: OCI image specification 1.1, `image-index.md`, `manifest.md`; Docker's "Image Manifest Version 2,
//! Schema 2" has the same shape under other media types. Unknown fields are ignored, wrong types are errors, and
//! nesting is bounded by the JSON reader (128).

use std::collections::BTreeMap;

use model::artifact::Artifact;
use model::digest::Digest;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest as _, Sha256};

use super::blob::{LayerBlob, Stored};
use super::config::Config;
use super::error::SourceError;
use super::platform::{self, Platform};

/// The longest manifest or index. Source: OCI distribution specification, "Pushing manifests": registries should
/// accept 4 MiB, and none accepts more.
pub(super) const MANIFEST_BYTES_MAX: u64 = 4 << 20;

/// The longest configuration. Real ones have a few KiB; labels can hold a bill of materials.
pub(super) const CONFIG_BYTES_MAX: u64 = 8 << 20;

/// The most layers of an image. Engines refuse to mount more than 127; each may need an open file.
pub(super) const LAYERS_MAX: usize = 500;

/// How deep an index may hold indexes. Real ones are one deep; `docker save` adds one.
const INDEX_DEPTH_MAX: usize = 4;

/// Points at content by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is.
    #[serde(default)]
    pub media_type: String,
    /// The content's digest.
    pub digest: Digest,
    /// The content's size in bytes.
    pub size: u64,
    /// What an artifact is for, where `media_type` only says "manifest".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Remarks.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Which platform an image is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// Whether it can be an image: BuildKit lists attestations for the platform `unknown/unknown`.
    pub(super) fn may_be_image(&self) -> bool {
        let unknown = self.platform.as_ref().is_some_and(|platform| platform.os == "unknown");
        !unknown && !self.annotations.contains_key("vnd.docker.reference.type")
    }

    /// The name it has in its index. Source: OCI image specification, `annotations.md`; containerd's own has the full name.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        ["io.containerd.image.name", "org.opencontainers.image.ref.name"]
            .into_iter()
            .filter_map(|key| self.annotations.get(key).map(String::as_str))
    }

    #[cfg(test)]
    pub(super) fn for_test(media_type: &str) -> Self {
        let digest = Digest::from_bytes([1; 32]);
        let media_type = media_type.into();
        Self { media_type, digest, size: 0, artifact_type: None, annotations: BTreeMap::new(), platform: None }
    }
}

/// Go writes `null` for an empty list, map or string.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An index or a manifest; which one, its shape says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    fs_layers: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "or_default")]
    media_type: String,
    #[serde(default, deserialize_with = "or_default")]
    annotations: BTreeMap<String, String>,
}

/// A manifest that was hashed.
pub(super) struct Manifest {
    digest: Digest,
    pub(super) config: Descriptor,
    layers: Vec<Descriptor>,
    annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// Notes the manifest's digest and annotations.
    pub(super) fn describe(self, artifact: &mut Artifact) {
        artifact.manifest_digest = Some(self.digest);
        artifact.annotations = self.annotations;
    }
}

/// What a parsed document turned out to be.
pub(super) enum Parsed {
    Index(Vec<Descriptor>),
    Manifest(Box<Manifest>),
}

/// Where documents and layers can be had by digest.
pub(super) trait Store {
    /// What messages call it.
    fn place(&self) -> &str;

    /// The manifest or index with this digest, not longer than [`MANIFEST_BYTES_MAX`]; not yet verified.
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, SourceError>;

    /// The configuration with this digest, not longer than [`CONFIG_BYTES_MAX`]; not yet verified.
    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, SourceError>;

    /// Where the layer's bytes are.
    fn layer(&self, descriptor: &Descriptor) -> Result<Stored, SourceError>;
}

/// A text of a stranger's, fit for a message: no control characters, not long.
pub(super) fn printable(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The SHA-256 digest of some bytes.
pub(super) fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

/// Checks that bytes are those that a descriptor points at.
pub(super) fn verify(place: &str, what: &str, expected: &Digest, bytes: &[u8]) -> Result<(), SourceError> {
    let actual = digest_of(bytes);
    if actual == *expected {
        return Ok(());
    }
    Err(SourceError::DigestMismatch { place: place.into(), what: what.into(), expected: expected.clone(), actual })
}

/// Reads a JSON document.
pub(super) fn json<T: DeserializeOwned>(place: &str, what: &str, bytes: &[u8]) -> Result<T, SourceError> {
    serde_json::from_slice(bytes).map_err(|error| SourceError::Malformed {
        place: place.into(),
        what: what.into(),
        detail: printable(&error.to_string()),
    })
}

/// Parses an index or a manifest.
pub(super) fn parse(place: &str, bytes: &[u8]) -> Result<Parsed, SourceError> {
    let malformed = |detail: &str| SourceError::Malformed {
        place: place.into(),
        what: "the manifest".into(),
        detail: detail.into(),
    };
    let document: Document = json(place, "the manifest", bytes)?;
    // A document that can be read as either means different images to different tools (CVE-2021-41190).
    match (document.manifests, document.layers, document.config) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => Err(malformed("it is an index and a manifest at once")),
        (Some(manifests), None, None) if !document.media_type.contains("image.manifest") => {
            Ok(Parsed::Index(manifests))
        }
        (None, Some(layers), Some(config)) if !is_index(&document.media_type) => {
            if layers.len() > LAYERS_MAX {
                return Err(malformed(&format!("it lists more than {LAYERS_MAX} layers")));
            }
            Ok(Parsed::Manifest(Box::new(Manifest {
                digest: digest_of(bytes),
                config,
                layers,
                annotations: document.annotations,
            })))
        }
        (Some(_), None, None) | (None, Some(_), Some(_)) => Err(malformed("its media type contradicts its content")),
        _ if document.fs_layers.is_some() => Err(SourceError::Unsupported {
            place: place.into(),
            what: "the manifest".into(),
            detail: "it has the schema 1 that Docker gave up in 2017".into(),
            hint: "pull and push the image with a current engine; that converts it",
        }),
        _ => Err(malformed("it lists neither manifests nor a configuration with layers")),
    }
}

fn is_index(media_type: &str) -> bool {
    media_type.contains("image.index") || media_type.contains("manifest.list")
}

/// Follows indexes from a document down to one image manifest.
pub(super) fn select_manifest(
    store: &dyn Store,
    top: Parsed,
    wanted: Option<&Platform>,
) -> Result<Manifest, SourceError> {
    let mut document = top;
    for _ in 0..=INDEX_DEPTH_MAX {
        let manifests = match document {
            Parsed::Manifest(manifest) => return Ok(*manifest),
            Parsed::Index(manifests) => manifests,
        };
        let chosen = platform::choose(store.place(), &manifests, wanted)?;
        document = read(store, chosen)?;
    }
    Err(SourceError::Malformed {
        place: store.place().into(),
        what: "the index".into(),
        detail: format!("indexes are more than {INDEX_DEPTH_MAX} deep"),
    })
}

/// Reads and verifies the document that a descriptor points at.
pub(super) fn read(store: &dyn Store, descriptor: &Descriptor) -> Result<Parsed, SourceError> {
    let bytes = store.manifest(descriptor)?;
    verify(store.place(), "the manifest", &descriptor.digest, &bytes)?;
    parse(store.place(), &bytes)
}

/// An image as its documents describe it; the caller adds target and names.
pub(super) fn image(
    store: &dyn Store,
    manifest: Manifest,
    wanted: Option<&Platform>,
) -> Result<(Artifact, Vec<LayerBlob>), SourceError> {
    let place = store.place();
    let kind = &manifest.config.media_type;
    // An empty media type is an old builder's; other artifacts (charts, signatures, WebAssembly) have their own.
    if !(kind.is_empty() || kind.contains("image.config") || kind.contains("container.image.v1")) {
        return Err(SourceError::Unsupported {
            place: place.into(),
            what: "the content".into(),
            detail: format!("it is no container image but `{}`", printable(kind)),
            hint: "only container images have layers that can be scanned",
        });
    }
    let bytes = store.config(&manifest.config)?;
    verify(place, "the configuration", &manifest.config.digest, &bytes)?;
    let config: Config = json(place, "the configuration", &bytes)?;
    let mut blobs = Vec::with_capacity(manifest.layers.len());
    for descriptor in &manifest.layers {
        let stored = store.layer(descriptor)?;
        if stored.size() != descriptor.size {
            return Err(SourceError::Malformed {
                place: place.into(),
                what: format!("the layer {}", descriptor.digest),
                detail: format!("it has {} bytes, and the manifest says {}", stored.size(), descriptor.size),
            });
        }
        blobs.push((Some(descriptor.clone()), stored));
    }
    let (mut artifact, layers) = config.image(place, manifest.config.digest, blobs, wanted)?;
    artifact.manifest_digest = Some(manifest.digest);
    artifact.annotations = manifest.annotations;
    Ok((artifact, layers))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str, expected: &str) {
        let rendered = match parse("x", document.as_bytes()) {
            Ok(Parsed::Index(manifests)) => format!("index of {}", manifests.len()),
            Ok(Parsed::Manifest(manifest)) => format!("manifest of {}", manifest.layers.len()),
            Err(error) => error.to_string(),
        };
        assert!(rendered.starts_with(expected), "{document}\n got: {rendered}\nwant: {expected}");
    }

    #[test]
    fn the_shape_tells_index_from_manifest_and_both_is_neither() {
        let blob = format!(r#"{{"mediaType":"m","digest":"sha256:{}","size":3}}"#, "0".repeat(64));
        check(&format!(r#"{{"manifests":[{blob},{blob}]}}"#), "index of 2");
        check(&format!(r#"{{"config":{blob},"layers":[{blob}],"annotations":null}}"#), "manifest of 1");
        check(
            &format!(r#"{{"config":{blob},"layers":[],"manifests":[]}}"#),
            "the manifest of `x` is malformed: it is an index and a",
        );
        check(
            &format!(r#"{{"mediaType":"application/vnd.oci.image.index.v1+json","config":{blob},"layers":[]}}"#),
            "the manifest of `x` is malformed: its media type contradicts",
        );
        check(r#"{"schemaVersion":1,"fsLayers":[]}"#, "the manifest of `x` is not supported: it has the schema 1");
        check("{}", "the manifest of `x` is malformed: it lists neither");
        check(&blob.replace("\"size\":3", "\"size\":-3"), "the manifest of `x` is malformed: it lists neither");
        check(
            &format!(r#"{{"manifests":[{}]}}"#, blob.replace(":3", ":-3")),
            "the manifest of `x` is malformed: invalid value",
        );
        check(
            &format!(r#"{{"config":{blob},"layers":[{}]}}"#, vec![blob.as_str(); 501].join(",")),
            "the manifest of `x` is malformed: it lists more",
        );
    }

    #[test]
    fn nesting_is_bounded() {
        check(&"[".repeat(100_000), "the manifest of `x` is malformed");
        check(&format!(r#"{{"x":{}"#, "[".repeat(100_000)), "the manifest of `x` is malformed");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_a_document_or_an_error(bytes: Vec<u8>) {
            let _ = parse("x", &bytes);
        }
    }
}
