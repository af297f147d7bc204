//! NuGet versions: `NuGetVersion`, which is semantic versioning with one to four numbers, without regard to case.

use std::cmp::Ordering;

use super::all_digits;

#[derive(Debug, Clone)]
pub(super) struct NuGetVersion<'a> {
    numbers: [i32; 4],
    /// Dot-separated labels; empty in a release.
    labels: &'a str,
}

pub(super) fn parse(text: &str) -> Result<NuGetVersion<'_>, &'static str> {
    let text = text.trim();
    let (text, metadata) = text.split_once('+').map_or((text, None), |(text, metadata)| (text, Some(metadata)));
    let (version, labels) = text.split_once('-').map_or((text, None), |(version, labels)| (version, Some(labels)));
    if metadata.is_some_and(|metadata| !metadata.split('.').all(is_label)) {
        return Err("the metadata after `+` is malformed");
    }
    let has_leading_zeros = |label: &str| label.len() > 1 && label.starts_with('0') && all_digits(label);
    if labels.is_some_and(|labels| !labels.split('.').all(|label| is_label(label) && !has_leading_zeros(label))) {
        return Err("a pre-release label is empty, malformed or has leading zeros");
    }
    let mut numbers = [0; 4];
    for (at, part) in version.split('.').enumerate() {
        let number = numbers.get_mut(at).ok_or("it has more than four numbers")?;
        if part.is_empty() || !all_digits(part) {
            return Err("it does not begin with one to four numbers");
        }
        // .NET keeps each in a 32-bit integer and rejects what does not fit.
        *number = part.parse().map_err(|_| "a number is too big")?;
    }
    Ok(NuGetVersion { numbers, labels: labels.unwrap_or("") })
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

impl NuGetVersion<'_> {
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (self.labels.is_empty(), other.labels.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => compare_labels(self.labels, other.labels),
        })
    }
}

fn compare_labels(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => compare_label(x, y),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// A label is a number if .NET can read it as a 32-bit one, sign included; numbers are older than words.
fn compare_label(a: &str, b: &str) -> Ordering {
    match (a.parse::<i32>(), b.parse::<i32>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.bytes().map(|b| b.to_ascii_uppercase()).cmp(b.bytes().map(|b| b.to_ascii_uppercase())),
    }
}
