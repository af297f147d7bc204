//! FriendsOfPHP's advisories: one YAML document each, with affected ranges by branch.
//! Source: FriendsOfPHP/security-advisories, `README.md`, "Contributing".

use std::collections::BTreeMap;

use model::advisory::Affected;
use model::version::Scheme;
use serde::Deserialize;

use super::draft::{every, is_id, line};
use super::shape::Syntax;
use super::{Extent, Format, Item, Parsed, nullable, requirement, yaml};

/// One advisory.
pub(super) const FORMAT: Format =
    Format { name: "FriendsOfPHP", marks: |shape| shape.has(Syntax::Yaml, &["title", "branches", "reference"]), read };

#[derive(Deserialize)]
struct Advisory {
    title: String,
    #[serde(default, deserialize_with = "nullable")]
    link: String,
    #[serde(default, deserialize_with = "nullable")]
    cve: String,
    reference: String,
    branches: BTreeMap<String, Branch>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default, deserialize_with = "nullable")]
    versions: Vec<String>,
}

fn read(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let advisory: Advisory = yaml(text)?;
    let package = advisory.reference.strip_prefix("composer://").unwrap_or(&advisory.reference).to_owned();
    let cve = Some(&advisory.cve).filter(|cve| is_id(cve));
    let slug: String = advisory
        .title
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(60)
        .collect();
    let id = cve.map_or(slug, String::clone);
    let mut record = Parsed::new(format!("FRIENDSOFPHP-{package}-{id}"), "FriendsOfPHP");
    record.advisory.aliases = cve.cloned().into_iter().collect();
    record.advisory.summary = line(&advisory.title);
    record.advisory.references = Some(advisory.link).filter(|url| !url.is_empty()).into_iter().collect();
    let mut ranges = Vec::new();
    for (branch, Branch { versions }) in &advisory.branches {
        match requirement::affected(Scheme::Composer, &versions.join(",")) {
            Ok(range) => ranges.push(range),
            Err(problem) => record.problem(format!("{problem} (branch {branch})")),
        }
    }
    record.affect(Affected { ranges, ..every("Packagist", &package) });
    sink(record.finished());
    Ok(Extent::Record)
}
