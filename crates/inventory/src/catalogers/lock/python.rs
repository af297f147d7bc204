//! What the lock files of Python's tools have in common.

use std::collections::HashMap;

use super::packages::Id;
use model::ecosystem::normalise_name;

/// The locked versions of each package, found by any spelling of its name (PEP 503).
#[derive(Default)]
pub(super) struct Versions(HashMap<String, Vec<(String, Id)>>);

impl Versions {
    pub(super) fn insert(&mut self, name: &str, version: &str, id: Id) {
        self.0.entry(normalise_name("PyPI", name)).or_default().push((version.to_owned(), id));
    }

    /// Every locked version of a package. Several are locked when markers choose between them.
    pub(super) fn of(&self, name: &str) -> impl Iterator<Item = Id> {
        self.0.get(&normalise_name("PyPI", name)).into_iter().flatten().map(|(_, id)| *id)
    }

    /// The locked version of a package: the one named, or the only one.
    pub(super) fn one(&self, name: &str, version: Option<&str>) -> Option<Id> {
        let versions = self.0.get(&normalise_name("PyPI", name))?;
        match (version, versions.as_slice()) {
            (Some(version), _) => versions.iter().find(|(locked, _)| locked == version).map(|(_, id)| *id),
            (None, [(_, id)]) => Some(*id),
            (None, _) => None,
        }
    }
}
