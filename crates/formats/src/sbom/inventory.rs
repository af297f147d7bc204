//! Components of either format as an inventory.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::artifact::Origin;
use model::distro::Distro;
use model::gap::{Gap, GapKind};
use model::inventory::Inventory;
use model::package::{Evidence, Package, PackageId, PackageType, SourcePackage};
use model::purl::{self, ParsedPurl};

/// What a bill says about one component, in either format. Empty texts mean "not stated".
#[derive(Debug, Default)]
pub(super) struct Component {
    /// Its reference within the document.
    pub reference: String,
    pub name: String,
    pub version: String,
    pub purl: String,
    pub licenses: Vec<String>,
    pub paths: Vec<String>,
    pub source: Option<SourcePackage>,
    pub arch: Option<String>,
    pub module: Option<String>,
    pub provides: Vec<String>,
    pub layer: Option<u32>,
    pub origin: Origin,
    pub direct: bool,
    pub development: bool,
    pub cataloger: Option<String>,
}

/// Collects components and dependencies, and says what is missing.
#[derive(Debug, Default)]
pub(super) struct Builder {
    pub distro: Option<Distro>,
    packages: Vec<Package>,
    gaps: Vec<Gap>,
    /// References of packages; none for one that two components share.
    references: HashMap<String, Option<PackageId>>,
    /// Exact repetitions are one package: purl, version and where it was seen.
    seen: HashMap<(String, String, String, Vec<Evidence>), PackageId>,
    /// Distributions that package URLs name, by id and release, and how often each was met.
    distro_votes: BTreeMap<(String, Option<String>), (u32, Distro)>,
    pending: Vec<(String, String)>,
    /// References of what the bill describes: what that needs is direct.
    roots: HashSet<String>,
}

impl Builder {
    pub(super) fn gap(&mut self, kind: GapKind, subject: impl Into<String>, detail: impl Into<String>) {
        self.gaps.push(Gap::new(kind, subject, detail));
    }

    /// Notes that `from` needs `to`, both by their references, which may come later in the document.
    pub(super) fn depends(&mut self, from: &str, to: &str) {
        self.pending.push((from.to_owned(), to.to_owned()));
    }

    /// Notes that this is the project that the bill describes.
    pub(super) fn root(&mut self, reference: &str) {
        self.roots.insert(reference.to_owned());
    }

    /// Adds one component as a package.
    pub(super) fn add(&mut self, component: Component) {
        let subject = subject(&component);
        let parsed = match component.purl.as_str() {
            "" => {
                self.gap(
                    GapKind::Unsupported,
                    &subject,
                    "the component has no package URL, so no advisory can be matched",
                );
                None
            }
            purl => {
                let parsed = purl::parse_beside(purl, &component.name);
                parsed.inspect_err(|error| self.gap(GapKind::Malformed, &subject, error.to_string())).ok()
            }
        };
        let layer = component.layer;
        let evidence: Vec<Evidence> = component
            .paths
            .iter()
            .map(|path| Evidence { path: path.trim_start_matches('/').to_owned(), text: None, layer })
            .collect();
        let mut package = Package {
            id: PackageId(u32::try_from(self.packages.len()).unwrap_or(u32::MAX)),
            kind: PackageType::Other("generic".into()),
            name: component.name,
            version: component.version,
            purl: component.purl,
            arch: component.arch,
            source: component.source,
            module: component.module,
            licenses: component.licenses,
            evidence,
            layer,
            origin: component.origin,
            provides: component.provides,
            depends_on: Vec::new(),
            direct: component.direct,
            development: component.development,
            cataloger: component.cataloger.unwrap_or_else(|| "sbom".into()),
        };
        if let Some(parsed) = parsed {
            self.vote(&parsed);
            package.kind = parsed.kind;
            package.name = parsed.name;
            if !parsed.version.is_empty() {
                package.version = parsed.version;
            }
            package.arch = package.arch.or(parsed.arch);
            package.source = package.source.or(parsed.source);
            package.module = package.module.or(parsed.module);
        }
        // Tools leave out the source's version where it is the package's own.
        if let Some(source) = package.source.as_mut().filter(|source| source.version.is_empty()) {
            source.version.clone_from(&package.version);
        }
        if package.version.is_empty() {
            self.gap(GapKind::UnknownVersion, &subject, "the component has no version");
        }
        self.keep(package, component.reference);
    }

    fn keep(&mut self, package: Package, reference: String) {
        let key = (package.purl.clone(), package.name.clone(), package.version.clone(), package.evidence.clone());
        let id = match self.seen.get(&key) {
            Some(id) => *id,
            None => {
                let id = package.id;
                self.seen.insert(key, id);
                self.packages.push(package);
                id
            }
        };
        if reference.is_empty() {
            return;
        }
        match self.references.get(&reference) {
            None => _ = self.references.insert(reference, Some(id)),
            Some(Some(other)) if *other == id => {}
            Some(_) => {
                let detail = "two components share this reference, so what depends on it is not known";
                self.gap(GapKind::Malformed, &reference, detail);
                self.references.insert(reference, None);
            }
        }
    }

    fn vote(&mut self, parsed: &ParsedPurl) {
        if let Some(distro) = &parsed.distro {
            let key = (distro.id.clone(), distro.version_id.clone());
            self.distro_votes.entry(key).or_insert_with(|| (0, distro.clone())).0 += 1;
        }
    }

    pub(super) fn finish(mut self) -> Inventory {
        for (from, to) in std::mem::take(&mut self.pending) {
            let Some(Some(to)) = self.references.get(&to) else { continue };
            if self.roots.contains(&from) {
                self.packages.get_mut(to.0 as usize).into_iter().for_each(|package| package.direct = true);
            }
            let Some(Some(from)) = self.references.get(&from) else { continue };
            if let Some(package) = self.packages.get_mut(from.0 as usize) {
                package.depends_on.push(*to);
            }
        }
        for package in &mut self.packages {
            package.depends_on.sort_unstable();
            package.depends_on.dedup();
        }
        self.settle_distro();
        Inventory { distro: self.distro, packages: self.packages, gaps: self.gaps, surface: None }
    }

    /// The distribution that a component names, else the one most package URLs name.
    fn settle_distro(&mut self) {
        if self.distro.is_some() {
            return;
        }
        // A vendor without a release is no other distribution than the same with one.
        let votes = std::mem::take(&mut self.distro_votes);
        let released: Vec<&String> = votes.keys().filter(|(_, release)| release.is_some()).map(|(id, _)| id).collect();
        let counted: Vec<_> =
            votes.iter().filter(|((id, release), _)| release.is_some() || !released.contains(&id)).collect();
        if counted.len() > 1 {
            let name = |(id, release): &(String, Option<String>)| {
                release.iter().fold(id.clone(), |id, release| format!("{id}-{release}"))
            };
            let names = counted.iter().take(5).map(|(key, _)| name(key)).collect::<Vec<_>>().join(", ");
            self.gap(
                GapKind::UnknownDistribution,
                "distro",
                format!("the package URLs name several distributions: {names}"),
            );
        }
        self.distro = counted.iter().max_by_key(|(_, (votes, _))| *votes).map(|(_, (_, distro))| distro.clone());
        if self.distro.is_none() && self.packages.iter().any(|package| package.kind.is_os()) {
            self.gap(
                GapKind::UnknownDistribution,
                "distro",
                "the bill does not name the distribution of its OS packages",
            );
        }
    }
}

fn subject(component: &Component) -> String {
    let name = [&component.name, &component.purl, &component.reference].into_iter().find(|text| !text.is_empty());
    name.map_or_else(|| "a component without a name".into(), |name| name.chars().take(200).collect())
}
