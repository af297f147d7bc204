//! Records in the making: what the readers of distributions' own formats share.
//!
//! Such formats say "fixed in this version" per package and release; the beginning is open. They are often ordered by
//! package, while a record is about one vulnerability, so [`Drafts`] gathers what one document says of each.

use std::collections::BTreeMap;

use model::advisory::{Affected, RangeEnd, StatedSeverity, VersionRange};
use model::ecosystem::{normalise_name, scheme_of};
use model::finding::Severity;
use model::version::compare_lenient;

use super::{Item, Parsed};

/// Longest ecosystem, name, version or id. Longer ones are no package's, and each is stored as it is.
pub(super) const WORD_BYTES_MAX: usize = 4096;
/// Longest summary kept.
const SUMMARY_BYTES_MAX: usize = 2048;
/// Other ids, severities and the like kept of one record; those known have fewer. What is looked through for repetitions
/// must be short.
pub(super) const LIST_MAX: usize = 64;
/// Problems kept of one record: a record that is all problems needs no longer list.
const PROBLEMS_MAX: usize = 100;

/// Every version before the one that has the fix.
pub(super) fn before(ecosystem: &str, name: &str, fixed: &str) -> Affected {
    until(ecosystem, name, RangeEnd::Fixed(fixed.to_owned()))
}

/// Every version.
pub(super) fn every(ecosystem: &str, name: &str) -> Affected {
    until(ecosystem, name, RangeEnd::Open)
}

fn until(ecosystem: &str, name: &str, end: RangeEnd<String>) -> Affected {
    Affected {
        ecosystem: ecosystem.to_owned(),
        name: name.to_owned(),
        ranges: vec![VersionRange { introduced: None, end }],
        ..Affected::default()
    }
}

/// A publisher's own word for a severity, where it is one.
pub(super) fn word(scorer: &str, word: &str) -> Option<StatedSeverity> {
    let word = word.trim().to_lowercase();
    Severity::parse(&word)?;
    Some(StatedSeverity { scorer: scorer.to_owned(), value: word })
}

/// Whether a package holds symbols for debuggers only. Errata list them, and nothing in them runs.
pub(super) fn is_debugging(name: &str) -> bool {
    ["-debuginfo", "-debugsource"].iter().any(|part| name.contains(part))
}

/// Text of one line and a bounded length.
pub(super) fn line(text: &str) -> String {
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.len() > SUMMARY_BYTES_MAX {
        let end = (0..=SUMMARY_BYTES_MAX).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

/// Whether a text has the form of an id that some database gives out: `CVE-2020-1`, `XSA-312`, `GHSA-…`, `RHSA-2024:1`.
pub(super) fn is_id(text: &str) -> bool {
    let tame = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'.' | b'_');
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.contains('-')
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().all(tame)
}

impl Parsed {
    /// A record that says nothing yet.
    pub(super) fn new(id: impl Into<String>, source: &str) -> Self {
        let mut parsed = Self::default();
        (parsed.advisory.id, parsed.advisory.source) = (id.into(), source.to_owned());
        parsed
    }

    /// Adds what a package is affected by. A fix in version `0` means that the package never was; what its ecosystem's
    /// order cannot understand is a problem instead.
    pub(super) fn affect(&mut self, mut affected: Affected) {
        let fixed_at_zero = |range: &VersionRange| matches!(&range.end, RangeEnd::Fixed(fixed) if fixed == "0");
        affected.ranges.retain(|range| !fixed_at_zero(range));
        if affected.ranges.is_empty() && affected.versions.is_empty() {
            return;
        }
        if let Err(problem) = usable(&mut affected) {
            self.problem(problem);
            return;
        }
        affected.name = normalise_name(&affected.ecosystem, &affected.name);
        self.advisory.affected.push(affected);
    }

    /// Adds a severity, once.
    pub(super) fn rate(&mut self, severity: StatedSeverity) {
        let known = &mut self.advisory.severities;
        if known.len() < LIST_MAX && !known.contains(&severity) {
            known.push(severity);
        }
    }

    /// Adds another id of the same vulnerability, once.
    pub(super) fn alias(&mut self, alias: &str) {
        let known = &mut self.advisory.aliases;
        if alias != self.advisory.id && known.len() < LIST_MAX && !known.iter().any(|other| other == alias) {
            known.push(alias.to_owned());
        }
    }

    /// Notes what cannot be used.
    pub(super) fn problem(&mut self, problem: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem.into());
        }
    }

    /// The finished item: what is affected in order and once, and a severity that all of it shares on the record itself.
    pub(super) fn finished(mut self) -> Item {
        let affected = &mut self.advisory.affected;
        affected.sort_by(|a, b| key(a).cmp(&key(b)));
        affected.dedup();
        if let Some(first) = affected.first().map(|first| first.severities.clone())
            && affected.iter().all(|other| other.severities == first)
        {
            affected.iter_mut().for_each(|affected| affected.severities.clear());
            first.into_iter().for_each(|severity| self.rate(severity));
        }
        Item::Advisory(Box::new(self))
    }
}

/// What puts affected packages into an order.
type Key<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>, Vec<(Option<&'a str>, &'a str)>, &'a [String]);

fn key(affected: &Affected) -> Key<'_> {
    (
        &affected.ecosystem,
        &affected.name,
        affected.module.as_deref(),
        affected.status.as_deref(),
        affected.ranges.iter().map(|range| (range.introduced.as_deref(), end_of(range))).collect(),
        &affected.versions,
    )
}

fn end_of(range: &VersionRange) -> &str {
    match &range.end {
        RangeEnd::Fixed(version) | RangeEnd::LastAffected(version) => version,
        RangeEnd::Open | RangeEnd::Exactly => "",
    }
}

/// Leaves what can be compared; an error when that is nothing.
fn usable(affected: &mut Affected) -> Result<(), String> {
    let Affected { ecosystem, name, ranges, versions, .. } = affected;
    if name.trim().is_empty() {
        return Err("a package without a name".into());
    }
    let all = ranges.iter().flat_map(|range| range.introduced.as_deref().into_iter().chain([end_of(range)]));
    if [&**ecosystem, &**name].into_iter().chain(all).any(|word| word.len() > WORD_BYTES_MAX) {
        return Err("a name or version longer than any".into());
    }
    let Some(scheme) = scheme_of(ecosystem) else {
        return Err(format!("ecosystem `{ecosystem}`, whose version order is not known"));
    };
    let is_version = |version: &str| compare_lenient(scheme, version, version).is_some();
    let bad = |range: &VersionRange| {
        let bounds = range.introduced.as_deref().into_iter().chain([end_of(range)]);
        bounds.filter(|version| !version.is_empty()).find(|version| !is_version(version)).map(str::to_owned)
    };
    let mut wrong = None;
    ranges.retain(|range| match bad(range) {
        Some(version) => {
            wrong = Some(version);
            false
        }
        None => true,
    });
    versions.retain(|version| !version.is_empty() && version.len() <= WORD_BYTES_MAX);
    match wrong {
        Some(version) if ranges.is_empty() && versions.is_empty() => {
            Err(format!("`{}` is not a version (`{name}` in {ecosystem})", line(&version)))
        }
        _ => Ok(()),
    }
}

/// Records by id, while a document is read that is not ordered by them.
pub(super) struct Drafts {
    source: &'static str,
    prefix: &'static str,
    by_id: BTreeMap<String, Parsed>,
}

impl Drafts {
    /// For records of one publisher, whose ids are those of the vulnerabilities behind a prefix.
    pub(super) fn new(source: &'static str, prefix: &'static str) -> Self {
        Self { source, prefix, by_id: BTreeMap::new() }
    }

    /// The record about a vulnerability.
    pub(super) fn about(&mut self, vulnerability: &str) -> &mut Parsed {
        let Self { source, prefix, by_id } = self;
        by_id.entry(vulnerability.to_owned()).or_insert_with(|| {
            let mut parsed = Parsed::new(format!("{prefix}{vulnerability}"), source);
            if !prefix.is_empty() {
                parsed.advisory.upstream.push(vulnerability.to_owned());
            }
            parsed
        })
    }

    /// Hands over all records that say something.
    pub(super) fn hand_over(self, sink: &mut dyn FnMut(Item)) {
        for parsed in self.by_id.into_values() {
            if !parsed.advisory.affected.is_empty() || !parsed.problems.is_empty() {
                sink(parsed.finished());
            }
        }
    }
}
