//! What changed from one index to another. Only this needs to be judged again.
//!
//! Both indexes are sorted alike, so they are walked side by side once; memory does not grow with their size.

use std::cmp::Ordering;

use model::advisory::{AdvisoryNumber, Candidate, IndexDamage, RangeEnd, StatedSeverity};
use model::finding::{Epss, Kev, Score, Ssvc};

use super::Index;
use super::file::damage;
use super::layout::{FACT_BYTES, Section, u64_at};
use crate::feeds::cve::{CveKey, unpack_epss};

/// Choices for a comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiffOptions {
    /// The least move of an EPSS score to mention: most of 360,000 scores move a little every day.
    pub epss_step: f64,
}

impl Default for DiffOptions {
    fn default() -> Self {
        Self { epss_step: 0.01 }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// An advisory now affects a package it did not, no longer affects it, or affects other versions of it.
    Package {
        /// The ecosystem with its release.
        ecosystem: String,
        /// The package.
        name: String,
        /// The advisory's id.
        advisory: String,
        /// The publisher of the advisory.
        source: String,
        /// Which of the three.
        how: How,
    },
    /// An advisory that both indexes have states other severities.
    Severity {
        /// The advisory's id.
        advisory: String,
        /// Its publisher.
        source: String,
        /// What the old index says.
        old: Vec<StatedSeverity>,
        /// What the new one says.
        new: Vec<StatedSeverity>,
    },
    /// A scorer's CVSS score of a CVE came, went or changed. Compared within one scorer and CVSS version.
    Score {
        /// The CVE.
        cve: String,
        /// The old score; none when it is new.
        old: Option<Score>,
        /// The new score; none when it is gone.
        new: Option<Score>,
    },
    /// CISA's assessment of a CVE came, went or changed.
    Ssvc {
        /// The CVE.
        cve: String,
        /// The old decision points.
        old: Option<Ssvc>,
        /// The new ones.
        new: Option<Ssvc>,
    },
    /// An EPSS score moved, came or went.
    Epss {
        /// The CVE.
        cve: String,
        /// The old estimate.
        old: Option<Epss>,
        /// The new one.
        new: Option<Epss>,
    },
    /// A CVE entered or left the catalogue of known exploited vulnerabilities, or its entry changed.
    Kev {
        /// The CVE.
        cve: String,
        /// The old entry.
        old: Option<Kev>,
        /// The new one.
        new: Option<Kev>,
    },
}

/// How a (package, advisory) pair differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Only the new index has it.
    Added,
    /// Only the old index has it. That alone resolves nothing: feeds lose records.
    Removed,
    /// Its ranges, status or stream differ.
    Changed,
}

/// Tells `report` every difference between two indexes: packages, then severities, then scores and KEV, then EPSS.
///
/// # Errors
///
/// When either index is damaged; what was found before that has been reported.
pub fn diff(old: &Index, new: &Index, options: DiffOptions, report: &mut dyn FnMut(Change)) -> Result<(), IndexDamage> {
    if old.digest() == new.digest() {
        return Ok(());
    }
    packages(old, new, report)?;
    severities(old, new, report)?;
    facts(old, new, report)?;
    estimates(old, new, options, report)
}

/// Walks two sorted sequences of `counts` entries side by side, calling `visit` with each pair of equals and each single.
fn merge<'a, T>(
    counts: (usize, usize),
    read: impl Fn(bool, usize) -> Result<T, IndexDamage> + 'a,
    order: impl Fn(&T, &T) -> Ordering,
    mut visit: impl FnMut(Option<&T>, Option<&T>) -> Result<(), IndexDamage>,
) -> Result<(), IndexDamage> {
    let next = |is_new: bool, at: usize| {
        let count = if is_new { counts.1 } else { counts.0 };
        (at < count).then(|| read(is_new, at)).transpose()
    };
    let (mut old_at, mut new_at) = (0, 0);
    let (mut old, mut new) = (next(false, 0)?, next(true, 0)?);
    loop {
        let order = match (&old, &new) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => order(old, new),
        };
        visit(old.as_ref().filter(|_| order.is_le()), new.as_ref().filter(|_| order.is_ge()))?;
        if order.is_le() {
            old_at += 1;
            old = next(false, old_at)?;
        }
        if order.is_ge() {
            new_at += 1;
            new = next(true, new_at)?;
        }
    }
}

/// What one advisory says of one package: id, source, rows.
type Said<'a> = (&'a str, &'a str, Vec<Row<'a>>);
/// A row without its number, in an order of its own.
type Row<'a> = (Option<&'a str>, u8, &'a str, Option<&'a str>, Option<&'a str>);

fn packages(old: &Index, new: &Index, report: &mut dyn FnMut(Change)) -> Result<(), IndexDamage> {
    let side = |is_new| if is_new { new } else { old };
    merge(
        (old.key_count(), new.key_count()),
        |is_new, at| side(is_new).key(at),
        |a, b| (a.hash, a.ecosystem, a.name).cmp(&(b.hash, b.ecosystem, b.name)),
        |a, b| {
            let Some(key) = a.or(b) else { return Ok(()) };
            let before = a.map_or(Ok(Vec::new()), |key| said(old, key.rows))?;
            let after = b.map_or(Ok(Vec::new()), |key| said(new, key.rows))?;
            merge(
                (before.len(), after.len()),
                |is_new, at| {
                    let list = if is_new { &after } else { &before };
                    list.get(at).ok_or_else(|| damage(Section::Rows, "an entry is cut short"))
                },
                |a, b| (a.0, a.1).cmp(&(b.0, b.1)),
                |a, b| {
                    let how = match (a, b) {
                        (Some(a), Some(b)) if a.2 == b.2 => return Ok(()),
                        (Some(_), Some(_)) => How::Changed,
                        (None, _) => How::Added,
                        (_, None) => How::Removed,
                    };
                    if let Some((advisory, source, _)) = a.or(b) {
                        report(Change::Package {
                            ecosystem: key.ecosystem.into(),
                            name: key.name.into(),
                            advisory: (*advisory).into(),
                            source: (*source).into(),
                            how,
                        });
                    }
                    Ok(())
                },
            )
        },
    )
}

/// The rows of a package by advisory, sorted by id and source.
fn said(index: &Index, rows: (u32, u32)) -> Result<Vec<Said<'_>>, IndexDamage> {
    let mut said: Vec<Said<'_>> = Vec::new();
    let mut last: Option<AdvisoryNumber> = None;
    for row in index.rows(rows)? {
        if last != Some(row.advisory) {
            let record = index.record(row.advisory)?;
            said.push((record.id()?, record.source()?, Vec::new()));
            last = Some(row.advisory);
        }
        said.last_mut().into_iter().for_each(|(_, _, rows)| rows.push(plain(&row)));
    }
    said.sort();
    Ok(said)
}

fn plain<'a>(row: &Candidate<'a>) -> Row<'a> {
    let (kind, end) = match row.end {
        RangeEnd::Open => (0, ""),
        RangeEnd::Fixed(version) => (1, version),
        RangeEnd::LastAffected(version) => (2, version),
        RangeEnd::Exactly => (3, ""),
    };
    (row.introduced, kind, end, row.status, row.module)
}

fn severities(old: &Index, new: &Index, report: &mut dyn FnMut(Change)) -> Result<(), IndexDamage> {
    let side = |is_new| if is_new { new } else { old };
    merge(
        (old.advisory_count(), new.advisory_count()),
        |is_new, at| {
            let record = side(is_new).record(AdvisoryNumber(at as u32))?;
            Ok((record.id()?, record.source()?, record))
        },
        |a, b| (a.0, a.1).cmp(&(b.0, b.1)),
        |a, b| {
            let (Some((id, source, a)), Some((_, _, b))) = (a, b) else { return Ok(()) };
            let (old, new) = (a.severities(None)?, b.severities(None)?);
            if old != new {
                report(Change::Severity { advisory: (*id).into(), source: (*source).into(), old, new });
            }
            Ok(())
        },
    )
}

fn facts(old: &Index, new: &Index, report: &mut dyn FnMut(Change)) -> Result<(), IndexDamage> {
    let side = |is_new| if is_new { new } else { old };
    let count = |index: &Index| index.file.section_len(Section::Facts) / FACT_BYTES;
    merge(
        (count(old), count(new)),
        |is_new, at| side(is_new).fact(at),
        |a, b| a.0.cmp(&b.0),
        |a, b| {
            let Some((key, _)) = a.or(b) else { return Ok(()) };
            let cve = key.id();
            let old = a.map_or(Ok(Default::default()), |(_, at)| old.fact_record(*at))?;
            let new = b.map_or(Ok(Default::default()), |(_, at)| new.fact_record(*at))?;
            scores(&cve, &old.scores, &new.scores, report);
            if old.ssvc != new.ssvc {
                report(Change::Ssvc { cve: cve.clone(), old: old.ssvc, new: new.ssvc });
            }
            if old.kev != new.kev {
                report(Change::Kev { cve, old: old.kev, new: new.kev });
            }
            Ok(())
        },
    )
}

/// Scores compare within one scorer and CVSS version: the move from 3.1 to 4.0 is a new score, not a changed one.
fn scores(cve: &str, old: &[Score], new: &[Score], report: &mut dyn FnMut(Change)) {
    let same = |a: &Score, b: &Score| a.scorer == b.scorer && a.version == b.version;
    for a in old {
        let b = new.iter().find(|b| same(a, b));
        if b != Some(a) {
            report(Change::Score { cve: cve.into(), old: Some(a.clone()), new: b.cloned() });
        }
    }
    for b in new.iter().filter(|b| !old.iter().any(|a| same(a, b))) {
        report(Change::Score { cve: cve.into(), old: None, new: Some(b.clone()) });
    }
}

fn estimates(
    old: &Index,
    new: &Index,
    options: DiffOptions,
    report: &mut dyn FnMut(Change),
) -> Result<(), IndexDamage> {
    let side = |is_new| if is_new { new } else { old };
    let count = |index: &Index| index.file.section_len(Section::Epss) / 8;
    merge(
        (count(old), count(new)),
        |is_new, at| -> Result<(CveKey, f64, f64), IndexDamage> {
            let word = u64_at(side(is_new).file.entry(Section::Epss, at, 8)?, 0);
            word.map(unpack_epss).ok_or_else(|| damage(Section::Epss, "an entry is cut short"))
        },
        |a, b| a.0.cmp(&b.0),
        |a, b| {
            let estimate = |part: &(CveKey, f64, f64)| Epss { score: part.1, percentile: part.2, change: None };
            // Scores are multiples of 1/100,000; half of that keeps rounding out of the comparison.
            let moved = (a.map_or(0.0, |a| a.1) - b.map_or(0.0, |b| b.1)).abs() + 0.000_005 >= options.epss_step;
            if let (Some((key, ..)), true) = (a.or(b), moved) {
                report(Change::Epss { cve: key.id(), old: a.map(estimate), new: b.map(estimate) });
            }
            Ok(())
        },
    )
}
