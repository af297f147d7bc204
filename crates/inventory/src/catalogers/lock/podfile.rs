//! CocoaPods' `Podfile.lock`.
//!
//! `PODS` lists each pod with what it needs, `DEPENDENCIES` what the project names. A subspec (`Firebase/Core`) is a part of
//! its pod and has its version. What `EXTERNAL SOURCES` finds at a `:path:` is the project's own.
//! Source: CocoaPods' guides, "Podfile.lock".

use std::collections::{HashMap, HashSet};

use super::packages::{Id, Packages, Use};
use super::yaml_lines::unquoted;
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "podfile-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "Podfile.lock"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

#[derive(Default)]
struct LockFile<'a> {
    /// Name, version, and the names of what it needs.
    pods: Vec<(&'a str, &'a str, Vec<&'a str>)>,
    wishes: Vec<&'a str>,
    own: HashSet<&'a str>,
}

pub(super) fn parse(text: &str) -> Parsed {
    let Some(lock) = read(text) else { return Parsed::malformed("it has no `PODS`") };
    let mut packages = Packages::new(PackageType::Other("cocoapods".into()));
    let mut ids: HashMap<&str, Id> = HashMap::new();
    for (name, version, _) in lock.pods.iter().filter(|(name, ..)| !lock.own.contains(name)) {
        ids.extend(packages.add(name, version, Use::Any).map(|id| (*name, id)));
    }
    for (name, _, needs) in &lock.pods {
        for needed in needs.iter().filter_map(|needed| ids.get(needed)) {
            match ids.get(name) {
                // Subspecs need their own pod.
                Some(id) if id == needed => {}
                Some(id) => packages.need(*id, *needed),
                None => packages.mark_direct(*needed),
            }
        }
    }
    for wish in lock.wishes.iter().filter_map(|wish| ids.get(wish)) {
        packages.mark_direct(*wish);
    }
    packages.finish()
}

fn read(text: &str) -> Option<LockFile<'_>> {
    let mut lock = LockFile::default();
    let (mut section, mut external, mut found) = ("", "", false);
    for line in text.lines() {
        let content = line.trim_start_matches(' ');
        let indent = line.len() - content.len();
        let content = content.trim_end();
        match (indent, section, content.strip_prefix("- ")) {
            (0, ..) if !content.is_empty() => {
                section = content;
                found |= section.starts_with("PODS:");
            }
            (2, "PODS:", Some(pod)) => {
                let (name, version) = name_and_version(pod);
                lock.pods.push((name, version, Vec::new()));
            }
            (4, "PODS:", Some(needed)) => {
                let needed = name_and_version(needed).0;
                lock.pods.last_mut().into_iter().for_each(|(.., needs)| needs.push(needed));
            }
            (2, "DEPENDENCIES:", Some(wish)) => lock.wishes.push(name_and_version(wish).0),
            (2, "EXTERNAL SOURCES:", None) => external = unquoted(content.trim_end_matches(':')),
            (4, "EXTERNAL SOURCES:", None) if content.starts_with(":path:") => drop(lock.own.insert(pod(external))),
            _ => {}
        }
    }
    found.then_some(lock)
}

/// `"Firebase/Core (6.0.0)":` as `Firebase` and `6.0.0`.
fn name_and_version(text: &str) -> (&str, &str) {
    let text = unquoted(text.trim_end_matches(':'));
    let (name, rest) = text.split_once(" (").unwrap_or((text, ""));
    (pod(name), rest.trim_end_matches(')'))
}

/// A subspec's pod.
fn pod(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("Podfile.lock", text.as_bytes())));
    }

    #[test]
    fn subspecs_and_directories() {
        check(
            r###"PODS:
  - "GoogleUtilities/NSData+zlib (7.8.0)"
  - Firebase/Core (6.0.0):
    - Firebase/CoreOnly
    - FirebaseAnalytics (= 6.0.0)
  - Firebase/CoreOnly (6.0.0):
    - GoogleUtilities/NSData+zlib (~> 7)
  - FirebaseAnalytics (6.0.0)
  - Own (0.1.0):
    - Inner (~> 1)
  - Inner (1.0.0)

DEPENDENCIES:
  - Firebase/Core (= 6.0.0)
  - Own (from `../own`)

EXTERNAL SOURCES:
  Own:
    :path: "../own"

COCOAPODS: 1.11.2
"###,
            expect![[r#"
                Firebase 6.0.0 direct -> FirebaseAnalytics 6.0.0, GoogleUtilities 7.8.0
                FirebaseAnalytics 6.0.0
                GoogleUtilities 7.8.0
                Inner 1.0.0 direct
            "#]],
        );
    }
}
