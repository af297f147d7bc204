//! `Cargo.lock`, versions 1 to 4.
//!
//! A dependency is written `name`, or `name version` where several versions are locked, or `name version (source)`.
//! What has no source is the project, a workspace member or a path dependency: those are not packages, and what they
//! name is direct. Cargo does not say what is for development only.

use std::collections::HashMap;

use super::packages::{Id, Packages, Use};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;
use serde::Deserialize;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "cargo-lock",
    version: 1,
    scope: Scope::Declared,
    // Vendored crates ship the lock files of their own development, too.
    wants: |head| super::is_named(head, "Cargo.lock") && !head.path.split('/').any(|part| part == "vendor"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

#[derive(Deserialize)]
struct LockFile {
    version: Option<u32>,
    /// Very old files keep the project itself apart.
    root: Option<Entry>,
    package: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    version: String,
    source: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

pub(super) fn parse(text: &str) -> Parsed {
    let lock: LockFile = match toml::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return Parsed::malformed(error.message()),
    };
    if lock.version.is_none() && lock.root.is_none() && lock.package.is_none() {
        return Parsed::malformed("it has neither `version` nor `[[package]]`");
    }
    let entries: Vec<Entry> = lock.root.into_iter().chain(lock.package.into_iter().flatten()).collect();
    let mut packages = Packages::new(PackageType::Cargo);
    let ids: Vec<Option<Id>> = entries
        .iter()
        .map(|entry| {
            entry.source.as_ref()?;
            packages.add(&entry.name, &entry.version, Use::Any)
        })
        .collect();
    // Looked up as the file writes a dependency: `name` is there only to be found when one version is locked.
    let mut found: HashMap<String, Option<Id>> = HashMap::new();
    for (entry, &id) in entries.iter().zip(&ids) {
        found.insert(entry.name.clone(), id);
        // A crate of one version may come from a registry and from a path; a path has no source to be written.
        let exact = found.entry(format!("{} {}", entry.name, entry.version)).or_insert(id);
        *exact = exact.or(id);
    }
    for (entry, &id) in entries.iter().zip(&ids) {
        for dependency in &entry.dependencies {
            let wanted = dependency.split(" (").next().unwrap_or(dependency);
            match (found.get(wanted).copied().flatten(), id) {
                (Some(needed), Some(id)) => packages.need(id, needed),
                (Some(needed), None) => packages.mark_direct(needed),
                (None, _) => {}
            }
        }
    }
    packages.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("Cargo.lock", text.as_bytes())));
    }

    #[test]
    fn version_1_and_members_and_git() {
        check(
            r###"[root]
name = "shop"
version = "0.1.0"
dependencies = ["a 1.0.0 (registry+https://index.example)", "member 0.1.0"]

[[package]]
name = "a"
version = "1.0.0"
source = "registry+https://index.example"
dependencies = ["b 2.0.0 (git+https://github.com/x/b#1)"]

[[package]]
name = "b"
version = "1.0.0"
source = "registry+https://index.example"

[[package]]
name = "b"
version = "2.0.0"
source = "git+https://github.com/x/b#1"

[[package]]
name = "member"
version = "0.1.0"
dependencies = ["b 1.0.0"]

[metadata]
"checksum a 1.0.0 (registry+https://index.example)" = "00"
"###,
            expect![[r#"
                a 1.0.0 direct -> b 2.0.0
                b 1.0.0 direct
                b 2.0.0
            "#]],
        );
    }
}
