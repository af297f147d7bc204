//! Which version removes a finding.
//!
//! The end of the range that covers the installed version is not enough: a first fix can be incomplete, databases can
//! disagree, and the next branch can be affected again. A version is a fix only when no row of the finding's advisories
//! covers it.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use model::advisory::{AdvisoryNumber, Candidate, RangeEnd};
use model::finding::Fix;

use crate::matching::{Compared, covers};
use crate::vulnerability::{Hit, Look};

/// The fix of each finding of one package; a finding is given by the rows that cover the package.
///
/// First the least version that removes the finding; behind it, where that is another, the least that removes every finding
/// of the package that can be removed, so that whoever groups findings knows a version that holds for the whole group.
pub(crate) fn fixes(findings: &[&[Hit<'_>]]) -> Vec<Fix> {
    let own: Vec<Option<&str>> = findings.iter().map(|hits| least(rows_of(hits), hits)).collect();
    let common = common(findings, &own);
    let versions = |own: &str| {
        let common = common.filter(|common| *common != own);
        std::iter::once(own).chain(common).map(str::to_owned).collect()
    };
    let fix = |(hits, own): (&&[Hit<'_>], Option<&str>)| {
        own.map_or_else(|| unfixed(hits), |own| Fix::Available { versions: versions(own) })
    };
    findings.iter().zip(own).map(fix).collect()
}

fn rows_of<'a>(hits: &[Hit<'a>]) -> Vec<Candidate<'a>> {
    let advisories: BTreeSet<AdvisoryNumber> = hits.iter().map(|hit| hit.row.advisory).collect();
    let look = hits.first().map(|hit| hit.look);
    advisories.into_iter().flat_map(|number| look.map_or(&[][..], |look| look.rows_of(number))).copied().collect()
}

/// The least end of a range above the installed version that no row covers.
fn least<'a>(rows: Vec<Candidate<'a>>, hits: &[Hit<'a>]) -> Option<&'a str> {
    let installed = &hits.first()?.look.version;
    let above = |row: &Candidate<'a>| match row.end {
        RangeEnd::Fixed(fixed) if installed.to(fixed) == Some(Ordering::Less) => Some(fixed),
        _ => None,
    };
    first_clear(rows.iter().filter_map(above).collect(), &rows, installed)
}

/// The first of some versions, by their order, that none of the rows covers.
fn first_clear<'a>(mut versions: Vec<&'a str>, rows: &[Candidate<'_>], like: &Compared<'_>) -> Option<&'a str> {
    versions.sort_by(|a, b| like.with(a).to(b).unwrap_or(Ordering::Equal));
    versions.dedup();
    versions.into_iter().find(|version| {
        let version = like.with(version);
        !rows.iter().any(|row| covers(row, &version) == Some(true))
    })
}

/// The least version that removes all findings that have a fix. Red Hat's fixes of whole modules stay out of it: they are
/// versions of the module, not of the package.
fn common<'a>(findings: &[&[Hit<'a>]], own: &[Option<&'a str>]) -> Option<&'a str> {
    let fixable = || findings.iter().zip(own).filter_map(|(hits, own)| Some((hits, (*own)?)));
    let look: &Look<'_, '_> = fixable().next()?.0.first()?.look;
    let same = || fixable().filter(|(hits, _)| hits.first().is_some_and(|hit| std::ptr::eq(hit.look, look)));
    let floor = same()
        .map(|(_, own)| own)
        .reduce(|a, b| if look.version.with(a).to(b) == Some(Ordering::Less) { b } else { a })?;
    let rows: Vec<Candidate<'a>> = same().flat_map(|(hits, _)| rows_of(hits)).collect();
    let floor = look.version.with(floor);
    let enough = |row: &Candidate<'a>| match row.end {
        RangeEnd::Fixed(fixed) if floor.to(fixed).is_some_and(Ordering::is_le) => Some(fixed),
        _ => None,
    };
    first_clear(rows.iter().filter_map(enough).collect(), &rows, &look.version)
}

fn unfixed(hits: &[Hit<'_>]) -> Fix {
    match hits.iter().find_map(|hit| hit.row.status) {
        Some(status) if is_refusal(status) => Fix::Refused { status: status.to_owned() },
        status => Fix::None { status: status.map(str::to_owned) },
    }
}

fn is_refusal(status: &str) -> bool {
    const REFUSALS: [&str; 8] = [
        "ignored",
        "wont-fix",
        "won't fix",
        "wontfix",
        "will not fix",
        "fix-not-planned",
        "end-of-life",
        "out of support",
    ];
    let status = status.to_ascii_lowercase();
    REFUSALS.iter().any(|word| status.contains(word))
}
