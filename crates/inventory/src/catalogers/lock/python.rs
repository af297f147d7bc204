//! What the lock files of Python's tools have in common.

use std::collections::{BTreeMap, HashMap};

use super::packages::{Id, Packages};
use model::ecosystem::normalise_name;

/// How many versions of one package are taken for what another needs; markers seldom choose between more than three.
const VERSIONS_MAX: usize = 16;

/// The locked versions of each package, found by any spelling of its name (PEP 503).
#[derive(Default)]
pub(super) struct Versions(HashMap<String, BTreeMap<String, Id>>);

impl Versions {
    pub(super) fn insert(&mut self, name: &str, version: &str, id: Id) {
        self.0.entry(normalise_name("PyPI", name)).or_default().insert(version.to_owned(), id);
    }

    /// The locked versions of a package, at most [`VERSIONS_MAX`]. Several are locked when markers choose between them.
    pub(super) fn of(&self, name: &str) -> impl Iterator<Item = Id> {
        self.0.get(&normalise_name("PyPI", name)).into_iter().flatten().map(|(_, id)| *id).take(VERSIONS_MAX)
    }

    /// Notes that `from`, or the project itself, needs a package, if it is locked. Where several versions are and none is
    /// named, markers choose between them; what only an extra that is not installed would need is not locked.
    pub(super) fn link(&self, packages: &mut Packages, from: Option<Id>, name: &str, version: Option<&str>) {
        match (from, self.one(name, version)) {
            // With extras it needs itself.
            (Some(from), Some(needed)) if from == needed => {}
            (Some(from), Some(needed)) => packages.need(from, needed),
            (Some(from), None) if self.of(name).next().is_some() => packages.need_some(from, name),
            (None, Some(needed)) => packages.mark_direct(needed),
            _ => {}
        }
    }

    /// The locked version of a package: the one named, or the only one.
    pub(super) fn one(&self, name: &str, version: Option<&str>) -> Option<Id> {
        let versions = self.0.get(&normalise_name("PyPI", name))?;
        match version {
            Some(version) => versions.get(version).copied(),
            None => versions.first_key_value().filter(|_| versions.len() == 1).map(|(_, id)| *id),
        }
    }
}

/// The name that a requirement begins with: `requests[socks]>=2; python_version > "3"` (PEP 508).
pub(super) fn requirement_name(requirement: &str) -> &str {
    let requirement = requirement.trim_start();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    requirement.find(|c| !is_name(c)).map_or(requirement, |end| &requirement[..end])
}
