//! The phrases that several formats share, so that they say the same.

use std::collections::{BTreeMap, HashMap};

use model::artifact::{Artifact, Container, Origin, WorkingTree};
use model::finding::{Finding, Fix, Severity};
use model::package::Package;
use model::report::{CoverageState, ScanReport};
use model::verdict::{Action, Outcome};

use crate::printable::{acts, printable};

/// `layer 2 of 7 (base image)`; empty where there are no layers.
pub(crate) fn layer(artifact: &Artifact, package: &Package) -> String {
    package.layer.map(|layer| layer_and_origin(artifact, layer, package.origin)).unwrap_or_default()
}

/// `layer 2 of 7 (base image)`.
pub(crate) fn layer_and_origin(artifact: &Artifact, layer: u32, origin: Origin) -> String {
    let number = layer_number(artifact, layer);
    match origin {
        Origin::Base => format!("{number} (base image)"),
        Origin::Application => format!("{number} (application)"),
        Origin::Unknown => number,
    }
}

/// `layer 2 of 7`: people count from 1.
pub(crate) fn layer_number(artifact: &Artifact, layer: u32) -> String {
    match artifact.layers.len() {
        0 => format!("layer {}", u64::from(layer) + 1),
        count => format!("layer {} of {count}", u64::from(layer) + 1),
    }
}

/// `fixed in 3.0.11-1~deb12u2`, `no fix known (needed)`, `will not be fixed (ignored)`.
pub(crate) fn fix(fix: &Fix) -> String {
    match fix {
        Fix::Available { versions } if versions.is_empty() => "fixed in a later version".into(),
        Fix::Available { versions } => format!("fixed in {}", versions.join(" or ")),
        Fix::None { status: Some(status) } => format!("no fix known ({status})"),
        Fix::None { status: None } => "no fix known".into(),
        Fix::Refused { status } => format!("will not be fixed ({status})"),
    }
}

/// `available`, `none`, `refused`: the fix's state, as the report calls it.
pub(crate) fn fix_state(fix: &Fix) -> &'static str {
    match fix {
        Fix::Available { .. } => "available",
        Fix::None { .. } => "none",
        Fix::Refused { .. } => "refused",
    }
}

/// The highest CVSS score that anybody gave.
pub(crate) fn highest_score(finding: &Finding) -> Option<f64> {
    finding.scores.iter().map(|score| score.score).max_by(f64::total_cmp)
}

/// What the reader of one finding should do.
pub(crate) fn recommendation(finding: &Finding, package: &Package) -> String {
    let name = matched_name(finding, package);
    match finding.fix.version() {
        Some(version) => format!("Upgrade {name} to {version} or later."),
        None => format!("{}: {}.", name, fix(&finding.fix)),
    }
}

/// The name that the fix is stated for: the source package where that was matched.
pub(crate) fn matched_name<'a>(finding: &'a Finding, package: &'a Package) -> &'a str {
    finding.matches.first().map_or(package.name.as_str(), |matched| matched.name.as_str())
}

/// A page about a vulnerability id: the first reference, else the page its own database has.
pub(crate) fn page(finding: &Finding) -> String {
    let is_page = |url: &&String| {
        let web = url.starts_with("https://") || url.starts_with("http://");
        web && !url.chars().any(|c| acts(c) || c.is_whitespace())
    };
    finding.references.iter().find(is_page).cloned().unwrap_or_else(|| page_of_id(&finding.id))
}

/// The page that an id's own database has about it. Ids are letters, digits and `-`; others are encoded.
pub(crate) fn page_of_id(id: &str) -> String {
    let encoded = percent_encoding::utf8_percent_encode(id, ID);
    if id.starts_with("CVE-") {
        format!("https://nvd.nist.gov/vuln/detail/{encoded}")
    } else if id.starts_with("GHSA-") {
        format!("https://github.com/advisories/{encoded}")
    } else {
        format!("https://osv.dev/vulnerability/{encoded}")
    }
}

const ID: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// The name of the database an id belongs to.
pub(crate) fn database_of_id(id: &str) -> &'static str {
    match id.split('-').next().unwrap_or(id) {
        "CVE" => "NVD",
        "GHSA" => "GitHub Advisory Database",
        "PYSEC" => "PyPI Advisory Database",
        "RUSTSEC" => "RustSec",
        "GO" => "Go Vulnerability Database",
        "DSA" | "DLA" | "DEBIAN" => "Debian Security Tracker",
        "USN" | "UBUNTU" => "Ubuntu CVE Tracker",
        "RHSA" | "RHBA" | "RHEA" => "Red Hat Security Data",
        _ => "OSV",
    }
}

/// `commit 0123456789ab on main, changed since`; none before the first commit.
pub(crate) fn commit(tree: &WorkingTree) -> Option<String> {
    let commit = printable(tree.commit.as_deref()?.get(..12)?).into_owned();
    let branch = tree.branch.iter().map(|branch| format!(" on {}", printable(branch))).collect::<String>();
    Some(format!("commit {commit}{branch}{}", if tree.dirty == Some(true) { ", changed since" } else { "" }))
}

/// The verdict in one word.
pub(crate) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "PASS",
        Outcome::Failed => "FAIL",
        Outcome::Unknown => "UNKNOWN",
    }
}

/// The action in one word.
pub(crate) fn action(action: Action) -> &'static str {
    match action {
        Action::Audit => "audit",
        Action::Warn => "warn",
        Action::Deny => "deny",
        Action::Quarantine => "quarantine",
    }
}

/// The origin in one word; empty when no base image was recognised.
pub(crate) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Base => "base",
        Origin::Application => "application",
        Origin::Unknown => "",
    }
}

/// `libssl3 3.0.9-1`.
pub(crate) fn name_and_version(package: &Package) -> String {
    format!("{} {}", package.name, package.version).trim_end().to_owned()
}

/// How many findings there are of each severity that occurs, worst first.
pub(crate) fn by_severity<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<(Severity, usize)> {
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.severity).or_default() += 1;
    }
    counts.into_iter().rev().collect()
}

/// Where knowledge is partial or missing, a sentence each. It stands beside the verdict, because a verdict without it would
/// read as more than it is.
pub(crate) fn partial_knowledge(report: &ScanReport) -> Vec<String> {
    let named = |state: CoverageState| {
        let coverage = report.knowledge.iter().flat_map(|knowledge| &knowledge.coverage);
        let names: Vec<&str> = coverage.filter(|c| c.state == state).map(|c| c.ecosystem.as_str()).collect();
        names.join(", ")
    };
    let sentence = |names: String, before: &str, after: &str| {
        (!names.is_empty()).then(|| format!("{before} advisories for {names}: {after}"))
    };
    let partial = sentence(named(CoverageState::Partial), "Partial", "no finding is no proof.");
    let none = sentence(named(CoverageState::None), "No", "these packages are not judged.");
    partial.into_iter().chain(none).collect()
}

/// The name people know the artifact by: its first name, else the target as written.
pub(crate) fn name(report: &ScanReport) -> &str {
    report.artifact.names.first().map_or(report.artifact.target.as_str(), String::as_str)
}

/// `1 finding`, `3 findings`.
pub(crate) fn count(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// `container web (running) of shop:1.4`.
pub(crate) fn container(container: &Container) -> String {
    let Container { name, state, image, .. } = container;
    format!("container {} ({}) of {}", printable(name), printable(state), printable(image))
}

/// What a VEX statement says: `not_affected: vulnerable_code_not_present, only used in tests`.
pub(crate) fn vex(vex: &model::vex::Vex) -> String {
    let reasons: Vec<&str> = [&vex.justification, &vex.statement].into_iter().flatten().map(String::as_str).collect();
    match reasons.is_empty() {
        true => vex.status.as_str().to_owned(),
        false => format!("{}: {}", vex.status.as_str(), reasons.join(", ")),
    }
}

/// Who says so and where: `by Rancher Security team, in vex/rancher.json`.
pub(crate) fn vex_source(vex: &model::vex::Vex) -> String {
    match vex.author.as_str() {
        "" => format!("by nobody it names, in {}", vex.document),
        author => format!("by {author}, in {}", vex.document),
    }
}

/// What somebody says of a finding, with who says so: `code_not_reachable: never called (said by …, in …)`.
pub(crate) fn vex_said(vex: &model::vex::Vex) -> String {
    let said = [vex.justification.as_deref(), vex.statement.as_deref()].into_iter().flatten().collect::<Vec<_>>();
    format!("{} (said {})", said.join(": "), vex_source(vex)).trim_start().to_owned()
}

/// Each vulnerability with its findings, both in the order of the findings.
pub(crate) fn by_vulnerability(findings: &[Finding]) -> Vec<(&str, Vec<&Finding>)> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut found: Vec<(&str, Vec<&Finding>)> = Vec::new();
    for finding in findings {
        let place = *places.entry(&finding.id).or_insert_with(|| {
            found.push((&finding.id, Vec::new()));
            found.len() - 1
        });
        found[place].1.push(finding);
    }
    found
}
