//! Until when a distribution's release receives security updates.
//!
//! Advisories stop when support does, so past that day "no findings" means little. The dates are the distributors' own
//! announcements; where one extends support for free the later day counts, and what is only sold is noted, because an
//! image does not say whether its owner pays. Judging a day needs a clock, which is the caller's.

use jiff::civil::{Date, date};
use model::distro::Distro;

/// How long a release receives security updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// For as long as it is kept current: it has no releases.
    Rolling,
    /// Up to and including a day.
    Until {
        /// The last day. Where only a month was announced, the last of that month.
        last_day: Date,
        /// Which offer ends then, and what may follow; fit to stand in brackets behind the day.
        terms: &'static str,
    },
    /// The distribution or the release is not in the table: newer than it, older, or not covered.
    Unknown,
}

/// Distributions without releases.
const ROLLING: [&str; 9] =
    ["wolfi", "chainguard", "minimos", "arch", "archarm", "gentoo", "void", "opensuse-tumbleweed", "nixos"];

/// The releases of one distribution.
struct Family {
    /// `ID`.
    id: &'static str,
    terms: &'static str,
    /// How many numbers of `VERSION_ID` name the release; what follows are updates of it.
    parts: usize,
    releases: &'static [(&'static str, Date)],
}

/// When the security updates of the distribution's release end.
pub fn support(distro: &Distro) -> Support {
    let id = distro.id.as_str();
    let Some(version) = distro.version_id.as_deref().filter(|_| !ROLLING.contains(&id)) else {
        // Debian's testing and unstable have no number yet.
        return if ROLLING.contains(&id) || id == "debian" { Support::Rolling } else { Support::Unknown };
    };
    // Alpine's edge calls itself by the coming release: `3.22_alpha20250108`.
    if id == "alpine" && (version == "edge" || version.contains('_')) {
        return Support::Rolling;
    }
    let stream = distro.pretty_name.as_deref().is_some_and(|name| name.contains("Stream"));
    let id = if id == "centos" && stream { "centos-stream" } else { id };
    let release = |family: &Family| {
        let end = version.match_indices('.').nth(family.parts - 1).map_or(version.len(), |(at, _)| at);
        family.releases.iter().find(|(name, _)| *name == &version[..end]).map(|(_, day)| *day)
    };
    FAMILIES
        .iter()
        .filter(|family| family.id == id)
        .find_map(|family| Some(Support::Until { last_day: release(family)?, terms: family.terms }))
        .unwrap_or(Support::Unknown)
}

const RHEL: &[(&str, Date)] = &[
    ("5", date(2017, 3, 31)),
    ("6", date(2020, 11, 30)),
    ("7", date(2024, 6, 30)),
    ("8", date(2029, 5, 31)),
    ("9", date(2032, 5, 31)),
    ("10", date(2035, 5, 31)),
];

#[rustfmt::skip] // One release a line, and the table reads like the distributors' own.
const FAMILIES: &[Family] = &[
    Family {
        id: "debian", parts: 1, terms: "end of Debian LTS; extended LTS is sold by others",
        releases: &[
            ("4", date(2010, 2, 15)), // Before 6 there was no LTS.
            ("5", date(2012, 2, 6)),
            ("6", date(2016, 2, 29)),
            ("7", date(2018, 5, 31)),
            ("8", date(2020, 6, 30)),
            ("9", date(2022, 6, 30)),
            ("10", date(2024, 6, 30)),
            ("11", date(2026, 8, 31)),
            ("12", date(2028, 6, 30)),
            ("13", date(2030, 6, 30)),
        ],
    },
    Family {
        id: "ubuntu", parts: 2, terms: "end of standard support; long-term releases go on with Ubuntu Pro (ESM)",
        releases: &[
            ("12.04", date(2017, 4, 28)),
            ("14.04", date(2019, 4, 25)),
            ("16.04", date(2021, 4, 30)),
            ("16.10", date(2017, 7, 20)),
            ("17.04", date(2018, 1, 13)),
            ("17.10", date(2018, 7, 19)),
            ("18.04", date(2023, 5, 31)),
            ("18.10", date(2019, 7, 18)),
            ("19.04", date(2020, 1, 23)),
            ("19.10", date(2020, 7, 17)),
            ("20.04", date(2025, 5, 29)),
            ("20.10", date(2021, 7, 22)),
            ("21.04", date(2022, 1, 20)),
            ("21.10", date(2022, 7, 14)),
            ("22.04", date(2027, 6, 1)),
            ("22.10", date(2023, 7, 20)),
            ("23.04", date(2024, 1, 25)),
            ("23.10", date(2024, 7, 11)),
            ("24.04", date(2029, 5, 31)),
            ("24.10", date(2025, 7, 10)),
            ("25.04", date(2026, 1, 15)),
            ("25.10", date(2026, 7, 9)),
            ("26.04", date(2031, 5, 29)),
            ("26.10", date(2027, 7, 15)),
        ],
    },
    Family {
        id: "alpine", parts: 2, terms: "end of security fixes",
        releases: &[
            ("3.8", date(2020, 5, 1)),
            ("3.9", date(2020, 11, 1)),
            ("3.10", date(2021, 5, 1)),
            ("3.11", date(2021, 11, 1)),
            ("3.12", date(2022, 5, 1)),
            ("3.13", date(2022, 11, 1)),
            ("3.14", date(2023, 5, 1)),
            ("3.15", date(2023, 11, 1)),
            ("3.16", date(2024, 5, 23)),
            ("3.17", date(2024, 11, 22)),
            ("3.18", date(2025, 5, 9)),
            ("3.19", date(2025, 11, 1)),
            ("3.20", date(2026, 4, 1)),
            ("3.21", date(2026, 11, 1)),
            ("3.22", date(2027, 5, 1)),
        ],
    },
    Family { id: "rhel", parts: 1, terms: "end of maintenance; extended life-cycle support is sold", releases: RHEL },
    Family { id: "rocky", parts: 1, terms: "end of security support", releases: RHEL },
    Family {
        id: "almalinux", parts: 1, terms: "end of security support",
        releases: &[("8", date(2029, 3, 1)), ("9", date(2032, 5, 31)), ("10", date(2035, 5, 31))],
    },
    Family {
        id: "centos", parts: 1, terms: "end of CentOS Linux",
        releases: &[
            ("5", date(2017, 3, 31)),
            ("6", date(2020, 11, 30)),
            ("7", date(2024, 6, 30)),
            ("8", date(2021, 12, 31)),
        ],
    },
    Family {
        id: "centos-stream", parts: 1, terms: "end of CentOS Stream",
        releases: &[("8", date(2024, 5, 31)), ("9", date(2027, 5, 31))],
    },
    Family {
        id: "ol", parts: 1, terms: "end of premier support; extended support is sold",
        releases: &[
            ("6", date(2021, 3, 31)),
            ("7", date(2024, 12, 31)),
            ("8", date(2029, 7, 31)),
            ("9", date(2032, 6, 30)),
        ],
    },
    Family {
        id: "fedora", parts: 1, terms: "end of updates",
        releases: &[
            ("30", date(2020, 5, 26)),
            ("31", date(2020, 11, 24)),
            ("32", date(2021, 5, 25)),
            ("33", date(2021, 11, 30)),
            ("34", date(2022, 6, 7)),
            ("35", date(2022, 12, 13)),
            ("36", date(2023, 5, 16)),
            ("37", date(2023, 12, 5)),
            ("38", date(2024, 5, 21)),
            ("39", date(2024, 11, 26)),
            ("40", date(2025, 5, 13)),
            ("41", date(2025, 12, 15)),
        ],
    },
    Family {
        id: "opensuse-leap", parts: 2, terms: "end of maintenance",
        releases: &[
            ("42.3", date(2019, 6, 30)),
            ("15.0", date(2019, 12, 3)),
            ("15.1", date(2021, 2, 2)),
            ("15.2", date(2022, 1, 4)),
            ("15.3", date(2022, 12, 31)),
            ("15.4", date(2023, 12, 7)),
            ("15.5", date(2024, 12, 31)),
            ("15.6", date(2026, 4, 30)),
        ],
    },
    Family {
        id: "sles", parts: 2, terms: "end of general support; long-term support (LTSS) is sold",
        releases: &[
            ("11.4", date(2019, 3, 31)),
            ("12.3", date(2019, 6, 30)),
            ("12.4", date(2020, 6, 30)),
            ("12.5", date(2024, 10, 31)),
            ("15", date(2019, 12, 31)),
            ("15.1", date(2021, 1, 31)),
            ("15.2", date(2021, 12, 31)),
            ("15.3", date(2022, 12, 31)),
            ("15.4", date(2023, 12, 31)),
            ("15.5", date(2024, 12, 31)),
            ("15.6", date(2025, 12, 31)),
            ("15.7", date(2031, 7, 31)),
        ],
    },
    Family {
        id: "amzn", parts: 1, terms: "end of maintenance support",
        releases: &[("2018", date(2023, 12, 31)), ("2", date(2026, 6, 30)), ("2023", date(2029, 6, 30))],
    },
    Family {
        id: "photon", parts: 2, terms: "end of support",
        releases: &[("1.0", date(2022, 2, 28)), ("2.0", date(2022, 12, 31)), ("3.0", date(2024, 3, 1))],
    },
    Family {
        id: "mariner", parts: 2, terms: "end of life",
        releases: &[("1.0", date(2023, 7, 31)), ("2.0", date(2025, 7, 31))],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn last_day(id: &str, version: &str) -> Option<Date> {
        let distro = Distro { id: id.into(), version_id: Some(version.into()), ..Distro::default() };
        match support(&distro) {
            Support::Until { last_day, .. } => Some(last_day),
            _ => None,
        }
    }

    /// Rows of Debian's `distro-info-data` from release `first` on: version, then the columns asked for.
    fn published(file: &str, first: f32, columns: &[usize]) -> Vec<(String, Date)> {
        let path = format!("{}/../../tests/fixtures/os-packages/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut rows = Vec::new();
        for row in text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>()) {
            let version = row[0].trim_end_matches(" LTS");
            let day = columns.iter().filter_map(|column| row.get(*column)?.parse::<Date>().ok()).max();
            if let (Some(day), true) = (day, version.parse::<f32>().is_ok_and(|number| number >= first)) {
                rows.push((version.to_owned(), day));
            }
        }
        assert!(rows.len() > 9, "{path} has been read");
        rows
    }

    #[test]
    fn debian_and_ubuntu_agree_with_what_debian_publishes() {
        for (version, day) in published("debian.csv", 4.0, &[5, 6]) {
            assert_eq!(last_day("debian", &version), Some(day), "Debian {version}");
        }
        for (version, day) in published("ubuntu.csv", 16.0, &[5]) {
            assert_eq!(last_day("ubuntu", &version), Some(day), "Ubuntu {version}");
        }
    }

    #[test]
    fn updates_of_a_release_end_with_it() {
        for (id, version, same) in [
            ("debian", "8.11", "8"),
            ("alpine", "3.18.4", "3.18"),
            ("rhel", "8.9", "8"),
            ("amzn", "2018.03", "2018"),
            ("centos", "7.9.2009", "7"),
        ] {
            assert!(last_day(id, version).is_some() && last_day(id, version) == last_day(id, same), "{id} {version}");
        }
        assert_ne!(last_day("sles", "15.5"), last_day("sles", "15"), "service packs end one by one");
        assert_ne!(last_day("alpine", "3.1"), last_day("alpine", "3.10"));
    }

    #[test]
    fn stream_is_not_the_distribution_it_is_named_like() {
        let centos = |name: &str| Distro {
            id: "centos".into(),
            version_id: Some("8".into()),
            pretty_name: Some(name.into()),
            ..Distro::default()
        };
        assert_ne!(support(&centos("CentOS Linux 8")), support(&centos("CentOS Stream 8")));
    }

    #[test]
    fn what_has_no_releases_rolls_and_what_we_do_not_know_is_unknown() {
        let named = |id: &str, version: Option<&str>| {
            support(&Distro { id: id.into(), version_id: version.map(str::to_owned), ..Distro::default() })
        };
        assert_eq!(named("wolfi", Some("20230201")), Support::Rolling);
        assert_eq!(named("debian", None), Support::Rolling);
        assert_eq!(named("alpine", Some("3.22_alpha20250108")), Support::Rolling);
        assert_eq!(named("alpine", Some("9.9.9")), Support::Unknown);
        assert_eq!(named("sles", Some("15.9")), Support::Unknown);
        assert_eq!(named("nobody", Some("1")), Support::Unknown);
        assert_eq!(named("fedora", None), Support::Unknown);
    }
}
