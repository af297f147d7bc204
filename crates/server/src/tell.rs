//! How findings and changes are written down.

use model::Timestamp;
use model::finding::{Finding, Fix};
use portfolio::change::Change;
use store::{Ownership, StoredChange};

use crate::ServerError;

/// A finding as the store keeps it: its JSON, and what lists are sorted and counted by.
pub(crate) fn told(finding: &Finding) -> Result<(String, i64, f64, bool), ServerError> {
    let body = serde_json::to_string(finding).map_err(|source| ServerError::Stored { what: "finding", source })?;
    Ok((body, finding.severity as i64, score(finding), matches!(finding.fix, Fix::Available { .. })))
}

/// The highest score that anybody gave.
pub(crate) fn score(finding: &Finding) -> f64 {
    finding.scores.iter().map(|score| score.score).fold(0.0, f64::max)
}

/// A change as the feed keeps it.
pub(crate) fn stored(image: u32, owner: &Ownership, change: &Change) -> StoredChange {
    StoredChange {
        number: 0,
        at: 0,
        kind: change.kind().to_owned(),
        image,
        vulnerability: change.vulnerability().unwrap_or_default().to_owned(),
        team: owner.team.clone(),
        system: owner.system.clone(),
        body: serde_json::to_string(change).unwrap_or_default(),
    }
}

/// A stored moment, RFC 3339.
pub(crate) fn moment(at: i64) -> String {
    Timestamp::from_microsecond(at).map(|at| at.to_string()).unwrap_or_default()
}
