//! Judges what is behind, a few images at a time, and tells what changed of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::finding::{Finding, Fix};
use portfolio::change::{Change, RiskFact};
use rayon::prelude::*;
use store::ImageRow;

use crate::ServerError;
use crate::conclude::Conclusion;
use crate::documents::reported;
use crate::memory::{Event, Memory};
use crate::portfolio::{Portfolio, Turn};
use crate::tell::stored;
use crate::workloads::Workload;

/// How many images are judged in one write. Uploads wait for no longer than that.
const BATCH: i64 = 500;

impl Portfolio {
    /// Judges some of what is behind; returns how many images.
    pub async fn reconcile(&self) -> Result<usize, ServerError> {
        let (mut turn, mut write) = self.begin().await?;
        let images = write.take_behind(BATCH).await?;
        if images.is_empty() {
            turn.writer.memory.forget_events();
            turn.keep();
            return Ok(0);
        }
        let ids: Vec<u32> = images.iter().map(|image| image.id).collect();
        let mut sets: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
        for (image, position, set) in write.sets_of(&ids).await? {
            sets.entry(image).or_default().push((position, set));
        }
        let all: Vec<(u32, u32)> = sets.values().flatten().copied().collect();
        self.load_packages(&mut turn, &all).await?;
        let digests: Vec<&str> = images.iter().map(|image| image.digest.as_str()).collect();
        let mut running: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for row in write.running_images(&digests).await? {
            running.entry(row.image_digest.clone()).or_default().extend(reported(&[row]));
        }
        let concluded = conclude_all(&turn, images, &sets, &running, (self.clock)())?;
        let mut changes = Vec::new();
        for (image, now) in &concluded {
            let sets = sets.get(&image.id).map_or(&[][..], Vec::as_slice);
            let mut told = findings_changed(image, sets, &turn.writer.memory);
            told.extend(self.changes_of(image, now).await?);
            changes.extend(told.into_iter().map(|mut change| {
                crossing(&mut change, now.threshold);
                stored(image.id, &now.state.owner, &change)
            }));
        }
        let count = concluded.len();
        self.write_conclusions(&turn, &mut write, concluded).await?;
        write.changes(&changes).await?;
        turn.commit(write).await?;
        Ok(count)
    }

    /// Lets every image fall behind.
    pub async fn judge_all_again(&self, because: &str) -> Result<u64, ServerError> {
        let mut write = self.store.write(self.now()).await?;
        let count = write.all_fall_behind(because).await?;
        write.commit().await?;
        Ok(count)
    }

    /// Judges until nothing is behind.
    pub async fn reconcile_all(&self) -> Result<usize, ServerError> {
        let mut count = 0;
        loop {
            match self.reconcile().await? {
                0 => return Ok(count),
                some => count += some,
            }
        }
    }
}

/// Judging is pure, so all processors help.
fn conclude_all(
    turn: &Turn<'_>,
    images: Vec<ImageRow>,
    sets: &BTreeMap<u32, Vec<(u32, u32)>>,
    running: &BTreeMap<String, Vec<(String, Workload)>>,
    now: model::Timestamp,
) -> Result<Vec<(ImageRow, Conclusion)>, ServerError> {
    let conclude = |image: ImageRow| {
        let sets = sets.get(&image.id).map_or(&[][..], Vec::as_slice);
        let running = running.get(&image.digest).map_or(&[][..], Vec::as_slice);
        let conclusion = turn.writer.conclude(&image, sets, running, now)?;
        Ok((image, conclusion))
    };
    images.into_par_iter().map(conclude).collect()
}

/// What became of an image's findings since it was judged: one change for each vulnerability, whatever the number of packages.
fn findings_changed(image: &ImageRow, sets: &[(u32, u32)], memory: &Memory) -> Vec<Change> {
    let mut by_vulnerability: BTreeMap<&str, Vec<(u32, &Event)>> = BTreeMap::new();
    for &(_, set) in sets {
        for &package in memory.members(set) {
            for event in memory.events(package, image.judged_at) {
                by_vulnerability.entry(&event.vulnerability).or_default().push((package, event));
            }
        }
    }
    let mut changes = Vec::new();
    for (vulnerability, events) in by_vulnerability {
        let mut first: BTreeMap<u32, Option<&Arc<Finding>>> = BTreeMap::new();
        let mut last: BTreeMap<u32, Option<&Arc<Finding>>> = BTreeMap::new();
        let mut events = events;
        events.sort_by_key(|(package, event)| (*package, event.at));
        for (package, event) in &events {
            first.entry(*package).or_insert(event.before.as_ref());
            last.insert(*package, event.after.as_ref());
        }
        let purls = |of: &BTreeMap<u32, Option<&Arc<Finding>>>| -> Vec<String> {
            let packages = of.iter().filter(|(_, finding)| finding.is_some()).map(|(package, _)| *package);
            packages.filter_map(|package| Some(memory.package(package)?.package.purl.clone())).collect()
        };
        let (before, after) = (first.values().flatten().next(), last.values().flatten().next());
        let digest = || image.digest.clone();
        match (before, after) {
            (None, Some(finding)) => changes.push(Change::FindingFound {
                image: digest(),
                vulnerability: vulnerability.to_owned(),
                packages: purls(&last),
                severity: finding.severity.as_str().into(),
                score: crate::tell::score(finding),
                fixed_in: match &finding.fix {
                    Fix::Available { versions } => versions.clone(),
                    _ => Vec::new(),
                },
            }),
            (Some(_), None) => changes.push(Change::FindingGone {
                image: digest(),
                vulnerability: vulnerability.to_owned(),
                packages: purls(&first),
            }),
            (Some(before), Some(after)) => changes.extend(risk_changes(&image.digest, vulnerability, before, after)),
            (None, None) => {}
        }
    }
    changes
}

/// How the risk of a vulnerability changed, per scorer.
fn risk_changes(image: &str, vulnerability: &str, before: &Finding, after: &Finding) -> Vec<Change> {
    let changed = |what, scorer: String, from: Option<f64>, to: Option<f64>| {
        (from != to).then(|| Change::RiskChanged {
            image: image.to_owned(),
            vulnerability: vulnerability.to_owned(),
            what,
            scorer,
            from,
            to,
            crossed: None,
        })
    };
    let scores = |finding: &Finding| -> BTreeMap<String, f64> {
        finding.scores.iter().map(|score| (format!("{} {}", score.scorer, score.version), score.score)).collect()
    };
    let (old, new) = (scores(before), scores(after));
    let scorers: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut changes: Vec<Change> = scorers
        .into_iter()
        .filter_map(|scorer| {
            changed(RiskFact::Score, scorer.clone(), old.get(scorer).copied(), new.get(scorer).copied())
        })
        .collect();
    let rank = |finding: &Finding| Some(f64::from(finding.severity as u8));
    let source = after.severity_source.clone().unwrap_or_default();
    changes.extend(changed(RiskFact::Severity, source, rank(before), rank(after)));
    let epss = |finding: &Finding| finding.epss.map(|epss| epss.score);
    changes.extend(changed(RiskFact::Epss, "EPSS".into(), epss(before), epss(after)));
    let kev = |finding: &Finding| finding.kev.as_ref().map(|_| 1.0);
    changes.extend(changed(RiskFact::Kev, "KEV".into(), kev(before), kev(after)));
    changes
}

/// Notes the threshold that a score crossed.
fn crossing(change: &mut Change, threshold: Option<f64>) {
    if let (Change::RiskChanged { what: RiskFact::Score, from, to, crossed, .. }, Some(threshold)) = (change, threshold)
    {
        let above = |score: &Option<f64>| score.is_some_and(|score| score >= threshold);
        *crossed = (above(from) != above(to)).then_some(threshold);
    }
}
