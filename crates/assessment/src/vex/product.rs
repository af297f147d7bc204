//! Which artifact or package a product's name fits.
//!
//! A package URL fits whatever has everything that it states: no version means every version, and each qualifier that it
//! has must be the package's too. One that nothing here can check makes it fit nothing, because ignoring it would make
//! it fit more than was meant.
//! Source: OpenVEX specification 0.2.0, "Package URL matching"; purl specification, types `oci` and others.

use std::collections::{BTreeMap, HashMap};

use model::artifact::Artifact;
use model::digest::Digest;
use model::distro::Distro;
use model::ecosystem::normalise_name;
use model::inventory::Inventory;
use model::package::{Package, PackageId, PackageType};
use model::purl::{self, ParsedPurl};
use model::vex::VexProduct;

/// A package URL as a product's name.
struct Stated {
    purl: ParsedPurl,
    /// Qualifiers as they are written, decoded.
    qualifiers: BTreeMap<String, String>,
}

impl Stated {
    /// None for what is no package URL, and for one of a part of a package.
    fn of(text: &str) -> Option<Self> {
        let purl = purl::parse(text).ok().filter(|_| !text.contains('#'))?;
        let pairs = text.split_once('?').map_or("", |(_, qualifiers)| qualifiers).split('&');
        let pairs = pairs.filter_map(|pair| pair.split_once('=')).filter(|(_, value)| !value.is_empty());
        let qualifiers = pairs.map(|(key, value)| (key.to_ascii_lowercase(), decoded(value))).collect();
        Some(Self { purl, qualifiers })
    }

    /// Source packages are asked for by their architecture.
    fn is_source(&self) -> bool {
        matches!(self.purl.arch.as_deref(), Some("src" | "source"))
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The packages of one inventory by their names.
pub(super) struct Names<'a> {
    inventory: &'a Inventory,
    by_name: HashMap<(&'a PackageType, String), Vec<PackageId>>,
}

impl<'a> Names<'a> {
    pub(super) fn of(inventory: &'a Inventory) -> Self {
        let mut by_name: HashMap<(&'a PackageType, String), Vec<PackageId>> = HashMap::new();
        for package in &inventory.packages {
            let own = normal(&package.kind, &package.name);
            let source = package.source.as_ref().map(|source| source.name.clone()).filter(|name| *name != own);
            for name in [Some(own), source].into_iter().flatten() {
                by_name.entry((&package.kind, name)).or_default().push(package.id);
            }
        }
        Self { inventory, by_name }
    }

    /// The packages that a name fits.
    pub(super) fn packages(&self, name: &str) -> Vec<PackageId> {
        let Some(stated) = Stated::of(name) else { return Vec::new() };
        let key = (&stated.purl.kind, normal(&stated.purl.kind, &stated.purl.name));
        let candidates = self.by_name.get(&key).map_or(&[][..], Vec::as_slice);
        candidates.iter().copied().filter(|id| self.package(*id).is_some_and(|it| self.is(&stated, it))).collect()
    }

    /// Whether a name fits this package.
    pub(super) fn fits(&self, name: &str, package: PackageId) -> bool {
        let Some(package) = self.package(package) else { return false };
        name == package.purl || Stated::of(name).is_some_and(|stated| self.is(&stated, package))
    }

    fn package(&self, id: PackageId) -> Option<&'a Package> {
        self.inventory.packages.get(id.0 as usize)
    }

    fn is(&self, stated: &Stated, package: &Package) -> bool {
        let want = &stated.purl;
        if want.kind != package.kind {
            return false;
        }
        let name = normal(&want.kind, &want.name);
        let own = name == normal(&package.kind, &package.name) && same_version(want, &package.version);
        let of_source = || {
            let source = package.source.as_ref().filter(|source| source.name == name);
            source.is_some_and(|source| same_version(want, &source.version))
        };
        (own || (stated.is_source() && of_source()))
            && (stated.is_source() || is_stated(&want.arch, package.arch.as_deref()))
            && is_stated(&want.module, package.module.as_deref())
            && stated.purl.source.as_ref().is_none_or(|source| of_that_source(&source.name, package))
            && self.same_distro(want.distro.as_ref(), package)
            && stated.qualifiers.iter().all(|(key, value)| is_understood(key, value, package))
    }

    fn same_distro(&self, want: Option<&Distro>, package: &Package) -> bool {
        let Some(want) = want else { return true };
        let own = purl::parse(&package.purl).ok().and_then(|purl| purl.distro);
        let Some(own) = own.as_ref().or(self.inventory.distro.as_ref()) else { return false };
        own.id == want.id && is_stated(&want.version_id, own.version_id.as_deref())
    }
}

/// Nothing stated, or just this.
fn is_stated(want: &Option<String>, own: Option<&str>) -> bool {
    want.as_deref().is_none_or(|want| own == Some(want))
}

fn of_that_source(name: &str, package: &Package) -> bool {
    package.source.as_ref().map_or(&package.name, |source| &source.name) == name
}

/// What a package URL's parser has read, or what the package's own URL has as well.
fn is_understood(key: &str, value: &str, package: &Package) -> bool {
    match key {
        "arch" | "distro" | "epoch" | "upstream" | "rpmmod" | "modularitylabel" => true,
        "platform" => {
            package.kind == PackageType::Gem || Stated::of(&package.purl).is_some_and(|own| own.has(key, value))
        }
        // Maven's default, which package URLs of jars commonly spell out.
        "type" if package.kind == PackageType::Maven && value == "jar" => true,
        _ => Stated::of(&package.purl).is_some_and(|own| own.has(key, value)),
    }
}

impl Stated {
    /// Whether the URL has this qualifier.
    fn has(&self, key: &str, value: &str) -> bool {
        self.qualifiers.get(key).is_some_and(|own| own == value)
    }
}

/// Go modules are written with and without the `v`; an rpm's epoch is a qualifier, so not stating it is no statement.
fn same_version(want: &ParsedPurl, own: &str) -> bool {
    if want.version.is_empty() {
        return true;
    }
    match want.kind {
        PackageType::Golang => {
            let bare = |version: &str| version.strip_prefix('v').unwrap_or(version).to_owned();
            bare(&want.version) == bare(own).trim_start_matches("go")
        }
        PackageType::Rpm if !want.version.contains(':') => {
            own.split_once(':').map_or(own, |(_, version)| version) == want.version
        }
        _ => want.version == own,
    }
}

fn normal(kind: &PackageType, name: &str) -> String {
    match kind {
        PackageType::PyPi => normalise_name("PyPI", name),
        PackageType::Composer | PackageType::NuGet => name.to_lowercase(),
        _ => name.to_owned(),
    }
}

/// Whether a product is the artifact itself: by digest, by name, or by a package URL of images.
pub(super) fn is_artifact(product: &VexProduct, artifact: &Artifact) -> bool {
    let own = |digest: &Digest| {
        artifact.manifest_digest.as_ref() == Some(digest) || artifact.image_id.as_ref() == Some(digest)
    };
    product.digests.iter().any(own)
        || product.names.iter().any(|name| artifact.names.contains(name) || is_image(name, artifact, &own))
}

/// A `pkg:oci` URL: the digest is its version, the repository and the tag are qualifiers.
fn is_image(name: &str, artifact: &Artifact, own: &dyn Fn(&Digest) -> bool) -> bool {
    let Some(stated) = Stated::of(name).filter(|stated| stated.purl.kind.as_str() == "oci") else { return false };
    let digest = match stated.purl.version.as_str() {
        "" => None,
        version => match Digest::parse(version) {
            Ok(digest) if own(&digest) => Some(()),
            _ => return false,
        },
    };
    let qualifiers = &stated.qualifiers;
    if qualifiers.keys().any(|key| !matches!(key.as_str(), "arch" | "repository_url" | "tag")) {
        return false;
    }
    let platform = artifact.platform.as_deref().and_then(|platform| platform.split('/').nth(1));
    if qualifiers.get("arch").is_some_and(|arch| platform != Some(arch)) {
        return false;
    }
    // A digest says everything: a mirror's image is the same image.
    if digest.is_some() {
        return true;
    }
    let last = stated.purl.name.rsplit('/').next().unwrap_or_default();
    artifact.names.iter().any(|name| {
        let (repository, tag) = repository_and_tag(name);
        let place = qualifiers.get("repository_url").map(|url| url.trim_end_matches('/'));
        let at_place = place.is_none_or(|place| {
            let place = place.split_once("://").map_or(place, |(_, place)| place);
            repository == place || repository.strip_suffix(last).is_some_and(|rest| rest.trim_end_matches('/') == place)
        });
        repository.rsplit('/').next() == Some(last)
            && at_place
            && qualifiers.get("tag").is_none_or(|want| tag == Some(want))
    })
}

/// `registry.example:5000/shop/web:1.2@sha256:…` is the repository `registry.example:5000/shop/web` and the tag `1.2`.
fn repository_and_tag(name: &str) -> (&str, Option<&str>) {
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (name, None),
    }
}
