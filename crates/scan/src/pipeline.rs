//! The main flow.

use advisories::{Combined, Index};
use assessment::comparison::compare;
use assessment::coverage::coverage;
use assessment::remedy::remedies;
use assessment::subject::with_named_digests;
use assessment::vulnerability::{AssessOptions, assess};
use model::Timestamp;
use model::report::{Knowledge, SCAN_REPORT_VERSION, ScanReport, Tool};
use model::verdict::Stage;
use policy::{Exceptions, Filter, PolicySet, Subject};

use crate::error::ScanError;
use crate::inspect::{InspectOptions, Inspection, inspect};
use crate::target::Target;
use crate::vex::{self, Vex};

/// What judging needs besides what was found.
#[derive(Debug)]
pub struct JudgeOptions<'a> {
    /// The knowledge to judge with.
    pub index: &'a Index,
    /// The organisation's own advisories, which are asked too.
    pub private: Option<&'a Index>,
    /// Whose scores are preferred.
    pub assess: AssessOptions,
    /// The policies in force.
    pub policies: &'a PolicySet,
    /// What they are excused from.
    pub exceptions: &'a Exceptions,
    /// What others say about findings.
    pub vex: &'a Vex,
    /// Which findings are shown and count.
    pub filter: &'a Filter,
    /// An earlier report: then only what is new counts.
    pub compare_to: Option<&'a ScanReport>,
    /// The moment of judgement.
    pub now: Timestamp,
}

/// Answers "may this ship, why not, and what helps most?" for one target.
pub fn scan(
    target: &Target,
    options: &InspectOptions,
    judge: &JudgeOptions<'_>,
) -> Result<(ScanReport, Inspection), ScanError> {
    let inspection = inspect(target, options)?; // touches; each layer is read once, ever
    let vex = judge.vex.with_attached.then(|| vex::attached(judge.vex, target, &inspection.artifact, &options.source));
    let judge = JudgeOptions { vex: vex.as_ref().unwrap_or(judge.vex), assess: judge.assess.clone(), ..*judge };
    let report = judge_inspection(&inspection, &judge)?; // reads the mapped index, and thinks
    Ok((report, inspection))
}

/// Judges what was found with today's knowledge. Nothing is fetched or read again.
pub fn judge_inspection(inspection: &Inspection, options: &JudgeOptions<'_>) -> Result<ScanReport, ScanError> {
    let Inspection { artifact, inventory, .. } = inspection;
    let advisories = Combined::new(options.index, options.private);
    let (covered, mut gaps) = coverage(inventory, &advisories, options.now)?;
    let inventory = &*with_named_digests(artifact, inventory, &advisories)?;
    let mut assessment = assess(inventory, &advisories, &options.assess)?;
    gaps.append(&mut assessment.gaps);
    let (mut findings, hidden): (Vec<_>, Vec<_>) =
        assessment.findings.into_iter().partition(|finding| options.filter.admits(finding));
    options.vex.statements.stand_beside(&mut findings, artifact, inventory);
    gaps.extend(options.vex.gaps.iter().cloned());
    let knowledge = Knowledge {
        index: options.index.digest(),
        as_of: options.index.as_of()?.to_owned(),
        coverage: covered,
        private: options.private.map(Index::digest),
    };
    let mut report = ScanReport {
        findings,
        gaps,
        hidden_findings: hidden.len() as u64,
        knowledge: Some(knowledge),
        inventory: inventory.clone(),
        ..inventory_report(inspection, options.now)
    };
    report.comparison = options.compare_to.map(|before| compare(inventory, &report.findings, before));
    let verdict = options.policies.evaluate(Stage::Build, &Subject::of(&report), options.exceptions, options.now);
    report.remedies = remedies(artifact, inventory, &report.findings, &verdict.denied_findings());
    report.verdict = Some(verdict);
    Ok(report)
}

/// A report that stops after the inventory: no knowledge, no findings, no verdict.
pub fn inventory_report(inspection: &Inspection, now: Timestamp) -> ScanReport {
    ScanReport {
        schema_version: SCAN_REPORT_VERSION,
        tool: Tool { name: "dogwatch".into(), version: env!("CARGO_PKG_VERSION").into() },
        judged_at: now,
        artifact: inspection.artifact.clone(),
        inventory: inspection.inventory.clone(),
        knowledge: None,
        findings: Vec::new(),
        hidden_findings: 0,
        gaps: Vec::new(),
        remedies: Vec::new(),
        verdict: None,
        comparison: None,
        changes: inspection.changes.clone(),
    }
}
