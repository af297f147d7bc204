//! Reports on several targets: the summary for people, and what stands in a report's place where there is none.
//!
//! Each target has its own report in its own right. Here is only what nobody could read off one of them.

use model::finding::Finding;
use model::report::ScanReport;
use model::verdict::Outcome;
use serde::Serialize;

use crate::printable::printable;
use crate::table::by_severity;
use crate::table::page::{BAD, CARE, GOOD, PLAIN, Page, STRONG, piece};
use crate::words;

/// A target that could not be scanned. Nothing is known about it, and least of all that it is clean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unscanned {
    /// What the user asked for.
    pub target: String,
    /// What happened, with its causes.
    pub error: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// One line of the summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    target: String,
    outcome: RowOutcome,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowOutcome {
    Judged(Outcome),
    Inventory,
    Unscanned,
}

impl Row {
    /// What a report comes to.
    pub fn of(report: &ScanReport) -> Self {
        let outcome = report.verdict.as_ref().map_or(RowOutcome::Inventory, |v| RowOutcome::Judged(v.outcome));
        let gaps = report.inventory.gaps.len() + report.gaps.len();
        let mut parts = match outcome {
            RowOutcome::Inventory => vec![words::count(report.inventory.packages.len(), "package")],
            _ => vec![findings(&report.findings)],
        };
        if gaps > 0 {
            parts.push(words::count(gaps, "gap"));
        }
        Self { target: report.artifact.target.clone(), outcome, text: parts.join("; ") }
    }

    /// A target without a report.
    pub fn unscanned(unscanned: &Unscanned) -> Self {
        Self {
            target: unscanned.target.clone(),
            outcome: RowOutcome::Unscanned,
            text: printable(&unscanned.error).into_owned(),
        }
    }
}

fn findings(findings: &[Finding]) -> String {
    match by_severity(findings.iter()) {
        none if none.is_empty() => "no findings".into(),
        some => some,
    }
}

/// All targets, a line each, and how many came to what.
pub fn render_summary(rows: &[Row], columns: usize) -> String {
    let mut page = Page::new(columns.max(crate::table::COLUMNS_MIN));
    page.heading("Summary");
    for row in rows {
        let (word, style) = match row.outcome {
            RowOutcome::Judged(outcome @ Outcome::Passed) => (words::outcome(outcome), GOOD),
            RowOutcome::Judged(outcome @ Outcome::Failed) => (words::outcome(outcome), BAD),
            RowOutcome::Judged(outcome @ Outcome::Unknown) => (words::outcome(outcome), CARE),
            RowOutcome::Inventory => ("INVENTORY", STRONG),
            RowOutcome::Unscanned => ("ERROR", CARE),
        };
        let pieces = [piece(word, style).wide(9), piece(printable(&row.target), STRONG), piece(&row.text, PLAIN)];
        page.hanging(2, 13, &pieces);
    }
    page.blank();
    page.hanging(0, 2, &[piece(counts(rows), STRONG)]);
    page.finish()
}

/// `3 targets: 1 passed, 1 failed, 1 could not be scanned`.
pub fn counts(rows: &[Row]) -> String {
    let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
    let parts = [
        (count(RowOutcome::Judged(Outcome::Passed)), "passed"),
        (count(RowOutcome::Judged(Outcome::Failed)), "failed"),
        (count(RowOutcome::Judged(Outcome::Unknown)), "unknown"),
        (count(RowOutcome::Inventory), "not judged"),
        (count(RowOutcome::Unscanned), "could not be scanned"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    format!("{}: {}", words::count(rows.len(), "target"), parts.collect::<Vec<_>>().join(", "))
}
