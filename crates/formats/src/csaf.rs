//! CSAF 2.0, profile VEX: the findings as a document of the Common Security Advisory Framework, to start one's own from.
//!
//! What is said of a finding is what [`crate::openvex`] says: `known_affected` with its remedy, `under_investigation` without one, and
//! another's statement as he made it. Nothing becomes `known_not_affected` by itself.
//!
//! Each package is a product; of an image it is one as a component of the image (`default_component_of`).
//! Source: CSAF 2.0, sections 3 and 4.5 (profile 5: VEX). Its publisher is a person or an organisation, which a scanner is
//! not: whoever publishes the document puts himself there.

use std::collections::BTreeMap;

use model::finding::Finding;
use model::package::PackageId;
use model::report::ScanReport;
use model::vex::VexStatus;
use serde_json::{Value, json};

use crate::document::{filled, pretty, uuid, without_nulls};
use crate::openvex::{JUSTIFICATIONS, image, is_image};
use crate::words;

/// The product id of the image.
const IMAGE: &str = "image";

/// The report as a document. A report without findings has one without vulnerabilities, which the profile does not allow.
pub fn write(report: &ScanReport) -> String {
    let target = &report.artifact.target;
    let notes = json!([{
        "category": "general",
        "text": format!("What {} {} found in {target}, with what others say of it.", report.tool.name, report.tool.version),
    }]);
    let vulnerabilities = words::by_vulnerability(&report.findings).into_iter();
    let vulnerabilities = vulnerabilities.map(|(id, findings)| vulnerability(report, id, &findings));
    pretty(&without_nulls(json!({
        "document": {
            "category": "csaf_vex",
            "csaf_version": "2.0",
            "lang": "en",
            "title": format!("Vulnerabilities of {target}"),
            "notes": notes,
            "publisher": { "category": "other", "name": report.tool.name, "namespace": "https://publisher.invalid" },
            "tracking": {
                "id": uuid(report, "csaf").to_string(),
                "status": "interim",
                "version": "1",
                "initial_release_date": report.judged_at,
                "current_release_date": report.judged_at,
                "revision_history": [{ "date": report.judged_at, "number": "1", "summary": "As it was scanned." }],
                "generator": {
                    "date": report.judged_at,
                    "engine": { "name": report.tool.name, "version": report.tool.version },
                },
            },
        },
        "product_tree": products(report),
        "vulnerabilities": filled(vulnerabilities.collect()),
    })))
}

/// The packages that findings are about, and the image that they are components of.
fn products(report: &ScanReport) -> Value {
    let mut packages: Vec<PackageId> = report.findings.iter().map(|finding| finding.package).collect();
    packages.sort_unstable();
    packages.dedup();
    let image = image(&report.artifact);
    let named = packages.iter().map(|&id| {
        let package = report.inventory.package(id);
        json!({
            "name": title(report, id),
            "product_id": component(id),
            "product_identification_helper": { "purl": package.purl },
        })
    });
    let whole = image.as_ref().map(|purl| {
        json!({
            "name": report.artifact.target,
            "product_id": IMAGE,
            "product_identification_helper": { "purl": purl },
        })
    });
    let relationships = packages.iter().filter(|_| image.is_some()).map(|&id| {
        json!({
            "category": "default_component_of",
            "product_reference": component(id),
            "relates_to_product_reference": IMAGE,
            "full_product_name": {
                "name": format!("{} in {}", title(report, id), report.artifact.target),
                "product_id": product(report, id),
            },
        })
    });
    json!({
        "full_product_names": filled(whole.into_iter().chain(named).collect()),
        "relationships": filled(relationships.collect()),
    })
}

fn title(report: &ScanReport, id: PackageId) -> String {
    let package = report.inventory.package(id);
    format!("{} {}", package.name, package.version).trim_end().to_owned()
}

/// A package wherever it is.
fn component(id: PackageId) -> String {
    format!("package-{}", id.0)
}

/// What a vulnerability is about: a package, in the image if there is one.
fn product(report: &ScanReport, id: PackageId) -> String {
    match is_image(&report.artifact) {
        true => format!("{IMAGE}:{}", component(id)),
        false => component(id),
    }
}

fn vulnerability(report: &ScanReport, id: &str, findings: &[&Finding]) -> Value {
    let mut said = Said::default();
    for finding in findings {
        said.add(report, finding);
    }
    // Only one may be the CVE; the others are names of other systems.
    let cve = findings[0].ids.iter().map(String::as_str).chain([id]).find(|id| id.starts_with("CVE-"));
    let others = findings[0].ids.iter().filter(|other| Some(other.as_str()) != cve);
    let ids = others.map(|other| json!({ "system_name": words::database_of_id(other), "text": other }));
    let summary = findings.iter().find_map(|finding| finding.summary.as_deref()).filter(|text| !text.trim().is_empty());
    let references = findings[0].references.iter();
    json!({
        "cve": cve,
        "ids": filled(ids.collect()),
        "notes": [{ "category": "description", "text": summary.unwrap_or(id) }],
        "references": filled(references.map(|url| json!({ "category": "external", "summary": url, "url": url })).collect()),
        "product_status": said.status,
        "flags": filled(said.flags.into_iter().map(|(label, ids)| json!({ "label": label, "product_ids": ids })).collect()),
        "threats": filled(remarks("impact", said.impact)),
        "remediations": filled([remarks("vendor_fix", said.fixes), remarks("none_available", said.no_fix)].concat()),
    })
}

fn remarks(category: &str, said: BTreeMap<String, Vec<String>>) -> Vec<Value> {
    let remark = |(details, ids)| json!({ "category": category, "details": details, "product_ids": ids });
    said.into_iter().map(remark).collect()
}

/// What is said of the products of one vulnerability; each text once, with the products it is about.
#[derive(Default)]
struct Said {
    status: BTreeMap<&'static str, Vec<String>>,
    flags: BTreeMap<String, Vec<String>>,
    impact: BTreeMap<String, Vec<String>>,
    fixes: BTreeMap<String, Vec<String>>,
    no_fix: BTreeMap<String, Vec<String>>,
}

impl Said {
    fn add(&mut self, report: &ScanReport, finding: &Finding) {
        let product = product(report, finding.package);
        let is_known = finding.fix.version().is_some();
        let status = match &finding.vex {
            Some(vex) => vex.status,
            None if is_known => VexStatus::Affected,
            None => VexStatus::UnderInvestigation,
        };
        let list = match status {
            VexStatus::NotAffected => "known_not_affected",
            VexStatus::Fixed => "fixed",
            VexStatus::Affected => "known_affected",
            VexStatus::UnderInvestigation => "under_investigation",
        };
        self.status.entry(list).or_default().push(product.clone());
        let words = finding.vex.as_ref().map(words::vex_said);
        match (status, words) {
            (VexStatus::NotAffected, words) => {
                let label = finding.vex.as_ref().and_then(|vex| vex.justification.as_deref());
                if let Some(label) = label.filter(|label| JUSTIFICATIONS.contains(label)) {
                    self.flags.entry(label.to_owned()).or_default().push(product.clone());
                }
                self.impact.entry(words.unwrap_or_default()).or_default().push(product);
            }
            (VexStatus::Affected, words) => {
                let package = report.inventory.package(finding.package);
                let action = words::recommendation(finding, package);
                let details = match words.filter(|_| finding.vex.as_ref().is_some_and(|vex| vex.statement.is_some())) {
                    Some(words) => format!("{words} {action}"),
                    None => action,
                };
                let list = if is_known { &mut self.fixes } else { &mut self.no_fix };
                list.entry(details).or_default().push(product);
            }
            (VexStatus::Fixed | VexStatus::UnderInvestigation, _) => {}
        }
    }
}
