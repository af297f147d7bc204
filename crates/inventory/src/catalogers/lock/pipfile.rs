//! Pipenv's `Pipfile.lock`.
//!
//! It lists versions for use and for development, without who needs whom. Pipenv writes the index or the
//! extras beside what the `Pipfile` names itself.

use std::collections::BTreeMap;

use super::packages::{Packages, Use};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;
use serde::Deserialize;
use serde::de::IgnoredAny;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "pipfile-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "Pipfile.lock"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

#[derive(Deserialize)]
struct LockFile {
    #[serde(rename = "_meta")]
    _meta: Meta,
    /// `default`, `develop` and, since Pipenv 2023, categories of the user's own.
    #[serde(flatten)]
    categories: BTreeMap<String, BTreeMap<String, Entry>>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "pipfile-spec")]
    _spec: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Entry {
    version: Option<String>,
    index: Option<String>,
    extras: Option<IgnoredAny>,
    path: Option<String>,
}

pub(super) fn parse(text: &str) -> Parsed {
    let lock: LockFile = match serde_json::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return Parsed::malformed(error),
    };
    let mut packages = Packages::new(PackageType::PyPi);
    for (category, entries) in &lock.categories {
        let needed_for = if category == "develop" { Use::Development } else { Use::Any };
        for (name, entry) in entries {
            let exact = entry.version.as_deref().and_then(|version| version.trim_start_matches('=').split(',').next());
            match exact.filter(|version| !version.contains('*') && !version.is_empty()) {
                Some(version) => {
                    let id = packages.add(name, version, needed_for);
                    id.filter(|_| entry.index.is_some() || entry.extras.is_some())
                        .into_iter()
                        .for_each(|id| packages.mark_direct(id));
                }
                // A directory beside the project is the project's own.
                None if entry.path.as_deref().is_some_and(|path| path.starts_with('.')) => {}
                None => packages.unversioned(name),
            }
        }
    }
    packages.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("Pipfile.lock", text.as_bytes())));
    }

    #[test]
    fn commits_and_directories_have_no_version() {
        check(
            r###"{"_meta": {"pipfile-spec": 6}, "default": {
  "a": {"version": "===1.0+local", "index": "x"}, "git": {"git": "https://github.com/x/git.git", "ref": "97edff6"},
  "here": {"path": ".", "editable": true}, "any": {"version": "*"}}, "develop": {"a": {"version": "==1.0+local"}}}"###,
            expect![[r#"
                a 1.0+local direct
                ! unknown-version: 2 dependencies name no exact version: `any`, `git`
            "#]],
        );
    }
}
