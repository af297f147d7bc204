//! Debian versions: `[epoch:]upstream[-revision]` (Debian Policy 5.6.12; deb-version(7)).

use std::cmp::Ordering;

use super::{all_digits, compare_digits, split_while};

#[derive(Debug, Clone)]
pub(super) struct DebVersion<'a> {
    epoch: u32,
    upstream: &'a str,
    revision: &'a str,
}

/// dpkg rejects a larger epoch: it keeps it in a C `int`.
const EPOCH_MAX: u32 = i32::MAX as u32;

pub(super) fn parse(text: &str) -> Result<DebVersion<'_>, &'static str> {
    let text = text.trim_matches([' ', '\t']);
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) => (parse_epoch(epoch)?, rest),
        None => (0, text),
    };
    let (upstream, revision) = match rest.rsplit_once('-') {
        Some((_, "")) => return Err("the revision after the last `-` is empty"),
        Some(parts) => parts,
        None => (rest, ""),
    };
    if upstream.is_empty() {
        return Err("the upstream version is empty");
    }
    // Policy says that the upstream version "should" begin with a digit; dpkg only warns, and real packages differ.
    if !upstream.bytes().all(|b| b.is_ascii_alphanumeric() || b".-+~:".contains(&b)) {
        return Err("the upstream version may hold only letters, digits and `.` `-` `+` `~` `:`");
    }
    if !revision.bytes().all(|b| b.is_ascii_alphanumeric() || b".+~".contains(&b)) {
        return Err("the revision may hold only letters, digits and `.` `+` `~`");
    }
    Ok(DebVersion { epoch, upstream, revision })
}

fn parse_epoch(text: &str) -> Result<u32, &'static str> {
    if text.is_empty() || !all_digits(text) {
        return Err("the epoch before `:` is not a number");
    }
    match text.parse() {
        Ok(epoch) if epoch <= EPOCH_MAX => Ok(epoch),
        _ => Err("the epoch is too big"),
    }
}

impl DebVersion<'_> {
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_part(self.upstream, other.upstream))
            .then_with(|| compare_part(self.revision, other.revision))
    }
}

/// Compares by turns a stretch without digits and a number, until one pair differs.
fn compare_part(mut a: &str, mut b: &str) -> Ordering {
    while !(a.is_empty() && b.is_empty()) {
        let (a_text, a_rest) = split_while(a, |byte| !byte.is_ascii_digit());
        let (b_text, b_rest) = split_while(b, |byte| !byte.is_ascii_digit());
        let (a_number, a_rest) = split_while(a_rest, |byte| byte.is_ascii_digit());
        let (b_number, b_rest) = split_while(b_rest, |byte| byte.is_ascii_digit());
        let order = compare_text(a_text, b_text).then_with(|| compare_digits(a_number, b_number));
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
    Ordering::Equal
}

fn compare_text(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.bytes(), b.bytes());
    loop {
        let (x, y) = (a.next(), b.next());
        let order = weight(x).cmp(&weight(y));
        if order.is_ne() || (x.is_none() && y.is_none()) {
            return order;
        }
    }
}

/// `~` sorts before the end, the end before letters, letters before everything else.
fn weight(byte: Option<u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(letter),
        Some(other) => i32::from(other) + 256,
    }
}
