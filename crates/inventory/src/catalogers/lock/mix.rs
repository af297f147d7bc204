//! Mix's `mix.lock`: a map of Elixir.
//!
//! Each entry is `"app": {:hex, :package, "1.2.3", "hash", [managers], [dependencies], "repository", "hash"}`. The oldest
//! stop after the version and say nothing of who needs whom. The project's own dependencies are not listed: what no
//! other package needs must be one of them.
//! Source: Hex's `Hex.Utils.lock`.

use std::collections::HashMap;

use super::packages::{Id, Packages, Use};
use super::terms::{self, Term};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "mix-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named_outside(head, "mix.lock", &["deps"]),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

pub(super) fn parse(text: &str) -> Parsed {
    let terms = match terms::read(text, "#") {
        Ok(terms) => terms,
        Err(detail) => return Parsed::malformed(detail),
    };
    // A map stands behind `%`, which is no term.
    let [Term::Group(map)] = terms.as_slice() else { return Parsed::malformed("it is not a map of Elixir") };
    if !text.contains("%{") {
        return Parsed::malformed("it is not a map of Elixir");
    }
    let mut packages = Packages::new(PackageType::Hex);
    let mut ids: HashMap<&str, Id> = HashMap::new();
    for [app, entry] in pairs(map) {
        match entry.terms() {
            [Term::Text("hex"), name, version, ..] if !version.text().is_empty() => {
                ids.extend(packages.add(name.text(), version.text(), Use::Any).map(|id| (app.text(), id)));
            }
            // A directory has no entry; this is a commit.
            _ => packages.unversioned(app.text()),
        }
    }
    let mut tells = false;
    for [app, entry] in pairs(map) {
        let Some(dependencies) = entry.terms().get(5) else { continue };
        tells = true;
        let Some(&from) = ids.get(app.text()) else { continue };
        for dependency in dependencies.terms() {
            let needed = dependency.terms().first().and_then(|app| ids.get(app.text()));
            needed.into_iter().for_each(|&needed| packages.need(from, needed));
        }
    }
    if tells {
        packages.mark_unneeded_direct();
    }
    packages.finish()
}

fn pairs<'a, 't>(map: &'t [Term<'a>]) -> impl Iterator<Item = [&'t Term<'a>; 2]> {
    map.chunks_exact(2).map(|pair| [&pair[0], &pair[1]])
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("mix.lock", text.as_bytes())));
    }

    #[test]
    fn apps_under_another_name_and_commits() {
        check(
            r###"%{
  "app": {:hex, :real_app, "1.0.0", "00", [:mix], [{:needed, "~> 1.0", [hex: :needed, repo: "hexpm", optional: false]}, {:absent, ">= 0.0.0", [hex: :absent, repo: "hexpm", optional: true]}], "hexpm", "00"},
  "git": {:git, "https://github.com/x/git.git", "97edff6", [tag: "v1"]},
  "needed": {:hex, :needed, "1.2.0", "00", [:mix, :rebar3], [], "hexpm", "00"},
}
"###,
            expect![[r#"
                needed 1.2.0
                real_app 1.0.0 direct -> needed 1.2.0
                ! unknown-version: 1 dependency names no exact version: `git`
            "#]],
        );
    }
}
