//! Gathers what feeds say, keeping of each record only its newest state.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use model::advisory::{Advisory, RangeEnd, StatedSeverity};
use model::report::CoverageState;

use super::strings::Strings;
use crate::feeds::Parsed;
use crate::feeds::cve::{CveFacts, CveKey, KevEntry, NVD, PROVIDERS, pack_ssvc};
use crate::index::layout::{END_EXACTLY, END_FIXED, END_LAST_AFFECTED, END_OPEN, NONE, TAG_SHIFT};
use crate::index::record::{LISTS, MALICIOUS, NUMBERS};

/// A record that is kept. Its rows and tokens stay where they are when a newer state replaces it: `live` decides.
pub(super) struct Kept {
    pub(super) id: u32,
    pub(super) source: u32,
    pub(super) live: bool,
    pub(super) withdrawn: bool,
    /// Its date for coverage, see [`Collector::dated`]; the empty text when nothing says.
    pub(super) dated: u32,
    /// Distinguishes two states of one date; equal means the same state.
    pub(super) fingerprint: u64,
    /// Where its tokens are: see [`Collector::tokens_of`].
    tokens: (usize, usize),
    /// Where its ecosystems are in `membership`.
    ecosystems: (usize, usize),
    /// Where its rows are in `rows`.
    rows: (usize, usize),
    modified: Option<Timestamp>,
}

/// A row on its way: everything is a number given by the collector.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RawRow {
    pub(super) key: u32,
    pub(super) advisory: u32,
    pub(super) introduced: u32,
    pub(super) end: u32,
    pub(super) tag: u32,
}

/// What the score and exploitation feeds say of one CVE.
#[derive(Default)]
pub(super) struct Facts {
    /// The newest record of each provider.
    said: [Said; PROVIDERS],
    /// Date (text, 0 unknown) and ransomware.
    pub(super) kev: Option<(u32, bool)>,
}

/// What one provider says of one CVE.
#[derive(Default)]
struct Said {
    modified: String,
    /// Scorer, vector (texts), score in tenths.
    scores: Vec<(u32, u32, u32)>,
    /// Decision points as a number, 0 for none.
    ssvc: u32,
}

impl Facts {
    /// Scores of all providers: scorer, vector (texts), score in tenths. What the NVD merely repeats of a CVE record, under
    /// another name of the scorer, is left out.
    pub(super) fn scores(&self, texts: &Strings) -> Vec<(u32, u32, u32)> {
        let mut scores: Vec<(u32, u32, u32)> = Vec::new();
        for said in &self.said {
            let before = scores.len();
            for score in &said.scores {
                let repeated = scores[..before].iter().any(|known| (known.1, known.2) == (score.1, score.2));
                if !repeated || texts.get(score.0) == NVD {
                    scores.push(*score);
                }
            }
        }
        scores
    }

    /// The decision points of the first provider that states them.
    pub(super) fn ssvc(&self) -> u32 {
        self.said.iter().map(|said| said.ssvc).find(|ssvc| *ssvc != 0).unwrap_or(0)
    }
}

/// What a collection of records may say about coverage, for each ecosystem in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) state: CoverageState,
    pub(super) note: Option<String>,
}

/// Everything that was read.
pub(super) struct Collector {
    /// Ecosystems, names, versions, statuses, modules.
    pub(super) words: Strings,
    /// Ids, dates, titles, pages, scores.
    pub(super) texts: Strings,
    pub(super) records: Vec<Kept>,
    tokens: Vec<u32>,
    membership: Vec<u32>,
    by_id: HashMap<(u32, u32), Vec<u32>>,
    keys: HashMap<(u32, u32), u32>,
    /// Ecosystem and name of each key.
    pub(super) key_words: Vec<(u32, u32)>,
    pub(super) rows: Vec<RawRow>,
    qualifiers: HashMap<(u32, u32), u32>,
    /// Status and module of each qualifier; [`NONE`] for none.
    pub(super) qualifier_words: Vec<(u32, u32)>,
    pub(super) facts: BTreeMap<CveKey, Facts>,
    /// The day of the file being read, `YYYY-MM-DD`, where its manifest says.
    pub(super) file_day: String,
    /// The best claim about each ecosystem.
    pub(super) claims: HashMap<u32, Claim>,
    /// The ecosystems in the file being read, and why it cannot be all of them, where a record says so.
    read: HashMap<u32, Option<&'static str>>,
    /// Of ecosystems whose publisher has a document for each part: which parts were read, and which there are.
    parts: BTreeMap<String, (BTreeSet<String>, &'static [&'static str])>,
}

impl Collector {
    pub(super) fn new() -> Self {
        Self {
            words: Strings::new(),
            texts: Strings::new(),
            records: Vec::new(),
            tokens: Vec::new(),
            membership: Vec::new(),
            by_id: HashMap::new(),
            keys: HashMap::new(),
            key_words: Vec::new(),
            rows: Vec::new(),
            qualifiers: HashMap::new(),
            qualifier_words: Vec::new(),
            facts: BTreeMap::new(),
            file_day: String::new(),
            claims: HashMap::new(),
            read: HashMap::new(),
            parts: BTreeMap::new(),
        }
    }

    /// The ecosystems a record affects, numbered as words, without repetition.
    pub(super) fn ecosystems_of(&self, record: &Kept) -> &[u32] {
        &self.membership[record.ecosystems.0..record.ecosystems.1]
    }

    /// A record's tokens, all numbers of texts but the [`NUMBERS`]:
    /// `[id, source, published, modified, withdrawn, summary, flags, n_aliases, n_upstream, n_related, n_severities,
    /// n_references, n_own, n_symbols]`, then that many ids, ids, ids, (scorer, value), pages, (ecosystem, name, scorer,
    /// value), (ecosystem, name, symbol). A record lies in the file in the same way.
    pub(super) fn tokens_of(&self, record: &Kept) -> &[u32] {
        &self.tokens[record.tokens.0..record.tokens.1]
    }

    /// Takes a record. Of several states of one record the newest counts, also when it says no more than "withdrawn".
    pub(super) fn advisory(&mut self, parsed: &Parsed) {
        let advisory = &parsed.advisory;
        let (rows_before, members_before) = (self.rows.len(), self.membership.len());
        let number = self.records.len() as u32;
        let mut kept = self.store(advisory);
        self.affected(number, advisory);
        kept.ecosystems = (members_before, self.membership.len());
        kept.rows = (rows_before, self.rows.len());
        kept.fingerprint = self.fingerprint(&kept, rows_before);
        for &ecosystem in &self.membership[members_before..] {
            let known = self.read.entry(ecosystem).or_default();
            *known = known.or(parsed.partial);
        }
        let rivals = self.by_id.get(&(kept.id, kept.source)).cloned().unwrap_or_default();
        if rivals.iter().any(|&rival| self.supersedes(&self.records[rival as usize], &kept)) {
            // The number is not taken, so neither may anything that bears it.
            self.rows.truncate(rows_before);
            self.membership.truncate(members_before);
            self.tokens.truncate(kept.tokens.0);
            return;
        }
        let (beaten, standing): (Vec<u32>, Vec<u32>) =
            rivals.iter().partition(|&&rival| self.supersedes(&kept, &self.records[rival as usize]));
        for rival in beaten {
            self.records[rival as usize].live = false;
        }
        self.by_id.insert((kept.id, kept.source), standing.into_iter().chain([number]).collect());
        self.records.push(kept);
    }

    /// Whether `a` makes `b`, a record of the same id and source, obsolete.
    fn supersedes(&self, a: &Kept, b: &Kept) -> bool {
        if a.modified != b.modified {
            return a.modified > b.modified;
        }
        // Some publishers cut a record into one per ecosystem, all of one date: those stand side by side.
        let family = |ecosystem: &u32| self.words.get(*ecosystem).split(':').next().unwrap_or_default();
        let apart = !a.withdrawn
            && !b.withdrawn
            && !self.ecosystems_of(a).iter().any(|x| self.ecosystems_of(b).iter().any(|y| family(x) == family(y)));
        let empty = self.ecosystems_of(a).is_empty() || self.ecosystems_of(b).is_empty();
        if !empty && (apart || (a.modified.is_none() && self.of_other_packages(a, b))) {
            return false;
        }
        (a.withdrawn, a.fingerprint) >= (b.withdrawn, b.fingerprint)
    }

    /// Whether two records name no package (of one release) in common. Feeds that date nothing have one file per release or
    /// repository, each with its part of what is said of a vulnerability.
    fn of_other_packages(&self, a: &Kept, b: &Kept) -> bool {
        let keys = |kept: &Kept| self.rows[kept.rows.0..kept.rows.1].iter().map(|row| row.key);
        let known: std::collections::HashSet<u32> = keys(a).collect();
        !keys(b).any(|key| known.contains(&key))
    }

    fn store(&mut self, advisory: &Advisory) -> Kept {
        let start = self.tokens.len();
        let texts = &mut self.texts;
        let (id, source) = (texts.intern(&advisory.id), texts.intern(&advisory.source));
        let published = texts.intern(&advisory.published);
        let modified = texts.intern(&advisory.modified);
        let withdrawn = texts.intern(advisory.withdrawn.as_deref().unwrap_or_default());
        let summary = texts.intern(&advisory.summary);
        let own = || advisory.affected.iter().filter(|affected| !affected.severities.is_empty());
        let own_count: usize = own().map(|affected| affected.severities.len()).sum();
        let symbol_count: usize = advisory.affected.iter().map(|affected| affected.symbols.len()).sum();
        self.tokens.extend([id, source, published, modified, withdrawn, summary]);
        self.tokens.push(if advisory.malicious { MALICIOUS } else { 0 });
        let counts: [usize; LISTS] = [
            advisory.aliases.len(),
            advisory.upstream.len(),
            advisory.related.len(),
            advisory.severities.len(),
            advisory.references.len(),
            own_count,
            symbol_count,
        ];
        self.tokens.extend(counts.map(|count| count as u32));
        for list in [&advisory.aliases, &advisory.upstream, &advisory.related] {
            self.tokens.extend(list.iter().map(|id| texts.intern(id)));
        }
        let mut severity = |tokens: &mut Vec<u32>, stated: &StatedSeverity| {
            tokens.extend([texts.intern(&stated.scorer), texts.intern(&stated.value)]);
        };
        for stated in &advisory.severities {
            severity(&mut self.tokens, stated);
        }
        self.tokens.extend(advisory.references.iter().map(|page| self.texts.intern(page)));
        for affected in own() {
            for stated in &affected.severities {
                self.tokens.extend(
                    [&affected.ecosystem, &affected.name, &stated.scorer, &stated.value].map(|t| self.texts.intern(t)),
                );
            }
        }
        for affected in &advisory.affected {
            for symbol in &affected.symbols {
                self.tokens.extend([&affected.ecosystem, &affected.name, symbol].map(|text| self.texts.intern(text)));
            }
        }
        let dated = self.dated(advisory);
        Kept {
            id,
            source,
            live: true,
            withdrawn: advisory.withdrawn.is_some(),
            dated,
            fingerprint: 0,
            tokens: (start, self.tokens.len()),
            ecosystems: (0, 0),
            rows: (0, 0),
            modified: advisory.modified.parse().ok(),
        }
    }

    /// The day whose knowledge a record is part of: that of its file, where the manifest says; a file is as current as the
    /// day it was taken, however old its newest record. Otherwise the record's own date; year 1 is how some feeds write
    /// "unknown".
    fn dated(&mut self, advisory: &Advisory) -> u32 {
        if is_day(&self.file_day) {
            return self.texts.intern(&format!("{}T00:00:00Z", &self.file_day[..10]));
        }
        let good = |date: &&String| is_day(date);
        [&advisory.modified, &advisory.published].into_iter().find(good).map_or(0, |date| self.texts.intern(date))
    }

    fn affected(&mut self, number: u32, advisory: &Advisory) {
        let members_before = self.membership.len();
        for affected in &advisory.affected {
            let ecosystem = self.words.intern(&affected.ecosystem);
            if !self.membership[members_before..].contains(&ecosystem) {
                self.membership.push(ecosystem);
            }
            // A withdrawn record affects nothing, yet its newer state must be known to replace the older.
            if advisory.withdrawn.is_some() {
                continue;
            }
            let key = self.key(ecosystem, &affected.name);
            let status = affected.status.as_deref().map_or(NONE, |status| self.words.intern(status));
            let module = affected.module.as_deref().map_or(NONE, |module| self.words.intern(module));
            let qualifier = self.qualifier(status, module);
            for range in &affected.ranges {
                let introduced = range.introduced.as_deref().map_or(0, |version| self.words.intern(version));
                let (kind, end) = match &range.end {
                    RangeEnd::Open => (END_OPEN, 0),
                    RangeEnd::Fixed(version) => (END_FIXED, self.words.intern(version)),
                    RangeEnd::LastAffected(version) => (END_LAST_AFFECTED, self.words.intern(version)),
                    RangeEnd::Exactly => (END_EXACTLY, 0),
                };
                self.rows.push(RawRow { key, advisory: number, introduced, end, tag: kind << TAG_SHIFT | qualifier });
            }
            for version in &affected.versions {
                let introduced = self.words.intern(version);
                let tag = END_EXACTLY << TAG_SHIFT | qualifier;
                self.rows.push(RawRow { key, advisory: number, introduced, end: 0, tag });
            }
        }
    }

    /// Takes a record as it lies in an index: its tokens, and nothing that only collecting needs.
    pub(super) fn stored(&mut self, tokens: &[u32]) {
        let start = self.tokens.len();
        self.tokens.extend(tokens);
        self.records.push(Kept {
            id: tokens.first().copied().unwrap_or_default(),
            source: tokens.get(1).copied().unwrap_or_default(),
            live: true,
            withdrawn: false,
            dated: 0,
            fingerprint: 0,
            tokens: (start, self.tokens.len()),
            ecosystems: (0, 0),
            rows: (0, 0),
            modified: None,
        });
    }

    /// The first of the records with an id, where they are sorted by it.
    pub(super) fn first_of(&self, id: &str) -> Option<u32> {
        let first = self.records.partition_point(|record| self.texts.get(record.id) < id);
        let found = self.records.get(first).is_some_and(|record| self.texts.get(record.id) == id);
        found.then_some(first as u32)
    }

    pub(super) fn key(&mut self, ecosystem: u32, name: &str) -> u32 {
        let name = self.words.intern(name);
        *self.keys.entry((ecosystem, name)).or_insert_with(|| {
            self.key_words.push((ecosystem, name));
            self.key_words.len() as u32 - 1
        })
    }

    /// The number of a (status, module) pair. Each new pair costs a word of its own, so memory ends before the tag's bits.
    pub(super) fn qualifier(&mut self, status: u32, module: u32) -> u32 {
        *self.qualifiers.entry((status, module)).or_insert_with(|| {
            self.qualifier_words.push((status, module));
            self.qualifier_words.len() as u32 - 1
        })
    }

    /// A digest of a record's whole state that does not depend on how strings happen to be numbered.
    fn fingerprint(&self, kept: &Kept, rows_before: usize) -> u64 {
        let mut print = 0xcbf2_9ce4_8422_2325u64;
        let mut eat = |bytes: &[u8]| {
            for byte in bytes.iter().chain(&[0]) {
                print = (print ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        for (at, token) in self.tokens_of(kept).iter().enumerate() {
            if NUMBERS.contains(&at) {
                eat(&token.to_le_bytes());
            } else {
                eat(self.texts.get(*token).as_bytes());
            }
        }
        for row in &self.rows[rows_before..] {
            let (ecosystem, name) = self.key_words[row.key as usize];
            for word in [ecosystem, name, row.introduced, row.end] {
                eat(self.words.get(word).as_bytes());
            }
            eat(&[(row.tag >> TAG_SHIFT) as u8]);
        }
        print
    }

    /// Takes what a provider says of a CVE; of several states the newest counts.
    pub(super) fn facts(&mut self, facts: &CveFacts) -> Result<(), String> {
        let key = CveKey::parse(&facts.cve).ok_or_else(|| format!("`{}` is no CVE id", facts.cve))?;
        let scores: Vec<(u32, u32, u32)> = facts
            .scores
            .iter()
            .map(|score| {
                let tenths = (score.score * 10.0).round() as u32;
                (self.texts.intern(&score.scorer), self.texts.intern(&score.vector), tenths)
            })
            .collect();
        let ssvc = facts.ssvc.map_or(0, pack_ssvc);
        let known = &mut self.facts.entry(key).or_default().said[facts.provider as usize];
        let said = |scores: &[(u32, u32, u32)]| -> Vec<(String, String, u32)> {
            scores.iter().map(|s| (self.texts.get(s.0).to_owned(), self.texts.get(s.1).to_owned(), s.2)).collect()
        };
        let newer = match facts.modified.cmp(&known.modified) {
            // One date and two opinions: any rule will do that does not depend on which came first.
            Ordering::Equal => (said(&scores), ssvc) > (said(&known.scores), known.ssvc),
            order => order.is_gt(),
        };
        if newer {
            *known = Said { modified: facts.modified.clone(), scores, ssvc };
        }
        Ok(())
    }

    /// Takes a KEV entry. Catalogues add up: an entry is as old as the oldest says.
    pub(super) fn kev(&mut self, entry: &KevEntry) -> Result<(), String> {
        let key = CveKey::parse(&entry.cve).ok_or_else(|| format!("`{}` is no CVE id", entry.cve))?;
        let date = self.texts.intern(entry.date_added.as_deref().unwrap_or_default());
        let known = self.facts.entry(key).or_default();
        let (known_date, known_ransomware) = known.kev.unwrap_or((0, false));
        let earlier = known_date == 0 || (date != 0 && self.texts.get(date) < self.texts.get(known_date));
        known.kev = Some((if earlier { date } else { known_date }, known_ransomware || entry.ransomware()));
        Ok(())
    }

    /// Notes that a whole part of an ecosystem was read.
    pub(super) fn part(&mut self, ecosystem: String, part: String, of: &'static [&'static str]) {
        self.parts.entry(ecosystem).or_insert_with(|| (BTreeSet::new(), of)).0.insert(part);
    }

    /// What may be claimed about an ecosystem after all files.
    pub(super) fn claim(&self, ecosystem: &str, settled: Option<&Claim>) -> Claim {
        let settled = settled.cloned().unwrap_or(Claim { state: CoverageState::Partial, note: None });
        let Some((parts, of)) = self.parts.get(ecosystem).filter(|_| settled.state != CoverageState::Complete) else {
            return settled;
        };
        let missing: Vec<&str> = of.iter().filter(|part| !parts.contains(**part)).copied().collect();
        if missing.is_empty() {
            return Claim { state: CoverageState::Complete, note: None };
        }
        let note = format!("{} was not read", missing.join(", "));
        Claim { state: CoverageState::Partial, note: Some(note) }
    }

    /// Ends a file (or a manifest's entry): what it may claim about the ecosystems in it becomes part of coverage.
    pub(super) fn settle(&mut self, mut claim: impl FnMut(&str, Option<&'static str>) -> Claim) {
        for (ecosystem, partial) in std::mem::take(&mut self.read) {
            let new = claim(self.words.get(ecosystem), partial);
            let better = match self.claims.get(&ecosystem) {
                None => true,
                // Of two equal claims the note that sorts first is kept, so that the order of files does not matter.
                Some(old) => (new.state, &old.note) > (old.state, &new.note),
            };
            if better {
                self.claims.insert(ecosystem, new);
            }
        }
    }
}

/// A date that can be compared as text with others; year 1 is how some feeds write "unknown".
fn is_day(date: &str) -> bool {
    let shape = date.len() >= 10
        && date.as_bytes()[..10].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    shape && !date.starts_with("0001")
}
