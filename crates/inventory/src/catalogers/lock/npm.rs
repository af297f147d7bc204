//! npm's `package-lock.json` and `npm-shrinkwrap.json`, lockfile versions 1, 2 and 3.
//!
//! Versions 2 and 3 list every place of the `node_modules` tree under `packages`, and Node's own look-up (nearest
//! `node_modules` first, then outwards) says which version a dependency gets. Version 1 nests `dependencies` instead.
//! Source: npm documentation, "package-lock.json".
//!
//! `node_modules/.package-lock.json` is not read: it repeats what is installed.

use std::collections::HashMap;
use std::fmt;

use super::packages::{Id, Packages, Use};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::gap::GapKind;
use model::package::PackageType;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "npm-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "package-lock.json") || super::is_named(head, "npm-shrinkwrap.json"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

/// The longest place in the tree and how far outwards a look-up walks: each step costs as much as the path is long.
const PLACE_BYTES_MAX: usize = 512;
const STEPS_MAX: usize = 32;

#[derive(Deserialize)]
struct LockFile {
    packages: Option<HashMap<String, Place>>,
    dependencies: Option<HashMap<String, Nested>>,
    #[serde(rename = "lockfileVersion")]
    version: Option<IgnoredAny>,
}

/// One place of the tree (versions 2 and 3).
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Place {
    name: Option<String>,
    version: Option<String>,
    link: bool,
    dev: bool,
    dependencies: Names,
    dev_dependencies: Names,
    optional_dependencies: Names,
    peer_dependencies: Names,
}

/// One package and what is installed below it (version 1).
#[derive(Deserialize, Default)]
#[serde(default)]
struct Nested {
    version: Option<String>,
    dev: bool,
    requires: Names,
    dependencies: HashMap<String, Nested>,
    #[serde(skip)]
    id: Option<Id>,
}

pub(super) fn parse(text: &str) -> Parsed {
    let lock: LockFile = match serde_json::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return Parsed::malformed(error),
    };
    let mut packages = Packages::new(PackageType::Npm);
    match (lock.packages, lock.dependencies) {
        (Some(places), _) => read_places(&places, &mut packages),
        (None, Some(mut nested)) => {
            add_nested(&mut nested, &mut packages);
            resolve_nested(&mut vec![&nested], &mut packages);
            packages.mark_unneeded_direct();
        }
        // A project without dependencies has neither, but it has the version.
        (None, None) if lock.version.is_some() => {}
        (None, None) => return Parsed::malformed("it has neither `packages`, `dependencies` nor `lockfileVersion`"),
    }
    packages.finish()
}

fn read_places(places: &HashMap<String, Place>, packages: &mut Packages) {
    let mut ids: HashMap<&str, Id> = HashMap::new();
    for (path, place) in places {
        if path.len() > PLACE_BYTES_MAX {
            packages
                .problem(GapKind::LimitExceeded, format!("a place in the tree is longer than {PLACE_BYTES_MAX} bytes"));
            continue;
        }
        let Some(installed_as) = installed_name(path).filter(|_| !place.link) else { continue };
        let name = place.name.as_deref().unwrap_or(installed_as);
        let needed_for = if place.dev { Use::Development } else { Use::Any };
        match place.version.as_deref() {
            Some(version) => ids.extend(packages.add(name, version, needed_for).map(|id| (path.as_str(), id))),
            None => packages.unversioned(name),
        }
    }
    for (path, place) in places.iter().filter(|(path, _)| path.len() <= PLACE_BYTES_MAX) {
        let own = installed_name(path).is_none();
        let id = ids.get(path.as_str()).copied();
        let mut wanted: Vec<&Names> = vec![&place.dependencies, &place.optional_dependencies, &place.peer_dependencies];
        wanted.extend(own.then_some(&place.dev_dependencies));
        for name in wanted.into_iter().flat_map(|names| &names.0) {
            if !packages.may_look_up() {
                return;
            }
            match (find(places, &ids, path, name), id) {
                (Some(needed), Some(id)) => packages.need(id, needed),
                (Some(needed), None) if own => packages.mark_direct(needed),
                _ => {}
            }
        }
    }
}

/// The name a place is installed under; none for the project and its workspace members.
fn installed_name(path: &str) -> Option<&str> {
    let name = path.rsplit_once("node_modules/")?.1;
    (!name.is_empty()).then_some(name)
}

/// Node's look-up: the nearest `node_modules` that has the name, from `path` outwards. None when a workspace member
/// answers, or nothing.
fn find<'a>(places: &'a HashMap<String, Place>, ids: &HashMap<&'a str, Id>, path: &str, name: &str) -> Option<Id> {
    let mut from = path;
    for _ in 0..STEPS_MAX {
        let candidate =
            if from.is_empty() { format!("node_modules/{name}") } else { format!("{from}/node_modules/{name}") };
        if places.contains_key(&candidate) {
            return ids.get(candidate.as_str()).copied();
        }
        if from.is_empty() {
            return None;
        }
        from = from.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
    None
}

/// Adds every package of a version 1 tree. The recursion is as deep as the JSON, which serde_json bounds (128).
fn add_nested(level: &mut HashMap<String, Nested>, packages: &mut Packages) {
    for (installed_as, node) in level {
        let needed_for = if node.dev { Use::Development } else { Use::Any };
        match stated(installed_as, node.version.as_deref().unwrap_or_default()) {
            Stated::Exact { name, version } => node.id = packages.add(name, version, needed_for),
            Stated::Own => {}
            Stated::Elsewhere => packages.unversioned(installed_as),
        }
        add_nested(&mut node.dependencies, packages);
    }
}

fn resolve_nested(levels: &mut Vec<&HashMap<String, Nested>>, packages: &mut Packages) {
    let Some(&level) = levels.last() else { return };
    for node in level.values() {
        levels.push(&node.dependencies);
        for name in &node.requires.0 {
            if !packages.may_look_up() {
                return;
            }
            let needed = levels.iter().rev().find_map(|level| level.get(name)).and_then(|needed| needed.id);
            match (node.id, needed) {
                (Some(from), Some(to)) => packages.need(from, to),
                (None, Some(to)) => packages.mark_direct(to),
                _ => {}
            }
        }
        resolve_nested(levels, packages);
        levels.pop();
    }
}

/// What a version 1 lock file says where the version belongs.
enum Stated<'a> {
    Exact {
        name: &'a str,
        version: &'a str,
    },
    /// A directory of the project.
    Own,
    /// A git commit or an archive; its version stands in its own manifest.
    Elsewhere,
}

fn stated<'a>(installed_as: &'a str, version: &'a str) -> Stated<'a> {
    if let Some((name, version)) = version.strip_prefix("npm:").and_then(|alias| alias.rsplit_once('@')) {
        return Stated::Exact { name, version };
    }
    match version.strip_prefix("file:") {
        Some(path) if path.ends_with(".tgz") || path.ends_with(".tar.gz") => Stated::Elsewhere,
        Some(_) => Stated::Own,
        None if version.starts_with(|c: char| c.is_ascii_digit()) => Stated::Exact { name: installed_as, version },
        None => Stated::Elsewhere,
    }
}

/// The keys of an object; nothing for any other value (`requires` is `true` at the top).
#[derive(Default)]
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamesVisitor)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of dependencies")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
        let mut names = Vec::new();
        while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
            names.push(name);
        }
        Ok(Names(names))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Names, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Names::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Names, E> {
        Ok(Names::default())
    }

    fn visit_unit<E>(self) -> Result<Names, E> {
        Ok(Names::default())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("package-lock.json", text.as_bytes())));
    }

    #[test]
    fn version_1_names_commits_archives_and_aliases() {
        check(
            r###"{"name": "shop", "lockfileVersion": 1, "requires": true, "dependencies": {
  "a": {"version": "1.0.0", "requires": {"b": "^1", "c": "^2"}, "dependencies": {"c": {"version": "2.0.0", "bundled": true}}},
  "b": {"version": "1.5.0", "requires": {"c": "^1"}},
  "c": {"version": "1.1.0"},
  "git": {"version": "git+ssh://git@github.com/x/git.git#97edff6"},
  "tarball": {"version": "file:lib/tarball.tgz"},
  "sibling": {"version": "file:../sibling"},
  "mine": {"version": "npm:@scope/real@3.0.0", "dev": true}
}}"###,
            expect![[r#"
                @scope/real 3.0.0 direct development
                a 1.0.0 direct -> b 1.5.0, c 2.0.0
                b 1.5.0 -> c 1.1.0
                c 1.1.0
                c 2.0.0
                ! unknown-version: 2 dependencies name no exact version: `git`, `tarball`
            "#]],
        );
    }

    #[test]
    fn a_bundled_copy_shadows_the_outer_one() {
        check(
            r###"{"lockfileVersion": 3, "packages": {
  "": {"dependencies": {"a": "^1", "tool": "file:tool"}, "devDependencies": {"d": "^1"}},
  "node_modules/a": {"version": "1.0.0", "dependencies": {"b": "*"}, "peerDependencies": {"d": "*"}},
  "node_modules/a/node_modules/b": {"version": "9.0.0", "inBundle": true, "dependencies": {"d": "*"}},
  "node_modules/a/node_modules/d": {"version": "5.0.0"},
  "node_modules/b": {"version": "1.0.0", "extraneous": true},
  "node_modules/d": {"version": "1.0.0", "dev": true, "license": {"type": "MIT"}},
  "node_modules/nameless": {},
  "node_modules/tool": {"resolved": "tool", "link": true},
  "tool": {"version": "0.0.1", "dependencies": {"b": "^1"}}
}}"###,
            expect![[r#"
                a 1.0.0 direct -> b 9.0.0, d 5.0.0
                b 1.0.0 direct
                b 9.0.0 -> d 5.0.0
                d 1.0.0 direct development
                d 5.0.0
                ! unknown-version: 1 dependency names no exact version: `nameless`
            "#]],
        );
    }

    #[test]
    fn an_empty_project_is_clean() {
        check(r###"{"name": "shop", "lockfileVersion": 3, "requires": true}"###, expect![[""]]);
    }
}
