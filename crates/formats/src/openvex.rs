//! OpenVEX 0.2.0: the findings as statements, to start one's own from.
//!
//! A scanner knows versions, not what a product does with them. So a finding whose remedy is known is `affected`, with
//! the remedy as its action; one without is `under_investigation`. What is said to be fixed or not to affect is passed on
//! as it was said, with who said so; nothing else ever becomes `not_affected`: an exception accepts a risk, it denies none.
//!
//! The image is the product and the package its subcomponent; outside images the package is the product.
//! Source: OpenVEX specification 0.2.0. Its schema wants at least one statement, which a clean report does not have.

use std::collections::HashSet;

use model::artifact::{Artifact, ArtifactKind};
use model::finding::Finding;
use model::package::Package;
use model::report::ScanReport;
use model::vex::{Vex, VexStatus};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::document::{filled, pretty, uuid, without_nulls};
use crate::words;

/// The justifications that OpenVEX knows; those of other formats become a part of the impact statement.
pub(crate) const JUSTIFICATIONS: &[&str] = &[
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
];

/// What a package URL leaves as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~').remove(b'/');

/// The report as a document.
pub fn write(report: &ScanReport) -> String {
    let mut seen = HashSet::new();
    let statements = report.findings.iter().map(|finding| statement(report, finding));
    // Two packages that differ only in their place are one to a package URL.
    let statements: Vec<Value> = statements.filter(|statement| seen.insert(statement.to_string())).collect();
    pretty(&without_nulls(json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": format!("urn:uuid:{}", uuid(report, "openvex")),
        "author": report.tool.name,
        "role": "Scanner",
        "timestamp": report.judged_at,
        "version": 1,
        "tooling": format!("{} {}", report.tool.name, report.tool.version),
        "statements": statements,
    })))
}

fn statement(report: &ScanReport, finding: &Finding) -> Value {
    let package = report.inventory.package(finding.package);
    let aliases = finding.ids.iter().filter(|id| **id != finding.id).map(|id| json!(id)).collect();
    let mut statement = said(finding, package);
    statement["vulnerability"] = json!({ "name": finding.id, "aliases": filled(aliases) });
    statement["products"] = json!([product(&report.artifact, package)]);
    statement
}

/// The status with what it needs.
fn said(finding: &Finding, package: &Package) -> Value {
    match (&finding.vex, finding.fix.version()) {
        (Some(vex), _) => passed_on(vex, &words::recommendation(finding, package)),
        (None, Some(_)) => {
            json!({ "status": "affected", "action_statement": words::recommendation(finding, package) })
        }
        (None, None) => {
            let notes = format!("The installed version is in an affected range; {}.", words::fix(&finding.fix));
            json!({ "status": "under_investigation", "status_notes": notes })
        }
    }
}

/// Another's statement. A status of *not affected* has a justification or an impact statement, never both.
fn passed_on(vex: &Vex, action: &str) -> Value {
    let known = vex.justification.as_deref().filter(|label| JUSTIFICATIONS.contains(label));
    let words: Vec<&str> = [vex.justification.as_deref().filter(|_| known.is_none()), vex.statement.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    let words = (!words.is_empty()).then(|| words.join(": "));
    let source = format!("Said {}.", words::vex_source(vex));
    let notes = |words: &Option<String>| match words {
        Some(words) => format!("{words} {source}"),
        None => source.clone(),
    };
    let mut said = match (vex.status, known) {
        (VexStatus::NotAffected, Some(label)) => json!({ "justification": label, "status_notes": notes(&words) }),
        (VexStatus::NotAffected, None) => {
            json!({ "impact_statement": words.unwrap_or_default(), "status_notes": source })
        }
        (VexStatus::Affected, _) => {
            json!({ "action_statement": words.as_deref().unwrap_or(action), "status_notes": source })
        }
        (VexStatus::Fixed | VexStatus::UnderInvestigation, _) => json!({ "status_notes": notes(&words) }),
    };
    said["status"] = json!(vex.status);
    said["timestamp"] = json!(vex.timestamp);
    said
}

fn product(artifact: &Artifact, package: &Package) -> Value {
    let component = || json!({ "@id": package.purl, "identifiers": { "purl": package.purl } });
    match image(artifact) {
        Some(purl) => json!({
            "@id": purl,
            "identifiers": { "purl": purl },
            "hashes": artifact.manifest_digest.as_ref().map(|digest| json!({ "sha-256": digest.hex() })),
            "subcomponents": [component()],
        }),
        None => component(),
    }
}

/// Whether packages are parts of an image.
pub(crate) fn is_image(artifact: &Artifact) -> bool {
    matches!(artifact.kind, ArtifactKind::Image | ArtifactKind::Container)
}

/// The package URL of an image: its digest where it has one, and its repository.
pub(crate) fn image(artifact: &Artifact) -> Option<String> {
    if !is_image(artifact) {
        return None;
    }
    let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let name = artifact.names.first().map(|name| name.split('@').next().unwrap_or_default());
    let (repository, tag) = match name.map(|name| (name, name.rsplit_once(':'))) {
        Some((_, Some((repository, tag)))) if !tag.contains('/') => (Some(repository), Some(tag)),
        Some((name, _)) => (Some(name), None),
        None => (None, None),
    };
    let last = repository.and_then(|repository| repository.rsplit('/').next()).unwrap_or("image");
    let digest = artifact.manifest_digest.as_ref().or(artifact.image_id.as_ref());
    let version = digest.map(|digest| format!("@{}", encode(&digest.to_string()))).unwrap_or_default();
    let qualifiers = [("repository_url", repository), ("tag", tag)];
    let qualifiers: Vec<String> =
        qualifiers.iter().filter_map(|(key, value)| Some(format!("{key}={}", encode((*value)?)))).collect();
    let separator = if qualifiers.is_empty() { "" } else { "?" };
    Some(format!("pkg:oci/{}{version}{separator}{}", encode(&last.to_lowercase()), qualifiers.join("&")))
}
