//! Workflow commands that GitHub turns into annotations of a run: `::error title=…::…`.
//!
//! Source: GitHub, "Workflow commands for GitHub Actions", "Setting an error message". What a policy denies is an error,
//! what it warns of a warning. GitHub keeps ten of each per step and drops the rest without a word, so here the rest is
//! counted with the verdict. A file is named only for a scanned directory: an image's paths are not the repository's.

use std::collections::HashSet;

use model::artifact::ArtifactKind;
use model::report::ScanReport;
use model::verdict::{Action, Outcome, Violation};

use crate::printable::printable;
use crate::several::Unscanned;
use crate::words;

/// GitHub's bound on the annotations of each kind in one step.
const ANNOTATIONS_MAX: usize = 10;

/// The report as workflow commands, one a line; the last says the verdict.
pub fn write(report: &ScanReport) -> String {
    let violations = |acts: fn(Action) -> bool| {
        let all = report.verdict.iter().flat_map(|verdict| &verdict.violations);
        all.filter(move |violation| violation.excused_by.is_none() && acts(violation.action))
    };
    let (errors, denied) = annotations(report, "error", violations(|action| action >= Action::Deny));
    let (warnings, warned) = annotations(report, "warning", violations(|action| action == Action::Warn));
    let level = match report.verdict.as_ref().map(|verdict| verdict.outcome) {
        Some(Outcome::Failed) => "error",
        Some(Outcome::Unknown) => "warning",
        Some(Outcome::Passed) | None => "notice",
    };
    format!("{errors}{warnings}{}", command(level, None, "Dogwatch", &verdict(report, denied, warned)))
}

/// A target that could not be scanned.
pub fn write_unscanned(unscanned: &Unscanned) -> String {
    command("error", None, "Dogwatch", &format!("could not scan {}: {}", unscanned.target, unscanned.error))
}

/// The commands of one level, and how many things they stand for. What two policies say of one finding, and one advisory
/// of two packages with the same remedy, is said once.
fn annotations<'a>(
    report: &ScanReport,
    level: &str,
    violations: impl Iterator<Item = &'a Violation>,
) -> (String, usize) {
    let (mut text, mut said) = (String::new(), HashSet::new());
    for violation in violations {
        let finding = violation.finding.and_then(|index| report.findings.get(index as usize));
        let key = match finding {
            Some(finding) => {
                (finding.id.as_str(), words::recommendation(finding, report.inventory.package(finding.package)))
            }
            None => (violation.policy.as_str(), violation.rationale.clone()),
        };
        // One place is kept for the verdict.
        if said.insert(key) && said.len() < ANNOTATIONS_MAX {
            text.push_str(&annotation(report, level, violation));
        }
    }
    (text, said.len())
}

/// `FAIL shop:1.4: 12 denied, 3 warned of, 40 findings, 2 gaps`.
fn verdict(report: &ScanReport, denied: usize, warned: usize) -> String {
    let outcome = report.verdict.as_ref().map_or("INVENTORY", |verdict| words::outcome(verdict.outcome));
    let gaps = report.inventory.gaps.len() + report.gaps.len();
    format!(
        "{outcome} {}: {denied} denied, {warned} warned of, {}, {}",
        printable(words::name(report)),
        words::count(report.findings.len(), "finding"),
        words::count(gaps, "gap"),
    )
}

fn annotation(report: &ScanReport, level: &str, violation: &Violation) -> String {
    let finding = violation.finding.and_then(|index| report.findings.get(index as usize));
    let package = violation.package.or(finding.map(|finding| finding.package)).map(|id| report.inventory.package(id));
    let (title, message) = match (finding, package) {
        (Some(finding), Some(package)) => (
            format!("{} {} ({})", finding.severity.as_str(), finding.id, violation.policy),
            format!("{}: {}", words::name_and_version(package), words::recommendation(finding, package)),
        ),
        _ => (violation.policy.clone(), violation.rationale.clone()),
    };
    let directory = report.artifact.target.strip_prefix("dir:");
    let directory = directory.filter(|_| report.artifact.kind == ArtifactKind::Directory);
    let path = package.and_then(|package| package.evidence.first()).map(|evidence| evidence.path.as_str());
    // Only a path below the working directory can be one of the repository.
    let file = directory.filter(|directory| !directory.starts_with('/')).zip(path).map(|(directory, path)| {
        let path = path.split("!/").next().unwrap_or(path);
        format!("{directory}/{path}").trim_start_matches("./").to_owned()
    });
    command(level, file.as_deref(), &title, &message)
}

fn command(level: &str, file: Option<&str>, title: &str, message: &str) -> String {
    let file = file.map(|file| format!("file={},line=1,", property(file))).unwrap_or_default();
    format!("::{level} {file}title={}::{}\n", property(title), data(message))
}

/// The message of a command: `%` and line ends are encoded, and nothing in it acts.
fn data(text: &str) -> String {
    printable(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command: colons and commas would end it.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_a_command_or_begin_another() {
        let evil = "x::\n::set-output name=a::b,file=/etc/passwd%0A::stop-commands::now";
        let text = command("error", Some(evil), evil, evil);
        assert_eq!(text.lines().count(), 1);
        assert_eq!(text.matches("::set-output").count(), 1, "only in the message, where it is text: {text}");
        assert!(text.starts_with("::error file=x%3A%3A\\n%3A%3Aset-output"), "{text}");
        assert!(text.contains("%250A"), "{text}");
    }
}
