//! What `docker save` writes, and `skopeo copy … docker-archive:`.
//!
//! `manifest.json` lists images: the member with the configuration, the members with the layers, names. Since Docker 25
//! the archive is an OCI image layout as well (`index.json`), which then says the manifest's digest; the image itself
//! is taken from `manifest.json` in either case, as `docker load` does. The older file `repositories` adds nothing.

use std::path::Path;

use model::digest::Digest;
use serde::Deserialize;

use crate::target::{Located, Reference, Selector};

use super::archive::{self, Archive};
use super::blob::Stored;
use super::config::Config;
use super::document::{self, CONFIG_BYTES_MAX, Descriptor, MANIFEST_BYTES_MAX, Parsed, printable};
use super::error::SourceError;
use super::oci_layout;
use super::{OpenImage, SourceIdentity, SourceOptions};

const MANIFEST: &str = "manifest.json";

/// One image of `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
}

/// Whether an archive has the list that `docker save` writes.
pub(super) fn is_one(path: &Path, options: &SourceOptions) -> Result<bool, SourceError> {
    Ok(Archive::open("docker-archive", path, options)?.has(MANIFEST))
}

/// Opens the image that `located` selects.
pub(super) fn open(target: String, located: &Located, options: &SourceOptions) -> Result<OpenImage, SourceError> {
    let archive = Archive::open("docker-archive", &located.path, options)?;
    if !archive.has(MANIFEST) {
        return Err(no_manifest(&archive));
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
    let place = archive.place();
    let bytes = archive.document(MANIFEST, MANIFEST_BYTES_MAX)?;
    let images: Vec<Saved> = document::json(place, MANIFEST, &bytes)?;
    let saved = select(place, images, selector)?;

    let bytes = archive.document(&saved.config, CONFIG_BYTES_MAX)?;
    let id = document::digest_of(&bytes);
    // Every writer names the configuration by its digest, which is the image's id.
    if let Some(named) = digest_in_name(&saved.config) {
        document::verify(place, "the configuration", &named, &bytes)?;
    }
    let config: Config = document::json(place, "the configuration", &bytes)?;
    let mut blobs = Vec::new();
    for name in saved.layers.iter().flatten() {
        let stored = archive.member(name)?;
        blobs.push((descriptor(name, &stored), stored));
    }
    let (mut artifact, layers) = config.image(place, id.clone(), blobs, options.platform.as_ref())?;
    artifact.target = target;
    artifact.names = names(&saved);
    if let Some(manifest) = oci_layout::manifest_of_config(archive, &id)? {
        manifest.describe(&mut artifact);
    }
    let selection = archive::selection(selector, options.platform.as_ref());
    let identity = SourceIdentity::Files { files: vec![archive.stamp()], selection };
    Ok(OpenImage { artifact, layers, identity })
}

fn no_manifest(archive: &Archive) -> SourceError {
    let (detail, hint) = if archive.has("index.json") {
        ("it is an OCI archive", "write `oci-archive:` before the file")
    } else if archive.has("repositories") {
        ("it was saved by a Docker older than 1.10", "load it into a current engine and save it again")
    } else {
        (
            "it has no `manifest.json`, so it is not what `docker save` writes",
            "for a file system write `dir:` and the directory it is unpacked in",
        )
    };
    SourceError::Unsupported { place: archive.place().into(), what: "the archive".into(), detail: detail.into(), hint }
}

fn select(place: &str, mut images: Vec<Saved>, selector: Option<&Selector>) -> Result<Saved, SourceError> {
    let label = |(at, saved): (usize, &Saved)| match names(saved).as_slice() {
        [] => format!("@{at}"),
        names => format!("{} (@{at})", names.join(" ")),
    };
    let labels: Vec<String> = images.iter().enumerate().map(label).collect();
    let found: Vec<usize> = match selector {
        None => (0..images.len()).collect(),
        Some(Selector::Position(at)) => (0..images.len()).filter(|other| other == at).collect(),
        Some(Selector::Name(name)) => positions(&images, |saved| is_named(saved, name)),
        Some(Selector::Digest(id)) => positions(&images, |saved| digest_in_name(&saved.config).as_ref() == Some(id)),
    };
    match (found.as_slice(), selector) {
        ([at], _) => Ok(images.swap_remove(*at)),
        ([], None) => Err(SourceError::Missing { place: place.into(), what: "an image".into() }),
        ([], Some(selector)) => {
            Err(SourceError::NoSuchImage { place: place.into(), selector: selector.to_string(), names: labels })
        }
        _ => Err(SourceError::SeveralImages { place: place.into(), names: labels }),
    }
}

fn positions(images: &[Saved], wanted: impl Fn(&Saved) -> bool) -> Vec<usize> {
    images.iter().enumerate().filter(|(_, saved)| wanted(saved)).map(|(at, _)| at).collect()
}

fn is_named(saved: &Saved, name: &str) -> bool {
    let wanted: Option<Reference> = name.parse().ok();
    saved.repo_tags.iter().flatten().any(|tag| *tag == name || (wanted.is_some() && tag.parse().ok() == wanted))
}

fn names(saved: &Saved) -> Vec<String> {
    saved.repo_tags.iter().flatten().map(|tag| printable(tag)).collect()
}

/// The digest in `<hex>.json` and in `blobs/sha256/<hex>`.
fn digest_in_name(name: &str) -> Option<Digest> {
    let hex = name.strip_prefix("blobs/sha256/").or_else(|| name.strip_suffix(".json")).unwrap_or(name);
    Digest::parse(&format!("sha256:{hex}")).ok()
}

/// What the name of a layer's member promises; nothing in the older format.
fn descriptor(name: &str, stored: &Stored) -> Option<Descriptor> {
    let hex = name.strip_prefix("blobs/sha256/")?;
    let digest = Digest::parse(&format!("sha256:{hex}")).ok()?;
    Some(Descriptor {
        digest,
        size: stored.size(),
        media_type: String::new(),
        artifact_type: None,
        annotations: Default::default(),
        platform: None,
    })
}

/// The documents of the OCI layout inside, as far as they are there.
pub(super) fn parsed(archive: &Archive, digest: &Digest) -> Result<Option<Parsed>, SourceError> {
    let name = format!("blobs/sha256/{}", digest.hex());
    if !archive.has(&name) {
        return Ok(None);
    }
    let bytes = archive.document(&name, MANIFEST_BYTES_MAX)?;
    document::verify(archive.place(), "the manifest", digest, &bytes)?;
    document::parse(archive.place(), &bytes).map(Some)
}
