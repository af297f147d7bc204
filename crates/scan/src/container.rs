//! A container's own file system: its image's layers and what it wrote, read where the engine keeps them.
//!
//! The directories that the kernel stacks for the container are read one by one and stacked here, so that a stopped
//! container is read like a running one, nothing of the image is copied, nothing that is mounted into the container is
//! taken for its own, and what it changed is the difference between the stack without and with its own directory. Where
//! the engine keeps no such directories, the tree of the running container is read as it is and compared with its image.
//!
//! **Never:** nothing is mounted, started, stopped or written.

mod processes;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use engines::{Engine, EngineContainer, EngineError, EngineImage, EngineKind, Overlay};
use inventory::assemble::{Assembled, Stacking, assemble};
use inventory::change;
use inventory::content::Spool;
use inventory::entry::EntryTable;
use inventory::layer::LayerFacts;
use model::artifact::{self, Artifact, ArtifactKind, Layer, Origin};
use model::change::Changes;
use model::gap::{Gap, GapKind};

use crate::bases::Bases;
use crate::source::run_config;
use crate::target::Target;
use crate::walk::directory::{DirectoryError, read_mounted, read_overlay};
use crate::walk::try_in_parallel;

use super::inspect::{image_catalogers, with_base};

/// The engines that run containers by themselves.
const ENGINES: [EngineKind; 2] = [EngineKind::Docker, EngineKind::Podman];

/// Why a container could not be looked into.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// No engine here has it.
    #[error("{} no container `{name}`", has(asked))]
    NotFound {
        /// What was asked for.
        name: String,
        /// The engines that said so.
        asked: Vec<EngineKind>,
    },
    /// Its files are there and may not be read.
    #[error("the files of container `{name}` may not be read: `{path}`")]
    NotPermitted {
        /// The container.
        name: String,
        /// What could not be read.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The engine keeps its files in a way that is not read, and there is no process to look through.
    #[error("the files of container `{name}` cannot be found: {why}")]
    NoFiles {
        /// The container.
        name: String,
        /// Why.
        why: String,
    },
    /// Its files could not be read.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The engine did not say what was asked.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

fn has(asked: &[EngineKind]) -> String {
    let names: Vec<&str> = asked.iter().map(|kind| kind.prefix()).collect();
    format!("{} {}", names.join(" and "), if names.len() == 1 { "has" } else { "have" })
}

impl ContainerError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { .. } => Some("`docker ps --all` and `podman ps --all` list what there is".into()),
            Self::NotPermitted { .. } => Some("run as root: an engine's files are root's alone".into()),
            Self::NoFiles { .. } => Some("start the container, or scan its image".into()),
            Self::Engine(error) => error.hint(),
            Self::Directory(_) => None,
        }
    }
}

/// What was found in a container.
pub(crate) struct Found {
    pub(crate) artifact: Artifact,
    pub(crate) assembled: Assembled,
    pub(crate) changes: Option<Changes>,
    /// Where something is mounted into it.
    mounted_at: Vec<String>,
}

/// Looks into a container.
pub(crate) fn look(
    target: String,
    name: &str,
    spool: &(dyn Spool + Sync),
    bases: &Bases,
) -> Result<Found, ContainerError> {
    let (engine, container) = find(name)?;
    // The image may have been removed; the container still has its files.
    let image = container.image.as_ref().and_then(|id| engine.image(&id.to_string()).ok());
    let artifact = describe(target, &engine, &container, image.as_ref());
    let directories = container.overlay.as_ref().filter(|overlay| is_there(overlay));
    let mut found = match directories {
        Some(overlay) => stacked(artifact, overlay, &container, spool, bases)?,
        None => mounted(artifact, &container, spool)?,
    };
    let gaps = &mut found.assembled.inventory.gaps;
    gaps.extend(container.mounts.iter().map(|mount| {
        let source = if mount.source.is_empty() { String::new() } else { format!(" `{}`", mount.source) };
        let detail = format!("mounted into the container ({}{source}); not looked at", mount.kind);
        Gap::new(GapKind::Unreadable, mount.destination.clone(), detail)
    }));
    found.mounted_at = container.mounts.iter().map(|mount| mount.destination.clone()).collect();
    gaps.extend(container.pid.iter().flat_map(|pid| processes::deleted_programs(*pid)));
    Ok(found)
}

/// The first engine that has it. An engine that cannot be asked is an error only if no other has it.
fn find(name: &str) -> Result<(Engine, EngineContainer), ContainerError> {
    let mut asked = Vec::new();
    let mut failed = None;
    for kind in ENGINES {
        match Engine::find(kind).and_then(|engine| Ok((engine.container(name)?, engine))) {
            Ok((container, engine)) => return Ok((engine, container)),
            Err(EngineError::NotFound { .. }) => asked.push(kind),
            // That nobody is there is worth saying only if nobody is anywhere.
            Err(error @ EngineError::NoSocket { .. }) => failed = failed.or(Some(error)),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if asked.is_empty() || !matches!(error, EngineError::NoSocket { .. }) => Err(error.into()),
        _ => Err(ContainerError::NotFound { name: name.into(), asked }),
    }
}

fn describe(target: String, engine: &Engine, container: &EngineContainer, image: Option<&EngineImage>) -> Artifact {
    let mut artifact = Artifact::new(target, ArtifactKind::Container);
    artifact.container = Some(artifact::Container {
        engine: engine.kind().prefix().into(),
        id: container.id.clone(),
        name: container.name.clone(),
        image: container.image_name.clone(),
        state: container.state.clone(),
    });
    artifact.image_id = container.image.clone();
    artifact.config = run_config(container.config.clone());
    let Some(image) = image else { return artifact };
    artifact.names = crate::source::names(image, &container.image_name);
    artifact.platform = image.platform.clone();
    let layer = |diff_id: &model::digest::Digest| Layer {
        diff_id: diff_id.clone(),
        digest: None,
        size: 0,
        created_by: None,
        origin: Origin::Unknown,
    };
    artifact.layers = image.diff_ids.iter().map(layer).collect();
    artifact
}

/// Whether this machine has the directories under these names; an engine in a virtual machine has others.
fn is_there(overlay: &Overlay) -> bool {
    let missing = |path: &Path| fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    !missing(&overlay.upper) && !overlay.lower.iter().any(|path| missing(path))
}

/// Reads and stacks the directories of an overlay.
fn stacked(
    mut artifact: Artifact,
    overlay: &Overlay,
    container: &EngineContainer,
    spool: &(dyn Spool + Sync),
    bases: &Bases,
) -> Result<Found, ContainerError> {
    let paths: Vec<&PathBuf> = overlay.lower.iter().chain([&overlay.upper]).collect();
    paths.iter().try_for_each(|path| permitted(path, container))?;
    let catalogers = image_catalogers();
    let layers = try_in_parallel(&paths, |_| 0, |path| read_overlay(path, &catalogers, spool))?;
    // Docker puts a layer of its own between the image's and the container's. Where the directories are not at least as
    // many as the image's layers, they are not those layers one by one.
    if artifact.layers.len() > overlay.lower.len() {
        artifact.layers.clear();
    }
    let artifact = with_base(artifact, bases);
    let stacking = Stacking { layered: true, base_layers: artifact.base.as_ref().and_then(|base| base.layer_count) };
    let image = assemble(&layers[..overlay.lower.len()], stacking);
    let mut assembled = assemble(&layers, stacking);
    let written = layers.last().map(|layer| &layer.entries);
    let changes = written.map(|written| change::between(&image, &assembled, written));
    if !is_root() {
        let detail =
            "only root sees which directories hide what the image has in them; files that were deleted so are listed";
        assembled.inventory.gaps.push(Gap::new(GapKind::Unreadable, "changes", detail));
    }
    only_layers_below(&mut assembled, artifact.layers.len() as u32);
    Ok(Found { artifact, assembled, changes, mounted_at: Vec::new() })
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn permitted(path: &Path, container: &EngineContainer) -> Result<(), ContainerError> {
    match fs::read_dir(path) {
        Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
            Err(ContainerError::NotPermitted { name: container.name.clone(), path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Forgets the numbers of layers that are the container's and not the image's.
fn only_layers_below(assembled: &mut Assembled, count: u32) {
    let keep = |layer: &mut Option<u32>| *layer = layer.filter(|layer| *layer < count);
    for package in &mut assembled.inventory.packages {
        if package.layer.is_some_and(|layer| layer >= count) {
            package.origin = Origin::Application;
        }
        keep(&mut package.layer);
        package.evidence.iter_mut().for_each(|evidence| keep(&mut evidence.layer));
    }
    assembled.inventory.gaps.iter_mut().for_each(|gap| keep(&mut gap.layer));
    assembled.integrity.iter_mut().for_each(|file| keep(&mut file.layer));
}

/// Reads the tree of a running container as its first process sees it, without what is mounted into it.
fn mounted(
    artifact: Artifact,
    container: &EngineContainer,
    spool: &(dyn Spool + Sync),
) -> Result<Found, ContainerError> {
    let no_files = |why: &str| ContainerError::NoFiles { name: container.name.clone(), why: why.into() };
    let pid = container.pid.ok_or_else(|| no_files("it does not run, and its engine keeps no overlay of it here"))?;
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    if !processes::belongs_to(pid, &container.id) {
        return Err(no_files("its engine runs it on another machine"));
    }
    permitted(&root, container)?;
    let facts: LayerFacts = read_mounted(&root, &image_catalogers(), spool)?;
    let assembled = assemble(&[facts], Stacking { layered: false, base_layers: None });
    Ok(Found {
        artifact: Artifact { layers: Vec::new(), ..artifact },
        assembled,
        changes: None,
        mounted_at: Vec::new(),
    })
}

impl Found {
    /// The image to compare with, where what the container changed is not known yet.
    pub(crate) fn image_to_compare(&self) -> Option<Target> {
        let container = self.artifact.container.as_ref().filter(|_| self.changes.is_none())?;
        let kind = ENGINES.into_iter().find(|kind| kind.prefix() == container.engine)?;
        Some(Target::Engine(kind, self.artifact.image_id.as_ref()?.to_string()))
    }

    /// Compares with the image as a scan of it found it. What lies below something that is mounted is neither there nor
    /// deleted. None for an image that could not be had.
    pub(crate) fn compare(&mut self, image: Option<Assembled>) {
        let Some(mut image) = image else {
            let detail = "its image could not be had, so what it changed was not looked at";
            self.assembled.inventory.gaps.push(Gap::new(GapKind::Unreadable, "changes", detail));
            return;
        };
        let below = |path: &str, mount: &str| path.strip_prefix(mount).is_some_and(|rest| rest.starts_with('/'));
        image.integrity.retain(|file| !self.mounted_at.iter().any(|mount| below(&file.path, mount)));
        self.changes = Some(change::between(&image, &self.assembled, &EntryTable::default()));
    }
}
