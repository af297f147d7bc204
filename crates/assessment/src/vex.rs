//! What others say about findings: which VEX statement is about which finding.
//!
//! A statement is about a finding when it names the vulnerability by any of its ids, and a product that is the artifact
//! or one of its packages. With subcomponents it is only about those parts of the product; without, about all of it. A
//! package is a part of another where nothing else here needs it: what is also reached in another way is not excused by
//! the word of one of its users. Of several statements the newest counts; of equally new ones the last.
//!
//! Start at [`Statements::stand_beside`]; [`product`] says what a name fits.
//! **Never:** a statement without a product is about nothing, and a finding is never removed.

mod product;

use std::collections::{BTreeSet, HashMap, HashSet};

use model::artifact::Artifact;
use model::dependents::Dependents;
use model::finding::Finding;
use model::inventory::Inventory;
use model::package::PackageId;
use model::vex::{VexProduct, VexStatement};

use product::{Names, is_artifact};

/// The statements in force, by vulnerability.
#[derive(Debug, Default)]
pub struct Statements {
    /// Oldest first; what has no time is older than what has.
    statements: Vec<VexStatement>,
    by_vulnerability: HashMap<String, Vec<usize>>,
}

impl Statements {
    /// Puts statements in order. Of equally old ones those that come first here are the older ones.
    pub fn new(mut statements: Vec<VexStatement>) -> Self {
        statements.sort_by_key(|statement| statement.said.timestamp);
        let mut by_vulnerability: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, statement) in statements.iter().enumerate() {
            let ids: BTreeSet<String> = statement.vulnerabilities.iter().map(|id| key(id)).collect();
            ids.into_iter().for_each(|id| by_vulnerability.entry(id).or_default().push(index));
        }
        Self { statements, by_vulnerability }
    }

    /// These and more. Of equally old ones these are the newer.
    pub fn with(&self, more: Vec<VexStatement>) -> Self {
        Self::new(more.into_iter().chain(self.statements.iter().cloned()).collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Puts the newest statement about each finding beside it.
    pub fn stand_beside(&self, findings: &mut [Finding], artifact: &Artifact, inventory: &Inventory) {
        if self.is_empty() || findings.is_empty() {
            return;
        }
        let parts = Parts { artifact, inventory, names: Names::of(inventory), dependents: Dependents::of(inventory) };
        for finding in findings {
            let ids = finding.ids.iter().chain([&finding.id]).filter_map(|id| self.by_vulnerability.get(&key(id)));
            let about: BTreeSet<usize> = ids.flatten().copied().collect();
            let newest = about
                .into_iter()
                .rev()
                .filter_map(|index| self.statements.get(index))
                .find(|statement| statement.products.iter().any(|product| parts.covers(product, finding.package)));
            finding.vex = newest.map(|statement| statement.said.clone());
        }
    }
}

/// Ids are compared without regard to case: `ghsa-…` and `GHSA-…` are one.
fn key(id: &str) -> String {
    id.trim().to_ascii_uppercase()
}

/// The artifact, its packages, and which is a part of which.
struct Parts<'a> {
    artifact: &'a Artifact,
    inventory: &'a Inventory,
    names: Names<'a>,
    dependents: Dependents<'a>,
}

impl Parts<'_> {
    /// Whether what is said of a product is said of this package.
    fn covers(&self, product: &VexProduct, package: PackageId) -> bool {
        let parts = &product.subcomponents;
        let named = || parts.iter().any(|part| part.names.iter().any(|name| self.names.fits(name, package)));
        if !parts.is_empty() && !named() {
            return false;
        }
        if is_artifact(product, self.artifact) || (!parts.is_empty() && self.is_system(product)) {
            return true;
        }
        let products: HashSet<PackageId> = product.names.iter().flat_map(|name| self.names.packages(name)).collect();
        !products.is_empty() && self.is_within(package, &products)
    }

    /// Whether a product is the distribution, by the very CPE that `os-release` states. It stands for its own packages
    /// only, so a statement must name them.
    fn is_system(&self, product: &VexProduct) -> bool {
        let own = self.inventory.distro.as_ref().and_then(|distro| distro.cpe.as_ref());
        own.is_some_and(|own| product.names.contains(own))
    }

    /// Whether every chain that brings the package goes through one of these.
    fn is_within(&self, package: PackageId, products: &HashSet<PackageId>) -> bool {
        if products.contains(&package) {
            return true;
        }
        let (mut open, mut seen) = (vec![package], HashSet::from([package]));
        let mut met = false;
        while let Some(package) = open.pop() {
            let needing = self.dependents.needing(package);
            // What the project names itself is brought by the project, unless the product is the project.
            let of_project = needing.iter().any(|id| products.contains(id) && self.dependents.needing(*id).is_empty());
            if needing.is_empty() || (self.dependents.is_root(package) && !of_project) {
                return false;
            }
            for id in needing {
                if products.contains(id) {
                    met = true;
                } else if seen.insert(*id) {
                    open.push(*id);
                }
            }
        }
        met
    }
}
