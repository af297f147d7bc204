//! R's `renv.lock`.
//!
//! Packages are from CRAN (or another repository in its place), from Bioconductor, or from a repository of code, whose own
//! manifest states the version. Who needs whom stands in `Requirements`, since renv 1.1 in `Depends`, `Imports` and
//! `LinkingTo`. The project's own uses are not listed: what no other package needs must be one of them.
//! Source: renv's documentation, "Lockfile".

use std::collections::BTreeMap;

use super::packages::{Id, Packages, Use};
use super::python::requirement_name;
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;
use serde::Deserialize;
use serde::de::IgnoredAny;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "renv-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "renv.lock"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LockFile {
    #[serde(rename = "R")]
    _r: IgnoredAny,
    #[serde(default)]
    packages: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    version: Option<String>,
    source: Option<String>,
    #[serde(default)]
    requirements: Vec<String>,
    #[serde(default)]
    depends: Names,
    #[serde(default)]
    imports: Names,
    #[serde(default)]
    linking_to: Names,
}

/// A field of a package's `DESCRIPTION`: a list, or one text with commas.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<String>),
    Text(String),
}

impl Default for Names {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Names {
    fn names(&self) -> Vec<&str> {
        match self {
            Self::List(names) => names.iter().map(|name| requirement_name(name)).collect(),
            Self::Text(text) => text.split(',').map(requirement_name).collect(),
        }
    }
}

pub(super) fn parse(text: &str) -> Parsed {
    let lock: LockFile = match serde_json::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return Parsed::malformed(error),
    };
    let mut packages = Packages::new(PackageType::Cran);
    let mut ids: BTreeMap<&str, Id> = BTreeMap::new();
    for (name, entry) in &lock.packages {
        let kind = match entry.source.as_deref() {
            Some("Bioconductor") => PackageType::Bioconductor,
            _ => PackageType::Cran,
        };
        match &entry.version {
            Some(version) => ids.extend(packages.add_of(kind, name, version, Use::Any).map(|id| (name.as_str(), id))),
            None => packages.unversioned(name),
        }
    }
    let mut tells = false;
    for (name, entry) in &lock.packages {
        let Some(&from) = ids.get(name.as_str()) else { continue };
        let named = [&entry.depends, &entry.imports, &entry.linking_to].into_iter().flat_map(Names::names);
        for needed in named.chain(entry.requirements.iter().map(String::as_str)).filter_map(|name| ids.get(name)) {
            packages.need(from, *needed);
            tells = true;
        }
    }
    // Before renv 0.14 nothing says who needs whom.
    if tells {
        packages.mark_unneeded_direct();
    }
    packages.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("renv.lock", text.as_bytes())));
    }

    #[test]
    fn both_ways_to_say_what_is_needed() {
        check(
            r###"{"R": {"Version": "4.3.1"}, "Packages": {
  "Biobase": {"Package": "Biobase", "Version": "2.58.0", "Source": "Bioconductor", "Depends": ["R (>= 2.10)", "cli (>= 1)", "utils"]},
  "cli": {"Package": "cli", "Version": "3.6.1", "Source": "Repository", "Repository": "CRAN", "Requirements": ["R", "utils"]},
  "git": {"Package": "git", "Version": "0.1.0.9000", "Source": "GitHub", "RemoteSha": "97edff6", "Imports": "cli, Biobase (>= 2)"},
  "odd": {"Package": "odd", "Source": "unknown"}
}}"###,
            expect![[r#"
                Biobase 2.58.0 -> cli 3.6.1
                cli 3.6.1
                git 0.1.0.9000 direct -> Biobase 2.58.0, cli 3.6.1
                ! unknown-version: 1 dependency names no exact version: `odd`
            "#]],
        );
    }
}
