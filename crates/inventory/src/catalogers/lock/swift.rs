//! Swift Package Manager's `Package.resolved`, versions 1, 2 and 3.
//!
//! A package is named by its repository, as advisories name it: `github.com/apple/swift-nio`. A branch or a commit is no
//! version. Who needs whom and what the project names stand in `Package.swift` alone.
//! Source: Swift Package Manager's documentation, "Package.resolved"; the purl type `swift`.

use super::packages::{Packages, Use};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;
use serde::Deserialize;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "swift-resolved",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named_outside(head, "Package.resolved", &[".build", "checkouts"]),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

#[derive(Deserialize)]
struct LockFile {
    #[serde(rename = "version")]
    _version: u32,
    /// Versions 2 and 3.
    pins: Option<Vec<Pin>>,
    /// Version 1.
    object: Option<Pins>,
}

#[derive(Deserialize)]
struct Pins {
    pins: Vec<Pin>,
}

#[derive(Deserialize)]
struct Pin {
    kind: Option<String>,
    #[serde(alias = "package")]
    identity: String,
    #[serde(alias = "repositoryURL")]
    location: Option<String>,
    state: State,
}

#[derive(Deserialize)]
struct State {
    version: Option<String>,
}

pub(super) fn parse(text: &str) -> Parsed {
    let lock: LockFile = match serde_json::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return Parsed::malformed(error),
    };
    let Some(pins) = lock.pins.or(lock.object.map(|object| object.pins)) else {
        return Parsed::malformed("it has no `pins`");
    };
    let mut packages = Packages::new(PackageType::Swift);
    for pin in pins.iter().filter(|pin| !pin.is_own()) {
        let location = pin.location.as_deref().filter(|location| !location.is_empty());
        let name = location.map_or(pin.identity.clone(), repository);
        match &pin.state.version {
            Some(version) => drop(packages.add(&name, version, Use::Any)),
            None => packages.unversioned(&name),
        }
    }
    packages.finish()
}

impl Pin {
    /// A repository beside the project.
    fn is_own(&self) -> bool {
        matches!(self.kind.as_deref(), Some("localSourceControl" | "fileSystem"))
            || self.location.as_deref().is_some_and(|location| location.starts_with(['/', '.']))
    }
}

/// `https://user@github.com/apple/swift-nio.git` and `git@github.com:apple/swift-nio.git` as `github.com/apple/swift-nio`.
fn repository(location: &str) -> String {
    let (schemed, rest) = match location.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, location),
    };
    let host_end = rest.find('/').unwrap_or(rest.len());
    let rest = rest[..host_end].rfind('@').map_or(rest, |at| &rest[at + 1..]);
    let rest = rest.trim_end_matches('/');
    let rest = rest.strip_suffix(".git").unwrap_or(rest);
    // Without a scheme, a colon ends the host.
    if schemed { rest.to_owned() } else { rest.replacen(':', "/", 1) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("Package.resolved", text.as_bytes())));
    }

    #[test]
    fn registries_branches_and_other_ways_to_write_a_repository() {
        check(
            r###"{"originHash": "x", "version": 3, "pins": [
  {"identity": "swift-nio", "kind": "remoteSourceControl", "location": "https://token@github.com/apple/swift-nio.git/", "state": {"revision": "1", "version": "2.40.0"}},
  {"identity": "swift-log", "kind": "remoteSourceControl", "location": "git@github.com:apple/swift-log.git", "state": {"revision": "1", "version": "1.5.3"}},
  {"identity": "mona.LinkedList", "kind": "registry", "location": "", "state": {"version": "1.2.0"}},
  {"identity": "branch", "kind": "remoteSourceControl", "location": "https://github.com/x/branch", "state": {"branch": "main", "revision": "1"}},
  {"identity": "own", "kind": "localSourceControl", "location": "/home/x/own", "state": {"revision": "1", "version": "1.0.0"}}
]}"###,
            expect![[r#"
                github.com/apple/swift-log 1.5.3
                github.com/apple/swift-nio 2.40.0
                mona.LinkedList 1.2.0
                ! unknown-version: 1 dependency names no exact version: `github.com/x/branch`
            "#]],
        );
    }
}
