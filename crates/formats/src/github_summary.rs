//! Markdown for a GitHub job summary (`$GITHUB_STEP_SUMMARY`), also fit for a merge request's comment.
//!
//! The verdict comes first, then what to do about it, then the findings that a policy objects to, then the gaps. GitHub
//! refuses a summary of more than 1 MiB, so lists are cut and what is left out is counted.

use std::fmt::Write as _;

use model::report::ScanReport;
use model::verdict::{Action, Outcome};

use crate::marks::Marks;
use crate::printable::printable;
use crate::several::Unscanned;
use crate::{markdown, words};

/// Rows of a table. A row has at most a dozen shortened strings, so that all of them stay far below GitHub's 1 MiB.
const ROWS_MAX: usize = 100;
/// Things to do: more than this nobody does at once.
const REMEDIES_MAX: usize = 10;
/// Gaps that are listed.
const GAPS_MAX: usize = 50;

/// The report as Markdown.
pub fn write(report: &ScanReport) -> String {
    let mut text = String::new();
    heading(&mut text, report);
    counts(&mut text, report);
    objections(&mut text, report);
    remedies(&mut text, report);
    findings(&mut text, report);
    gaps(&mut text, report);
    footer(&mut text, report);
    text
}

/// A target that could not be scanned.
pub fn write_unscanned(unscanned: &Unscanned) -> String {
    format!("## ⚠️ NOT SCANNED: {}\n\n{}\n", safe(&unscanned.target), safe(&unscanned.error))
}

/// Strangers' text in a cell or line.
fn safe(text: &str) -> String {
    markdown::escape(&printable(text))
}

fn heading(text: &mut String, report: &ScanReport) {
    let (mark, outcome) = match report.verdict.as_ref().map(|verdict| verdict.outcome) {
        Some(outcome @ Outcome::Passed) => ("✅", words::outcome(outcome)),
        Some(outcome @ Outcome::Failed) => ("❌", words::outcome(outcome)),
        Some(outcome @ Outcome::Unknown) => ("⚠️", words::outcome(outcome)),
        None => ("📦", "INVENTORY"),
    };
    let _ = writeln!(text, "## {mark} {outcome}: {}\n", safe(words::name(report)));
    let artifact = &report.artifact;
    let mut facts = Vec::new();
    facts.extend(artifact.manifest_digest.as_ref().or(artifact.image_id.as_ref()).map(|digest| format!("`{digest}`")));
    facts.extend(report.inventory.distro.as_ref().and_then(|distro| distro.pretty_name.as_deref()).map(safe));
    facts.extend(artifact.platform.as_deref().map(safe));
    facts.extend(artifact.base.as_ref().map(|base| format!("on base {}", safe(&base.name))));
    facts.push(words::count(report.inventory.packages.len(), "package"));
    let _ = writeln!(text, "{}\n", facts.join(" · "));
    for note in words::partial_knowledge(report) {
        let _ = writeln!(text, "> {}\n", safe(&note));
    }
}

fn counts(text: &mut String, report: &ScanReport) {
    let counts = words::by_severity(&report.findings);
    if counts.is_empty() {
        if report.knowledge.is_some() {
            text.push_str("No findings.\n\n");
        }
        return;
    }
    let names: Vec<&str> = counts.iter().map(|(severity, _)| severity.as_str()).collect();
    let numbers: Vec<String> = counts.iter().map(|(_, count)| count.to_string()).collect();
    let _ =
        writeln!(text, "| {} |\n|{}\n| {} |\n", names.join(" | "), " ---: |".repeat(names.len()), numbers.join(" | "));
    if let Some(comparison) = &report.comparison {
        let (new, gone) = (comparison.new.len(), comparison.gone.len());
        let with = safe(&comparison.with);
        let _ = writeln!(text, "Since {with}: **{new} new**, {} unchanged, {gone} gone.\n", comparison.unchanged);
    }
}

/// What policies say of the whole image; what they say of findings is in the table.
fn objections(text: &mut String, report: &ScanReport) {
    let violations = report.verdict.iter().flat_map(|verdict| &verdict.violations);
    let of_image = violations.filter(|v| v.finding.is_none() && v.excused_by.is_none() && v.action >= Action::Warn);
    let lines: Vec<String> = of_image
        .take(ROWS_MAX)
        .map(|v| format!("- **{} {}**: {}\n", words::action(v.action), safe(&v.policy), safe(&v.rationale)))
        .collect();
    if !lines.is_empty() {
        let _ = writeln!(text, "{}", lines.concat());
    }
}

fn remedies(text: &mut String, report: &ScanReport) {
    if report.remedies.is_empty() {
        return;
    }
    text.push_str("### Do this first\n\n");
    for remedy in report.remedies.iter().take(REMEDIES_MAX) {
        let removes = words::count(remedy.removes.len(), "finding");
        let layer = remedy.layer.map(|layer| format!(", in {}", words::layer_number(&report.artifact, layer)));
        let denied = match remedy.violations {
            0 => String::new(),
            count => format!(" and {}", words::count(count as usize, "violation")),
        };
        let title = safe(&remedy.title);
        let _ = writeln!(text, "1. {title} (removes {removes}{denied}{})", layer.unwrap_or_default());
    }
    let rest = report.remedies.len().saturating_sub(REMEDIES_MAX);
    let more = if rest > 0 { format!("\n… and {rest} more.\n\n") } else { "\n".to_owned() };
    text.push_str(&more);
}

fn findings(text: &mut String, report: &ScanReport) {
    let marks = Marks::of(report);
    let of_concern = |index: &usize| marks.is_denied(*index) || marks.is_warned(*index) || marks.is_new(*index);
    let (first, others): (Vec<usize>, Vec<usize>) = (0..report.findings.len()).partition(of_concern);
    for (title, rows, folded) in [("Findings that a policy objects to", first, false), ("Other findings", others, true)]
    {
        if rows.is_empty() {
            continue;
        }
        let title =
            if folded || !marks.is_comparison() { title } else { "Findings that are new or that a policy objects to" };
        match folded {
            true => _ = writeln!(text, "<details><summary>{title} ({})</summary>\n", rows.len()),
            false => _ = writeln!(text, "### {title}\n"),
        }
        text.push_str("| severity | id | package | fix | layer | policy |\n|---|---|---|---|---|---|\n");
        rows.iter().take(ROWS_MAX).for_each(|index| text.push_str(&row(report, &marks, *index)));
        let rest = rows.len().saturating_sub(ROWS_MAX);
        if rest > 0 {
            let _ = writeln!(text, "\n… and {rest} more.");
        }
        text.push_str(if folded { "\n</details>\n\n" } else { "\n" });
    }
}

fn row(report: &ScanReport, marks: &Marks, index: usize) -> String {
    let finding = &report.findings[index];
    let package = report.inventory.package(finding.package);
    let exploited = if finding.kev.is_some() { " 🔥 exploited" } else { "" };
    let new = if marks.is_new(index) { " new" } else { "" };
    format!(
        "| {}{exploited} | [{}]({}) | {} | {} | {} | {}{new} |\n",
        finding.severity.as_str(),
        safe(&finding.id),
        // Parentheses would end the link.
        words::page(finding).replace(['(', ')', ' ', '<', '>', '|', '\n', '\r'], ""),
        safe(&words::name_and_version(package)),
        safe(&words::fix(&finding.fix)),
        words::layer(&report.artifact, package),
        marks.status(index),
    )
}

fn gaps(text: &mut String, report: &ScanReport) {
    let all: Vec<_> = report.inventory.gaps.iter().chain(&report.gaps).collect();
    if all.is_empty() {
        return;
    }
    let _ = writeln!(text, "<details><summary>Not known: {}</summary>\n", words::count(all.len(), "gap"));
    for gap in all.iter().take(GAPS_MAX) {
        let _ = writeln!(text, "- **{}** {}: {}", gap.kind.as_str(), safe(&gap.subject), safe(&gap.detail));
    }
    let rest = all.len().saturating_sub(GAPS_MAX);
    let more = if rest > 0 { format!("- … and {rest} more\n") } else { String::new() };
    let _ = writeln!(text, "{more}\n</details>\n");
}

fn footer(text: &mut String, report: &ScanReport) {
    let knowledge = report.knowledge.as_ref();
    let advisories = knowledge.map(|knowledge| format!(", advisories as of {}", safe(&knowledge.as_of)));
    let version = safe(&report.tool.version);
    let _ = writeln!(text, "<sub>Dogwatch {version}, {}{}</sub>", report.judged_at, advisories.unwrap_or_default());
}
