//! rpm versions: `[epoch:]version[-release]` (rpm-version(7)).

use std::cmp::Ordering;

use super::{all_digits, compare_digits, split_while};

#[derive(Debug, Clone)]
pub(super) struct RpmVersion<'a> {
    /// Digits; empty when there is none, which is the same as zero.
    epoch: &'a str,
    version: &'a str,
    release: Option<&'a str>,
}

pub(super) fn parse(text: &str) -> Result<RpmVersion<'_>, &'static str> {
    if text.bytes().any(|b| b.is_ascii_whitespace() || b.is_ascii_control()) {
        return Err("it holds white space or control characters");
    }
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) if all_digits(epoch) => (epoch, rest),
        Some(_) => return Err("the epoch before `:` is not a number"),
        None => ("", text),
    };
    let (version, release) = match rest.rsplit_once('-') {
        Some((version, release)) => (version, Some(release).filter(|release| !release.is_empty())),
        None => (rest, None),
    };
    if version.is_empty() {
        return Err("the version is empty");
    }
    Ok(RpmVersion { epoch, version, release })
}

impl RpmVersion<'_> {
    /// A side without a release stands for every release of its version, as in rpm's own dependencies. So `1-1` and
    /// `1-2` both equal `1`, and only versions that all have a release (or all lack one) are transitively ordered.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        compare_digits(self.epoch, other.epoch).then_with(|| compare_label(self.version, other.version)).then_with(
            || match (self.release, other.release) {
                (Some(a), Some(b)) => compare_label(a, b),
                _ => Ordering::Equal,
            },
        )
    }
}

/// Compares segment by segment: runs of digits as numbers, runs of letters as text; all else only separates.
fn compare_label(mut a: &str, mut b: &str) -> Ordering {
    let separator = |byte: u8| !(byte.is_ascii_alphanumeric() || byte == b'~' || byte == b'^');
    loop {
        a = skip(a, separator);
        b = skip(b, separator);
        // `~` is older than anything, even than the end.
        match (a.strip_prefix('~'), b.strip_prefix('~')) {
            (Some(a_rest), Some(b_rest)) => {
                (a, b) = (a_rest, b_rest);
                continue;
            }
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (None, None) => {}
        }
        // `^` is newer than the end and older than any other continuation.
        match (a.strip_prefix('^'), b.strip_prefix('^')) {
            (Some(a_rest), Some(b_rest)) => {
                (a, b) = (a_rest, b_rest);
                continue;
            }
            (Some(_), None) => return if b.is_empty() { Ordering::Greater } else { Ordering::Less },
            (None, Some(_)) => return if a.is_empty() { Ordering::Less } else { Ordering::Greater },
            (None, None) => {}
        }
        if a.is_empty() || b.is_empty() {
            return a.len().cmp(&b.len());
        }
        let numeric = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        let order = match (numeric(a), numeric(b)) {
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            (true, true) => {
                let (a_run, a_rest) = split_while(a, |byte| byte.is_ascii_digit());
                let (b_run, b_rest) = split_while(b, |byte| byte.is_ascii_digit());
                (a, b) = (a_rest, b_rest);
                compare_digits(a_run, b_run)
            }
            (false, false) => {
                let (a_run, a_rest) = split_while(a, |byte| byte.is_ascii_alphabetic());
                let (b_run, b_rest) = split_while(b, |byte| byte.is_ascii_alphabetic());
                (a, b) = (a_rest, b_rest);
                a_run.cmp(b_run)
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Drops the leading bytes of a class that holds no part of any character outside ASCII, or all of them.
fn skip(text: &str, class: impl Fn(u8) -> bool) -> &str {
    let start = text.bytes().position(|byte| !class(byte)).unwrap_or(text.len());
    text.get(start..).unwrap_or("")
}
