//! What one should do: findings grouped by the action that removes them, most useful first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::artifact::{Artifact, Origin};
use model::dependents::Dependents;
use model::ecosystem::scheme_of;
use model::finding::{Finding, Fix, Severity};
use model::inventory::Inventory;
use model::package::{Package, PackageId, PackageType};
use model::report::{Remedy, RemedyAction};
use model::version::compare_lenient as compare;

/// Groups findings by the action that removes them. `denied` are the findings the verdict objects to; actions that remove
/// more of those come first. What is said to be fixed or not to affect needs none, unless a policy denies it all the same.
pub fn remedies(
    artifact: &Artifact,
    inventory: &Inventory,
    findings: &[Finding],
    denied: &BTreeSet<u32>,
) -> Vec<Remedy> {
    let pullers = Pullers::of(inventory, findings);
    let subject = Subject { artifact, inventory, findings };
    let mut groups: BTreeMap<Key<'_>, Vec<u32>> = BTreeMap::new();
    for (index, finding) in (0..).zip(findings) {
        if finding.vex.as_ref().is_some_and(|vex| vex.status.suppresses()) && !denied.contains(&index) {
            continue;
        }
        let package = inventory.package(finding.package);
        groups.entry(key(artifact, package, finding, &pullers)).or_default().push(index);
    }
    let mut remedies: Vec<Remedy> =
        groups.into_iter().map(|(key, removes)| remedy(key, removes, &pullers, &subject, denied)).collect();
    remedies.sort_by(|a, b| usefulness(b).cmp(&usefulness(a)).then_with(|| a.title.cmp(&b.title)));
    remedies
}

fn usefulness(remedy: &Remedy) -> (bool, u32, Severity, usize) {
    let fixes = !matches!(remedy.action, RemedyAction::NoFix { .. });
    (fixes, remedy.violations, remedy.severity, remedy.removes.len())
}

/// What findings must share to be removed by one action.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Base(&'a str),
    OsPackages { layer: Option<u32> },
    Dependency(PackageId),
    Binary { path: &'a str },
    Package { kind: &'a PackageType, name: &'a str, version: &'a str },
    NoFix { kind: &'a PackageType, name: &'a str },
}

fn key<'a>(artifact: &'a Artifact, package: &'a Package, finding: &Finding, pullers: &Pullers) -> Key<'a> {
    let kind = &package.kind;
    if finding.fix.version().is_none() {
        return Key::NoFix { kind, name: &package.name };
    }
    if package.origin == Origin::Base
        && let Some(base) = &artifact.base
    {
        return Key::Base(&base.name);
    }
    if kind.is_os() {
        return Key::OsPackages { layer: package.layer };
    }
    if let Some(puller) = pullers.of_package(package.id) {
        return Key::Dependency(puller);
    }
    // Modules are compiled into a program: nobody upgrades one without building the program again.
    match package.evidence.first() {
        Some(evidence) if matches!(package.cataloger.as_str(), "go-binary" | "rust-binary") => {
            Key::Binary { path: &evidence.path }
        }
        _ => Key::Package { kind, name: &package.name, version: &package.version },
    }
}

/// What the remedies are for.
struct Subject<'a> {
    artifact: &'a Artifact,
    inventory: &'a Inventory,
    findings: &'a [Finding],
}

fn remedy(key: Key<'_>, removes: Vec<u32>, pullers: &Pullers, subject: &Subject<'_>, denied: &BTreeSet<u32>) -> Remedy {
    let &Subject { inventory, findings, .. } = subject;
    let concerned: Vec<&Finding> = removes.iter().map(|&index| &findings[index as usize]).collect();
    let packages: BTreeSet<PackageId> = concerned.iter().map(|finding| finding.package).collect();
    let first = inventory.package(concerned[0].package);
    let layer = match key {
        Key::Base(_) => None,
        Key::Dependency(puller) => inventory.package(puller).layer,
        // The same version can be in several layers; then it is none of them in particular.
        _ => {
            first.layer.filter(|layer| packages.iter().all(|&package| inventory.package(package).layer == Some(*layer)))
        }
    };
    let pulled_in_by = pullers.of_packages(&packages, inventory);
    let (action, title) = action(&key, &concerned, pulled_in_by, subject);
    Remedy {
        action,
        title,
        layer,
        packages: packages.into_iter().collect(),
        violations: removes.iter().filter(|index| denied.contains(index)).count() as u32,
        severity: concerned.iter().map(|finding| finding.severity).max().unwrap_or_default(),
        removes,
    }
}

fn action(
    key: &Key<'_>,
    findings: &[&Finding],
    pulled_in_by: Vec<String>,
    subject: &Subject<'_>,
) -> (RemedyAction, String) {
    let &Subject { artifact, inventory, .. } = subject;
    match key {
        Key::Base(base) => (
            RemedyAction::RebuildBase { base: (*base).to_owned() },
            format!("rebuild on a current {base} (or take its updates): {}", names(&upgrades(findings, inventory))),
        ),
        Key::OsPackages { layer } => {
            let upgrades = upgrades(findings, inventory);
            let place = match layer {
                Some(layer) if artifact.layers.is_empty() => format!(" in layer {}", layer + 1),
                Some(layer) => format!(" in layer {} of {}", layer + 1, artifact.layers.len()),
                None => String::new(),
            };
            let noun = if upgrades.len() == 1 { "OS package" } else { "OS packages" };
            let title = format!("upgrade {} {noun}{place}: {}", upgrades.len(), names(&upgrades));
            (RemedyAction::UpgradeOsPackages { upgrades }, title)
        }
        Key::Dependency(puller) => {
            let puller = inventory.package(*puller);
            let brings: BTreeSet<String> = findings
                .iter()
                .map(|finding| inventory.package(finding.package))
                .map(|package| format!("{}@{}", package.name, package.version))
                .collect();
            let brings: Vec<String> = brings.into_iter().collect();
            let title = format!("upgrade {} {}, which pulls in {}", puller.name, puller.version, names(&brings));
            (RemedyAction::UpgradeDependency { name: puller.name.clone(), from: puller.version.clone(), brings }, title)
        }
        Key::Binary { path } => {
            let upgrades = upgrades(findings, inventory);
            let title = format!("rebuild {path} with {}", names(&upgrades));
            (RemedyAction::RebuildBinary { path: (*path).to_owned(), upgrades }, title)
        }
        Key::Package { name, version, .. } => {
            let to = least_common_fix(findings).unwrap_or_default();
            let by = match pulled_in_by.as_slice() {
                [] => String::new(),
                by => format!(" (pulled in by {})", names(by)),
            };
            let title = format!("upgrade {name} from {version} to {to}{by}");
            let (name, from) = ((*name).to_owned(), (*version).to_owned());
            (RemedyAction::UpgradePackage { name, from, to, pulled_in_by }, title)
        }
        Key::NoFix { kind, name } => {
            let title = match kind.as_str() {
                "oci" => {
                    format!("an advisory names the digest of {name}: build the image again without what it objects to")
                }
                _ => format!("no fix is known for {name}: replace it, mitigate, or accept it with an exception"),
            };
            (RemedyAction::NoFix { name: (*name).to_owned() }, title)
        }
    }
}

/// `name=version` for each package, with the least version that removes all its findings.
fn upgrades(findings: &[&Finding], inventory: &Inventory) -> Vec<String> {
    let mut by_package: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        by_package.entry(&inventory.package(finding.package).name).or_default().push(finding);
    }
    by_package
        .into_iter()
        .filter_map(|(name, findings)| Some(format!("{name}={}", least_common_fix(&findings)?)))
        .collect()
}

/// The least version that every finding counts among its fixes; else the highest of their least ones.
fn least_common_fix(findings: &[&Finding]) -> Option<String> {
    let scheme =
        findings.first().and_then(|finding| finding.matches.first()).and_then(|found| scheme_of(&found.ecosystem))?;
    let is_less = |a: &str, b: &str| compare(scheme, a, b) == Some(std::cmp::Ordering::Less);
    let common = fixes_of(findings.first()?)
        .iter()
        .filter(|version| findings.iter().all(|finding| fixes_of(finding).contains(version)));
    let least = common.reduce(|a, b| if is_less(b, a) { b } else { a });
    let highest =
        || findings.iter().filter_map(|finding| finding.fix.version()).reduce(|a, b| if is_less(a, b) { b } else { a });
    least.map(String::as_str).or_else(highest).map(str::to_owned)
}

fn fixes_of(finding: &Finding) -> &[String] {
    match &finding.fix {
        Fix::Available { versions } => versions,
        Fix::None { .. } | Fix::Refused { .. } => &[],
    }
}

/// The first few, and how many more.
fn names(list: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = list.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if list.len() > SHOWN { format!("{shown} and {} more", list.len() - SHOWN) } else { shown }
}

/// The most direct dependencies that are named for one package; `--why` shows more.
const PULLERS_MAX: usize = 20;

/// The direct dependencies that pull in affected packages.
struct Pullers {
    /// By affected package: the nearest roots above it, without itself.
    roots: HashMap<PackageId, Vec<PackageId>>,
    /// By affected package: the one root that pulls in it and others.
    by_package: HashMap<PackageId, PackageId>,
}

impl Pullers {
    fn of(inventory: &Inventory, findings: &[Finding]) -> Self {
        let dependents = Dependents::of(inventory);
        let affected: BTreeSet<PackageId> = findings
            .iter()
            .filter(|finding| finding.fix.version().is_some() && !inventory.package(finding.package).kind.is_os())
            .map(|finding| finding.package)
            .collect();
        let mut roots = HashMap::new();
        let mut only: Vec<(PackageId, PackageId)> = Vec::new();
        let mut brought: HashMap<PackageId, usize> = HashMap::new();
        for package in affected {
            let mut above = dependents.nearest_roots(package);
            if let [root] = above[..] {
                only.push((package, root));
                *brought.entry(root).or_default() += usize::from(package != root);
            }
            above.retain(|root| *root != package);
            roots.insert(package, above);
        }
        // One affected dependency is better named itself; two and more are the puller's doing.
        let by_package = only.into_iter().filter(|(_, root)| brought[root] >= 2).collect();
        Self { roots, by_package }
    }

    fn of_package(&self, package: PackageId) -> Option<PackageId> {
        self.by_package.get(&package).copied()
    }

    /// `name version` of the direct dependencies that pull in any of the packages, at most [`PULLERS_MAX`].
    fn of_packages(&self, packages: &BTreeSet<PackageId>, inventory: &Inventory) -> Vec<String> {
        let roots: BTreeSet<PackageId> =
            packages.iter().filter_map(|package| self.roots.get(package)).flatten().copied().collect();
        let names = roots.into_iter().take(PULLERS_MAX).map(|root| inventory.package(root));
        names.map(|root| format!("{} {}", root.name, root.version)).collect()
    }
}
