//! What is scanned: an image with its layers, a container, a file tree, a running machine, or somebody's bill of materials.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::host::Host;

/// One scanned thing and what identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Artifact {
    /// The target as the user wrote it.
    pub target: String,
    /// What sort of thing it is.
    pub kind: ArtifactKind,
    /// The names it is known by (`registry/repository:tag`), if any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The digest of the image manifest, computed here; none for archives that hold no manifest, and for trees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_digest: Option<Digest>,
    /// The digest of the image configuration ("image id"), computed here; for a container as its engine says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<Digest>,
    /// `os/architecture[/variant]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The layers, bottom first. A tree has none; a bill of materials those that it lists, of size 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Layer>,
    /// How the image was built, bottom first, with the steps that made no layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<HistoryStep>,
    /// What the image runs and how.
    #[serde(default)]
    pub config: ImageConfig,
    /// The annotations of the manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The known image that this one is built on, if recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseImage>,
    /// The container that is scanned, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// What the registry says refers to the image (signatures, attestations, bills of materials) when it was first read;
    /// none when no registry was asked or it did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referrers: Option<Vec<Referrer>>,
    /// What a host is beside its packages; none for everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
    /// The git working tree that it is; none for any other artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_tree: Option<WorkingTree>,
}

/// The git working tree that a directory is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct WorkingTree {
    /// The commit that is checked out; none before the first, or where it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The branch that is checked out, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Where `origin` is, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Whether tracked files are others than the commit's, as far as the index says; none where that could not be told.
    /// What is checked out inside (submodules) does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty: Option<bool>,
}

/// A container, as its engine describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Container {
    /// The engine: `docker`, `podman`.
    pub engine: String,
    /// Its id, 64 hex digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The image's name when the container was made.
    pub image: String,
    /// `running`, `exited`, `paused`, …
    pub state: String,
}

/// A manifest that refers to the image (OCI distribution specification, "Listing Referrers").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Referrer {
    /// Its digest.
    pub digest: Digest,
    /// What it is: an artifact type, else its media type.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Artifact {
    /// An artifact of this kind about which nothing else is known yet.
    pub fn new(target: impl Into<String>, kind: ArtifactKind) -> Self {
        Self {
            target: target.into(),
            kind,
            names: Vec::new(),
            manifest_digest: None,
            image_id: None,
            platform: None,
            layers: Vec::new(),
            history: Vec::new(),
            config: ImageConfig::default(),
            annotations: BTreeMap::new(),
            base: None,
            container: None,
            referrers: None,
            host: None,
            working_tree: None,
        }
    }
}

/// The sorts of things that can be scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ArtifactKind {
    /// A container image.
    Image,
    /// A container: its image and what it wrote since.
    Container,
    /// A directory: a root file system or a source tree.
    Directory,
    /// A machine, while it runs.
    Host,
    /// A bill of materials somebody else wrote.
    Sbom,
}

/// One file-system layer of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Layer {
    /// Digest of the uncompressed layer, computed here; for a container as its engine says.
    pub diff_id: Digest,
    /// Digest of the layer as it is stored or sent (compressed or not), computed here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Uncompressed size in bytes; 0 where it is not known.
    pub size: u64,
    /// The build step that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Whether it belongs to the base image or to what was put on top.
    pub origin: Origin,
}

/// One step of the image's history, also those that made no layer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct HistoryStep {
    /// When, as the builder wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// The builder's remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The step changed no files.
    #[serde(default)]
    pub empty_layer: bool,
}

/// What the image runs and how (OCI image configuration, `config`).
///
/// Environment values are left out: they often hold secrets, and nothing here reads them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ImageConfig {
    /// The user (and group) processes start as; empty and absent mean root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The entrypoint's argument vector.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// The default arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// The working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Exposed ports, `8080/tcp`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exposed_ports: Vec<String>,
    /// Declared volumes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// When the image says it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
}

/// The known image that another is built on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BaseImage {
    /// Its name, as it was registered or annotated.
    pub name: String,
    /// Its manifest digest, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// How many of the lowest layers are its; none when only its name is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_count: Option<u32>,
    /// How it was recognised.
    pub recognised_by: BaseEvidence,
}

/// How a base image was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BaseEvidence {
    /// Its chain of layer diff ids is the beginning of this image's.
    DiffIds,
    /// The image's `org.opencontainers.image.base.*` annotations or labels say so.
    Annotation,
}

/// Which part of an image something comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The recognised base image.
    Base,
    /// What was put on top of the base, or everything where there are no layers.
    Application,
    /// No base image was recognised.
    #[default]
    Unknown,
}
