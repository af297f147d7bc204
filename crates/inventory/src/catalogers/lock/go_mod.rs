//! `go.mod`.
//!
//! Since Go 1.17 it lists every module that the build needs, those that only others need marked `// indirect`. The
//! standard library counts as the module `stdlib` in the version of `toolchain`, or else of `go`, without the `go`.
//! Who needs whom stands in the modules themselves.
//! Source: "Go Modules Reference", section "go.mod files".

use std::collections::{HashMap, HashSet};

use super::packages::{Packages, Use};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::gap::GapKind;
use model::package::PackageType;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "go-mod",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "go.mod"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

#[derive(Default)]
struct Manifest<'a> {
    module: bool,
    go: Option<&'a str>,
    toolchain: Option<&'a str>,
    required: Vec<Required<'a>>,
    /// By module and version; the version is empty where all are replaced.
    replaced: HashMap<(&'a str, &'a str), (&'a str, &'a str)>,
    excluded: HashSet<(&'a str, &'a str)>,
    /// The first line that could not be read.
    bad_line: Option<usize>,
}

struct Required<'a> {
    path: &'a str,
    version: &'a str,
    direct: bool,
}

pub(super) fn parse(text: &str) -> Parsed {
    let mut manifest = Manifest::default();
    let mut block: Option<&str> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let (content, comment) = line.split_once("//").unwrap_or((line, ""));
        let words: Vec<&str> = content.split_whitespace().map(|word| word.trim_matches(['"', '`'])).take(7).collect();
        let understood = match (block, words.as_slice()) {
            (_, []) => true,
            (Some(_), [")"]) => {
                block = None;
                true
            }
            (None, [verb, "("]) => {
                block = Some(verb);
                true
            }
            (Some(verb), words) => manifest.read(verb, words, comment),
            (None, [verb, words @ ..]) => manifest.read(verb, words, comment),
        };
        if !understood {
            manifest.bad_line.get_or_insert(number);
        }
    }
    if !manifest.module {
        return Parsed::malformed("it has no `module` line");
    }
    manifest.collect(block.is_some())
}

impl<'a> Manifest<'a> {
    fn read(&mut self, verb: &str, words: &[&'a str], comment: &str) -> bool {
        match (verb, words) {
            ("module", [_]) => self.module = true,
            ("go", [version]) => self.go = Some(version),
            ("toolchain", [name]) => self.toolchain = Some(name),
            ("require", [path, version]) => {
                let direct = comment.trim().split([';', ' ']).next() != Some("indirect");
                self.required.push(Required { path, version, direct });
            }
            ("replace", [path, "=>", new]) => drop(self.replaced.insert((path, ""), (new, ""))),
            ("replace", [path, "=>", new, version]) => drop(self.replaced.insert((path, ""), (new, version))),
            ("replace", [path, old, "=>", new]) => drop(self.replaced.insert((path, old), (new, ""))),
            ("replace", [path, old, "=>", new, version]) => drop(self.replaced.insert((path, old), (new, version))),
            ("exclude", [path, version]) => drop(self.excluded.insert((path, version))),
            // What the project retracts or runs as a tool, and later inventions, bring no module by themselves.
            ("module" | "go" | "toolchain" | "require" | "replace" | "exclude", _) => return false,
            _ => {}
        }
        true
    }

    fn collect(self, unfinished: bool) -> Parsed {
        let mut packages = Packages::new(PackageType::Golang);
        for required in &self.required {
            let exact = self.replaced.get(&(required.path, required.version));
            let replacement = exact.or_else(|| self.replaced.get(&(required.path, "")));
            let (path, version) = replacement.copied().unwrap_or((required.path, required.version));
            // A directory has no version; an excluded one makes Go take a higher that is not written here.
            if version.is_empty() || self.excluded.contains(&(path, version)) {
                packages.unversioned(required.path);
            } else if let Some(id) = packages.add(path, version, Use::Any).filter(|_| required.direct) {
                packages.mark_direct(id);
            }
        }
        let toolchain = self.toolchain.filter(|name| *name != "default").and_then(|name| name.strip_prefix("go"));
        // A vendor's own toolchain: `go1.22.5-vendor`.
        let toolchain = toolchain.and_then(|version| version.split('-').next());
        if let Some(id) = toolchain.or(self.go).and_then(|version| packages.add("stdlib", version, Use::Any)) {
            packages.mark_direct(id);
        }
        if !self.required.is_empty() && self.go.is_none_or(before_1_17) {
            let detail =
                "it is written for a Go before 1.17, which leaves out the modules that only other modules need";
            packages.problem(GapKind::UnknownVersion, detail);
        }
        if let Some(number) = self.bad_line {
            packages.problem(GapKind::Malformed, format!("line {number} is not a go.mod directive"));
        } else if unfinished {
            packages.problem(GapKind::Malformed, "it ends inside a block");
        }
        packages.finish()
    }
}

/// Go 1.17 was the first to list every module of the build.
fn before_1_17(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(u32::MAX));
    numbers.next() == Some(1) && numbers.next().is_some_and(|minor| minor < 17)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("go.mod", text.as_bytes())));
    }

    #[test]
    fn replacements_exclusions_and_retractions() {
        check(
            r###"// Deprecated: use v2.
module "example.com/shop" // the shop

go 1.20

require golang.org/x/net v0.7.0
require (
	github.com/a/a v1.0.0 // indirect; kept for a tool
	github.com/b/b/v2 v2.1.0+incompatible
	github.com/c/c v0.0.0-20191109021931-daa7c04131f5 // a comment
	github.com/d/d v1.0.0
	github.com/e/e v1.0.0
)
replace (
	github.com/b/b/v2 => github.com/fork/b/v2 v2.1.1
	github.com/c/c => ../c
	github.com/d/d v1.0.1 => github.com/fork/d v1.0.2
)
exclude github.com/e/e v1.0.0
retract [v1.0.0, v1.2.0] // published by mistake
tool golang.org/x/tools/cmd/stringer
"###,
            expect![[r#"
                github.com/a/a v1.0.0
                github.com/d/d v1.0.0 direct
                github.com/fork/b/v2 v2.1.1 direct
                golang.org/x/net v0.7.0 direct
                stdlib 1.20 direct
                ! unknown-version: 2 dependencies name no exact version: `github.com/c/c`, `github.com/e/e`
            "#]],
        );
    }

    #[test]
    fn old_files_leave_modules_out() {
        check(
            r###"module m

go 1.16

require golang.org/x/net v0.1.0
"###,
            expect![[r#"
                golang.org/x/net v0.1.0 direct
                stdlib 1.16 direct
                ! unknown-version: it is written for a Go before 1.17, which leaves out the modules that only other modules need
            "#]],
        );
    }

    #[test]
    fn a_broken_line_is_told() {
        check(
            r###"module m
go 1.22
require (
	golang.org/x/net
"###,
            expect![[r#"
                stdlib 1.22 direct
                ! malformed: line 4 is not a go.mod directive
            "#]],
        );
    }
}
