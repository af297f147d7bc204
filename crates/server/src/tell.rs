//! How findings and changes are written down.

use std::collections::BTreeMap;
use std::sync::Arc;

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
        subject: String::new(),
        body: serde_json::to_string(change).unwrap_or_default(),
    }
}

/// A stored moment, RFC 3339.
pub(crate) fn moment(at: i64) -> String {
    Timestamp::from_microsecond(at).map(|at| at.to_string()).unwrap_or_default()
}

/// Scores by vulnerability and scorer, none where they were withdrawn; each with its vector or what else it says.
pub(crate) type Scores = BTreeMap<(String, String), (Option<f64>, String)>;

/// The same as rows.
pub(crate) fn score_rows(scores: Scores) -> Vec<(String, String, Option<f64>, String)> {
    scores.into_iter().map(|((id, scorer), (score, detail))| (id, scorer, score, detail)).collect()
}

/// What changed of a vulnerability's scores: each scorer's value from now on.
pub(crate) fn score_changes(old: Option<&Arc<Finding>>, new: Option<&Arc<Finding>>, scores: &mut Scores) {
    // That it is in no package any more says nothing about its scores.
    let Some(new) = new else { return };
    let of = |finding: &Finding| -> BTreeMap<String, (f64, String)> {
        let mut all: BTreeMap<String, (f64, String)> = finding
            .scores
            .iter()
            .map(|score| (format!("{} {}", score.scorer, score.version), (score.score, score.vector.clone())))
            .collect();
        all.extend(finding.epss.map(|epss| ("EPSS".to_owned(), (epss.score, epss.percentile.to_string()))));
        let kev = finding.kev.as_ref();
        all.extend(kev.map(|kev| ("KEV".to_owned(), (1.0, kev.date_added.clone().unwrap_or_default()))));
        all
    };
    let (before, after) = (old.map(|old| of(old)).unwrap_or_default(), of(new));
    for scorer in before.keys().chain(after.keys()) {
        let now = after.get(scorer);
        if before.get(scorer) != now {
            let value = (now.map(|(score, _)| *score), now.map(|(_, detail)| detail.clone()).unwrap_or_default());
            scores.insert((new.id.clone(), scorer.clone()), value);
        }
    }
}
