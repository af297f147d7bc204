//! SARIF 2.1.0, as code-scanning services read it.
//!
//! One rule per vulnerability id, one result per finding, gaps as notifications of the run. The limits and property
//! names (`security-severity`, `precision`, `tags`, `primaryLocationLineHash`) are those of GitHub's "SARIF support for
//! code scanning". Everything else is OASIS SARIF 2.1.0.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::finding::{Finding, Severity};
use model::gap::Gap;
use model::package::{Evidence, Package};
use model::report::ScanReport;
use model::verdict::{ExceptionUse, Outcome};
use model::vex::Vex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::document::{fingerprint, pretty, without_nulls};
use crate::printable::printable;
use crate::several::Unscanned;
use crate::{markdown, words};

/// Code scanning rejects a rule with more tags.
const TAGS_MAX: usize = 20;
/// Code scanning shows at most 100 locations; a few say where to look.
const LOCATIONS_MAX: usize = 10;
/// What all evidence paths are relative to.
const ROOT: &str = "ARTIFACT_ROOT";

/// Where the format is described, for a JSON reader.
macro_rules! schema {
    () => {
        "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    };
}

/// What precedes the runs of a log that is written run by run; they are separated by commas.
pub const LOG_HEAD: &str = concat!("{\"$schema\": \"", schema!(), "\", \"version\": \"2.1.0\", \"runs\": [\n");
/// What follows them.
pub const LOG_TAIL: &str = "]}\n";

/// The report as a SARIF log with one run.
pub fn write(report: &ScanReport) -> String {
    pretty(&json!({ "$schema": schema!(), "version": "2.1.0", "runs": [run(report)] }))
}

/// The report as one run of a log between [`LOG_HEAD`] and [`LOG_TAIL`].
pub fn write_run(report: &ScanReport) -> String {
    pretty(&run(report))
}

/// A target that could not be scanned: a run that was not successful and says why.
pub fn write_unscanned(unscanned: &Unscanned) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let text = message(&format!("{}: {}", printable(&unscanned.target), printable(&unscanned.error)));
    pretty(&json!({
        "tool": { "driver": { "name": "dogwatch", "version": version, "semanticVersion": version } },
        "automationDetails": { "id": format!("dogwatch/{}/", unscanned.target) },
        "invocations": [{
            "executionSuccessful": false,
            "exitCode": 2,
            "toolExecutionNotifications": [
                { "descriptor": { "id": "unscanned" }, "level": "error", "message": { "text": text } },
            ],
        }],
        "results": [],
        "properties": { "target": unscanned.target },
    }))
}

fn run(report: &ScanReport) -> Value {
    let rules = rules(report);
    let rule_index: HashMap<&str, usize> = rules.iter().enumerate().map(|(index, rule)| (rule.id, index)).collect();
    without_nulls(json!({
        "tool": { "driver": {
            "name": report.tool.name,
            "version": report.tool.version,
            "semanticVersion": report.tool.version,
            "rules": rules.iter().map(|rule| rule.descriptor(report)).collect::<Vec<_>>(),
        }},
        "automationDetails": { "id": format!("{}/{}/", report.tool.name, words::name(report)) },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": { ROOT: { "description": { "text": "The root of the scanned file tree." } } },
        "invocations": [invocation(report)],
        "versionControlProvenance": version_control(report),
        "results": results(report, &rule_index),
        "properties": run_properties(report),
    }))
}

/// Everything said about one vulnerability id.
struct Rule<'a> {
    id: &'a str,
    findings: Vec<&'a Finding>,
}

/// One rule per id, in the order of the findings: worst first.
fn rules(report: &ScanReport) -> Vec<Rule<'_>> {
    let mut rules: Vec<Rule<'_>> = Vec::new();
    let mut index: HashMap<&str, usize> = HashMap::new();
    for finding in &report.findings {
        let position = *index.entry(&finding.id).or_insert_with(|| {
            rules.push(Rule { id: &finding.id, findings: Vec::new() });
            rules.len() - 1
        });
        rules[position].findings.push(finding);
    }
    rules
}

impl Rule<'_> {
    fn descriptor(&self, report: &ScanReport) -> Value {
        let Some(worst) = self.findings.iter().max_by_key(|finding| finding.severity) else { return Value::Null };
        let packages: BTreeSet<&str> =
            self.findings.iter().map(|finding| report.inventory.package(finding.package).name.as_str()).collect();
        let packages = packages.into_iter().map(|name| printable(name)).collect::<Vec<_>>().join(", ");
        let summary = self.findings.iter().find_map(|finding| finding.summary.as_deref());
        let short = format!("{}: {}", printable(self.id), summary.map_or(packages.as_str().into(), printable));
        json!({
            "id": self.id,
            "name": "VulnerablePackage",
            "shortDescription": { "text": message(&short) },
            "fullDescription": { "text": message(&format!("{} affects {packages}.", printable(self.id))) },
            "helpUri": words::page(worst),
            "help": self.help(worst),
            "defaultConfiguration": { "level": level(worst.severity) },
            "properties": {
                "tags": self.tags(report),
                "precision": "very-high",
                "security-severity": security_severity(worst),
                "ids": worst.ids,
            },
        })
    }

    fn help(&self, worst: &Finding) -> Value {
        let mut lines = vec![format!("Ids: {}", worst.ids.join(", "))];
        lines.push(match &worst.severity_source {
            Some(source) => format!("Severity: {}, by {source}", worst.severity.as_str()),
            None => format!("Severity: {}", worst.severity.as_str()),
        });
        lines.extend(
            worst.scores.iter().map(|s| format!("CVSS {}: {:.1}, by {} {}", s.version, s.score, s.scorer, s.vector)),
        );
        lines.extend(worst.epss.map(|epss| format!("EPSS: {:.1} % within 30 days", epss.score * 100.0)));
        lines.extend(worst.kev.as_ref().map(|_| "Known to be exploited (CISA KEV)".to_owned()));
        let fixes: BTreeSet<String> = self.findings.iter().map(|finding| words::fix(&finding.fix)).collect();
        lines.extend(fixes);
        let lines: Vec<String> = lines.iter().map(|line| printable(line).into_owned()).collect();
        let markdown: Vec<String> = lines.iter().map(|line| format!("- {}", markdown::escape(line))).collect();
        json!({ "text": message(&lines.join("\n")), "markdown": message(&markdown.join("\n")) })
    }

    fn tags(&self, report: &ScanReport) -> Vec<String> {
        let mut tags = vec!["security".to_owned(), "vulnerability".to_owned()];
        if self.findings.iter().any(|finding| finding.kev.is_some()) {
            tags.push("known-exploited".into());
        }
        if self.findings.iter().any(|finding| finding.fix.version().is_some()) {
            tags.push("fix-available".into());
        }
        let kinds: BTreeSet<String> = self
            .findings
            .iter()
            .map(|finding| printable(report.inventory.package(finding.package).kind.as_str()).into_owned())
            .collect();
        tags.extend(kinds);
        tags.truncate(TAGS_MAX);
        tags
    }
}

fn results(report: &ScanReport, rule_index: &HashMap<&str, usize>) -> Vec<Value> {
    let new: Option<BTreeSet<u32>> =
        report.comparison.as_ref().map(|comparison| comparison.new.iter().copied().collect());
    let suppressions = suppressions(report);
    let mut occurrences: HashMap<String, u32> = HashMap::new();
    let mut result = |(index, finding): (usize, &Finding)| {
        let package = report.inventory.package(finding.package);
        let print = fingerprint_of(finding, package);
        let occurrence = occurrences.entry(print.clone()).and_modify(|count| *count += 1).or_insert(1);
        let index = index as u32;
        json!({
            "ruleId": finding.id,
            "ruleIndex": rule_index.get(finding.id.as_str()),
            "level": level(finding.severity),
            "message": { "text": message(&sentence(report, finding, package)) },
            "locations": locations(report, package),
            "partialFingerprints": {
                "primaryLocationLineHash": format!("{print}:{occurrence}"),
                "dogwatchFinding/v1": format!("{print}:{occurrence}"),
            },
            "baselineState": new.as_ref().map(|new| if new.contains(&index) { "new" } else { "unchanged" }),
            "suppressions": suppressions.get(&index),
            "properties": {
                "purl": package.purl,
                "severity": finding.severity,
                "fix": finding.fix,
                "epss": finding.epss.map(|epss| epss.score),
                "kev": finding.kev.is_some(),
                "vex": finding.vex,
                "layer": package.layer,
                "layerDiffId": package.layer.and_then(|layer| report.artifact.layers.get(layer as usize)).map(|layer| &layer.diff_id),
                "origin": package.origin,
            },
        })
    };
    report.findings.iter().enumerate().map(&mut result).collect()
}

/// `openssl 3.0.9-1 is affected by CVE-2023-5363 (high), fixed in 3.0.11-1~deb12u2. Found in layer 1 of 3 (base image).`
fn sentence(report: &ScanReport, finding: &Finding, package: &Package) -> String {
    let layer = words::layer(&report.artifact, package);
    let found = if layer.is_empty() { String::new() } else { format!(" Found in {layer}.") };
    format!(
        "{} {} is affected by {} ({}), {}.{found}",
        printable(&package.name),
        printable(&package.version),
        printable(&finding.id),
        finding.severity.as_str(),
        printable(&words::fix(&finding.fix)),
    )
}

/// What stays the same when the image is built again, also with the package in another version or layer, so that the
/// service follows one alert.
fn fingerprint_of(finding: &Finding, package: &Package) -> String {
    let path = package.evidence.first().map_or("", |evidence| evidence.path.as_str());
    fingerprint(&[&finding.id, package.kind.as_str(), &package.name, path])
}

fn locations(report: &ScanReport, package: &Package) -> Vec<Value> {
    let logical = json!([{ "fullyQualifiedName": package.purl, "name": package.name, "kind": "package" }]);
    let location = |uri: String, base: Option<&str>, evidence: Option<&Evidence>| {
        let layer =
            evidence.and_then(|evidence| evidence.layer).map(|layer| words::layer_number(&report.artifact, layer));
        json!({
            "physicalLocation": {
                "artifactLocation": { "uri": uri, "uriBaseId": base },
                "region": { "startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1 },
            },
            "logicalLocations": logical,
            "message": layer.map(|text| json!({ "text": text })),
        })
    };
    if package.evidence.is_empty() {
        return vec![location(relative_uri(&report.artifact.target), None, None)];
    }
    let evidence = package.evidence.iter().take(LOCATIONS_MAX);
    evidence.map(|evidence| location(relative_uri(&evidence.path), Some(ROOT), Some(evidence))).collect()
}

/// Unreserved characters of RFC 3986 and the separators that paths commonly hold. A colon is encoded: in a first
/// segment it would end a scheme.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b'!')
    .remove(b'@')
    .remove(b'+');

/// A relative URI that stays below its base: no empty, `.` or `..` segments.
fn relative_uri(path: &str) -> String {
    let kept = path.split('/').filter(|segment| !matches!(*segment, "" | "." | ".."));
    let uri = utf8_percent_encode(&kept.collect::<Vec<_>>().join("/"), PATH).to_string();
    if uri.is_empty() { ".".into() } else { uri }
}

fn invocation(report: &ScanReport) -> Value {
    let outcome = report.verdict.as_ref().map(|verdict| verdict.outcome);
    json!({
        "executionSuccessful": outcome != Some(Outcome::Unknown),
        "exitCode": outcome.map(|outcome| match outcome {
            Outcome::Passed => 0,
            Outcome::Failed => 1,
            Outcome::Unknown => 2,
        }),
        "endTimeUtc": report.judged_at,
        "toolExecutionNotifications": report.inventory.gaps.iter().chain(&report.gaps).map(notification).collect::<Vec<_>>(),
    })
}

fn notification(gap: &Gap) -> Value {
    json!({
        "descriptor": { "id": format!("gap/{}", gap.kind.as_str()) },
        "level": "warning",
        "message": { "text": message(&format!("{}: {}", printable(&gap.subject), printable(&gap.detail))) },
        "properties": { "kind": gap.kind, "subject": gap.subject, "layer": gap.layer },
    })
}

/// What suppresses findings: the exceptions and the VEX statement of those of which no violation counts.
fn suppressions(report: &ScanReport) -> BTreeMap<u32, Vec<Value>> {
    let verdict = report.verdict.as_ref();
    let by_id: HashMap<&str, &ExceptionUse> =
        verdict.iter().flat_map(|verdict| &verdict.exceptions).map(|e| (e.id.as_str(), e)).collect();
    let mut suppressions: BTreeMap<u32, Vec<Value>> = BTreeMap::new();
    let mut counting = BTreeSet::new();
    for violation in verdict.iter().flat_map(|verdict| &verdict.violations) {
        let Some(finding) = violation.finding else { continue };
        match violation.excused_by.as_deref().map(|id| by_id.get(id)) {
            Some(Some(exception)) => suppressions.entry(finding).or_default().push(of_exception(exception)),
            Some(None) => {}
            None => _ = counting.insert(finding),
        }
    }
    for (index, finding) in (0..).zip(&report.findings) {
        suppressions.entry(index).or_default().extend(finding.suppressed_by().map(of_vex));
    }
    suppressions.retain(|finding, excuses| !excuses.is_empty() && !counting.contains(finding));
    suppressions
}

fn of_exception(exception: &ExceptionUse) -> Value {
    let why =
        format!("{} ({}, until {})", printable(&exception.why), printable(&exception.who), printable(&exception.until));
    json!({ "kind": "external", "status": "accepted", "justification": why, "properties": { "exception": exception.id } })
}

fn of_vex(vex: &Vex) -> Value {
    let why = format!("{} ({})", printable(&words::vex(vex)), printable(&words::vex_source(vex)));
    json!({ "kind": "external", "status": "accepted", "justification": why, "properties": { "vex": vex } })
}

/// SARIF wants an address, so a working tree without one is not named here.
fn version_control(report: &ScanReport) -> Option<Value> {
    let tree = report.artifact.working_tree.as_ref()?;
    let address = tree.remote.as_deref().filter(|remote| remote.starts_with("https://"))?;
    let uri = utf8_percent_encode(address, PATH_OF_ADDRESS).to_string();
    Some(json!([{ "repositoryUri": uri, "revisionId": tree.commit, "branch": tree.branch }]))
}

/// What an address has anyway stays as it is.
const PATH_OF_ADDRESS: &AsciiSet = &PATH.remove(b':').remove(b'?').remove(b'=').remove(b'&').remove(b'%');

fn run_properties(report: &ScanReport) -> Value {
    json!({
        "verdict": report.verdict.as_ref().map(|verdict| verdict.outcome),
        "policies": report.verdict.as_ref().map(|verdict| &verdict.policies),
        "target": report.artifact.target,
        "names": report.artifact.names,
        "manifestDigest": report.artifact.manifest_digest,
        "imageId": report.artifact.image_id,
        "platform": report.artifact.platform,
        "base": report.artifact.base,
        "knowledge": report.knowledge,
    })
}

/// SARIF's three levels.
fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium | Severity::Unknown => "warning",
        Severity::Low | Severity::Negligible => "note",
    }
}

/// The number by which code scanning files a rule under critical (9.0 and more), high, medium or low. It is a CVSS score
/// that agrees with the severity in force; where a distribution judged otherwise than every score, one that stands for
/// its level. None when nobody has said.
fn security_severity(finding: &Finding) -> Option<String> {
    let stand_in = match finding.severity {
        Severity::Unknown => return None,
        Severity::Negligible => 0.0,
        Severity::Low => 2.0,
        Severity::Medium => 5.5,
        Severity::High => 8.0,
        Severity::Critical => 9.5,
    };
    let agreeing = finding.scores.iter().filter(|score| Severity::of_score(score.score) == finding.severity);
    let score = agreeing
        .map(|score| score.score)
        .fold(None, |best: Option<f64>, score| Some(best.map_or(score, |b| b.max(score))));
    Some(format!("{:.1}", score.unwrap_or(stand_in)))
}

/// Text for a `message.text`: brackets would be a link and braces a placeholder (SARIF 2.1.0, 3.11.5 and 3.11.6).
fn message(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '[' | ']' | '\\' => escaped.extend(['\\', c]),
            '{' | '}' => escaped.extend([c, c]),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_relative_uris_below_their_root() {
        for (path, expected) in [
            ("var/lib/dpkg/status", "var/lib/dpkg/status"),
            ("opt/a b#c?.jar!/d.jar", "opt/a%20b%23c%3F.jar!/d.jar"),
            ("c:/x", "c%3A/x"),
            ("/../../etc//passwd", "etc/passwd"),
            ("größe", "gr%C3%B6%C3%9Fe"),
            ("..", "."),
        ] {
            assert_eq!(relative_uri(path), expected);
        }
    }

    #[test]
    fn brackets_and_braces_are_text() {
        assert_eq!(message("[click](http://x) {0}"), r"\[click\](http://x) {{0}}");
    }
}
