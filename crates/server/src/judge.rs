//! Judges an image from what is stored: its packages' findings, its own facts, the policies in force.

use std::collections::BTreeMap;
use std::sync::Arc;

use assessment::coverage::coverage;
use model::Timestamp;
use model::artifact::{Artifact, Origin};
use model::distro::Distro;
use model::ecosystem::ecosystem_of;
use model::finding::{Finding, Severity};
use model::gap::Gap;
use model::inventory::Inventory;
use model::package::{Package, PackageId};
use model::report::Knowledge as Known;
use model::surface::Surface;
use model::verdict::{Outcome, Stage, Verdict};
use policy::Subject;
use serde::{Deserialize, Serialize};

use crate::ServerError;
use crate::claim::{Claim, bare};
use crate::knowledge::Knowledge;
use crate::memory::Memory;

/// What judging needs of an image besides its packages' findings. Small, so that many can be judged in a second.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The artifact, without its history.
    pub artifact: Artifact,
    /// Its distribution.
    pub distro: Option<Distro>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// What it offers to an attacker.
    pub surface: Option<Surface>,
    /// One package of each ecosystem: what there must be advisories for.
    pub samples: Vec<Package>,
    /// How many packages it has.
    pub packages: usize,
}

impl Summary {
    /// As it is stored.
    pub(crate) fn read(text: &str) -> Result<Self, ServerError> {
        serde_json::from_str(text).map_err(|source| ServerError::Stored { what: "image summary", source })
    }

    /// Of a claim.
    pub(crate) fn of(claim: &Claim) -> Self {
        let distro = claim.inventory.distro.clone();
        let mut samples: BTreeMap<String, Package> = BTreeMap::new();
        for package in &claim.inventory.packages {
            let ecosystem = ecosystem_of(package, distro.as_ref());
            let ecosystem = ecosystem.unwrap_or_else(|| format!("{} {}", package.kind, package.name));
            samples.entry(ecosystem).or_insert_with(|| bare(package));
        }
        let mut artifact = claim.artifact.clone();
        artifact.history.clear();
        Self {
            artifact,
            distro,
            gaps: claim.inventory.gaps.clone(),
            surface: claim.inventory.surface.clone(),
            samples: samples.into_values().collect(),
            packages: claim.inventory.packages.len(),
        }
    }
}

/// What was concluded.
#[derive(Debug)]
pub(crate) struct Judged {
    /// The verdict; its findings are places in `findings`.
    pub verdict: Verdict,
    /// The findings, each with the number of its package.
    pub findings: Vec<(u32, Arc<Finding>)>,
}

impl Judged {
    /// The outcome as it is stored and told.
    pub(crate) fn outcome(&self) -> &'static str {
        match self.verdict.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::Unknown => "unknown",
        }
    }

    /// How many findings are of this severity.
    pub(crate) fn of(&self, severity: Severity) -> i64 {
        self.findings.iter().filter(|(_, finding)| finding.severity == severity).count() as i64
    }

    /// The vulnerabilities that keep it from passing.
    pub(crate) fn denied(&self) -> Vec<String> {
        let denied = self.verdict.denied_findings();
        let mut ids: Vec<String> = denied
            .iter()
            .filter_map(|at| self.findings.get(*at as usize))
            .map(|(_, finding)| finding.id.clone())
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }
}

/// Judges an image whose sets are given by their places.
pub(crate) fn judge(
    summary: &Summary,
    sets: &[(u32, u32)],
    memory: &Memory,
    knowledge: &Knowledge,
    now: Timestamp,
) -> Result<Judged, ServerError> {
    let mut inventory = Inventory {
        distro: summary.distro.clone(),
        packages: summary.samples.clone(),
        gaps: summary.gaps.clone(),
        surface: summary.surface.clone(),
    };
    let (covered, gaps) = coverage(&inventory, &knowledge.advisories(), now)?;
    let base_layers = summary.artifact.base.as_ref().and_then(|base| base.layer_count);
    let layer_count = summary.artifact.layers.len() as u32;
    let mut findings = Vec::new();
    for &(position, set) in sets {
        for &id in memory.members(set) {
            let own = memory.findings(id);
            if own.is_empty() {
                continue;
            }
            let Some(matched) = memory.package(id) else { continue };
            let layer = (position < layer_count).then_some(position);
            let origin = match (layer, base_layers) {
                (Some(layer), Some(count)) if layer < count => Origin::Base,
                (Some(_), Some(_)) => Origin::Application,
                _ => Origin::Unknown,
            };
            let place = PackageId(inventory.packages.len() as u32);
            inventory.packages.push(Package { layer, origin, ..matched.package.clone() });
            findings.extend(own.iter().map(|finding| (id, place, finding.clone())));
        }
    }
    for (place, package) in (0..).zip(&mut inventory.packages) {
        package.id = PackageId(place);
    }
    findings.sort_by(|a, b| (b.2.severity, &a.2.id, a.0).cmp(&(a.2.severity, &b.2.id, b.0)));
    let judged: Vec<Finding> =
        findings.iter().map(|(_, place, finding)| Finding { package: *place, ..(**finding).clone() }).collect();
    let known = Known {
        index: knowledge.index.digest(),
        as_of: knowledge.index.as_of()?.to_owned(),
        coverage: covered,
        private: knowledge.private.as_ref().map(|private| private.digest()),
    };
    let subject = Subject {
        artifact: &summary.artifact,
        inventory: &inventory,
        findings: &judged,
        gaps: &gaps,
        knowledge: Some(&known),
        comparison: None,
        workload: None,
    };
    let verdict = knowledge.policies.evaluate(Stage::Build, &subject, &knowledge.exceptions, now);
    Ok(Judged { verdict, findings: findings.into_iter().map(|(id, _, finding)| (id, finding)).collect() })
}
