//! Advisories: which versions of which packages are affected by what.
//!
//! Two shapes. [`Advisory`] is a record as a feed states it, owned, on its way into the index. [`Advisories`] is what
//! assessment asks of the finished index: borrowed rows, because a scan looks up thousands of packages in milliseconds.

use crate::finding::{Epss, Kev, Score, Ssvc};
use crate::report::Coverage;

/// One advisory record as its feed states it (OSV schema 1.7, reduced to what matching and reporting need).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Advisory {
    /// Its id, unique within its feed.
    pub id: String,
    /// The feed or database it comes from, as shown to users.
    pub source: String,
    /// Other ids of the same vulnerability.
    pub aliases: Vec<String>,
    /// Vulnerabilities that this (distribution's) advisory is about.
    pub upstream: Vec<String>,
    /// Related ids. Errata (`ALSA-`, `RLSA-`, `RHSA-`, …) put the vulnerabilities they fix here.
    pub related: Vec<String>,
    /// RFC 3339; empty when not stated.
    pub published: String,
    /// RFC 3339; empty when not stated.
    pub modified: String,
    /// Present when it was withdrawn: it must never match.
    pub withdrawn: Option<String>,
    /// One line, where the source gives one.
    pub summary: String,
    /// CVSS vectors and distribution severities.
    pub severities: Vec<StatedSeverity>,
    /// At most a few pages to read.
    pub references: Vec<String>,
    /// The affected versions are malware themselves, not merely vulnerable.
    pub malicious: bool,
    /// Which versions of which packages.
    pub affected: Vec<Affected>,
}

/// A severity as a record states it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatedSeverity {
    /// Who says so.
    pub scorer: String,
    /// A CVSS vector (`CVSS:3.1/AV:N/…`, or the bare vector of version 2), a number, or a word (`medium`).
    pub value: String,
}

/// The affected versions of one package in one ecosystem.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Affected {
    /// The ecosystem with its release, as OSV writes it: `Debian:12`, `Ubuntu:Pro:18.04:LTS`, `npm`.
    pub ecosystem: String,
    /// The package's name in that ecosystem.
    pub name: String,
    /// Half-open or closed version intervals; empty when only `versions` says.
    pub ranges: Vec<VersionRange>,
    /// Versions named one by one that no range covers.
    pub versions: Vec<String>,
    /// The source's word on fixing: `needed`, `ignored`, `unfixed`, …
    pub status: Option<String>,
    /// The rpm module and stream a fix is for (`nodejs:18`), where the source says so.
    pub module: Option<String>,
    /// Severities that hold for this package alone.
    pub severities: Vec<StatedSeverity>,
    /// The functions and methods that carry the vulnerability, where the source names them: `net/http#Request.write`,
    /// `time::at`. A program that calls none of them is not reached by it.
    pub symbols: Vec<String>,
}

/// One interval of versions. Which version is older is the ecosystem's own business ([`crate::version`]).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VersionRange {
    /// The first affected version; none means from the beginning.
    pub introduced: Option<String>,
    /// Where it stops.
    pub end: RangeEnd<String>,
}

/// Where an interval of affected versions stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RangeEnd<S> {
    /// It does not: every later version is affected too, as far as the source knows.
    #[default]
    Open,
    /// Before this version, which has the fix.
    Fixed(S),
    /// With this version; what comes after is not affected.
    LastAffected(S),
    /// Only the one version in `introduced` (versions named one by one).
    Exactly,
}

/// A record's number inside one index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdvisoryNumber(pub u32);

/// One row of the index: an interval of versions that one advisory calls affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// The advisory.
    pub advisory: AdvisoryNumber,
    /// The first affected version; none means from the beginning.
    pub introduced: Option<&'a str>,
    /// Where it stops.
    pub end: RangeEnd<&'a str>,
    /// The source's word on fixing.
    pub status: Option<&'a str>,
    /// The rpm module and stream the row is for; `Some("")` when it is for a module of unknown stream.
    pub module: Option<&'a str>,
}

/// What is known about one vulnerability id from score and exploitation feeds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VulnerabilityFacts {
    /// Scores, each with its scorer.
    pub scores: Vec<Score>,
    /// EPSS estimate.
    pub epss: Option<Epss>,
    /// EPSS estimates of earlier days, oldest first.
    pub epss_history: Vec<EpssPoint>,
    /// CISA KEV entry.
    pub kev: Option<Kev>,
    /// CISA's SSVC decision points.
    pub ssvc: Option<Ssvc>,
}

/// An EPSS estimate as it was on some day.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EpssPoint {
    /// `YYYY-MM-DD`.
    pub date: String,
    /// Probability of exploitation within 30 days, 0 to 1.
    pub score: f64,
    /// Share of vulnerabilities with this score or less, 0 to 1.
    pub percentile: f64,
}

/// The index cannot be read at some place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the advisory index is damaged: {detail}")]
pub struct IndexDamage {
    /// Which part, and what is wrong with it.
    pub detail: String,
}

/// What assessment asks of advisory knowledge. The index answers from its mapped file, tests answer from literals.
pub trait Advisories {
    /// The rows for a package, in no promised order. `ecosystem` is as OSV writes it, `name` as
    /// [`crate::ecosystem`] normalises it. Withdrawn advisories have no rows.
    fn candidates(&self, ecosystem: &str, name: &str) -> Result<Vec<Candidate<'_>>, IndexDamage>;

    /// The advisory with this number. `severities` holds the record's own and, after them, those that hold for
    /// `(ecosystem, name)` alone. `affected` stays empty, but for one entry without ranges where the record names
    /// `symbols` of that package.
    fn advisory(&self, number: AdvisoryNumber, ecosystem: &str, name: &str) -> Result<Advisory, IndexDamage>;

    /// Scores, EPSS and KEV of a vulnerability id; empty when the id is not known.
    fn vulnerability(&self, id: &str) -> Result<VulnerabilityFacts, IndexDamage>;

    /// How much is known about an ecosystem with its release; state `None` when nothing is.
    fn coverage(&self, ecosystem: &str) -> Result<Coverage, IndexDamage>;
}
