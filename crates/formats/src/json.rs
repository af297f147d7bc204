//! The scan report and the integrity model as JSON, with their schemas.
//!
//! `schemas/` at the root of the repository holds the schemas as files; a test keeps them equal to the types. A reader
//! of version 1 may rely on every field that the schema names; fields may be added without a new version.

use model::integrity::IntegrityModel;
use model::report::{SCAN_REPORT_VERSION, ScanReport};
use serde::Deserialize;

pub use crate::document::line;
use crate::document::pretty;
use crate::several::Unscanned;

/// The report as pretty JSON.
pub fn write(report: &ScanReport) -> String {
    pretty(report)
}

/// The report on one line, as one of several: JSON lines.
pub fn write_line(report: &ScanReport) -> String {
    line(report)
}

/// The line of a target that could not be scanned. It has no `schema_version`, so nobody takes it for a report.
pub fn write_unscanned(unscanned: &Unscanned) -> String {
    line(unscanned)
}

/// The integrity model as pretty JSON.
pub fn write_integrity_model(model: &IntegrityModel) -> String {
    pretty(model)
}

/// The JSON schema (2020-12) of the scan report.
pub fn report_schema() -> String {
    pretty(&schemars::schema_for!(ScanReport))
}

/// The JSON schema (2020-12) of the integrity model.
pub fn integrity_model_schema() -> String {
    pretty(&schemars::schema_for!(IntegrityModel))
}

/// Why bytes are not a scan report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Not JSON, or JSON of another shape.
    #[error("not a Dogwatch scan report")]
    Malformed(#[source] serde_json::Error),
    /// JSON without `schema_version`.
    #[error("not a Dogwatch scan report: `schema_version` is missing")]
    NotAReport,
    /// Written by a newer or unknown program.
    #[error("the scan report has schema version {found}; this program reads version {SCAN_REPORT_VERSION}")]
    UnknownVersion {
        /// The version as the document states it.
        found: String,
    },
    /// It refers to a package or a finding that it does not hold.
    #[error("the scan report contradicts itself: {detail}")]
    Inconsistent {
        /// Which reference, and what it should be.
        detail: String,
    },
}

impl ReportError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotAReport | Self::Malformed(_) => Some("write one with `dogwatch scan TARGET -o json=FILE`"),
            Self::UnknownVersion { .. } => Some("scan again with this version of dogwatch"),
            Self::Inconsistent { .. } => None,
        }
    }
}

#[derive(Deserialize)]
struct Versioned {
    schema_version: Option<serde_json::Value>,
}

/// Reads a scan report that [`write`] (or a stranger) wrote.
///
/// Every reference inside it is checked, so whoever gets the report may look up its packages and findings.
pub fn read(bytes: &[u8]) -> Result<ScanReport, ReportError> {
    // The version first: a document of another version may well have another shape.
    let versioned: Versioned = serde_json::from_slice(bytes).map_err(ReportError::Malformed)?;
    let version = versioned.schema_version.ok_or(ReportError::NotAReport)?;
    if version != SCAN_REPORT_VERSION {
        return Err(ReportError::UnknownVersion { found: version.to_string().chars().take(40).collect() });
    }
    let report: ScanReport = serde_json::from_slice(bytes).map_err(ReportError::Malformed)?;
    match broken_reference(&report) {
        Some(detail) => Err(ReportError::Inconsistent { detail }),
        None => Ok(report),
    }
}

/// The first reference that leads nowhere.
fn broken_reference(report: &ScanReport) -> Option<String> {
    let packages = report.inventory.packages.len();
    let findings = report.findings.len();
    let no_package = |at: &str, id: u32| {
        (id as usize >= packages).then(|| format!("{at} names package {id}, and there are {packages} packages"))
    };
    let no_finding = |at: &str, index: u32| {
        (index as usize >= findings).then(|| format!("{at} names finding {index}, and there are {findings} findings"))
    };
    for (position, package) in report.inventory.packages.iter().enumerate() {
        if package.id.0 as usize != position {
            return Some(format!("package number {position} has the id {}", package.id.0));
        }
        if let Some(broken) = package.depends_on.iter().find_map(|id| no_package("a dependency", id.0)) {
            return Some(broken);
        }
    }
    let of_findings = report.findings.iter().find_map(|finding| no_package("a finding", finding.package.0));
    let of_remedies = report.remedies.iter().find_map(|remedy| {
        let package = remedy.packages.iter().find_map(|id| no_package("a remedy", id.0));
        package.or_else(|| remedy.removes.iter().find_map(|index| no_finding("a remedy", *index)))
    });
    let of_violations = report.verdict.iter().flat_map(|verdict| &verdict.violations).find_map(|violation| {
        let package = violation.package.and_then(|id| no_package("a violation", id.0));
        package.or_else(|| violation.finding.and_then(|index| no_finding("a violation", index)))
    });
    let new = report.comparison.iter().flat_map(|comparison| &comparison.new);
    let of_comparison = new.copied().find_map(|index| no_finding("the comparison", index));
    of_findings.or(of_remedies).or(of_violations).or(of_comparison)
}
