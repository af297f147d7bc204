//! Version orders against what each ecosystem's own implementation answers, and against the laws of an order.

use std::cmp::Ordering;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use dogwatch_model::version::{Scheme, Version, compare};
use proptest::prelude::*;

/// Rows of `a<TAB>b<TAB>-1|0|1|invalid`.
fn table(scheme: Scheme) -> Vec<(String, String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/fixtures/versions/{scheme}.tsv"));
    let text = fs::read_to_string(&path).expect("the table is part of the repository");
    text.lines()
        .map(|line| {
            let mut columns = line.split('\t').map(str::to_owned);
            let mut next = || columns.next().expect("three columns");
            (next(), next(), next())
        })
        .collect()
}

fn answer(scheme: Scheme, a: &str, b: &str) -> &'static str {
    match compare(scheme, a, b) {
        Some(Ordering::Less) => "-1",
        Some(Ordering::Equal) => "0",
        Some(Ordering::Greater) => "1",
        None => "invalid",
    }
}

#[test]
fn every_scheme_agrees_with_its_reference() {
    let mut wrong = Vec::new();
    for scheme in Scheme::ALL {
        let rows = table(scheme);
        assert!(rows.len() > 500, "{scheme}: only {} rows", rows.len());
        for (a, b, expected) in rows {
            let got = answer(scheme, &a, &b);
            if got != expected {
                wrong.push(format!("{scheme}: `{a}` against `{b}` is {expected}, not {got}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Comparisons from apk-tools' own test list, those where zeros, suffixes and revisions meet.
#[test]
fn apk_agrees_with_its_own_tests() {
    for line in [
        "3.1_p17 > 1.06-r6",
        "1.06-r6 < 006",
        "006 > 1.0.0",
        "3.0.0-r2 < 021109-r3",
        "021109-r3 < 20060512",
        "0.17-r2 < 1.05-r4",
        "1.02.07 < 1.02.10-r1",
        "2.02.06 < 2.02.10",
        "1.07-r1 < 1.07.5",
        "1.07 < 1.19",
        "0.98 < 1.00",
        "1.39 > 1.00_beta2",
        "02.08.01b < 4.77",
        "1.2.07.8 < 1.2.12.04",
        "1.2.12.04 < 1.2.12.05",
        "3.9.8-r5 > 2.01.01_alpha10",
        "0.20070118 < 0.20070207_rc1",
        "4.5.14 > 4.09-r1",
        "0.9.28.1 < 087-r1",
        "013 < 014-r1",
        "1.1 > 1.1_alpha1",
        "1.3_alpha < 1.3_alpha2",
        "0.10.1_rc1 > 0.9.11",
        "2.5.1-r8 < 2.5.1a-r1",
        "4.3_p2-r5 < 4.4_p1-r6",
        "4.5_p1-r1 > 4.5_p1",
        "0.9.8c-r1 < 0.9.8d",
        "7.0.17 < 7.0.174",
        "1.0_p10-r0 > 1.0_p9-r0",
        "1.3_pre1-r1 < 1.3.2",
        "0.1.0_alpha_pre2 < 0.1.0_alpha",
        "1.0.0_pre20191002222144-r0 < 1.0.0_pre20210530193627-r0",
    ] {
        let [a, sign, b] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert_eq!(answer(Scheme::Apk, a, b), if sign == "<" { "-1" } else { "1" }, "{line}");
    }
}

/// Every valid version of a table.
fn valid_versions(scheme: Scheme) -> Vec<String> {
    // Maven's own rules contradict themselves on versions that nobody publishes (`0-alpha` < `0` < `a` < `0-alpha`), so
    // there only the first part of the table counts, which holds published versions.
    let rows = if scheme == Scheme::Maven { 400 } else { usize::MAX };
    let mut versions: Vec<String> = table(scheme).into_iter().take(rows).flat_map(|(a, b, _)| [a, b]).collect();
    versions.sort();
    versions.dedup();
    versions.retain(|text| Version::parse(scheme, text).is_ok());
    versions
}

/// Sorting by a broken order contradicts itself somewhere: then some later element is older than some earlier one.
#[test]
fn the_versions_of_each_table_have_one_order() {
    for scheme in Scheme::ALL {
        let texts = valid_versions(scheme);
        let mut versions: Vec<(&str, Version<'_>)> = texts
            .iter()
            .filter(|text| match scheme {
                // Without a release such a version equals each of its releases, which no order can.
                Scheme::Rpm | Scheme::Alpm => text.contains('-') && !text.ends_with('-'),
                _ => true,
            })
            .map(|text| (text.as_str(), Version::parse(scheme, text).expect("only valid ones were kept")))
            .collect();
        let order = |a: &Version<'_>, b: &Version<'_>| a.partial_cmp(b).expect("one scheme");
        // A plain insertion sort, since the standard one may panic instead of telling which versions contradict.
        for end in 1..versions.len() {
            let mut at = end;
            while at > 0 && order(&versions[at - 1].1, &versions[at].1).is_gt() {
                versions.swap(at - 1, at);
                at -= 1;
            }
        }
        for (at, (older_text, older)) in versions.iter().enumerate() {
            assert!(order(older, older).is_eq(), "{scheme}: `{older_text}` is not itself");
            for (newer_text, newer) in &versions[at + 1..] {
                let forth = order(older, newer);
                assert!(forth.is_le(), "{scheme}: `{older_text}` sorts before `{newer_text}` but is newer");
                assert_eq!(forth.reverse(), order(newer, older), "{scheme}: `{older_text}` and `{newer_text}`");
            }
        }
    }
}

#[test]
fn ten_thousand_digits_are_one_number() {
    let digits = |first: char| format!("{first}{}", "0".repeat(10_000));
    for scheme in Scheme::ALL {
        let (small, large) = (digits('1'), digits('2'));
        let (small, large) = (format!("1.{small}.0"), format!("1.{large}.0"));
        let expected = match scheme {
            // These count with 64 bits or less, and their rules reject what does not fit.
            Scheme::Npm | Scheme::NuGet | Scheme::Cran | Scheme::Hackage => None,
            _ => Some(Ordering::Less),
        };
        assert_eq!(compare(scheme, &small, &large), expected, "{scheme}");
    }
}

/// A megabyte of every character that opens something: an accidental square would take minutes.
#[test]
fn long_versions_take_linear_time() {
    const PIECES: [&str; 14] = ["1", "1.", "1-", "-", "a", "a1", "~", "^", "_p1", ".1", "é", "+", "0", "1a-"];
    let start = Instant::now();
    for scheme in Scheme::ALL {
        for piece in PIECES {
            let text = format!("1{}", piece.repeat(1_000_000 / piece.len()));
            let longer = format!("{text}1");
            let _ = compare(scheme, &text, &longer);
        }
    }
    assert!(start.elapsed() < Duration::from_secs(60), "took {:?}", start.elapsed());
}

#[test]
fn feeds_are_read_leniently() {
    let order = |scheme, a, b| {
        let read = |text| Version::parse_lenient(scheme, text).expect("a lenient version");
        read(a).partial_cmp(&read(b))
    };
    for (scheme, older, newer) in [
        (Scheme::Npm, "1.8.9", "1.9"),
        (Scheme::Npm, "1.9.0b1", "1.9.0"),
        (Scheme::Npm, "3", "3.11"),
        (Scheme::Semver, "2021.03.04", "2021.3.17"),
        (Scheme::Semver, "v1.2.2", "1.2.3"),
    ] {
        assert_eq!(order(scheme, older, newer), Some(Ordering::Less), "{scheme}: {older} {newer}");
    }
    for text in ["", "latest", "1.2.3.4", "1.2.3-", "1.2.3-a..b", "1.2.3 || 2"] {
        assert!(Version::parse_lenient(Scheme::Npm, text).is_err(), "{text}");
    }
    assert!(Version::parse(Scheme::Npm, "1.9").is_err(), "scripts get the strict answer");
}

fn any_scheme() -> impl Strategy<Value = Scheme> {
    prop::sample::select(Scheme::ALL.to_vec())
}

/// Texts that come near to versions of some scheme.
fn version_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "0", "1", "2", "10", "01", ".", ".", ".", "-", "_", "~", "^", "+", ":", "!", "a", "b", "rc", "RC", "alpha",
        "beta", "pre", "p", "dev", "post", "x", "v", "go", "-r", "sp", "final", "SNAPSHOT", "é", " ", "git",
    ]);
    prop::collection::vec(piece, 1..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_text_panics(scheme in any_scheme(), a in any::<String>(), b in version_like()) {
        let _ = compare(scheme, &a, &b);
        let _ = Version::parse_lenient(scheme, &a);
    }

    #[test]
    fn a_version_is_itself_and_order_reverses(scheme in any_scheme(), a in version_like(), b in version_like()) {
        let a_valid = Version::parse(scheme, &a).is_ok();
        prop_assert_eq!(compare(scheme, &a, &a), a_valid.then_some(Ordering::Equal));
        prop_assert_eq!(compare(scheme, &a, &b), compare(scheme, &b, &a).map(Ordering::reverse));
    }

    #[test]
    fn what_is_older_than_the_older_is_older(
        scheme in any_scheme(),
        numbers in prop::collection::vec(0..3_u8, 1..4),
        tails in prop::array::uniform3(version_like()),
    ) {
        // A common start makes the three differ late, where the rules are.
        let start: Vec<String> = numbers.iter().map(u8::to_string).collect();
        let mut texts = tails.map(|tail| format!("{}{tail}", start.join(".")));
        if scheme == Scheme::Rpm {
            texts = texts.map(|text| text + "-1");
        }
        // Maven: see `valid_versions`. Pacman's rules contradict themselves too where separators double or end a version:
        // `0.` > `0..a` > `0.0` > `0.`.
        if matches!(scheme, Scheme::Maven | Scheme::Alpm) {
            return Ok(());
        }
        let [a, b, c] = &texts;
        if let (Some(ab), Some(bc)) = (compare(scheme, a, b), compare(scheme, b, c)) {
            let ac = compare(scheme, a, c);
            if ab == bc || bc == Ordering::Equal {
                prop_assert_eq!(ac, Some(ab), "{}: {:?}", scheme, texts);
            } else if ab == Ordering::Equal {
                prop_assert_eq!(ac, Some(bc), "{}: {:?}", scheme, texts);
            }
        }
    }
}
