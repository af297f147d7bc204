//! Findings by package: the binaries of one source package in one layer are one heading, since one upgrade mends them.

use std::collections::{BTreeSet, HashMap, HashSet};

use model::artifact::Origin;
use model::finding::{Finding, Severity};
use model::package::{Package, PackageType};
use model::report::ScanReport;

use super::by_severity;
use super::page::{BAD, CARE, FAINT, PLAIN, Page, Piece, STRONG, of_severity, piece};
use crate::marks::Marks;
use crate::printable::printable;
use crate::words;

/// Findings listed line by line before the rest is only counted: about two screens.
const ROWS_MAX: usize = 60;
/// Packages listed with counts only.
const QUIET_GROUPS_MAX: usize = 15;
/// Binary packages named in one heading.
const NAMES_MAX: usize = 4;
/// EPSS estimates below this say little to a reader in a hurry; `--explain` shows each.
const EPSS_SHOWN_MIN: f64 = 0.1;

/// What one heading stands for.
#[derive(PartialEq, Eq, Hash)]
struct Key<'a> {
    kind: &'a PackageType,
    name: &'a str,
    version: &'a str,
    layer: Option<u32>,
    origin: Origin,
}

struct Group<'a> {
    key: Key<'a>,
    /// The packages of the report that have a finding.
    names: BTreeSet<&'a str>,
    /// Indices into the report's findings, worst first, one per id.
    findings: Vec<usize>,
    ids: HashSet<&'a str>,
}

pub(super) fn render(page: &mut Page, report: &ScanReport, all: bool) {
    if report.findings.is_empty() {
        return;
    }
    let marks = Marks::of(report);
    let (loud, quiet): (Vec<_>, Vec<_>) = groups(report).into_iter().partition(|group| {
        all || group.findings.iter().any(|index| important(&marks, *index, &report.findings[*index]))
    });
    page.heading("Findings");
    let mut rows_left = if all { usize::MAX } else { ROWS_MAX };
    let mut cut: Vec<&Group<'_>> = Vec::new();
    for group in &loud {
        if rows_left == 0 {
            cut.push(group);
            continue;
        }
        heading(page, report, group);
        let shown: Vec<usize> = group
            .findings
            .iter()
            .copied()
            .filter(|index| all || important(&marks, *index, &report.findings[*index]))
            .take(rows_left)
            .collect();
        rows_left -= shown.len();
        shown.iter().for_each(|index| row(page, &marks, *index, &report.findings[*index]));
        let rest: Vec<&Finding> = group
            .findings
            .iter()
            .filter(|index| !shown.contains(index))
            .map(|index| &report.findings[*index])
            .collect();
        if !rest.is_empty() {
            page.line(4, &[piece(format!("… and {} more: {}", rest.len(), by_severity(rest.iter().copied())), FAINT)]);
        }
    }
    cut.extend(&quiet);
    summary(page, report, &cut, quiet.len() == cut.len());
}

/// Packages that get one line each, and a count of those that get none.
fn summary(page: &mut Page, report: &ScanReport, groups: &[&Group<'_>], less_urgent: bool) {
    if groups.is_empty() {
        return;
    }
    let findings = |group: &Group<'_>| by_severity(group.findings.iter().map(|index| &report.findings[*index]));
    page.blank();
    let title = match (less_urgent, report.comparison.is_some()) {
        (true, true) => "known before",
        (true, false) => "others",
        (false, _) => "further findings",
    };
    page.line(2, &[piece(title, STRONG)]);
    for group in groups.iter().take(QUIET_GROUPS_MAX) {
        let name = format!("{} {}", printable(group.key.name), printable(group.key.version));
        page.line(4, &[piece(name, PLAIN).wide(36), piece(findings(group), PLAIN)]);
    }
    let rest = groups.get(QUIET_GROUPS_MAX..).unwrap_or_default();
    if !rest.is_empty() {
        let count = rest.iter().map(|group| group.findings.len()).sum();
        let (findings, packages) = (words::count(count, "finding"), words::count(rest.len(), "more package"));
        page.line(4, &[piece(format!("… and {findings} in {packages}; `--all` or `-o json` shows them"), FAINT)]);
    }
}

/// Groups in the order of their worst finding.
fn groups(report: &ScanReport) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut position: HashMap<Key<'_>, usize> = HashMap::new();
    for (index, finding) in report.findings.iter().enumerate() {
        let package = report.inventory.package(finding.package);
        let at = *position.entry(key(package)).or_insert_with(|| {
            groups.push(Group { key: key(package), names: BTreeSet::new(), findings: Vec::new(), ids: HashSet::new() });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(at) {
            group.names.insert(&package.name);
            if group.ids.insert(&finding.id) {
                group.findings.push(index);
            }
        }
    }
    groups
}

fn key(package: &Package) -> Key<'_> {
    let (name, version) = match &package.source {
        Some(source) if package.kind.is_os() && !source.version.is_empty() => (&source.name, &source.version),
        _ => (&package.name, &package.version),
    };
    Key { kind: &package.kind, name, version, layer: package.layer, origin: package.origin }
}

fn heading(page: &mut Page, report: &ScanReport, group: &Group<'_>) {
    let mut pieces: Vec<Piece<'_>> =
        vec![piece(format!("{} {}", printable(group.key.name), printable(group.key.version)), STRONG)];
    if group.names.iter().any(|name| *name != group.key.name) {
        let mut names: Vec<_> = group.names.iter().take(NAMES_MAX).map(|name| printable(name)).collect();
        if group.names.len() > NAMES_MAX {
            names.push(format!("{} more", group.names.len() - NAMES_MAX).into());
        }
        pieces.push(piece(format!("({})", names.join(", ")), PLAIN));
    } else {
        pieces.push(piece(printable(group.key.kind.as_str()), PLAIN));
    }
    if let Some(layer) = group.key.layer {
        pieces.push(piece(words::layer_and_origin(&report.artifact, layer, group.key.origin), PLAIN));
    }
    page.line(2, &pieces);
}

fn row(page: &mut Page, marks: &Marks, index: usize, finding: &Finding) {
    let mut pieces = vec![
        piece(finding.severity.as_str(), of_severity(finding.severity)).wide(10),
        piece(printable(&finding.id), PLAIN).wide(14),
        piece(printable(&words::fix(&finding.fix)).into_owned(), PLAIN),
    ];
    pieces.extend(finding.kev.as_ref().map(|_| piece("exploited (KEV)", BAD)));
    let epss = finding.epss.filter(|epss| epss.score >= EPSS_SHOWN_MIN);
    pieces.extend(epss.map(|epss| piece(format!("EPSS {:.0} %", epss.score * 100.0), PLAIN)));
    if marks.is_new(index) {
        pieces.push(piece("new", CARE));
    }
    if marks.is_denied(index) {
        pieces.push(piece("denied", BAD));
    } else if let Some(vex) = finding.suppressed_by() {
        pieces.push(piece(format!("{} (VEX)", vex.status.as_str()), FAINT));
    } else if marks.is_excused(index) {
        pieces.push(piece("excused", FAINT));
    }
    page.hanging(4, 16, &pieces);
}

/// Worth a line of its own. After a comparison only what is new (or denied) is, so that old findings do not bury it.
fn important(marks: &Marks, index: usize, finding: &Finding) -> bool {
    marks.is_denied(index)
        || match marks.is_comparison() {
            true => marks.is_new(index),
            false => finding.severity >= Severity::High || finding.kev.is_some(),
        }
}
