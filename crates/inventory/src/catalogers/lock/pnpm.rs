//! `pnpm-lock.yaml`, lockfile versions 5, 6 and 9.
//!
//! What changes between them is how a package is keyed: `/name/1.2.3_peers` (5), `/name@1.2.3(peers)` (6) and
//! `name@1.2.3` under `packages` with `name@1.2.3(peers)` under `snapshots` (9). Versions 5 and 6 mark what is for
//! development; in 9 it follows from what the project's `devDependencies` alone reach.
//! Source: pnpm's lockfile specification.

use std::collections::HashMap;

use super::packages::{Id, Packages, Use};
use super::split_name;
use super::yaml_lines::{self, Line};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "pnpm-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "pnpm-lock.yaml"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

/// How packages are keyed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// `/name/1.2.3_peers`
    V5,
    /// `/name@1.2.3(peers)`
    V6,
    /// `name@1.2.3(peers)`
    V9,
}

/// One entry below `packages` or `snapshots`.
#[derive(Default)]
struct Entry<'a> {
    key: &'a str,
    /// Stated where the key does not tell (git, tarballs).
    name: Option<&'a str>,
    version: Option<&'a str>,
    dev: bool,
    directory: bool,
    /// The installed name and the reference of each dependency.
    needs: Vec<(&'a str, &'a str)>,
}

/// A dependency that the project or a workspace member names.
struct Wish<'a> {
    name: &'a str,
    reference: &'a str,
    dev: bool,
}

#[derive(Default)]
struct LockFile<'a> {
    version: Option<&'a str>,
    wishes: Vec<Wish<'a>>,
    packages: Vec<Entry<'a>>,
    snapshots: Vec<Entry<'a>>,
}

pub(super) fn parse(text: &str) -> Parsed {
    let mut lock = LockFile::default();
    yaml_lines::for_each(text, |line| lock.read(&line));
    let major = lock.version.and_then(|version| version.split(['.', '-']).next()?.parse::<u32>().ok());
    match major {
        None => Parsed::malformed("it has no `lockfileVersion`"),
        Some(..6) => lock.collect(Keys::V5),
        Some(6) => lock.collect(Keys::V6),
        Some(_) => lock.collect(Keys::V9),
    }
}

impl<'a> LockFile<'a> {
    fn read(&mut self, line: &Line<'a, '_>) {
        match line.path {
            ["lockfileVersion"] => self.version = Some(line.value),
            ["packages", key] => self.packages.push(Entry { key, ..Entry::default() }),
            ["snapshots", key] => self.snapshots.push(Entry { key, ..Entry::default() }),
            ["packages", _, rest @ ..] => self.packages.last_mut().into_iter().for_each(|entry| entry.read(rest, line)),
            ["snapshots", _, rest @ ..] => {
                self.snapshots.last_mut().into_iter().for_each(|entry| entry.read(rest, line));
            }
            // One project: its dependencies stand at the top. Several: below `importers` and their directory.
            ["importers", _, rest @ ..] => self.read_wish(rest, line.value),
            rest => self.read_wish(rest, line.value),
        }
    }

    fn read_wish(&mut self, path: &[&'a str], value: &'a str) {
        let (section, name) = match path {
            [section, name] if !value.is_empty() => (*section, *name),
            [section, name, "version"] => (*section, *name),
            _ => return,
        };
        let dev = match section {
            "dependencies" | "optionalDependencies" => false,
            "devDependencies" => true,
            _ => return,
        };
        self.wishes.push(Wish { name, reference: value, dev });
    }

    fn collect(self, keys: Keys) -> Parsed {
        let mut packages = Packages::new(PackageType::Npm);
        let mut ids: HashMap<&str, Option<Id>> = HashMap::new();
        for entry in &self.packages {
            ids.insert(entry.key, entry.add_to(&mut packages, keys));
        }
        for entry in &self.snapshots {
            let id = ids.get(without_peers(entry.key)).copied().flatten();
            ids.insert(entry.key, id);
        }
        let find = |name: &str, reference: &str| {
            let key = match keys {
                Keys::V5 => format!("/{name}/{reference}"),
                Keys::V6 => format!("/{name}@{reference}"),
                Keys::V9 => format!("{name}@{reference}"),
            };
            ids.get(key.as_str()).or_else(|| ids.get(reference)).copied().flatten()
        };
        let mut production = Vec::new();
        for entry in self.packages.iter().chain(&self.snapshots) {
            let from = ids.get(entry.key).copied().flatten();
            for needed in entry.needs.iter().filter_map(|(name, reference)| find(name, reference)) {
                match from {
                    Some(from) => packages.need(from, needed),
                    // A local directory is part of the project.
                    None => {
                        packages.mark_direct(needed);
                        production.push(needed);
                    }
                }
            }
        }
        for wish in &self.wishes {
            if let Some(id) = find(wish.name, wish.reference) {
                packages.mark_direct(id);
                production.extend((!wish.dev).then_some(id));
            }
        }
        if keys == Keys::V9 {
            packages.mark_development_beyond(production);
        }
        packages.finish()
    }
}

impl<'a> Entry<'a> {
    fn read(&mut self, path: &[&'a str], line: &Line<'a, '_>) {
        match path {
            ["name"] => self.name = Some(line.value),
            ["version"] => self.version = Some(line.value),
            ["dev"] => self.dev = line.value == "true",
            ["resolution"] => self.directory = line.value.contains("type: directory"),
            ["resolution", "type"] => self.directory = line.value == "directory",
            ["dependencies" | "optionalDependencies", name] => self.needs.push((name, line.value)),
            _ => {}
        }
    }

    fn add_to(&self, packages: &mut Packages, keys: Keys) -> Option<Id> {
        if self.directory {
            return None;
        }
        let (name, version) = split_key(self.key, keys).unwrap_or((self.key, ""));
        let name = self.name.unwrap_or(name);
        let version = self.version.unwrap_or(version);
        if !version.starts_with(|c: char| c.is_ascii_digit()) {
            packages.unversioned(name);
            return None;
        }
        packages.add(name, version, if self.dev { Use::Development } else { Use::Any })
    }
}

/// The key without the peers that the package was resolved with.
fn without_peers(key: &str) -> &str {
    key.split_once('(').map_or(key, |(key, _)| key)
}

/// Name and version of a registry package's key. A registry other than the default stands before the first slash.
fn split_key(key: &str, keys: Keys) -> Option<(&str, &str)> {
    let key = without_peers(key);
    if keys == Keys::V9 {
        return split_name(key);
    }
    let key = if key.starts_with('@') { key } else { key.split_once('/')?.1 };
    match keys {
        Keys::V5 => {
            let (name, version) = key.rsplit_once('/')?;
            Some((name, version.split_once('_').map_or(version, |(version, _)| version)))
        }
        _ => split_name(key),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("pnpm-lock.yaml", text.as_bytes())));
    }

    #[test]
    fn version_5_of_one_project() {
        check(
            r###"lockfileVersion: 5.3
specifiers:
  a: ^1.0.0
dependencies:
  a: 1.0.0_b@2.0.0
  git: github.com/x/git/97edff6
devDependencies:
  '@s/d': 1.0.0
packages:
  /@s/d/1.0.0:
    resolution: {integrity: sha512-x}
    dev: true
  /a/1.0.0_b@2.0.0:
    resolution: {integrity: sha512-x}
    peerDependencies:
      b: ^2
    dependencies:
      b: 2.0.0
    deprecated: |-
      dependencies: none
      version: 7
    dev: false
  /b/2.0.0:
    resolution: {integrity: sha512-x}
    dev: false
  github.com/x/git/97edff6:
    resolution: {tarball: https://codeload.github.com/x/git/tar.gz/97edff6}
    name: git
    version: 0.3.0
    dev: false
  registry.example/other/1.0.0:
    resolution: {integrity: sha512-x}
    dev: false
"###,
            expect![[r#"
                @s/d 1.0.0 direct development
                a 1.0.0 direct -> b 2.0.0
                b 2.0.0
                git 0.3.0 direct
                other 1.0.0
            "#]],
        );
    }

    #[test]
    fn version_9_marks_development_by_reach() {
        check(
            r###"lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      git:
        specifier: x/git
        version: https://codeload.github.com/x/git/tar.gz/97edff6
      local:
        specifier: file:local
        version: file:local
      mine:
        specifier: npm:@s/real@^1
        version: '@s/real@1.0.0'
    devDependencies:
      tool:
        specifier: ^1
        version: 1.0.0(peer@1.0.0)
packages:
  '@s/real@1.0.0':
    resolution: {integrity: sha512-x}
  git@https://codeload.github.com/x/git/tar.gz/97edff6:
    resolution: {tarball: https://codeload.github.com/x/git/tar.gz/97edff6}
    version: 0.3.0
  inner@1.0.0:
    resolution: {integrity: sha512-x}
  local@file:local:
    resolution: {directory: local, type: directory}
  peer@1.0.0:
    resolution: {integrity: sha512-x}
  remote@git+ssh://git@host/x.git#1:
    resolution: {commit: '1', repo: git@host, type: git}
  tool@1.0.0:
    resolution: {integrity: sha512-x}
snapshots:
  '@s/real@1.0.0': {}
  git@https://codeload.github.com/x/git/tar.gz/97edff6: {}
  inner@1.0.0: {}
  local@file:local:
    dependencies:
      inner: 1.0.0
  peer@1.0.0: {}
  ? tool@1.0.0(peer@1.0.0)
  : dependencies:
      peer: 1.0.0
"###,
            expect![[r#"
                @s/real 1.0.0 direct
                git 0.3.0 direct
                inner 1.0.0 direct
                peer 1.0.0 development
                tool 1.0.0 direct development -> peer 1.0.0
                ! unknown-version: 1 dependency names no exact version: `remote`
            "#]],
        );
    }
}
