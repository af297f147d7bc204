//! What an index says about itself.

use model::report::Coverage;
use serde::{Deserialize, Serialize};

/// The `Meta` section, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Meta {
    pub(crate) advisories: u64,
    pub(crate) ranges: u64,
    pub(crate) estimates: u64,
    pub(crate) newest: String,
    pub(crate) epss_date: String,
    pub(crate) kev_date: String,
    pub(crate) coverage: Vec<Coverage>,
    pub(crate) feeds: Vec<FeedSummary>,
    pub(crate) attributions: Vec<Attribution>,
}

/// One publisher's share in an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedSummary {
    /// The publisher.
    pub source: String,
    /// How many records.
    pub records: u64,
    /// The newest of them, RFC 3339; empty when none says.
    pub newest: String,
}

/// Whose work a part of the index is, and the terms it comes under.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attribution {
    /// What it is.
    pub content: String,
    /// Where it comes from, and in which state.
    pub origin: String,
    /// The day of its content, `YYYY-MM-DD`.
    pub date: String,
    /// Its licence.
    pub licence: String,
    /// The line that must go with it.
    pub attribution: String,
}
