//! Bundler's `Gemfile.lock` and `gems.locked`.
//!
//! Sources (`GEM`, `GIT`, `PATH`) list their gems under `specs:` by indentation: four spaces before a gem with its version,
//! six before what it needs. A platform may follow the version, and each platform has a line of its own. What stands
//! under `PATH` is the project's own. Groups stand in the `Gemfile` alone, so nothing is for development only.
//! Source: Bundler's `LockfileParser`.

use std::collections::HashMap;

use super::packages::{Id, Packages, Use};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "gemfile-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| {
        ["Gemfile.lock", "gems.locked"].iter().any(|name| super::is_named_outside(head, name, &["vendor", "gems"]))
    },
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

pub(super) fn parse(text: &str) -> Parsed {
    let mut packages = Packages::new(PackageType::Gem);
    let mut ids: HashMap<&str, Id> = HashMap::new();
    let mut needs: Vec<(Option<Id>, &str)> = Vec::new();
    let (mut section, mut gem, mut understood) = ("", None, false);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let content = line.trim_start_matches(' ');
        match (line.len() - content.len(), section) {
            (0, _) => {
                section = content.trim_end();
                understood |= matches!(section, "GEM" | "GIT" | "PATH" | "DEPENDENCIES");
            }
            (4, "GEM" | "GIT" | "PATH" | "PLUGIN SOURCE") => {
                let (name, version) = name_and_version(content);
                gem = if section == "PATH" { None } else { packages.add(name, version, Use::Any) };
                ids.extend(gem.map(|id| (name, id)));
            }
            (6, "GEM" | "GIT" | "PATH" | "PLUGIN SOURCE") => needs.push((gem, name_and_version(content).0)),
            // `!` says that the source is not the default one.
            (2, "DEPENDENCIES") => needs.push((None, name_and_version(content.trim_end_matches('!')).0)),
            _ => {}
        }
    }
    if !understood {
        return Parsed::malformed("it has none of the sections `GEM`, `GIT`, `PATH` and `DEPENDENCIES`");
    }
    for (from, name) in needs {
        // Bundler itself is needed by many and locked by none.
        match (from, ids.get(name)) {
            (Some(from), Some(&needed)) => packages.need(from, needed),
            (None, Some(&needed)) => packages.mark_direct(needed),
            (_, None) => {}
        }
    }
    packages.finish()
}

/// `nokogiri (1.13.3-x86_64-linux)`: versions of gems have no hyphen, so what follows one is the platform.
fn name_and_version(text: &str) -> (&str, &str) {
    let (name, rest) = text.trim_end().split_once(" (").unwrap_or((text.trim_end(), ""));
    let version = rest.strip_suffix(')').unwrap_or(rest);
    (name, version.split('-').next().unwrap_or(version))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("Gemfile.lock", text.as_bytes())));
    }

    #[test]
    fn platforms_are_one_gem() {
        check(
            "GEM\n  remote: https://rubygems.example/\n  specs:\n    mini (2.8.5)\n    nokogiri (1.15.4)\n      \
             mini (~> 2.8.2)\n      racc (~> 1.4)\n    nokogiri (1.15.4-x86_64-linux)\n      racc (~> 1.4)\n    \
             racc (1.7.1)\n    racc (1.7.1-java)\n\nPLATFORMS\n  ruby\n  x86_64-linux\n\nDEPENDENCIES\n  \
             nokogiri (~> 1.15)\n\nBUNDLED WITH\n   2.4.10\n",
            expect![[r#"
                mini 2.8.5
                nokogiri 1.15.4 direct -> mini 2.8.5, racc 1.7.1
                racc 1.7.1
            "#]],
        );
    }
}
