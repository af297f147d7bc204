//! Wolfi's advisories in the form they are written in: one YAML document per package, version 2 of the schema.
//!
//! Each advisory is a history of events; the last one is how it stands. A false positive affects nothing.
//! Source: wolfi-dev/advisories, `README.md`; wolfictl, `docs/advisories`.

use model::advisory::Affected;
use serde::Deserialize;
use serde_json::Value;

use super::draft::{before, every, is_id};
use super::shape::Syntax;
use super::{Extent, Format, Item, Parsed, nullable, yaml};

/// The advisories of one package.
pub(super) const FORMAT: Format = Format {
    name: "Wolfi advisories",
    marks: |shape| shape.has(Syntax::Yaml, &["schema-version", "package", "advisories"]),
    read,
};

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "schema-version")]
    version: String,
    package: Package,
    #[serde(default, deserialize_with = "nullable")]
    advisories: Vec<Advisory>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Deserialize)]
struct Advisory {
    id: String,
    #[serde(default, deserialize_with = "nullable")]
    aliases: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default, deserialize_with = "nullable")]
    timestamp: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Value,
}

fn read(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let document: Document = yaml(text)?;
    if !document.version.starts_with('2') {
        return Err(format!("version {} of the schema, and we read 2", document.version));
    }
    for advisory in document.advisories {
        let Advisory { id, aliases, mut events } = advisory;
        events.sort_by(|a, b| a.timestamp.cmp(&b.timestamp));
        let mut record = Parsed::new(&id, "Wolfi");
        record.advisory.published = events.first().map(|event| event.timestamp.clone()).unwrap_or_default();
        record.advisory.modified = events.last().map(|event| event.timestamp.clone()).unwrap_or_default();
        // Advisories of version 2.0.0 were named for the vulnerability itself.
        record.advisory.aliases = aliases.into_iter().filter(|alias| is_id(alias)).collect();
        match events.last() {
            Some(event) => stands(event, &document.package.name, &mut record),
            None => record.problem("has no events"),
        }
        if !record.advisory.affected.is_empty() || !record.problems.is_empty() {
            sink(record.finished());
        }
    }
    Ok(Extent::Record)
}

fn stands(event: &Event, package: &str, record: &mut Parsed) {
    match event.kind.as_str() {
        "false-positive-determination" => {}
        "fixed" => match event.data["fixed-version"].as_str() {
            Some(version) => record.affect(before("Wolfi", package, version)),
            None => record.problem("is fixed in no version"),
        },
        status => record.affect(Affected { status: Some(status.to_owned()), ..every("Wolfi", package) }),
    }
}
