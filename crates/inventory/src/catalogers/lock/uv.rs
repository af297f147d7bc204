//! `uv.lock`.
//!
//! The project and its workspace members stand among the packages, told by their source, with dependency groups of
//! their own; what only those groups reach is for development.

use std::collections::BTreeMap;

use super::packages::{Id, Packages, Use};
use super::python::Versions;
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;
use serde::Deserialize;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "uv-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "uv.lock"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

#[derive(Deserialize)]
struct LockFile {
    #[serde(rename = "version")]
    _version: u32,
    #[serde(default)]
    package: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Entry {
    name: String,
    /// Left out for a directory whose version is computed when it is built.
    version: Option<String>,
    #[serde(default)]
    source: toml::Table,
    #[serde(default)]
    dependencies: Vec<Dependency>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<Dependency>>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, Vec<Dependency>>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Written where several versions are locked.
    version: Option<String>,
}

impl Entry {
    /// The project, a workspace member or another local directory.
    fn is_own(&self) -> bool {
        ["virtual", "editable", "directory"].iter().any(|source| self.source.contains_key(*source))
    }

    /// What it needs at run time, with the extras that the project chose.
    fn needs(&self) -> impl Iterator<Item = &Dependency> {
        self.dependencies.iter().chain(self.optional_dependencies.values().flatten())
    }
}

pub(super) fn parse(text: &str) -> Parsed {
    let lock: LockFile = match toml::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return Parsed::malformed(error.message()),
    };
    let mut packages = Packages::new(PackageType::PyPi);
    let mut versions = Versions::default();
    let mut ids: Vec<Option<Id>> = Vec::with_capacity(lock.package.len());
    for entry in &lock.package {
        let id = match &entry.version {
            _ if entry.is_own() => None,
            Some(version) => packages.add(&entry.name, version, Use::Any),
            None => {
                packages.unversioned(&entry.name);
                None
            }
        };
        id.into_iter().for_each(|id| versions.insert(&entry.name, entry.version.as_deref().unwrap_or_default(), id));
        ids.push(id);
    }
    let mut production = Vec::new();
    for (entry, id) in lock.package.iter().zip(ids) {
        for dependency in entry.needs() {
            let Some(needed) = versions.one(&dependency.name, dependency.version.as_deref()) else { continue };
            match id {
                Some(id) => packages.need(id, needed),
                None => {
                    packages.mark_direct(needed);
                    production.push(needed);
                }
            }
        }
        for dependency in entry.dev_dependencies.values().flatten() {
            let needed = versions.one(&dependency.name, dependency.version.as_deref());
            needed.into_iter().for_each(|needed| packages.mark_direct(needed));
        }
    }
    if lock.package.iter().any(Entry::is_own) {
        packages.mark_development_beyond(production);
    }
    packages.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("uv.lock", text.as_bytes())));
    }

    #[test]
    fn commits_and_members() {
        check(
            r###"version = 1
[[package]]
name = "git"
version = "0.3.0"
source = { git = "https://github.com/x/git?rev=1#1" }
[[package]]
name = "member"
version = "0.1.0"
source = { editable = "packages/member" }
dependencies = [{ name = "git" }]
[[package]]
name = "shop"
source = { virtual = "." }
dependencies = [{ name = "member" }]
[package.dev-dependencies]
dev = [{ name = "tool", version = "1.0" }]
[[package]]
name = "tool"
version = "1.0"
source = { registry = "https://registry.example/simple" }
"###,
            expect![[r#"
                git 0.3.0 direct
                tool 1.0 direct development
            "#]],
        );
    }
}
