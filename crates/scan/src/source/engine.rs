//! Images that an engine on this machine has.
//!
//! Docker and Podman send an archive, which is kept in a temporary file and read like any other; containerd gives documents
//! and layers by digest, as a registry does. An id says what the image is, so an image that was scanned before is not
//! fetched again, whatever it is called by now.

use std::io::{self, Read};
use std::time::Duration;

use engines::{Content, Engine, EngineError, EngineImage, EngineKind, ImageFormat};
use model::artifact::Artifact;
use model::digest::Digest;

use crate::target::{Reference, Target};

use super::archive::{self, Archive, SPOOL_BYTES_MAX};
use super::blob::{LayerBlob, Stored};
use super::document::{self, CONFIG_BYTES_MAX, Descriptor, MANIFEST_BYTES_MAX, Store};
use super::error::SourceError;
use super::provide::{Outside, OutsideStore, Question};
use super::{Known, OpenImage, SourceIdentity, SourceOptions, docker_archive, oci_layout};

/// How long an engine may take to say whether it has an image, when the registry can be asked as well.
const ASKED_FIRST_PATIENCE: Duration = Duration::from_secs(3);

/// What the image is known by now.
pub(super) fn identify(kind: EngineKind, name: &str, options: &SourceOptions) -> Result<Known, SourceError> {
    let image = Engine::find(kind)?.image(&asked_for(kind, name))?;
    Ok(Known { identity: identity(kind, &image, options), names: Some(names(&image, name)) })
}

/// An image's names in full, as a registry's have them, the one that was asked for first.
pub(crate) fn names(image: &EngineImage, asked: &str) -> Vec<String> {
    let full = |name: &str| name.parse::<Reference>().map_or_else(|_| name.to_owned(), |name| name.to_string());
    let mut names: Vec<String> = image.names.iter().map(|name| full(name)).collect();
    let asked = full(asked);
    names.sort_by_key(|name| *name != asked);
    names
}

/// A name as the engine knows it. Only containerd has no rules for short ones.
pub(super) fn asked_for(kind: EngineKind, name: &str) -> String {
    let is_id = name.bytes().all(|b| b.is_ascii_hexdigit()) || name.starts_with("sha256:");
    match name.parse::<Reference>() {
        Ok(reference) if kind == EngineKind::Containerd && !is_id => reference.to_string(),
        _ => name.to_owned(),
    }
}

fn identity(kind: EngineKind, image: &EngineImage, options: &SourceOptions) -> SourceIdentity {
    let selection = archive::selection(None, options.platform.as_ref());
    SourceIdentity::Engine { engine: kind.prefix().into(), image: image.id.clone(), selection }
}

/// Reads an image's documents; Docker and Podman send it as a whole for that.
pub(super) fn open(
    target: String,
    kind: EngineKind,
    name: &str,
    options: &SourceOptions,
) -> Result<OpenImage, SourceError> {
    let (image, (mut artifact, layers)) = match &options.outside {
        Some(outside) => fetched_outside(&target, outside, options)?,
        None => fetched(&target, Engine::find(kind)?, &asked_for(kind, name), options)?,
    };
    let identity = identity(kind, &image, options);
    artifact.target = target;
    artifact.names = names(&image, name);
    Ok(OpenImage { artifact, layers, identity })
}

/// What the engine says of an image, and what its documents say.
type Fetched = (EngineImage, (Artifact, Vec<LayerBlob>));

fn fetched(place: &str, engine: Engine, asked: &str, options: &SourceOptions) -> Result<Fetched, SourceError> {
    let image = engine.image(asked)?;
    let read = match &image.format {
        ImageFormat::Content { namespace } => {
            let store = ContentStore::new(Content::new(engine, namespace.clone()), place.into());
            content(&store, store.document(&image.id, "the manifest", MANIFEST_BYTES_MAX)?, &image.id, options)?
        }
        _ => saved(place, &mut engine.save(&image)?, &image, options)?,
    };
    Ok((image, read))
}

fn fetched_outside(place: &str, outside: &Outside, options: &SourceOptions) -> Result<Fetched, SourceError> {
    let image = outside.image()?;
    let read = match &image.format {
        ImageFormat::Content { .. } => {
            let store = OutsideStore { outside: outside.clone(), place: place.into(), sizes_are_asked: true };
            content(&store, outside.document(&Question::Top)?.0, &image.id, options)?
        }
        _ => {
            let failed = |source| SourceError::Fetch { place: place.into(), source };
            saved(place, &mut outside.stream(&Question::Save).map_err(failed)?, &image, options)?
        }
    };
    Ok((image, read))
}

/// Keeps an image that comes as an archive, and reads its documents.
fn saved(
    place: &str,
    stream: &mut dyn Read,
    image: &EngineImage,
    options: &SourceOptions,
) -> Result<(Artifact, Vec<LayerBlob>), SourceError> {
    let archive = Archive::kept(place.into(), stream, SPOOL_BYTES_MAX, options)?;
    let opened = match image.format {
        ImageFormat::Oci => oci_layout::image(String::new(), &archive, None, options)?,
        _ => docker_archive::image(String::new(), &archive, None, options)?,
    };
    // The id is the configuration's digest, or that of a manifest or index, which then is in the archive.
    let is_it = opened.artifact.image_id.as_ref() == Some(&image.id)
        || archive.has(&format!("blobs/sha256/{}", image.id.hex()));
    if !is_it {
        return Err(SourceError::Missing { place: place.into(), what: format!("the image {}", image.id) });
    }
    Ok((opened.artifact, opened.layers))
}

/// Reads an image's documents from containerd's content store.
fn content(
    store: &dyn Store,
    bytes: Vec<u8>,
    top: &Digest,
    options: &SourceOptions,
) -> Result<(Artifact, Vec<LayerBlob>), SourceError> {
    document::verify(store.place(), "the manifest", top, &bytes)?;
    let wanted = options.platform.as_ref();
    let manifest = document::select_manifest(store, document::parse(store.place(), &bytes)?, wanted)?;
    document::image(store, manifest, wanted)
}

pub(super) struct ContentStore {
    pub(super) content: Content,
    place: String,
}

impl ContentStore {
    pub(super) fn new(content: Content, place: String) -> Self {
        Self { content, place }
    }

    pub(super) fn document(&self, digest: &Digest, what: &str, limit: u64) -> Result<Vec<u8>, SourceError> {
        let size = self.content.size(digest, what)?;
        if size > limit {
            return Err(SourceError::TooLarge { place: self.place.clone(), what: what.into(), limit });
        }
        let mut bytes = Vec::new();
        let failed = |source| SourceError::Fetch { place: self.place.clone(), source };
        self.content.read(digest, size, what)?.read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }
}

impl Store for ContentStore {
    fn place(&self) -> &str {
        &self.place
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, SourceError> {
        self.document(&descriptor.digest, "the manifest", MANIFEST_BYTES_MAX)
    }

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, SourceError> {
        self.document(&descriptor.digest, "the configuration", CONFIG_BYTES_MAX)
    }

    fn layer(&self, descriptor: &Descriptor) -> Result<Stored, SourceError> {
        let digest = descriptor.digest.clone();
        let size = self.content.size(&digest, &format!("the layer {digest}"))?;
        Ok(Stored::Content { content: self.content.clone(), digest, size })
    }
}

/// Where an image is that was given by its name alone, and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The same target with its source.
    pub target: Target,
    /// Where it is taken from, as a sentence.
    pub note: String,
}

/// Asks the engines on this machine, then settles for the registry. An engine that is not there, does not answer at once or
/// does not let us ask is passed over; the note says so where there is one.
pub(super) fn locate(reference: &Reference, options: &SourceOptions) -> Result<Located, SourceError> {
    let name = reference.familiar();
    let mut passed_over = Vec::new();
    for &kind in EngineKind::ALL {
        let asked = asked_for(kind, &name);
        match Engine::find(kind).and_then(|engine| engine.with_patience(ASKED_FIRST_PATIENCE).image(&asked)) {
            Ok(_) => {
                let note = format!("`{name}` is taken from {kind}{}", passed_over.concat());
                return Ok(Located { target: Target::Engine(kind, name), note });
            }
            Err(EngineError::NoSocket { .. }) => {}
            Err(EngineError::NotFound { .. }) => passed_over.push(format!("; {kind} does not have it")),
            // Its socket is root's alone wherever it runs, so that says nothing.
            Err(error)
                if kind == EngineKind::Containerd && error.refused_by() == Some(io::ErrorKind::PermissionDenied) => {}
            Err(error) => passed_over.push(format!("; {kind} could not be asked: {}", with_causes(&error))),
        }
    }
    if options.offline {
        return Err(SourceError::Offline { name });
    }
    let note = format!("`{name}` is taken from the registry {}{}", reference.registry(), passed_over.concat());
    Ok(Located { target: Target::Registry(reference.clone()), note })
}

fn with_causes(error: &EngineError) -> String {
    match error.refused_by() {
        Some(kind) => format!("{error}: {kind}"),
        None => error.to_string(),
    }
}
