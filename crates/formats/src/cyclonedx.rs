//! CycloneDX 1.6 JSON, with and without vulnerabilities.
//!
//! What CycloneDX has no field for is a property named `dogwatch:…`; [`crate::sbom`] reads them back.

use std::collections::{BTreeSet, HashMap};

use model::Timestamp;
use model::artifact::{Artifact, ArtifactKind};
use model::distro::Distro;
use model::finding::{Finding, Score, Severity};
use model::package::{Package, PackageType};
use model::report::ScanReport;
use model::vex::{Vex, VexStatus};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::document::{filled, pretty, uuid, without_nulls};
use crate::license::{License, licenses};
use crate::words;

/// Whether a bill of materials says what is wrong with its components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vulnerabilities {
    /// It lists the findings.
    Included,
    /// It lists components only: the same inventory gives the same document whatever is known.
    LeftOut,
}

const ROOT: &str = "artifact";

/// The report's inventory as a CycloneDX document.
pub fn write(report: &ScanReport, vulnerabilities: Vulnerabilities) -> String {
    let references = references(&report.inventory.packages);
    let included = vulnerabilities == Vulnerabilities::Included;
    let packages = report.inventory.packages.iter().zip(&references);
    let mut components: Vec<Value> = report.inventory.distro.iter().map(operating_system).collect();
    components.extend(packages.map(|(package, reference)| component(package, reference)));
    let document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", uuid(report, if included { "cyclonedx+vulnerabilities" } else { "cyclonedx" })),
        "version": 1,
        "metadata": metadata(report),
        "components": components,
        "dependencies": dependencies(report, &references),
        "compositions": compositions(report),
        "vulnerabilities": included.then(|| self::vulnerabilities(report, &references)),
    });
    pretty(&without_nulls(document))
}

/// One reference per package: its purl, marked where two packages share it.
fn references(packages: &[Package]) -> Vec<String> {
    let mut seen: HashMap<&str, u32> = HashMap::new();
    let mut references = Vec::with_capacity(packages.len());
    for package in packages {
        let purl = if package.purl.is_empty() { "package" } else { &package.purl };
        let count = seen.entry(purl).and_modify(|count| *count += 1).or_insert(1);
        references.push(if *count == 1 { purl.to_owned() } else { format!("copy-{count}:{purl}") });
    }
    references
}

fn metadata(report: &ScanReport) -> Value {
    json!({
        "timestamp": report.judged_at,
        "tools": { "components": [{ "type": "application", "name": report.tool.name, "version": report.tool.version }] },
        "component": root(report),
        "properties": filled(report.inventory.gaps.iter().map(|gap| {
            property("dogwatch:gap", &format!("{} {}: {}", gap.kind.as_str(), gap.subject, gap.detail))
        }).collect()),
    })
}

fn root(report: &ScanReport) -> Value {
    let artifact = &report.artifact;
    let mut properties = Vec::new();
    properties.extend(artifact.image_id.iter().map(|id| property("dogwatch:image:id", &id.to_string())));
    properties.extend(artifact.platform.iter().map(|platform| property("dogwatch:image:platform", platform)));
    properties.extend(artifact.base.iter().map(|base| property("dogwatch:image:base", &base.name)));
    properties.extend(artifact.names.iter().map(|name| property("dogwatch:image:name", name)));
    properties
        .extend(artifact.layers.iter().map(|layer| property("dogwatch:layer:diffId", &layer.diff_id.to_string())));
    json!({
        "type": match artifact.kind {
            ArtifactKind::Image | ArtifactKind::Container => "container",
            ArtifactKind::Directory => "file",
            ArtifactKind::Host => "operating-system",
            ArtifactKind::Sbom => "application",
        },
        "bom-ref": ROOT,
        "name": words::name(report),
        "version": artifact.manifest_digest.as_ref().or(artifact.image_id.as_ref()),
        "hashes": artifact.manifest_digest.as_ref().map(|digest| json!([{ "alg": "SHA-256", "content": digest.hex() }])),
        "purl": oci_purl(artifact),
        "properties": filled(properties),
    })
}

/// `pkg:oci/shop@sha256%3A9f…?arch=amd64&repository_url=registry.example%2Fshop&tag=1.4` (purl types, `oci`). Only an
/// image with a manifest and a name has one.
pub(crate) fn oci_purl(artifact: &Artifact) -> Option<String> {
    let encode = |text: &str| utf8_percent_encode(text, PURL).to_string();
    let digest = artifact.manifest_digest.as_ref()?;
    let full = artifact.names.first()?.split('@').next()?;
    // A colon after the last slash is a tag; one before it is a port.
    let (repository, tag) = match full.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (full, None),
    };
    let name = repository.rsplit('/').next()?.to_lowercase();
    let arch = artifact.platform.as_deref().and_then(|platform| platform.split('/').nth(1));
    let arch = arch.map(|arch| format!("arch={}&", encode(arch))).unwrap_or_default();
    let tag = tag.map(|tag| format!("&tag={}", encode(tag))).unwrap_or_default();
    Some(format!(
        "pkg:oci/{}@{}?{arch}repository_url={}{tag}",
        encode(&name),
        encode(&digest.to_string()),
        encode(&repository.to_lowercase())
    ))
}

const PURL: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn operating_system(distro: &Distro) -> Value {
    let mut properties = Vec::new();
    properties.extend(distro.codename.iter().map(|codename| property("dogwatch:distro:codename", codename)));
    properties.extend(distro.id_like.iter().map(|id| property("dogwatch:distro:idLike", id)));
    json!({
        "type": "operating-system",
        "bom-ref": os_reference(distro),
        "name": distro.id,
        "version": distro.version_id,
        "description": distro.pretty_name,
        "cpe": distro.cpe.as_ref().filter(|cpe| cpe.starts_with("cpe:2.3:")),
        "properties": filled(properties),
    })
}

fn os_reference(distro: &Distro) -> String {
    format!("os:{}@{}", distro.id, distro.version_id.as_deref().unwrap_or_default())
}

fn component(package: &Package, reference: &str) -> Value {
    let (group, name) = group_and_name(package);
    let occurrences = package.evidence.iter().map(|evidence| json!({ "location": evidence.path })).collect();
    json!({
        "type": "library",
        "bom-ref": reference,
        "group": group,
        "name": name,
        "version": Some(&package.version).filter(|version| !version.is_empty()),
        "scope": package.development.then_some("excluded"),
        "purl": Some(&package.purl).filter(|purl| !purl.is_empty()),
        "licenses": filled(license_choices(package)),
        "evidence": filled(occurrences).map(|occurrences| json!({ "occurrences": occurrences })),
        "properties": filled(properties(package)),
    })
}

/// npm scopes, Maven groups and Composer vendors are groups in CycloneDX.
fn group_and_name(package: &Package) -> (Option<&str>, &str) {
    let separator = match package.kind {
        PackageType::Maven => ':',
        PackageType::Npm | PackageType::Composer => '/',
        _ => return (None, &package.name),
    };
    match package.name.split_once(separator) {
        Some((group, name)) if !name.is_empty() => (Some(group), name),
        _ => (None, &package.name),
    }
}

/// Either one expression or any number of ids and names: the schema refuses a mixture.
fn license_choices(package: &Package) -> Vec<Value> {
    let licenses: Vec<License<'_>> = licenses(package).collect();
    if let [License::Expression(expression)] = licenses.as_slice() {
        return vec![json!({ "expression": expression })];
    }
    let choice = |license: &License<'_>| match license {
        License::Id(id) => json!({ "license": { "id": id } }),
        License::Expression(name) | License::Name(name) => json!({ "license": { "name": name } }),
    };
    licenses.iter().map(choice).collect()
}

fn properties(package: &Package) -> Vec<Value> {
    let mut properties = vec![property("dogwatch:cataloger", &package.cataloger)];
    properties.extend(package.direct.then(|| property("dogwatch:direct", "true")));
    properties.extend(package.layer.map(|layer| property("dogwatch:layer", &layer.to_string())));
    if package.layer.is_some() {
        let origin = serde_json::to_value(package.origin).ok();
        properties.extend(origin.as_ref().and_then(Value::as_str).map(|origin| property("dogwatch:origin", origin)));
    }
    if let Some(source) = &package.source {
        properties.push(property("dogwatch:source:name", &source.name));
        properties.push(property("dogwatch:source:version", &source.version));
    }
    properties.extend(package.arch.iter().map(|arch| property("dogwatch:arch", arch)));
    properties.extend(package.module.iter().map(|module| property("dogwatch:rpm:module", module)));
    properties.extend(package.provides.iter().map(|purl| property("dogwatch:provides", purl)));
    properties
}

fn property(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

/// What needs what. The artifact needs what the project names; it and its distribution need whatever no package needs, so
/// that everything hangs together.
fn dependencies(report: &ScanReport, references: &[String]) -> Vec<Value> {
    let packages = &report.inventory.packages;
    let needed: BTreeSet<u32> = packages.iter().flat_map(|package| &package.depends_on).map(|id| id.0).collect();
    let top = |os: bool| {
        let tops = packages.iter().zip(references).filter(move |(package, _)| package.kind.is_os() == os);
        tops.filter(|(package, _)| package.direct || !needed.contains(&package.id.0))
            .map(|(_, reference)| reference.clone())
    };
    let mut entries = Vec::new();
    let mut of_root: BTreeSet<String> = top(false).collect();
    let of_system: BTreeSet<String> = top(true).collect();
    match &report.inventory.distro {
        Some(distro) => {
            of_root.insert(os_reference(distro));
            entries.push(json!({ "ref": os_reference(distro), "dependsOn": of_system }));
        }
        None => of_root.extend(of_system),
    }
    entries.insert(0, json!({ "ref": ROOT, "dependsOn": of_root }));
    entries.extend(packages.iter().zip(references).map(|(package, reference)| {
        let depends_on: BTreeSet<&String> =
            package.depends_on.iter().filter_map(|id| references.get(id.0 as usize)).collect();
        json!({ "ref": reference, "dependsOn": depends_on })
    }));
    entries
}

/// With a gap in the inventory the list is known to be incomplete. Without one we still do not claim that it is complete.
fn compositions(report: &ScanReport) -> Option<Value> {
    (!report.inventory.gaps.is_empty()).then(|| json!([{ "aggregate": "incomplete", "assemblies": [ROOT] }]))
}

/// Each vulnerability once, and once more for each thing that is said of it in some packages only.
fn vulnerabilities(report: &ScanReport, references: &[String]) -> Vec<Value> {
    let mut vulnerabilities = Vec::new();
    for (_, findings) in words::by_vulnerability(&report.findings) {
        let mut groups: Vec<Vec<&Finding>> = Vec::new();
        for finding in findings {
            match groups.iter_mut().find(|alike| alike[0].vex == finding.vex) {
                Some(alike) => alike.push(finding),
                None => groups.push(vec![finding]),
            }
        }
        let each = groups.iter().enumerate();
        vulnerabilities.extend(each.map(|(number, alike)| vulnerability(report, references, alike, number)));
    }
    vulnerabilities
}

/// What somebody says of a finding, as this format says it. Reasons that it has no word for are in the detail.
fn analysis(vex: &Vex) -> Value {
    let state = match vex.status {
        VexStatus::NotAffected => "not_affected",
        VexStatus::Fixed => "resolved",
        VexStatus::Affected => "exploitable",
        VexStatus::UnderInvestigation => "in_triage",
    };
    let justification = match vex.justification.as_deref().filter(|_| vex.status == VexStatus::NotAffected) {
        Some("component_not_present" | "vulnerable_code_not_present") => Some("code_not_present"),
        Some("vulnerable_code_not_in_execute_path") => Some("code_not_reachable"),
        Some("inline_mitigations_already_exist") => Some("protected_by_mitigating_control"),
        Some(own) if JUSTIFICATIONS.contains(&own) => Some(own),
        _ => None,
    };
    json!({
        "state": state,
        "justification": justification,
        "detail": words::vex_said(vex),
        "lastUpdated": vex.timestamp,
    })
}

/// The reasons that CycloneDX has words for.
const JUSTIFICATIONS: &[&str] = &[
    "code_not_present",
    "code_not_reachable",
    "protected_at_perimeter",
    "protected_at_runtime",
    "protected_by_compiler",
    "protected_by_mitigating_control",
    "requires_configuration",
    "requires_dependency",
    "requires_environment",
];

/// One vulnerability in every package that has it.
fn vulnerability(report: &ScanReport, references: &[String], findings: &[&Finding], number: usize) -> Value {
    let Some(worst) = findings.iter().max_by_key(|finding| finding.severity) else { return Value::Null };
    let packages = findings.iter().map(|finding| (*finding, report.inventory.package(finding.package)));
    let recommendations: BTreeSet<String> =
        packages.clone().map(|(finding, package)| words::recommendation(finding, package)).collect();
    let suppressed = worst.vex.as_ref().is_some_and(|vex| vex.status.suppresses());
    let status = if suppressed { "unaffected" } else { "affected" };
    let affects = packages.map(|(_, package)| {
        let version = Some(&package.version).filter(|version| !version.is_empty());
        json!({
            "ref": references.get(package.id.0 as usize),
            "versions": version.map(|version| json!([{ "version": version, "status": status }])),
        })
    });
    let aliases = worst.ids.iter().filter(|id| **id != worst.id);
    json!({
        "bom-ref": match number {
            0 => format!("vulnerability:{}", worst.id),
            _ => format!("vulnerability:{}:{}", worst.id, number + 1),
        },
        "id": worst.id,
        "source": { "name": words::database_of_id(&worst.id), "url": words::page_of_id(&worst.id) },
        "references": filled(aliases.map(|id| json!({
            "id": id,
            "source": { "name": words::database_of_id(id), "url": words::page_of_id(id) },
        })).collect()),
        "ratings": ratings(worst),
        "description": findings.iter().find_map(|finding| finding.summary.as_ref()),
        "recommendation": recommendations.into_iter().collect::<Vec<_>>().join(" "),
        "advisories": filled(worst.references.iter().map(|url| json!({ "url": url })).collect()),
        "published": worst.published.as_deref().filter(|time| time.parse::<Timestamp>().is_ok()),
        "analysis": worst.vex.as_ref().map(analysis),
        "affects": affects.collect::<Vec<_>>(),
        "properties": filled(exploitation(worst)),
    })
}

/// The severity in force first, then every score with its scorer.
fn ratings(finding: &Finding) -> Vec<Value> {
    let in_force = json!({
        "source": finding.severity_source.as_ref().map(|name| json!({ "name": name })),
        "severity": severity_word(finding.severity),
        "method": "other",
    });
    std::iter::once(in_force).chain(finding.scores.iter().map(rating)).collect()
}

fn rating(score: &Score) -> Value {
    json!({
        "source": { "name": score.scorer },
        "score": score.score,
        "severity": if score.score > 0.0 { severity_word(Severity::of_score(score.score)) } else { "none" },
        "method": match score.version.as_str() {
            "2.0" => "CVSSv2",
            "3.0" => "CVSSv3",
            "3.1" => "CVSSv31",
            "4.0" => "CVSSv4",
            _ => "other",
        },
        "vector": Some(&score.vector).filter(|vector| !vector.is_empty()),
    })
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Negligible => "info",
        other => other.as_str(),
    }
}

fn exploitation(finding: &Finding) -> Vec<Value> {
    let mut properties = Vec::new();
    if let Some(epss) = finding.epss {
        properties.push(property("dogwatch:epss:score", &epss.score.to_string()));
        properties.push(property("dogwatch:epss:percentile", &epss.percentile.to_string()));
    }
    if let Some(kev) = &finding.kev {
        properties.push(property("dogwatch:kev:dateAdded", kev.date_added.as_deref().unwrap_or("unknown")));
        properties.push(property("dogwatch:kev:ransomware", if kev.ransomware { "true" } else { "false" }));
    }
    properties
}
