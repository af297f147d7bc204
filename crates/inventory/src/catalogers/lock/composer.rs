//! `composer.lock`.
//!
//! Packages for use and for development stand apart. The project's own dependencies are not listed: what no other package
//! needs must be one of them. A branch (`dev-main`) is no version. PHP and its extensions are required like packages but
//! are not locked.
//! Source: Composer's documentation, "composer.lock - The lock file".

use std::collections::{BTreeMap, HashMap};

use super::packages::{Id, Packages, Use};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;
use serde::Deserialize;
use serde_json::Value;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "composer-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named_outside(head, "composer.lock", &["vendor"]),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

#[derive(Deserialize)]
struct LockFile {
    packages: Vec<Entry>,
    #[serde(rename = "packages-dev")]
    packages_dev: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    version: String,
    /// PHP writes an empty object as a list.
    #[serde(default)]
    require: Value,
    #[serde(default)]
    provide: Value,
    #[serde(default)]
    replace: Value,
    dist: Option<Dist>,
}

#[derive(Deserialize)]
struct Dist {
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Entry {
    /// A directory beside the project.
    fn is_own(&self) -> bool {
        self.dist.as_ref().and_then(|dist| dist.kind.as_deref()) == Some("path")
    }

    fn is_branch(&self) -> bool {
        self.version.starts_with("dev-") || self.version.ends_with("-dev")
    }
}

pub(super) fn parse(text: &str) -> Parsed {
    let lock: LockFile = match serde_json::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return Parsed::malformed(error),
    };
    let development = lock.packages_dev.unwrap_or_default();
    let entries = lock.packages.iter().map(|entry| (entry, Use::Any));
    let entries: Vec<_> = entries.chain(development.iter().map(|entry| (entry, Use::Development))).collect();
    let mut packages = Packages::new(PackageType::Composer);
    let mut ids: HashMap<&str, Id> = HashMap::new();
    let mut stand_ins: BTreeMap<&str, Id> = BTreeMap::new();
    let mut added = Vec::with_capacity(entries.len());
    for (entry, needed_for) in entries {
        let id = match entry {
            _ if entry.is_own() => None,
            _ if entry.is_branch() => {
                packages.unversioned(&entry.name);
                None
            }
            _ => packages.add(&entry.name, &entry.version, needed_for),
        };
        if let Some(id) = id {
            ids.insert(&entry.name, id);
            stand_ins.extend(names(&entry.provide).chain(names(&entry.replace)).map(|name| (name, id)));
        }
        added.push((entry, id));
    }
    for (entry, id) in added {
        for needed in names(&entry.require).filter_map(|name| ids.get(name).or_else(|| stand_ins.get(name))) {
            match id {
                Some(id) => packages.need(id, *needed),
                None if entry.is_own() => packages.mark_direct(*needed),
                None => {}
            }
        }
    }
    packages.mark_unneeded_direct();
    packages.finish()
}

fn names(object: &Value) -> impl Iterator<Item = &str> {
    object.as_object().into_iter().flat_map(|object| object.keys().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("composer.lock", text.as_bytes())));
    }

    #[test]
    fn stand_ins_branches_and_directories() {
        check(
            r###"{"packages": [
  {"name": "a/a", "version": "v1.0.0", "require": {"php": ">=7", "psr/log-implementation": "1.0", "b/b": "*"}},
  {"name": "b/b", "version": "dev-main", "require": {"m/log": "*"}},
  {"name": "m/log", "version": "2.0.0", "require": [], "provide": {"psr/log-implementation": "1.0.0"}},
  {"name": "own/part", "version": "1.0.0", "require": {"m/log": "*"}, "dist": {"type": "path", "url": "../part"}}
], "packages-dev": [{"name": "t/t", "version": "9.5.0"}]}"###,
            expect![[r#"
                a/a v1.0.0 direct -> m/log 2.0.0
                m/log 2.0.0 direct
                t/t 9.5.0 direct development
                ! unknown-version: 1 dependency names no exact version: `b/b`
            "#]],
        );
    }
}
