//! Conan's `conan.lock`: the graph of Conan 1 (lock versions up to 0.4) and the lists of Conan 2 (0.5).
//!
//! A reference is `name/version[@user/channel][#revision[%time]]`. Conan 1 says who needs whom; its node without a reference
//! is the project. What is needed to build or to run recipes only is for development.
//! Source: Conan's documentation, "Lockfiles".

use std::collections::BTreeMap;

use super::packages::{Id, Packages, Use};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;
use serde::Deserialize;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "conan-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "conan.lock"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

#[derive(Deserialize)]
struct LockFile {
    #[serde(rename = "version")]
    _version: String,
    graph_lock: Option<Graph>,
    #[serde(default)]
    requires: Vec<String>,
    #[serde(default)]
    build_requires: Vec<String>,
    #[serde(default)]
    python_requires: Vec<String>,
    #[serde(default)]
    config_requires: Vec<String>,
}

#[derive(Deserialize)]
struct Graph {
    nodes: BTreeMap<String, Node>,
}

#[derive(Deserialize)]
struct Node {
    /// Left out for a project that is no package itself.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// Set for the project, which may have a reference.
    path: Option<String>,
    #[serde(default)]
    requires: Vec<String>,
    #[serde(default)]
    build_requires: Vec<String>,
}

impl Node {
    fn is_own(&self) -> bool {
        self.reference.is_none() || self.path.is_some()
    }
}

pub(super) fn parse(text: &str) -> Parsed {
    let lock: LockFile = match serde_json::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return Parsed::malformed(error),
    };
    let mut packages = Packages::new(PackageType::Conan);
    for reference in &lock.requires {
        add(reference, Use::Any, &mut packages);
    }
    for reference in lock.build_requires.iter().chain(&lock.python_requires).chain(&lock.config_requires) {
        add(reference, Use::Development, &mut packages);
    }
    if let Some(graph) = &lock.graph_lock {
        read_graph(graph, &mut packages);
    }
    packages.finish()
}

fn read_graph(graph: &Graph, packages: &mut Packages) {
    let mut ids: BTreeMap<&str, Id> = BTreeMap::new();
    for (number, node) in graph.nodes.iter().filter(|(_, node)| !node.is_own()) {
        let id = node.reference.as_deref().and_then(|reference| add(reference, Use::Any, packages));
        ids.extend(id.map(|id| (number.as_str(), id)));
    }
    let mut production = Vec::new();
    let mut tools = Vec::new();
    for (number, node) in &graph.nodes {
        let from = ids.get(number.as_str()).copied();
        let known = |numbers: &[String]| -> Vec<Id> {
            numbers.iter().filter_map(|number| ids.get(number.as_str()).copied()).collect()
        };
        for needed in known(&node.requires) {
            match from {
                Some(from) => packages.need(from, needed),
                None => production.push(needed),
            }
        }
        tools.extend(known(&node.build_requires).into_iter().map(|needed| (from, needed)));
    }
    production.iter().for_each(|&id| packages.mark_direct(id));
    // Before the tools are known: what only they reach is for development.
    packages.mark_development_beyond(production);
    for (from, needed) in tools {
        match from {
            Some(from) => packages.need(from, needed),
            None => packages.mark_direct(needed),
        }
    }
}

fn add(reference: &str, needed_for: Use, packages: &mut Packages) -> Option<Id> {
    let Some((name, version)) = name_and_version(reference) else {
        packages.unversioned(reference);
        return None;
    };
    packages.add(name, version, needed_for)
}

/// `zlib` and `1.2.13` of `zlib/1.2.13@user/channel#revision%time`; none for a range: `zlib/[>1.2 <2]`.
pub(super) fn name_and_version(reference: &str) -> Option<(&str, &str)> {
    let (name, rest) = reference.trim().split_once('/')?;
    let version = rest.split(['@', '#', '%']).next().unwrap_or(rest).trim_end();
    (!version.is_empty() && !version.starts_with('[')).then_some((name, version))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("conan.lock", text.as_bytes())));
    }

    #[test]
    fn the_graph_of_conan_1() {
        check(
            r###"{"graph_lock": {"nodes": {
  "0": {"options": "", "requires": ["1"], "build_requires": ["3"], "path": "conanfile.txt", "context": "host"},
  "1": {"ref": "openssl/1.1.1k@user/stable#1", "options": "", "package_id": "x", "requires": ["2"], "context": "host"},
  "2": {"ref": "zlib/1.2.11", "context": "host"},
  "3": {"ref": "cmake/3.20.0", "context": "build"}
}, "revisions_enabled": false}, "version": "0.4", "profile_host": ""}"###,
            expect![[r#"
                cmake 3.20.0 direct development
                openssl 1.1.1k direct -> zlib 1.2.11
                zlib 1.2.11
            "#]],
        );
    }
}
