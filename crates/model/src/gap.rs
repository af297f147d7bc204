//! What could not be read, parsed or known.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that could not be read, parsed or known. It stands beside the verdict and never counts as clean.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// What kind of ignorance this is; policies read it.
    pub kind: GapKind,
    /// What it is about: a path inside the artifact, an ecosystem, a release, a feed.
    pub subject: String,
    /// Why, in one clause without a full stop.
    pub detail: String,
    /// The layer it was met in, counted from 0 at the bottom; none where no layer is concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<u32>,
}

/// The kinds of ignorance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GapKind {
    /// The bytes could not be read: truncated, corrupt, a wrong digest, permission denied.
    Unreadable,
    /// The bytes were read but are not what their name or magic promises.
    Malformed,
    /// A named bound was reached (size, depth, count, expansion ratio), so the rest was not looked at.
    LimitExceeded,
    /// The content is encrypted.
    Encrypted,
    /// A format or variant that Dogwatch does not read.
    Unsupported,
    /// A package whose version is not one its ecosystem can order, so that no advisory can be matched.
    UnknownVersion,
    /// No distribution could be recognised.
    UnknownDistribution,
    /// The distribution's release no longer receives security updates, so that absence of findings means little.
    EndOfLife,
    /// The index has no advisories for this ecosystem or release.
    NoCoverage,
    /// The index has only a part of the advisories for this ecosystem or release.
    PartialCoverage,
    /// The knowledge is older than is trusted.
    Stale,
    /// The user asked to leave it out.
    Excluded,
}

impl GapKind {
    /// The name that documents and policies use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Malformed => "malformed",
            Self::LimitExceeded => "limit-exceeded",
            Self::Encrypted => "encrypted",
            Self::Unsupported => "unsupported",
            Self::UnknownVersion => "unknown-version",
            Self::UnknownDistribution => "unknown-distribution",
            Self::EndOfLife => "end-of-life",
            Self::NoCoverage => "no-coverage",
            Self::PartialCoverage => "partial-coverage",
            Self::Stale => "stale",
            Self::Excluded => "excluded",
        }
    }
}

impl Gap {
    /// A gap that concerns no layer; [`Gap::in_layer`] adds one.
    pub fn new(kind: GapKind, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind, subject: subject.into(), detail: detail.into(), layer: None }
    }

    /// The same gap, met in this layer.
    pub fn in_layer(self, layer: u32) -> Self {
        Self { layer: Some(layer), ..self }
    }
}
