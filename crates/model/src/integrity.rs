//! The integrity model: what an image may run and contain.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// The version of the document; it rises when a reader of the old one could misread the new one.
pub const INTEGRITY_MODEL_VERSION: u32 = 1;

/// What an image may run and contain, bound to its digest. The sensor judges drift against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IntegrityModel {
    /// [`INTEGRITY_MODEL_VERSION`].
    pub schema_version: u32,
    /// The manifest digest, where the image has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_digest: Option<Digest>,
    /// The digest of the image's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<Digest>,
    /// `os/architecture[/variant]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The user processes start as; none means root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The entrypoint's argument vector.
    pub entrypoint: Vec<String>,
    /// The default arguments.
    pub cmd: Vec<String>,
    /// Every executable, shared library, script, jar and package database, by path.
    pub files: Vec<IntegrityFile>,
    /// What could not be read, so that its absence from `files` means nothing.
    pub gaps: Vec<crate::gap::Gap>,
}

/// One file that may be run or loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IntegrityFile {
    /// Absolute path inside the container; bytes that are not UTF-8 are escaped as `\xNN`.
    pub path: String,
    /// What sort of file it is.
    pub kind: FileKind,
    /// SHA-256 of its content.
    pub sha256: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Permission bits with setuid, setgid and sticky, in octal: `0755`.
    pub mode: String,
    /// The purl of the package that brings it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The layer that brings it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<u32>,
}

/// The sorts of files whose content is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// An ELF or other native program.
    Executable,
    /// A native shared library.
    Library,
    /// A program for an interpreter: `#!`, or a file name an interpreter loads.
    Script,
    /// A Java archive.
    Jar,
    /// A package manager's database.
    PackageDatabase,
}
