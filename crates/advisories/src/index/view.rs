//! What people ask of an index: what is in it, one record in full, what hits one version.

use std::collections::BTreeMap;

use model::advisory::{Advisories, Advisory, AdvisoryNumber, Candidate, IndexDamage, VulnerabilityFacts};
use model::ecosystem::{Query, scheme_of};
use model::report::Coverage;

use super::file::damage;
use super::layout::{FORMAT_VERSION, ID_BYTES, SECTIONS, Section, hash, u32_at, u64_at};
use super::{Attribution, FeedSummary, Index};
use crate::feeds::ranges::covers;

/// What an index holds.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Status {
    /// `sha256:…` of the content.
    pub digest: String,
    /// The file's format.
    pub format: u32,
    /// Size of the file.
    pub bytes: u64,
    /// The newest modification date of any advisory, RFC 3339.
    pub as_of: String,
    /// Advisory records, with withdrawn ones.
    pub advisories: u64,
    /// Distinct (ecosystem, package) pairs.
    pub packages: u64,
    /// Affected ranges, and versions named one by one that no range covers.
    pub ranges: u64,
    /// Bytes of all that matching reads (keys, ranges, versions, statuses), per range.
    pub bytes_per_range: f64,
    /// The day of the EPSS estimates; empty when there are none.
    pub epss_date: String,
    /// How many estimates.
    pub epss_estimates: u64,
    /// The day of the newest KEV catalogue; empty when there is none.
    pub kev_date: String,
    /// Coverage by ecosystem and release.
    pub coverage: Vec<Coverage>,
    /// Who published how much.
    pub feeds: Vec<FeedSummary>,
    /// Whose work it is and under which terms.
    pub attributions: Vec<Attribution>,
    /// Where the bytes are.
    pub tables: Vec<TableSize>,
}

/// The size of one table of the file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TableSize {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// One record in full.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The record. Its severities are its own, then those of single packages.
    pub advisory: Advisory,
    /// What it affects; empty when it is withdrawn.
    pub affected: Vec<AffectedPackage>,
    /// What is known of each CVE among its ids, sorted.
    pub vulnerabilities: Vec<(String, VulnerabilityFacts)>,
}

/// One affected range of one package, as shown to people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AffectedPackage {
    /// The ecosystem with its release.
    pub ecosystem: String,
    /// The package.
    pub name: String,
    /// The range in words: `>= 1.0, < 1.2`.
    pub range: String,
    /// The source's word on fixing.
    pub status: Option<String>,
    /// The module stream; empty when it is a module's, of unknown stream.
    pub module: Option<String>,
}

/// A range that covers a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The record.
    pub advisory: Advisory,
    /// The range, status and stream.
    pub affected: AffectedPackage,
    /// False when the range's version and the one asked for cannot be compared.
    pub comparable: bool,
}

impl Index {
    /// Says what the index holds.
    ///
    /// # Errors
    ///
    /// When the index is damaged where it is read; so also below.
    pub fn status(&self) -> Result<Status, IndexDamage> {
        let meta = self.meta()?;
        let size = |section| self.file.section_len(section) as u64;
        let matching = [Section::Buckets, Section::Keys, Section::Rows, Section::Qualifiers, Section::Words];
        let matching: u64 = matching.into_iter().map(size).sum();
        Ok(Status {
            digest: self.digest(),
            format: FORMAT_VERSION,
            bytes: self.file.len(),
            as_of: meta.newest.clone(),
            advisories: meta.advisories,
            packages: self.key_count() as u64,
            ranges: meta.ranges,
            bytes_per_range: matching as f64 / meta.ranges.max(1) as f64,
            epss_date: meta.epss_date.clone(),
            epss_estimates: meta.estimates,
            kev_date: meta.kev_date.clone(),
            coverage: meta.coverage.clone(),
            feeds: meta.feeds.clone(),
            attributions: meta.attributions.clone(),
            tables: SECTIONS.iter().map(|&s| TableSize { name: format!("{s:?}"), bytes: size(s) }).collect(),
        })
    }

    /// The records that bear an id, as their own or as an alias, upstream or related id.
    ///
    /// Finding what they affect reads every row once: milliseconds, and asked by people only.
    ///
    /// # Errors
    ///
    /// See [`Self::status`].
    pub fn show(&self, id: &str) -> Result<Vec<Shown>, IndexDamage> {
        let mut affected: BTreeMap<AdvisoryNumber, Vec<AffectedPackage>> =
            self.numbers_of(id)?.into_iter().map(|number| (number, Vec::new())).collect();
        if affected.is_empty() {
            return Ok(Vec::new());
        }
        for number in 0..self.key_count() {
            let key = self.key(number)?;
            for row in self.rows_of(key.rows, |number| affected.contains_key(&number))? {
                if let Some(packages) = affected.get_mut(&row.advisory) {
                    packages.push(in_words(key.ecosystem, key.name, &row));
                }
            }
        }
        let shown = affected.into_iter().map(|(number, mut packages)| {
            packages.sort();
            let advisory = self.record(number)?.advisory(None)?;
            let mut ids: Vec<&String> =
                [std::slice::from_ref(&advisory.id), &advisory.aliases, &advisory.upstream, &advisory.related]
                    .into_iter()
                    .flatten()
                    .collect();
            ids.sort();
            ids.dedup();
            let facts = ids.into_iter().map(|id| Ok((id.clone(), self.vulnerability(id)?)));
            let known = |facts: &Result<(String, VulnerabilityFacts), IndexDamage>| {
                facts.as_ref().map_or(true, |(_, facts)| *facts != VulnerabilityFacts::default())
            };
            let vulnerabilities = facts.filter(known).collect::<Result<_, IndexDamage>>()?;
            Ok(Shown { advisory, affected: packages, vulnerabilities })
        });
        shown.collect()
    }

    /// The ranges that cover the version of a query, and those whose version cannot be compared with it.
    ///
    /// # Errors
    ///
    /// See [`Self::status`].
    pub fn search(&self, query: &Query) -> Result<Vec<Hit>, IndexDamage> {
        let Some(scheme) = scheme_of(&query.ecosystem) else { return Ok(Vec::new()) };
        let mut hits = Vec::new();
        for row in self.candidates(&query.ecosystem, &query.name)? {
            let covered = covers(scheme, &query.version, row.introduced, row.end);
            if covered == Some(false) {
                continue;
            }
            hits.push(Hit {
                advisory: self.advisory(row.advisory, &query.ecosystem, &query.name)?,
                affected: in_words(&query.ecosystem, &query.name, &row),
                comparable: covered.is_some(),
            });
        }
        Ok(hits)
    }

    fn numbers_of(&self, id: &str) -> Result<Vec<AdvisoryNumber>, IndexDamage> {
        let wanted = hash(&[id]);
        let count = self.file.section_len(Section::Ids) / ID_BYTES;
        let entry = |number: usize| {
            let bytes = self.file.entry(Section::Ids, number, ID_BYTES)?;
            let parts = u64_at(bytes, 0).zip(u32_at(bytes, 8)).zip(u32_at(bytes, 12));
            parts.ok_or_else(|| damage(Section::Ids, "an entry is cut short"))
        };
        let first = self.file.first_not((0, count), |number| Ok(entry(number)?.0.0 < wanted))?;
        let mut numbers = Vec::new();
        for number in first..count {
            let ((hash, text), advisory) = entry(number)?;
            if hash != wanted {
                break;
            }
            if self.file.text(Section::Texts, text)? == id {
                numbers.push(AdvisoryNumber(advisory));
            }
        }
        Ok(numbers)
    }
}

fn in_words(ecosystem: &str, name: &str, row: &Candidate<'_>) -> AffectedPackage {
    AffectedPackage {
        ecosystem: ecosystem.to_owned(),
        name: name.to_owned(),
        range: range_in_words(row),
        status: row.status.map(str::to_owned),
        module: row.module.map(str::to_owned),
    }
}

/// `>= 1.0, < 1.2`, `<= 3`, `= 4.1`, or `every version`.
fn range_in_words(row: &Candidate<'_>) -> String {
    use model::advisory::RangeEnd::{Exactly, Fixed, LastAffected, Open};
    let from = row.introduced;
    match (from, row.end) {
        (None, Open | Exactly) => "every version".to_owned(),
        (Some(from), Open) => format!(">= {from}"),
        (Some(from), Exactly) => format!("= {from}"),
        (None, Fixed(to)) => format!("< {to}"),
        (Some(from), Fixed(to)) => format!(">= {from}, < {to}"),
        (None, LastAffected(to)) => format!("<= {to}"),
        (Some(from), LastAffected(to)) => format!(">= {from}, <= {to}"),
    }
}
