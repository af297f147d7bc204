//! The image and its layers as subjects of advisories.
//!
//! An organisation can say of a digest, rather than of a package, that it must not be used (a layer with a leaked key, an
//! image built on a compromised machine). Findings are about packages, so an image or layer that some advisory names is
//! added to the inventory as a package of type `oci`. Nothing is added otherwise: an inventory says what is inside.

use std::borrow::Cow;

use model::advisory::{Advisories, IndexDamage};
use model::artifact::{Artifact, Origin};
use model::digest::Digest;
use model::ecosystem::queries;
use model::inventory::Inventory;
use model::package::{Package, PackageId, PackageType};
use model::purl::{PurlParts, render};

/// The inventory, and with it the image and those of its layers that `advisories` names by a digest.
///
/// # Errors
///
/// When the index is damaged.
pub fn with_named_digests<'a>(
    artifact: &Artifact,
    inventory: &'a Inventory,
    advisories: &dyn Advisories,
) -> Result<Cow<'a, Inventory>, IndexDamage> {
    let mut inventory = Cow::Borrowed(inventory);
    for mut subject in subjects(artifact) {
        let mut named = false;
        for query in queries(&subject, None) {
            named |= !advisories.candidates(&query.ecosystem, &query.name)?.is_empty();
        }
        if named {
            subject.id = PackageId(inventory.packages.len() as u32);
            inventory.to_mut().packages.push(subject);
        }
    }
    Ok(inventory)
}

/// The image by its manifest's digest and its id, then each layer by its diff id and the digest it is stored under.
fn subjects(artifact: &Artifact) -> Vec<Package> {
    let name = name(artifact);
    let image = [artifact.manifest_digest.as_ref(), artifact.image_id.as_ref()];
    let mut subjects: Vec<Package> = subject(&name, &name, &image, None, Origin::Unknown).into_iter().collect();
    for (number, layer) in (0..).zip(&artifact.layers) {
        let shown = format!("layer {} of {name}", number + 1);
        let digests = [Some(&layer.diff_id), layer.digest.as_ref()];
        subjects.extend(subject(&name, &shown, &digests, Some(number), layer.origin));
    }
    subjects
}

/// A package that stands for one image or layer. Its version is the first digest; `provides` has it by the others.
fn subject(
    name: &str,
    shown: &str,
    digests: &[Option<&Digest>],
    layer: Option<u32>,
    origin: Origin,
) -> Option<Package> {
    let mut digests = digests.iter().flatten().map(ToString::to_string);
    let kind = PackageType::Other("oci".into());
    let purl = |version: &str| {
        render(&PurlParts { kind: &kind, name, version, arch: None, distro: None, source: None, module: None })
    };
    let version = digests.next()?;
    let mut others: Vec<String> = digests.filter(|digest| *digest != version).map(|digest| purl(&digest)).collect();
    others.dedup();
    Some(Package {
        id: PackageId(0),
        name: shown.to_owned(),
        purl: purl(&version),
        version,
        arch: None,
        source: None,
        module: None,
        licenses: Vec::new(),
        evidence: Vec::new(),
        layer,
        origin,
        provides: others,
        depends_on: Vec::new(),
        direct: false,
        development: false,
        cataloger: if layer.is_some() { "layer" } else { "image" }.into(),
        kind,
    })
}

/// What the image is called, as a purl wants it: the last part of its repository (purl specification, type `oci`).
fn name(artifact: &Artifact) -> String {
    // `docker-archive:shop.tar`: only the place says something.
    let target = artifact.target.split_once(':').map_or(artifact.target.as_str(), |(_, place)| place);
    let name = artifact.names.first().map_or(target, String::as_str);
    let name = name.split('@').next().unwrap_or(name);
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let last = last.split(':').next().unwrap_or(last);
    let last = last.strip_suffix(".tar").unwrap_or(last).to_lowercase();
    if last.is_empty() { "image".to_owned() } else { last }
}
