//! OCI image layouts, as a directory and as a tar archive of one.
//!
//! Source: OCI image specification 1.1, `image-layout.md`. Blobs are found by digest, never by a name that the layout
//! chose, so a layout cannot point elsewhere.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::digest::Digest;
use serde::Deserialize;

use crate::target::{Located, Reference, Selector};

use super::archive::{self, Archive, open_file};
use super::blob::Stored;
use super::document::{self, CONFIG_BYTES_MAX, Descriptor, MANIFEST_BYTES_MAX, Manifest, Parsed, Store, printable};
use super::error::SourceError;
use super::platform::Platform;
use super::{FileStamp, OpenImage, SourceIdentity, SourceOptions, docker_archive};

const INDEX: &str = "index.json";

/// How many documents of a layout are looked at to find the one manifest of a configuration.
const MANIFESTS_LOOKED_AT_MAX: usize = 64;

/// Opens an image in a directory.
pub(super) fn open_dir(target: String, located: &Located, options: &SourceOptions) -> Result<OpenImage, SourceError> {
    let place = format!("oci-dir:{}", located.path.display());
    let dir = LayoutDir { place, path: located.path.clone(), stamps: RefCell::default() };
    let index = dir.document(&located.path.join(INDEX), INDEX, MANIFEST_BYTES_MAX)?;
    let mut image = open(&dir, target, &index, located.selector.as_ref(), options)?;
    let selection = archive::selection(located.selector.as_ref(), options.platform.as_ref());
    image.identity = SourceIdentity::Files { files: dir.stamps.into_inner(), selection };
    Ok(image)
}

/// Opens an image in a tar archive.
pub(super) fn open_archive(
    target: String,
    located: &Located,
    options: &SourceOptions,
) -> Result<OpenImage, SourceError> {
    let archive = Archive::open("oci-archive", &located.path, options)?;
    if !archive.has(INDEX) && archive.has("manifest.json") {
        return Err(SourceError::Unsupported {
            place: archive.place().into(),
            what: "the archive".into(),
            detail: "it is what `docker save` writes".into(),
            hint: "write `docker-archive:` before the file",
        });
    }
    image(target, &archive, located.selector.as_ref(), options)
}

/// Reads the documents of the image that `selector` means.
pub(super) fn image(
    target: String,
    archive: &Archive,
    selector: Option<&Selector>,
    options: &SourceOptions,
) -> Result<OpenImage, SourceError> {
    let index = archive.document(INDEX, MANIFEST_BYTES_MAX)?;
    let mut image = open(archive, target, &index, selector, options)?;
    let selection = archive::selection(selector, options.platform.as_ref());
    image.identity = SourceIdentity::Files { files: vec![archive.stamp()], selection };
    Ok(image)
}

fn open(
    store: &dyn Store,
    target: String,
    index: &[u8],
    selector: Option<&Selector>,
    options: &SourceOptions,
) -> Result<OpenImage, SourceError> {
    let index: LayoutIndex = document::json(store.place(), INDEX, index)?;
    let wanted = options.platform.as_ref();
    let (names, manifest) = select(store, index.manifests, selector, wanted)?;
    let (mut artifact, layers) = document::image(store, manifest, wanted)?;
    artifact.target = target;
    artifact.names = names;
    let identity = SourceIdentity::Files { files: Vec::new(), selection: String::new() };
    Ok(OpenImage { artifact, layers, identity })
}

#[derive(Deserialize)]
struct LayoutIndex {
    manifests: Vec<Descriptor>,
}

/// Finds the manifest that is meant. Entries with one name are one image for several platforms.
fn select(
    store: &dyn Store,
    manifests: Vec<Descriptor>,
    selector: Option<&Selector>,
    wanted: Option<&Platform>,
) -> Result<(Vec<String>, Manifest), SourceError> {
    let images: Vec<Descriptor> = manifests.into_iter().filter(Descriptor::may_be_image).collect();
    let label = |(at, descriptor): (usize, &Descriptor)| match descriptor.names().next() {
        Some(name) => format!("{} (@{at})", printable(name)),
        None => format!("@{at} ({})", descriptor.digest),
    };
    let labels: Vec<String> = images.iter().enumerate().map(label).collect();
    let is_meant = |at: usize, descriptor: &Descriptor| match selector {
        None => true,
        Some(Selector::Position(position)) => at == *position,
        Some(Selector::Digest(digest)) => descriptor.digest == *digest,
        Some(Selector::Name(wanted)) => descriptor.names().any(|name| is_named(name, wanted)),
    };
    let mut at = 0..;
    let meant: Vec<Descriptor> =
        images.into_iter().filter(|descriptor| at.next().is_some_and(|at| is_meant(at, descriptor))).collect();
    let place = store.place().to_owned();
    let Some(first) = meant.first() else {
        return Err(match selector {
            None => SourceError::Missing { place, what: "an image".into() },
            Some(selector) => SourceError::NoSuchImage { place, selector: selector.to_string(), names: labels },
        });
    };
    let names: Vec<String> = first.names().map(printable).collect();
    let mut platforms = HashSet::new();
    let is_one_image = meant.iter().all(|other| {
        let platform = other.platform.as_ref();
        other.names().eq(first.names()) && platform.is_some_and(|platform| platforms.insert(platform))
    });
    match meant.as_slice() {
        [only] => {
            let top = document::read(store, only)?;
            Ok((names, document::select_manifest(store, top, wanted)?))
        }
        _ if is_one_image => Ok((names, document::select_manifest(store, Parsed::Index(meant), wanted)?)),
        _ => Err(SourceError::SeveralImages { place, names: labels }),
    }
}

fn is_named(name: &str, wanted: &str) -> bool {
    name == wanted || matches!((name.parse(), wanted.parse()), (Ok::<Reference, _>(a), Ok::<Reference, _>(b)) if a == b)
}

/// The manifest that has this configuration, when the archive of `docker save` has one.
pub(super) fn manifest_of_config(archive: &Archive, config: &Digest) -> Result<Option<Manifest>, SourceError> {
    if !archive.has(INDEX) {
        return Ok(None);
    }
    let bytes = archive.document(INDEX, MANIFEST_BYTES_MAX)?;
    let index: LayoutIndex = document::json(archive.place(), INDEX, &bytes)?;
    let mut queue = index.manifests;
    for _ in 0..MANIFESTS_LOOKED_AT_MAX {
        let Some(descriptor) = queue.pop() else { break };
        match docker_archive::parsed(archive, &descriptor.digest)? {
            Some(Parsed::Manifest(manifest)) if manifest.config.digest == *config => {
                return Ok(Some(*manifest));
            }
            Some(Parsed::Index(manifests)) => queue.extend(manifests),
            _ => {}
        }
    }
    Ok(None)
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

impl Store for Archive {
    fn place(&self) -> &str {
        Archive::place(self)
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, SourceError> {
        self.document(&blob_name(&descriptor.digest), MANIFEST_BYTES_MAX)
    }

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, SourceError> {
        self.document(&blob_name(&descriptor.digest), CONFIG_BYTES_MAX)
    }

    fn layer(&self, descriptor: &Descriptor) -> Result<Stored, SourceError> {
        self.member(&blob_name(&descriptor.digest))
    }
}

/// A layout in a directory, and the stamp of every file of it that was used.
struct LayoutDir {
    place: String,
    path: PathBuf,
    stamps: RefCell<Vec<FileStamp>>,
}

impl LayoutDir {
    fn open(&self, path: &Path, what: &str) -> Result<std::fs::File, SourceError> {
        let file = open_file(path).map_err(|error| match error {
            SourceError::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                SourceError::Missing { place: self.place.clone(), what: what.into() }
            }
            other => other,
        })?;
        let stamp = FileStamp::of(&file).map_err(|source| SourceError::File { path: path.into(), source })?;
        self.stamps.borrow_mut().push(stamp);
        Ok(file)
    }

    fn document(&self, path: &Path, what: &str, bytes_max: u64) -> Result<Vec<u8>, SourceError> {
        let file = self.open(path, what)?;
        let mut bytes = Vec::new();
        let result = file.take(bytes_max + 1).read_to_end(&mut bytes);
        result.map_err(|source| SourceError::File { path: path.into(), source })?;
        if bytes.len() as u64 > bytes_max {
            return Err(SourceError::TooLarge { place: self.place.clone(), what: what.into(), limit: bytes_max });
        }
        Ok(bytes)
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.path.join(blob_name(digest))
    }
}

impl Store for LayoutDir {
    fn place(&self) -> &str {
        &self.place
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, SourceError> {
        let digest = &descriptor.digest;
        self.document(&self.blob_path(digest), &format!("the manifest {digest}"), MANIFEST_BYTES_MAX)
    }

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, SourceError> {
        let digest = &descriptor.digest;
        self.document(&self.blob_path(digest), &format!("the configuration {digest}"), CONFIG_BYTES_MAX)
    }

    fn layer(&self, descriptor: &Descriptor) -> Result<Stored, SourceError> {
        let path = self.blob_path(&descriptor.digest);
        let file = self.open(&path, &format!("the layer {}", descriptor.digest))?;
        let size = file.metadata().map_err(|source| SourceError::File { path, source })?.len();
        Ok(Stored::File { file: Arc::new(file), offset: 0, size })
    }
}
