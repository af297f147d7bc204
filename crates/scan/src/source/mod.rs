//! Where images come from: engines, registries, archives, directories.
//!
//! [`open`] finds the image a target means and returns what its documents say (names, platform, history,
//! configuration) with one [`LayerBlob`] per layer. Manifests and configurations are hashed here and a wrong digest is
//! an error; layers are only located here, since whoever reads them once can hash them in the same pass.
//! [`identify`] answers cheaply whether the target still is what an earlier scan saw.
//!
//! Everything is blocking: the pipeline is a few threads that decompress and hash, and reads of one layer happen one
//! after the other anyway (docs/adr/ has the decision). Do not call this from inside an async runtime's worker.
//! **Never:** nothing is taken from a URL that an image names (`urls` of foreign layers), only from the target itself.

mod archive;
mod blob;
mod config;
mod docker_archive;
mod document;
mod engine;
mod error;
pub(crate) mod git;
mod oci_layout;
mod platform;
pub(crate) mod provide;
mod registry;
mod tar_index;

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use model::artifact::Artifact;
use model::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::target::{Pattern, Target};

pub use blob::{Compression, LayerBlob, UnsupportedCompression};
pub(crate) use config::run_config;
pub use document::Descriptor;
pub use engine::Located;
pub(crate) use engine::names;
pub use error::SourceError;
pub use git::{GitError, uncommitted};
pub use platform::{Platform, PlatformError};
pub use provide::Outside;
pub use registry::{
    ArtifactFile, Attached, Attachments, Credentials, ListBounds, Listing, Mirror, MirrorError, Pace, RegistryArtifact,
    RegistryError, RegistryOptions, Shared, http_client, understands_challenge,
};
pub use reqwest::Error as HttpError;
pub use reqwest::blocking::{Client as HttpClient, RequestBuilder as HttpRequest};

/// How to open images.
#[derive(Debug, Clone, Default)]
pub struct SourceOptions {
    /// The platform to take from a multi-platform image. None takes an image of a single platform as it is, and
    /// `linux` on this machine's architecture otherwise.
    pub platform: Option<Platform>,
    /// Where an archive that is compressed as a whole is unpacked; none means the system's temporary directory.
    pub spool_dir: Option<PathBuf>,
    /// Ask nobody beyond this machine for an image that is given by its name alone.
    pub offline: bool,
    /// How to talk to registries.
    pub registry: RegistryOptions,
    /// Where to ask for what is elsewhere, in a process that may not do so itself: see [`crate::sandbox`].
    pub outside: Option<Outside>,
}

/// An image whose documents were read and verified, and whose layers can be read.
#[derive(Debug)]
pub struct OpenImage {
    /// What the documents say. `layers` is empty: the walker fills it in while it reads them.
    pub artifact: Artifact,
    /// The layers, bottom first.
    pub layers: Vec<LayerBlob>,
    /// What an unchanged target is recognised by, without reading it again.
    pub identity: SourceIdentity,
}

/// What an unchanged image is recognised by without reading it.
///
/// Two equal identities mean the same image as far as the file system or the registry can say. It is a reason to use
/// an inventory made earlier, whose digests were computed then; it is no proof of content.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SourceIdentity {
    /// An image in local files, none of which was touched since.
    Files {
        /// Every file the image consists of, in the order of use.
        files: Vec<FileStamp>,
        /// Which image of the files: selector and platform.
        selection: String,
    },
    /// An image of an engine on this machine, by content.
    Engine {
        /// Which engine.
        engine: String,
        /// What the engine knows the image by.
        image: Digest,
        /// Which image of an index: the platform.
        selection: String,
    },
    /// An image in a registry, by content.
    Manifest {
        /// The digest of the manifest or index that the reference resolves to.
        digest: Digest,
        /// Which image of an index: the platform.
        selection: String,
    },
}

/// What can be said of a target without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What it is recognised by.
    pub identity: SourceIdentity,
    /// What it is called now, where names can change while the image stays the same.
    pub names: Option<Vec<String>>,
}

impl SourceIdentity {
    /// Whether the target, opened after `moment`, would have another identity if it was changed since.
    pub fn is_settled_at(&self, moment: SystemTime) -> bool {
        match self {
            Self::Files { files, .. } => files.iter().all(|stamp| stamp.is_settled_at(moment)),
            Self::Engine { .. } | Self::Manifest { .. } => true,
        }
    }
}

/// What tells this machine, since it was started, from any other: device and inode numbers mean nothing elsewhere, and
/// machines may share a cache. Empty where the kernel does not say.
pub(crate) fn machine() -> &'static str {
    static BOOT_ID: OnceLock<String> = OnceLock::new();
    BOOT_ID.get_or_init(|| std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default())
}

/// What changes when a file is written to or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileStamp {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Size in bytes.
    pub size: u64,
    /// Time of the last write, in nanoseconds since 1970.
    pub modified_ns: i128,
    /// Time of the last change of content or metadata, in nanoseconds since 1970. It cannot be set back by a user.
    pub changed_ns: i128,
}

/// File systems stamp files by a clock that ticks every few milliseconds (4 to 10 on Linux), so a file written twice within
/// one tick has the same times both times.
const CLOCK_TICK_NS: i128 = 20_000_000;

impl FileStamp {
    /// Whether its last change was so long before `moment` that a change since then would show. The moment must be one
    /// before the stamp was taken: a write between the two would otherwise pass unseen.
    pub fn is_settled_at(&self, moment: SystemTime) -> bool {
        let since_1970 = moment.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        i128::try_from(since_1970).is_ok_and(|moment| moment - self.changed_ns > CLOCK_TICK_NS)
    }

    /// The stamp of an open file.
    pub fn of(file: &File) -> std::io::Result<Self> {
        let metadata = file.metadata()?;
        let ns = |secs: i64, nsec: i64| i128::from(secs) * 1_000_000_000 + i128::from(nsec);
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// Finds the image that `target` means and reads its documents.
///
/// # Errors
/// When the target is a directory, a container or a bill of materials (they hold no layers to fetch), when it cannot be read, when what it
/// says does not have the digest it is named by, and when it is not clear which image is meant.
pub fn open(target: &Target, options: &SourceOptions) -> Result<OpenImage, SourceError> {
    let text = target.to_string();
    match target {
        Target::Image(reference) => open(&engine::locate(reference, options)?.target, options),
        Target::Engine(kind, name) => engine::open(text, *kind, name, options),
        Target::Registry(reference) => registry::open(text, reference, options),
        Target::DockerArchive(located) => docker_archive::open(text, located, options),
        Target::OciDir(located) => oci_layout::open_dir(text, located, options),
        Target::OciArchive(located) => oci_layout::open_archive(text, located, options),
        Target::Dir(_)
        | Target::File(_)
        | Target::Git(_)
        | Target::GitUrl(_)
        | Target::Host
        | Target::Sbom(_)
        | Target::Container(_) => Err(SourceError::NoLayers { target: text }),
    }
}

/// Finds out where an image is that was given by its name alone; none for every other target.
pub fn locate(target: &Target, options: &SourceOptions) -> Result<Option<Located>, SourceError> {
    match target {
        Target::Image(reference) => engine::locate(reference, options).map(Some),
        _ => Ok(None),
    }
}

/// Says what `target` is recognised by now, doing as little as possible: one request to an engine, one `HEAD` request for a
/// tag (a few when the registry wants a token), nothing for a digest, one `stat` for an archive, the documents of a
/// directory.
///
/// Equals the identity that [`open`] returns as long as nothing changed.
pub fn identify(target: &Target, options: &SourceOptions) -> Result<Known, SourceError> {
    if let Some(outside) = options.outside.as_ref().filter(|_| target.is_elsewhere()) {
        return outside.known();
    }
    let identity = match target {
        Target::Image(reference) => return identify(&engine::locate(reference, options)?.target, options),
        Target::Engine(kind, name) => return engine::identify(*kind, name, options),
        Target::Registry(reference) => registry::identify(reference, options)?,
        Target::DockerArchive(located) | Target::OciArchive(located) => archive::identify(located, options)?,
        // Its documents must be read to know it; what holds no layers says so there.
        _ => open(target, options)?.identity,
    };
    Ok(Known { identity, names: None })
}

/// The target that a file or directory is which holds an image, told by its members: what `docker save` writes, else an
/// OCI image layout. For callers whose users do not say which; a target's own prefix always does.
pub fn archive_target(path: &Path, options: &SourceOptions) -> Result<Target, SourceError> {
    let located = crate::target::Located { path: path.to_owned(), selector: None };
    if path.is_dir() {
        return Ok(Target::OciDir(located));
    }
    let is_docker = docker_archive::is_one(path, options)?;
    Ok(if is_docker { Target::DockerArchive(located) } else { Target::OciArchive(located) })
}

/// Lists the images of a registry that match a pattern, within bounds; the listing says what they leave out.
pub fn list(pattern: &Pattern, bounds: ListBounds, options: &SourceOptions) -> Result<Listing, SourceError> {
    Ok(registry::list(pattern, bounds, options)?)
}

/// Lists what refers to the manifest `subject` in the target's registry: signatures, attestations, bills of materials.
/// Empty for targets that are not in a registry, and for a bare name of an image that an engine has.
pub fn referrers(target: &Target, subject: &Digest, options: &SourceOptions) -> Result<Vec<Descriptor>, SourceError> {
    match target {
        Target::Image(reference) => referrers(&engine::locate(reference, options)?.target, subject, options),
        Target::Registry(reference) => registry::referrers(reference, subject, options),
        _ => Ok(Vec::new()),
    }
}

/// Fetches the documents attached to an image that may say what its findings mean (VEX). None for targets that are not
/// in a registry: what is attached stays there.
pub fn attached(target: &Target, image: &Digest, options: &SourceOptions) -> Result<Option<Attachments>, SourceError> {
    match target {
        Target::Image(reference) => attached(&engine::locate(reference, options)?.target, image, options),
        Target::Registry(reference) => registry::attached(reference, image, options).map(Some),
        _ => Ok(None),
    }
}
