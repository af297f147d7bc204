//! RustSec's advisories in the form they are written in: Markdown that begins with TOML.
//! Source: rustsec/advisory-db, `EXAMPLE_ADVISORY.md`.

use std::collections::BTreeMap;

use model::advisory::{Affected, StatedSeverity};
use model::version::Scheme;
use serde::Deserialize;

use super::draft::{every, line};
use super::shape::Syntax;
use super::{Extent, Format, Item, Parsed, requirement};

/// One advisory.
pub(super) const FORMAT: Format =
    Format { name: "RustSec", marks: |shape| shape.syntax == Syntax::Text && shape.first_line == "```toml", read };

#[derive(Deserialize)]
struct Front {
    advisory: Advisory,
    versions: Versions,
    #[serde(default)]
    affected: Functions,
}

#[derive(Deserialize)]
struct Advisory {
    id: String,
    package: String,
    date: Day,
    withdrawn: Option<Day>,
    informational: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    related: Vec<String>,
    url: Option<String>,
    cvss: Option<String>,
}

/// TOML has a type for days; both ways of writing one are in use.
#[derive(Deserialize)]
#[serde(untagged)]
enum Day {
    Text(String),
    Date(toml::value::Datetime),
}

#[derive(Deserialize)]
struct Versions {
    #[serde(default)]
    patched: Vec<String>,
    #[serde(default)]
    unaffected: Vec<String>,
}

#[derive(Deserialize, Default)]
struct Functions {
    #[serde(default)]
    functions: BTreeMap<String, toml::Value>,
}

impl Day {
    fn timestamp(&self) -> String {
        match self {
            Self::Text(day) => format!("{day}T00:00:00Z"),
            Self::Date(day) => format!("{day}T00:00:00Z"),
        }
    }
}

fn read(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let text = str::from_utf8(text).map_err(|error| error.to_string())?.trim_start();
    let rest = text.strip_prefix("```toml").unwrap_or(text);
    let (front, prose) = rest.split_once("\n```").ok_or("the TOML at its beginning has no end")?;
    let Front { advisory: front, versions, affected } =
        toml::from_str(front).map_err(|error| error.message().to_owned())?;
    let mut record = Parsed::new(&front.id, "RustSec");
    let advisory = &mut record.advisory;
    let title = prose.lines().find_map(|line| line.strip_prefix("# "));
    advisory.summary = line(title.unwrap_or_default());
    advisory.published = front.date.timestamp();
    advisory.modified.clone_from(&advisory.published);
    advisory.withdrawn = front.withdrawn.as_ref().map(Day::timestamp);
    (advisory.aliases, advisory.related) = (front.aliases, front.related);
    advisory.references = front.url.into_iter().collect();
    let stated = |value| StatedSeverity { scorer: "RustSec".to_owned(), value };
    advisory.severities = front.cvss.map(stated).into_iter().collect();
    // The standard library's own advisories are about no crate.
    let unaffected = versions.patched.iter().chain(&versions.unaffected).map(String::as_str);
    match requirement::all_but(Scheme::Semver, unaffected) {
        Ok(ranges) => {
            let symbols = affected.functions.into_keys().collect();
            let every = every("crates.io", &front.package);
            record.affect(Affected { ranges, symbols, status: front.informational, ..every });
        }
        Err(problem) => record.problem(problem),
    }
    sink(record.finished());
    Ok(Extent::Record)
}
