//! The compiled index: one immutable, mapped file that answers what assessment and people ask.

mod combined;
pub(crate) mod diff;
mod file;
pub(crate) mod layout;
pub(crate) mod meta;
pub(crate) mod record;
mod view;

use std::path::Path;
use std::sync::OnceLock;

use jiff::civil::Date;
use model::advisory::{
    Advisories, Advisory, AdvisoryNumber, Candidate, EpssPoint, IndexDamage, RangeEnd, VulnerabilityFacts,
};
use model::finding::{Epss, Kev, Score};
use model::report::{Coverage, CoverageState};

use crate::feeds::cve::{CveKey, cvss_version, share, unpack_epss, unpack_ssvc};
use file::{IndexFile, damage};
use layout::{
    END_EXACTLY, END_FIXED, END_LAST_AFFECTED, FACT_BYTES, KEY_BYTES, NONE, QUALIFIER_BYTES, ROW_BYTES, Section,
    TAG_SHIFT, bucket_bits, hash, u32_at, u64_at,
};
use meta::Meta;

pub use combined::Combined;
pub use file::OpenError;
pub use meta::{Attribution, FeedSummary};
pub use view::{AffectedPackage, Hit, Shown, Status, TableSize};

/// An open index. Cheap to open, cheap to share between threads.
pub struct Index {
    file: IndexFile,
    meta: OnceLock<Result<Meta, IndexDamage>>,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Index").field(&self.digest()).finish()
    }
}

impl Index {
    /// Maps an index.
    ///
    /// Only the header is read, so this takes microseconds whatever the size; damage elsewhere is found, and reported as
    /// [`IndexDamage`], where it is first touched.
    ///
    /// # Errors
    ///
    /// When the file is missing, no index, cut short, of another format, or one that anybody may write to.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self { file: IndexFile::open(path)?, meta: OnceLock::new() })
    }

    /// What identifies the index: the digest of its content, `sha256:…`.
    pub fn digest(&self) -> String {
        self.file.digest()
    }

    /// The newest modification date of any advisory in it, RFC 3339.
    ///
    /// # Errors
    ///
    /// When that part of the file is damaged; so also below.
    pub fn as_of(&self) -> Result<&str, IndexDamage> {
        Ok(&self.meta()?.newest)
    }

    /// Coverage of every ecosystem and release in it, sorted by ecosystem.
    ///
    /// # Errors
    ///
    /// See [`Self::as_of`].
    pub fn coverages(&self) -> Result<&[Coverage], IndexDamage> {
        Ok(&self.meta()?.coverage)
    }

    fn meta(&self) -> Result<&Meta, IndexDamage> {
        let read = || {
            let bytes = self.file.bytes(Section::Meta, 0, self.file.section_len(Section::Meta))?;
            serde_json::from_slice(bytes).map_err(|error| damage(Section::Meta, &error.to_string()))
        };
        self.meta.get_or_init(read).as_ref().map_err(Clone::clone)
    }

    pub(crate) fn key_count(&self) -> usize {
        (self.file.section_len(Section::Keys) / KEY_BYTES).saturating_sub(1)
    }

    pub(crate) fn key(&self, number: usize) -> Result<Key<'_>, IndexDamage> {
        // The entry after the last one says where its rows end.
        let bytes = self.file.bytes(Section::Keys, number.saturating_mul(KEY_BYTES), 2 * KEY_BYTES)?;
        let word = |at| u32_at(bytes, at).ok_or_else(|| damage(Section::Keys, "an entry is cut short"));
        Ok(Key {
            hash: u64_at(bytes, 0).ok_or_else(|| damage(Section::Keys, "an entry is cut short"))?,
            ecosystem: self.file.text(Section::Words, word(8)?)?,
            name: self.file.text(Section::Words, word(12)?)?,
            rows: (word(16)?, word(KEY_BYTES + 16)?),
        })
    }

    fn find(&self, ecosystem: &str, name: &str) -> Result<Option<Key<'_>>, IndexDamage> {
        let hash = hash(&[ecosystem, name]);
        let bucket = (hash >> (64 - bucket_bits(self.key_count()))) as usize;
        let bounds = self.file.bytes(Section::Buckets, bucket.saturating_mul(4), 8)?;
        let bound = |at| u32_at(bounds, at).map_or(0, |bound| bound as usize).min(self.key_count());
        let hash_of = |number: usize| {
            let bytes = self.file.entry(Section::Keys, number, KEY_BYTES)?;
            u64_at(bytes, 0).ok_or_else(|| damage(Section::Keys, "an entry is cut short"))
        };
        let first = self.file.first_not((bound(0), bound(4)), |number| Ok(hash_of(number)? < hash))?;
        for number in first..bound(4) {
            if hash_of(number)? != hash {
                break;
            }
            let key = self.key(number)?;
            if key.ecosystem == ecosystem && key.name == name {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    pub(crate) fn rows(&self, rows: (u32, u32)) -> Result<Vec<Candidate<'_>>, IndexDamage> {
        self.rows_of(rows, |_| true)
    }

    /// The rows whose advisory is wanted; the texts of the others are not read.
    fn rows_of(
        &self,
        (first, end): (u32, u32),
        wanted: impl Fn(AdvisoryNumber) -> bool,
    ) -> Result<Vec<Candidate<'_>>, IndexDamage> {
        let count = end.checked_sub(first).ok_or_else(|| damage(Section::Keys, "rows end before they begin"))?;
        let (first, count) = (first as usize, count as usize);
        let sizes = first.checked_mul(ROW_BYTES).zip(count.checked_mul(ROW_BYTES));
        let (at, len) = sizes.ok_or_else(|| damage(Section::Keys, "a number is impossible"))?;
        let rows = self.file.bytes(Section::Rows, at, len)?.chunks_exact(ROW_BYTES);
        rows.filter(|row| u32_at(row, 0).is_none_or(|number| wanted(AdvisoryNumber(number))))
            .map(|row| self.row(row))
            .collect()
    }

    fn row(&self, row: &[u8]) -> Result<Candidate<'_>, IndexDamage> {
        let word = |at| u32_at(row, at).ok_or_else(|| damage(Section::Rows, "an entry is cut short"));
        let tag = word(12)?;
        let text = |reference| self.file.text(Section::Words, reference);
        let qualifier = (tag & ((1 << TAG_SHIFT) - 1)) as usize;
        let qualifier = self.file.entry(Section::Qualifiers, qualifier, QUALIFIER_BYTES)?;
        let optional = |at| match u32_at(qualifier, at) {
            None | Some(NONE) => Ok(None),
            Some(reference) => text(reference).map(Some),
        };
        Ok(Candidate {
            advisory: AdvisoryNumber(word(0)?),
            introduced: Some(text(word(4)?)?).filter(|version| !version.is_empty()),
            end: match tag >> TAG_SHIFT {
                END_FIXED => RangeEnd::Fixed(text(word(8)?)?),
                END_LAST_AFFECTED => RangeEnd::LastAffected(text(word(8)?)?),
                END_EXACTLY => RangeEnd::Exactly,
                _ => RangeEnd::Open,
            },
            status: optional(0)?,
            module: optional(4)?,
        })
    }

    fn epss(&self, cve: CveKey) -> Result<Option<Epss>, IndexDamage> {
        let count = self.file.section_len(Section::Epss) / 8;
        let word = |number: usize| {
            let bytes = self.file.entry(Section::Epss, number, 8)?;
            u64_at(bytes, 0).ok_or_else(|| damage(Section::Epss, "an entry is cut short"))
        };
        let number = self.file.first_not((0, count), |number| Ok(unpack_epss(word(number)?).0 < cve))?;
        if number == count {
            return Ok(None);
        }
        let (key, score, percentile) = unpack_epss(word(number)?);
        Ok((key == cve).then_some(Epss { score, percentile, change: None }))
    }

    /// What the fact table says of a CVE: everything but the EPSS estimate in force.
    fn facts(&self, cve: CveKey) -> Result<VulnerabilityFacts, IndexDamage> {
        let count = self.file.section_len(Section::Facts) / FACT_BYTES;
        let number = self.file.first_not((0, count), |number| Ok(self.fact(number)?.0 < cve))?;
        if number == count {
            return Ok(VulnerabilityFacts::default());
        }
        let (key, at) = self.fact(number)?;
        if key == cve { self.fact_record(at) } else { Ok(VulnerabilityFacts::default()) }
    }

    pub(crate) fn fact(&self, number: usize) -> Result<(CveKey, u32), IndexDamage> {
        let bytes = self.file.entry(Section::Facts, number, FACT_BYTES)?;
        let word = |at| u32_at(bytes, at).ok_or_else(|| damage(Section::Facts, "an entry is cut short"));
        Ok((CveKey(word(0)?), word(4)?))
    }

    fn fact_record(&self, at: u32) -> Result<VulnerabilityFacts, IndexDamage> {
        let mut varints = self.file.varints(Section::FactRecords, at);
        let text = |reference| self.file.text(Section::Texts, reference);
        let mut facts = VulnerabilityFacts::default();
        for _ in 0..varints.next()? {
            let (scorer, vector, tenths) = (text(varints.next()?)?, text(varints.next()?)?, varints.next()?);
            let score = f64::from(tenths) / 10.0;
            let version = cvss_version(vector).to_owned();
            facts.scores.push(Score { scorer: scorer.into(), version, score, vector: vector.into() });
        }
        let (kind, date) = (varints.next()?, text(varints.next()?)?);
        let date_added = (!date.is_empty()).then(|| date.to_owned());
        facts.kev = (kind > 0).then_some(Kev { date_added, ransomware: kind > 1 });
        facts.ssvc = unpack_ssvc(varints.next()?);
        for _ in 0..varints.next()? {
            let (day, score, percentile) = (varints.next()?, share(varints.next()?), share(varints.next()?));
            let date = format!("{:04}-{:02}-{:02}", day / 10_000, day / 100 % 100, day % 100);
            facts.epss_history.push(EpssPoint { date, score, percentile });
        }
        Ok(facts)
    }

    pub(crate) fn fact_count(&self) -> usize {
        self.file.section_len(Section::Facts) / FACT_BYTES
    }

    /// What is stored of a CVE, part by part: [`Self::fact_record`] without its meaning.
    pub(crate) fn fact_parts(&self, at: u32) -> Result<Vec<FactPart<'_>>, IndexDamage> {
        use FactPart::{Number, Text};
        let mut varints = self.file.varints(Section::FactRecords, at);
        let text = |reference| self.file.text(Section::Texts, reference).map(Text);
        let scores = varints.next()?;
        let mut parts = vec![Number(scores)];
        for _ in 0..scores {
            parts.extend([text(varints.next()?)?, text(varints.next()?)?, Number(varints.next()?)]);
        }
        parts.extend([Number(varints.next()?), text(varints.next()?)?, Number(varints.next()?)]);
        let points = varints.next()?;
        parts.push(Number(points));
        for _ in 0..u64::from(points) * 3 {
            parts.push(Number(varints.next()?));
        }
        Ok(parts)
    }

    /// All bytes of a section.
    pub(crate) fn section(&self, section: Section) -> Result<&[u8], IndexDamage> {
        self.file.bytes(section, 0, self.file.section_len(section))
    }

    /// The size of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.file.len()
    }

    /// The change since about 30 days before the estimates in force: most histories have a point per day, week or month, so
    /// the nearest to that day within a month and a half is taken.
    fn change(&self, now: f64, history: &[EpssPoint]) -> Option<f64> {
        let of = self.meta().ok()?.epss_date.parse::<Date>().ok()?;
        let age = |point: &EpssPoint| Some(of.since(point.date.parse::<Date>().ok()?).ok()?.get_days());
        let near =
            history.iter().filter_map(|point| Some((age(point).filter(|days| (20..=45).contains(days))?, point)));
        let (_, then) = near.min_by_key(|(days, _)| days.abs_diff(30))?;
        // Scores are multiples of 1/100,000; what is beyond that is the machine's rounding.
        Some(((now - then.score) * 100_000.0).round() / 100_000.0)
    }
}

/// A part of what is stored of a CVE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FactPart<'a> {
    /// A reference, as what it refers to.
    Text(&'a str),
    /// A plain number.
    Number(u32),
}

/// An entry of the key table.
pub(crate) struct Key<'a> {
    hash: u64,
    pub(crate) ecosystem: &'a str,
    pub(crate) name: &'a str,
    pub(crate) rows: (u32, u32),
}

impl Advisories for Index {
    fn candidates(&self, ecosystem: &str, name: &str) -> Result<Vec<Candidate<'_>>, IndexDamage> {
        match self.find(ecosystem, name)? {
            Some(key) => self.rows(key.rows),
            None => Ok(Vec::new()),
        }
    }

    fn advisory(&self, number: AdvisoryNumber, ecosystem: &str, name: &str) -> Result<Advisory, IndexDamage> {
        self.record(number)?.advisory(Some((ecosystem, name)))
    }

    fn vulnerability(&self, id: &str) -> Result<VulnerabilityFacts, IndexDamage> {
        let Some(cve) = CveKey::parse(id) else { return Ok(VulnerabilityFacts::default()) };
        let mut facts = self.facts(cve)?;
        facts.epss = self.epss(cve)?.map(|epss| Epss { change: self.change(epss.score, &facts.epss_history), ..epss });
        Ok(facts)
    }

    fn coverage(&self, ecosystem: &str) -> Result<Coverage, IndexDamage> {
        let known = &self.meta()?.coverage;
        let found = known.binary_search_by(|coverage| coverage.ecosystem.as_str().cmp(ecosystem));
        Ok(match found.ok().and_then(|at| known.get(at)) {
            Some(coverage) => coverage.clone(),
            None => Coverage {
                ecosystem: ecosystem.to_owned(),
                state: CoverageState::None,
                records: 0,
                newest: String::new(),
                note: None,
            },
        })
    }
}
