//! Semantic versions 2.0.0, and the order that npm and Go build on.
//!
//! A leading `v` is not part of a semantic version, and neither may a part be missing; OSV's `SEMVER` ranges, which write
//! `0` and `1.2`, are read leniently.

use std::cmp::Ordering;

use super::{all_digits, compare_digits, split_while};

#[derive(Debug, Clone)]
pub(super) struct SemverVersion<'a> {
    pub(super) major: &'a str,
    /// Digits; empty where missing.
    pub(super) minor: &'a str,
    /// Digits; empty where missing.
    pub(super) patch: &'a str,
    /// Dot-separated identifiers; empty in a release.
    pub(super) prerelease: &'a str,
    /// One more numeric identifier after those, where the text has no dot before it (`go1.21rc2`).
    pub(super) prerelease_number: &'a str,
}

/// All three numbers, as the specification demands.
pub(super) fn parse_strict(text: &str) -> Result<SemverVersion<'_>, &'static str> {
    let version = parse(text)?;
    if version.patch.is_empty() { Err("it does not have three numbers") } else { Ok(version) }
}

/// Missing parts are zero, as Go reads them.
pub(super) fn parse(text: &str) -> Result<SemverVersion<'_>, &'static str> {
    let (major, rest) = number(text)?;
    let mut version = SemverVersion { major, minor: "", patch: "", prerelease: "", prerelease_number: "" };
    let Some(rest) = after_dot(rest)? else { return Ok(version) };
    let (minor, rest) = number(rest)?;
    version.minor = minor;
    let Some(rest) = after_dot(rest)? else { return Ok(version) };
    let (patch, rest) = number(rest)?;
    version.patch = patch;
    let (rest, build) = rest.split_once('+').map_or((rest, None), |(rest, build)| (rest, Some(build)));
    if let Some(build) = build {
        check_identifiers(build, false)?;
    }
    if let Some(prerelease) = rest.strip_prefix('-') {
        check_identifiers(prerelease, true)?;
        version.prerelease = prerelease;
    } else if !rest.is_empty() {
        return Err("something other than `-` or `+` follows the third number");
    }
    Ok(version)
}

/// Reads what people write: leading `v` or `=`, leading zeros, missing numbers, and no hyphen before a pre-release.
pub(super) fn parse_loose(text: &str) -> Result<SemverVersion<'_>, &'static str> {
    let text = text.trim().trim_start_matches(['v', 'V', '=', ' ']);
    let text = text.split('+').next().unwrap_or(text);
    let (major, mut rest) = split_while(text, |byte| byte.is_ascii_digit());
    if major.is_empty() {
        return Err("a number is missing");
    }
    let (mut minor, mut patch) = ("", "");
    for part in [&mut minor, &mut patch] {
        let (digits, after) = split_while(rest.strip_prefix('.').unwrap_or(""), |byte| byte.is_ascii_digit());
        if digits.is_empty() {
            break;
        }
        (*part, rest) = (digits, after);
    }
    let prerelease = rest.strip_prefix('-').unwrap_or(rest);
    if prerelease.starts_with('.') {
        return Err("it has more than three numbers");
    }
    if !rest.is_empty() {
        check_identifiers(prerelease, false)?;
    }
    Ok(SemverVersion { major, minor, patch, prerelease, prerelease_number: "" })
}

/// Splits off a number without leading zeros.
pub(super) fn number(text: &str) -> Result<(&str, &str), &'static str> {
    let (digits, rest) = split_while(text, |byte| byte.is_ascii_digit());
    match digits.as_bytes() {
        [] => Err("a number is missing"),
        [b'0', _, ..] => Err("a number has leading zeros"),
        _ => Ok((digits, rest)),
    }
}

fn after_dot(rest: &str) -> Result<Option<&str>, &'static str> {
    match rest.strip_prefix('.') {
        Some(rest) => Ok(Some(rest)),
        None if rest.is_empty() => Ok(None),
        None => Err("it does not have three numbers"),
    }
}

fn check_identifiers(text: &str, prerelease: bool) -> Result<(), &'static str> {
    for identifier in text.split('.') {
        if identifier.is_empty() {
            return Err("an identifier is empty");
        }
        if !identifier.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err("an identifier may hold only letters, digits and `-`");
        }
        if prerelease && identifier.len() > 1 && identifier.starts_with('0') && all_digits(identifier) {
            return Err("a numeric identifier has leading zeros");
        }
    }
    Ok(())
}

impl SemverVersion<'_> {
    /// Precedence by section 11; build metadata does not count.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        compare_digits(self.major, other.major)
            .then_with(|| compare_digits(self.minor, other.minor))
            .then_with(|| compare_digits(self.patch, other.patch))
            .then_with(|| match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => self.compare_prerelease(other),
            })
    }

    fn compare_prerelease(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (self.identifiers(), other.identifiers());
        loop {
            let order = match (a.next(), b.next()) {
                (None, None) => return Ordering::Equal,
                (None, Some(_)) => return Ordering::Less,
                (Some(_), None) => return Ordering::Greater,
                (Some(x), Some(y)) => compare_identifiers(x, y),
            };
            if order.is_ne() {
                return order;
            }
        }
    }

    fn identifiers(&self) -> impl Iterator<Item = &str> {
        let number = Some(self.prerelease_number).filter(|number| !number.is_empty());
        self.prerelease.split('.').chain(number)
    }
}

fn compare_identifiers(a: &str, b: &str) -> Ordering {
    match (all_digits(a), all_digits(b)) {
        (true, true) => compare_digits(a, b),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.cmp(b),
    }
}
