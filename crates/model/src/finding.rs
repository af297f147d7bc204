//! Findings: what a check says about a package.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::package::PackageId;
use crate::vex::Vex;

/// One vulnerability in one package. Aliases of one vulnerability are one finding that names all its ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The id people use: the CVE where there is one, else the advisory's own.
    pub id: String,
    /// Every id of this vulnerability (CVE, GHSA, PYSEC, …) and of the advisories that say the package has it, sorted; `id` is among them.
    pub ids: Vec<String>,
    /// The affected package.
    pub package: PackageId,
    /// The severity in force.
    pub severity: Severity,
    /// Who said so: a distribution (`Ubuntu`), or the scorer of the CVSS vector it was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity_source: Option<String>,
    /// Every score, each with its scorer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<Score>,
    /// How likely exploitation is, by EPSS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epss: Option<Epss>,
    /// Present when CISA knows it to be exploited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kev: Option<Kev>,
    /// CISA's assessment of the vulnerability (SSVC), from the CVE record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssvc: Option<Ssvc>,
    /// The package is malware itself, not merely vulnerable.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub malicious: bool,
    /// The functions and methods that carry the vulnerability, where an advisory names them. Whether the program calls them
    /// is not looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub symbols: Vec<String>,
    /// Whether a fix can be had.
    pub fix: Fix,
    /// What the matching rests on, one entry per advisory range that covers the version.
    pub matches: Vec<Match>,
    /// One-line description, where the source's licence lets us carry one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// When the vulnerability was first published (the earliest of its advisories), RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// Pages to read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// What the newest VEX statement about it says. It is a claim beside the finding; policies do not count a finding that
    /// is said to be fixed or not to affect, unless they ask for the status themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vex: Option<Vex>,
}

impl Finding {
    /// The statement that says nothing is left to do, where there is one.
    pub fn suppressed_by(&self) -> Option<&Vex> {
        self.vex.as_ref().filter(|vex| vex.status.suppresses())
    }
}

/// Severity levels, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nobody has said.
    #[default]
    Unknown,
    /// Of no practical consequence, by a distribution's judgement; or a CVSS score of 0.
    Negligible,
    /// CVSS 0.1 to 3.9.
    Low,
    /// CVSS 4.0 to 6.9.
    Medium,
    /// CVSS 7.0 to 8.9.
    High,
    /// CVSS 9.0 and more.
    Critical,
}

impl Severity {
    /// The name in documents, flags and policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Negligible => "negligible",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Reads a level by any of the names that sources and users write (`moderate`, `IMPORTANT`, …).
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_lowercase().as_str() {
            "unknown" | "untriaged" => Self::Unknown,
            "negligible" | "none" | "unimportant" => Self::Negligible,
            "low" => Self::Low,
            "medium" | "moderate" => Self::Medium,
            "high" | "important" => Self::High,
            "critical" => Self::Critical,
            _ => return None,
        })
    }

    /// The level of a CVSS base score from 0.0 to 10.0 (CVSS 3.1 section 5, also used for version 2 and 4.0).
    pub fn of_score(score: f64) -> Self {
        match score {
            s if s >= 9.0 => Self::Critical,
            s if s >= 7.0 => Self::High,
            s if s >= 4.0 => Self::Medium,
            s if s > 0.0 => Self::Low,
            _ => Self::Negligible,
        }
    }
}

/// One score of one scorer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// Who scored: a CNA, `CISA-ADP`, `NVD`, or the advisory database that carries the vector.
    pub scorer: String,
    /// `2.0`, `3.0`, `3.1` or `4.0`.
    pub version: String,
    /// The base score, 0.0 to 10.0, computed from the vector where there is one.
    pub score: f64,
    /// The vector; empty when the source gives only a number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vector: String,
}

/// The Exploit Prediction Scoring System's estimate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Epss {
    /// Probability of exploitation within 30 days, 0 to 1.
    pub score: f64,
    /// Share of vulnerabilities with this score or less, 0 to 1.
    pub percentile: f64,
    /// By how much the score has risen (or fallen, below 0) in about the last 30 days, where an estimate of then is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<f64>,
}

/// Decision points of Stakeholder-Specific Vulnerability Categorization as CISA's Vulnrichment states them.
///
/// Source: CISA, "SSVC Guide", 2022, sections "Exploitation", "Automatable" and "Technical impact".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ssvc {
    /// What is known of attacks.
    pub exploitation: Exploitation,
    /// Whether reconnaissance to exploitation can be automated.
    pub automatable: bool,
    /// What control an attacker gains.
    pub technical_impact: TechnicalImpact,
}

/// What SSVC says of attacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Exploitation {
    /// No evidence, and no public proof of concept.
    None,
    /// A proof of concept is public.
    Poc,
    /// It is being exploited.
    Active,
}

/// What SSVC says of an attack's effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TechnicalImpact {
    /// Limited control, or a denial of service.
    Partial,
    /// Total control of the component, or disclosure of all that it holds.
    Total,
}

impl Exploitation {
    /// The name in documents and policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Poc => "poc",
            Self::Active => "active",
        }
    }
}

impl TechnicalImpact {
    /// The name in documents and policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Partial => "partial",
            Self::Total => "total",
        }
    }
}

/// An entry of CISA's catalogue of Known Exploited Vulnerabilities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kev {
    /// The day it was added, `YYYY-MM-DD`, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_added: Option<String>,
    /// Whether ransomware campaigns are known to use it.
    pub ransomware: bool,
}

/// Whether a fix can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Fix {
    /// Upgrading to any of these versions removes it; the least is first.
    Available {
        /// Versions of the matched (source or binary) package.
        versions: Vec<String>,
    },
    /// No fix is known. That is not "no fix exists": vendors publish late.
    None {
        /// The source's own word for it, such as `needed`, `deferred` or `unfixed`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<String>,
    },
    /// The vendor has said that it will not fix it.
    Refused {
        /// The source's own word, such as `ignored` or `fix-not-planned`.
        status: String,
    },
}

impl Fix {
    /// The least version that removes the finding.
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::Available { versions } => versions.first().map(String::as_str),
            _ => None,
        }
    }
}

/// Why a version counts as affected: one advisory range that covers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Match {
    /// The advisory's own id.
    pub advisory: String,
    /// The feed it came from.
    pub source: String,
    /// The ecosystem and release the range is for, `Debian:12`.
    pub ecosystem: String,
    /// The name that was looked up: the package's own, or its source package's.
    pub name: String,
    /// The version that was compared.
    pub version: String,
    /// The range in words, `>= 0, < 3.0.11-1~deb12u2` or `one of 14 listed versions`.
    pub range: String,
    /// The versions in the range's `fixed` events that lie above the compared version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<String>,
}
