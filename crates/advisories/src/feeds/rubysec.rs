//! Ruby's advisory database: one YAML document per advisory of a gem.
//!
//! It says which versions are patched and which never were affected; the rest is. Advisories of Ruby itself and of other
//! interpreters (`engine`) are about no gem.
//! Source: rubysec/ruby-advisory-db, `README.md`, "Schema".

use model::advisory::{Affected, StatedSeverity};
use model::version::Scheme;
use serde::Deserialize;
use serde_json::Value;

use super::draft::{every, line};
use super::shape::Syntax;
use super::{Extent, Format, Item, Parsed, nullable, requirement, yaml};

/// One advisory.
pub(super) const FORMAT: Format =
    Format { name: "RubySec", marks: |shape| shape.has(Syntax::Yaml, &["gem", "title", "date"]), read };

#[derive(Deserialize)]
struct Advisory {
    gem: String,
    #[serde(default)]
    cve: Value,
    #[serde(default)]
    ghsa: Value,
    #[serde(default)]
    osvdb: Value,
    #[serde(default, deserialize_with = "nullable")]
    url: String,
    #[serde(default, deserialize_with = "nullable")]
    title: String,
    #[serde(default, deserialize_with = "nullable")]
    date: String,
    cvss_v2: Option<f64>,
    cvss_v3: Option<f64>,
    cvss_v4: Option<f64>,
    #[serde(default, deserialize_with = "nullable")]
    patched_versions: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    unaffected_versions: Vec<String>,
}

fn read(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let advisory: Advisory = yaml(text)?;
    let written = |value: &Value| match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let ids = [("GHSA", &advisory.ghsa), ("CVE", &advisory.cve), ("OSVDB", &advisory.osvdb)];
    let mut ids = ids.into_iter().filter_map(|(prefix, value)| Some(format!("{prefix}-{}", written(value)?)));
    // Some advisories have no number anywhere; the gem and the day tell them apart.
    let id = ids.next().unwrap_or_else(|| format!("RUBYSEC-{}-{}", advisory.gem, advisory.date));
    let mut record = Parsed::new(id, "RubySec");
    record.advisory.aliases = ids.collect();
    record.advisory.summary = line(&advisory.title);
    record.advisory.published =
        Some(&advisory.date).filter(|day| day.len() == 10).map(|day| format!("{day}T00:00:00Z")).unwrap_or_default();
    record.advisory.references = Some(advisory.url).filter(|url| !url.is_empty()).into_iter().collect();
    let scores = [advisory.cvss_v4, advisory.cvss_v3, advisory.cvss_v2].into_iter().flatten();
    record.advisory.severities =
        scores.map(|score| StatedSeverity { scorer: "RubySec".to_owned(), value: score.to_string() }).collect();
    let unaffected = advisory.patched_versions.iter().chain(&advisory.unaffected_versions).map(String::as_str);
    match requirement::all_but(Scheme::Gem, unaffected) {
        Ok(ranges) => record.affect(Affected { ranges, ..every("RubyGems", &advisory.gem) }),
        Err(problem) => record.problem(problem),
    }
    sink(record.finished());
    Ok(Extent::Record)
}
