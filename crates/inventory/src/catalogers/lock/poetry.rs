//! `poetry.lock`, written by Poetry 1 and 2.
//!
//! Poetry up to 1.4 says `category`, Poetry 2 says `groups`; between them nothing tells what is for development. The
//! project's own dependencies are not listed: what no other package needs must be one of them.

use std::collections::BTreeMap;

use super::packages::{Packages, Use};
use super::python::Versions;
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;
use serde::Deserialize;
use serde::de::IgnoredAny;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "poetry-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "poetry.lock"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

#[derive(Deserialize)]
struct LockFile {
    #[serde(default)]
    package: Vec<Entry>,
    metadata: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    version: String,
    category: Option<String>,
    groups: Option<Vec<String>>,
    #[serde(default)]
    dependencies: BTreeMap<String, IgnoredAny>,
    source: Option<Source>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Entry {
    /// A directory beside the project.
    fn is_own(&self) -> bool {
        self.source.as_ref().and_then(|source| source.kind.as_deref()) == Some("directory")
    }

    fn needed_for(&self) -> Use {
        let elsewhere = self.groups.as_ref().is_some_and(|groups| !groups.iter().any(|group| group == "main"));
        if elsewhere || self.category.as_deref() == Some("dev") { Use::Development } else { Use::Any }
    }
}

pub(super) fn parse(text: &str) -> Parsed {
    let lock: LockFile = match toml::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return Parsed::malformed(error.message()),
    };
    if lock.metadata.is_none() {
        return Parsed::malformed("it has no `[metadata]`, which Poetry writes last");
    }
    let mut packages = Packages::new(PackageType::PyPi);
    let mut versions = Versions::default();
    let mut ids = Vec::with_capacity(lock.package.len());
    for entry in &lock.package {
        let id = if entry.is_own() { None } else { packages.add(&entry.name, &entry.version, entry.needed_for()) };
        id.into_iter().for_each(|id| versions.insert(&entry.name, &entry.version, id));
        ids.push(id);
    }
    for (entry, id) in lock.package.iter().zip(ids) {
        entry.dependencies.keys().for_each(|name| versions.link(&mut packages, id, name, None));
    }
    packages.mark_unneeded_direct();
    packages.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("poetry.lock", text.as_bytes())));
    }

    #[test]
    fn several_versions_and_directories() {
        check(
            r###"[[package]]
name = "A.b"
version = "1.0"
groups = ["main", "dev"]
[package.dependencies]
numpy = [{version = ">=1", markers = "x"}, {version = ">=2", markers = "y"}]
c-d = "*"

[[package]]
name = "C_d"
version = "2.0"
groups = ["dev"]

[[package]]
name = "numpy"
version = "1.0"
[[package]]
name = "numpy"
version = "2.0"
[[package]]
name = "local"
version = "0.1"
[package.source]
type = "directory"
url = "../local"
[metadata]
lock-version = "2.1"
"###,
            expect![[r#"
                A.b 1.0 direct -> C_d 2.0, numpy ?
                C_d 2.0 development
                numpy 1.0
                numpy 2.0
            "#]],
        );
    }
}
