//! Versions that are nothing but numbers: R packages and Haskell packages.
//!
//! Source: R documentation, `numeric_version` and `compareVersion`; Cabal's `Distribution.Version`. In both a missing
//! number is not zero: `1.0` is older than `1.0.0`.

use std::cmp::Ordering;

use super::{all_digits, compare_digits};

#[derive(Debug, Clone)]
pub(super) struct DottedVersion<'a> {
    numbers: Vec<&'a str>,
}

/// R keeps each number in a 32-bit integer, and rejects a larger one.
const R_NUMBER_MAX: u32 = i32::MAX as u32;

/// Cabal reads no longer number.
const CABAL_DIGITS_MAX: usize = 9;

/// Reads an R version: `1.2-3` has three numbers, for `-` separates as `.` does.
pub(super) fn parse_cran(text: &str) -> Result<DottedVersion<'_>, &'static str> {
    let version = numbers(text, &['.', '-'])?;
    let fits = |digits: &&str| digits.parse::<u32>().is_ok_and(|number| number <= R_NUMBER_MAX);
    if version.numbers.iter().all(fits) { Ok(version) } else { Err("a number is larger than R can count") }
}

/// Reads a Haskell version. Tags behind it (`1.0-rc1`), as packages once had, do not count.
pub(super) fn parse_hackage(text: &str) -> Result<DottedVersion<'_>, &'static str> {
    let (text, tags) =
        text.trim_end().split_once('-').map_or((text.trim_end(), None), |(text, tags)| (text, Some(tags)));
    let is_tag = |tag: &str| !tag.is_empty() && tag.chars().all(char::is_alphanumeric);
    if tags.is_some_and(|tags| !tags.split('-').all(is_tag)) {
        return Err("a tag after `-` is empty or has something other than letters and digits");
    }
    let version = numbers(text, &['.'])?;
    if version.numbers.iter().any(|digits| digits.len() > 1 && digits.starts_with('0')) {
        return Err("a number has leading zeros");
    }
    if version.numbers.iter().any(|digits| digits.len() > CABAL_DIGITS_MAX) {
        return Err("a number has more than nine digits");
    }
    Ok(version)
}

fn numbers<'a>(text: &'a str, separators: &[char]) -> Result<DottedVersion<'a>, &'static str> {
    let numbers: Vec<&str> = text.split(separators).collect();
    if numbers.iter().any(|digits| digits.is_empty() || !all_digits(digits)) {
        return Err("it may hold only numbers with one separator between them");
    }
    Ok(DottedVersion { numbers })
}

impl DottedVersion<'_> {
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let differ = self.numbers.iter().zip(&other.numbers).map(|(a, b)| compare_digits(a, b)).find(|it| it.is_ne());
        differ.unwrap_or_else(|| self.numbers.len().cmp(&other.numbers.len()))
    }
}
