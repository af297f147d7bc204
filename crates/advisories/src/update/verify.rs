//! Whether a file is the feed that it should be: its checksum, what is in it, and how much.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::sources::Source;
use crate::feeds::{self, Item, NotAFeed};

/// Why a file is not taken as the feed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is no feed of any kind: a page for people, half a file, a bomb.
    #[error("what came is not a feed: it")]
    NotAFeed(#[source] NotAFeed),
    /// It is a feed, and another one.
    #[error("what came has no {wanted} in it")]
    Other {
        /// What this feed consists of.
        wanted: &'static str,
    },
    /// Its advisories are for something else.
    #[error("what came is mostly not about {wanted}: only {records} of {all} records are")]
    OtherEcosystem {
        /// The ecosystems of the feed.
        wanted: String,
        /// How many records are.
        records: u64,
        /// Of how many.
        all: u64,
    },
    /// Its checksum is not the one stated.
    #[error("its SHA-256 is {actual}, and {who} says {stated}")]
    Checksum {
        /// Who states it.
        who: &'static str,
        /// What is stated.
        stated: String,
        /// What was computed here.
        actual: String,
    },
    /// The list of checksums does not have it.
    #[error("`SHA256SUMS` does not list it")]
    NotListed,
    /// There is such a list, or should be, and it cannot be had.
    #[error("`SHA256SUMS` could not be read: {0}")]
    NoSums(String),
    /// It has far fewer records than before.
    #[error("only {now} records, where there were {before}")]
    Shrunk {
        /// Records of the copy in force.
        before: u64,
        /// Records of what came.
        now: u64,
    },
}

/// What a sound feed file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) records: u64,
    /// The newest record's date, or the day the whole is for; empty when nothing says.
    pub(super) newest: String,
}

/// Reads the whole file as the compiler will, and counts.
pub(super) fn verify(path: &Path, source: &Source) -> Result<Seen, Refusal> {
    let mut seen = Seen { records: 0, newest: String::new() };
    let (mut ours, mut placed) = (0u64, 0u64);
    feeds::read(path, &mut |item| {
        seen.records += u64::from(source.content.has(&item));
        let date = match &item {
            Item::Advisory(parsed) => {
                let mut families = parsed.advisory.affected.iter().map(|affected| family(&affected.ecosystem));
                placed += u64::from(!parsed.advisory.affected.is_empty());
                ours += u64::from(families.any(|family| source.ecosystems.contains(&family)));
                &parsed.advisory.modified
            }
            Item::Facts(facts) => &facts.modified,
            Item::KevDate(date) | Item::EpssDate(date) => date,
            _ => return,
        };
        if *date > seen.newest {
            seen.newest.clone_from(date);
        }
    })
    .map_err(Refusal::NotAFeed)?;
    if seen.records == 0 {
        return Err(Refusal::Other { wanted: source.content.words() });
    }
    // Records about several ecosystems are in the export of each, so not all need be ours; but most are.
    if !source.ecosystems.is_empty() && ours.saturating_mul(2) < placed {
        let wanted = source.ecosystems.join(", ");
        return Err(Refusal::OtherEcosystem { wanted, records: ours, all: placed });
    }
    Ok(seen)
}

fn family(ecosystem: &str) -> &str {
    ecosystem.split(':').next().unwrap_or(ecosystem)
}

/// Refuses what has lost more than a tenth of its records: feeds grow, and one that does not is broken more often than not.
pub(super) fn not_shrunk(before: u64, now: u64) -> Result<(), Refusal> {
    if now.saturating_mul(10) < before.saturating_mul(9) { Err(Refusal::Shrunk { before, now }) } else { Ok(()) }
}

/// Compares a stated checksum, in hex.
pub(super) fn same_sum(who: &'static str, stated: &str, actual: &str) -> Result<(), Refusal> {
    if stated.eq_ignore_ascii_case(actual) {
        return Ok(());
    }
    Err(Refusal::Checksum { who, stated: stated.chars().take(64).collect(), actual: actual.to_owned() })
}

/// The sum of `file` in a list as `sha256sum` writes it. A file beside the feed may name it by its last part alone.
pub(super) fn listed<'a>(list: &'a str, file: &str) -> Option<&'a str> {
    list.lines().find_map(|line| {
        let (sum, name) = line.trim().split_once([' ', '\t'])?;
        let name = name.trim_start_matches([' ', '\t', '*']).trim_start_matches("./");
        (name == file).then_some(sum)
    })
}

/// The SHA-256 in a `.meta` file: lines of `name:value`.
pub(super) fn sum_in_meta(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.trim().strip_prefix("sha256:")).map(|sum| sum.trim().to_owned())
}

/// The SHA-256 of a file, in hex.
pub(super) fn sha256(path: &Path) -> io::Result<String> {
    sha256_of_all(File::open(path)?)
}

/// The SHA-256 of what a gzip file holds, in hex.
pub(super) fn sha256_of_text(path: &Path) -> io::Result<String> {
    sha256_of_all(flate2::read::MultiGzDecoder::new(io::BufReader::new(File::open(path)?)))
}

fn sha256_of_all(mut file: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut chunk)?;
        if count == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&chunk[..count]);
    }
}

/// The SHA-256 of some bytes, in hex.
pub(super) fn sha256_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_sums_is_read_as_sha256sum_writes_it() {
        let list = "aa  h/npm/all.zip\nbb *./h/kev.json\n\ncc\n";
        assert_eq!(listed(list, "h/npm/all.zip"), Some("aa"));
        assert_eq!(listed(list, "h/kev.json"), Some("bb"));
        assert_eq!(listed(list, "kev.json"), None);
    }

    #[test]
    fn the_nvd_states_the_sum_of_the_text() {
        let meta = "lastModifiedDate:2026-11-26T03:00:01-05:00\r\nsize:21578456\r\ngzSize:1325213\r\nsha256:0F00\r\n";
        assert_eq!(sum_in_meta(meta).as_deref(), Some("0F00"));
        assert_eq!(sum_in_meta("<html>"), None);
    }

    #[test]
    fn a_tenth_may_go_and_no_more() {
        assert!(not_shrunk(1000, 900).is_ok());
        assert!(not_shrunk(1000, 899).is_err());
        assert!(not_shrunk(0, 0).is_ok());
    }
}
