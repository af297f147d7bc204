//! CycloneDX vulnerabilities with an analysis, inside a bill of materials or in a document of their own.
//!
//! What is affected is named by reference: into the same document, or by BOM-Link (`urn:cdx:SERIAL/VERSION#REF`) into
//! another, where only a reference that is itself a package URL tells which package is meant. A vulnerability without an
//! analysis says nothing beyond what a scanner says.
//! Source: CycloneDX 1.6, "vulnerabilities"; CycloneDX "BOM-Link".

use std::collections::HashMap;

use model::vex::{Vex, VexProduct, VexStatement, VexStatus};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{VexDocument, VexError, filled, item, json, timestamp};

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(rename = "serialNumber")]
    serial_number: Option<String>,
    metadata: Option<Metadata>,
    #[serde(default)]
    components: Vec<Component>,
    #[serde(default, borrow)]
    vulnerabilities: Vec<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Metadata {
    timestamp: Option<String>,
    component: Option<Component>,
    supplier: Option<Named>,
    manufacturer: Option<Named>,
    manufacture: Option<Named>,
    #[serde(default)]
    authors: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(rename = "bom-ref")]
    reference: Option<String>,
    name: Option<String>,
    purl: Option<String>,
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct Vulnerability {
    id: Option<String>,
    #[serde(default)]
    references: Vec<Reference>,
    analysis: Option<Analysis>,
    #[serde(default)]
    affects: Vec<Affects>,
    updated: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Analysis {
    state: Option<String>,
    justification: Option<String>,
    detail: Option<String>,
    first_issued: Option<String>,
    last_updated: Option<String>,
}

#[derive(Deserialize)]
struct Affects {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    version: Option<String>,
    status: Option<String>,
}

/// What is known of the whole document.
struct Context {
    name: String,
    author: String,
    timestamp: Option<String>,
    serial_number: Option<String>,
    components: HashMap<String, String>,
}

pub(super) fn read(name: &str, bytes: &[u8]) -> Result<VexDocument, VexError> {
    let document: Document<'_> = json(bytes)?;
    let metadata = document.metadata.unwrap_or_default();
    let named = [metadata.manufacturer, metadata.manufacture, metadata.supplier].into_iter().flatten();
    let author = named.chain(metadata.authors).find_map(|named| filled(named.name));
    let mut components = HashMap::new();
    metadata.component.iter().chain(&document.components).for_each(|component| remember(component, &mut components));
    let context = Context {
        name: name.to_owned(),
        author: author.unwrap_or_default(),
        timestamp: metadata.timestamp,
        serial_number: document.serial_number,
        components,
    };
    let mut read = VexDocument::default();
    for (number, raw) in document.vulnerabilities.into_iter().enumerate() {
        match item(raw).and_then(|vulnerability| context.statement(vulnerability)) {
            Ok(statement) => read.statements.extend(statement),
            Err(problem) => read.problems.push(format!("vulnerability {} {problem}", number + 1)),
        }
    }
    Ok(read)
}

/// What each reference stands for: a package URL, else a name. The depth is bounded by the JSON reader's own.
fn remember(component: &Component, components: &mut HashMap<String, String>) {
    if let (Some(reference), Some(name)) = (&component.reference, component.purl.as_ref().or(component.name.as_ref())) {
        components.insert(reference.clone(), name.clone());
    }
    component.components.iter().for_each(|component| remember(component, components));
}

impl Context {
    /// None where nothing has been analysed.
    fn statement(&self, vulnerability: Vulnerability) -> Result<Option<VexStatement>, String> {
        let Some(analysis) = vulnerability.analysis else { return Ok(None) };
        let Some(state) = analysis.state.as_deref() else { return Ok(None) };
        let (status, justification) = match state {
            "not_affected" => (VexStatus::NotAffected, filled(analysis.justification)),
            "false_positive" => (VexStatus::NotAffected, Some(state.to_owned())),
            "resolved" | "resolved_with_pedigree" => (VexStatus::Fixed, None),
            "exploitable" => (VexStatus::Affected, None),
            "in_triage" => (VexStatus::UnderInvestigation, None),
            other => return Err(format!("has the unknown state `{}`", other.chars().take(40).collect::<String>())),
        };
        let statement = filled(analysis.detail);
        if status == VexStatus::NotAffected && justification.is_none() && statement.is_none() {
            return Err("says `not_affected` without a justification or a detail".to_owned());
        }
        let ids = vulnerability.id.into_iter().chain(vulnerability.references.into_iter().filter_map(|other| other.id));
        let vulnerabilities: Vec<String> = ids.filter(|id| !id.trim().is_empty()).collect();
        if vulnerabilities.is_empty() {
            return Err("has no id".to_owned());
        }
        let mut products = Vec::new();
        for affects in vulnerability.affects {
            products.extend(self.products(affects, status)?);
        }
        if products.is_empty() {
            return Err("names nothing that it affects".to_owned());
        }
        let times = [analysis.last_updated, analysis.first_issued, vulnerability.updated, self.timestamp.clone()];
        let said = Vex {
            status,
            justification,
            statement,
            author: self.author.clone(),
            timestamp: times.iter().find_map(|time| timestamp(time.as_deref())),
            document: self.name.clone(),
        };
        Ok(Some(VexStatement { vulnerabilities, products, said }))
    }

    /// Where versions are listed, only those are meant, and only as far as their own status agrees with the analysis.
    fn products(&self, affects: Affects, status: VexStatus) -> Result<Vec<VexProduct>, String> {
        let name = self.name_of(&affects.reference).ok_or_else(|| {
            let reference: String = affects.reference.chars().take(100).collect();
            format!("refers to `{reference}`, which does not say which package it is")
        })?;
        if affects.versions.is_empty() {
            return Ok(vec![VexProduct::named(name)]);
        }
        let contradicts = |said: &str| match said {
            "affected" => status.suppresses(),
            "unaffected" => !status.suppresses(),
            _ => false,
        };
        let mut products = Vec::new();
        for Version { version, status } in affects.versions {
            let Some(version) = version else { return Err("names versions by a range".to_owned()) };
            if !contradicts(status.as_deref().unwrap_or("affected")) {
                products.extend(with_version(&name, &version).map(VexProduct::named));
            }
        }
        Ok(products)
    }

    /// What a reference stands for.
    fn name_of(&self, reference: &str) -> Option<String> {
        let (link, within) = match reference.strip_prefix("urn:cdx:").and_then(|link| link.split_once('#')) {
            Some((link, within)) => (Some(link), percent_decode_str(within).decode_utf8().ok()?.into_owned()),
            None => (None, reference.to_owned()),
        };
        let here = link.is_none_or(|link| {
            let serial = link.split('/').next().unwrap_or_default();
            self.serial_number.as_deref().is_some_and(|own| own.trim_start_matches("urn:uuid:") == serial)
        });
        let known = self.components.get(&within).filter(|_| here).cloned();
        // A fragment is percent-encoded, and a package URL in it may or may not have been encoded once more.
        let encoded = link.and(reference.split_once('#')).map_or(within.as_str(), |(_, within)| within);
        let purl = [encoded, &within].into_iter().find(|name| name.starts_with("pkg:")).map(str::to_owned);
        known.or(purl)
    }
}

/// The package URL with this version; none where it has another.
fn with_version(name: &str, version: &str) -> Option<String> {
    let Ok(purl) = model::purl::parse(name) else { return Some(name.to_owned()) };
    match purl.version.as_str() {
        "" => {
            let end = name.find(['?', '#']).unwrap_or(name.len());
            let (path, rest) = name.split_at(end);
            Some(format!("{path}@{version}{rest}"))
        }
        own => (own == version).then(|| name.to_owned()),
    }
}
