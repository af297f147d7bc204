//! The predicate `https://cosign.sigstore.dev/attestation/vuln/v1`, as `cosign attest --type vuln --predicate` takes it.
//!
//! Source: Sigstore Cosign, "Cosign Vulnerability Scan Record Attestation Specification". `scanner.result` is free in that
//! specification; here it is the whole scan report, so that a verifier can judge again by its own policy. The statement
//! around it (subject, digest) and the signature are Cosign's work.

use model::report::ScanReport;
use serde_json::json;

use crate::document::{pretty, without_nulls};

/// Where the program comes from: what `scanner.uri` is for.
const SCANNER_URI: &str = "pkg:generic/dogwatch";

/// The report as a predicate.
pub fn write(report: &ScanReport) -> String {
    let knowledge = report.knowledge.as_ref();
    let predicate = json!({
        "invocation": {
            "parameters": [],
            "uri": "",
            "event_id": "",
            "builder.id": "",
        },
        "scanner": {
            "uri": format!("{SCANNER_URI}@{}", report.tool.version),
            "version": report.tool.version,
            "db": {
                "uri": "",
                "version": knowledge.map_or("", |knowledge| &knowledge.index),
                "lastUpdate": knowledge.map(|knowledge| &knowledge.as_of),
            },
            "result": report,
        },
        // A report has one moment; scans take seconds.
        "metadata": { "scanStartedOn": report.judged_at, "scanFinishedOn": report.judged_at },
    });
    pretty(&without_nulls(predicate))
}
