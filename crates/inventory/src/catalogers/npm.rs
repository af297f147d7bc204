//! Installed npm packages: the `package.json` at the root of each directory below `node_modules`.
//!
//! Source: npm documentation, "package.json" and "folders". Yarn's and pnpm's stores follow the same rule, because in
//! them, too, a package lies in `node_modules/<name>`.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed, Requirement};
use model::gap::GapKind;
use model::package::PackageType;

/// npm packages in `node_modules`.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "npm", version: 1, scope: Scope::Installed, wants, parse };

/// npm packages in images that are not in `node_modules`.
pub(super) const UNPACKED: Cataloger = Cataloger {
    name: "npm-unpacked",
    version: 1,
    scope: Scope::Shipped,
    wants: |file| is_unpacked(file.path),
    parse: parse_unpacked,
};

/// The largest `package.json` files seen (with a readme inside, as old npm wrote them) are below 1 MiB.
const MANIFEST_BYTES_MAX: u64 = 8 << 20;

fn wants(file: &FileHead<'_>) -> bool {
    name_from_path(file.path).is_some()
}

fn parse(file: &File<'_>) -> Parsed {
    parse_manifest(file, |_| true)
}

fn parse_unpacked(file: &File<'_>) -> Parsed {
    let complete = |package: &PackageFact| !package.name.is_empty() && !package.version.is_empty();
    let mut parsed = parse_manifest(file, complete);
    // Anything may be called so: what is no manifest is no gap.
    parsed.problems.retain(|problem| problem.kind != GapKind::Malformed);
    parsed
}

fn parse_manifest(file: &File<'_>, keep: impl Fn(&PackageFact) -> bool) -> Parsed {
    let bytes = match file.bytes(MANIFEST_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    // npm's own reader accepts a byte order mark.
    let json = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match serde_json::from_slice::<Manifest>(json) {
        Ok(manifest) => Parsed::packages(manifest.package(file.path).filter(keep)),
        Err(error) => Parsed::malformed(format_args!("not a package manifest: {error}")),
    }
}

/// The package's name by its directory: `node_modules/<name>/package.json` or `node_modules/@<scope>/<name>/package.json`.
///
/// None for manifests deeper inside a package, which say how to load a part of it, and for `node_modules` in a package's
/// tests or fixtures, which are not installed.
fn name_from_path(path: &str) -> Option<&str> {
    let directory = path.strip_suffix("/package.json")?;
    let (above, name) = match directory.rsplit_once("node_modules/") {
        Some((above, name)) if above.is_empty() || above.ends_with('/') => (above, name),
        _ => return None,
    };
    let slashes = if name.starts_with('@') { 1 } else { 0 };
    if name.is_empty() || name.starts_with('.') || name.matches('/').count() != slashes {
        return None;
    }
    let in_package = above.split_once("node_modules/").map(|(_, inner)| inner).unwrap_or("");
    (!in_package.split('/').any(is_test_directory)).then_some(name)
}

/// Whether a manifest is where nothing is installed but something may lie. Below `node_modules` that is a `vendor`
/// directory only: elsewhere in a package manifests say how to load a part of it, and carry its name or none.
fn is_unpacked(path: &str) -> bool {
    let Some(directory) = path.strip_suffix("package.json") else { return false };
    let parts: Vec<&str> = directory.split_terminator('/').collect();
    let name_is_whole = directory.is_empty() || directory.ends_with('/');
    let vendored = matches!(parts[..], [.., "vendor" | "vendored" | "third_party" | "third-party", _]);
    name_is_whole && !parts.iter().any(|part| is_test_directory(part)) && (vendored || !parts.contains(&"node_modules"))
}

fn is_test_directory(name: &str) -> bool {
    matches!(name, "test" | "tests" | "__tests__" | "fixture" | "fixtures" | "__fixtures__" | "testdata")
}

/// The members that matter, of whatever type a stranger gave them.
#[derive(Default)]
struct Manifest {
    name: Value,
    version: Value,
    license: Value,
    licenses: Value,
    dependencies: Value,
    optional_dependencies: Value,
}

impl Manifest {
    /// The package; none when the manifest states neither name nor version, because then it only says how to load files.
    fn package(&self, path: &str) -> Option<PackageFact> {
        let stated = |value: &Value| value.as_str().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let version = stated(&self.version);
        let name = match stated(&self.name) {
            Some(name) => name,
            None => name_from_path(path).filter(|_| version.is_some())?.to_owned(),
        };
        let mut licenses = Vec::new();
        add_licenses(&self.license, &mut licenses);
        add_licenses(&self.licenses, &mut licenses);
        let needed = [&self.dependencies, &self.optional_dependencies];
        let mut requires: Vec<_> = needed
            .into_iter()
            .filter_map(Value::as_object)
            .flat_map(|names| names.keys())
            .map(|name| Requirement { name: name.clone(), version: None })
            .collect();
        requires.sort();
        requires.dedup();
        let package = PackageFact::new(PackageType::Npm, name, version.unwrap_or_default());
        Some(PackageFact { licenses, requires, ..package })
    }
}

/// Licenses were a text, an object with `type` (or `name`), or a list of either.
fn add_licenses(stated: &Value, licenses: &mut Vec<String>) {
    let entries = stated.as_array().map(Vec::as_slice).unwrap_or(std::slice::from_ref(stated));
    for entry in entries {
        let text = entry.as_str().or_else(|| entry["type"].as_str()).or_else(|| entry["name"].as_str());
        if let Some(text) = text.map(str::trim).filter(|text| !text.is_empty() && !licenses.iter().any(|it| it == text))
        {
            licenses.push(text.to_owned());
        }
    }
}

impl<'de> Deserialize<'de> for Manifest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ManifestVisitor)
    }
}

/// Takes the last of repeated members, as JavaScript does (a derived reader would refuse them), and skips the rest
/// without keeping it.
struct ManifestVisitor;

impl<'de> Visitor<'de> for ManifestVisitor {
    type Value = Manifest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Manifest, A::Error> {
        let mut manifest = Manifest::default();
        while let Some(key) = members.next_key::<String>()? {
            let member = match key.as_str() {
                "name" => &mut manifest.name,
                "version" => &mut manifest.version,
                "license" => &mut manifest.license,
                "licenses" => &mut manifest.licenses,
                "dependencies" => &mut manifest.dependencies,
                "optionalDependencies" => &mut manifest.optional_dependencies,
                _ => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *member = members.next_value()?;
        }
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::{is_unpacked, name_from_path};

    #[test]
    fn outside_node_modules_anything_but_tests_may_be_an_application() {
        for (path, expected) in [
            ("srv/app/package.json", true),
            ("opt/yarn-v1.22.22/package.json", true),
            ("package.json", true),
            ("app/node_modules/bson/vendor/base64/package.json", true),
            ("app/node_modules/qs/package.json", false),
            ("app/node_modules/terser/dist/package.json", false),
            ("app/node_modules/resolve/test/vendor/a/package.json", false),
            ("app/test/package.json", false),
            ("app/my-package.json", false),
        ] {
            assert_eq!(is_unpacked(path), expected, "{path}");
        }
    }

    #[test]
    fn only_the_root_of_an_installed_package_counts() {
        for (path, expected) in [
            ("app/node_modules/qs/package.json", Some("qs")),
            ("node_modules/@babel/core/package.json", Some("@babel/core")),
            ("usr/lib/node_modules/npm/node_modules/ini/package.json", Some("ini")),
            ("app/node_modules/.pnpm/ini@1.3.8/node_modules/ini/package.json", Some("ini")),
            ("app/node_modules/next/vendor/node_modules/ini/package.json", Some("ini")),
            ("app/package.json", None),
            ("app/node_modules/@babel/package.json", None),
            ("app/node_modules/qs/dist/package.json", None),
            ("app/node_modules/.bin/package.json", None),
            ("app/my_node_modules/qs/package.json", None),
            ("app/node_modules/package.json", None),
            ("app/node_modules/resolve/test/a/node_modules/b/package.json", None),
            ("tests/app/node_modules/qs/package.json", Some("qs")),
        ] {
            assert_eq!(name_from_path(path), expected, "{path}");
        }
    }
}
