//! From what was collected to the sections of the file, in an order that depends on nothing but what the feeds say.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use model::report::Coverage;

use super::collect::{Claim, Collector, Facts, Kept, RawRow};
use super::strings::{Placed, offset};
use super::{BuildError, Epss};
use crate::feeds::cve::{CveKey, epss_steps, unpack_epss};
use crate::index::layout::{NONE, SECTIONS, Section, TAG_SHIFT, bucket_bits, hash, put_varint};
use crate::index::meta::{FeedSummary, Meta};
use crate::index::record::NUMBERS;

/// Earlier estimates kept per CVE: two and a half years of one a month, or a month of one a day.
const EPSS_POINTS_MAX: usize = 32;

/// The bytes of each section, in file order.
pub(super) type Sections = [Vec<u8>; SECTIONS.len()];

/// Compiles the sections.
pub(super) fn compile(collected: &Collector, epss: Epss, mut meta: Meta) -> Result<Sections, BuildError> {
    let order = canonical_order(collected);
    let mut numbers = vec![NONE; collected.records.len()];
    for (number, &record) in order.iter().enumerate() {
        numbers[record as usize] = offset(number)?;
    }
    let mut sections = Sections::default();
    let mut words = Placed::new(&collected.words);
    meta.ranges = matching_tables(collected, &numbers, &mut words, &mut sections)?;
    let mut texts = Placed::new(&collected.texts);
    record_tables(collected, &order, &mut texts, &mut sections)?;
    let (estimates, history) = in_force(epss);
    fact_tables(collected, history, &mut texts, &mut sections)?;
    meta.estimates = estimates.len() as u64;
    sections[Section::Epss as usize] = estimates.iter().flat_map(|word| word.to_le_bytes()).collect();
    sections[Section::Words as usize] = words.section;
    sections[Section::Texts as usize] = texts.section;
    describe(collected, &order, &mut meta);
    sections[Section::Meta as usize] = serde_json::to_vec(&meta).expect("strings and numbers are always JSON");
    Ok(sections)
}

/// What is stored of one CVE: its key, and numbers, those of texts marked.
pub(super) struct FlatFact {
    pub(super) key: u32,
    pub(super) parts: Vec<(u32, bool)>,
}

/// Lays out what was flat: records are in their order already, and estimates and what the index says of itself are given.
pub(super) fn layout(
    collected: &Collector,
    facts: &[FlatFact],
    estimates: &[u8],
    meta: &[u8],
) -> Result<Sections, BuildError> {
    let order: Vec<u32> = (0..offset(collected.records.len())?).collect();
    let mut sections = Sections::default();
    let mut words = Placed::new(&collected.words);
    matching_tables(collected, &order, &mut words, &mut sections)?;
    let mut texts = Placed::new(&collected.texts);
    record_tables(collected, &order, &mut texts, &mut sections)?;
    for fact in facts {
        let start = offset(sections[Section::FactRecords as usize].len())?;
        let table = &mut sections[Section::Facts as usize];
        table.extend(fact.key.to_le_bytes());
        table.extend(start.to_le_bytes());
        for &(value, is_text) in &fact.parts {
            let value = if is_text { texts.place(value)? } else { value };
            put_varint(&mut sections[Section::FactRecords as usize], value);
        }
    }
    sections[Section::Epss as usize] = estimates.to_vec();
    sections[Section::Words as usize] = words.section;
    sections[Section::Texts as usize] = texts.section;
    sections[Section::Meta as usize] = meta.to_vec();
    Ok(sections)
}

/// The living records by id, source and content.
fn canonical_order(collected: &Collector) -> Vec<u32> {
    let by = |record: &Kept| (collected.texts.get(record.id), collected.texts.get(record.source), record.fingerprint);
    let mut order: Vec<u32> =
        (0..collected.records.len() as u32).filter(|&record| collected.records[record as usize].live).collect();
    order.sort_by(|&a, &b| by(&collected.records[a as usize]).cmp(&by(&collected.records[b as usize])));
    order
}

/// Keys, buckets, rows, qualifiers; returns how many rows there are.
fn matching_tables(
    collected: &Collector,
    numbers: &[u32],
    words: &mut Placed<'_>,
    sections: &mut Sections,
) -> Result<u64, BuildError> {
    let word = |number: u32| collected.words.get(number);
    let mut rows: Vec<RawRow> = collected
        .rows
        .iter()
        .filter(|row| numbers[row.advisory as usize] != NONE)
        .map(|row| RawRow { advisory: numbers[row.advisory as usize], ..*row })
        .collect();
    let mut keys: Vec<(u64, u32)> = (0..collected.key_words.len() as u32)
        .map(|key| {
            let (ecosystem, name) = collected.key_words[key as usize];
            (hash(&[word(ecosystem), word(name)]), key)
        })
        .collect();
    let name_of = |key: u32| {
        let (ecosystem, name) = collected.key_words[key as usize];
        (word(ecosystem), word(name))
    };
    keys.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| name_of(a.1).cmp(&name_of(b.1))));
    let mut ranks = vec![0u32; keys.len()];
    for (rank, (_, key)) in keys.iter().enumerate() {
        ranks[*key as usize] = rank as u32;
    }
    for row in &mut rows {
        row.key = ranks[row.key as usize];
    }
    let qualifier = |tag: u32| {
        let (status, module) = collected.qualifier_words[(tag & ((1 << TAG_SHIFT) - 1)) as usize];
        let text = |number: u32| (number != NONE).then(|| word(number));
        (tag >> TAG_SHIFT, text(status), text(module))
    };
    rows.sort_unstable_by(|a, b| {
        (a.key, a.advisory).cmp(&(b.key, b.advisory)).then_with(|| {
            let by = |row: &RawRow| (word(row.introduced), word(row.end), qualifier(row.tag));
            by(a).cmp(&by(b))
        })
    });
    rows.dedup();

    let mut qualifiers: BTreeMap<u32, u32> = BTreeMap::new();
    let mut next = 0usize;
    let mut first_hashes = Vec::with_capacity(keys.len());
    for (rank, (hash, key)) in keys.iter().enumerate() {
        let begin = next;
        while rows.get(next).is_some_and(|row| row.key == rank as u32) {
            next += 1;
        }
        // A package that only withdrawn or superseded records named is no package of this index.
        if begin == next {
            continue;
        }
        let (ecosystem, name) = collected.key_words[*key as usize];
        first_hashes.push(*hash);
        put_key(
            &mut sections[Section::Keys as usize],
            *hash,
            [words.place(ecosystem)?, words.place(name)?, offset(begin)?],
        );
        for row in &rows[begin..next] {
            let raw = row.tag & ((1 << TAG_SHIFT) - 1);
            let fresh = qualifiers.len() as u32;
            let number = *qualifiers.entry(raw).or_insert(fresh);
            if number == fresh {
                let (status, module) = collected.qualifier_words[raw as usize];
                for part in [status, module] {
                    let reference = if part == NONE { NONE } else { words.place(part)? };
                    sections[Section::Qualifiers as usize].extend(reference.to_le_bytes());
                }
            }
            let tag = row.tag >> TAG_SHIFT << TAG_SHIFT | number;
            for value in [row.advisory, words.place(row.introduced)?, words.place(row.end)?, tag] {
                sections[Section::Rows as usize].extend(value.to_le_bytes());
            }
        }
    }
    put_key(&mut sections[Section::Keys as usize], u64::MAX, [0, 0, offset(rows.len())?]);
    put_buckets(&mut sections[Section::Buckets as usize], &first_hashes);
    Ok(rows.len() as u64)
}

fn put_key(to: &mut Vec<u8>, hash: u64, words: [u32; 3]) {
    to.extend(hash.to_le_bytes());
    words.iter().for_each(|word| to.extend(word.to_le_bytes()));
}

fn put_buckets(to: &mut Vec<u8>, hashes: &[u64]) {
    let bits = bucket_bits(hashes.len());
    let mut key = 0;
    for bucket in 0..=1u64 << bits {
        while hashes.get(key).is_some_and(|hash| hash >> (64 - bits) < bucket) {
            key += 1;
        }
        to.extend((key as u32).to_le_bytes());
    }
}

/// Advisory records, and the ids under which they are found.
fn record_tables(
    collected: &Collector,
    order: &[u32],
    texts: &mut Placed<'_>,
    sections: &mut Sections,
) -> Result<(), BuildError> {
    let mut ids: Vec<(u64, u32, u32)> = Vec::new();
    for (number, &record) in order.iter().enumerate() {
        let start = offset(sections[Section::Records as usize].len())?;
        sections[Section::Advisories as usize].extend(start.to_le_bytes());
        let tokens = collected.tokens_of(&collected.records[record as usize]);
        // Aliases, upstream and related ids, after the flags.
        let known_by: usize = tokens[NUMBERS.start + 1..NUMBERS.start + 4].iter().map(|count| *count as usize).sum();
        for (at, &token) in tokens.iter().enumerate() {
            let value = if NUMBERS.contains(&at) { token } else { texts.place(token)? };
            put_varint(&mut sections[Section::Records as usize], value);
            if at == 0 || (NUMBERS.end..NUMBERS.end + known_by).contains(&at) {
                ids.push((hash(&[collected.texts.get(token)]), token, number as u32));
            }
        }
    }
    ids.sort_by(|a, b| (a.0, collected.texts.get(a.1), a.2).cmp(&(b.0, collected.texts.get(b.1), b.2)));
    ids.dedup();
    for (hash, text, number) in ids {
        let to = &mut sections[Section::Ids as usize];
        to.extend(hash.to_le_bytes());
        to.extend(texts.place(text)?.to_le_bytes());
        to.extend(number.to_le_bytes());
    }
    Ok(())
}

/// Estimates of earlier days by CVE: the day, `YYYYMMDD`, and the packed estimate.
type History = BTreeMap<CveKey, Vec<(u32, u64)>>;

/// Scores, exploitation, decision points and earlier estimates by CVE.
fn fact_tables(
    collected: &Collector,
    mut history: History,
    texts: &mut Placed<'_>,
    sections: &mut Sections,
) -> Result<(), BuildError> {
    let none = Facts::default();
    let keys: BTreeSet<CveKey> = collected.facts.keys().chain(history.keys()).copied().collect();
    for key in keys {
        let facts = collected.facts.get(&key).unwrap_or(&none);
        let (scores, earlier) = (facts.scores(&collected.texts), history.remove(&key).unwrap_or_default());
        if scores.is_empty() && facts.kev.is_none() && facts.ssvc() == 0 && earlier.is_empty() {
            continue;
        }
        let start = offset(sections[Section::FactRecords as usize].len())?;
        let table = &mut sections[Section::Facts as usize];
        table.extend(key.0.to_le_bytes());
        table.extend(start.to_le_bytes());
        let to = &mut sections[Section::FactRecords as usize];
        put_varint(to, scores.len() as u32);
        for (scorer, vector, tenths) in scores {
            for value in [texts.place(scorer)?, texts.place(vector)?, tenths] {
                put_varint(to, value);
            }
        }
        let (kind, date) = facts.kev.map_or((0, 0), |(date, ransomware)| (1 + u32::from(ransomware), date));
        put_varint(to, kind);
        put_varint(to, texts.place(date)?);
        put_varint(to, facts.ssvc());
        put_varint(to, earlier.len() as u32);
        for (day, estimate) in earlier {
            let (score, percentile) = epss_steps(estimate);
            [day, score, percentile].into_iter().for_each(|value| put_varint(to, value));
        }
    }
    Ok(())
}

/// Of estimates of several days the newest of each CVE are in force; those of earlier days are its history.
fn in_force(epss: Epss) -> (Vec<u64>, History) {
    let mut newest: BTreeMap<u64, u64> = BTreeMap::new();
    let mut history = History::new();
    for (date, words) in epss.into_iter().rev() {
        let day = date.replace('-', "").parse().unwrap_or(0);
        for word in words {
            match newest.entry(word >> 34) {
                Entry::Vacant(place) => _ = place.insert(word),
                Entry::Occupied(_) if day == 0 => {}
                Entry::Occupied(_) => {
                    let points = history.entry(unpack_epss(word).0).or_default();
                    // Newest first until here, so the same day twice is a repetition.
                    if points.len() < EPSS_POINTS_MAX && points.last().is_none_or(|(last, _)| *last != day) {
                        points.push((day, word));
                    }
                }
            }
        }
    }
    history.values_mut().for_each(|points| points.reverse());
    (newest.into_values().collect(), history)
}

/// Coverage, dates and who said how much.
fn describe(collected: &Collector, order: &[u32], meta: &mut Meta) {
    let mut coverage: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    let mut feeds: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    for &record in order {
        let record = &collected.records[record as usize];
        let dated = collected.texts.get(record.dated);
        bump(feeds.entry(collected.texts.get(record.source)).or_default(), dated);
        if !record.withdrawn {
            for &ecosystem in collected.ecosystems_of(record) {
                bump(coverage.entry(collected.words.get(ecosystem)).or_default(), dated);
            }
        }
    }
    meta.advisories = order.len() as u64;
    meta.newest = feeds.values().map(|(_, newest)| *newest).max().unwrap_or_default().to_owned();
    meta.feeds = feeds
        .into_iter()
        .map(|(source, (records, newest))| FeedSummary { source: source.into(), records, newest: newest.into() })
        .collect();
    let claims: BTreeMap<&str, &Claim> =
        collected.claims.iter().map(|(ecosystem, claim)| (collected.words.get(*ecosystem), claim)).collect();
    meta.coverage = coverage
        .into_iter()
        .map(|(ecosystem, (records, newest))| {
            let Claim { state, note } = collected.claim(ecosystem, claims.get(ecosystem).copied());
            Coverage { ecosystem: ecosystem.into(), state, records, newest: newest.into(), note }
        })
        .collect();
}

fn bump<'a>(entry: &mut (u64, &'a str), dated: &'a str) {
    entry.0 += 1;
    entry.1 = entry.1.max(dated);
}
