//! Stack's `stack.yaml.lock`.
//!
//! It locks what the project adds to its snapshot. The snapshot's own packages, mostly thousands, are named by the
//! snapshot's digest only, so they are a gap.
//! Source: Stack's documentation, "Lock files".

use super::packages::{Packages, Use};
use super::yaml_lines::unquoted;
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::gap::GapKind;
use model::package::PackageType;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "stack-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "stack.yaml.lock"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

/// What `completed` says of one package.
#[derive(Default)]
struct Entry<'a> {
    hackage: &'a str,
    name: &'a str,
    version: &'a str,
}

pub(super) fn parse(text: &str) -> Parsed {
    let (mut entries, mut snapshots): (Vec<Entry<'_>>, Vec<&str>) = (Vec::new(), Vec::new());
    let (mut section, mut part, mut sections) = ("", "", 0);
    for line in text.lines() {
        let item = line.strip_prefix("- ");
        let content = item.unwrap_or(line).trim_start();
        let indent = line.len() - content.len();
        let (key, value) = content.split_once(':').unwrap_or((content, ""));
        let value = unquoted(value.trim());
        if item.is_some() && section == "packages" {
            entries.push(Entry::default());
        }
        match (indent, section, part, key) {
            (0, ..) if matches!(key, "packages" | "snapshots") => {
                section = key;
                sections += 1;
            }
            (2, "snapshots", _, "original") if !value.is_empty() => snapshots.push(value),
            (2, ..) => part = key,
            (4, "packages", "completed", key) => {
                let Some(entry) = entries.last_mut() else { continue };
                match key {
                    "hackage" => entry.hackage = value,
                    "name" => entry.name = value,
                    "version" => entry.version = value,
                    _ => {}
                }
            }
            (4, "snapshots", "original", "url" | "resolver") => snapshots.push(value),
            _ => {}
        }
    }
    if sections == 0 {
        return Parsed::malformed("it has neither `packages` nor `snapshots`");
    }
    let mut packages = Packages::new(PackageType::Hackage);
    for entry in entries {
        // `Cabal-3.16.0.0@sha256:…,14455`
        let hackage = entry.hackage.split('@').next().and_then(|text| text.rsplit_once('-'));
        match hackage.unwrap_or((entry.name, entry.version)) {
            (name, "") => packages.unversioned(name),
            (name, version) => drop(packages.add(name, version, Use::Any)),
        }
    }
    packages.mark_all_direct();
    if let Some(snapshot) = snapshots.first() {
        let snapshot: String = snapshot.chars().take(100).collect();
        let detail = format!("the packages of the snapshot `{snapshot}` are not listed, only what is added to it");
        packages.problem(GapKind::UnknownVersion, detail);
    }
    packages.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("stack.yaml.lock", text.as_bytes())));
    }

    #[test]
    fn commits_have_the_version_of_their_manifest() {
        check(
            "packages:\n- completed:\n    commit: 97edff6\n    git: https://github.com/x/y.git\n    name: y-core\n    \
             pantry-tree:\n      sha256: 00\n      size: 1\n    version: 0.3.0\n  original:\n    commit: 97edff6\n    \
             git: https://github.com/x/y.git\nsnapshots: []\n",
            expect![[r#"
                y-core 0.3.0 direct
            "#]],
        );
    }
}
