//! `vendor/modules.txt`: the Go modules that a project keeps copies of.
//!
//! `# module version` begins a module, with `=> module version` where it is replaced. `## explicit` marks what stands in
//! `go.mod`, and since Go 1.17 that is everything, so it does not tell what the project itself names. Go builds from these
//! copies, so they count even where `go.mod` says otherwise.
//! Source: "Go Modules Reference", section "Vendoring".

use super::packages::{Packages, Use};
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::Parsed;
use model::package::PackageType;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "go-vendor",
    version: 1,
    scope: Scope::Declared,
    wants,
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

fn wants(head: &FileHead<'_>) -> bool {
    head.path == "vendor/modules.txt" || head.path.ends_with("/vendor/modules.txt")
}

pub(super) fn parse(text: &str) -> Parsed {
    let mut packages = Packages::new(PackageType::Golang);
    let mut modules = 0;
    for heading in text.lines().filter_map(|line| line.strip_prefix("# ")) {
        modules += 1;
        let words: Vec<&str> = heading.split_whitespace().collect();
        let (path, version) = match words.as_slice() {
            [_, _, "=>", path, version] | [_, "=>", path, version] | [path, version] => (*path, *version),
            // Replaced by a directory.
            [path, ..] => (*path, ""),
            [] => continue,
        };
        if version.is_empty() {
            packages.unversioned(path);
        } else {
            packages.add(path, version, Use::Any);
        }
    }
    // A project without dependencies has an empty list; other text has no headings.
    if modules == 0 && !text.trim().is_empty() {
        return Parsed::malformed("it lists no modules");
    }
    packages.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("vendor/modules.txt", text.as_bytes())));
    }

    #[test]
    fn replaced_modules() {
        check(
            "# github.com/a/a v1.0.0 => github.com/fork/a v1.0.1\n## explicit; go 1.20\ngithub.com/a/a\n# github.com/b/b \
             v1.0.0 => ../b\n## explicit\ngithub.com/b/b\n# golang.org/x/net v0.7.0\n## explicit\ngolang.org/x/net/html\n# \
             golang.org/x/text v0.7.0\ngolang.org/x/text/width\n",
            expect![[r#"
                github.com/fork/a v1.0.1
                golang.org/x/net v0.7.0
                golang.org/x/text v0.7.0
                ! unknown-version: 1 dependency names no exact version: `github.com/b/b`
            "#]],
        );
    }
}
