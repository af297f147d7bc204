//! An index without its layout: everything it says in one sequence, each text where it is used.
//!
//! In the file itself one new record moves every number and offset behind it, so two files of consecutive days share few
//! bytes. Flat, they differ where they say something else, and nowhere else. [`rebuild`] makes the same file from it again,
//! byte for byte, since a file depends on nothing but what is said.
//!
//! ```text
//! records    count, then for each its flags, the lengths of its lists, and its texts (see `index::record`)
//! packages   count, then for each ecosystem, name, row count, and rows: id of the record and which of that id, bounds, status, module
//! facts      count, then for each CVE its key and what is stored of it
//! estimates  count, then u64 each
//! meta       JSON
//! ```
//!
//! Numbers are varints, texts are a length and UTF-8.

use std::path::Path;

use model::advisory::{AdvisoryNumber, IndexDamage, RangeEnd};

use super::collect::{Collector, RawRow};
use super::tables::FlatFact;
use super::{BuildError, tables, write};
use crate::index::layout::{
    END_EXACTLY, END_FIXED, END_LAST_AFFECTED, END_OPEN, NONE, Section, TAG_SHIFT, put_varint, take_varint,
};
use crate::index::record::{LISTS, NUMBERS, texts_of};
use crate::index::{FactPart, Index};

/// Why a flat form makes no index.
#[derive(Debug, thiserror::Error)]
pub enum FlatError {
    /// It is cut short, or says what cannot be.
    #[error("the flat index is malformed: {0}")]
    Malformed(&'static str),
    /// It cannot be compiled or written.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// The flat form of an index.
///
/// # Errors
///
/// When the index is damaged.
pub(crate) fn flatten(index: &Index) -> Result<Vec<u8>, IndexDamage> {
    let mut flat = Flat(Vec::with_capacity(index.bytes() as usize * 3));
    flat.number(index.advisory_count());
    let mut ids: Vec<&str> = Vec::with_capacity(index.advisory_count());
    for number in 0..index.advisory_count() {
        let record = index.record(AdvisoryNumber(number as u32))?;
        ids.push(record.id()?);
        flat.number(record.flags() as usize);
        record.counts().iter().for_each(|count| flat.number(*count));
        record.texts()?.iter().for_each(|text| flat.text(text));
    }
    flat.number(index.key_count());
    for at in 0..index.key_count() {
        let key = index.key(at)?;
        let rows = index.rows(key.rows)?;
        flat.text(key.ecosystem);
        flat.text(key.name);
        flat.number(rows.len());
        for row in rows {
            let number = row.advisory.0 as usize;
            let id = ids.get(number).copied().unwrap_or_default();
            flat.text(id);
            flat.number(number - ids.partition_point(|other| *other < id).min(number));
            let (kind, end) = match row.end {
                RangeEnd::Open => (END_OPEN, ""),
                RangeEnd::Fixed(version) => (END_FIXED, version),
                RangeEnd::LastAffected(version) => (END_LAST_AFFECTED, version),
                RangeEnd::Exactly => (END_EXACTLY, ""),
            };
            flat.text(row.introduced.unwrap_or_default());
            flat.number(kind as usize);
            flat.text(end);
            flat.optional(row.status);
            flat.optional(row.module);
        }
    }
    facts(index, &mut flat)?;
    let words = index.section(Section::Epss)?;
    flat.number(words.len() / 8);
    flat.0.extend(words);
    flat.0.extend(index.section(Section::Meta)?);
    Ok(flat.0)
}

fn facts(index: &Index, flat: &mut Flat) -> Result<(), IndexDamage> {
    flat.number(index.fact_count());
    for at in 0..index.fact_count() {
        let (key, record) = index.fact(at)?;
        flat.number(key.0 as usize);
        for part in index.fact_parts(record)? {
            match part {
                FactPart::Text(text) => flat.text(text),
                FactPart::Number(number) => flat.number(number as usize),
            }
        }
    }
    Ok(())
}

struct Flat(Vec<u8>);

impl Flat {
    fn number(&mut self, value: usize) {
        put_varint(&mut self.0, value as u32);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    /// None is no text, which is something else than an empty one.
    fn optional(&mut self, text: Option<&str>) {
        self.number(usize::from(text.is_some()));
        self.text(text.unwrap_or_default());
    }
}

/// Writes the index that a flat form is of; returns its content digest.
///
/// # Errors
///
/// When the bytes are no flat form, or the index cannot be written.
pub(crate) fn rebuild(flat: &[u8], out: &Path) -> Result<String, FlatError> {
    let mut from = Reader(flat);
    let mut collector = Collector::new();
    records(&mut from, &mut collector)?;
    packages(&mut from, &mut collector)?;
    let mut facts = Vec::new();
    for _ in 0..from.number()? {
        facts.push(fact(&mut from, &mut collector)?);
    }
    let count = from.number()? as usize;
    let words = from.bytes(count.checked_mul(8).ok_or(FlatError::Malformed("a count is impossible"))?)?;
    let sections = tables::layout(&collector, &facts, words, from.0)?;
    let written = write::write(&sections, out).map_err(|source| BuildError::Write { path: out.to_owned(), source })?;
    Ok(written.digest)
}

/// What is stored of one CVE: see [`Index::fact_parts`].
fn fact(from: &mut Reader<'_>, collector: &mut Collector) -> Result<FlatFact, FlatError> {
    let mut text = |from: &mut Reader<'_>| Ok::<_, FlatError>((collector.texts.intern(from.text()?), true));
    let number = |from: &mut Reader<'_>| Ok::<_, FlatError>((from.number()?, false));
    let key = from.number()?;
    let scores = number(from)?;
    let mut parts = vec![scores];
    for _ in 0..scores.0 {
        parts.extend([text(from)?, text(from)?, number(from)?]);
    }
    parts.extend([number(from)?, text(from)?, number(from)?]);
    let points = number(from)?;
    parts.push(points);
    for _ in 0..u64::from(points.0) * 3 {
        parts.push(number(from)?);
    }
    Ok(FlatFact { key, parts })
}

fn records(from: &mut Reader<'_>, collector: &mut Collector) -> Result<(), FlatError> {
    for _ in 0..from.number()? {
        let flags = from.number()?;
        let mut counts = [0; LISTS];
        for count in &mut counts {
            *count = from.number()?;
        }
        let texts = texts_of(counts);
        let mut tokens = Vec::new();
        for _ in 0..texts {
            tokens.push(collector.texts.intern(from.text()?));
        }
        tokens.splice(NUMBERS.start..NUMBERS.start, [flags].into_iter().chain(counts));
        collector.stored(&tokens);
    }
    Ok(())
}

fn packages(from: &mut Reader<'_>, collector: &mut Collector) -> Result<(), FlatError> {
    for _ in 0..from.number()? {
        let (ecosystem, name) = (collector.words.intern(from.text()?), from.text()?);
        let key = collector.key(ecosystem, name);
        for _ in 0..from.number()? {
            let id = from.text()?;
            let place = collector.first_of(id).and_then(|first| first.checked_add(from.number().ok()?));
            let advisory = place
                .filter(|number| (*number as usize) < collector.records.len())
                .ok_or(FlatError::Malformed("a row is of no record"))?;
            let introduced = collector.words.intern(from.text()?);
            let kind = from.number()?;
            if kind > END_EXACTLY {
                return Err(FlatError::Malformed("a range ends in no known way"));
            }
            let end = collector.words.intern(from.text()?);
            let (status, module) = (from.optional()?, from.optional()?);
            let mut word = |text: Option<&str>| text.map_or(NONE, |text| collector.words.intern(text));
            let (status, module) = (word(status), word(module));
            let tag = kind << TAG_SHIFT | collector.qualifier(status, module);
            collector.rows.push(RawRow { key, advisory, introduced, end, tag });
        }
    }
    Ok(())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Result<u32, FlatError> {
        take_varint(&mut self.0).ok_or(FlatError::Malformed("a number is cut short"))
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8], FlatError> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(FlatError::Malformed("it is cut short"))?;
        self.0 = rest;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<&'a str, FlatError> {
        let len = self.number()? as usize;
        str::from_utf8(self.bytes(len)?).map_err(|_| FlatError::Malformed("a text is not UTF-8"))
    }

    fn optional(&mut self) -> Result<Option<&'a str>, FlatError> {
        let some = self.number()? > 0;
        let text = self.text()?;
        Ok(some.then_some(text))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::build::{BuildOptions, build};

    #[test]
    fn flat_and_back_is_the_same_file() {
        let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/advisories");
        let inputs =
            ["osv.jsonl", "kev.json", "kev-later.json", "epss.csv", "cve-facts.jsonl"].map(|name| fixtures.join(name));
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (directory.path().join("old"), directory.path().join("new"));
        build(&inputs, &old, &BuildOptions::default()).unwrap();
        let flat = flatten(&Index::open(&old).unwrap()).unwrap();
        rebuild(&flat, &new).unwrap();
        assert_eq!(std::fs::read(&old).unwrap(), std::fs::read(&new).unwrap());
        // Cut or changed anywhere it is refused, or makes another index; it is never a panic.
        for at in (0..flat.len()).step_by(flat.len() / 40) {
            let _ = rebuild(&flat[..at], &new);
            let mut changed = flat.clone();
            changed[at] ^= 0xff;
            let _ = rebuild(&changed, &new);
        }
    }
}
