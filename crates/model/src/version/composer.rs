//! Composer versions: the normalisation of `composer/semver`, then PHP's `version_compare`.
//!
//! Branches (`dev-main`) are versions, too: Composer lets them match nothing by range, but PHP orders them, before
//! every numbered version. `1.x-dev` is a branch with a number and stands above every `1.n`.

use std::cmp::Ordering;

use super::{all_digits, compare_digits, split_while};

/// The normalised text, `1.2.0.0-beta2-dev`.
#[derive(Debug, Clone)]
pub(super) struct ComposerVersion(String);

const INVALID: &str = "Composer reads neither numbers, a date nor a branch in it";

pub(super) fn parse(text: &str) -> Result<ComposerVersion, &'static str> {
    let text = without_alias(text.trim_matches([' ', '\t', '\n', '\r', '\0', '\x0b']));
    let text = without_stability_flag(text);
    if matches!(text, "master" | "trunk" | "default") {
        return Ok(ComposerVersion(format!("dev-{text}")));
    }
    if let Some(branch) = strip_prefix_ignoring_case(text, "dev-") {
        return Ok(ComposerVersion(format!("dev-{branch}")));
    }
    let text = without_metadata(text);
    let unprefixed = strip_prefix_ignoring_case(text, "v").unwrap_or(text);
    numbered(unprefixed).or_else(|| dated(unprefixed)).or_else(|| branch(text)).map(ComposerVersion).ok_or(INVALID)
}

/// `1.0 as 2.0` is installed from `1.0`.
fn without_alias(text: &str) -> &str {
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let plain = |word: &str| !word.contains(|c: char| c == ',' || c.is_ascii_whitespace());
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(version), Some("as"), Some(alias), None) if plain(version) && plain(alias) => version,
        _ => text,
    }
}

/// `1.0@dev` asks for a stability; it is no part of the version.
fn without_stability_flag(text: &str) -> &str {
    match text.rsplit_once('@') {
        Some((version, flag))
            if ["stable", "rc", "beta", "alpha", "dev"].iter().any(|known| flag.eq_ignore_ascii_case(known)) =>
        {
            version
        }
        _ => text,
    }
}

fn without_metadata(text: &str) -> &str {
    let white = |c: char| c.is_ascii_whitespace();
    match text.split_once('+') {
        Some((version, metadata))
            if !version.is_empty()
                && !metadata.is_empty()
                && !version.contains(|c| c == ',' || white(c))
                && !metadata.contains(white) =>
        {
            version
        }
        _ => text,
    }
}

/// `1`, `1.2`, `1.2.3.4` and what may follow; filled up to four numbers.
fn numbered(text: &str) -> Option<String> {
    const FIRST_NUMBER_DIGITS_MAX: usize = 5;
    let (first, mut rest) = split_while(text, |byte| byte.is_ascii_digit());
    if first.is_empty() || first.len() > FIRST_NUMBER_DIGITS_MAX {
        return None;
    }
    let mut normal = first.to_owned();
    for _ in 0..3 {
        let (number, after) = split_while(rest.strip_prefix('.').unwrap_or(""), |byte| byte.is_ascii_digit());
        normal.push('.');
        if number.is_empty() {
            normal.push('0');
        } else {
            normal.push_str(number);
            rest = after;
        }
    }
    Some(with_modifier(normal, &modifier(rest)?))
}

/// `20100102`, `2010-01-02.5`, `2010.01.02.12.30`: a year, then up to six pairs of digits and two short numbers.
fn dated(text: &str) -> Option<String> {
    let (_, rest) = digits_exactly(text, 4)?;
    let mut ends = Vec::with_capacity(6);
    let mut after = rest;
    while let Some((_, next)) = digits_exactly(skip_date_separator(after), 2).filter(|_| ends.len() < 6) {
        ends.push(next);
        after = next;
    }
    let tails = |end: &'_ str| -> Vec<usize> {
        // How much may be left after no, one or two short numbers: longest date first, as the expression is greedy.
        let mut left = Vec::new();
        short_numbers(end, 2, &mut left);
        left
    };
    for end in ends.iter().rev() {
        for left in tails(end) {
            let at = text.len() - left;
            let (Some(date), Some(rest)) = (text.get(..at), text.get(at..)) else { continue };
            if let Some(modifier) = modifier(rest) {
                let normal = date.chars().map(|c| if c.is_ascii_digit() { c } else { '.' }).collect();
                return Some(with_modifier(normal, &modifier));
            }
        }
    }
    None
}

fn short_numbers(text: &str, more: u8, left: &mut Vec<usize>) {
    if more > 0 {
        for digits in [3, 2, 1] {
            if let Some((_, rest)) = digits_exactly(skip_date_separator(text), digits) {
                short_numbers(rest, more - 1, left);
            }
        }
    }
    left.push(text.len());
}

fn skip_date_separator(text: &str) -> &str {
    text.strip_prefix(['.', ':', '-']).unwrap_or(text)
}

fn digits_exactly(text: &str, count: usize) -> Option<(&str, &str)> {
    text.split_at_checked(count).filter(|(digits, _)| all_digits(digits))
}

/// `1.x-dev`, `2.3-dev`: a branch with numbers, `x` being above every number.
fn branch(text: &str) -> Option<String> {
    let at = text.len().checked_sub("dev".len())?;
    let (name, dev) = text.split_at_checked(at)?;
    if !dev.eq_ignore_ascii_case("dev") {
        return None;
    }
    let name = name.strip_suffix(['.', '-']).unwrap_or(name);
    let name = strip_prefix_ignoring_case(name, "v").unwrap_or(name);
    let mut normal = String::new();
    let mut parts = name.split('.');
    for at in 0..4 {
        match parts.next() {
            Some(number) if !number.is_empty() && all_digits(number) => normal.push_str(number),
            Some("x" | "X" | "*") | None if at > 0 => normal.push_str("9999999"),
            _ => return None,
        }
        normal.push_str(if at < 3 { "." } else { "-dev" });
    }
    parts.next().is_none().then_some(normal)
}

/// What follows the numbers: `-beta2`, `RC1-dev`, `.dev`.
struct Modifier<'a> {
    stability: &'a str,
    number: &'a str,
    dev: bool,
}

fn modifier(text: &str) -> Option<Modifier<'_>> {
    const STABILITIES: [&str; 9] = ["stable", "beta", "b", "rc", "alpha", "a", "patch", "pl", "p"];
    for text in [text.strip_prefix(['.', '_', '-']), Some(text)].into_iter().flatten() {
        for name in STABILITIES {
            let Some(after) = strip_prefix_ignoring_case(text, name) else { continue };
            let stability = text.get(..name.len()).unwrap_or(name);
            let rest = skip_numbers(after);
            let number = after.get(..after.len() - rest.len()).unwrap_or("");
            if let Some(dev) = ends_in_dev(rest) {
                return Some(Modifier { stability, number, dev });
            }
        }
        if let Some(dev) = ends_in_dev(text) {
            return Some(Modifier { stability: "", number: "", dev });
        }
    }
    None
}

/// Skips any number of `[.-]digits`.
fn skip_numbers(mut text: &str) -> &str {
    loop {
        let (digits, rest) = split_while(text.strip_prefix(['.', '-']).unwrap_or(text), |byte| byte.is_ascii_digit());
        if digits.is_empty() {
            return text;
        }
        text = rest;
    }
}

/// Whether nothing (false) or `dev` (true) is left; none when something else is.
fn ends_in_dev(text: &str) -> Option<bool> {
    match text {
        "" => Some(false),
        _ => text.strip_prefix(['.', '-']).unwrap_or(text).eq_ignore_ascii_case("dev").then_some(true),
    }
}

fn with_modifier(mut normal: String, modifier: &Modifier<'_>) -> String {
    // `1.0-stable-dev` is stable: Composer drops the rest. It does not know `Stable`, which then sorts before all.
    if modifier.stability == "stable" {
        return normal;
    }
    if !modifier.stability.is_empty() {
        normal.push('-');
        match modifier.stability.to_ascii_lowercase().as_str() {
            "a" => normal.push_str("alpha"),
            "b" => normal.push_str("beta"),
            "p" | "pl" => normal.push_str("patch"),
            "rc" => normal.push_str("RC"),
            other => normal.push_str(other),
        }
        normal.push_str(modifier.number.trim_start_matches(['.', '-']));
    }
    if modifier.dev {
        normal.push_str("-dev");
    }
    normal
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    text.split_at_checked(prefix.len()).filter(|(head, _)| head.eq_ignore_ascii_case(prefix)).map(|(_, rest)| rest)
}

impl ComposerVersion {
    /// PHP's `version_compare`: part by part, where a part is a run of digits or a run of letters.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (Parts(&self.0), Parts(&other.0));
        loop {
            let order = match (a.next(), b.next()) {
                (None, None) => return Ordering::Equal,
                (Some(Part::Number(x)), Some(Part::Number(y))) => compare_digits(x, y),
                (x, y) => weight(x).cmp(&weight(y)),
            };
            if order.is_ne() {
                return order;
            }
        }
    }
}

enum Part<'a> {
    Number(&'a str),
    Word(&'a str),
}

struct Parts<'a>(&'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let text = self.0.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let (digits, rest) = split_while(text, |byte| byte.is_ascii_digit());
        if !digits.is_empty() {
            self.0 = rest;
            return Some(Part::Number(digits));
        }
        let (word, rest) = split_while(text, |byte| byte.is_ascii_alphabetic());
        self.0 = rest;
        (!word.is_empty()).then_some(Part::Word(word))
    }
}

/// PHP knows words by their beginnings, so `patch` is a `p`; unknown words come first. The end stands between
/// release candidates and numbers, and patches above numbers.
fn weight(part: Option<Part<'_>>) -> i8 {
    const END: i8 = 4;
    const NUMBER: i8 = 5;
    match part {
        None => END,
        Some(Part::Number(_)) => NUMBER,
        Some(Part::Word(word)) => match word.as_bytes() {
            [b'd', b'e', b'v', ..] => 0,
            [b'a', ..] => 1,
            [b'b', ..] => 2,
            [b'R', b'C', ..] | [b'r', b'c', ..] => 3,
            [b'p', ..] => 6,
            _ => -1,
        },
    }
}
