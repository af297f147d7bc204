//! GitLab's container scanning report (`gl-container-scanning-report.json`), schema 15.
//!
//! Source: GitLab, "Security report schemas", `container-scanning-report-format.json` 15.0.6. GitLab follows a vulnerability
//! by image, package and first identifier, so those stay the same from build to build. It has no word for "excused by an
//! exception": such findings are in the report and say so in their details.

use std::collections::HashMap;

use model::finding::{Finding, Severity};
use model::gap::Gap;
use model::package::Package;
use model::report::ScanReport;
use serde_json::{Value, json};

use crate::document::{pretty, uuid_from, without_nulls};
use crate::marks::Marks;
use crate::printable::printable;
use crate::words;

/// The schema that is written.
const VERSION: &str = "15.0.6";
/// The schema's bound on `name`.
const NAME_CHARS_MAX: usize = 255;
/// The schema's bound on `solution`.
const SOLUTION_CHARS_MAX: usize = 7000;
/// More links than this help nobody.
const LINKS_MAX: usize = 20;
/// Gaps that become messages: GitLab shows them all on one page.
const MESSAGES_MAX: usize = 100;

/// The report as GitLab reads it.
pub fn write(report: &ScanReport) -> String {
    let marks = Marks::of(report);
    // Two findings can have the same id and package (in two places); ids must differ all the same.
    let mut occurrences: HashMap<String, u32> = HashMap::new();
    let mut vulnerability = |(index, finding): (usize, &Finding)| {
        let package = report.inventory.package(finding.package);
        let path = package.evidence.first().map_or("", |evidence| evidence.path.as_str());
        let key = format!("{}\0{}\0{}\0{path}", finding.id, package.kind, package.name);
        let occurrence = occurrences.entry(key.clone()).and_modify(|count| *count += 1).or_insert(1);
        let id = uuid_from(&["gitlab", words::name(report), &key, &occurrence.to_string()]);
        self::vulnerability(report, &marks, index, id)
    };
    let document = json!({
        "version": VERSION,
        "schema": format!("https://gitlab.com/gitlab-org/security-products/security-report-schemas/-/raw/v{VERSION}/dist/container-scanning-report-format.json"),
        "scan": scan(report),
        "vulnerabilities": report.findings.iter().enumerate().map(&mut vulnerability).collect::<Vec<_>>(),
        "remediations": [],
    });
    pretty(&without_nulls(document))
}

fn scan(report: &ScanReport) -> Value {
    let program = json!({
        "id": report.tool.name,
        "name": "Dogwatch",
        "version": report.tool.version,
        "vendor": { "name": "Dogwatch" },
    });
    // The schema allows neither a zone nor a fraction.
    let moment = report.judged_at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    json!({
        "analyzer": program,
        "scanner": program,
        "type": "container_scanning",
        "start_time": moment,
        "end_time": moment,
        "status": "success",
        "messages": messages(report),
    })
}

/// What could not be seen, since GitLab would take silence for "clean".
fn messages(report: &ScanReport) -> Vec<Value> {
    let gaps: Vec<&Gap> = report.inventory.gaps.iter().chain(&report.gaps).collect();
    let warn = |text: String| json!({ "level": "warn", "value": text });
    let mut messages: Vec<Value> = gaps
        .iter()
        .take(MESSAGES_MAX)
        .map(|gap| warn(format!("{}: {}: {}", gap.kind.as_str(), printable(&gap.subject), printable(&gap.detail))))
        .collect();
    if let Some(rest) = gaps.len().checked_sub(MESSAGES_MAX).filter(|rest| *rest > 0) {
        messages.push(warn(format!("{rest} more gaps")));
    }
    messages
}

fn vulnerability(report: &ScanReport, marks: &Marks, index: usize, id: String) -> Value {
    let finding = &report.findings[index];
    let package = report.inventory.package(finding.package);
    let name = format!("{} in {}", finding.id, package.name);
    let summary = finding.summary.as_deref().map(printable);
    let description = format!(
        "{} is affected by {}, {}.",
        printable(&words::name_and_version(package)),
        printable(&finding.id),
        printable(&words::fix(&finding.fix)),
    );
    json!({
        "id": id,
        "name": cut(&printable(&name), NAME_CHARS_MAX),
        "description": summary.map_or_else(|| description.clone(), |summary| format!("{summary}\n\n{description}")),
        "severity": severity(finding.severity),
        "solution": cut(&printable(&words::recommendation(finding, package)), SOLUTION_CHARS_MAX),
        "identifiers": identifiers(finding),
        "links": links(finding),
        "location": location(report, package),
        "details": details(report, marks, index, package),
    })
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Unknown => "Unknown",
        Severity::Negligible => "Info",
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}

/// The id in force comes first: GitLab follows the vulnerability by it.
fn identifiers(finding: &Finding) -> Vec<Value> {
    let others = finding.ids.iter().filter(|id| **id != finding.id);
    let identifier = |id: &String| {
        let kind = id.split('-').next().unwrap_or_default().to_ascii_lowercase();
        let kind = if kind.is_empty() { "dogwatch".into() } else { kind };
        json!({ "type": printable(&kind), "name": printable(id), "value": printable(id), "url": words::page_of_id(id) })
    };
    std::iter::once(&finding.id).chain(others).filter(|id| !id.is_empty()).map(identifier).collect()
}

fn links(finding: &Finding) -> Vec<Value> {
    let pages = finding.references.iter().filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    pages.filter(|url| url.len() > "https://".len()).take(LINKS_MAX).map(|url| json!({ "url": url })).collect()
}

fn location(report: &ScanReport, package: &Package) -> Value {
    let distro = report.inventory.distro.as_ref().filter(|distro| !distro.id.is_empty());
    let system = distro.map(|distro| format!("{} {}", distro.id, distro.version_id.as_deref().unwrap_or_default()));
    let system = system.as_deref().map_or("Unknown", str::trim_end);
    json!({
        "dependency": { "package": { "name": package.name }, "version": package.version },
        "operating_system": printable(system),
        "image": if words::name(report).is_empty() { "Unknown" } else { words::name(report) },
    })
}

fn details(report: &ScanReport, marks: &Marks, index: usize, package: &Package) -> Value {
    let finding = &report.findings[index];
    let text = |name: &str, value: String| {
        let field = json!({ "name": name, "type": "text", "value": printable(&value) });
        (!value.is_empty()).then_some(field)
    };
    json!({
        "layer": text("Layer", words::layer(&report.artifact, package)),
        "path": text("Path", package.evidence.first().map(|evidence| evidence.path.clone()).unwrap_or_default()),
        "purl": text("Package URL", package.purl.clone()),
        "policy": text("Policy", marks.status(index).to_owned()),
        "exploited": text("Exploited", finding.kev.as_ref().map(|_| "known to be exploited (CISA KEV)".to_owned()).unwrap_or_default()),
        "epss": text("EPSS", finding.epss.map(|epss| format!("{:.1} % within 30 days", epss.score * 100.0)).unwrap_or_default()),
    })
}

/// At most this many characters.
fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}
