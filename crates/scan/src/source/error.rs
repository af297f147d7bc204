//! Why an image could not be opened.

use std::io;
use std::path::PathBuf;

use engines::EngineError;
use model::digest::Digest;

use crate::sandbox::Told;

use super::registry::RegistryError;

/// Why an image could not be opened or recognised.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Asked for the layers of something that has none.
    #[error("`{target}` has no layers to open")]
    NoLayers {
        /// The target.
        target: String,
    },
    /// A file could not be opened or read.
    #[error("could not read `{path}`")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A directory, pipe or device stands where a file is needed.
    #[error("`{path}` is not a regular file")]
    NotAFile {
        /// Which.
        path: PathBuf,
    },
    /// A compressed archive could not be unpacked to disk.
    #[error("could not unpack `{path}` to a temporary file")]
    Spool {
        /// The archive.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An archive that an engine sends could not be kept.
    #[error("could not fetch `{place}` to a temporary file")]
    Fetch {
        /// The image.
        place: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A document or archive breaks the rules of its format.
    #[error("{what} of `{place}` is malformed: {detail}")]
    Malformed {
        /// The archive, directory or image.
        place: String,
        /// Which part of it.
        what: String,
        /// What is wrong.
        detail: String,
    },
    /// A document is longer than documents of its kind ever are.
    #[error("{what} of `{place}` has more than {limit} bytes")]
    TooLarge {
        /// The archive, directory or image.
        place: String,
        /// Which part of it.
        what: String,
        /// The bound, in bytes.
        limit: u64,
    },
    /// Content does not have the digest it is named by.
    #[error("{what} of `{place}` should have the digest {expected}, but has {actual}")]
    DigestMismatch {
        /// The archive, directory or image.
        place: String,
        /// Which part of it.
        what: String,
        /// What it is named by.
        expected: Digest,
        /// What was computed here.
        actual: Digest,
    },
    /// Something the image consists of is not there.
    #[error("`{place}` lacks {what}")]
    Missing {
        /// The archive, directory or image.
        place: String,
        /// What is missing.
        what: String,
    },
    /// It is not clear which image is meant.
    #[error("`{place}` holds {} images: {}", names.len(), names.join(", "))]
    SeveralImages {
        /// The archive or directory.
        place: String,
        /// Their names, with positions.
        names: Vec<String>,
    },
    /// The selected image is not there.
    #[error("`{place}` holds no image `{selector}`, only {}", names.join(", "))]
    NoSuchImage {
        /// The archive or directory.
        place: String,
        /// What was asked for.
        selector: String,
        /// What there is.
        names: Vec<String>,
    },
    /// The image does not exist for the wanted platform.
    #[error("`{place}` has no image for {wanted}, only for {}", available.join(", "))]
    NoPlatform {
        /// The image.
        place: String,
        /// What was asked for.
        wanted: String,
        /// What there is.
        available: Vec<String>,
    },
    /// A format that is not read.
    #[error("{what} of `{place}` is not supported: {detail}")]
    Unsupported {
        /// The archive, directory or image.
        place: String,
        /// Which part of it.
        what: String,
        /// What it is.
        detail: String,
        /// The way out.
        hint: &'static str,
    },
    /// No engine on this machine has it, and the network may not be used.
    #[error("no engine on this machine has `{name}`, and `--offline` forbids the network")]
    Offline {
        /// The image.
        name: String,
    },
    /// The engine did not give it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The registry did not give it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Whoever was asked outside could not give it.
    #[error(transparent)]
    Outside(#[from] Told),
}

impl SourceError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::SeveralImages { place, .. } => Some(format!("choose one with `{place}:NAME` or `{place}:@0`")),
            Self::NoPlatform { available, .. } => {
                available.first().map(|first| format!("choose one with `--platform {first}`"))
            }
            Self::NotAFile { path } if path.is_dir() => {
                Some(format!("for a directory write `oci-dir:{0}` or `dir:{0}`", path.display()))
            }
            Self::NotAFile { .. } => Some("archives are read at random; save the stream to a file first".into()),
            Self::File { path, source }
                if source.kind() == io::ErrorKind::NotFound && path.to_string_lossy().contains(':') =>
            {
                Some("a path ends at its first colon; what follows selects an image".into())
            }
            Self::Spool { .. } => Some("unpack it yourself, or set TMPDIR to a directory with more space".into()),
            Self::Unsupported { hint, .. } => Some((*hint).into()),
            Self::DigestMismatch { .. } => {
                Some("the image was damaged or tampered with; fetch or save it again".into())
            }
            Self::Fetch { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("set TMPDIR or DOGWATCH_CACHE_DIR to a directory with more space".into())
            }
            Self::Offline { .. } => Some("scan without `--offline`, or save the image to a file and scan that".into()),
            Self::Engine(error) => error.hint(),
            Self::Registry(error) => error.hint(),
            Self::Outside(told) => told.hint(),
            _ => None,
        }
    }
}
