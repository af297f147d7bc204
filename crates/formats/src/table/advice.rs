//! What follows from the findings: violated policies, what to do, and what is not known.

use std::collections::BTreeMap;

use model::report::{Remedy, RemedyAction, ScanReport};
use model::verdict::{Action, ExceptionState, Violation};

use super::page::{BAD, CARE, FAINT, GOOD, PLAIN, Page, STRONG, piece};
use crate::printable::printable;
use crate::words;

/// Findings named for one policy; all of them are marked in the list above.
const IDS_MAX: usize = 5;
/// Remedies shown: the most useful one and what comes next.
const REMEDIES_MAX: usize = 3;
/// Packages named in one remedy.
const UPGRADES_MAX: usize = 8;
/// Gaps shown one by one.
const GAPS_MAX: usize = 10;
/// Findings shown as gone.
const GONE_MAX: usize = 10;

/// The policies that object, the strictest first, each with its reason.
pub(super) fn violations(page: &mut Page, report: &ScanReport) {
    let mut policies: BTreeMap<(std::cmp::Reverse<Action>, &str), Vec<&Violation>> = BTreeMap::new();
    let violations = report.verdict.iter().flat_map(|verdict| &verdict.violations);
    for violation in violations.filter(|violation| violation.excused_by.is_none()) {
        policies.entry((std::cmp::Reverse(violation.action), &violation.policy)).or_default().push(violation);
    }
    if policies.is_empty() {
        return;
    }
    page.heading("Policies");
    for ((action, policy), violations) in &policies {
        let style = if action.0 >= Action::Deny { BAD } else { CARE };
        let pieces = [
            piece(words::action(action.0), style).wide(10),
            piece(printable(policy), STRONG),
            piece(objects_to(report, violations), PLAIN),
        ];
        page.hanging(2, 14, &pieces);
        let Some(first) = violations.first() else { continue };
        page.hanging(14, 14, &[piece(format!("\"{}\"", printable(&first.rationale)), PLAIN)]);
        if let Some(remediation) = &first.remediation {
            page.hanging(14, 14, &[piece(printable(remediation), PLAIN)]);
        }
    }
}

/// `3 findings: CVE-2023-4911, CVE-2023-5363, …`, or `the artifact itself`.
fn objects_to(report: &ScanReport, violations: &[&Violation]) -> String {
    let findings = violations.iter().filter_map(|violation| violation.finding);
    let mut ids: Vec<&str> = Vec::new();
    let mut count = 0;
    for finding in findings.filter_map(|index| report.findings.get(index as usize)) {
        count += 1;
        if !ids.contains(&finding.id.as_str()) && ids.len() <= IDS_MAX {
            ids.push(&finding.id);
        }
    }
    if count == 0 {
        return "the artifact itself".into();
    }
    let mut shown: Vec<_> = ids.iter().take(IDS_MAX).map(|id| printable(id)).collect();
    if ids.len() > IDS_MAX {
        shown.push("…".into());
    }
    format!("{}: {}", words::count(count, "finding"), shown.join(", "))
}

/// The single most useful thing first.
pub(super) fn remedies(page: &mut Page, report: &ScanReport, all: bool) {
    let shown = if all { usize::MAX } else { REMEDIES_MAX };
    for (number, remedy) in report.remedies.iter().take(shown).enumerate() {
        match number {
            0 => page.heading("Do this first"),
            1 => page.heading("Then"),
            _ => {}
        }
        self::remedy(page, remedy);
    }
    let rest = report.remedies.get(shown.min(report.remedies.len())..).unwrap_or_default();
    if !rest.is_empty() {
        let count: usize = rest.iter().map(|remedy| remedy.removes.len()).sum();
        let text = format!("… and {} for {}", words::count(rest.len(), "more step"), words::count(count, "finding"));
        page.line(2, &[piece(text, FAINT)]);
    }
}

fn remedy(page: &mut Page, remedy: &Remedy) {
    page.line(2, &[piece(printable(&remedy.title), STRONG)]);
    let details = match &remedy.action {
        RemedyAction::UpgradeOsPackages { upgrades } => upgrades.as_slice(),
        RemedyAction::UpgradeDependency { brings, .. } => brings.as_slice(),
        _ => &[],
    };
    if !details.is_empty() {
        let mut names: Vec<_> = details.iter().take(UPGRADES_MAX).map(|name| printable(name)).collect();
        if details.len() > UPGRADES_MAX {
            names.push(format!("{} more", details.len() - UPGRADES_MAX).into());
        }
        page.hanging(4, 4, &[piece(names.join(", "), PLAIN)]);
    }
    let worst = remedy.severity.as_str();
    let mut text = format!("removes {} (worst: {worst})", words::count(remedy.removes.len(), "finding"));
    if matches!(remedy.action, RemedyAction::NoFix { .. }) {
        text = format!("concerns {} (worst: {worst})", words::count(remedy.removes.len(), "finding"));
    }
    if remedy.violations > 0 {
        text.push_str(&format!(" and {}", words::count(remedy.violations as usize, "violation")));
    }
    page.line(4, &[piece(text, PLAIN)]);
}

/// Exceptions that no longer hold say so; those that do are counted.
pub(super) fn exceptions(page: &mut Page, report: &ScanReport) {
    let exceptions = report.verdict.iter().flat_map(|verdict| &verdict.exceptions);
    let shown: Vec<_> =
        exceptions.filter(|exception| exception.state != ExceptionState::Unused || exception.count > 0).collect();
    if shown.is_empty() {
        return;
    }
    page.heading("Exceptions");
    for exception in shown {
        let until = printable(&exception.until);
        let violations = words::count(exception.count as usize, "violation");
        let (state, style, what) = match exception.state {
            ExceptionState::Applied => ("applied", PLAIN, format!("excuses {violations} until {until}")),
            ExceptionState::Expired => ("expired", CARE, format!("ended {until}; {violations} count again")),
            ExceptionState::Voided => {
                ("voided", CARE, format!("the accepted risk is exceeded; {violations} count again"))
            }
            ExceptionState::Unused => ("unused", FAINT, format!("nothing matched it; ends {until}")),
        };
        let why = format!("{}: \"{}\"", printable(&exception.who), printable(&exception.why));
        page.hanging(
            2,
            14,
            &[
                piece(state, style).wide(10),
                piece(printable(&exception.id), STRONG),
                piece(what, PLAIN),
                piece(why, PLAIN),
            ],
        );
    }
}

/// What VEX documents say, by who says it: what is left out of the count is told as loudly as what is in it.
pub(super) fn vex(page: &mut Page, report: &ScanReport) {
    let mut said: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
    for vex in report.findings.iter().filter_map(|finding| finding.vex.as_ref()) {
        *said.entry(words::vex_source(vex)).or_default().entry(vex.status.as_str()).or_default() += 1;
    }
    if said.is_empty() {
        return;
    }
    page.heading("VEX");
    let suppressed = report.findings.iter().filter(|finding| finding.suppressed_by().is_some()).count();
    let text = format!("{} said to be fixed or not affected", words::count(suppressed, "finding"));
    page.line(2, &[piece(text, if suppressed > 0 { CARE } else { PLAIN })]);
    let shown = said.iter().take(IDS_MAX);
    for (source, statuses) in shown {
        let counts: Vec<String> = statuses.iter().map(|(status, count)| format!("{count} {status}")).collect();
        page.hanging(4, 6, &[piece(counts.join(", "), PLAIN), piece(printable(source), PLAIN)]);
    }
    let rest = said.len().saturating_sub(IDS_MAX);
    if rest > 0 {
        page.line(4, &[piece(format!("… and {}; `-o json` shows them", words::count(rest, "more document")), FAINT)]);
    }
}

/// What could not be read or is not known. Never left out.
pub(super) fn gaps(page: &mut Page, report: &ScanReport, all: bool) {
    let gaps: Vec<_> = report.gaps.iter().chain(&report.inventory.gaps).collect();
    if gaps.is_empty() {
        return;
    }
    page.heading("Not known");
    let shown = if all { gaps.len() } else { GAPS_MAX.min(gaps.len()) };
    let (shown, rest) = gaps.split_at(shown);
    for gap in shown {
        let layer =
            gap.layer.map(|layer| format!(" ({})", words::layer_number(&report.artifact, layer))).unwrap_or_default();
        let text = format!("{}{layer}: {}", printable(&gap.subject), printable(&gap.detail));
        page.hanging(2, 6, &[piece(gap.kind.as_str(), CARE), piece(text, PLAIN)]);
    }
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    rest.iter().for_each(|gap| *kinds.entry(gap.kind.as_str()).or_default() += 1);
    if !kinds.is_empty() {
        let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        page.line(2, &[piece(format!("… and {} more: {}", rest.len(), kinds.join(", ")), CARE)]);
    }
}

/// What is new and gone since another report.
pub(super) fn comparison(page: &mut Page, report: &ScanReport, all: bool) {
    let Some(comparison) = &report.comparison else { return };
    page.heading(&format!("Since {}", printable(&comparison.with)));
    page.line(
        2,
        &[
            piece(format!("{} new", comparison.new.len()), if comparison.new.is_empty() { PLAIN } else { CARE }),
            piece(format!("{} unchanged", comparison.unchanged), PLAIN),
            piece(format!("{} gone", comparison.gone.len()), if comparison.gone.is_empty() { PLAIN } else { GOOD }),
        ],
    );
    let shown = if all { usize::MAX } else { GONE_MAX };
    for gone in comparison.gone.iter().take(shown) {
        page.line(4, &[piece("gone", GOOD), piece(printable(gone), PLAIN)]);
    }
    let rest = comparison.gone.len().saturating_sub(shown);
    if rest > 0 {
        page.line(4, &[piece(format!("… and {rest} more gone"), FAINT)]);
    }
}
