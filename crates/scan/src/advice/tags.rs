//! Which tags of a repository are other versions of the same thing.
//!
//! `3.12.1-slim-bookworm` is version 3.12.1 of the variant `slim`: a release of the distribution below (`bookworm`) and the version of
//! one (`alpine3.19`) may change, what remains must not. `bookworm-20240110-slim` is of that release, of that day.

use model::distro::release_of_codename;

/// A tag, read as a version of something.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    /// `3.12.1`; of a release by its name first the release's number: `bookworm-20240110` is 12, 20240110.
    numbers: Vec<u64>,
    /// `slim`, `alpine`, or nothing.
    variant: String,
}

impl Version {
    /// None for names such as `latest`.
    fn of(tag: &str) -> Option<Self> {
        let plain = tag.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(tag);
        let (mut numbers, mut variant) = (Vec::new(), Vec::new());
        for (position, word) in plain.split(['-', '_', '+']).enumerate() {
            let is_number =
                word.starts_with(|c: char| c.is_ascii_digit()) && word.chars().all(|c| c.is_ascii_digit() || c == '.');
            match release_of_codename(word) {
                // A date behind a release's name, or a second number behind the first.
                _ if is_number && (position == 0 || (variant.is_empty() && !numbers.is_empty())) => {
                    numbers.extend(
                        word.split('.')
                            .filter(|part| !part.is_empty())
                            .map(|part| part.parse::<u64>().ok())
                            .collect::<Option<Vec<_>>>()?,
                    );
                }
                Some((_, release)) if position == 0 => {
                    numbers.extend(release.split('.').filter_map(|part| part.parse::<u64>().ok()))
                }
                // The distribution below.
                Some(_) => {}
                None => variant.push(word.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')),
            }
        }
        (!numbers.is_empty()).then(|| Self { numbers, variant: variant.join("-") })
    }

    /// Whether a day is in it.
    fn is_dated(&self) -> bool {
        self.numbers.iter().skip(1).any(|number| (19_000_101..=99_991_231).contains(number))
    }
}

/// The tags that are the same variant as `current` and not older, the newest first, and how many more there are than
/// `most`. Other major versions only when asked for, and then only later ones.
pub(super) fn alternatives<'a>(current: &str, tags: &[&'a str], major: bool, most: usize) -> (Vec<&'a str>, usize) {
    let Some(own) = Version::of(current) else { return (Vec::new(), 0) };
    let fits = |other: &Version| {
        let same_major = other.numbers[0] == own.numbers[0];
        // `12` stands for the newest 12.x, whichever that is.
        let moves = own.numbers.starts_with(&other.numbers);
        // Days count for themselves: 20240110 is no newer than 5.
        let alike = moves || other.is_dated() == own.is_dated();
        alike && other.variant == own.variant && (moves || other.numbers >= own.numbers) && (same_major || major)
    };
    let mut found: Vec<(Version, &str)> = tags
        .iter()
        .filter(|tag| **tag != current)
        .filter_map(|tag| Some((Version::of(tag)?, *tag)))
        .filter(|(version, _)| fits(version))
        .collect();
    // The newest first; of one version the shorter name.
    found.sort_by(|(a, tag), (b, other)| {
        b.numbers.cmp(&a.numbers).then(tag.len().cmp(&other.len())).then(tag.cmp(other))
    });
    let left_out = found.len().saturating_sub(most);
    (found.into_iter().take(most).map(|(_, tag)| tag).collect(), left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tags as Docker's official images have them.
    const DEBIAN: &[&str] = &[
        "latest",
        "12",
        "12.1",
        "12.1-slim",
        "12.5-slim",
        "12-slim",
        "11-slim",
        "13-slim",
        "bookworm",
        "bookworm-slim",
        "bookworm-20230725-slim",
        "bookworm-20240110-slim",
        "bullseye-20240110-slim",
        "stable-slim",
        "12.5-backports",
    ];
    const PYTHON: &[&str] = &[
        "3.11.4-slim-bullseye",
        "3.11.9-slim-bookworm",
        "3.12-slim",
        "3.11.9-alpine3.19",
        "3.11.9-alpine3.20",
        "3.11.4-alpine3.18",
        "3.13.0rc1-slim",
        "2.7-slim",
        "3.11.9",
        "3.11.9-windowsservercore",
    ];

    fn check(current: &str, tags: &[&str], major: bool, expected: &[&str]) {
        assert_eq!(alternatives(current, tags, major, 100).0, expected, "{current}");
    }

    #[test]
    fn other_versions_of_the_same_variant() {
        check("12.1-slim", DEBIAN, false, &["12.5-slim", "12-slim", "bookworm-slim"]);
        check("12.1-slim", DEBIAN, true, &["13-slim", "12.5-slim", "12-slim", "bookworm-slim"]);
        check("bookworm-20230725-slim", DEBIAN, false, &["bookworm-20240110-slim", "12-slim", "bookworm-slim"]);
        check("12.1", DEBIAN, false, &["12", "bookworm"]);
        check("3.11.4-slim-bullseye", PYTHON, false, &["3.12-slim", "3.11.9-slim-bookworm"]);
        check("3.11.4-alpine3.18", PYTHON, false, &["3.11.9-alpine3.19", "3.11.9-alpine3.20"]);
        check("latest", DEBIAN, true, &[]);
        check("99999999999999999999", DEBIAN, true, &[]);
    }

    #[test]
    fn a_bound_keeps_the_newest() {
        assert_eq!(alternatives("12.1-slim", DEBIAN, true, 1), (vec!["13-slim"], 3));
    }
}
