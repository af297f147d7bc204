//! Cabal's `cabal.project.freeze`.
//!
//! `constraints` lists the version of every package of the build, `any.aeson ==2.1.2.1`, between the flags of packages.
//! Who needs whom and what the project names are not recorded.
//! Source: Cabal's documentation, "cabal freeze".

use super::packages::{Packages, Use};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "cabal-freeze",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "cabal.project.freeze"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

pub(super) fn parse(text: &str) -> Parsed {
    let mut packages = Packages::new(PackageType::Hackage);
    let (mut constrains, mut fields) = (false, 0);
    for line in text.lines().filter(|line| !line.trim_start().starts_with("--")) {
        let mut content = line;
        // A field begins a line; its value goes on where lines are indented.
        if let Some((field, value)) = line.split_once(':').filter(|_| !line.starts_with([' ', '\t'])) {
            constrains = field.eq_ignore_ascii_case("constraints");
            fields += 1;
            content = value;
        }
        if !constrains {
            continue;
        }
        for constraint in content.split(',').map(str::trim) {
            let Some((name, version)) = constraint.split_once("==") else { continue };
            let name = name.trim();
            // `any.aeson`, `setup.aeson`, or the name alone.
            packages.add(name.split_once('.').map_or(name, |(_, name)| name), version.trim(), Use::Any);
        }
    }
    if fields == 0 { Parsed::malformed("it has no `constraints`") } else { packages.finish() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("cabal.project.freeze", text.as_bytes())));
    }

    #[test]
    fn flags_are_no_packages() {
        check(
            "active-repositories: hackage.example:merge\nconstraints: any.Cabal ==3.2.1.0,\n             any.aeson \
             ==2.1.2.1,\n             aeson -cffi +ordered-keymap,\n             lens ==5.2.2\nindex-state: x ==1\n",
            expect![[r#"
                Cabal 3.2.1.0
                aeson 2.1.2.1
                lens 5.2.2
            "#]],
        );
    }
}
