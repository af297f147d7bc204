//! Feeds in, answers out: real records through a built and mapped index.

use std::io::Write;
use std::path::{Path, PathBuf};

use dogwatch_advisories::{BuildError, BuildOptions, BuildSummary, Change, How, Index, build, diff, feeds};
use expect_test::{Expect, expect};
use model::advisory::{Advisories, RangeEnd};
use model::ecosystem::Query;
use model::report::CoverageState;
use proptest::prelude::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/advisories").join(name)
}

/// A directory with feed files, and the index they make.
struct Scene {
    directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn build(&self, inputs: &[PathBuf]) -> (Index, BuildSummary) {
        let out = self.directory.path().join("index");
        let summary = build(inputs, &out, &BuildOptions::default()).unwrap();
        (Index::open(&out).unwrap(), summary)
    }
}

fn samples() -> Vec<PathBuf> {
    ["osv.jsonl", "kev.json", "kev-later.json", "epss.csv", "cve-facts.jsonl"].map(fixture).to_vec()
}

/// A record for `left-pad` on npm, for what real samples do not show.
fn record(id: &str, modified: &str, rest: &str) -> String {
    format!(
        r#"{{"id":"{id}","modified":"{modified}","affected":[{{"package":{{"ecosystem":"npm","name":"left-pad"}},"ranges":[{{"type":"SEMVER","events":[{{"introduced":"0"}},{{"fixed":"1.3.0"}}]}}]}}]{rest}}}"#
    )
}

fn rows(index: &Index, ecosystem: &str, name: &str) -> String {
    let mut lines: Vec<String> = index
        .candidates(ecosystem, name)
        .unwrap()
        .iter()
        .map(|row| {
            let advisory = index.advisory(row.advisory, ecosystem, name).unwrap();
            let severities: Vec<String> =
                advisory.severities.iter().map(|stated| format!("{}={}", stated.scorer, stated.value)).collect();
            let range = match row.end {
                RangeEnd::Open => "open".to_owned(),
                RangeEnd::Fixed(version) => format!("< {version}"),
                RangeEnd::LastAffected(version) => format!("<= {version}"),
                RangeEnd::Exactly => "exactly".to_owned(),
            };
            let (from, status, module) = (row.introduced.unwrap_or("0"), row.status, row.module);
            format!("{} ({}) {from} {range} {status:?} {module:?} {severities:?}\n", advisory.id, advisory.source)
        })
        .collect();
    lines.sort();
    lines.concat()
}

fn check(ecosystem: &str, name: &str, expected: Expect) {
    let (index, _) = Scene::new().build(&samples());
    expected.assert_eq(&rows(&index, ecosystem, name));
}

#[test]
fn a_module_stream_is_part_of_the_row() {
    check(
        "AlmaLinux:8",
        "nodejs-nodemon",
        expect![[r#"
        ALSA-2023:5850 (AlmaLinux) 0 < 3.0.1-1.module_el8.8.0+3614+204d6f43 None Some("nodejs:16") []
    "#]],
    );
}

#[test]
fn a_red_hat_fix_holds_for_its_product_alone() {
    check(
        "Red Hat:rhel_eus:9.2",
        "libtiff",
        expect![[r#"
        CVE-2024-7006 (Red Hat) 0 < 0:4.4.0-8.el9_2.1 None None ["Red Hat=CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"]
    "#]],
    );
    check(
        "Red Hat:enterprise_linux:8",
        "libtiff",
        expect![[r#"
        CVE-2024-7006 (Red Hat) 0 open Some("unfixed") None ["Red Hat=CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"]
    "#]],
    );
}

#[test]
fn ubuntu_pockets_stay_apart() {
    check(
        "Ubuntu:14.04:LTS",
        "lxc",
        expect![[r#"
        UBUNTU-CVE-2015-1334 (Ubuntu) 0 < 1.0.7-0ubuntu0.2 None None ["Ubuntu=medium"]
    "#]],
    );
    check(
        "Ubuntu:Pro:16.04:LTS",
        "lxc",
        expect![[r#"
        UBUNTU-CVE-2015-1334 (Ubuntu) 0 < 1.1.3-0ubuntu1 None None ["Ubuntu=medium"]
    "#]],
    );
}

// Proves: feed OSV.
#[test]
fn each_feed_keeps_its_publisher_and_scorer() {
    check(
        "Debian:12",
        "openssl",
        expect![[r#"
        DEBIAN12-CVE-2019-1547 (Debian changelogs) 0 < 1.1.1d-1 None None []
    "#]],
    );
    check(
        "Wolfi",
        "airflow",
        expect![[r#"
        CGA-pq4j-wp27-c7j9 (Wolfi) 0 open Some("fix-not-planned") None []
    "#]],
    );
    check(
        "PyPI",
        "jinja2",
        expect![[r#"
        PYSEC-2026-1471 (PyPA) 0 < 3.1.6 None None ["PyPA=CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"]
    "#]],
    );
    check(
        "PyPI",
        "123bla",
        expect![[r#"
        MAL-2024-10238 (OpenSSF) 0.0.1 exactly None None []
    "#]],
    );
    check(
        "RubyGems",
        "Arabic-Prawn",
        expect![[r#"
        GHSA-hgmw-x865-hf9x (RubySec) 0 open None None ["RubySec=7.5"]
    "#]],
    );
    check(
        "Bitnami",
        "activemq",
        expect![[r#"
        BIT-activemq-2020-11998 (Bitnami) 5.15.12 <= 5.15.12 None None ["Bitnami=CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"]
    "#]],
    );
    check(
        "npm",
        "bassmaster",
        expect![[r#"
        NSWG-ECO-1 (Node.js) 0 <= 1.5.1 None None ["Node.js=CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:L/A:N"]
    "#]],
    );
    check("PyPI", "aamiles", expect![""]);
}

// Proves: feed KEV; feed CVE facts; feed EPSS.
#[test]
fn scores_estimates_and_exploitation_are_found_by_cve() {
    let (index, _) = Scene::new().build(&samples());
    let facts = index.vulnerability("CVE-2021-3600").unwrap();
    let scorers: Vec<&str> = facts.scores.iter().map(|score| score.scorer.as_str()).collect();
    assert_eq!(scorers, ["canonical", "CISA-ADP"]);
    let versions: Vec<(String, f64)> =
        index.vulnerability("CVE-2005-10003").unwrap().scores.into_iter().map(|s| (s.version, s.score)).collect();
    assert_eq!(versions, [("4.0".into(), 6.3), ("3.1".into(), 5.6), ("3.0".into(), 5.6), ("2.0".into(), 5.1)]);
    assert_eq!(index.vulnerability("CVE-2024-3094").unwrap().epss.unwrap().score, 0.85974);
    let kev = index.vulnerability("CVE-2025-64446").unwrap().kev.unwrap();
    assert_eq!(kev.date_added.as_deref(), Some("2025-11-14"));
    assert_eq!(index.vulnerability("CVE-2025-62593").unwrap().kev.unwrap().date_added, None);
    assert_eq!(index.vulnerability("CVE-2019-25161").unwrap(), Default::default(), "a rejected id has no scores");
    assert_eq!(index.status().unwrap().epss_date, "2026-08-16");
}

#[test]
fn the_same_facts_give_the_same_bytes_however_they_are_cut() {
    let scene = Scene::new();
    let (_, whole) = scene.build(&samples());
    let text = std::fs::read_to_string(fixture("osv.jsonl")).unwrap();
    let (head, tail) = text.split_at(text.match_indices('\n').nth(6).unwrap().0 + 1);
    let mut parts = vec![
        scene.file("b.jsonl.zst", zstd::encode_all(tail.as_bytes(), 3).unwrap()),
        scene.file("a.jsonl", format!("{head}{head}")),
    ];
    parts.extend(samples().into_iter().skip(1).rev());
    assert_eq!(scene.build(&parts).1.digest, whole.digest);
}

#[test]
fn the_newest_state_of_a_record_counts() {
    let scene = Scene::new();
    let old = scene.file("old.json", record("GHSA-1", "2024-01-01T00:00:00Z", ""));
    let new =
        scene.file("new.json", record("GHSA-1", "2024-01-01T00:00:00.5Z", r#","withdrawn":"2024-02-01T00:00:00Z""#));
    for inputs in [[old.clone(), new.clone()], [new, old]] {
        let (index, _) = scene.build(&inputs);
        assert_eq!(rows(&index, "npm", "left-pad"), "");
        assert!(index.show("GHSA-1").unwrap()[0].advisory.withdrawn.is_some(), "and people can still read why");
    }
}

#[test]
fn one_id_of_two_publishers_is_two_records() {
    let scene = Scene::new();
    let of = |source: &str| {
        record("CVE-2024-1", "2024-01-01T00:00:00Z", &format!(r#","database_specific":{{"source":"{source}"}}"#))
    };
    let file = scene.file("both.jsonl", format!("{}\n{}\n", of("ours"), of("theirs")));
    assert_eq!(rows(&scene.build(&[file]).0, "npm", "left-pad").lines().count(), 2);
}

#[test]
fn listed_versions_that_a_range_covers_need_no_row() {
    let scene = Scene::new();
    let text =
        record("GHSA-1", "2024-01-01T00:00:00Z", "").replace(r#""ranges""#, r#""versions":["1.0.0","9.9.9"],"ranges""#);
    let (index, _) = scene.build(&[scene.file("a.json", text)]);
    let exact: Vec<_> =
        index.candidates("npm", "left-pad").unwrap().into_iter().filter(|r| r.end == RangeEnd::Exactly).collect();
    assert_eq!(exact.len(), 1);
    assert_eq!(exact[0].introduced, Some("9.9.9"));
}

#[test]
fn search_finds_what_covers_a_version_and_show_finds_by_alias() {
    let (index, _) = Scene::new().build(&samples());
    let query = |version: &str| Query { ecosystem: "PyPI".into(), name: "jinja2".into(), version: version.into() };
    assert_eq!(index.search(&query("3.1.5")).unwrap().len(), 1);
    assert_eq!(index.search(&query("3.1.6")).unwrap().len(), 0);
    let shown = index.show("CVE-2020-11998").unwrap();
    assert_eq!(shown[0].advisory.id, "BIT-activemq-2020-11998");
    assert_eq!(shown[0].affected[0].range, ">= 5.15.12, <= 5.15.12");
}

#[test]
fn an_archive_is_complete_a_loose_file_is_not_and_a_manifest_decides() {
    let scene = Scene::new();
    let mut zip = zip::ZipWriter::new(std::fs::File::create(scene.directory.path().join("all.zip")).unwrap());
    zip.start_file("GHSA-1.json", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(record("GHSA-1", "2024-01-01T00:00:00Z", "").as_bytes()).unwrap();
    zip.finish().unwrap();
    let state = |inputs: &[PathBuf]| scene.build(inputs).0.coverage("npm").unwrap().state;
    assert_eq!(state(&[scene.directory.path().join("all.zip")]), CoverageState::Complete);
    let loose = scene.file("loose.jsonl", record("GHSA-1", "2024-01-01T00:00:00Z", ""));
    assert_eq!(state(&[loose]), CoverageState::Partial);
    assert_eq!(scene.build(&samples()).0.coverage("Debian:99").unwrap().state, CoverageState::None);
    let snapshot = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/advisories");
    let (index, summary) = scene.build(&[snapshot]);
    assert!(index.status().unwrap().bytes_per_range <= 40.0);
    assert_eq!(index.coverage("npm").unwrap().state, CoverageState::Partial);
    assert_eq!(index.coverage("PyPI").unwrap().state, CoverageState::Complete);
    // One PyPA record is dated 2027 and most of Go's year 1; the files are of these days.
    assert!(index.coverage("PyPI").unwrap().newest.as_str() <= "2026-07-24");
    assert_eq!(index.coverage("Go").unwrap().newest, "2026-08-21T00:00:00Z");
    let minio = Query { ecosystem: "Bitnami".into(), name: "minio".into(), version: "2023.3.13".into() };
    assert!(index.search(&minio).unwrap().iter().any(|hit| hit.advisory.aliases.contains(&"CVE-2023-28432".into())));
    let express = Query { ecosystem: "npm".into(), name: "express".into(), version: "3.10.0".into() };
    assert!(index.search(&express).unwrap().iter().any(|hit| hit.advisory.id == "NSWG-ECO-8" && hit.comparable));
    assert_eq!(index.status().unwrap().attributions.len(), 17);
    assert!(summary.advisories > 45_000, "{summary:?}");
}

#[test]
fn a_difference_names_packages_and_severities() {
    let (before, after) = (Scene::new(), Scene::new());
    let a = before.file(
        "a.jsonl",
        format!("{}\n{}", record("GHSA-1", "2024-01-01T00:00:00Z", ""), record("GHSA-2", "2024-01-01T00:00:00Z", "")),
    );
    let severity = r#","severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]"#;
    let b = after.file(
        "a.jsonl",
        format!(
            "{}\n{}",
            record("GHSA-2", "2024-02-01T00:00:00Z", severity),
            record("GHSA-3", "2024-01-01T00:00:00Z", "")
        ),
    );
    let (old, new) = (before.build(&[a]).0, after.build(&[b, fixture("kev.json"), fixture("epss.csv")]).0);
    let mut packages = Vec::new();
    let (mut severities, mut kev, mut epss) = (0, 0, 0);
    let mut report = |change| match change {
        Change::Package { advisory, how, .. } => packages.push((advisory, how)),
        Change::Severity { .. } => severities += 1,
        Change::Kev { .. } => kev += 1,
        Change::Epss { .. } => epss += 1,
        Change::Score { .. } | Change::Ssvc { .. } => {}
    };
    diff(&old, &new, Default::default(), &mut report).unwrap();
    assert_eq!(packages, [("GHSA-1".to_owned(), How::Removed), ("GHSA-3".to_owned(), How::Added)]);
    assert_eq!((severities, kev, epss), (1, 3, 3));
}

#[test]
fn nonsense_is_a_problem_with_its_id_and_not_a_match() {
    let scene = Scene::new();
    let events = |events: &str| {
        record("GHSA-1", "2024-01-01T00:00:00Z", "").replace(r#"{"introduced":"0"},{"fixed":"1.3.0"}"#, events)
    };
    for bad in [
        r#"{"fixed":"1.3.0"}"#,
        r#"{"introduced":"2.0.0"},{"fixed":"1.0.0"}"#,
        r#"{"introduced":"0"},{"fixed":"no version!"}"#,
        "",
    ] {
        let (index, summary) = scene.build(&[scene.file("bad.json", events(bad))]);
        assert_eq!(rows(&index, "npm", "left-pad"), "", "{bad}");
        assert_eq!(summary.problems[0].record, "GHSA-1", "{bad}");
    }
    let deep = format!(
        "{}\n{{\"id\":\"X\",\"modified\":\"\",\"affected\":{}",
        record("GHSA-1", "2024-01-01T00:00:00Z", ""),
        "[".repeat(100_000)
    );
    let (_, summary) = scene.build(&[scene.file("deep.jsonl", deep)]);
    assert_eq!((summary.advisories, summary.problem_count), (1, 1));
    let nested = scene.file("nested.json", "[".repeat(100_000));
    let out = scene.directory.path().join("none");
    assert!(matches!(build(&[nested], &out, &BuildOptions::default()), Err(BuildError::NotAFeed { .. })));
    assert!(!out.exists());
}

/// Asks everything of an index that may be damaged anywhere; only the absence of a crash counts.
fn ask_everything(path: &Path) -> bool {
    let Ok(index) = Index::open(path) else { return false };
    let mut sound = index.status().is_ok();
    for (ecosystem, name) in [("PyPI", "jinja2"), ("AlmaLinux:8", "nodejs"), ("Bitnami", "activemq")] {
        match index.candidates(ecosystem, name) {
            Ok(rows) => sound &= rows.iter().all(|row| index.advisory(row.advisory, ecosystem, name).is_ok()),
            Err(_) => sound = false,
        }
    }
    sound & index.vulnerability("CVE-2021-3600").is_ok() & index.show("CVE-2020-11998").is_ok()
}

#[test]
fn a_damaged_index_is_refused_and_never_crashes() {
    let scene = Scene::new();
    scene.build(&samples());
    let bytes = std::fs::read(scene.directory.path().join("index")).unwrap();
    assert!(ask_everything(&scene.file("copy", &bytes)));
    for at in (0..bytes.len()).step_by(3) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        assert!(!ask_everything(&scene.file("copy", &damaged)), "byte {at} was changed and nothing noticed");
    }
    for len in (0..bytes.len()).step_by(97) {
        assert!(Index::open(&scene.file("copy", &bytes[..len])).is_err(), "cut to {len} bytes");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_a_feed_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = feeds::read_text(&mut bytes.as_slice(), &mut |_| {});
    }

    #[test]
    fn no_cut_or_change_of_a_real_feed_breaks_its_reader(which in 0..5usize, cut in 0..9000usize, at in 0..9000usize, byte: u8) {
        let mut text = std::fs::read(&samples()[which]).unwrap();
        text.truncate(cut);
        if let Some(changed) = text.get_mut(at) {
            *changed = byte;
        }
        let _ = feeds::read_text(&mut text.as_slice(), &mut |_| {});
    }
}
