//! Two programs' lists of packages, written alike.

use std::collections::btree_map::Keys;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::{Difference, Tool};

/// What a package is, without where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The type of the package URL.
    pub(super) kind: String,
    /// With the namespace.
    pub(super) name: String,
    pub(super) version: String,
    /// Qualifiers that tell packages apart: architecture, epoch, distribution, source package, platform.
    qualifiers: BTreeMap<String, String>,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}@{}", self.kind, self.name, self.version)?;
        self.qualifiers.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

/// Each package, with every entry of it: the paths where it was seen and who found it.
#[derive(Debug, Default)]
pub(super) struct List(BTreeMap<Key, Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    /// Empty for what a package database names: there the two point to different files of it.
    paths: BTreeSet<String>,
    found_by: String,
}

/// Syft's own JSON.
pub(super) fn theirs(document: &Value) -> List {
    let mut list = List::default();
    for artifact in array(&document["artifacts"]) {
        let found_by = text(&artifact["foundBy"]).to_owned();
        let paths = array(&artifact["locations"]).iter().map(|location| text(&location["path"])).collect();
        // Without a package URL (`binary`, `linux-kernel`) there are a name and a version all the same.
        let key = key(text(&artifact["purl"])).unwrap_or_else(|| Key {
            kind: text(&artifact["type"]).to_owned(),
            name: text(&artifact["name"]).to_owned(),
            version: text(&artifact["version"]).to_owned(),
            qualifiers: BTreeMap::new(),
        });
        list.add(key, paths, found_by);
    }
    list
}

/// Our scan report. Another name of a package counts as listed: it is the same thing on disk.
pub(super) fn ours(document: &Value) -> List {
    let mut list = List::default();
    for package in array(&document["inventory"]["packages"]) {
        let found_by = text(&package["cataloger"]);
        let paths: Vec<&str> = array(&package["evidence"]).iter().map(|evidence| text(&evidence["path"])).collect();
        let names = array(&package["provides"]).iter().map(|purl| (text(purl), format!("{found_by}, as another name")));
        for (purl, found_by) in names.chain([(text(&package["purl"]), found_by.to_owned())]) {
            if let Some(key) = key(purl) {
                list.add(key, paths.clone(), found_by);
            }
        }
    }
    list
}

impl List {
    fn add(&mut self, key: Key, paths: Vec<&str>, found_by: String) {
        let from_database = ["deb", "apk", "rpm", "alpm", "ebuild", "opkg"].contains(&key.kind.as_str());
        let paths = paths.into_iter().filter(|_| !from_database).map(outer).collect();
        self.0.entry(key).or_default().push(Entry { paths, found_by });
    }

    pub(super) fn keys(&self) -> Keys<'_, Key, impl Sized> {
        self.0.keys()
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    /// The entries that `other` has not: no such package, or at none of the entry's paths.
    pub(super) fn missing_in(&self, other: &Self, only: Tool) -> BTreeSet<Difference> {
        let mut missing = BTreeSet::new();
        for (key, entries) in &self.0 {
            let there = other.0.get(key);
            let paths: BTreeSet<&String> = there.into_iter().flatten().flat_map(|entry| &entry.paths).collect();
            for Entry { paths: own, found_by } in entries {
                let found = there.is_some() && (own.is_empty() || own.iter().any(|path| paths.contains(path)));
                if !found {
                    let path = own.first().cloned().unwrap_or_default();
                    missing.insert(Difference { only, key: key.clone(), path, found_by: found_by.clone() });
                }
            }
        }
        missing
    }
}

/// The file on disk that a path leads through, without a slash in front: archives in archives are written differently.
fn outer(path: &str) -> String {
    let path = path.split("!/").next().unwrap_or(path);
    path.trim_start_matches('/').to_owned()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// A package URL apart. Syft writes the end of a Go module's path as the subpath.
fn key(purl: &str) -> Option<Key> {
    let (rest, subpath) = purl.strip_prefix("pkg:")?.split_once('#').unwrap_or((purl.strip_prefix("pkg:")?, ""));
    let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let (kind, rest) = rest.split_once('/')?;
    let (name, version) = match rest.rsplit_once('@') {
        Some((name, version)) if !name.is_empty() && !name.ends_with('/') => (name, version),
        _ => (rest, ""),
    };
    let mut name = decoded(name);
    match kind {
        "golang" if !subpath.is_empty() => name = format!("{name}/{}", decoded(subpath)),
        // PEP 503; NuGet's identifiers compare without case, and Packagist's.
        "pypi" => name = name.to_lowercase().replace(['_', '.'], "-"),
        "nuget" | "composer" => name = name.to_lowercase(),
        _ => {}
    }
    let telling = ["arch", "distro", "epoch", "platform", "upstream"];
    let qualifiers = qualifiers.split('&').filter_map(|pair| pair.split_once('='));
    let qualifiers = qualifiers.filter(|(name, _)| telling.contains(name));
    let qualifiers = qualifiers.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
    Some(Key { kind: kind.to_owned(), name, version: decoded(version), qualifiers })
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_write_a_package_are_one() {
        for (theirs, ours) in [
            ("pkg:golang/github.com/redis/go-redis@v9.7.0#v9", "pkg:golang/github.com/redis/go-redis/v9@v9.7.0"),
            ("pkg:npm/%40babel/core@7.22.0", "pkg:npm/@babel/core@7.22.0"),
            ("pkg:pypi/typing_extensions@4.1.0", "pkg:pypi/typing-extensions@4.1.0"),
            ("pkg:deb/debian/bash@5.2.15-2%2Bb13?arch=amd64", "pkg:deb/debian/bash@5.2.15-2+b13?arch=amd64&x=y"),
        ] {
            assert_eq!(key(theirs), key(ours), "{theirs}");
        }
        assert_ne!(key("pkg:deb/debian/bash@5?arch=amd64"), key("pkg:deb/debian/bash@5?arch=arm64"));
        assert_eq!(key(""), None);
    }
}
