//! GitHub's advisories in the shapes of its programming interfaces: REST (`ghsa_id`, snake case) and GraphQL (`ghsaId`,
//! camel case, lists as `nodes`). GitHub's repository of advisories is OSV and read as that.
//!
//! Advisories of type `malware` are about packages that are malware themselves.
//! Source: GitHub REST API, "Global security advisories"; GraphQL API, `SecurityAdvisory` and `SecurityVulnerability`.

use std::collections::BTreeMap;

use model::advisory::{Affected, StatedSeverity};
use model::ecosystem::scheme_of;
use serde_json::Value;

use super::draft::{every, line, word};
use super::shape::Syntax;
use super::{Extent, Format, Item, Parsed, json, requirement};

/// One advisory of the REST interface; an answer is an array of them.
pub(super) const REST: Format = Format {
    name: "GitHub advisory (REST)",
    marks: |shape| shape.has(Syntax::Json, &["ghsa_id"]),
    read: |text, sink| {
        advisory(&json(text)?, sink);
        Ok(Extent::Record)
    },
};

/// An answer of the GraphQL interface, or one advisory of it.
pub(super) const GRAPHQL: Format = Format {
    name: "GitHub advisory (GraphQL)",
    marks: |shape| {
        ["ghsaId", "data.securityAdvisories", "data.securityVulnerabilities", "data.securityAdvisory"]
            .into_iter()
            .any(|path| shape.has(Syntax::Json, &[path]))
    },
    read: read_graphql,
};

/// Pages kept per record.
const REFERENCES_MAX: usize = 3;

/// GitHub's names of ecosystems, and OSV's.
const ECOSYSTEMS: &[(&str, &str)] = &[
    ("actions", "GitHub Actions"),
    ("composer", "Packagist"),
    ("erlang", "Hex"),
    ("go", "Go"),
    ("maven", "Maven"),
    ("npm", "npm"),
    ("nuget", "NuGet"),
    ("pip", "PyPI"),
    ("pub", "Pub"),
    ("rubygems", "RubyGems"),
    ("rust", "crates.io"),
    ("swift", "SwiftURL"),
];

fn read_graphql(document: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let answer: Value = json(document)?;
    let Some(data) = answer.get("data") else {
        advisory(&answer, sink);
        return Ok(Extent::Record);
    };
    nodes(&data["securityAdvisories"]).for_each(|node| advisory(node, sink));
    if data["securityAdvisory"].is_object() {
        advisory(&data["securityAdvisory"], sink);
    }
    // Vulnerabilities are one package each, with their advisory inside: those of one advisory belong together.
    let mut whole: BTreeMap<String, Value> = BTreeMap::new();
    for node in nodes(&data["securityVulnerabilities"]) {
        let (mut own, mut outer) = (node.clone(), node["advisory"].clone());
        if let Some(own) = own.as_object_mut() {
            own.remove("advisory");
        }
        if !outer.is_object() {
            sink(Item::Problem { record: "a vulnerability".into(), detail: "is without its advisory".into() });
            continue;
        }
        match whole.get_mut(own_id(&outer)) {
            Some(known) => known["vulnerabilities"].as_array_mut().into_iter().for_each(|list| list.push(own.clone())),
            None => {
                outer["vulnerabilities"] = Value::Array(vec![own]);
                whole.insert(own_id(&outer).to_owned(), outer);
            }
        }
    }
    whole.values().for_each(|node| advisory(node, sink));
    Ok(Extent::Some)
}

/// The entries of a list in any of the ways that GraphQL gives one.
fn nodes(list: &Value) -> impl Iterator<Item = &Value> {
    let nodes = list.as_array().or_else(|| list["nodes"].as_array()).into_iter().flatten();
    let edges = list["edges"].as_array().into_iter().flatten().map(|edge| &edge["node"]);
    nodes.chain(edges).filter(|node| node.is_object())
}

/// A text by its name in either interface.
fn text<'a>(of: &'a Value, names: &[&str]) -> &'a str {
    names.iter().find_map(|name| of.get(*name)?.as_str()).unwrap_or_default()
}

/// Who asks by GraphQL may have asked for the list of ids only.
fn own_id(raw: &Value) -> &str {
    let listed = raw["identifiers"].as_array().into_iter().flatten().filter_map(|known| known["value"].as_str());
    let listed = listed.filter(|id| id.starts_with("GHSA-"));
    Some(text(raw, &["ghsa_id", "ghsaId"]))
        .filter(|id| !id.is_empty())
        .into_iter()
        .chain(listed)
        .next()
        .unwrap_or_default()
}

fn advisory(raw: &Value, sink: &mut dyn FnMut(Item)) {
    let id = own_id(raw);
    if id.is_empty() {
        sink(Item::Problem { record: "an advisory".into(), detail: "has no id".into() });
        return;
    }
    let mut record = Parsed::new(id, "GitHub");
    let advisory = &mut record.advisory;
    advisory.summary = line(text(raw, &["summary"]));
    advisory.published = text(raw, &["published_at", "publishedAt"]).to_owned();
    advisory.modified = text(raw, &["updated_at", "updatedAt"]).to_owned();
    advisory.withdrawn = Some(text(raw, &["withdrawn_at", "withdrawnAt"]).to_owned()).filter(|date| !date.is_empty());
    advisory.malicious =
        ["type", "classification"].iter().any(|name| text(raw, &[name]).eq_ignore_ascii_case("malware"));
    let identifiers = raw["identifiers"].as_array().into_iter().flatten().filter_map(|known| known["value"].as_str());
    let pages = raw["references"].as_array().into_iter().flatten();
    let pages = pages.filter_map(|page| page.as_str().or_else(|| page["url"].as_str()));
    advisory.references = pages.take(REFERENCES_MAX).map(str::to_owned).collect();
    let vectors = [
        &raw["cvss_severities"]["cvss_v4"]["vector_string"],
        &raw["cvssSeverities"]["cvssV4"]["vectorString"],
        &raw["cvss_severities"]["cvss_v3"]["vector_string"],
        &raw["cvssSeverities"]["cvssV3"]["vectorString"],
        &raw["cvss"]["vector_string"],
        &raw["cvss"]["vectorString"],
    ];
    for vector in vectors.into_iter().filter_map(Value::as_str).filter(|vector| !vector.is_empty()) {
        record.rate(StatedSeverity { scorer: "GitHub".to_owned(), value: vector.to_owned() });
    }
    identifiers.chain([text(raw, &["cve_id"])]).filter(|id| !id.is_empty()).for_each(|alias| record.alias(alias));
    word("GitHub", text(raw, &["severity"])).into_iter().for_each(|severity| record.rate(severity));
    nodes(&raw["vulnerabilities"]).for_each(|vulnerability| package(vulnerability, &mut record));
    sink(record.finished());
}

fn package(raw: &Value, record: &mut Parsed) {
    let (ecosystem, name) = (text(&raw["package"], &["ecosystem"]), text(&raw["package"], &["name"]));
    let known = ECOSYSTEMS.iter().find(|(github, _)| github.eq_ignore_ascii_case(ecosystem));
    let Some((ecosystem, scheme)) = known.and_then(|(_, osv)| Some((*osv, scheme_of(osv)?))) else {
        record.problem(format!("ecosystem `{ecosystem}`, whose version order is not known"));
        return;
    };
    match requirement::affected(scheme, text(raw, &["vulnerable_version_range", "vulnerableVersionRange"])) {
        Ok(range) => {
            let functions = raw["vulnerable_functions"].as_array().into_iter().flatten();
            let symbols = functions.filter_map(Value::as_str).map(str::to_owned).collect();
            record.affect(Affected { ranges: vec![range], symbols, ..every(ecosystem, name) });
        }
        Err(problem) => record.problem(format!("{problem} (`{name}`)")),
    }
}
