//! `yarn.lock`, of Yarn 1 and of Yarn 2 and later ("berry").
//!
//! Both list what was asked for (`name@range`, several per entry) with what was chosen. Yarn 1 does not list the
//! project's own wishes: what no entry asks for, the project does. Berry lists the project and its workspace members
//! like packages, with development and other dependencies mixed, so neither tells what is for development only.

use std::collections::{HashMap, HashSet};

use super::packages::{Id, Packages, Use};
use super::split_name;
use super::yaml_lines::{self, Line};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "yarn-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "yarn.lock"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

/// One entry as the file has it.
#[derive(Default)]
struct Entry<'a> {
    /// What was asked for: `name@range`.
    wishes: Vec<&'a str>,
    version: &'a str,
    /// Berry's `name@protocol:reference`.
    resolution: &'a str,
    /// Name and range of each dependency.
    needs: Vec<(&'a str, &'a str)>,
}

pub(super) fn parse(text: &str) -> Parsed {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut berry = false;
    yaml_lines::for_each(text, |line| match line.path {
        ["__metadata"] => berry = true,
        [_] => entries.push(Entry { wishes: wishes(line.raw), ..Entry::default() }),
        ["__metadata", ..] => {}
        _ => entries.last_mut().into_iter().for_each(|entry| entry.read(&line)),
    });
    if !berry && !text.contains("# yarn lockfile v1") {
        // Yarn itself accepts an empty file as the mark of a project's root.
        return if text.trim().is_empty() {
            Parsed::default()
        } else {
            Parsed::malformed("it is no lock file of Yarn")
        };
    }
    collect(&entries, berry)
}

/// The header of an entry: `"a@^1, a@^2":`, or in Yarn 1 `"a@^1", a@^2:`.
fn wishes(header: &str) -> Vec<&str> {
    header.trim_end_matches(':').split(", ").map(|wish| wish.trim_matches('"')).collect()
}

impl<'a> Entry<'a> {
    fn read(&mut self, line: &Line<'a, '_>) {
        match line.path {
            [_, "version"] => self.version = line.value,
            [_, "resolution"] => self.resolution = line.value,
            [_, "dependencies" | "optionalDependencies", name] => self.needs.push((name, line.value)),
            _ => {}
        }
    }

    /// The package's real name. An alias says it in Yarn 1's wish (`mine@npm:real@^1`) and in berry's resolution.
    fn name(&self) -> &'a str {
        if let Some((name, _)) = split_name(self.resolution) {
            return name;
        }
        let (name, range) = self.wishes.first().and_then(|wish| split_name(wish)).unwrap_or_default();
        range.strip_prefix("npm:").and_then(split_name).map_or(name, |(real, _)| real)
    }

    /// Whether it is the project, a workspace member or another local directory.
    fn is_own(&self) -> bool {
        let reference = split_name(self.resolution).or(self.wishes.first().and_then(|wish| split_name(wish)));
        let reference = reference.map_or("", |(_, reference)| reference);
        let local = ["workspace:", "portal:", "link:"].iter().any(|protocol| reference.starts_with(protocol));
        local || (reference.starts_with("file:") && !reference.contains(".tgz") && !reference.contains(".tar.gz"))
    }
}

fn collect(entries: &[Entry<'_>], berry: bool) -> Parsed {
    let mut packages = Packages::new(PackageType::Npm);
    let mut chosen: HashMap<&str, Option<Id>> = HashMap::new();
    let mut ids: Vec<Option<Id>> = Vec::with_capacity(entries.len());
    for entry in entries {
        let id = match entry.version {
            _ if entry.is_own() => None,
            "" => {
                packages.unversioned(entry.name());
                None
            }
            version => packages.add(entry.name(), version, Use::Any),
        };
        ids.push(id);
        for wish in &entry.wishes {
            chosen.insert(wish, id);
            // Berry binds local references to who asked: `a@portal:./a::locator=…`; the wish itself does not say that.
            chosen.entry(wish.split("::").next().unwrap_or(wish)).or_insert(id);
        }
    }
    let mut wished: HashSet<String> = HashSet::new();
    for (entry, &id) in entries.iter().zip(&ids) {
        for (name, range) in &entry.needs {
            let wish = format!("{name}@{range}");
            let needed = chosen.get(wish.as_str()).or_else(|| chosen.get(format!("{name}@npm:{range}").as_str()));
            if let Some(needed) = needed.copied().flatten() {
                match id {
                    Some(id) => packages.need(id, needed),
                    None => packages.mark_direct(needed),
                }
            }
            wished.insert(wish);
        }
    }
    if !berry {
        for (entry, id) in entries.iter().zip(ids) {
            let by_project = entry.wishes.iter().any(|wish| !wished.contains(*wish));
            id.filter(|_| by_project).into_iter().for_each(|id| packages.mark_direct(id));
        }
    }
    packages.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("yarn.lock", text.as_bytes())));
    }

    #[test]
    fn version_1_knows_aliases_commits_and_local_copies() {
        check(
            r###"# yarn lockfile v1


mine@npm:@scope/real@^3.0.0:
  version "3.0.1"
  dependencies:
    "@scope/dep" ">= 1.0 <2"

"@scope/dep@>= 1.0 <2", "@scope/dep@^1.1":
  version "1.9.0"

"git@git+https://github.com/x/git.git#main":
  version "0.1.0"
  resolved "git+https://github.com/x/git.git#97edff6"

"local@file:./local":
  version "0.0.0"
  dependencies:
    "@scope/dep" "^1.1"

"packed@file:./packed.tgz":
  version "2.0.0"
"###,
            expect![[r#"
                @scope/dep 1.9.0 direct
                @scope/real 3.0.1 direct -> @scope/dep 1.9.0
                git 0.1.0 direct
                packed 2.0.0 direct
            "#]],
        );
    }

    #[test]
    fn berry_resolves_workspaces_patches_and_old_ranges() {
        check(
            r###"__metadata:
  version: 4

"a@npm:^1.0.0":
  version: 1.2.0
  resolution: "a@npm:1.2.0"
  dependencies:
    b: ^2.0.0
  languageName: node
  linkType: hard

"b@^2.0.0, b@npm:^2.0.0":
  version: 2.0.3
  resolution: "b@npm:2.0.3"

"b@patch:b@^2.0.0#./fix.patch::locator=shop%40workspace%3A.":
  version: 2.0.3
  resolution: "b@patch:b@npm%3A2.0.3#./fix.patch::version=2.0.3&hash=1&locator=shop%40workspace%3A."

? "long@npm:1, long@npm:2"
:
  version: 2.0.0
  resolution: "long@npm:2.0.0"

"shop@workspace:.":
  version: 0.0.0-use.local
  resolution: "shop@workspace:."
  dependencies:
    a: ^1.0.0
    b: "patch:b@^2.0.0#./fix.patch"
    long: 1
"###,
            expect![[r#"
                a 1.2.0 direct -> b 2.0.3
                b 2.0.3 direct
                long 2.0.0 direct
            "#]],
        );
    }

    #[test]
    fn merge_conflicts_are_told() {
        check(
            r###"# yarn lockfile v1
<<<<<<< HEAD
a@1:
"###,
            expect![[r#"
                ! malformed: it has unresolved merge conflicts
            "#]],
        );
    }
}
