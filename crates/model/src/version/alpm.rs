//! Arch Linux versions: `[epoch:]pkgver[-pkgrel]` (vercmp(8), as pacman 6 reads it).
//!
//! Related to rpm's order and not the same: letters at the end make a pre-release (`1.0rc` is older than `1.0`), the length
//! of separators counts, and `~` and `^` only separate.

use std::cmp::Ordering;

use super::{compare_digits, split_while};

#[derive(Debug, Clone)]
pub(super) struct AlpmVersion<'a> {
    epoch: &'a str,
    version: &'a str,
    release: Option<&'a str>,
}

/// Any text that makepkg would take: it forbids white space, and slashes since versions become file names.
pub(super) fn parse(text: &str) -> Result<AlpmVersion<'_>, &'static str> {
    if text.bytes().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control() || byte == b'/') {
        return Err("it holds white space, control characters or slashes");
    }
    let (digits, rest) = split_while(text, |byte| byte.is_ascii_digit());
    let (epoch, rest) = match rest.strip_prefix(':') {
        Some(rest) => (digits, rest),
        None => ("", text),
    };
    let (version, release) = match rest.rsplit_once('-') {
        Some((version, release)) => (version, Some(release)),
        None => (rest, None),
    };
    if version.is_empty() {
        return Err("the version is empty");
    }
    Ok(AlpmVersion { epoch, version, release })
}

impl AlpmVersion<'_> {
    /// A side without a release stands for every release of its version.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        compare_digits(self.epoch, other.epoch).then_with(|| compare_label(self.version, other.version)).then_with(
            || match (self.release, other.release) {
                (Some(a), Some(b)) => compare_label(a, b),
                _ => Ordering::Equal,
            },
        )
    }
}

/// Compares separator by separator and segment by segment: runs of digits as numbers, runs of letters as text.
fn compare_label<'a>(mut a: &'a str, mut b: &'a str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    while !a.is_empty() && !b.is_empty() {
        let (a_gap, a_rest) = split_while(a, |byte| !byte.is_ascii_alphanumeric());
        let (b_gap, b_rest) = split_while(b, |byte| !byte.is_ascii_alphanumeric());
        (a, b) = (a_rest, b_rest);
        if a.is_empty() || b.is_empty() {
            break;
        }
        if a_gap.len() != b_gap.len() {
            return a_gap.len().cmp(&b_gap.len());
        }
        let order = match (starts(a, u8::is_ascii_digit), starts(b, u8::is_ascii_digit)) {
            // A number is newer than letters.
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            (true, true) => {
                let (a_run, b_run) = run(&mut a, &mut b, u8::is_ascii_digit);
                compare_digits(a_run, b_run)
            }
            (false, false) => {
                let (a_run, b_run) = run(&mut a, &mut b, u8::is_ascii_alphabetic);
                a_run.cmp(b_run)
            }
        };
        if order.is_ne() {
            return order;
        }
    }
    match (a.is_empty(), b.is_empty()) {
        (true, true) => Ordering::Equal,
        // What goes on is newer, unless it goes on with letters.
        (true, false) if starts(b, u8::is_ascii_alphabetic) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, _) if starts(a, u8::is_ascii_alphabetic) => Ordering::Less,
        (false, _) => Ordering::Greater,
    }
}

fn starts(text: &str, class: fn(&u8) -> bool) -> bool {
    text.as_bytes().first().is_some_and(class)
}

/// Takes the leading run of a class off both.
fn run<'a>(a: &mut &'a str, b: &mut &'a str, class: fn(&u8) -> bool) -> (&'a str, &'a str) {
    let (a_run, a_rest) = split_while(a, |byte| class(&byte));
    let (b_run, b_rest) = split_while(b, |byte| class(&byte));
    (*a, *b) = (a_rest, b_rest);
    (a_run, b_run)
}
