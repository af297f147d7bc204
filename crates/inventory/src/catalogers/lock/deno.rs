//! Deno's `deno.lock`, versions 2 to 5.
//!
//! Packages come from npm, from JSR and from plain URLs; the last have no versions. `specifiers` says what each wish
//! became, `workspace` what the project wishes. An npm key has its peers behind the version, `a@1.0.0_b@2.0.0`. Version 2
//! has its wishes and packages below `npm`, version 3 below `packages`.
//! Source: Deno's documentation, "Integrity checking and lock files".

use std::collections::HashMap;

use super::packages::{Id, Packages, Use};
use super::split_name;
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;
use serde::Deserialize;
use serde_json::{Map, Value};

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "deno-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "deno.lock"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

#[derive(Deserialize)]
struct LockFile {
    #[serde(rename = "version")]
    _version: String,
    #[serde(default)]
    packages: Map<String, Value>,
    #[serde(default)]
    specifiers: Map<String, Value>,
    #[serde(default)]
    npm: Map<String, Value>,
    #[serde(default)]
    jsr: Map<String, Value>,
    #[serde(default)]
    remote: Map<String, Value>,
    #[serde(default)]
    workspace: Value,
}

/// The packages by what refers to them, such as `npm:a@1.0.0_b@2.0.0`.
#[derive(Default)]
struct Found<'a> {
    ids: HashMap<String, Id>,
    /// Packages without their version, where one is locked.
    only: HashMap<String, Id>,
    specifiers: HashMap<String, &'a str>,
}

pub(super) fn parse(text: &str) -> Parsed {
    let lock: LockFile = match serde_json::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return Parsed::malformed(error),
    };
    let inner = |of: &'_ Map<String, Value>, key: &str| of.get(key).and_then(Value::as_object).cloned();
    // Version 2 nests what npm has once more; `specifiers` there has no `npm:`.
    let (npm, of_npm) = match (inner(&lock.npm, "packages"), inner(&lock.npm, "specifiers")) {
        (Some(packages), wishes) => (packages, wishes.unwrap_or_default()),
        (None, _) => (inner(&lock.packages, "npm").unwrap_or(lock.npm), Map::new()),
    };
    let jsr = inner(&lock.packages, "jsr").unwrap_or(lock.jsr);
    let wishes = lock.packages.get("specifiers").and_then(Value::as_object).unwrap_or(&lock.specifiers);
    let mut packages = Packages::new(PackageType::Npm);
    let mut found = Found::default();
    found.add_all("npm", &npm, &mut packages);
    found.add_all("jsr", &jsr, &mut packages);
    for (wish, chosen) in wishes.iter().chain(of_npm.iter()) {
        let wish = if of_npm.contains_key(wish) { format!("npm:{wish}") } else { wish.clone() };
        found.specifiers.extend(chosen.as_str().map(|chosen| (wish, chosen)));
    }
    for (world, entries) in [("npm", &npm), ("jsr", &jsr)] {
        for (key, entry) in entries {
            let Some(&from) = found.ids.get(&format!("{world}:{key}")) else { continue };
            for wish in needs(entry) {
                found.find(world, &wish).into_iter().for_each(|needed| packages.need(from, needed));
            }
        }
    }
    // Before version 4 nothing but the wishes themselves tells what the project names.
    let of_project = if lock.workspace.is_null() { wishes.keys().cloned().collect() } else { project(&lock.workspace) };
    for wish in of_project.iter().chain(of_npm.keys()) {
        let world = if of_npm.is_empty() { "" } else { "npm" };
        found.find(world, wish).into_iter().for_each(|id| packages.mark_direct(id));
    }
    lock.remote.keys().for_each(|url| packages.unversioned(url));
    packages.finish()
}

impl Found<'_> {
    fn add_all(&mut self, world: &str, entries: &Map<String, Value>, packages: &mut Packages) {
        for key in entries.keys() {
            let Some((name, version)) = split_name(key) else {
                packages.unversioned(key);
                continue;
            };
            // The peers stand behind `_`, which no version has.
            let version = version.split('_').next().unwrap_or(version);
            let kind = if world == "npm" { PackageType::Npm } else { PackageType::Other("jsr".into()) };
            let Some(id) = packages.add_of(kind, name, version, Use::Any) else { continue };
            self.ids.insert(format!("{world}:{key}"), id);
            self.only.insert(format!("{world}:{name}"), id);
        }
    }

    /// What a wish became: `npm:chalk@5`, `chalk@5.3.0`, `accepts`, `jsr:@std/path@^1.0.0`.
    fn find(&self, world: &str, wish: &str) -> Option<Id> {
        let full = if wish.starts_with("npm:") || wish.starts_with("jsr:") {
            wish.to_owned()
        } else {
            format!("{world}:{wish}")
        };
        let (world, name) = full.split_once(':')?;
        let package = split_name(name).map_or(name, |(name, _)| name);
        let chosen = self.specifiers.get(&full).copied();
        // Version 4 names the version alone, those before the whole package.
        let by_wish = chosen.and_then(|chosen| {
            let whole = chosen.split_once(':').map_or(chosen, |(_, whole)| whole);
            [format!("{world}:{package}@{chosen}"), format!("{world}:{whole}")]
                .iter()
                .find_map(|key| self.ids.get(key).copied())
        });
        let by_name = || self.only.get(&full).or_else(|| self.only.get(&format!("{world}:{package}"))).copied();
        by_wish.or_else(|| self.ids.get(&full).copied()).or_else(by_name)
    }
}

/// What one package needs: a list, or an object of installed names and keys.
fn needs(entry: &Value) -> Vec<String> {
    let mut needs = Vec::new();
    for key in ["dependencies", "optionalDependencies"] {
        match entry.get(key) {
            Some(Value::Array(list)) => needs.extend(list.iter().filter_map(Value::as_str).map(str::to_owned)),
            Some(Value::Object(object)) => needs.extend(object.values().filter_map(Value::as_str).map(str::to_owned)),
            _ => {}
        }
    }
    needs
}

/// What the project and its workspace members wish: every `dependencies` list below `workspace`.
fn project(workspace: &Value) -> Vec<String> {
    let mut wishes = Vec::new();
    let mut open = vec![workspace];
    while let Some(value) = open.pop() {
        for (key, value) in value.as_object().into_iter().flatten() {
            match value {
                Value::Array(list) if key == "dependencies" => {
                    wishes.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                Value::Object(_) => open.push(value),
                _ => {}
            }
        }
    }
    wishes
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("deno.lock", text.as_bytes())));
    }

    #[test]
    fn the_older_versions_and_urls() {
        check(
            r###"{"version": "2", "remote": {"https://deno.example/std@0.200.0/path/mod.ts": "00"}, "npm": {
  "specifiers": {"a@^1": "a@1.0.0_b@2.0.0"},
  "packages": {"a@1.0.0_b@2.0.0": {"integrity": "x", "dependencies": {"c": "b@2.0.0"}}, "b@2.0.0": {"dependencies": {}}}}}"###,
            expect![[r#"
                a 1.0.0 direct -> b 2.0.0
                b 2.0.0
                ! unknown-version: 1 dependency names no exact version: `https://deno.example/std@0.200.0/path/mod.ts`
            "#]],
        );
        check(
            r###"{"version": "3", "packages": {
  "specifiers": {"jsr:@s/p@1": "jsr:@s/p@1.1.0", "npm:a@1": "npm:a@1.0.0"},
  "jsr": {"@s/p@1.1.0": {"integrity": "x", "dependencies": ["jsr:@s/q@1", "npm:a@1"]}, "@s/q@1.0.0": {}},
  "npm": {"a@1.0.0": {"integrity": "x", "dependencies": {}}}}, "remote": {}}"###,
            expect![[r#"
                @s/p 1.1.0 direct -> @s/q 1.0.0, a 1.0.0
                @s/q 1.0.0
                a 1.0.0 direct
            "#]],
        );
    }
}
