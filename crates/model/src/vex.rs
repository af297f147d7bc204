//! What somebody says about a vulnerability in a product: Vulnerability Exploitability eXchange (VEX).
//!
//! A document holds statements; each joins vulnerabilities, products and a status. OpenVEX, CSAF and CycloneDX write the
//! same thing in three ways, and this is what they have in common. A [`VexStatement`] that is about a finding leaves a
//! [`Vex`] beside it.
//!
//! **Never:** a statement is its author's claim. It removes no finding: it stands beside it, and policy decides.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::digest::Digest;

/// What a statement says of a finding, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Vex {
    /// What is said.
    pub status: VexStatus,
    /// Why the product is not affected, as the document's format calls it: `vulnerable_code_not_in_execute_path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub justification: Option<String>,
    /// The author's own words: the impact, or what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// Who says so, as the document names them; empty where it does not.
    pub author: String,
    /// When it was said; none where the document does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// The document: the file it was read from.
    pub document: String,
}

/// The four statuses.
///
/// Source: CISA, "Minimum Requirements for Vulnerability Exploitability eXchange", 2023, section "status".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VexStatus {
    /// No remediation is required.
    NotAffected,
    /// Actions are recommended to remediate or address it.
    Affected,
    /// The product contains a fix.
    Fixed,
    /// It is not yet known whether the product is affected.
    UnderInvestigation,
}

impl VexStatus {
    /// The name in documents and policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAffected => "not_affected",
            Self::Affected => "affected",
            Self::Fixed => "fixed",
            Self::UnderInvestigation => "under_investigation",
        }
    }

    /// Whether it says that nothing is left to do.
    pub fn suppresses(self) -> bool {
        matches!(self, Self::NotAffected | Self::Fixed)
    }
}

/// One statement of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VexStatement {
    /// Every id it names the vulnerability by.
    pub vulnerabilities: Vec<String>,
    /// What it is about. None is nothing, never everything.
    pub products: Vec<VexProduct>,
    /// What it says.
    pub said: Vex,
}

/// A product of a statement: any one of its names will do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VexProduct {
    /// Package URLs, and names of other sorts.
    pub names: Vec<String>,
    /// Digests.
    pub digests: Vec<Digest>,
    /// The parts of it that the statement is about; none is about all of it.
    pub subcomponents: Vec<VexProduct>,
}

impl VexProduct {
    /// A product with this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { names: vec![name.into()], ..Self::default() }
    }
}
