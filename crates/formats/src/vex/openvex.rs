//! OpenVEX 0.2.0, and the documents of version 0.0.1 that are still about.
//!
//! The old version gives vulnerabilities and products as plain names and the subcomponents beside the products. Some
//! publishers put the head into `metadata`, against the specification.
//! Source: OpenVEX specification 0.2.0, "The OpenVEX Data Format".

use std::collections::BTreeMap;

use model::digest::Digest;
use model::vex::{Vex, VexProduct, VexStatement, VexStatus};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{VexDocument, VexError, filled, item, json, timestamp};

#[derive(Deserialize)]
struct Document<'a> {
    author: Option<String>,
    timestamp: Option<String>,
    last_updated: Option<String>,
    metadata: Option<Head>,
    #[serde(borrow)]
    statements: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Head {
    author: Option<String>,
    timestamp: Option<String>,
    last_updated: Option<String>,
}

#[derive(Deserialize)]
struct Statement {
    vulnerability: Vulnerability,
    products: Option<Vec<Product>>,
    subcomponents: Option<Vec<Product>>,
    status: String,
    justification: Option<String>,
    impact_statement: Option<String>,
    action_statement: Option<String>,
    status_notes: Option<String>,
    timestamp: Option<String>,
    last_updated: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Vulnerability {
    Name(String),
    Whole { name: Option<String>, aliases: Option<Vec<String>> },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Product {
    Id(String),
    Whole {
        #[serde(rename = "@id")]
        id: Option<String>,
        identifiers: Option<BTreeMap<String, String>>,
        hashes: Option<BTreeMap<String, String>>,
        subcomponents: Option<Vec<Product>>,
    },
}

pub(super) fn read(name: &str, bytes: &[u8]) -> Result<VexDocument, VexError> {
    let document: Document<'_> = json(bytes)?;
    let Head { author, timestamp, last_updated } =
        document.metadata.unwrap_or(Head { author: None, timestamp: None, last_updated: None });
    let head = Head {
        author: document.author.or(author),
        timestamp: document.timestamp.or(timestamp),
        last_updated: document.last_updated.or(last_updated),
    };
    let mut read = VexDocument::default();
    for (number, raw) in document.statements.into_iter().enumerate() {
        match item(raw).and_then(|statement| self::statement(name, &head, statement)) {
            Ok(statement) => read.statements.push(statement),
            Err(problem) => read.problems.push(format!("statement {} {problem}", number + 1)),
        }
    }
    Ok(read)
}

fn statement(name: &str, head: &Head, statement: Statement) -> Result<VexStatement, String> {
    let vulnerabilities = match statement.vulnerability {
        Vulnerability::Name(name) => vec![name],
        Vulnerability::Whole { name, aliases } => name.into_iter().chain(aliases.unwrap_or_default()).collect(),
    };
    let vulnerabilities: Vec<String> = vulnerabilities.into_iter().filter(|id| !id.trim().is_empty()).collect();
    if vulnerabilities.is_empty() {
        return Err("names no vulnerability".to_owned());
    }
    let status = match statement.status.as_str() {
        "not_affected" => VexStatus::NotAffected,
        "affected" => VexStatus::Affected,
        "fixed" => VexStatus::Fixed,
        "under_investigation" => VexStatus::UnderInvestigation,
        other => return Err(format!("has the unknown status `{}`", other.chars().take(40).collect::<String>())),
    };
    let justification = filled(statement.justification);
    let impact = filled(statement.impact_statement);
    if status == VexStatus::NotAffected && justification.is_none() && impact.is_none() {
        return Err("says `not_affected` without a justification or an impact statement".to_owned());
    }
    let beside: Vec<VexProduct> = statement.subcomponents.into_iter().flatten().map(product).collect();
    let products: Vec<VexProduct> = statement.products.into_iter().flatten().map(product).collect();
    if products.is_empty() {
        return Err("names no product".to_owned());
    }
    let products = products.into_iter().map(|mut product| {
        product.subcomponents.extend(beside.iter().cloned());
        product
    });
    // What a statement does not say of its time its document does.
    let times = [statement.last_updated, statement.timestamp, head.last_updated.clone(), head.timestamp.clone()];
    let said = Vex {
        status,
        justification,
        statement: impact.or(filled(statement.action_statement)).or(filled(statement.status_notes)),
        author: head.author.clone().unwrap_or_default(),
        timestamp: times.iter().find_map(|time| timestamp(time.as_deref())),
        document: name.to_owned(),
    };
    Ok(VexStatement { vulnerabilities, products: products.collect(), said })
}

/// Products nest one level deep; below that nothing is meant.
fn product(product: Product) -> VexProduct {
    match product {
        Product::Id(id) => VexProduct::named(id),
        Product::Whole { id, identifiers, hashes, subcomponents } => VexProduct {
            names: id.into_iter().chain(identifiers.unwrap_or_default().into_values()).collect(),
            digests: hashes
                .unwrap_or_default()
                .into_iter()
                .filter(|(algorithm, _)| algorithm == "sha-256" || algorithm == "sha256")
                .filter_map(|(_, hex)| Digest::parse(&format!("sha256:{}", hex.to_ascii_lowercase())).ok())
                .collect(),
            subcomponents: subcomponents.into_iter().flatten().map(self::product).collect(),
        },
    }
}
