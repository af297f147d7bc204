//! Julia's `Manifest.toml`, formats 1 and 2.
//!
//! Format 1 lists packages at the top, format 2 below `deps`. A name may stand several times, told apart by UUID. Julia's
//! own libraries have no version, and what has a `path` is the project's own. What the project names stands in
//! `Project.toml`; here, what no other package needs must be named by it.
//! Source: Pkg.jl's documentation, "Manifest.toml".

use std::collections::{BTreeMap, HashMap};

use super::packages::{Id, Packages, Use};
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::Parsed;
use model::package::PackageType;
use serde::Deserialize;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "julia-manifest",
    version: 1,
    scope: Scope::Declared,
    wants,
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

/// Also `JuliaManifest.toml`, and one for a version of Julia: `Manifest-v1.11.toml`.
fn wants(head: &FileHead<'_>) -> bool {
    let name = head.file_name();
    let name = name.strip_prefix("Julia").unwrap_or(name);
    let rest = name.strip_prefix("Manifest").and_then(|rest| rest.strip_suffix(".toml"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("-v")) && !super::is_installed(head.path)
}

#[derive(Deserialize)]
struct LockFile {
    manifest_format: Option<String>,
    #[serde(default)]
    deps: BTreeMap<String, Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    uuid: String,
    version: Option<String>,
    path: Option<String>,
    deps: Option<Needs>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Needs {
    Names(Vec<String>),
    /// By UUID, where a name stands several times.
    Uuids(BTreeMap<String, String>),
}

pub(super) fn parse(text: &str) -> Parsed {
    let lock: LockFile = match toml::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return Parsed::malformed(error.message()),
    };
    let entries = if lock.manifest_format.is_some() {
        lock.deps
    } else {
        // Format 1 has packages and nothing else at its top.
        match toml::from_str(text) {
            Ok(entries) => entries,
            Err(error) => return Parsed::malformed(error.message()),
        }
    };
    if entries.is_empty() && lock.manifest_format.is_none() && !text.contains("machine-generated") {
        return Parsed::malformed("it has no `manifest_format` and no packages");
    }
    collect(&entries)
}

fn collect(entries: &BTreeMap<String, Vec<Entry>>) -> Parsed {
    let mut packages = Packages::new(PackageType::Julia);
    let (mut by_name, mut by_uuid): (HashMap<&str, Id>, HashMap<&str, Id>) = (HashMap::new(), HashMap::new());
    let all = || entries.iter().flat_map(|(name, entries)| entries.iter().map(move |entry| (name.as_str(), entry)));
    for (name, entry) in all().filter(|(_, entry)| entry.path.is_none()) {
        let version = entry.version.as_deref();
        if let Some(id) = version.and_then(|version| packages.add(name, version, Use::Any)) {
            by_name.insert(name, id);
            by_uuid.insert(&entry.uuid, id);
        }
    }
    for (_, entry) in all() {
        let needed: Vec<Id> = match &entry.deps {
            None => continue,
            Some(Needs::Names(names)) => names.iter().filter_map(|name| by_name.get(name.as_str()).copied()).collect(),
            Some(Needs::Uuids(uuids)) => {
                uuids.values().filter_map(|uuid| by_uuid.get(uuid.as_str()).copied()).collect()
            }
        };
        for needed in needed {
            match by_uuid.get(entry.uuid.as_str()) {
                Some(&from) => packages.need(from, needed),
                None if entry.path.is_some() => packages.mark_direct(needed),
                // One of Julia's own libraries.
                None => {}
            }
        }
    }
    packages.mark_unneeded_direct();
    packages.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("Manifest.toml", text.as_bytes())));
    }

    #[test]
    fn names_that_stand_twice_and_the_empty_manifest() {
        check(
            r###"julia_version = "1.9.0"
manifest_format = "2.0"
[[deps.A]]
uuid = "00000000-0000-0000-0000-000000000001"
version = "1.0.0"
    [deps.A.deps]
    B = "00000000-0000-0000-0000-000000000003"
[[deps.B]]
uuid = "00000000-0000-0000-0000-000000000002"
version = "1.0.0"
[[deps.B]]
uuid = "00000000-0000-0000-0000-000000000003"
version = "2.0.0"
[[deps.Dates]]
deps = ["Printf"]
uuid = "ade2ca70-3891-5945-98fb-dc099432e06a"
[[deps.Own]]
deps = ["A", "Dates"]
path = "../Own"
uuid = "00000000-0000-0000-0000-000000000004"
version = "0.1.0"
"###,
            expect![[r#"
                A 1.0.0 direct -> B 2.0.0
                B 1.0.0 direct
                B 2.0.0
            "#]],
        );
        check("# This file is machine-generated - editing it directly is not advised\n", expect![[""]]);
    }
}
