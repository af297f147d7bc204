//! Alpine's security database and what its relatives publish in the same shape (Wolfi, Chainguard, MinimOS, Alpaquita).
//!
//! One document per release and repository (`main.json`, `community.json`), one `security.json` for a rolling distribution:
//! per *origin* package the versions that fix something. A fix in `0` means that the package never was affected.
//! Source: <https://secdb.alpinelinux.org/>, `license.txt` and the documents; the shape is that of `secfixes` comments in
//! APKBUILD files.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::draft::{Drafts, before, is_id};
use super::shape::Syntax;
use super::{Extent, Format, Item, json, nullable, yaml};

/// JSON, as it is published.
pub(super) const JSON: Format = Format {
    name: "Alpine secdb",
    marks: |shape| shape.has(Syntax::Json, &["packages.pkg", "reponame"]),
    read: |text, sink| database(json(text)?, sink),
};

/// YAML, as it was published before 2020.
pub(super) const YAML: Format = Format {
    name: "Alpine secdb (YAML)",
    marks: |shape| shape.has(Syntax::Yaml, &["packages", "reponame"]),
    read: |text, sink| database(yaml(text)?, sink),
};

/// Fewer packages than this are an extract, whatever the header says; the smallest whole repository (v3.2) has more.
const WHOLE_PACKAGES_MIN: usize = 40;
/// The repositories that are a release of Alpine.
const REPOSITORIES: &[&str] = &["main", "community"];

/// Words in a database's addresses, the ecosystem, the publisher and what its records' ids begin with.
const PUBLISHERS: &[(&str, &str, &str, &str)] = &[
    ("alpinelinux", "Alpine", "Alpine", "ALPINE-"),
    ("bell-sw", "Alpaquita", "BellSoft", "BELL-"),
    ("cgr.dev", "Chainguard", "Chainguard", "CHAINGUARD-"),
    ("mini.dev", "MinimOS", "MinimOS", "MINIMOS-"),
    ("wolfi", "Wolfi", "Wolfi", "WOLFI-"),
];

#[derive(Deserialize)]
struct Database {
    #[serde(default, deserialize_with = "nullable")]
    apkurl: String,
    #[serde(default, deserialize_with = "nullable")]
    urlprefix: String,
    reponame: String,
    #[serde(default, deserialize_with = "nullable")]
    distroversion: String,
    #[serde(default, deserialize_with = "nullable")]
    packages: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    pkg: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    /// A map of versions; some empty ones are written as an empty list.
    #[serde(default)]
    secfixes: Value,
}

fn database(database: Database, sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let addresses = format!("{} {}", database.urlprefix, database.apkurl).to_ascii_lowercase();
    let known = PUBLISHERS.iter().find(|(word, ..)| addresses.contains(word));
    let Some(&(_, family, source, prefix)) = known else {
        return Err(format!("`{}` is of no distribution we know", database.urlprefix));
    };
    let ecosystem = match database.distroversion.as_str() {
        "" => family.to_owned(),
        release => format!("{family}:{release}"),
    };
    let mut drafts = Drafts::new(source, prefix);
    for Entry { pkg } in &database.packages {
        package(pkg, &ecosystem, &mut drafts, sink);
    }
    drafts.hand_over(sink);
    Ok(match (database.packages.len() >= WHOLE_PACKAGES_MIN, family) {
        (false, _) => Extent::Some,
        (true, "Alpine") => {
            sink(Item::Part { ecosystem, part: database.reponame, of: REPOSITORIES });
            Extent::Some
        }
        (true, _) => Extent::Whole,
    })
}

fn package(package: &Package, ecosystem: &str, drafts: &mut Drafts, sink: &mut dyn FnMut(Item)) {
    let mut fixes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (version, ids) in package.secfixes.as_object().into_iter().flatten() {
        fixes.entry(version).or_default().extend(ids.as_array().into_iter().flatten().filter_map(Value::as_str));
    }
    for (version, fixed) in fixes {
        for text in fixed {
            // One entry is one vulnerability: `CVE-2020-25595 XSA-338`, `CVE-2017-2616 (+ regression fix)`.
            let mut ids = text.split_whitespace().map(|word| word.trim_matches(['(', ')', ','])).filter(|id| is_id(id));
            let Some(id) = ids.next() else {
                sink(Item::Problem { record: package.name.clone(), detail: format!("`{text}` is no id") });
                continue;
            };
            let record = drafts.about(id);
            ids.filter(|alias| *alias != id).for_each(|alias| record.alias(alias));
            // "Never affected" is no range, but a word on the vulnerability all the same.
            record.affect(before(ecosystem, &package.name, version));
        }
    }
}
