//! CVSS base scores of published vectors.

use std::fs;
use std::path::Path;

use dogwatch_model::cvss::base_score;
use proptest::prelude::*;

fn check(vector: &str, version: &str, score: f64) {
    let got = base_score(vector).map(|got| (got.version, got.score));
    assert_eq!(got, Some((version, score)), "{vector}");
}

#[test]
fn published_vectors_have_their_scores() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/cvss/scores.tsv");
    let table = fs::read_to_string(path).expect("the table is part of the repository");
    assert!(table.lines().count() > 600);
    for line in table.lines() {
        let (vector, score) = line.split_once('\t').expect("two columns");
        let version = vector.strip_prefix("CVSS:").and_then(|rest| rest.get(..3)).unwrap_or("2.0");
        check(vector, version, score.parse().expect("a score"));
    }
}

/// FIRST's example documents for each version.
#[test]
fn the_specifications_examples_have_their_scores() {
    check("AV:N/AC:L/Au:N/C:N/I:N/A:C", "2.0", 7.8); // CVE-2002-0392
    check("AV:N/AC:L/Au:N/C:C/I:C/A:C/E:F/RL:OF/RC:C", "2.0", 10.0); // CVE-2003-0818
    check("AV:L/AC:H/Au:N/C:C/I:C/A:C", "2.0", 6.2); // CVE-2003-0062
    check("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "3.1", 6.1); // CVE-2013-1937
    check("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", "3.1", 6.4); // CVE-2013-0375
    check("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", "3.1", 3.1); // CVE-2014-3566
    check("CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", "3.0", 9.9); // CVE-2012-1516
    check("CVSS:3.0/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", "3.0", 4.2); // CVE-2009-0783
    check("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:C/C:N/I:H/A:N", "3.1", 6.8); // CVE-2008-1447
    check("CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "4.0", 7.3); // CVE-2022-41741
    check("CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "4.0", 7.7); // CVE-2020-3549
    check("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N/E:A", "4.0", 8.7); // CVE-2014-0160
    check("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/E:A", "4.0", 10.0); // CVE-2021-44228
}

#[test]
fn other_groups_do_not_change_the_base_score() {
    check("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U/MAV:P/CR:L", "4.0", 9.3);
    check("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:U/MAV:P", "3.1", 9.8);
    check("CVSS:3.1/S:U/C:H/I:H/A:H/AV:N/AC:L/PR:N/UI:N", "3.1", 9.8);
}

#[test]
fn version_2_comes_in_several_dresses() {
    check("(AV:N/AC:L/Au:N/C:P/I:P/A:P)", "2.0", 7.5);
    check("CVSS2#AV:N/AC:L/Au:N/C:P/I:P/A:P", "2.0", 7.5);
    check(" AV:N/AC:L/Au:N/C:P/I:P/A:P\n", "2.0", 7.5);
}

#[test]
fn nonsense_has_no_score() {
    for vector in [
        "",
        "7.5",
        "high",
        "CVSS:3.1",
        "CVSS:3.1/",
        "CVSS:5.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H",
        "CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:",
        "CVSS:4.0/AV:N/AC:L/Au:N/C:P/I:P/A:P",
        "(AV:N/AC:L/Au:N/C:P/I:P/A:P",
    ] {
        assert_eq!(base_score(vector), None, "{vector}");
    }
    assert_eq!(base_score(&"AV:N/".repeat(1_000_000)), None);
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = base_score(&text);
        let _ = base_score(&format!("CVSS:4.0/{text}"));
    }

    #[test]
    fn no_vector_panics(
        prefix in prop::sample::select(vec!["", "CVSS:3.0/", "CVSS:3.1/", "CVSS:4.0/"]),
        parts in prop::collection::vec("(AV|AC|AT|PR|UI|S|C|I|A|VC|VI|VA|SC|SI|SA|Au|E):(N|L|H|P|A|C|U|X|R)", 0..14),
    ) {
        if let Some(got) = base_score(&format!("{prefix}{}", parts.join("/"))) {
            prop_assert!((0.0..=10.0).contains(&got.score));
        }
    }
}
