//! From OSV's events to intervals of versions (OSV schema, "affected[].ranges[].events fields" and "Evaluation").

use std::cmp::Ordering;

use model::advisory::{RangeEnd, VersionRange};
use model::version::{Scheme, compare_lenient};

/// One event of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Affected from here; `0` is before every version.
    Introduced(String),
    /// No longer affected from here.
    Fixed(String),
    /// No longer affected after this one.
    LastAffected(String),
    /// Nothing from here on is looked at; `*` is after every version.
    Limit(String),
}

impl Event {
    fn version(&self) -> &str {
        match self {
            Self::Introduced(v) | Self::Fixed(v) | Self::LastAffected(v) | Self::Limit(v) => v,
        }
    }

    /// From the beginning: OSV's way to write "every version".
    fn is_beginning(&self) -> bool {
        matches!(self, Self::Introduced(v) if v == "0")
    }

    /// At one version: what was open closes first, then a new interval opens, and a last affected version includes it.
    fn rank(&self) -> u8 {
        match self {
            Self::Fixed(_) => 0,
            Self::Introduced(_) => 1,
            Self::LastAffected(_) => 2,
            Self::Limit(_) => 3,
        }
    }
}

/// Turns events, in any order, into intervals, and says what in them made no sense.
///
/// Nonsense never widens a range: an interval whose end lies before its beginning, or whose version cannot be
/// understood, is left out and named, and the others are kept.
pub fn intervals(scheme: Scheme, events: &[Event]) -> (Vec<VersionRange>, Option<String>) {
    let (limits, events): (Vec<&Event>, Vec<&Event>) =
        events.iter().partition(|event| matches!(event, Event::Limit(_)));
    if !events.iter().any(|event| matches!(event, Event::Introduced(_))) {
        return (Vec::new(), Some("a range has no `introduced` event".into()));
    }
    let (mut ranges, problem) = match sorted(scheme, &events) {
        Ok(sorted) => sweep(scheme, &sorted),
        Err(unclear) => (pairs(scheme, &events), Some(unclear)),
    };
    if let Some(limit) = highest_limit(scheme, &limits) {
        ranges.retain_mut(|range| below(scheme, range, limit));
    }
    (ranges, problem)
}

fn is_version(scheme: Scheme, version: &str) -> bool {
    compare_lenient(scheme, version, version).is_some()
}

fn sorted<'a>(scheme: Scheme, events: &[&'a Event]) -> Result<Vec<&'a Event>, String> {
    if let Some(bad) = events.iter().find(|e| !e.is_beginning() && !is_version(scheme, e.version())) {
        return Err(format!("`{}` is not a version", bad.version()));
    }
    let mut sorted = events.to_vec();
    let mut unclear = None;
    sorted.sort_by(|a, b| match (a.is_beginning(), b.is_beginning()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => compare_lenient(scheme, a.version(), b.version()).map_or_else(
            || {
                unclear = Some(format!("`{}` and `{}` cannot be compared", a.version(), b.version()));
                Ordering::Equal
            },
            |order| order.then(a.rank().cmp(&b.rank())),
        ),
    });
    unclear.map_or(Ok(sorted), Err)
}

/// Walks sorted events from old to new. `stray` ends come before anything was introduced: the source swapped them.
fn sweep(scheme: Scheme, events: &[&Event]) -> (Vec<VersionRange>, Option<String>) {
    let mut ranges: Vec<VersionRange> = Vec::new();
    let mut open: Option<&Event> = None;
    let mut stray: Option<&str> = None;
    let mut empty: Option<&str> = None;
    for event in events {
        match (event, open) {
            // From a version and before that same version: an empty interval, not the start of one.
            (Event::Introduced(version), None)
                if stray.is_some_and(|end| compare_lenient(scheme, end, version).is_some_and(Ordering::is_eq)) =>
            {
                empty = stray.take();
            }
            (Event::Introduced(_), None) => open = Some(event),
            (Event::Introduced(_) | Event::Limit(_), _) => {}
            (Event::Fixed(version) | Event::LastAffected(version), Some(start)) => {
                let end = match event {
                    Event::Fixed(_) => RangeEnd::Fixed(version.clone()),
                    _ => RangeEnd::LastAffected(version.clone()),
                };
                ranges.push(VersionRange { introduced: beginning(start), end });
                open = None;
            }
            // A second end after an interval has closed changes nothing by the schema's own evaluation.
            (Event::Fixed(version) | Event::LastAffected(version), None) => {
                let repeats = ranges.last().is_some_and(|range| match &range.end {
                    RangeEnd::Fixed(end) | RangeEnd::LastAffected(end) => {
                        compare_lenient(scheme, end, version).is_some_and(Ordering::is_le)
                    }
                    _ => false,
                });
                if !repeats {
                    stray = Some(version);
                }
            }
        }
    }
    // What is still open when an end went astray was meant to end there: left open, it would match everything after.
    if let (Some(start), None) = (open, stray) {
        ranges.push(VersionRange { introduced: beginning(start), end: RangeEnd::Open });
    }
    (ranges, stray.or(empty).map(|version| format!("the range ends with `{version}`, before or where it begins")))
}

fn beginning(event: &Event) -> Option<String> {
    (!event.is_beginning()).then(|| event.version().to_owned())
}

/// What can be kept when the events as a whole cannot be ordered: neighbours that make a sound interval.
fn pairs(scheme: Scheme, events: &[&Event]) -> Vec<VersionRange> {
    let mut ranges = Vec::new();
    for pair in events.windows(2) {
        let [start @ Event::Introduced(_), end @ (Event::Fixed(_) | Event::LastAffected(_))] = pair else { continue };
        if !is_version(scheme, end.version()) || sorted(scheme, &[start, end]).is_err() {
            continue;
        }
        ranges.extend(sweep(scheme, &sorted(scheme, &[start, end]).unwrap_or_default()).0);
    }
    ranges
}

fn highest_limit<'a>(scheme: Scheme, limits: &[&'a Event]) -> Option<&'a str> {
    if limits.iter().any(|limit| limit.version() == "*") {
        return None;
    }
    let versions = limits.iter().map(|limit| limit.version()).filter(|version| is_version(scheme, version));
    versions.max_by(|a, b| compare_lenient(scheme, a, b).unwrap_or(Ordering::Equal))
}

/// Cuts a range at a limit; false when nothing of it is left.
fn below(scheme: Scheme, range: &mut VersionRange, limit: &str) -> bool {
    let reaches = |version: &str| compare_lenient(scheme, version, limit).is_some_and(Ordering::is_ge);
    if range.introduced.as_deref().is_some_and(reaches) {
        return false;
    }
    let cut = match &range.end {
        RangeEnd::Open => true,
        RangeEnd::Fixed(end) | RangeEnd::LastAffected(end) => reaches(end),
        RangeEnd::Exactly => false,
    };
    if cut {
        range.end = RangeEnd::Fixed(limit.to_owned());
    }
    true
}

/// Whether an interval holds a version; none when they cannot be compared.
pub fn covers(scheme: Scheme, version: &str, introduced: Option<&str>, end: RangeEnd<&str>) -> Option<bool> {
    if let RangeEnd::Exactly = end {
        let exact = introduced?;
        return Some(exact == version || compare_lenient(scheme, version, exact)?.is_eq());
    }
    if let Some(start) = introduced
        && compare_lenient(scheme, version, start)?.is_lt()
    {
        return Some(false);
    }
    match end {
        RangeEnd::Open | RangeEnd::Exactly => is_version(scheme, version).then_some(true),
        RangeEnd::Fixed(fixed) => Some(compare_lenient(scheme, version, fixed)?.is_lt()),
        RangeEnd::LastAffected(last) => Some(compare_lenient(scheme, version, last)?.is_le()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events as `+introduced -fixed ~last_affected |limit`, intervals as `[from, to)` or `[from, to]`.
    fn check(events: &str, expected: &str) {
        let events: Vec<Event> = events
            .split_whitespace()
            .map(|word| {
                let version = word[1..].to_owned();
                match &word[..1] {
                    "+" => Event::Introduced(version),
                    "-" => Event::Fixed(version),
                    "~" => Event::LastAffected(version),
                    _ => Event::Limit(version),
                }
            })
            .collect();
        let (ranges, problem) = intervals(Scheme::Semver, &events);
        let mut text: Vec<String> = ranges
            .iter()
            .map(|range| {
                let from = range.introduced.as_deref().unwrap_or("");
                match &range.end {
                    RangeEnd::Open => format!("[{from},"),
                    RangeEnd::Fixed(to) => format!("[{from},{to})"),
                    RangeEnd::LastAffected(to) => format!("[{from},{to}]"),
                    RangeEnd::Exactly => format!("={from}"),
                }
            })
            .collect();
        text.extend(problem.map(|_| "problem".to_owned()));
        assert_eq!(text.join(" "), expected, "{events:?}");
    }

    #[test]
    fn sound_events_in_any_order() {
        check("+0", "[,");
        check("+0 -1.2.0", "[,1.2.0)");
        check("+1.0.0 -1.2.0 +2.0.0 -2.1.0", "[1.0.0,1.2.0) [2.0.0,2.1.0)");
        check("-2.1.0 +2.0.0 -1.2.0 +1.0.0", "[1.0.0,1.2.0) [2.0.0,2.1.0)");
        check("+1.0.0 -2.0.0 +2.0.0 ~3.0.0", "[1.0.0,2.0.0) [2.0.0,3.0.0]");
        check("+1.0.0 ~1.0.0", "[1.0.0,1.0.0]");
        check("+1.0.0 -1.2.0 +2.0.0", "[1.0.0,1.2.0) [2.0.0,");
    }

    #[test]
    fn repeated_events_change_nothing() {
        check("+0 +1.0.0 -2.0.0", "[,2.0.0)");
        check("+0 ~1.0.0 ~2.0.0", "[,1.0.0]");
        check("+0 +0 -2.0.0", "[,2.0.0)");
    }

    #[test]
    fn limits_cut() {
        check("+0 |3.0.0", "[,3.0.0)");
        check("+0 |3.0.0 |*", "[,");
        check("+1.0.0 -2.0.0 +4.0.0 |3.0.0", "[1.0.0,2.0.0)");
    }

    #[test]
    fn nonsense_never_widens() {
        check("-1.0.0", "problem");
        check("+2.0.0 -1.0.0", "problem");
        check("+2.0.0 -2.0.0", "problem");
        check("", "problem");
        // RUSTSEC-2024-0399: an empty interval before a sound one.
        check("+1.0.0 -1.0.0 +1.0.3 -1.0.8", "[1.0.3,1.0.8) problem");
    }
}
