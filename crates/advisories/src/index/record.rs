//! Advisory records as they lie in the file: varints, all text references but the numbers after the head.
//!
//! `id, source, published, modified, withdrawn, summary`; flags; the counts of `aliases, upstream, related, severities,
//! references, own severities, symbols`; then those. An id or page is one reference, a severity is scorer and value, an own
//! severity or symbol (one that holds for one package alone) has ecosystem and name before that.

use std::ops::Range;

use model::advisory::{Advisory, AdvisoryNumber, Affected, IndexDamage, StatedSeverity};

use super::Index;
use super::file::damage;
use super::layout::{Section, u32_at};

/// References of the fields before the numbers.
const HEAD: usize = 6;
/// How many lists a record has.
pub(crate) const LISTS: usize = 7;
/// References per entry of each list.
const LIST_WIDTHS: [usize; LISTS] = [1, 1, 1, 2, 1, 4, 3];
/// Where the numbers that are no references lie in a record: flags, then a count per list.
pub(crate) const NUMBERS: Range<usize> = HEAD..HEAD + 1 + LISTS;
/// The flag of a record whose packages are malware.
pub(crate) const MALICIOUS: u32 = 1;

/// A record whose references have been read and whose texts have not.
pub(crate) struct Record<'a> {
    index: &'a Index,
    head: [u32; HEAD],
    flags: u32,
    lists: [Vec<u32>; LISTS],
}

impl Index {
    pub(crate) fn advisory_count(&self) -> usize {
        self.file.section_len(Section::Advisories) / 4
    }

    pub(crate) fn record(&self, number: AdvisoryNumber) -> Result<Record<'_>, IndexDamage> {
        let bytes = self.file.entry(Section::Advisories, number.0 as usize, 4)?;
        let at = u32_at(bytes, 0).ok_or_else(|| damage(Section::Advisories, "an entry is cut short"))?;
        let mut varints = self.file.varints(Section::Records, at);
        let mut head = [0; HEAD];
        for value in &mut head {
            *value = varints.next()?;
        }
        let flags = varints.next()?;
        let mut counts = [0; LISTS];
        for value in &mut counts {
            *value = varints.next()? as usize;
        }
        let mut lists: [Vec<u32>; LISTS] = Default::default();
        for ((list, count), width) in lists.iter_mut().zip(counts).zip(LIST_WIDTHS) {
            // Nothing is allocated for a count: the numbers themselves must be there.
            for _ in 0..count.saturating_mul(width) {
                list.push(varints.next()?);
            }
        }
        Ok(Record { index: self, head, flags, lists })
    }
}

/// How many texts a record with these list lengths has.
pub(crate) fn texts_of(counts: [u32; LISTS]) -> u64 {
    HEAD as u64 + counts.iter().zip(LIST_WIDTHS).map(|(count, width)| u64::from(*count) * width as u64).sum::<u64>()
}

impl<'a> Record<'a> {
    /// Its flags.
    pub(crate) fn flags(&self) -> u32 {
        self.flags
    }

    /// The lengths of its lists.
    pub(crate) fn counts(&self) -> [usize; LISTS] {
        let mut counts = [0; LISTS];
        for ((count, list), width) in counts.iter_mut().zip(&self.lists).zip(LIST_WIDTHS) {
            *count = list.len() / width;
        }
        counts
    }

    /// All its texts, in the order in which they lie in the file.
    pub(crate) fn texts(&self) -> Result<Vec<&'a str>, IndexDamage> {
        self.head.iter().chain(self.lists.iter().flatten()).map(|reference| self.text(*reference)).collect()
    }

    fn text(&self, reference: u32) -> Result<&'a str, IndexDamage> {
        self.index.file.text(Section::Texts, reference)
    }

    pub(crate) fn id(&self) -> Result<&'a str, IndexDamage> {
        self.text(self.head[0])
    }

    pub(super) fn source(&self) -> Result<&'a str, IndexDamage> {
        self.text(self.head[1])
    }

    /// The record's severities, and those of one package, or of every package when none is named.
    pub(super) fn severities(&self, package: Option<(&str, &str)>) -> Result<Vec<StatedSeverity>, IndexDamage> {
        let stated = |scorer: u32, value: u32| -> Result<StatedSeverity, IndexDamage> {
            Ok(StatedSeverity { scorer: self.text(scorer)?.into(), value: self.text(value)?.into() })
        };
        let mut severities = Vec::new();
        for pair in self.lists[3].chunks_exact(2) {
            severities.push(stated(pair[0], pair[1])?);
        }
        for own in self.lists[5].chunks_exact(4) {
            let holds = match package {
                Some((ecosystem, name)) => self.text(own[0])? == ecosystem && self.text(own[1])? == name,
                None => true,
            };
            let severity = stated(own[2], own[3])?;
            if holds && !severities.contains(&severity) {
                severities.push(severity);
            }
        }
        Ok(severities)
    }

    /// The symbols of one package.
    fn symbols(&self, (ecosystem, name): (&str, &str)) -> Result<Vec<Affected>, IndexDamage> {
        let mut symbols = Vec::new();
        for own in self.lists[6].chunks_exact(3) {
            if self.text(own[0])? == ecosystem && self.text(own[1])? == name {
                symbols.push(self.text(own[2])?.to_owned());
            }
        }
        if symbols.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![Affected { ecosystem: ecosystem.into(), name: name.into(), symbols, ..Affected::default() }])
    }

    /// The record, of what it affects only the symbols; see [`Self::severities`] for `package`.
    pub(super) fn advisory(&self, package: Option<(&str, &str)>) -> Result<Advisory, IndexDamage> {
        let texts = |list: &[u32]| -> Result<Vec<String>, IndexDamage> {
            list.iter().map(|&reference| Ok(self.text(reference)?.to_owned())).collect()
        };
        let head = |at: usize| Ok::<_, IndexDamage>(self.text(self.head[at])?.to_owned());
        Ok(Advisory {
            id: head(0)?,
            source: head(1)?,
            aliases: texts(&self.lists[0])?,
            upstream: texts(&self.lists[1])?,
            related: texts(&self.lists[2])?,
            published: head(2)?,
            modified: head(3)?,
            withdrawn: Some(head(4)?).filter(|date| !date.is_empty()),
            summary: head(5)?,
            severities: self.severities(package)?,
            references: texts(&self.lists[4])?,
            malicious: self.flags & MALICIOUS != 0,
            affected: package.map_or(Ok(Vec::new()), |package| self.symbols(package))?,
        })
    }
}
