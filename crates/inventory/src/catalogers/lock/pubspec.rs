//! Dart's `pubspec.lock`.
//!
//! Each package says whether the project names it (`direct main`, `direct dev`) or another does (`transitive`); who, it
//! does not say. Parts of the SDK have no version of their own, and directories are the project's own.
//! Source: dart.dev, "Package dependencies", lockfiles.

use super::packages::{Packages, Use};
use super::yaml_lines;
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "pubspec-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named_outside(head, "pubspec.lock", &[".pub-cache"]),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

#[derive(Default)]
struct Entry<'a> {
    name: &'a str,
    version: &'a str,
    source: &'a str,
    dependency: &'a str,
}

impl<'a> Entry<'a> {
    fn read(&mut self, key: &str, value: &'a str) {
        match key {
            "version" => self.version = value,
            "source" => self.source = value,
            "dependency" => self.dependency = value,
            _ => {}
        }
    }
}

pub(super) fn parse(text: &str) -> Parsed {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut sections = 0;
    yaml_lines::for_each(text, |line| match line.path {
        ["packages" | "sdks" | "sdk"] => sections += 1,
        ["packages", name] => entries.push(Entry { name, ..Entry::default() }),
        ["packages", _, key] => entries.last_mut().into_iter().for_each(|entry| entry.read(key, line.value)),
        _ => {}
    });
    if sections == 0 {
        return Parsed::malformed("it has neither `packages` nor `sdks`");
    }
    let mut packages = Packages::new(PackageType::Pub);
    for entry in entries.iter().filter(|entry| !matches!(entry.source, "sdk" | "path")) {
        if entry.version.is_empty() {
            packages.unversioned(entry.name);
            continue;
        }
        let needed_for = if entry.dependency == "direct dev" { Use::Development } else { Use::Any };
        let id = packages.add(entry.name, entry.version, needed_for);
        id.filter(|_| entry.dependency.starts_with("direct")).into_iter().for_each(|id| packages.mark_direct(id));
    }
    packages.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("pubspec.lock", text.as_bytes())));
    }

    #[test]
    fn commits_have_the_version_of_their_manifest() {
        check(
            r###"packages:
  git:
    dependency: "direct overridden"
    description:
      path: "."
      ref: main
      resolved-ref: "97edff6"
      url: "https://github.com/x/git.git"
    source: git
    version: "0.3.0"
  own:
    dependency: "direct main"
    description:
      path: "../own"
      relative: true
    source: path
    version: "0.0.1"
  nameless:
    dependency: transitive
    source: hosted
sdks:
  dart: ">=3.0.0 <4.0.0"
"###,
            expect![[r#"
                git 0.3.0 direct
                ! unknown-version: 1 dependency names no exact version: `nameless`
            "#]],
        );
    }
}
