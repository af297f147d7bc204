//! Why a scan could not answer.

use std::io;
use std::path::PathBuf;

use crate::container::ContainerError;
use crate::sandbox::{SandboxError, Told};
use crate::source::{GitError, SourceError};
use crate::walk::directory::DirectoryError;
use crate::walk::layer::LayerError;

/// Why a scan could not answer. A refusal by policy is not an error: it is a verdict.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The image could not be found or opened.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A layer could not be read, or is not the one the image names.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The container could not be looked into.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// The git working tree could not be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The directory could not be read.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The bill of materials could not be read.
    #[error("`{path}` cannot be read")]
    SbomFile {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The bill of materials is not one.
    #[error("`{path}` is not a bill of materials that Dogwatch reads")]
    Sbom {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: formats::sbom::SbomError,
    },
    /// The advisory index is damaged.
    #[error(transparent)]
    Index(#[from] model::advisory::IndexDamage),
    /// A cache entry vanished during the scan.
    #[error("the cache lost the integrity model while it was needed")]
    CacheLost,
    /// The sandboxed process that read the target says so.
    #[error(transparent)]
    Told(#[from] Told),
    /// There is no sandbox, or what was in it is not to be trusted.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A mistake of ours.
    #[error("internal error: please report what was scanned")]
    Internal,
}

impl ScanError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Source(error) => error.hint(),
            Self::Told(told) => told.hint(),
            Self::Sandbox(error) => error.hint(),
            Self::Container(error) => error.hint(),
            Self::Git(error) => error.hint(),
            Self::Layer(LayerError::WrongDigest { .. }) => {
                Some("the image was damaged or tampered with: fetch it again".into())
            }
            Self::Layer(LayerError::Encrypted { .. }) => Some("decrypt the image first; Dogwatch holds no keys".into()),
            Self::Sbom { source, .. } => source.hint().map(str::to_owned),
            Self::Index(_) => Some("build the index again with `dogwatch advisories build`".into()),
            Self::CacheLost => Some("scan again, or use `--no-cache`".into()),
            _ => None,
        }
    }
}

/// An error with its causes, as one sentence.
pub(crate) fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
