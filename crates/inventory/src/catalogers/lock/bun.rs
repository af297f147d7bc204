//! Bun's `bun.lock`; its older, binary `bun.lockb` is a gap.
//!
//! Each entry's key says where it is installed: `debug`, or `express/debug` for what only `express` gets. An entry is a
//! list whose first element is `name@version` and in which an object says what it needs. Workspace members stand under
//! `workspaces`, with `""` for the project; what only their `devDependencies` reach is for development.
//! Source: Bun's documentation, "Lockfile".

use std::collections::BTreeMap;

use super::packages::{Id, Packages, Use};
use super::{jsonc, split_name};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::gap::GapKind;
use model::package::PackageType;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "bun-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "bun.lock") || super::is_named(head, "bun.lockb"),
    parse: |file: &File<'_>| {
        if file.path.ends_with(".lockb") {
            // A dump of Bun's memory, whose layout has no specification and changes with Bun.
            return Parsed::problem(
                GapKind::Unsupported,
                "Bun's binary lock file is not read; `bun install --save-text-lockfile` writes `bun.lock`",
            );
        }
        super::text(file).map_or_else(|problem| problem, |text| parse(&text))
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LockFile {
    #[serde(rename = "lockfileVersion")]
    _version: u32,
    #[serde(default)]
    workspaces: BTreeMap<String, Wishes>,
    #[serde(default)]
    packages: BTreeMap<String, Vec<Value>>,
}

/// What a workspace member or a package asks for; only the names matter.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Wishes {
    name: String,
    dependencies: BTreeMap<String, IgnoredAny>,
    optional_dependencies: BTreeMap<String, IgnoredAny>,
    peer_dependencies: BTreeMap<String, IgnoredAny>,
    dev_dependencies: BTreeMap<String, IgnoredAny>,
}

impl Wishes {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.dependencies
            .keys()
            .chain(self.optional_dependencies.keys())
            .chain(self.peer_dependencies.keys())
            .map(String::as_str)
    }
}

/// The longest key and the deepest nesting that are followed: a look-up costs their product.
const KEY_BYTES_MAX: usize = 512;
const STEPS_MAX: usize = 32;

pub(super) fn parse(text: &str) -> Parsed {
    let lock: LockFile = match serde_json::from_str(&jsonc::plain(text)) {
        Ok(lock) => lock,
        Err(error) => return Parsed::malformed(error),
    };
    let mut packages = Packages::new(PackageType::Npm);
    let mut ids: BTreeMap<&str, Option<Id>> = BTreeMap::new();
    for (key, entry) in lock.packages.iter().filter(|(key, _)| key.len() <= KEY_BYTES_MAX) {
        ids.insert(key, add(entry, &mut packages));
    }
    for (key, entry) in &lock.packages {
        let Some(wishes) = entry.iter().find(|part| part.is_object()) else { continue };
        let Ok(wishes) = Wishes::deserialize(wishes) else { continue };
        for name in wishes.names() {
            if !packages.may_look_up() {
                return packages.finish();
            }
            match (ids.get(key.as_str()).copied().flatten(), find(&ids, key, name)) {
                (Some(id), Some(needed)) => packages.need(id, needed),
                // A local directory is part of the project.
                (None, Some(needed)) if is_own(entry) => packages.mark_direct(needed),
                _ => {}
            }
        }
    }
    let mut production = Vec::new();
    for (path, member) in &lock.workspaces {
        let from = if path.is_empty() { "" } else { member.name.as_str() };
        for needed in member.names().filter_map(|name| find(&ids, from, name)) {
            packages.mark_direct(needed);
            production.push(needed);
        }
        let tools = member.dev_dependencies.keys().filter_map(|name| find(&ids, from, name));
        tools.for_each(|needed| packages.mark_direct(needed));
    }
    packages.mark_development_beyond(production);
    packages.finish()
}

/// Adds the package of one entry: `["debug@2.6.9", "", {…}, "sha512-…"]`. None for what is the project's own.
fn add(entry: &[Value], packages: &mut Packages) -> Option<Id> {
    let (name, version) = split_name(entry.first()?.as_str()?)?;
    if version.starts_with(|c: char| c.is_ascii_digit()) {
        return packages.add(name, version, Use::Any);
    }
    if !is_own(entry) {
        // A git commit or an archive; its version stands in its own manifest.
        packages.unversioned(name);
    }
    None
}

/// Whether an entry is the project, a workspace member or another local directory.
fn is_own(entry: &[Value]) -> bool {
    let reference = entry.first().and_then(Value::as_str).and_then(split_name).map_or("", |(_, reference)| reference);
    let archive = reference.ends_with(".tgz") || reference.ends_with(".tar.gz");
    let local = ["workspace:", "link:", "root:", "file:"].iter().any(|protocol| reference.starts_with(protocol));
    local && !archive
}

/// The entry that `name` means for whoever is installed at `from`: the nearest, from there outwards.
fn find(ids: &BTreeMap<&str, Option<Id>>, from: &str, name: &str) -> Option<Id> {
    let mut from = if from.len() > KEY_BYTES_MAX { "" } else { from };
    for _ in 0..STEPS_MAX {
        let candidate = if from.is_empty() { name.to_owned() } else { format!("{from}/{name}") };
        if let Some(found) = ids.get(candidate.as_str()) {
            return *found;
        }
        if from.is_empty() {
            return None;
        }
        // The scope of a package is no place of its own, but looking there finds nothing and so does no harm.
        from = from.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("bun.lock", text.as_bytes())));
    }

    #[test]
    fn commits_members_aliases_and_nested_copies() {
        check(
            r###"{
  "lockfileVersion": 1,
  "workspaces": {
    "": {"name": "shop", "dependencies": {"a": "^1", "mine": "npm:@s/real@^1", "git": "x/git"}, "devDependencies": {"tool": "^1"},},
    "packages/ui": {"name": "@shop/ui", "dependencies": {"a": "^2"}},
  },
  "packages": {
    "@shop/ui": ["@shop/ui@workspace:packages/ui"],
    "@shop/ui/a": ["a@2.0.0", "", {"dependencies": {"b": "^1"}}, "sha512-x"],
    "a": ["a@1.0.0", "", {"peerDependencies": {"b": "^1"}, "optionalPeers": ["b"]}, "sha512-x"],
    "b": ["b@1.0.0", "", {}, "sha512-x"],
    "git": ["git@github:x/git#97edff6", {"dependencies": {"b": "^1"}}, "x-git-97edff6"],
    "local": ["local@file:local", {"dependencies": {"tool/c": "^1"}}],
    "mine": ["@s/real@1.0.0", "", {}, "sha512-x"],
    "tool": ["tool@1.0.0", "", {"dependencies": {"b": "^2"}}, "sha512-x"],
    "tool/b": ["b@2.0.0", "", {}, "sha512-x"],
  }
}"###,
            expect![[r#"
                @s/real 1.0.0 direct
                a 1.0.0 direct -> b 1.0.0
                a 2.0.0 direct -> b 1.0.0
                b 1.0.0
                b 2.0.0 development
                tool 1.0.0 direct development -> b 2.0.0
                ! unknown-version: 1 dependency names no exact version: `git`
            "#]],
        );
    }

    #[test]
    fn the_binary_form_is_a_gap() {
        let parsed = parse("bun.lockb", b"#!/usr/bin/env bun\nbun-lockfile-format-v0\n\x02");
        assert_eq!(parsed.problems.len(), 1);
        assert_eq!(parsed.problems[0].kind, model::gap::GapKind::Unsupported);
    }
}
