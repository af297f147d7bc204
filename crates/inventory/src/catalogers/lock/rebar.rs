//! Rebar3's `rebar.lock`: terms of Erlang.
//!
//! Each entry is `{<<"app">>,{pkg,<<"package">>,<<"1.2.3">>},Level}`; level 0 is what the project names. Who needs whom is
//! not recorded. Before version 1 the list stood alone.
//! Source: Rebar3's documentation, "Dependencies", and its `rebar_config:consult_lock_file`.

use super::packages::{Packages, Use};
use super::terms::{self, Term};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "rebar-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named_outside(head, "rebar.lock", &["_build", "deps"]),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

pub(super) fn parse(text: &str) -> Parsed {
    let terms = match terms::read(text, "%") {
        Ok(terms) => terms,
        Err(detail) => return Parsed::malformed(detail),
    };
    let entries = match terms.first().map(Term::terms) {
        Some([Term::Text(_), Term::Group(entries)]) => entries.as_slice(),
        Some(entries) if text.trim_start().starts_with('[') => entries,
        _ => return Parsed::malformed("it is not a list of Erlang"),
    };
    if !text.trim_end().ends_with('.') || entries.iter().any(|entry| entry.terms().len() != 3) {
        return Parsed::malformed("it is not a list of dependencies with their levels");
    }
    let mut packages = Packages::new(PackageType::Hex);
    for [app, source, level] in entries.iter().filter_map(|entry| entry.terms().first_chunk::<3>()) {
        match source.terms() {
            [Term::Text("pkg"), name, version, ..] if !version.text().is_empty() => {
                let id = packages.add(name.text(), version.text(), Use::Any);
                id.filter(|_| level.text() == "0").into_iter().for_each(|id| packages.mark_direct(id));
            }
            _ => packages.unversioned(app.text()),
        }
    }
    packages.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("rebar.lock", text.as_bytes())));
    }

    #[test]
    fn the_older_form_and_commits() {
        check(
            r###"[{<<"cowboy">>,{pkg,<<"cowboy">>,<<"1.0.4">>},0},
 {<<"cowlib">>,{pkg,<<"cowlib">>,<<"1.0.2">>},1},
 {<<"git">>,{git,"https://github.com/x/git.git",{ref,"97edff6"}},0}].
"###,
            expect![[r#"
                cowboy 1.0.4 direct
                cowlib 1.0.2
                ! unknown-version: 1 dependency names no exact version: `git`
            "#]],
        );
        check("[].\n", expect![[""]]);
    }
}
