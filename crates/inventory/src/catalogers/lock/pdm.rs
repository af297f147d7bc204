//! `pdm.lock`.
//!
//! PDM lists a package with extras twice, the second time with what the extras add. Its groups do not tell development from
//! what is optional, so nothing is for development only. The project's own dependencies are not listed: what no other
//! package needs must be one of them.
//! Source: PDM's documentation, "Lock file"; PEP 508 for `dependencies`.

use super::packages::{Packages, Use};
use super::python::{Versions, requirement_name};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;
use serde::Deserialize;
use serde::de::IgnoredAny;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "pdm-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "pdm.lock"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

#[derive(Deserialize)]
struct LockFile {
    #[serde(rename = "metadata")]
    _metadata: IgnoredAny,
    #[serde(default)]
    package: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    version: String,
    /// A directory beside the project.
    path: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

pub(super) fn parse(text: &str) -> Parsed {
    let lock: LockFile = match toml::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return Parsed::malformed(error.message()),
    };
    let mut packages = Packages::new(PackageType::PyPi);
    let mut versions = Versions::default();
    let mut ids = Vec::with_capacity(lock.package.len());
    for entry in &lock.package {
        let own = entry.path.as_deref().is_some_and(|path| !path.ends_with(".whl") && !path.ends_with(".gz"));
        let id = if own { None } else { packages.add(&entry.name, &entry.version, Use::Any) };
        id.into_iter().for_each(|id| versions.insert(&entry.name, &entry.version, id));
        ids.push(id);
    }
    for (entry, id) in lock.package.iter().zip(ids) {
        let names = entry.dependencies.iter().map(|dependency| requirement_name(dependency));
        names.for_each(|name| versions.link(&mut packages, id, name, None));
    }
    packages.mark_unneeded_direct();
    packages.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("pdm.lock", text.as_bytes())));
    }

    #[test]
    fn extras_and_directories() {
        check(
            r###"[metadata]
groups = ["default", "test"]
[[package]]
name = "local"
version = "0.1"
path = "./local"
dependencies = ["c>=1"]
[[package]]
name = "requests"
version = "2.31.0"
dependencies = ["c<4,>=2; python_version > \"3\""]
[[package]]
name = "requests"
version = "2.31.0"
extras = ["socks"]
dependencies = ["PySocks!=1.5.7,>=1.5.6", "requests==2.31.0"]
[[package]]
name = "pysocks"
version = "1.7.1"
[[package]]
name = "c"
version = "2.0"
"###,
            expect![[r#"
                c 2.0 direct
                pysocks 1.7.1
                requests 2.31.0 direct -> c 2.0, pysocks 1.7.1
            "#]],
        );
    }
}
