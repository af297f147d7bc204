//! The packages of one lock file and who needs whom.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::fact::{PackageFact, Parsed, Problem, Requirement};
use model::gap::GapKind;
use model::package::PackageType;

/// The most packages taken from one file; the largest public monorepos lock about 10,000.
const PACKAGES_MAX: usize = 100_000;

/// The most edges taken from one file. Each becomes a name and a version of up to [`FIELD_BYTES_MAX`], so this bounds
/// memory where a small file names one long version very often.
const EDGES_MAX: usize = 200_000;

/// The longest name or version in bytes; npm allows 214, Maven coordinates seldom reach 150.
const FIELD_BYTES_MAX: usize = 300;

/// How many dependencies without a version are named in the problem.
const EXAMPLES_MAX: usize = 5;

/// A package of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Id(u32);

/// What a package is needed for, as far as the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Not for development alone, or the file does not say.
    Any,
    /// For development or tests only.
    Development,
}

/// Collects the packages of one file: one per name and version.
pub(super) struct Packages {
    facts: Vec<PackageFact>,
    kind: PackageType,
    ids: HashMap<String, Id>,
    edges: Vec<(Id, Id)>,
    loose: Vec<(Id, String)>,
    unversioned: BTreeSet<String>,
    unversioned_count: usize,
    lookups: usize,
    problems: Vec<Problem>,
    limit: Option<&'static str>,
}

impl Packages {
    pub(super) fn new(kind: PackageType) -> Self {
        Self {
            facts: Vec::new(),
            kind,
            ids: HashMap::new(),
            edges: Vec::new(),
            loose: Vec::new(),
            unversioned: BTreeSet::new(),
            unversioned_count: 0,
            lookups: 0,
            problems: Vec::new(),
            limit: None,
        }
    }

    /// Adds a package, or finds it when its name and version are there already: it is for development only when every
    /// place says so. `None` past a bound, which becomes a problem.
    pub(super) fn add(&mut self, name: &str, version: &str, needed_for: Use) -> Option<Id> {
        self.add_of(self.kind.clone(), name, version, needed_for)
    }

    /// The same for a file with several sorts of packages.
    pub(super) fn add_of(&mut self, kind: PackageType, name: &str, version: &str, needed_for: Use) -> Option<Id> {
        if name.is_empty() {
            return None;
        }
        if name.len() > FIELD_BYTES_MAX || version.len() > FIELD_BYTES_MAX {
            self.limit = Some("a name or version is longer than any ecosystem allows");
            return None;
        }
        let development = needed_for == Use::Development;
        let key = format!("{kind}\0{name}\0{version}");
        if let Some(&id) = self.ids.get(&key) {
            self.facts[id.0 as usize].development &= development;
            return Some(id);
        }
        if self.facts.len() >= PACKAGES_MAX {
            self.limit = Some("it lists more than 100000 packages");
            return None;
        }
        let id = Id(self.facts.len() as u32);
        self.facts.push(PackageFact { development, ..PackageFact::new(kind, name, version) });
        self.ids.insert(key, id);
        Some(id)
    }

    /// The project itself names this package.
    pub(super) fn mark_direct(&mut self, id: Id) {
        self.facts[id.0 as usize].direct = true;
    }

    /// The project names every package of this file.
    pub(super) fn mark_all_direct(&mut self) {
        self.facts.iter_mut().for_each(|fact| fact.direct = true);
    }

    /// What no other package needs must be named by the project: for formats that do not list its own dependencies.
    pub(super) fn mark_unneeded_direct(&mut self) {
        let mut needed = vec![false; self.facts.len()];
        self.edges.iter().filter(|(from, to)| from != to).for_each(|(_, to)| needed[to.0 as usize] = true);
        let loose: HashSet<&str> = self.loose.iter().map(|(_, name)| name.as_str()).collect();
        for (fact, needed) in self.facts.iter_mut().zip(needed) {
            fact.direct |= !needed && !loose.contains(fact.name.as_str());
        }
    }

    /// Whether one more dependency may be looked up: for formats where that means walking outwards through a tree.
    pub(super) fn may_look_up(&mut self) -> bool {
        self.lookups += 1;
        if self.lookups > EDGES_MAX {
            self.limit = Some("it lists more than 200000 dependencies between packages");
        }
        self.lookups <= EDGES_MAX
    }

    /// `from` needs `to`.
    pub(super) fn need(&mut self, from: Id, to: Id) {
        if self.edges.len() < EDGES_MAX {
            self.edges.push((from, to));
        } else {
            self.limit = Some("it lists more than 200000 dependencies between packages");
        }
    }

    /// `from` needs a package of this name, and the file does not say which of its versions.
    pub(super) fn need_some(&mut self, from: Id, name: &str) {
        if name.len() <= FIELD_BYTES_MAX && self.loose.len() < EDGES_MAX {
            self.loose.push((from, name.to_owned()));
        }
    }

    /// Everything that cannot be reached from these is for development only: for formats that tell the project's own
    /// dependencies apart but not what those pull in.
    pub(super) fn mark_development_beyond(&mut self, production: impl IntoIterator<Item = Id>) {
        let mut needs: HashMap<Id, Vec<Id>> = HashMap::new();
        self.edges.iter().for_each(|&(from, to)| needs.entry(from).or_default().push(to));
        let mut by_name: HashMap<&str, Vec<Id>> = HashMap::new();
        for (fact, id) in self.facts.iter().zip((0..).map(Id)) {
            by_name.entry(&fact.name).or_default().push(id);
        }
        for (from, name) in &self.loose {
            // Each name is expanded once per needing package; a name has few versions, and the count is bounded above.
            let versions = by_name.get(name.as_str()).into_iter().flatten().take(16);
            needs.entry(*from).or_default().extend(versions);
        }
        let mut development = vec![true; self.facts.len()];
        let mut open: Vec<Id> = production.into_iter().collect();
        while let Some(id) = open.pop() {
            if std::mem::replace(&mut development[id.0 as usize], false) {
                open.extend(needs.get(&id).into_iter().flatten());
            }
        }
        for (fact, development) in self.facts.iter_mut().zip(development) {
            fact.development = development;
        }
    }

    /// A dependency that the file names without an exact version, by name or by URL.
    pub(super) fn unversioned(&mut self, name: &str) {
        self.unversioned_count += 1;
        self.unversioned.insert(without_credentials(name).chars().take(100).collect());
        // One more than is named tells that there are more.
        if self.unversioned.len() > EXAMPLES_MAX + 1 {
            self.unversioned.pop_last();
        }
    }

    /// Something the file says that could not be understood.
    pub(super) fn problem(&mut self, kind: GapKind, detail: impl Into<String>) {
        self.problems.push(Problem { kind, detail: detail.into(), inside: None });
    }

    /// The packages by name and version, each with what it needs, and one problem per kind of ignorance.
    pub(super) fn finish(mut self) -> Parsed {
        for (from, to) in self.edges {
            let needed = &self.facts[to.0 as usize];
            let requirement = Requirement { name: needed.name.clone(), version: Some(needed.version.clone()) };
            self.facts[from.0 as usize].requires.push(requirement);
        }
        for (from, name) in self.loose {
            self.facts[from.0 as usize].requires.push(Requirement { name, version: None });
        }
        for fact in &mut self.facts {
            fact.requires.sort();
            fact.requires.dedup();
        }
        self.facts.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        let mut parsed = Parsed::packages(self.facts);
        parsed.problems = self.problems;
        if let Some(detail) = self.limit {
            let detail = format!("{detail}; the rest was left out");
            parsed.problems.push(Problem { kind: GapKind::LimitExceeded, detail, inside: None });
        }
        parsed.problems.extend(unversioned_problem(self.unversioned_count, &self.unversioned));
        parsed
    }
}

/// The text without what stands before the host of a URL: often a token.
fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let host_end = rest.find('/').unwrap_or(rest.len());
    let host = rest[..host_end].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}://{}", &rest[host..])
}

fn unversioned_problem(count: usize, names: &BTreeSet<String>) -> Option<Problem> {
    let more = if names.len() > EXAMPLES_MAX { ", …" } else { "" };
    let examples = names.iter().take(EXAMPLES_MAX).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let detail = match count {
        0 => return None,
        1 => format!("1 dependency names no exact version: {examples}"),
        _ => format!("{count} dependencies name no exact version: {examples}{more}"),
    };
    Some(Problem { kind: GapKind::UnknownVersion, detail, inside: None })
}
