//! What follows from a judgement: an image's state, whose it and its layers are, and what changed of that.

use std::collections::HashMap;

use portfolio::change::Change;
use serde::{Deserialize, Serialize};
use store::{Filter, ImageRow, ImageState, Ownership, Write};

use crate::ServerError;
use crate::judge::{Judged, Summary, judge};
use crate::portfolio::{Portfolio, Turn, Writer, nobody};
use crate::workloads::Workload;

/// What an image is found to be.
#[derive(Debug)]
pub(crate) struct Conclusion {
    pub(crate) summary: Summary,
    pub(crate) judged: Judged,
    pub(crate) state: ImageState,
    /// The score from which on a change is told as crossing a line.
    pub(crate) threshold: Option<f64>,
}

impl Writer {
    /// Judges an image whose sets are given by their places, and that runs as reported. Pure.
    pub(crate) fn conclude(
        &self,
        image: &ImageRow,
        sets: &[(u32, u32)],
        running: &[(String, Workload)],
        now: model::Timestamp,
    ) -> Result<Conclusion, ServerError> {
        let summary = Summary::read(&image.summary)?;
        let judged = judge(&summary, sets, &self.memory, &self.knowledge, now)?;
        let documents = &self.documents;
        let owner = documents.owner_of(&summary.artifact, &image.name, running);
        let place = documents.place(&summary.artifact, &owner, running);
        let state = documents.state(&judged, &place, owner, &self.knowledge);
        let threshold = documents.threshold(&place);
        Ok(Conclusion { summary, judged, state, threshold })
    }
}

impl Portfolio {
    /// What a conclusion changes of what was known of an image.
    pub(crate) async fn changes_of(&self, before: &ImageRow, now: &Conclusion) -> Result<Vec<Change>, ServerError> {
        let (old, state) = (&before.state, &now.state);
        if old.outcome.is_empty() {
            let denied = now.judged.denied();
            return Ok(vec![Change::found(&before.digest, &before.name, now.judged.outcome(), denied, state.findings)]);
        }
        let mut changes = Vec::new();
        if (&old.owner.team, &old.owner.system) != (&state.owner.team, &state.owner.system) {
            changes.push(Change::OwnerChanged {
                image: before.digest.clone(),
                from: old.owner.team.clone(),
                to: state.owner.team.clone(),
                how: state.owner.how.clone(),
            });
        }
        if old.outcome == state.outcome {
            return Ok(changes);
        }
        changes.push(Change::VerdictChanged {
            image: before.digest.clone(),
            name: before.name.clone(),
            from: old.outcome.clone(),
            to: state.outcome.clone(),
            denied: now.judged.denied(),
            judged_before: old.judged_with.clone(),
            judged_now: state.judged_with.clone(),
        });
        if state.outcome == "failed" {
            // What its builder saw pass would not pass any more.
            let claims = self.store.claims(before.id, &Filter::default()).await?;
            changes.extend(claims.iter().rev().find(|claim| claim.outcome == "passed").map(|passed| {
                Change::ComplianceLost {
                    image: before.digest.clone(),
                    name: before.name.clone(),
                    passed_at: crate::tell::moment(passed.outcome_at),
                    passed_by: passed.claimed_by.clone(),
                    denied: now.judged.denied(),
                }
            }));
        }
        Ok(changes)
    }

    /// Writes down what images are found to be.
    pub(crate) async fn write_conclusions(
        &self,
        turn: &Turn<'_>,
        write: &mut Write,
        concluded: Vec<(ImageRow, Conclusion)>,
    ) -> Result<(), ServerError> {
        self.own_layers(turn, write, &concluded).await?;
        let states: Vec<_> = concluded.into_iter().map(|(image, now)| (image, now.state)).collect();
        Ok(write.judged(&states).await?)
    }

    /// Says whose the layers of images are: a rule's word first, else the owner of the image with the fewest layers that has it,
    /// which is the one that made it. That follows from documents and the image's own owner, so only images are looked at where
    /// one of them changed.
    async fn own_layers(
        &self,
        turn: &Turn<'_>,
        write: &mut Write,
        concluded: &[(ImageRow, Conclusion)],
    ) -> Result<(), ServerError> {
        let revision = crate::tell::moment(turn.writer.documents.revision);
        let concerned: HashMap<u32, &(ImageRow, Conclusion)> = concluded
            .iter()
            .filter(|(before, now)| {
                !before.state.judged_with.contains(&revision) || !before.state.owner.is_of_same(&now.state.owner)
            })
            .map(|image| (image.0.id, image))
            .collect();
        let ids: Vec<u32> = concerned.keys().copied().collect();
        // Layers with the team that has them and why; whether that is new, and whether it is their first.
        let mut owners: HashMap<u32, (Ownership, bool, bool)> = HashMap::new();
        for layer in write.layers_of(&ids).await? {
            let Some((image, now)) = concerned.get(&layer.image) else { continue };
            let known = Ownership { team: layer.team, how: layer.how, ..nobody() };
            let is_first = known.how.is_empty();
            let (known, is_new, _) = owners.entry(layer.layer).or_insert((known, false, is_first));
            let found = owner_of_layer(turn, image, now, &layer.diff_id, known);
            if let Some(found) = found.filter(|found| found.team != known.team || found.how != known.how) {
                *is_new |= found.team != known.team;
                *known = found;
            }
        }
        let owned: Vec<(String, &Ownership, bool)> = owners
            .iter()
            .filter(|(_, (_, is_new, _))| *is_new)
            .map(|(layer, (owner, _, is_first))| (format!("layer:{layer}"), owner, *is_first))
            .collect();
        Ok(write.own(&owned).await?)
    }
}

/// Whose a layer is by what one of its images says; none when that says nothing.
fn owner_of_layer(
    turn: &Turn<'_>,
    image: &ImageRow,
    now: &Conclusion,
    diff_id: &str,
    known: &Ownership,
) -> Option<Ownership> {
    let artifact = &now.summary.artifact;
    let base = artifact.base.as_ref();
    let base_layers = base.and_then(|base| base.layer_count).unwrap_or(0) as usize;
    let at = artifact.layers.iter().position(|layer| layer.diff_id.to_string() == diff_id);
    let base = base.filter(|_| at.is_some_and(|at| at < base_layers)).map(|base| base.name.as_str());
    if let Some(stated) = turn.writer.documents.owner_of_layer(diff_id, base) {
        return Some(stated);
    }
    let made: Option<Made> = serde_json::from_str(&known.how).ok();
    let count = artifact.layers.len();
    let owner = &now.state.owner;
    if owner.team.is_empty() || made.is_some_and(|made| count > made.layers) {
        return None;
    }
    let made = Made { made_by: image.digest.clone(), layers: count };
    let how = serde_json::to_string(&made).unwrap_or_default();
    Some(Ownership { team: owner.team.clone(), system: owner.system.clone(), how, ..nobody() })
}

/// Why a layer is somebody's where no rule says so.
#[derive(Debug, Serialize, Deserialize)]
struct Made {
    made_by: String,
    layers: usize,
}
