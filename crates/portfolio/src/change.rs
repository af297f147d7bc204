//! What the change feed tells: each once, in the order in which it became true.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One change. Images are named by digest, moments are RFC 3339.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// An image is known and judged for the first time.
    ImageFound {
        /// Which.
        image: String,
        /// What it is called.
        name: String,
        /// What was concluded.
        outcome: String,
        /// The vulnerabilities that keep it from passing.
        denied: Vec<String>,
        /// How many findings it has.
        findings: i64,
    },
    /// A name stands for an image, and stood for none before.
    ImageTagged {
        /// The name.
        name: String,
        /// The image.
        image: String,
    },
    /// A name stands for another image.
    ImageMoved {
        /// The name.
        name: String,
        /// The image before.
        from: String,
        /// The image now.
        to: String,
    },
    /// The base image that an image is built on was built anew, without vulnerabilities that the image has from it: building the
    /// image again mends them.
    BaseFixed {
        /// The image that is built on the base.
        image: String,
        /// What it is called.
        name: String,
        /// The base's name.
        base: String,
        /// The base image before.
        from: String,
        /// The base image now.
        to: String,
        /// The vulnerabilities that are gone from the base, and still in the image.
        fixed: Vec<String>,
    },
    /// Two different inventories were claimed for one digest by the same version of a program: one of them is wrong. An incident.
    InventoryConflict {
        /// The image.
        image: String,
        /// Who claimed the second.
        claimed_by: String,
        /// The program.
        tool: String,
    },
    /// A vulnerability is known in an image that had it, unknown, before.
    FindingFound {
        /// The image.
        image: String,
        /// The vulnerability.
        vulnerability: String,
        /// Package URLs of what has it.
        packages: Vec<String>,
        /// `critical`, …
        severity: String,
        /// The highest score.
        score: f64,
        /// Versions that do not have it.
        fixed_in: Vec<String>,
    },
    /// A vulnerability is no longer said to be in an image.
    FindingGone {
        /// The image.
        image: String,
        /// The vulnerability.
        vulnerability: String,
        /// Package URLs of what had it.
        packages: Vec<String>,
    },
    /// A score, the exploitation or the severity of a vulnerability in an image changed.
    RiskChanged {
        /// The image.
        image: String,
        /// The vulnerability.
        vulnerability: String,
        /// What changed.
        what: RiskFact,
        /// Who says so: `NVD 3.1`, `EPSS`, `KEV`; a severity's source.
        scorer: String,
        /// The value before; none when there was none.
        from: Option<f64>,
        /// The value now; none when there is none.
        to: Option<f64>,
        /// The threshold for this image that was crossed, if one was.
        crossed: Option<f64>,
    },
    /// A verdict is another.
    VerdictChanged {
        /// The image.
        image: String,
        /// What it is called.
        name: String,
        /// The outcome before.
        from: String,
        /// The outcome now.
        to: String,
        /// The vulnerabilities that keep it from passing now.
        denied: Vec<String>,
        /// What it was judged with before.
        judged_before: String,
        /// What it is judged with now.
        judged_now: String,
    },
    /// An image that its builder saw pass would not pass any more.
    ComplianceLost {
        /// The image.
        image: String,
        /// What it is called.
        name: String,
        /// When the builder saw it pass.
        passed_at: String,
        /// The builder.
        passed_by: String,
        /// The vulnerabilities that keep it from passing now.
        denied: Vec<String>,
    },
    /// An image is somebody else's.
    OwnerChanged {
        /// The image.
        image: String,
        /// The team before, or empty.
        from: String,
        /// The team now, or empty.
        to: String,
        /// Why.
        how: String,
    },
    /// A workload runs.
    WorkloadStarted {
        /// The environment.
        environment: String,
        /// Its name there.
        workload: String,
        /// The image, as far as it is known.
        image: String,
        /// What the workload calls it.
        image_name: String,
    },
    /// A workload runs no more.
    WorkloadStopped {
        /// The environment.
        environment: String,
        /// Its name there.
        workload: String,
        /// The image.
        image: String,
    },
    /// Other advisories or documents are in force.
    KnowledgeChanged {
        /// Which: `advisories`, `catalog`, …
        what: String,
        /// What identified it before.
        from: String,
        /// What identifies it now.
        to: String,
        /// How many images must be judged again.
        images: u64,
    },
}

/// What of a vulnerability's risk can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RiskFact {
    /// A CVSS base score.
    Score,
    /// The severity in force, as 0 (unknown) to 5 (critical).
    Severity,
    /// The EPSS estimate.
    Epss,
    /// Whether it is known to be exploited.
    Kev,
}

impl Change {
    /// A first judgement.
    pub fn found(image: &str, name: &str, outcome: &str, denied: Vec<String>, findings: i64) -> Self {
        Self::ImageFound { image: image.into(), name: name.into(), outcome: outcome.into(), denied, findings }
    }

    /// As the feed and CloudEvents name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ImageFound { .. } => "image.found",
            Self::ImageTagged { .. } => "image.tagged",
            Self::ImageMoved { .. } => "image.moved",
            Self::BaseFixed { .. } => "base.fixed",
            Self::InventoryConflict { .. } => "inventory.conflict",
            Self::FindingFound { .. } => "finding.found",
            Self::FindingGone { .. } => "finding.gone",
            Self::RiskChanged { .. } => "risk.changed",
            Self::VerdictChanged { .. } => "verdict.changed",
            Self::ComplianceLost { .. } => "compliance.lost",
            Self::OwnerChanged { .. } => "owner.changed",
            Self::WorkloadStarted { .. } => "workload.started",
            Self::WorkloadStopped { .. } => "workload.stopped",
            Self::KnowledgeChanged { .. } => "knowledge.changed",
        }
    }

    /// The vulnerability that it is about, if one.
    pub fn vulnerability(&self) -> Option<&str> {
        match self {
            Self::FindingFound { vulnerability, .. }
            | Self::FindingGone { vulnerability, .. }
            | Self::RiskChanged { vulnerability, .. } => Some(vulnerability),
            _ => None,
        }
    }
}
