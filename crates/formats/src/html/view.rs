//! What the page shows, in the order it shows it: strings ready to be escaped.

use std::borrow::Cow;
use std::collections::BTreeSet;

use model::finding::{Finding, Severity};
use model::gap::Gap;
use model::package::Package;
use model::report::{Coverage, CoverageState, ScanReport};
use model::verdict::{Action, Outcome};
use serde::Serialize;

use crate::marks::Marks;
use crate::printable::printable;
use crate::words;

#[derive(Serialize)]
pub(super) struct Page<'a> {
    target: Cow<'a, str>,
    outcome: &'static str,
    /// The same as a class of the style sheet.
    outcome_class: &'static str,
    /// What limits the verdict.
    partial: Vec<String>,
    facts: Vec<(&'static str, String)>,
    counts: Vec<(&'static str, usize)>,
    findings_count: usize,
    hidden: u64,
    knowledge: Vec<Knowledge<'a>>,
    as_of: Option<String>,
    comparison: Option<Comparison>,
    objections: Vec<Objection<'a>>,
    remedies: Vec<Remedy>,
    exceptions: Vec<Exception<'a>>,
    layers: Vec<(u32, String)>,
    findings: Vec<Row<'a>>,
    gaps: Vec<GapRow<'a>>,
    packages: Vec<PackageRow<'a>>,
    tool: String,
    judged_at: String,
}

#[derive(Serialize)]
struct Knowledge<'a> {
    ecosystem: Cow<'a, str>,
    state: &'static str,
    records: u64,
    newest: String,
    note: Cow<'a, str>,
}

#[derive(Serialize)]
struct Comparison {
    with: String,
    new: usize,
    unchanged: u32,
    gone: Vec<String>,
}

#[derive(Serialize)]
struct Objection<'a> {
    action: &'static str,
    policy: Cow<'a, str>,
    rationale: Cow<'a, str>,
    remediation: Cow<'a, str>,
    count: usize,
    excused: usize,
}

#[derive(Serialize)]
struct Remedy {
    title: String,
    layer: String,
    removes: String,
    violations: u32,
    severity: &'static str,
}

#[derive(Serialize)]
struct Exception<'a> {
    id: Cow<'a, str>,
    who: Cow<'a, str>,
    why: Cow<'a, str>,
    until: Cow<'a, str>,
    state: String,
    count: u32,
}

#[derive(Serialize)]
struct Row<'a> {
    severity: &'static str,
    /// For sorting: 0 is unknown.
    rank: u8,
    source: Cow<'a, str>,
    id: Cow<'a, str>,
    others: String,
    url: String,
    package: Cow<'a, str>,
    version: Cow<'a, str>,
    kind: Cow<'a, str>,
    fix_state: &'static str,
    fix: String,
    layer: Option<u32>,
    layer_text: String,
    score: String,
    epss: String,
    exploited: bool,
    status: &'static str,
    new: bool,
    summary: Cow<'a, str>,
    path: Cow<'a, str>,
    purl: Cow<'a, str>,
    range: Cow<'a, str>,
}

#[derive(Serialize)]
struct GapRow<'a> {
    kind: &'static str,
    subject: Cow<'a, str>,
    detail: Cow<'a, str>,
    layer: String,
}

#[derive(Serialize)]
struct PackageRow<'a> {
    name: Cow<'a, str>,
    version: Cow<'a, str>,
    kind: Cow<'a, str>,
    licenses: String,
    layer: String,
    path: Cow<'a, str>,
}

impl<'a> Page<'a> {
    pub(super) fn of(report: &'a ScanReport) -> Self {
        let (outcome, outcome_class) = match report.verdict.as_ref().map(|verdict| verdict.outcome) {
            Some(Outcome::Passed) => ("Passed", "passed"),
            Some(Outcome::Failed) => ("Failed", "failed"),
            Some(Outcome::Unknown) => ("Could not tell", "unknown"),
            None => ("Inventory", "inventory"),
        };
        let day = |time: &str| time.chars().take(10).collect::<String>();
        let counts = words::by_severity(&report.findings);
        Self {
            target: printable(words::name(report)),
            outcome,
            outcome_class,
            partial: words::partial_knowledge(report).iter().map(|note| printable(note).into_owned()).collect(),
            facts: facts(report),
            counts: counts.into_iter().map(|(severity, count)| (severity.as_str(), count)).collect(),
            findings_count: report.findings.len(),
            hidden: report.hidden_findings,
            knowledge: knowledge(report),
            as_of: report.knowledge.as_ref().map(|knowledge| printable(&day(&knowledge.as_of)).into_owned()),
            comparison: report.comparison.as_ref().map(|comparison| Comparison {
                with: printable(&comparison.with).into_owned(),
                new: comparison.new.len(),
                unchanged: comparison.unchanged,
                gone: comparison.gone.iter().map(|gone| printable(gone).into_owned()).collect(),
            }),
            objections: objections(report),
            remedies: remedies(report),
            exceptions: exceptions(report),
            layers: layers(report),
            findings: findings(report),
            gaps: report.inventory.gaps.iter().chain(&report.gaps).map(|gap| self::gap(report, gap)).collect(),
            packages: report.inventory.packages.iter().map(|package| self::package(report, package)).collect(),
            tool: printable(&format!("{} {}", report.tool.name, report.tool.version)).into_owned(),
            judged_at: report.judged_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        }
    }
}

fn facts(report: &ScanReport) -> Vec<(&'static str, String)> {
    let artifact = &report.artifact;
    let distro = report.inventory.distro.as_ref();
    let plain =
        |distro: &model::distro::Distro| format!("{} {}", distro.id, distro.version_id.as_deref().unwrap_or_default());
    let system = distro.map(|distro| distro.pretty_name.clone().unwrap_or_else(|| plain(distro)));
    let facts = [
        ("Target", Some(artifact.target.clone()).filter(|target| target != words::name(report))),
        ("Digest", artifact.manifest_digest.as_ref().map(ToString::to_string)),
        ("Image id", artifact.image_id.as_ref().map(ToString::to_string)),
        ("System", system),
        ("Platform", artifact.platform.clone()),
        ("Base image", artifact.base.as_ref().map(|base| base.name.clone())),
        ("Packages", Some(report.inventory.packages.len().to_string())),
        ("Layers", Some(artifact.layers.len().to_string()).filter(|count| count != "0")),
    ];
    facts.into_iter().filter_map(|(name, fact)| Some((name, printable(&fact?).into_owned()))).collect()
}

fn knowledge<'a>(report: &'a ScanReport) -> Vec<Knowledge<'a>> {
    let row = |coverage: &'a Coverage| Knowledge {
        ecosystem: printable(&coverage.ecosystem),
        state: match coverage.state {
            CoverageState::None => "none",
            CoverageState::Partial => "partial",
            CoverageState::Complete => "complete",
        },
        records: coverage.records,
        newest: printable(&coverage.newest.chars().take(10).collect::<String>()).into_owned(),
        note: coverage.note.as_deref().map(printable).unwrap_or_default(),
    };
    report.knowledge.iter().flat_map(|knowledge| &knowledge.coverage).map(row).collect()
}

/// One line per policy and action, in the order of the first violation.
fn objections(report: &ScanReport) -> Vec<Objection<'_>> {
    let mut objections: Vec<Objection<'_>> = Vec::new();
    let mut position = std::collections::HashMap::new();
    for violation in report.verdict.iter().flat_map(|verdict| &verdict.violations) {
        let at = *position.entry((&violation.policy, violation.action)).or_insert_with(|| {
            objections.push(Objection {
                action: words::action(violation.action),
                policy: printable(&violation.policy),
                rationale: printable(&violation.rationale),
                remediation: violation.remediation.as_deref().map(printable).unwrap_or_default(),
                count: 0,
                excused: 0,
            });
            objections.len() - 1
        });
        objections[at].count += 1;
        objections[at].excused += usize::from(violation.excused_by.is_some());
    }
    let order = [Action::Quarantine, Action::Deny, Action::Warn, Action::Audit].map(words::action);
    objections.sort_by_key(|objection| order.iter().position(|action| *action == objection.action));
    objections
}

fn remedies(report: &ScanReport) -> Vec<Remedy> {
    let remedy = |remedy: &model::report::Remedy| Remedy {
        title: printable(&remedy.title).into_owned(),
        layer: remedy.layer.map(|layer| words::layer_number(&report.artifact, layer)).unwrap_or_default(),
        removes: words::count(remedy.removes.len(), "finding"),
        violations: remedy.violations,
        severity: remedy.severity.as_str(),
    };
    report.remedies.iter().map(remedy).collect()
}

fn exceptions(report: &ScanReport) -> Vec<Exception<'_>> {
    let exceptions = report.verdict.iter().flat_map(|verdict| &verdict.exceptions);
    exceptions
        .map(|exception| Exception {
            id: printable(&exception.id),
            who: printable(&exception.who),
            why: printable(&exception.why),
            until: printable(&exception.until),
            state: format!("{:?}", exception.state).to_lowercase(),
            count: exception.count,
        })
        .collect()
}

/// The layers that have findings, for the filter.
fn layers(report: &ScanReport) -> Vec<(u32, String)> {
    let of_findings = report.findings.iter().filter_map(|finding| report.inventory.package(finding.package).layer);
    let numbers: BTreeSet<u32> = of_findings.collect();
    let name = |layer: u32| {
        let origin = report.artifact.layers.get(layer as usize).map_or_else(Default::default, |layer| layer.origin);
        words::layer_and_origin(&report.artifact, layer, origin)
    };
    numbers.into_iter().map(|layer| (layer, name(layer))).collect()
}

fn findings(report: &ScanReport) -> Vec<Row<'_>> {
    let marks = Marks::of(report);
    report.findings.iter().enumerate().map(|(index, finding)| row(report, &marks, index, finding)).collect()
}

fn row<'a>(report: &'a ScanReport, marks: &Marks, index: usize, finding: &'a Finding) -> Row<'a> {
    let package = report.inventory.package(finding.package);
    let others: Vec<&str> = finding.ids.iter().map(String::as_str).filter(|id| *id != finding.id).collect();
    Row {
        severity: finding.severity.as_str(),
        rank: rank(finding.severity),
        source: finding.severity_source.as_deref().map(printable).unwrap_or_default(),
        id: printable(&finding.id),
        others: printable(&others.join(", ")).into_owned(),
        url: words::page(finding),
        package: printable(&package.name),
        version: printable(&package.version),
        kind: printable(package.kind.as_str()),
        fix_state: words::fix_state(&finding.fix),
        fix: printable(&words::fix(&finding.fix)).into_owned(),
        layer: package.layer,
        layer_text: words::layer(&report.artifact, package),
        score: words::highest_score(finding).map(|score| format!("{score:.1}")).unwrap_or_default(),
        epss: finding.epss.map(|epss| format!("{:.1}", epss.score * 100.0)).unwrap_or_default(),
        exploited: finding.kev.is_some(),
        status: marks.status(index),
        new: marks.is_new(index),
        summary: finding.summary.as_deref().map(printable).unwrap_or_default(),
        path: package.evidence.first().map(|evidence| printable(&evidence.path)).unwrap_or_default(),
        purl: printable(&package.purl),
        range: finding.matches.first().map(|matched| printable(&matched.range)).unwrap_or_default(),
    }
}

fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Unknown => 0,
        Severity::Negligible => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

fn gap<'a>(report: &ScanReport, gap: &'a Gap) -> GapRow<'a> {
    GapRow {
        kind: gap.kind.as_str(),
        subject: printable(&gap.subject),
        detail: printable(&gap.detail),
        layer: gap.layer.map(|layer| words::layer_number(&report.artifact, layer)).unwrap_or_default(),
    }
}

fn package<'a>(report: &ScanReport, package: &'a Package) -> PackageRow<'a> {
    PackageRow {
        name: printable(&package.name),
        version: printable(&package.version),
        kind: printable(package.kind.as_str()),
        licenses: printable(&package.licenses.join(", ")).into_owned(),
        layer: words::layer(&report.artifact, package),
        path: package.evidence.first().map(|evidence| printable(&evidence.path)).unwrap_or_default(),
    }
}
