//! Version requirements as databases write them (`>= 1.2, < 2`, `~> 3.0.12`, `^1.4`), turned into affected ranges.
//!
//! Some databases state what is affected, others what is not: [`affected`] reads the first, [`all_but`] the second.

use std::cmp::Ordering;

use model::advisory::{RangeEnd, VersionRange};
use model::version::{Scheme, compare_lenient};

/// A side of an interval; none is without end.
type Bound = Option<String>;

/// From a version on (inclusive) to another (exclusive).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Interval {
    from: Bound,
    to: Bound,
}

/// The range that one requirement calls affected; its parts, which commas separate, hold together.
pub(super) fn affected(scheme: Scheme, requirement: &str) -> Result<VersionRange, String> {
    let requirement = requirement.trim();
    let mut parts = requirement.split(',').map(str::trim).filter(|part| !part.is_empty());
    let exact = |part: &str| part.strip_prefix('=').map(|version| version.trim_start_matches('=').trim().to_owned());
    if let (Some(version), None) = (parts.next().and_then(exact), parts.next()) {
        return Ok(VersionRange { introduced: Some(version), end: RangeEnd::Exactly });
    }
    // An end that is itself affected is kept as it is written.
    let last = requirement.split(',').find_map(|part| part.trim().strip_prefix("<=")).map(str::trim);
    let Interval { from, to } = interval(scheme, requirement)?;
    let end = match (last, to) {
        (Some(last), _) => RangeEnd::LastAffected(last.to_owned()),
        (None, Some(to)) => RangeEnd::Fixed(to),
        (None, None) => RangeEnd::Open,
    };
    // From `0` is from the beginning, as in OSV.
    Ok(VersionRange { introduced: from.filter(|from| from != "0"), end })
}

/// The ranges that are left when everything that meets one of the requirements is taken away.
pub(super) fn all_but<'a>(
    scheme: Scheme,
    unaffected: impl Iterator<Item = &'a str>,
) -> Result<Vec<VersionRange>, String> {
    let mut good = unaffected.map(|requirement| interval(scheme, requirement)).collect::<Result<Vec<_>, _>>()?;
    let order = |a: &Bound, b: &Bound, none: Ordering| match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => none,
        (Some(_), None) => none.reverse(),
        (Some(a), Some(b)) => compare_lenient(scheme, a, b).unwrap_or(Ordering::Equal),
    };
    good.sort_by(|a, b| order(&a.from, &b.from, Ordering::Less));
    let mut ranges = Vec::new();
    // Where the next affected range begins; none once nothing is left.
    let mut start: Option<Bound> = Some(None);
    for Interval { from, to } in good {
        let Some(begin) = start.clone() else { break };
        let gap = match (&begin, &from) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(begin), Some(from)) => compare_lenient(scheme, begin, from).is_some_and(Ordering::is_lt),
        };
        if let (true, Some(from)) = (gap, from) {
            ranges.push(VersionRange { introduced: begin.clone(), end: RangeEnd::Fixed(from) });
        }
        start = match to {
            None => None,
            // What an earlier, longer interval has taken away stays taken.
            Some(to)
                if begin
                    .as_ref()
                    .is_some_and(|begin| compare_lenient(scheme, &to, begin).is_some_and(Ordering::is_lt)) =>
            {
                Some(begin)
            }
            Some(to) => Some(Some(to)),
        };
    }
    if let Some(begin) = start {
        ranges.push(VersionRange { introduced: begin, end: RangeEnd::Open });
    }
    Ok(ranges)
}

/// The versions that meet every part of a requirement.
fn interval(scheme: Scheme, requirement: &str) -> Result<Interval, String> {
    let mut interval = Interval { from: None, to: None };
    for part in requirement.split(',').map(str::trim).filter(|part| !part.is_empty() && *part != "*") {
        let Interval { from, to } = part_interval(scheme, part)?;
        let later = |a: &Bound, b: &Bound| match (a, b) {
            (Some(a), Some(b)) => compare_lenient(scheme, a, b) == Some(Ordering::Greater),
            (a, _) => a.is_some(),
        };
        if later(&from, &interval.from) {
            interval.from = from;
        }
        if to.is_some() && (interval.to.is_none() || later(&interval.to, &to)) {
            interval.to = to;
        }
    }
    Ok(interval)
}

fn part_interval(scheme: Scheme, part: &str) -> Result<Interval, String> {
    let at = part.find(|c: char| !matches!(c, '<' | '>' | '=' | '~' | '^' | '!')).unwrap_or(part.len());
    let (operator, version) = (part[..at].trim(), part[at..].trim().trim_start_matches('v'));
    if compare_lenient(scheme, version, version).is_none() {
        return Err(format!("`{part}` is no requirement that can be understood"));
    }
    let version = version.to_owned();
    let bounds = |from: Bound, to: Bound| Ok(Interval { from, to });
    match operator {
        ">=" => bounds(Some(version), None),
        ">" => bounds(Some(after(scheme, &version)), None),
        "<" => bounds(None, Some(version)),
        "<=" => bounds(None, Some(after(scheme, &version))),
        "=" | "==" => bounds(Some(version.clone()), Some(after(scheme, &version))),
        "~>" => bounds(Some(version.clone()), Some(bumped(&version, segments(&version).saturating_sub(2)))),
        "~" => bounds(Some(version.clone()), Some(bumped(&version, 1.min(segments(&version) - 1)))),
        // Cargo's bare version is a caret's.
        "^" | "" => {
            let first = version.split('.').take_while(|number| *number == "0").count();
            bounds(Some(version.clone()), Some(bumped(&version, first.min(segments(&version) - 1))))
        }
        _ => Err(format!("`{part}` is no requirement that can be understood")),
    }
}

fn segments(version: &str) -> usize {
    version.split('.').count()
}

/// The version with the number at `keep` raised by one, and nothing behind it: `bumped("3.0.12", 1)` is `3.1`.
fn bumped(version: &str, keep: usize) -> String {
    let mut numbers: Vec<String> = version.split('.').take(keep + 1).map(str::to_owned).collect();
    if let Some(last) = numbers.last_mut() {
        let number = last.split(['-', '+']).next().unwrap_or_default().parse::<u64>().unwrap_or(0);
        *last = number.saturating_add(1).to_string();
    }
    while numbers.len() < segments(version).min(3) {
        numbers.push("0".into());
    }
    numbers.join(".")
}

/// The least version after one, as good as its order allows: hardly anybody publishes anything between.
fn after(scheme: Scheme, version: &str) -> String {
    match scheme {
        Scheme::Semver | Scheme::Npm | Scheme::Golang => {
            let core = version.split(['-', '+']).next().unwrap_or(version);
            if version.contains('-') {
                return format!("{version}.0");
            }
            let mut numbers: Vec<u64> = core.split('.').map(|number| number.parse().unwrap_or(0)).collect();
            numbers.resize(3, 0);
            format!("{}.{}.{}", numbers[0], numbers[1], numbers[2].saturating_add(1))
        }
        _ => format!("{version}.0.0.1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(ranges: &[VersionRange]) -> String {
        let word = |range: &VersionRange| {
            let from = range.introduced.as_deref().unwrap_or("");
            match &range.end {
                RangeEnd::Open => format!("[{from},"),
                RangeEnd::Fixed(to) => format!("[{from},{to})"),
                RangeEnd::LastAffected(to) => format!("[{from},{to}]"),
                RangeEnd::Exactly => format!("={from}"),
            }
        };
        ranges.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_patched_leaves_the_rest_affected() {
        for (scheme, unaffected, expected) in [
            (Scheme::Gem, &["~> 3.0.12", "~> 3.1.4", ">= 3.2.2"][..], "[,3.0.12) [3.1.0,3.1.4) [3.2.0,3.2.2)"),
            (Scheme::Gem, &["~> 4.2.5, >= 4.2.5.1", ">= 5.0.0", "< 4.0"], "[4.0,4.2.5.1) [4.3.0,5.0.0)"),
            (Scheme::Gem, &["<= 1.2", ">= 1.4"], "[1.2.0.0.1,1.4)"),
            (Scheme::Gem, &[], "[,"),
            (Scheme::Semver, &["^0.2.3", ">= 0.3.1"], "[,0.2.3) [0.3.0,0.3.1)"),
            (Scheme::Semver, &[">= 1.0.3, < 1.1.0", ">= 1.1.2"], "[,1.0.3) [1.1.0,1.1.2)"),
            (Scheme::Semver, &["^1.2", "< 0.5.0"], "[0.5.0,1.2) [2.0,"),
            (Scheme::Semver, &["=0.2.0", "=0.2.1", ">= 0.2.23"], "[,0.2.0) [0.2.2,0.2.23)"),
            (Scheme::Semver, &["*"], ""),
        ] {
            let ranges = all_but(scheme, unaffected.iter().copied()).unwrap();
            assert_eq!(words(&ranges), expected, "{unaffected:?}");
        }
        assert!(all_but(Scheme::Semver, ["about 3"].into_iter()).is_err());
    }

    #[test]
    fn what_is_stated_as_affected_is_a_range() {
        for (requirement, expected) in [
            (">= 1.0.0, < 1.2.3", "[1.0.0,1.2.3)"),
            ("<= 1.0.8", "[,1.0.8]"),
            ("= 0.2.0", "=0.2.0"),
            ("> 2.0.0, <= 2.4.0", "[2.0.1,2.4.0]"),
            (">= 0", "[,"),
        ] {
            assert_eq!(words(&[affected(Scheme::Npm, requirement).unwrap()]), expected, "{requirement}");
        }
    }
}
