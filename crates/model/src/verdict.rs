//! Verdicts: what policy says about the findings.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::finding::Severity;
use crate::package::PackageId;

/// Whether the artifact may go on, at one stage, and why not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The answer.
    pub outcome: Outcome,
    /// The stage that was asked about.
    pub stage: Stage,
    /// The policies that were evaluated, by name.
    pub policies: Vec<String>,
    /// What they objected to, also at `audit` and `warn`.
    pub violations: Vec<Violation>,
    /// Exceptions that excused something, and those that no longer do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<ExceptionUse>,
}

/// The answers a verdict can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// No policy denies it.
    Passed,
    /// At least one policy denies it.
    Failed,
    /// A policy needs knowledge that is missing (stale advisories, a gap it does not accept).
    Unknown,
}

/// The points at which policy is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// A CI job before the image ships.
    Build,
    /// A cluster or engine about to start it.
    Admission,
    /// While it runs.
    Runtime,
}

/// What happens when a policy's condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Noted in the report.
    Audit,
    /// Shown to the user.
    Warn,
    /// The verdict fails.
    Deny,
    /// The verdict fails, and a running workload is isolated.
    Quarantine,
}

/// One policy's objection to one thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    /// The policy's name.
    pub policy: String,
    /// What it asks for.
    pub action: Action,
    /// How bad the policy says this is.
    pub severity: Severity,
    /// Why the policy exists, in its author's words.
    pub rationale: String,
    /// What to do, in its author's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<String>,
    /// The finding objected to, as an index into the report's findings; none when the objection is to the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<u32>,
    /// The package concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageId>,
    /// What excuses it: an exception's id, or `VEX` and the document that says nothing is left to do. An excused violation does
    /// not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excused_by: Option<String>,
}

impl Violation {
    /// Whether it keeps the artifact from passing: nothing excuses it, and its policy asks for more than a warning.
    pub fn denies(&self) -> bool {
        self.excused_by.is_none() && self.action >= Action::Deny
    }
}

impl Verdict {
    /// What keeps the artifact from passing.
    pub fn denials(&self) -> impl Iterator<Item = &Violation> {
        self.violations.iter().filter(|violation| violation.denies())
    }

    /// The findings that keep the artifact from passing, as indices into the report's findings.
    pub fn denied_findings(&self) -> BTreeSet<u32> {
        self.denials().filter_map(|violation| violation.finding).collect()
    }
}

/// What became of one exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExceptionUse {
    /// The exception's id.
    pub id: String,
    /// Who granted it.
    pub who: String,
    /// Why.
    pub why: String,
    /// When it ends, RFC 3339.
    pub until: String,
    /// What it did in this verdict.
    pub state: ExceptionState,
    /// How many violations it excused (or would have).
    pub count: u32,
}

/// What an exception did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExceptionState {
    /// It excused at least one violation.
    Applied,
    /// It ended; what it excused counts again.
    Expired,
    /// The risk it was accepted at has been exceeded (score, exploitation); what it excused counts again.
    Voided,
    /// Nothing matched it.
    Unused,
}
