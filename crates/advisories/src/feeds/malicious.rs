//! Lists of packages that were taken over or made to harm: `{"ecosystem", "name", "versions", "sources"}`, one per line.
//!
//! Such lists are kept by those who follow a campaign, before (and often instead of) records of the OpenSSF. They have no
//! ids, so one is formed here. No versions means every version.

use model::advisory::Affected;
use serde::Deserialize;

use super::draft::every;
use super::shape::Syntax;
use super::{Extent, Format, Item, Parsed, json, nullable};

/// Compromised packages, one per line.
pub(super) const COMPROMISED: Format = Format {
    name: "compromised packages",
    marks: |shape| shape.has(Syntax::Json, &["ecosystem", "name", "versions", "sources"]),
    read,
};

/// Such lists name what somebody has met, never all.
const NEVER_ALL: &str = "lists of compromised packages name only those of some campaigns";

#[derive(Deserialize)]
struct Compromised {
    ecosystem: String,
    name: String,
    #[serde(deserialize_with = "nullable")]
    versions: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    sources: Vec<String>,
}

fn read(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let Compromised { ecosystem, name, versions, sources } = json(text)?;
    let mut record = Parsed::new(format!("MALICIOUS-{ecosystem}-{name}"), "compromised packages");
    record.advisory.malicious = true;
    record.advisory.summary = format!("known to be malicious, by {}", sources.join(", "));
    record.partial = Some(NEVER_ALL);
    let mut affected = every(&ecosystem, &name);
    if !versions.is_empty() {
        affected = Affected { ranges: Vec::new(), versions, ..affected };
    }
    record.affect(affected);
    sink(record.finished());
    Ok(Extent::Some)
}
