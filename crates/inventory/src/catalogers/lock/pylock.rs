//! `pylock.toml` and `pylock.<name>.toml`, the lock file that Python's tools share.
//!
//! Who needs whom may be left out (uv and pip do), and then nothing says what the project names itself. What is installed
//! for a dependency group alone, and not by default, is for development.
//! Source: PEP 751.

use super::packages::{Packages, Use};
use super::python::Versions;
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::Parsed;
use model::package::PackageType;
use serde::Deserialize;
use serde::de::IgnoredAny;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "pylock",
    version: 1,
    scope: Scope::Declared,
    wants,
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

fn wants(head: &FileHead<'_>) -> bool {
    let name = head.file_name();
    let named = name.strip_prefix("pylock.").is_some_and(|rest| rest == "toml" || rest.ends_with(".toml"));
    named && !super::is_installed(head.path)
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct LockFile {
    #[serde(rename = "lock-version")]
    _lock_version: String,
    #[serde(default)]
    default_groups: Vec<String>,
    #[serde(default)]
    packages: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    /// Left out where the version is computed when it is built.
    version: Option<String>,
    marker: Option<String>,
    #[serde(default)]
    dependencies: Vec<Dependency>,
    /// A directory beside the project, or the project.
    directory: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Dependency {
    name: Option<String>,
    version: Option<String>,
}

pub(super) fn parse(text: &str) -> Parsed {
    let lock: LockFile = match toml::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return Parsed::malformed(error.message()),
    };
    let mut packages = Packages::new(PackageType::PyPi);
    let mut versions = Versions::default();
    let mut ids = Vec::with_capacity(lock.packages.len());
    for entry in &lock.packages {
        let id = match &entry.version {
            _ if entry.directory.is_some() => None,
            Some(version) => packages.add(&entry.name, version, entry.needed_for(&lock.default_groups)),
            None => {
                packages.unversioned(&entry.name);
                None
            }
        };
        id.into_iter().for_each(|id| versions.insert(&entry.name, entry.version.as_deref().unwrap_or_default(), id));
        ids.push(id);
    }
    // A commit without a version is no package, but not the project either.
    let known = lock.packages.iter().zip(ids).filter(|(entry, id)| id.is_some() || entry.directory.is_some());
    for (entry, id) in known {
        for dependency in &entry.dependencies {
            let name = dependency.name.as_deref().unwrap_or_default();
            versions.link(&mut packages, id, name, dependency.version.as_deref());
        }
    }
    if lock.packages.iter().any(|entry| !entry.dependencies.is_empty()) {
        packages.mark_unneeded_direct();
    }
    packages.finish()
}

impl Entry {
    /// Each alternative of the marker that asks for a group, as in `'test' in dependency_groups`, must name one that is
    /// not installed by default.
    fn needed_for(&self, default_groups: &[String]) -> Use {
        let of_group = |alternative: &str| {
            let by_default = |group: &String| {
                alternative.contains(&format!("'{group}' in")) || alternative.contains(&format!("\"{group}\" in"))
            };
            alternative.contains(" in dependency_groups") && !default_groups.iter().any(by_default)
        };
        match &self.marker {
            Some(marker) if marker.split(" or ").all(of_group) => Use::Development,
            _ => Use::Any,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("pylock.toml", text.as_bytes())));
    }

    #[test]
    fn groups_directories_and_commits() {
        check(
            r###"lock-version = "1.0"
created-by = "x"
default-groups = ["web"]
[[packages]]
name = "shop"
directory = { path = ".", editable = true }
dependencies = [{ name = "A_b" }]
[[packages]]
name = "a-b"
version = "1.0"
marker = "'web' in dependency_groups or 'test' in dependency_groups"
dependencies = [{ name = "c", version = "2.0" }]
[[packages]]
name = "c"
version = "1.0"
marker = "'test' in dependency_groups"
[[packages]]
name = "c"
version = "2.0"
[[packages]]
name = "git"
vcs = { type = "git", url = "https://github.com/x/git", commit-id = "97edff6" }
"###,
            expect![[r#"
                a-b 1.0 direct -> c 2.0
                c 1.0 direct development
                c 2.0
                ! unknown-version: 1 dependency names no exact version: `git`
            "#]],
        );
    }
}
