//! RubyGems versions: `Gem::Version`.

use std::cmp::Ordering;

use super::{all_digits, compare_digits, split_while};

#[derive(Debug, Clone)]
pub(super) struct GemVersion<'a> {
    /// Numbers and words, without the zeros that say nothing: those before the first word and those at the end.
    segments: Vec<&'a str>,
}

/// Reads `1.2.3`, `2.0.0.rc1`, `1.0-beta` (where `-` stands for `.pre.`); the empty text is 0, as RubyGems has it.
pub(super) fn parse(text: &str) -> Result<GemVersion<'_>, &'static str> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let (main, suffix) = text.split_once('-').map_or((text, None), |(main, suffix)| (main, Some(suffix)));
    if text.is_empty() {
        return Ok(GemVersion { segments: Vec::new() });
    }
    let (first, _) = main.split_once('.').unwrap_or((main, ""));
    if first.is_empty() || !all_digits(first) {
        return Err("it does not begin with a number");
    }
    let well_formed = |part: &str, hyphen: bool| {
        part.split('.').all(|s| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || (hyphen && b == b'-')))
    };
    if !well_formed(main, false) || suffix.is_some_and(|suffix| !well_formed(suffix, true)) {
        return Err("its segments may hold only letters and digits");
    }
    let mut segments = Vec::with_capacity(8);
    let mut has_word = false;
    scan(main, &mut segments, &mut has_word);
    for part in suffix.into_iter().flat_map(|suffix| suffix.split('-')) {
        push("pre", &mut segments, &mut has_word);
        scan(part, &mut segments, &mut has_word);
    }
    drop_trailing_zeros(&mut segments);
    Ok(GemVersion { segments })
}

/// Collects runs of digits and runs of letters.
fn scan<'a>(mut text: &'a str, segments: &mut Vec<&'a str>, has_word: &mut bool) {
    while !text.is_empty() {
        let (digits, rest) = split_while(text, |byte| byte.is_ascii_digit());
        let (letters, rest) = split_while(rest, |byte| byte.is_ascii_alphabetic());
        if !digits.is_empty() {
            segments.push(digits);
        }
        if !letters.is_empty() {
            push(letters, segments, has_word);
        }
        text = rest.strip_prefix('.').unwrap_or(rest);
    }
}

fn push<'a>(word: &'a str, segments: &mut Vec<&'a str>, has_word: &mut bool) {
    if !*has_word {
        drop_trailing_zeros(segments);
        *has_word = true;
    }
    segments.push(word);
}

fn drop_trailing_zeros(segments: &mut Vec<&str>) {
    while segments.last().is_some_and(|segment| segment.bytes().all(|digit| digit == b'0')) {
        segments.pop();
    }
}

impl GemVersion<'_> {
    /// Segment by segment, the shorter filled with zeros; a word is older than any number.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        (0..self.segments.len().max(other.segments.len()))
            .map(|at| {
                let a = self.segments.get(at).copied().unwrap_or("");
                let b = other.segments.get(at).copied().unwrap_or("");
                match (all_digits(a), all_digits(b)) {
                    (true, true) => compare_digits(a, b),
                    (false, false) => a.cmp(b),
                    (a_number, b_number) => a_number.cmp(&b_number),
                }
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}
