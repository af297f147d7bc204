//! The scan report: what leaves the process.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::artifact::Artifact;
use crate::change::Changes;
use crate::finding::{Finding, Severity};
use crate::gap::Gap;
use crate::inventory::Inventory;
use crate::package::PackageId;
use crate::surface::Surface;
use crate::verdict::Verdict;

/// The version of the document; it rises when a reader of the old one could misread the new one.
pub const SCAN_REPORT_VERSION: u32 = 1;

/// Everything one scan says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScanReport {
    /// [`SCAN_REPORT_VERSION`].
    pub schema_version: u32,
    /// The program that wrote it.
    pub tool: Tool,
    /// When the judgement was made.
    pub judged_at: Timestamp,
    /// What was scanned.
    pub artifact: Artifact,
    /// What is inside.
    pub inventory: Inventory,
    /// The knowledge it was judged with; none after `--inventory-only`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knowledge: Option<Knowledge>,
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    /// How many findings the user asked not to see (`--severity`, `--only-fixed`).
    #[serde(default)]
    pub hidden_findings: u64,
    /// What was not known when judging (coverage, age, end of life), beside the inventory's own gaps.
    pub gaps: Vec<Gap>,
    /// What to do about it, most useful first.
    pub remedies: Vec<Remedy>,
    /// Whether it may go on; none after `--inventory-only`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// What is new and gone since another report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// How a container differs from its image; none for everything else, and where that could not be learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
}

/// The program that wrote a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// `dogwatch`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Which advisories a judgement rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Knowledge {
    /// Identifies the index: its content digest.
    pub index: String,
    /// The newest modification date of any advisory in it, RFC 3339.
    pub as_of: String,
    /// Coverage of each ecosystem that the inventory has packages of.
    pub coverage: Vec<Coverage>,
    /// Identifies the organisation's own advisories that were asked too, where there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<String>,
}

/// How much an index knows about one ecosystem or release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// The ecosystem as OSV writes it, with the release: `Debian:12`, `npm`.
    pub ecosystem: String,
    /// How much.
    pub state: CoverageState,
    /// How many advisory records.
    pub records: u64,
    /// The newest modification date of those records, RFC 3339; empty when there are none.
    pub newest: String,
    /// Why it is only partial, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How much an index knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CoverageState {
    /// No records.
    None,
    /// Some records; no finding is no proof.
    Partial,
    /// As much as the feed's publisher had.
    Complete,
}

/// One thing to do and what it removes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Remedy {
    /// What to do.
    pub action: RemedyAction,
    /// The sentence shown to people.
    pub title: String,
    /// The layer where it must be done, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<u32>,
    /// The packages that change.
    pub packages: Vec<PackageId>,
    /// The findings it removes, as indices into the report's findings.
    pub removes: Vec<u32>,
    /// How many of those the verdict counts as denied violations.
    pub violations: u32,
    /// The worst severity among them.
    pub severity: Severity,
}

/// The sorts of things to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum RemedyAction {
    /// Rebuild on a current build of the base image, or take its fixed packages.
    RebuildBase {
        /// The base's name.
        base: String,
    },
    /// Upgrade the OS packages that one layer brings.
    UpgradeOsPackages {
        /// `name=version` for each package.
        upgrades: Vec<String>,
    },
    /// Upgrade one package (and what it pulls in).
    UpgradePackage {
        /// The package's name.
        name: String,
        /// The version it has.
        from: String,
        /// The least version that removes the findings.
        to: String,
        /// The direct dependencies that pull it in, `name version`; empty where it is direct or nothing says.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pulled_in_by: Vec<String>,
    },
    /// Upgrade or replace the one dependency that pulls in the affected packages.
    UpgradeDependency {
        /// The direct dependency.
        name: String,
        /// The version it has.
        from: String,
        /// The affected packages it pulls in, `name@version`.
        brings: Vec<String>,
    },
    /// Build one program again with newer modules.
    RebuildBinary {
        /// Where the program is.
        path: String,
        /// `module=version` for each module.
        upgrades: Vec<String>,
    },
    /// Nothing can be upgraded to: replace, mitigate or accept.
    NoFix {
        /// The package's name.
        name: String,
    },
}

/// What changed since another report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// What it was compared with.
    pub with: String,
    /// Findings that are new, as indices into this report's findings. Only these count for the verdict.
    pub new: Vec<u32>,
    /// How many findings were there already.
    pub unchanged: u32,
    /// Findings of the other report that are gone: `id package version`.
    pub gone: Vec<String>,
    /// What of the attack surface was not there; none where one of the two is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_surface: Option<Surface>,
}
