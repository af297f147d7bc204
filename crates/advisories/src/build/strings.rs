//! Strings stored once.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::BuildError;
use crate::index::layout::put_varint;

/// Interned strings, numbered from 0 (the empty string) in order of arrival.
///
/// The table holds numbers only, so a string costs its bytes and some 15 more. The hasher is keyed at random: feeds are
/// strangers' text, and the order of arrival never reaches the file ([`Placed`]).
pub(super) struct Strings {
    bytes: String,
    ends: Vec<usize>,
    table: HashTable<u32>,
    hasher: RandomState,
}

impl Strings {
    pub(super) fn new() -> Self {
        let mut strings =
            Self { bytes: String::new(), ends: Vec::new(), table: HashTable::new(), hasher: RandomState::new() };
        strings.intern("");
        strings
    }

    /// The number of a string.
    pub(super) fn intern(&mut self, text: &str) -> u32 {
        let Self { bytes, ends, table, hasher } = self;
        let hash = hasher.hash_one(text);
        if let Some(&number) = table.find(hash, |&number| slice(bytes, ends, number) == text) {
            return number;
        }
        let number = u32::try_from(ends.len()).expect("four thousand million distinct strings do not fit in memory");
        bytes.push_str(text);
        ends.push(bytes.len());
        table.insert_unique(hash, number, |&other| hasher.hash_one(slice(bytes, ends, other)));
        number
    }

    /// The string of a number that [`Self::intern`] gave.
    pub(super) fn get(&self, number: u32) -> &str {
        slice(&self.bytes, &self.ends, number)
    }

    fn len(&self) -> usize {
        self.ends.len()
    }
}

fn slice<'a>(bytes: &'a str, ends: &[usize], number: u32) -> &'a str {
    let number = number as usize;
    let start = number.checked_sub(1).map_or(0, |before| ends[before]);
    &bytes[start..ends[number]]
}

/// Strings on their way into the file, placed in order of first use: the file depends on what is said, not on the order
/// in which files were read.
pub(super) struct Placed<'a> {
    strings: &'a Strings,
    references: Vec<u32>,
    /// The section's bytes.
    pub(super) section: Vec<u8>,
}

impl<'a> Placed<'a> {
    pub(super) fn new(strings: &'a Strings) -> Self {
        let mut references = vec![u32::MAX; strings.len()];
        references[0] = 0;
        Self { strings, references, section: vec![0] }
    }

    /// The reference of a string.
    pub(super) fn place(&mut self, number: u32) -> Result<u32, BuildError> {
        let reference = &mut self.references[number as usize];
        if *reference == u32::MAX {
            *reference = offset(self.section.len())?;
            let text = self.strings.get(number);
            put_varint(&mut self.section, offset(text.len())?);
            self.section.extend_from_slice(text.as_bytes());
        }
        Ok(*reference)
    }
}

/// A place in a section as the file's tables write it. The all-ones value means "none" in places.
pub(super) fn offset(value: usize) -> Result<u32, BuildError> {
    u32::try_from(value).ok().filter(|offset| *offset != u32::MAX).ok_or(BuildError::TooLarge)
}
