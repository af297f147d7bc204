//! pip's `requirements.txt` and its relatives.
//!
//! Only `name==version` (or `===`) says what will be installed. Everything else that asks for a package (a range, a bare
//! name, a URL, another file) is counted in one problem, because what it brings depends on the day of the installation.
//! pip-compile and uv write `# via` comments, which tell who needs whom.
//! Source: pip documentation, "Requirements File Format"; PEP 508.

use super::packages::{Id, Packages, Use};
use super::python::Versions;
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::Parsed;
use model::package::PackageType;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "requirements-txt",
    version: 1,
    scope: Scope::Declared,
    wants,
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(file.path, &text)),
};

/// `requirements.txt`, `requirements-dev.txt`, `test_requirements.txt`, `requirements/base.txt`.
fn wants(head: &FileHead<'_>) -> bool {
    let name = head.file_name();
    name.ends_with(".txt")
        && (name.contains("requirements") || directory(head.path) == Some("requirements"))
        && !super::is_installed(head.path)
}

fn directory(path: &str) -> Option<&str> {
    path.rsplit('/').nth(1)
}

/// Which use the file's name states: `requirements-dev.txt`, `tests/requirements.txt`, `requirements/test.txt`.
fn use_of(path: &str) -> Use {
    let near = path.rsplit('/').take(2);
    let development = near
        .flat_map(|part| part.split(['-', '_', '.']))
        .any(|word| matches!(word, "dev" | "devel" | "develop" | "development" | "test" | "tests" | "testing"));
    if development { Use::Development } else { Use::Any }
}

pub(super) fn parse(path: &str, text: &str) -> Parsed {
    let needed_for = use_of(path);
    let mut packages = Packages::new(PackageType::PyPi);
    let mut versions = Versions::default();
    let mut vias: Vec<(Id, &str)> = Vec::new();
    let mut via = Via::default();
    let mut last = None;
    for line in logical_lines(text) {
        match read_line(&line.text) {
            Asked::Exactly { name, version } => {
                last = packages.add(name, version, needed_for);
                last.into_iter().for_each(|id| versions.insert(name, version, id));
            }
            Asked::Loosely(what) => {
                packages.unversioned(what);
                last = None;
            }
            Asked::Nothing => {}
        }
        vias.extend(via.read(line.comment).and_then(|who| Some((last?, who))));
    }
    let annotated = !vias.is_empty();
    for (id, who) in vias {
        // `# via shop (pyproject.toml)`, `# via -r requirements.in`, `# via flask`
        let name = who.split([' ', '[']).next().unwrap_or(who);
        // Where markers choose between several locked versions, each of them may be the one that needs it.
        let mut needing = versions.of(name).peekable();
        if needing.peek().is_none() {
            packages.mark_direct(id);
        }
        needing.for_each(|from| packages.need(from, id));
    }
    if !annotated {
        packages.mark_all_direct();
    }
    packages.finish()
}

/// Reads `# via` comments. pip-compile writes several names one per line below a bare `# via`.
#[derive(Default)]
struct Via {
    listing: bool,
}

impl Via {
    /// Who the comment says brought the package above it.
    fn read<'a>(&mut self, comment: Option<&'a str>) -> Option<&'a str> {
        let Some(comment) = comment else {
            self.listing = false;
            return None;
        };
        let who = comment.trim_start_matches('#').trim();
        if who == "via" {
            self.listing = true;
            return None;
        }
        let who = who.strip_prefix("via ").or(self.listing.then_some(who))?;
        // A constraint only narrows the choice.
        (!who.starts_with("-c ")).then_some(who)
    }
}

/// One line after joining what a backslash continues.
struct LogicalLine<'a> {
    text: String,
    comment: Option<&'a str>,
}

fn logical_lines(text: &str) -> Vec<LogicalLine<'_>> {
    let mut lines = Vec::new();
    let mut joined = String::new();
    for line in text.lines() {
        let (content, comment) = split_comment(line);
        joined.push_str(content.trim());
        if comment.is_none() && joined.ends_with('\\') {
            joined.pop();
            joined.push(' ');
            continue;
        }
        lines.push(LogicalLine { text: std::mem::take(&mut joined), comment });
    }
    lines.push(LogicalLine { text: joined, comment: None });
    lines
}

/// A `#` begins a comment at the start of a line or after a space; elsewhere it is part of a URL.
fn split_comment(line: &str) -> (&str, Option<&str>) {
    let starts = line.match_indices('#').find(|(at, _)| *at == 0 || line[..*at].ends_with([' ', '\t']));
    match starts {
        Some((at, _)) => (&line[..at], Some(&line[at..])),
        None => (line, None),
    }
}

/// What one line asks for.
enum Asked<'a> {
    Exactly { name: &'a str, version: &'a str },
    Loosely(&'a str),
    Nothing,
}

fn read_line(line: &str) -> Asked<'_> {
    if let Some(option) = line.strip_prefix('-') {
        let brings = ["r", "-requirement", "e", "-editable"].iter().any(|name| {
            option
                .strip_prefix(name)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '-'))
        });
        return if brings { Asked::Loosely(line) } else { Asked::Nothing };
    }
    // Markers and per-requirement options come after the version.
    let line = line.split([';']).next().unwrap_or(line);
    let line = line.split(" --").next().unwrap_or(line).trim();
    let name_end =
        line.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))).unwrap_or(line.len());
    let (name, rest) = line.split_at(name_end);
    if line.is_empty() {
        return Asked::Nothing;
    }
    let rest = rest.trim_start();
    let after_extras = match rest.strip_prefix('[') {
        Some(extras) => extras.split_once(']').map_or("", |(_, rest)| rest),
        None => rest,
    };
    let clauses = after_extras.trim().trim_start_matches('(').trim_end_matches(')');
    match clauses.split(',').find_map(exact_version).filter(|_| !name.is_empty()) {
        Some(version) => Asked::Exactly { name, version },
        None => Asked::Loosely(line),
    }
}

/// The version of `==1.2` and `===1.2`; `==1.*` is a range.
fn exact_version(clause: &str) -> Option<&str> {
    let version = clause.trim().strip_prefix("==")?;
    let version = version.strip_prefix('=').unwrap_or(version).trim();
    let plausible = version.starts_with(|c: char| c.is_ascii_alphanumeric()) && !version.contains(['*', ' ', '$', '=']);
    plausible.then_some(version)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("requirements-dev.txt", text.as_bytes())));
    }

    #[test]
    fn only_exact_versions_count() {
        check(
            r###"# pinned
Django==4.2.1  # web
requests[socks, security] == 2.31.0 ; python_version >= "3.8" --hash=sha256:00
legacy===1.0-custom
in-parentheses (==1.2)
both>=1.0,==1.5
split \
  ==3.0 \
  --hash=sha256:00
--index-url https://registry.example/simple
-c constraints.txt
-r base.txt
-e git+https://user:token@github.com/x/y.git#egg=y
star==2.*
range>=1,<2
bare
direct @ https://files.example/direct-1.0.tar.gz#sha256=00
./local
variable==${VERSION}
"###,
            expect![[r#"
                Django 4.2.1 direct development
                both 1.5 direct development
                in-parentheses 1.2 direct development
                legacy 1.0-custom direct development
                requests 2.31.0 direct development
                split 3.0 direct development
                ! unknown-version: 8 dependencies name no exact version: `-e git+https://github.com/x/y.git#egg=y`, `-r base.txt`, `./local`, `bare`, `direct @ https://files.example/direct-1.0.tar.gz#sha256=00`, …
            "#]],
        );
    }

    #[test]
    fn via_comments_tell_who_needs_whom() {
        check(
            r###"#    pip-compile requirements.in
flask==2.2.5
    # via -r requirements.in
jinja2==3.1.4
    # via
    #   -c constraints.txt
    #   Flask
"###,
            expect![[r#"
                flask 2.2.5 direct development -> jinja2 3.1.4
                jinja2 3.1.4 development
            "#]],
        );
    }
}
