//! Arch Linux's security tracker: `all.json`, a list of groups (AVG) of vulnerabilities that one version has and another
//! fixes. A group that is `Unknown` or `Not affected` affects nothing.
//! Source: <https://security.archlinux.org/>, `issues/all.json`.

use model::advisory::{Affected, RangeEnd, VersionRange};
use serde::Deserialize;

use super::draft::{every, line, word};
use super::shape::Syntax;
use super::{Extent, Format, Item, Parsed, json, nullable};

/// One group; the list is an array of them.
pub(super) const FORMAT: Format = Format {
    name: "Arch Linux tracker",
    marks: |shape| shape.has(Syntax::Json, &["name", "packages", "affected", "fixed", "issues"]),
    read,
};

#[derive(Deserialize)]
struct Group {
    name: String,
    packages: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    status: String,
    #[serde(default, deserialize_with = "nullable")]
    severity: String,
    #[serde(default, rename = "type", deserialize_with = "nullable")]
    kind: String,
    #[serde(default, deserialize_with = "nullable")]
    affected: String,
    fixed: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    issues: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    advisories: Vec<String>,
}

fn read(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let group: Group = json(text)?;
    if matches!(group.status.as_str(), "Not affected" | "Unknown") {
        return Ok(Extent::Some);
    }
    let mut record = Parsed::new(&group.name, "Arch Linux");
    record.advisory.upstream = group.issues;
    record.advisory.related = group.advisories;
    record.advisory.summary = line(&group.kind);
    record.advisory.severities.extend(word("Arch Linux", &group.severity));
    let introduced = Some(group.affected.clone()).filter(|version| !version.is_empty());
    // The tracker names the version that it looked at, not the first with the vulnerability; older ones have it as well.
    let range = match group.fixed {
        Some(fixed) => VersionRange { introduced: None, end: RangeEnd::Fixed(fixed) },
        None if group.status == "Fixed" => VersionRange { introduced, end: RangeEnd::Exactly },
        None => VersionRange::default(),
    };
    let status = (range.end == RangeEnd::Open).then(|| group.status.to_lowercase());
    for package in &group.packages {
        record.affect(Affected { ranges: vec![range.clone()], status: status.clone(), ..every("Arch Linux", package) });
    }
    sink(record.finished());
    Ok(Extent::Some)
}
