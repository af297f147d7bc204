//! SPDX 2.3 JSON, with and without vulnerabilities.
//!
//! SPDX 2.3 has no findings; a vulnerability is an external reference of category `SECURITY` and type `advisory` on the
//! package that has it (Annex K.1.5 of the specification), with what to do in its comment.

use std::collections::{BTreeMap, HashMap};

use model::artifact::{Artifact, ArtifactKind};
use model::distro::Distro;
use model::finding::Finding;
use model::package::Package;
use model::report::ScanReport;
use serde_json::{Value, json};

use crate::cyclonedx::{Vulnerabilities, oci_purl};
use crate::document::{filled, fingerprint, pretty, uuid, without_nulls};
use crate::license::{License, licenses};
use crate::words;

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const ROOT: &str = "SPDXRef-Artifact";
const SYSTEM: &str = "SPDXRef-OperatingSystem";

/// The most advisories listed for one package; kernels have thousands, and the number of the rest is said.
const ADVISORIES_MAX: usize = 500;

/// The report's inventory as an SPDX document.
pub fn write(report: &ScanReport, vulnerabilities: Vulnerabilities) -> String {
    let included = vulnerabilities == Vulnerabilities::Included;
    let mut findings: HashMap<u32, Vec<&Finding>> = HashMap::new();
    for finding in report.findings.iter().filter(|_| included) {
        findings.entry(finding.package.0).or_default().push(finding);
    }
    let mut extracted = BTreeMap::new();
    let mut packages = vec![root(&report.artifact, words::name(report))];
    packages.extend(report.inventory.distro.iter().map(operating_system));
    packages.extend(report.inventory.packages.iter().map(|package| {
        let findings = findings.get(&package.id.0).map(Vec::as_slice).unwrap_or_default();
        self::package(report, package, findings, &mut extracted)
    }));
    let id = uuid(report, if included { "spdx+vulnerabilities" } else { "spdx" });
    let document = json!({
        "SPDXID": DOCUMENT,
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "name": words::name(report),
        // The specification names this place for creators without a site of their own (6.5.1).
        "documentNamespace": format!("https://spdx.org/spdxdocs/dogwatch-{id}"),
        "creationInfo": {
            "created": seconds(report),
            "creators": [format!("Tool: {}-{}", report.tool.name, report.tool.version)],
        },
        "packages": packages,
        "relationships": relationships(report),
        "hasExtractedLicensingInfos": filled(extracted.into_iter().map(|(id, text): (String, &str)| json!({
            "licenseId": id,
            "name": text.lines().next().unwrap_or_default().chars().take(200).collect::<String>(),
            "extractedText": text,
        })).collect()),
        "annotations": filled(annotations(report)),
    });
    pretty(&without_nulls(document))
}

/// SPDX times have no fraction (6.9).
fn seconds(report: &ScanReport) -> String {
    report.judged_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn root(artifact: &Artifact, name: &str) -> Value {
    let checksum = |digest: &model::digest::Digest| json!([{ "algorithm": "SHA256", "checksumValue": digest.hex() }]);
    json!({
        "SPDXID": ROOT,
        "name": name,
        "versionInfo": artifact.manifest_digest.as_ref().or(artifact.image_id.as_ref()),
        "primaryPackagePurpose": match artifact.kind {
            ArtifactKind::Image | ArtifactKind::Container => "CONTAINER",
            ArtifactKind::Directory => "FILE",
            ArtifactKind::Host => "OPERATING-SYSTEM",
            ArtifactKind::Sbom => "OTHER",
        },
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "checksums": artifact.manifest_digest.as_ref().map(checksum),
        "externalRefs": oci_purl(artifact).map(|purl| json!([purl_reference(&purl)])),
    })
}

fn operating_system(distro: &Distro) -> Value {
    let cpe = distro.cpe.as_ref().map(|cpe| {
        json!([{
            "referenceCategory": "SECURITY",
            "referenceType": if cpe.starts_with("cpe:2.3:") { "cpe23Type" } else { "cpe22Type" },
            "referenceLocator": cpe,
        }])
    });
    json!({
        "SPDXID": SYSTEM,
        "name": distro.id,
        "versionInfo": distro.version_id,
        "description": distro.pretty_name,
        "primaryPackagePurpose": "OPERATING_SYSTEM",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "externalRefs": cpe,
    })
}

fn package<'a>(
    report: &ScanReport,
    package: &'a Package,
    findings: &[&Finding],
    extracted: &mut BTreeMap<String, &'a str>,
) -> Value {
    let mut references: Vec<Value> = Vec::new();
    if !package.purl.is_empty() {
        references.push(purl_reference(&package.purl));
    }
    references.extend(findings.iter().take(ADVISORIES_MAX).map(|finding| advisory_reference(finding)));
    let left_out = findings.len().saturating_sub(ADVISORIES_MAX);
    json!({
        "SPDXID": package_reference(package),
        "name": package.name,
        "versionInfo": Some(&package.version).filter(|version| !version.is_empty()),
        "supplier": "NOASSERTION",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": declared(package, extracted),
        "copyrightText": "NOASSERTION",
        "sourceInfo": source_info(report, package),
        "comment": (left_out > 0).then(|| format!("{left_out} more advisories are left out")),
        "externalRefs": filled(references),
    })
}

/// Ids are letters, digits, `.` and `-` (3.2); the position makes them unique.
fn package_reference(package: &Package) -> String {
    let clean = |text: &str| -> String {
        text.chars().take(80).map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect()
    };
    format!("SPDXRef-Package-{}-{}-{}", clean(package.kind.as_str()), clean(&package.name), package.id.0)
}

fn purl_reference(purl: &str) -> Value {
    json!({ "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl })
}

fn advisory_reference(finding: &Finding) -> Value {
    let source = finding.severity_source.as_ref().map(|source| format!(" by {source}")).unwrap_or_default();
    let exploited = if finding.kev.is_some() { "; known to be exploited" } else { "" };
    let comment =
        format!("{}: {}{source}; {}{exploited}", finding.id, finding.severity.as_str(), words::fix(&finding.fix));
    json!({
        "referenceCategory": "SECURITY",
        "referenceType": "advisory",
        "referenceLocator": words::page_of_id(&finding.id),
        "comment": comment,
    })
}

/// The stated licenses as one expression; what is no SPDX license becomes a reference to its text.
fn declared<'a>(package: &'a Package, extracted: &mut BTreeMap<String, &'a str>) -> String {
    let mut refer = |text: &'a str| {
        let id = license_reference(text);
        extracted.insert(id.clone(), text);
        id
    };
    let mut terms: Vec<String> = Vec::new();
    for license in licenses(package) {
        let term = match license {
            License::Id(id) => id.to_owned(),
            License::Expression(expression) if package.licenses.len() == 1 => return expression.to_owned(),
            License::Expression(expression) => format!("({expression})"),
            License::Name(name) => refer(name),
        };
        if !terms.contains(&term) {
            terms.push(term);
        }
    }
    if terms.is_empty() { "NOASSERTION".into() } else { terms.join(" AND ") }
}

/// A readable beginning and a hash, because two texts can read alike once cleaned.
fn license_reference(text: &str) -> String {
    let clean: String =
        text.chars().take(40).map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    format!("LicenseRef-{clean}-{}", &fingerprint(&[text])[..8])
}

fn source_info(report: &ScanReport, package: &Package) -> String {
    let paths: Vec<&str> = package.evidence.iter().map(|evidence| evidence.path.as_str()).collect();
    let mut parts = vec![format!("found by {}", package.cataloger)];
    if !paths.is_empty() {
        parts.push(format!("in {}", paths.join(", ")));
    }
    let layer = words::layer(&report.artifact, package);
    if !layer.is_empty() {
        parts.push(format!("brought by {layer}"));
    }
    if let Some(source) = &package.source {
        parts.push(format!("built package from: {} {}", source.name, source.version));
    }
    parts.join("; ")
}

fn relationships(report: &ScanReport) -> Vec<Value> {
    let relate = |from: &str, relation: &str, to: &str| json!({ "spdxElementId": from, "relationshipType": relation, "relatedSpdxElement": to });
    let mut relationships = vec![relate(DOCUMENT, "DESCRIBES", ROOT)];
    if report.inventory.distro.is_some() {
        relationships.push(relate(ROOT, "CONTAINS", SYSTEM));
    }
    for package in &report.inventory.packages {
        let reference = package_reference(package);
        relationships.push(relate(ROOT, "CONTAINS", &reference));
        relationships.extend(package.direct.then(|| relate(ROOT, "DEPENDS_ON", &reference)));
        let needed = package.depends_on.iter().map(|id| package_reference(report.inventory.package(*id)));
        relationships.extend(needed.map(|needed| relate(&reference, "DEPENDS_ON", &needed)));
    }
    relationships
}

/// One annotation per gap of the inventory: the document says where it is incomplete.
fn annotations(report: &ScanReport) -> Vec<Value> {
    let annotation = |gap: &model::gap::Gap| {
        json!({
            "annotationDate": seconds(report),
            "annotationType": "OTHER",
            "annotator": format!("Tool: {}-{}", report.tool.name, report.tool.version),
            "comment": format!("gap: {} {}: {}", gap.kind.as_str(), gap.subject, gap.detail),
        })
    };
    report.inventory.gaps.iter().map(annotation).collect()
}
