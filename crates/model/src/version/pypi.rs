//! Python versions: PEP 440, with its normalisations (appendix B). What it does not describe is invalid.

use std::cmp::Ordering;

use super::{all_digits, compare_digits, split_while};

#[derive(Debug, Clone)]
pub(super) struct PyPiVersion<'a> {
    epoch: &'a str,
    /// `1.2.3` without trailing zeros.
    release: &'a str,
    pre: Option<(Phase, &'a str)>,
    post: Option<&'a str>,
    dev: Option<&'a str>,
    local: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Alpha,
    Beta,
    Candidate,
}

/// Every spelling of a pre-release, longer ones before their beginnings.
const PRE: &[(&str, Phase)] = &[
    ("alpha", Phase::Alpha),
    ("a", Phase::Alpha),
    ("beta", Phase::Beta),
    ("b", Phase::Beta),
    ("preview", Phase::Candidate),
    ("pre", Phase::Candidate),
    ("c", Phase::Candidate),
    ("rc", Phase::Candidate),
];
const POST: &[(&str, ())] = &[("post", ()), ("rev", ()), ("r", ())];
const DEV: &[(&str, ())] = &[("dev", ())];

pub(super) fn parse(text: &str) -> Result<PyPiVersion<'_>, &'static str> {
    let text = text.trim();
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let (epoch, rest) = match text.split_once('!') {
        Some((epoch, _)) if epoch.is_empty() || !all_digits(epoch) => return Err("the epoch is not a number"),
        Some(parts) => parts,
        None => ("", text),
    };
    let (release, rest) = release(rest)?;
    let (pre, rest) = label(rest, PRE);
    let (post, rest) = post(rest);
    let (dev, rest) = label(rest, DEV);
    let local = match rest.strip_prefix('+') {
        Some(local) if local.split(['.', '-', '_']).all(is_local_segment) => Some(local),
        None if rest.is_empty() => None,
        _ => return Err("what follows the release is not described by PEP 440"),
    };
    Ok(PyPiVersion { epoch, release, pre, post, dev: dev.map(|((), number)| number), local })
}

/// Splits off `1.2.3`, and drops its trailing zeros.
fn release(text: &str) -> Result<(&str, &str), &'static str> {
    let mut end = 0;
    let mut significant = 0;
    loop {
        let start = if end == 0 { 0 } else { end + 1 };
        let (digits, _) = split_while(text.get(start..).unwrap_or(""), |byte| byte.is_ascii_digit());
        if digits.is_empty() {
            break;
        }
        end = start + digits.len();
        if digits.bytes().any(|digit| digit != b'0') {
            significant = end;
        }
        if text.as_bytes().get(end) != Some(&b'.') {
            break;
        }
    }
    match (text.get(..significant), text.get(end..)) {
        (Some(release), Some(rest)) if end > 0 => Ok((release, rest)),
        _ => Err("it does not begin with a number"),
    }
}

/// Splits off `[separator] label [separator] [number]`, where one of the labels is next.
fn label<'a, T: Copy>(text: &'a str, labels: &[(&str, T)]) -> (Option<(T, &'a str)>, &'a str) {
    let unseparated = skip_separator(text);
    for (label, meaning) in labels {
        let Some((head, rest)) = unseparated.split_at_checked(label.len()) else { continue };
        if head.eq_ignore_ascii_case(label) {
            let (number, rest) = split_while(skip_separator(rest), |byte| byte.is_ascii_digit());
            return (Some((*meaning, number)), rest);
        }
    }
    (None, text)
}

/// Splits off a post-release, also the implicit one: `1.0-1`.
fn post(text: &str) -> (Option<&str>, &str) {
    if let Some(after) = text.strip_prefix('-') {
        let (number, rest) = split_while(after, |byte| byte.is_ascii_digit());
        if !number.is_empty() {
            return (Some(number), rest);
        }
    }
    let (post, rest) = label(text, POST);
    (post.map(|((), number)| number), rest)
}

fn skip_separator(text: &str) -> &str {
    text.strip_prefix(['.', '-', '_']).unwrap_or(text)
}

fn is_local_segment(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphanumeric())
}

impl PyPiVersion<'_> {
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        compare_digits(self.epoch, other.epoch)
            .then_with(|| compare_release(self.release, other.release))
            .then_with(|| self.phase().cmp(&other.phase()))
            .then_with(|| compare_digits(self.pre.map_or("", |pre| pre.1), other.pre.map_or("", |pre| pre.1)))
            .then_with(|| compare_options(self.post, other.post))
            // Without a development release a version is newer than with one.
            .then_with(|| match (self.dev, other.dev) {
                (Some(a), Some(b)) => compare_digits(a, b),
                (a, b) => b.is_some().cmp(&a.is_some()),
            })
            .then_with(|| compare_local(self.local, other.local))
    }

    /// A development release of nothing but the release comes before its pre-releases, the release after them.
    fn phase(&self) -> u8 {
        match self.pre {
            None if self.post.is_none() && self.dev.is_some() => 0,
            Some((phase, _)) => 1 + phase as u8,
            None => 4,
        }
    }
}

fn compare_options(a: Option<&str>, b: Option<&str>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => compare_digits(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

fn compare_release(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let (x, y) = (a.next(), b.next());
        let order = compare_digits(x.unwrap_or(""), y.unwrap_or(""));
        if order.is_ne() || (x.is_none() && y.is_none()) {
            return order;
        }
    }
}

/// Segment by segment: text is older than numbers, and a local version with more segments is newer.
fn compare_local(a: Option<&str>, b: Option<&str>) -> Ordering {
    let (Some(a), Some(b)) = (a, b) else { return a.is_some().cmp(&b.is_some()) };
    let separators = ['.', '-', '_'];
    let (mut a, mut b) = (a.split(separators), b.split(separators));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (x, y) if x.is_none() || y.is_none() => return x.is_some().cmp(&y.is_some()),
            (x, y) => compare_local_segment(x.unwrap_or(""), y.unwrap_or("")),
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn compare_local_segment(a: &str, b: &str) -> Ordering {
    match (all_digits(a), all_digits(b)) {
        (true, true) => compare_digits(a, b),
        (false, false) => a.bytes().map(|b| b.to_ascii_lowercase()).cmp(b.bytes().map(|b| b.to_ascii_lowercase())),
        (a, b) => a.cmp(&b),
    }
}
