//! Which base image is better: other tags of the same repository, the registered bases and those that the user names, each
//! scanned and judged like any target.
//!
//! The one with the fewest violations wins; of equals the one with the fewest findings. An image of which less is known (no
//! advisories for its distribution, support that ended) is not called better for having fewer findings, nor is a registered base
//! that cannot stand in for the one in use (another distribution, no Python).

mod tags;

use std::collections::{BTreeMap, BTreeSet};

use assessment::comparison::compare;
use model::digest::Digest;
use model::finding::Severity;
use model::gap::{Gap, GapKind};
use model::package::PackageType;
use model::report::ScanReport;
use serde::Serialize;

use crate::error::{ScanError, whole};
use crate::inspect::InspectOptions;
use crate::pipeline::{JudgeOptions, scan};
use crate::source::{self, ListBounds, SourceIdentity, SourceOptions};
use crate::target::{Pattern, Reference, Target};

/// Which images are looked at besides the one in use.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// The most tags of the same repository; each is scanned.
    pub tags_max: usize,
    /// Also later major versions.
    pub major: bool,
    /// Images that the user names.
    pub also: Vec<Target>,
}

/// What was found out about the images that could be a base.
#[derive(Debug, Serialize)]
pub struct Advice {
    /// The one in use first, then in the order in which they were looked at.
    pub candidates: Vec<Candidate>,
    /// The best of them; none when that is the one in use.
    pub better: Option<usize>,
    /// What could not be looked for, as sentences.
    pub notes: Vec<String>,
}

/// An image that could be the base.
#[derive(Debug, Serialize)]
pub struct Candidate {
    /// As people write it.
    pub name: String,
    /// What it holds, or why that is not known.
    #[serde(flatten)]
    pub judged: Judged,
}

/// What is known of a candidate.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judged {
    /// It was scanned and judged.
    Scanned(Box<Summary>),
    /// It could not be.
    Failed {
        /// Why.
        error: String,
    },
}

/// A judged candidate in numbers.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// What its name stands for in its registry: the digest of its manifest or, of an image for several platforms, of their
    /// index. None for an image from elsewhere.
    pub digest: Option<Digest>,
    /// `debian 12`.
    pub distribution: Option<String>,
    /// How many packages it has.
    pub packages: usize,
    /// Findings that keep it from passing.
    pub violations: usize,
    /// All findings.
    pub findings: usize,
    /// Findings by severity.
    pub by_severity: BTreeMap<Severity, usize>,
    /// Findings of the image in use that it has not.
    pub fixes: usize,
    /// Findings that the image in use has not.
    pub brings: usize,
    /// What is less known of it than of the image in use; then it is not called better.
    pub unknown: Vec<Gap>,
    /// What a registered base has not that the one in use has: its distribution, a runtime, packages of an ecosystem; then it
    /// is not called better. Empty for other tags, and for what the user names.
    pub lacks: BTreeSet<String>,
}

/// Compares the image in use with others.
pub fn advise(
    current: &Target,
    wishes: &Wishes,
    options: &InspectOptions,
    judge: &JudgeOptions<'_>,
) -> Result<Advice, ScanError> {
    let (report, _) = scan(current, options, judge)?;
    let mut notes = Vec::new();
    if let Some(base) = &report.artifact.base {
        notes.push(format!("`{current}` is itself built on `{}`, which can be asked about in the same way", base.name));
    }
    let mut candidates = vec![Candidate {
        name: name(current),
        judged: Judged::Scanned(Box::new(summary(current, &report, &report, &options.source))),
    }];
    let tags = others(current, wishes, options, &mut notes).into_iter();
    let asked = tags.chain(wishes.also.iter().cloned()).map(|target| (target, false));
    for (target, is_registered) in asked.chain(registered(options).map(|target| (target, true))) {
        if candidates.iter().any(|candidate| candidate.name == name(&target)) {
            continue;
        }
        let judged = match scan(&target, options, judge) {
            Ok((other, _)) => {
                let mut summary = summary(&target, &other, &report, &options.source);
                if is_registered {
                    summary.lacks = offers(&report).difference(&offers(&other)).cloned().collect();
                }
                Judged::Scanned(Box::new(summary))
            }
            Err(error) => Judged::Failed { error: whole(&error) },
        };
        candidates.push(Candidate { name: name(&target), judged });
    }
    let better = better(&candidates);
    Ok(Advice { candidates, better, notes })
}

/// As people write it: where a registry's image is from needs no saying.
fn name(target: &Target) -> String {
    match target {
        Target::Image(reference) | Target::Registry(reference) => reference.familiar(),
        other => other.to_string(),
    }
}

/// Other tags of the repository that an image is from, the newest version first.
fn others(current: &Target, wishes: &Wishes, options: &InspectOptions, notes: &mut Vec<String>) -> Vec<Target> {
    let (Target::Image(reference) | Target::Registry(reference)) = current else {
        notes.push(format!("`{current}` is in no registry, so there are no other tags of it"));
        return Vec::new();
    };
    let Some(tag) = reference.tag().filter(|_| wishes.tags_max > 0) else {
        notes.push(format!("`{current}` has no tag, so no other can be like it"));
        return Vec::new();
    };
    if options.source.offline {
        notes.push(format!("other tags of `{current}` are not looked for: `--offline` forbids the network"));
        return Vec::new();
    }
    let all = ListBounds { images_max: usize::MAX, tags_max: usize::MAX };
    let pattern = format!("registry:{}/{}:*", reference.registry(), reference.repository());
    let listed =
        Pattern::parse(&pattern).and_then(Result::ok).map(|pattern| source::list(&pattern, all, &options.source));
    let references: Vec<Reference> = match listed {
        Some(Ok(listing)) => listing.references,
        Some(Err(error)) => {
            notes.push(format!("other tags of `{current}` are not known: {error}"));
            return Vec::new();
        }
        None => return Vec::new(),
    };
    let names: Vec<&str> = references.iter().filter_map(Reference::tag).collect();
    let (chosen, left_out) = tags::alternatives(tag, &names, wishes.major, wishes.tags_max);
    if left_out > 0 {
        notes.push(format!("{left_out} older tags like `{tag}` are left out; `--candidates N` looks at more"));
    }
    let is_chosen = |reference: &&Reference| reference.tag().is_some_and(|tag| chosen.contains(&tag));
    references.iter().filter(is_chosen).cloned().map(Target::Registry).collect()
}

/// The registered bases whose names say where they are; others were named for people only.
fn registered(options: &InspectOptions) -> impl Iterator<Item = Target> {
    let references = options.bases.bases.iter().filter_map(|base| base.name.parse::<Reference>().ok());
    references.filter(|reference| reference.tag().is_some()).map(Target::Image)
}

/// What is built on an image without being packaged for it: a distribution, runtimes, the packages of an ecosystem.
fn offers(report: &ScanReport) -> BTreeSet<String> {
    let distro = report.inventory.distro.iter().map(|distro| distro.id.clone());
    let others = report.inventory.packages.iter().filter(|package| !package.kind.is_os());
    let others = others.map(|package| match &package.kind {
        PackageType::Other(kind) if kind == "generic" => package.name.clone(),
        kind => format!("{} packages", kind.as_str()),
    });
    distro.chain(others).collect()
}

/// What a name stands for in the registry that it is from.
fn digest(target: &Target, options: &SourceOptions) -> Option<Digest> {
    match source::identify(target, options).ok()?.identity {
        SourceIdentity::Manifest { digest, .. } => Some(digest),
        SourceIdentity::Files { .. } | SourceIdentity::Engine { .. } => None,
    }
}

fn summary(target: &Target, report: &ScanReport, current: &ScanReport, options: &SourceOptions) -> Summary {
    let compared = compare(&report.inventory, &report.findings, current);
    let mut by_severity = BTreeMap::new();
    for finding in &report.findings {
        *by_severity.entry(finding.severity).or_default() += 1;
    }
    let is_blind = |gap: &&Gap| {
        matches!(gap.kind, GapKind::NoCoverage | GapKind::UnknownDistribution | GapKind::EndOfLife | GapKind::Stale)
    };
    let blind = |report: &ScanReport| report.gaps.iter().filter(is_blind).cloned().collect::<Vec<Gap>>();
    let known = blind(current);
    let unknown = blind(report).into_iter().filter(|gap| !known.iter().any(|other| other.kind == gap.kind));
    let distro = report.inventory.distro.as_ref();
    Summary {
        digest: digest(target, options),
        distribution: distro.map(|distro| match &distro.version_id {
            Some(version) => format!("{} {version}", distro.id),
            None => distro.id.clone(),
        }),
        packages: report.inventory.packages.len(),
        violations: report.verdict.iter().flat_map(|verdict| verdict.denials()).count(),
        findings: report.findings.len(),
        by_severity,
        fixes: compared.gone.len(),
        brings: compared.new.len(),
        unknown: unknown.collect(),
        lacks: BTreeSet::new(),
    }
}

/// The best candidate, unless none is better than the first.
fn better(candidates: &[Candidate]) -> Option<usize> {
    let rank = |candidate: &Candidate| match &candidate.judged {
        Judged::Scanned(summary) if summary.unknown.is_empty() && summary.lacks.is_empty() => {
            Some((summary.violations, summary.findings))
        }
        _ => None,
    };
    let now = candidates.first().and_then(|current| match &current.judged {
        Judged::Scanned(summary) => Some((summary.violations, summary.findings)),
        Judged::Failed { .. } => None,
    })?;
    let ranked = candidates.iter().enumerate().skip(1).filter_map(|(at, candidate)| Some((rank(candidate)?, at)));
    ranked.min().filter(|(best, _)| *best < now).map(|(_, at)| at)
}
