//! Why one finding is in the report: `--explain ID`.

use model::dependents::Dependents;
use model::finding::{Finding, Match};
use model::package::Package;
use model::report::ScanReport;
use model::verdict::Violation;

use crate::printable::printable;
use crate::table::page::{BAD, CARE, PLAIN, Page, STRONG, of_severity, piece};
use crate::{why, words};

/// Where explanations and their continuation lines begin.
const LABEL: usize = 14;
/// Symbols named; the report has them all.
const SYMBOLS_SHOWN: usize = 20;

/// Everything the report knows about a vulnerability, by any of its ids, without regard to case; one part per package
/// that has it. None when no finding has the id.
pub fn render(report: &ScanReport, id: &str, columns: usize) -> Option<String> {
    let has =
        |finding: &Finding| finding.ids.iter().chain([&finding.id]).any(|other| other.eq_ignore_ascii_case(id.trim()));
    let findings: Vec<(usize, &Finding)> =
        report.findings.iter().enumerate().filter(|(_, finding)| has(finding)).collect();
    let (_, first) = findings.first()?;
    let mut page = Page::new(columns.max(60));
    vulnerability(&mut page, first);
    let dependents = Dependents::of(&report.inventory);
    for (index, finding) in &findings {
        affected(&mut page, report, &dependents, *index, finding);
    }
    references(&mut page, first);
    Some(page.finish())
}

fn field(page: &mut Page, label: &str, text: &str) {
    page.hanging(2, LABEL + 2, &[piece(label, PLAIN).wide(LABEL - 2), piece(printable(text), PLAIN)]);
}

/// What holds wherever the vulnerability is.
fn vulnerability(page: &mut Page, finding: &Finding) {
    let severity = piece(finding.severity.as_str(), of_severity(finding.severity));
    let by = finding.severity_source.as_ref().map(|source| format!("by {}", printable(source)));
    page.line(0, &[piece(printable(&finding.id), STRONG), severity, piece(by.unwrap_or_default(), PLAIN)]);
    if let Some(summary) = &finding.summary {
        page.hanging(2, 2, &[piece(printable(summary), PLAIN)]);
    }
    field(page, "ids", &finding.ids.join(", "));
    if let Some(published) = &finding.published {
        field(page, "published", published);
    }
    for score in &finding.scores {
        let text = format!("CVSS {}  {:.1}  by {}  {}", score.version, score.score, score.scorer, score.vector);
        field(page, "score", text.trim_end());
    }
    match finding.epss {
        Some(epss) => {
            let (score, percentile) = (epss.score * 100.0, epss.percentile * 100.0);
            let mut text =
                format!("{score:.2} % within 30 days; {percentile:.1} % of vulnerabilities have this or less");
            if let Some(change) = epss.change {
                text.push_str(&format!("; {:+.2} points in about a month", change * 100.0));
            }
            field(page, "EPSS", &text);
        }
        None => field(page, "EPSS", "no estimate"),
    }
    match &finding.kev {
        Some(kev) => {
            let since = kev.date_added.as_deref().map(|date| format!(" since {}", printable(date))).unwrap_or_default();
            let ransomware = if kev.ransomware { ", also in ransomware campaigns" } else { "" };
            let text = format!("known to be exploited{since}{ransomware}");
            page.hanging(2, LABEL + 2, &[piece("KEV", PLAIN).wide(LABEL - 2), piece(text, BAD)]);
        }
        None => field(page, "KEV", "not in CISA's catalogue of known exploited vulnerabilities"),
    }
    if let Some(ssvc) = finding.ssvc {
        let automatable = if ssvc.automatable { "automatable" } else { "not automatable" };
        let (exploitation, impact) = (ssvc.exploitation.as_str(), ssvc.technical_impact.as_str());
        field(page, "SSVC", &format!("exploitation {exploitation}; {automatable}; technical impact {impact} (CISA)"));
    }
}

/// Why one package has it.
fn affected(page: &mut Page, report: &ScanReport, dependents: &Dependents<'_>, index: usize, finding: &Finding) {
    let package = report.inventory.package(finding.package);
    page.heading(&format!("{} {}", printable(&package.name), printable(&package.version)));
    field(page, "purl", &package.purl);
    if let Some(source) = &package.source {
        field(page, "source", &format!("built from {} {}", source.name, source.version));
    }
    evidence(page, report, package);
    for chain in why::beside_finding(report, dependents, package.id) {
        page.hanging(2, LABEL + 2, &[piece("brought by", PLAIN).wide(LABEL - 2), piece(chain, PLAIN)]);
    }
    finding.matches.iter().for_each(|matched| self::matched(page, matched));
    if !finding.symbols.is_empty() {
        let shown = finding.symbols.iter().take(SYMBOLS_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = finding.symbols.len().saturating_sub(SYMBOLS_SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        field(page, "in", &format!("{shown}{more}"));
    }
    let fix = words::fix(&finding.fix);
    page.hanging(2, LABEL + 2, &[piece("fix", PLAIN).wide(LABEL - 2), piece(printable(&fix).into_owned(), STRONG)]);
    if let Some(vex) = &finding.vex {
        field(page, "VEX", &words::vex(vex));
        field(page, "", &words::vex_source(vex));
    }
    let violations = report.verdict.iter().flat_map(|verdict| &verdict.violations);
    for violation in violations.filter(|violation| violation.finding == Some(index as u32)) {
        self::violation(page, violation);
    }
}

fn evidence(page: &mut Page, report: &ScanReport, package: &Package) {
    for evidence in &package.evidence {
        let layer = evidence.layer.map(|layer| format!(" in {}", words::layer_number(&report.artifact, layer)));
        let text = evidence.text.as_ref().map(|text| format!(" says `{text}`"));
        let (layer, text) = (layer.unwrap_or_default(), text.unwrap_or_default());
        field(page, "evidence", &format!("/{}{layer}{text}", evidence.path));
    }
    let Some(number) = package.layer else { return };
    let what = words::layer_and_origin(&report.artifact, number, package.origin);
    field(page, "brought by", &what);
    if let Some(layer) = report.artifact.layers.get(number as usize) {
        field(page, "", &layer.diff_id.to_string());
        layer.created_by.iter().for_each(|step| field(page, "", step));
    }
}

/// The comparison that made it match: `openssl 3.0.9-1 < fixed 3.0.11-1~deb12u2`.
fn matched(page: &mut Page, matched: &Match) {
    field(page, "advisory", &format!("{} from {} ({})", matched.advisory, matched.source, matched.ecosystem));
    // Of an image or layer the digest is both.
    if matched.name == matched.version {
        field(page, "digest", &matched.name);
        return;
    }
    let installed = format!("installed {} {}", matched.name, matched.version);
    match matched.fixed.first() {
        Some(fixed) => field(page, "version", &format!("{installed} < fixed {fixed}")),
        None => field(page, "version", &format!("{installed} is affected")),
    }
    field(page, "range", &matched.range);
}

fn violation(page: &mut Page, violation: &Violation) {
    let style = if violation.excused_by.is_some() { PLAIN } else { CARE };
    let excuse = violation.excused_by.as_ref().map(|id| format!("excused by {}", printable(id))).unwrap_or_default();
    let policy = format!("{} {}", words::action(violation.action), printable(&violation.policy));
    let rationale = format!("\"{}\"", printable(&violation.rationale));
    let pieces =
        [piece("policy", PLAIN).wide(LABEL - 2), piece(policy, style), piece(rationale, PLAIN), piece(excuse, PLAIN)];
    page.hanging(2, LABEL + 2, &pieces);
}

fn references(page: &mut Page, finding: &Finding) {
    if finding.references.is_empty() {
        return;
    }
    page.heading("Read");
    for url in &finding.references {
        page.line(2, &[piece(printable(url), PLAIN)]);
    }
}
