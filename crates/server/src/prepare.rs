//! A claim with everything worked out that needs no look at what is known: digests, packages as they are stored, what each layer brings.

use model::base::Bases;
use model::inventory::Inventory;
use model::package::Package;
use store::{ImageLayer, NewImage, NewPackage};

use crate::claim::{Claim, Kept, Matched, TEXT_BYTES_MAX, bare, hex_digest};
use crate::judge::Summary;
use crate::portfolio::SeenAt;

/// See the module.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) claim: Claim,
    /// What identifies the image.
    pub(crate) identity: String,
    /// Digest over what was claimed to be inside.
    pub(crate) inventory_digest: String,
    /// The packages as matching sees them, in their order.
    pub(crate) packages: Vec<NewPackage>,
    /// What each layer brings, bottom first; last, where there are any, the packages that are in no layer.
    pub(crate) brought: Vec<Brought>,
    summary: Summary,
    kept: Vec<u8>,
}

/// What a layer brings.
#[derive(Debug)]
pub(crate) struct Brought {
    /// The layer's number; none for what is in no layer.
    pub(crate) layer: Option<usize>,
    /// Places of packages.
    pub(crate) members: Vec<usize>,
    /// Digest over the packages' keys.
    pub(crate) set: String,
}

impl Prepared {
    /// Works it out. Takes some milliseconds.
    pub fn of(claim: Claim) -> Self {
        let inventory = &claim.inventory;
        let packages: Vec<NewPackage> =
            inventory.packages.iter().map(|package| new_package(package, inventory)).collect();
        let summary = Summary::of(&claim);
        Self {
            identity: claim.identity(),
            inventory_digest: claim.inventory_digest(),
            brought: brought(&claim, &packages),
            packages,
            summary,
            kept: kept(&claim),
            claim,
        }
    }

    /// Puts an inventory in its place that has more in it than was claimed; what was claimed stays known by its digest.
    pub(crate) fn add(&mut self, inventory: Inventory) {
        let mut claim = self.claim.clone();
        claim.inventory = inventory;
        let (identity, inventory_digest) = (self.identity.clone(), self.inventory_digest.clone());
        *self = Self { identity, inventory_digest, ..Self::of(claim) };
    }

    /// Puts the base right by those that are registered.
    pub(crate) fn recognise(&mut self, bases: &Bases) {
        crate::bases::recognise(bases, &mut self.summary.artifact);
    }

    /// The image as it is stored, its sets known.
    pub fn image(&self, seen: SeenAt, sets: &[u32]) -> NewImage {
        let artifact = &self.summary.artifact;
        let base = artifact.base.as_ref();
        let kind = serde_json::to_value(artifact.kind).ok();
        NewImage {
            digest: self.identity.clone(),
            image_id: artifact.image_id.as_ref().map(ToString::to_string).unwrap_or_default(),
            kind: kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default().to_owned(),
            name: self.claim.name().to_owned(),
            base: base.map(|base| base.name.clone()).unwrap_or_default(),
            base_digest: base.and_then(|base| base.digest.as_ref()).map(ToString::to_string).unwrap_or_default(),
            summary: serde_json::to_string(&self.summary).unwrap_or_default(),
            inventory: self.kept.clone(),
            inventory_digest: self.inventory_digest.clone(),
            cataloged_by: self.claim.tool.clone(),
            first_stage: seen.as_str().into(),
            layers: self.layers(sets),
        }
    }

    fn layers(&self, sets: &[u32]) -> Vec<ImageLayer> {
        let mut chain = String::new();
        let layer = |(brought, set): (&Brought, &u32)| {
            let Some(layer) = brought.layer.and_then(|at| self.claim.artifact.layers.get(at)) else {
                return ImageLayer {
                    chain: String::new(),
                    diff_id: String::new(),
                    created_by: String::new(),
                    set: *set,
                };
            };
            let diff_id = layer.diff_id.to_string();
            chain = crate::bases::longer_chain(&chain, &diff_id);
            let created_by = layer.created_by.as_deref().unwrap_or_default().chars().take(TEXT_BYTES_MAX).collect();
            ImageLayer { chain: chain.clone(), diff_id, created_by, set: *set }
        };
        self.brought.iter().zip(sets).map(layer).collect()
    }
}

fn brought(claim: &Claim, packages: &[NewPackage]) -> Vec<Brought> {
    let mut layers: Vec<(Option<usize>, Vec<usize>)> =
        (0..claim.artifact.layers.len()).map(|number| (Some(number), Vec::new())).collect();
    let mut outside = Vec::new();
    for (at, package) in claim.inventory.packages.iter().enumerate() {
        match package.layer.and_then(|layer| layers.get_mut(layer as usize)) {
            Some((_, members)) => members.push(at),
            None => outside.push(at),
        }
    }
    if !outside.is_empty() || layers.is_empty() {
        layers.push((None, outside));
    }
    let brought = |(layer, members): (Option<usize>, Vec<usize>)| {
        let mut keys: Vec<&str> = members.iter().map(|&at| packages[at].key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        Brought { layer, set: hex_digest(keys.join(" ").as_bytes()), members }
    };
    layers.into_iter().map(brought).collect()
}

/// What is kept, compressed.
fn kept(claim: &Claim) -> Vec<u8> {
    let kept = Kept { artifact: claim.artifact.clone(), inventory: claim.inventory.clone() };
    let json = serde_json::to_vec(&kept).unwrap_or_default();
    // Compressing into memory does not fail.
    zstd::bulk::compress(&json, 3).unwrap_or_default()
}

fn new_package(package: &Package, inventory: &Inventory) -> NewPackage {
    let distro = inventory.distro.as_ref().filter(|_| package.kind.is_os());
    let queries = model::ecosystem::queries(package, distro);
    let matched = Matched { package: bare(package), distro: distro.cloned() };
    let body = serde_json::to_string(&matched).unwrap_or_default();
    let mut queries: Vec<(String, String)> = queries.into_iter().map(|query| (query.ecosystem, query.name)).collect();
    queries.sort();
    queries.dedup();
    NewPackage {
        key: hex_digest(body.as_bytes()),
        purl: package.purl.clone(),
        name: package.name.clone(),
        body,
        queries,
    }
}
