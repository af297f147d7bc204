//! An engine's images.
//!
//! Source: Docker Engine API 1.41 and later, "Inspect an image" and "Export an image"; Podman's libpod API 4.0 and later,
//! which has the same under other paths (Docker's own paths there leave out what `localhost/` names and the format).

use model::digest::Digest;
use serde::{Deserialize, Deserializer, Serialize};

use crate::EngineKind;
use crate::body::EngineBody;
use crate::containerd;
use crate::error::EngineError;
use crate::http::{Engine, printable};

/// An image that an engine has, as the engine describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineImage {
    /// What the engine knows it by. Mostly the digest of its configuration; that of a manifest or index where Docker keeps
    /// its images in containerd.
    pub id: Digest,
    /// Its tags, `repository:tag`, then the digests it has in registries, `repository@sha256:…`.
    pub names: Vec<String>,
    /// How the engine gives it away.
    pub format: ImageFormat,
    /// The diff ids of its layers, bottom first, as the engine says; empty for containerd, which does not.
    pub diff_ids: Vec<Digest>,
    /// `os/architecture[/variant]`, as the engine says; none for containerd.
    pub platform: Option<String>,
}

/// What an engine gives for an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageFormat {
    /// What `docker save` writes.
    Docker,
    /// A tar file of an OCI image layout.
    Oci,
    /// Its documents and layers one by one, from a namespace of containerd's: see [`crate::Content`].
    Content {
        /// The namespace.
        namespace: String,
    },
}

/// The part of an image's description that is of use here.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    repo_tags: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    repo_digests: Vec<String>,
    #[serde(default, deserialize_with = "or_default", rename = "RootFS")]
    root_fs: RootFs,
    #[serde(default, deserialize_with = "or_default")]
    os: String,
    #[serde(default, deserialize_with = "or_default")]
    architecture: String,
    #[serde(default, deserialize_with = "or_default")]
    variant: String,
    /// Podman: the media type of the manifest.
    #[serde(default, deserialize_with = "or_default")]
    manifest_type: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct RootFs {
    #[serde(default, deserialize_with = "or_default")]
    layers: Vec<Digest>,
}

impl Described {
    fn platform(&self) -> Option<String> {
        let Self { os, architecture, variant, .. } = self;
        let parts = [os, architecture, variant].map(|part| printable(part));
        let given = parts.iter().take_while(|part| !part.is_empty()).count();
        (given >= 2).then(|| parts[..given].join("/"))
    }
}

/// Go writes `null` for an empty list, map or string.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Engine {
    /// Looks an image up by name, id or the beginning of an id. containerd knows names only in full.
    pub fn image(&self, name: &str) -> Result<EngineImage, EngineError> {
        if self.kind == EngineKind::Containerd {
            return containerd::image(self, name);
        }
        let what = format!("the image `{}`", printable(name));
        let described: Described = self.document(&format!("{}/images/{name}/json", self.base()), &what)?;
        let no_id = || self.malformed(&what, &format!("`{}` is no image id", described.id));
        let id = digest(&described.id).ok_or_else(no_id)?;
        let mut names: Vec<String> =
            described.repo_tags.iter().chain(&described.repo_digests).map(|name| printable(name)).collect();
        // What Docker 20 calls an image without a name.
        names.retain(|name| !name.starts_with("<none>"));
        let format = match self.kind {
            // Saved in the other format an image would get another configuration, and so another id.
            EngineKind::Podman if described.manifest_type.starts_with("application/vnd.oci") => ImageFormat::Oci,
            _ => ImageFormat::Docker,
        };
        let platform = described.platform();
        Ok(EngineImage { id, names, format, diff_ids: described.root_fs.layers, platform })
    }

    /// The image as a tar file, for the two formats that are one. By id, so that it is the one that was looked up whatever
    /// its name stands for by now.
    pub fn save(&self, image: &EngineImage) -> Result<EngineBody, EngineError> {
        let (id, query) = match (self.kind, &image.format) {
            (EngineKind::Podman, ImageFormat::Oci) => (image.id.hex(), "?format=oci-archive"),
            (EngineKind::Podman, _) => (image.id.hex(), "?format=docker-archive"),
            _ => (image.id.to_string(), ""),
        };
        self.stream(&format!("{}/images/{id}/get", self.base()), query, &format!("the image {}", image.id))
    }

    /// What stands before the path of a question. Docker answers a path without version by its newest.
    pub(crate) fn base(&self) -> &'static str {
        match self.kind {
            EngineKind::Podman => "/v4.0.0/libpod",
            _ => "",
        }
    }
}

pub(crate) fn understands(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Described>(bytes).is_ok_and(|described| described.platform().is_some())
}

/// An id, which Podman writes without algorithm.
pub(crate) fn digest(id: &str) -> Option<Digest> {
    Digest::parse(id).or_else(|_| Digest::parse(&format!("sha256:{id}"))).ok()
}
