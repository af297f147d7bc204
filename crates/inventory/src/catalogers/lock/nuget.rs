//! NuGet's `packages.lock.json`, versions 1 and 2.
//!
//! Each target framework has a list of its own; together they are what the project may use. Projects of the same solution
//! stand among the packages as `Project`: what they name is direct. NuGet does not say what is for development.
//! Source: NuGet documentation, "Locking dependencies".

use std::collections::{BTreeMap, HashMap};

use super::packages::{Id, Packages, Use};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;
use serde::Deserialize;
use serde::de::IgnoredAny;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "nuget-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "packages.lock.json"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

#[derive(Deserialize)]
struct LockFile {
    #[serde(rename = "version")]
    _version: u32,
    dependencies: BTreeMap<String, BTreeMap<String, Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    resolved: Option<String>,
    #[serde(default)]
    dependencies: BTreeMap<String, IgnoredAny>,
}

pub(super) fn parse(text: &str) -> Parsed {
    let lock: LockFile = match serde_json::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return Parsed::malformed(error),
    };
    let mut packages = Packages::new(PackageType::NuGet);
    for entries in lock.dependencies.values() {
        // Within one framework a package has one version, and its name is written in any case.
        let mut ids: HashMap<String, Id> = HashMap::new();
        for (name, entry) in entries {
            let id = match &entry.resolved {
                _ if entry.kind == "Project" => None,
                Some(version) => packages.add(name, version, Use::Any),
                None => {
                    packages.unversioned(name);
                    None
                }
            };
            let Some(id) = id else { continue };
            ids.insert(name.to_lowercase(), id);
            if entry.kind == "Direct" {
                packages.mark_direct(id);
            }
        }
        for (name, entry) in entries {
            let id = ids.get(&name.to_lowercase()).copied();
            for needed in entry.dependencies.keys().filter_map(|needed| ids.get(&needed.to_lowercase()).copied()) {
                match id {
                    Some(id) => packages.need(id, needed),
                    None if entry.kind == "Project" => packages.mark_direct(needed),
                    None => {}
                }
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
        expected.assert_eq(&render(&parse("packages.lock.json", text.as_bytes())));
    }

    #[test]
    fn frameworks_and_projects() {
        check(
            r###"{"version": 1, "dependencies": {
  "net6.0": {
    "A": {"type": "Direct", "requested": "[1.0.0, )", "resolved": "1.0.0", "contentHash": "x", "dependencies": {"b": "1.0.0"}},
    "B": {"type": "Transitive", "resolved": "1.0.0", "contentHash": "x"},
    "shop.core": {"type": "Project", "dependencies": {"C": "[3.0.0, )"}},
    "C": {"type": "CentralTransitive", "resolved": "3.0.0"}
  },
  "net8.0": {"A": {"type": "Direct", "resolved": "1.0.0", "dependencies": {"B": "2.0.0"}}, "B": {"type": "Transitive", "resolved": "2.0.0"}}
}}"###,
            expect![[r#"
                A 1.0.0 direct -> B 1.0.0, B 2.0.0
                B 1.0.0
                B 2.0.0
                C 3.0.0 direct
            "#]],
        );
    }
}
