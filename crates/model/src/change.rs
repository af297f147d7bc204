//! What a container has that its image has not, and the other way round.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::integrity::FileKind;
use crate::package::PackageType;

/// How a container differs from the image it was made from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Changes {
    /// Files that may be run or loaded, and package databases, by path.
    pub files: Vec<FileChange>,
    /// Packages, by type and name.
    pub packages: Vec<PackageChange>,
    /// How many further files, links and deletions the container has written, which nobody runs or loads.
    pub other_files: u64,
}

/// What happened to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// The image does not have it.
    Added,
    /// The image has another one.
    Modified,
    /// Only the image has it.
    Deleted,
}

impl ChangeKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
        }
    }
}

/// One file that differs: in its content or in its permissions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileChange {
    /// Absolute path inside the container; bytes that are not UTF-8 are escaped as `\xNN`.
    pub path: String,
    /// What happened to it.
    pub change: ChangeKind,
    /// What sort of file it is, or was.
    pub kind: FileKind,
    /// SHA-256 of what it is in the container; none when it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// Permission bits in the container, in octal: `0755`; none when it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// SHA-256 of what it is in the image; none when it was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was_sha256: Option<Digest>,
    /// Permission bits in the image; none when it was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was_mode: Option<String>,
    /// The purl of the package that brings it, in the container or else in the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
}

/// One package that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PackageChange {
    /// What happened to it; another version is a modification.
    pub change: ChangeKind,
    /// The sort of package (the purl type).
    #[serde(rename = "type")]
    pub kind: PackageType,
    /// Its name.
    pub name: String,
    /// The version in the container; none when it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version in the image; none when it was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was_version: Option<String>,
}
