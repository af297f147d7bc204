//! The report for people.
//!
//! The verdict comes first, then what is wrong (worst first, by package), which policies object, what to do about it,
//! what a container changed, its attack surface, what is not known, and the counts. Long lists are cut with the number of
//! what is left out; nothing is left out silently. Colour is written as ANSI styles; the command strips them where nobody wants them.

mod advice;
mod changes;
mod findings;
pub(crate) mod page;
mod surface;

use std::collections::BTreeMap;

use model::Timestamp;
use model::finding::Finding;
use model::report::{CoverageState, Knowledge, ScanReport};
use model::verdict::Outcome;

use crate::printable::printable;
use crate::words;
use page::{BAD, CARE, FAINT, GOOD, PLAIN, Page, Piece, STRONG, piece};

/// Below this many columns lines overflow rather than break after every word.
pub(crate) const COLUMNS_MIN: usize = 60;

/// How the table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableOptions {
    /// The width of the terminal, in characters; at least 60 are used.
    pub columns: usize,
    /// List everything instead of cutting long lists.
    pub all: bool,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self { columns: 80, all: false }
    }
}

/// The report as lines of text with ANSI styles.
pub fn render(report: &ScanReport, options: TableOptions) -> String {
    let mut page = Page::new(options.columns.max(COLUMNS_MIN));
    header(&mut page, report);
    if report.knowledge.is_none() && report.verdict.is_none() {
        packages(&mut page, report);
    }
    findings::render(&mut page, report, options.all);
    advice::violations(&mut page, report);
    advice::remedies(&mut page, report, options.all);
    advice::exceptions(&mut page, report);
    advice::vex(&mut page, report);
    changes::render(&mut page, report, options.all);
    surface::render(&mut page, report, options.all);
    advice::gaps(&mut page, report, options.all);
    advice::comparison(&mut page, report, options.all);
    surface::growth(&mut page, report, options.all);
    counts(&mut page, report);
    page.finish()
}

fn header(page: &mut Page, report: &ScanReport) {
    let artifact = &report.artifact;
    let verdict = match report.verdict.as_ref().map(|verdict| verdict.outcome) {
        Some(outcome @ Outcome::Passed) => piece(words::outcome(outcome), GOOD),
        Some(outcome @ Outcome::Failed) => piece(words::outcome(outcome), BAD),
        Some(outcome @ Outcome::Unknown) => piece(words::outcome(outcome), CARE),
        None => piece("INVENTORY", STRONG),
    };
    let mut pieces = vec![verdict, piece(printable(&artifact.target), STRONG)];
    if let Some(digest) = artifact.manifest_digest.as_ref().or(artifact.image_id.as_ref()) {
        pieces.push(piece(format!("sha256:{}…", &digest.hex()[..12]), PLAIN));
    }
    pieces.extend(report.knowledge.as_ref().map(|knowledge| piece(age(knowledge, report.judged_at), PLAIN)));
    page.hanging(0, 6, &pieces);
    let mut facts: Vec<Piece<'_>> = Vec::new();
    if let Some(distro) = &report.inventory.distro {
        let plain = || format!("{} {}", distro.id, distro.version_id.as_deref().unwrap_or_default());
        let name = distro.pretty_name.clone().unwrap_or_else(plain);
        facts.push(piece(printable(name.trim()).into_owned(), PLAIN));
    }
    facts.extend(artifact.container.as_ref().map(|container| piece(words::container(container), PLAIN)));
    facts.extend(artifact.platform.as_deref().map(|platform| piece(printable(platform), PLAIN)));
    facts.extend(artifact.working_tree.iter().filter_map(words::commit).map(|commit| piece(commit, PLAIN)));
    facts.extend(artifact.base.as_ref().map(|base| piece(format!("on base {}", printable(&base.name)), PLAIN)));
    if !facts.is_empty() {
        page.hanging(6, 6, &facts);
    }
    partial(page, report);
}

/// `(advisories as of 2026-11-20, 2 days old)`.
fn age(knowledge: &Knowledge, judged_at: Timestamp) -> String {
    let day: String = knowledge.as_of.chars().take(10).collect();
    let day = printable(&day).into_owned();
    let Ok(as_of) = knowledge.as_of.parse::<Timestamp>() else { return format!("(advisories as of {day})") };
    let hours = judged_at.duration_since(as_of).as_hours();
    let age = match hours {
        ..1 => "less than an hour old".to_owned(),
        1..48 => format!("{} old", words::count(hours as usize, "hour")),
        _ => format!("{} days old", hours / 24),
    };
    format!("(advisories as of {day}, {age})")
}

/// Partial knowledge stands beside the verdict, because a verdict without it would read as more than it is.
fn partial(page: &mut Page, report: &ScanReport) {
    let coverage = report.knowledge.iter().flat_map(|knowledge| &knowledge.coverage);
    let named = |state: CoverageState| {
        let names: Vec<_> = coverage.clone().filter(|c| c.state == state).map(|c| printable(&c.ecosystem)).collect();
        names.join(", ")
    };
    let (partial, none) = (named(CoverageState::Partial), named(CoverageState::None));
    if !partial.is_empty() {
        page.hanging(
            6,
            6,
            &[piece("PARTIAL", CARE), piece(format!("advisories for {partial}: no finding is no proof"), PLAIN)],
        );
    }
    if !none.is_empty() {
        page.hanging(
            6,
            6,
            &[piece("NO", CARE), piece(format!("advisories for {none}: these packages are not judged"), PLAIN)],
        );
    }
}

fn packages(page: &mut Page, report: &ScanReport) {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for package in &report.inventory.packages {
        *kinds.entry(package.kind.as_str()).or_default() += 1;
    }
    page.heading("Packages");
    for (kind, count) in kinds {
        page.line(2, &[piece(printable(kind), PLAIN).wide(10), piece(format!("{count:>6}"), PLAIN)]);
    }
}

/// `2 critical, 3 high`, worst first.
pub(crate) fn by_severity<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> String {
    let counts =
        words::by_severity(findings).into_iter().map(|(severity, count)| format!("{count} {}", severity.as_str()));
    counts.collect::<Vec<_>>().join(", ")
}

/// The last lines: how much of everything, and how to learn more.
fn counts(page: &mut Page, report: &ScanReport) {
    let violated: std::collections::BTreeSet<&str> = report
        .verdict
        .iter()
        .flat_map(|verdict| verdict.denials())
        .map(|violation| violation.policy.as_str())
        .collect();
    let policies = if violated.len() == 1 { "1 policy".into() } else { format!("{} policies", violated.len()) };
    let severities = by_severity(report.findings.iter());
    let severities = if severities.is_empty() { severities } else { format!(" ({severities})") };
    let mut parts = Vec::new();
    if report.verdict.is_some() {
        parts.push(format!("{policies} violated"));
    }
    if report.knowledge.is_some() || !report.findings.is_empty() {
        parts.push(format!("{}{severities}", words::count(report.findings.len(), "finding")));
    }
    parts.push(words::count(report.inventory.packages.len(), "package"));
    parts.push(words::count(report.inventory.gaps.len() + report.gaps.len(), "gap"));
    page.blank();
    page.hanging(0, 2, &[piece(parts.join(", "), STRONG)]);
    if let Some(first) = report.findings.first() {
        let (target, id) = (printable(&report.artifact.target), printable(&first.id));
        let hint = format!("hint: `dogwatch scan {target} --explain {id}` shows the evidence");
        page.hanging(0, 2, &[piece(hint, FAINT)]);
    }
}
