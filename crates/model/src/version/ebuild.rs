//! Gentoo versions: `1.2.3[letter]{_suffix[number]}[-rN]` (Package Manager Specification, "Version Comparison").

use std::cmp::Ordering;

use super::{all_digits, compare_digits, split_while};

/// A valid version, cut at its parts.
#[derive(Debug, Clone)]
pub(super) struct EbuildVersion<'a> {
    /// `1.2.3`
    numbers: &'a str,
    /// `a`, or nothing.
    letter: &'a str,
    /// `_rc1_p2`, or nothing.
    suffixes: &'a str,
    /// Digits; empty when there is no revision, which is the same as 0.
    revision: &'a str,
}

/// From oldest to newest, with the end of the version between the last two.
const SUFFIXES: [&str; 5] = ["alpha", "beta", "pre", "rc", "p"];
const END: usize = 4;

pub(super) fn parse(text: &str) -> Result<EbuildVersion<'_>, &'static str> {
    let (rest, revision) = match text.rsplit_once("-r") {
        Some((rest, revision)) if !revision.is_empty() && all_digits(revision) => (rest, revision),
        Some(_) => return Err("`-r` is not followed by a number alone"),
        None => (text, ""),
    };
    let (numbers, rest) = split_while(rest, |byte| byte.is_ascii_digit() || byte == b'.');
    if numbers.split('.').any(str::is_empty) {
        return Err("it does not begin with numbers separated by single points");
    }
    let (letter, suffixes) = split_while(rest, |byte| byte.is_ascii_lowercase());
    if letter.len() > 1 {
        return Err("more than one letter follows the numbers");
    }
    let mut unread = suffixes;
    while let Some(after) = unread.strip_prefix('_') {
        let (_, _, rest) = suffix(after).ok_or("the suffix after `_` is not one that Gentoo knows")?;
        unread = rest;
    }
    if !unread.is_empty() {
        return Err("a character is out of place");
    }
    Ok(EbuildVersion { numbers, letter, suffixes, revision })
}

/// A suffix's rank, its number and what follows; `text` begins after the underscore.
fn suffix(text: &str) -> Option<(usize, &str, &str)> {
    let (name, rest) = split_while(text, |byte| byte.is_ascii_lowercase());
    let rank = SUFFIXES.iter().position(|known| *known == name)?;
    let (number, rest) = split_while(rest, |byte| byte.is_ascii_digit());
    Some((if rank < END { rank } else { END + 1 }, number, rest))
}

impl EbuildVersion<'_> {
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        compare_numbers(self.numbers, other.numbers)
            .then_with(|| self.letter.cmp(other.letter))
            .then_with(|| compare_suffixes(self.suffixes, other.suffixes))
            .then_with(|| compare_digits(self.revision, other.revision))
    }
}

fn compare_numbers(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    let first = compare_digits(a.next().unwrap_or(""), b.next().unwrap_or(""));
    if first.is_ne() {
        return first;
    }
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            // A leading zero makes a fraction of the number: `1.09` is older than `1.1`.
            (Some(a), Some(b)) if a.starts_with('0') || b.starts_with('0') => {
                a.trim_end_matches('0').cmp(b.trim_end_matches('0'))
            }
            (Some(a), Some(b)) => compare_digits(a, b),
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn compare_suffixes(mut a: &str, mut b: &str) -> Ordering {
    loop {
        let (x, y) = (a.strip_prefix('_').and_then(suffix), b.strip_prefix('_').and_then(suffix));
        let rank = |it: &Option<(usize, &str, &str)>| it.map_or(END, |(rank, ..)| rank);
        let order = rank(&x).cmp(&rank(&y));
        let (Some((_, a_number, a_rest)), Some((_, b_number, b_rest))) = (x, y) else { return order };
        let order = order.then_with(|| compare_digits(a_number, b_number));
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
}
