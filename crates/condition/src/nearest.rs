//! "Did you mean …?"

/// Names longer than this are not compared: the table of distances is quadratic, and no name of ours is near it.
const NAME_CHARS_MAX: usize = 64;

/// The candidate that a mistyped name most likely stands for: at most a third of its letters differ. None when nothing is near.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().take(NAME_CHARS_MAX + 1).count();
    if length > NAME_CHARS_MAX {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= length.div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance without regard to case.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let names = ["finding.severity", "finding.kev", "package.type"];
        for (typed, expected) in [
            ("finding.sevrity", Some("finding.severity")),
            ("Finding.Severity", Some("finding.severity")),
            ("finding.kv", Some("finding.kev")),
            ("workload.privileged", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, names), expected, "{typed}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), names), None);
    }
}
