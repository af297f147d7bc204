//! Severity, fixes, coverage and remedies, each on a few literal records and packages.

use std::collections::BTreeSet;

use advisories::{BuildOptions, Index, build};
use dogwatch_assessment::coverage::coverage;
use dogwatch_assessment::remedy::remedies;
use dogwatch_assessment::vulnerability::{AssessOptions, assess};
use model::artifact::{Artifact, ArtifactKind, Origin};
use model::finding::{Finding, Fix};
use model::gap::GapKind;
use model::inventory::Inventory;
use model::package::{Evidence, Package, PackageId};
use model::purl;

/// An index of records, given as what follows `"id"` in each.
fn index(records: &[&str]) -> Index {
    let directory = tempfile::tempdir().unwrap();
    let (feed, out) = (directory.path().join("feed.jsonl"), directory.path().join("index"));
    let lines: Vec<String> =
        records.iter().map(|record| format!(r#"{{"modified":"2026-01-01T00:00:00Z","id":{record}}}"#)).collect();
    std::fs::write(&feed, lines.join("\n")).unwrap();
    let summary = build(&[feed], &out, &BuildOptions::default()).unwrap();
    assert_eq!(summary.problem_count, 0, "{:?}", summary.problems);
    Index::open(&out).unwrap()
}

/// `affected` of one package with one range's events.
fn affected(ecosystem: &str, name: &str, events: &str) -> String {
    format!(
        r#""affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"{name}"}},"ranges":[{{"type":"ECOSYSTEM","events":[{events}]}}]}}]"#
    )
}

fn package(number: usize, url: &str) -> Package {
    let parsed = purl::parse(url).unwrap();
    Package {
        id: PackageId(number as u32),
        kind: parsed.kind,
        name: parsed.name,
        version: parsed.version,
        purl: url.to_owned(),
        arch: parsed.arch,
        source: parsed.source,
        module: parsed.module,
        licenses: Vec::new(),
        evidence: vec![Evidence { path: format!("path/{number}"), text: None, layer: Some(1) }],
        layer: Some(1),
        origin: Origin::Application,
        provides: Vec::new(),
        depends_on: Vec::new(),
        direct: false,
        development: false,
        cataloger: "test".into(),
    }
}

fn inventory(urls: &[&str]) -> Inventory {
    let distro = urls.iter().find_map(|url| purl::parse(url).unwrap().distro);
    Inventory {
        distro,
        packages: urls.iter().enumerate().map(|(number, url)| package(number, url)).collect(),
        ..Inventory::default()
    }
}

fn findings(index: &Index, inventory: &Inventory) -> Vec<Finding> {
    assess(inventory, index, &AssessOptions::default()).unwrap().findings
}

fn fixes(finding: &Finding) -> String {
    match &finding.fix {
        Fix::Available { versions } => versions.join(" "),
        Fix::None { status } => format!("none {status:?}"),
        Fix::Refused { status } => format!("refused {status}"),
    }
}

#[test]
fn a_fix_is_what_no_advisory_of_the_finding_covers() {
    let check = |events: &[&str], expected: &str| {
        let records: Vec<String> = events
            .iter()
            .enumerate()
            .map(|(number, events)| {
                format!(r#""X-{number}","aliases":["CVE-2026-1"],{}"#, affected("npm", "a", events))
            })
            .collect();
        let index = index(&records.iter().map(String::as_str).collect::<Vec<_>>());
        let found = findings(&index, &inventory(&["pkg:npm/a@1.0.0"]));
        assert_eq!(found.iter().map(fixes).collect::<Vec<_>>(), [expected], "{events:?}");
    };
    check(&[r#"{"introduced":"0"},{"fixed":"1.5.0"}"#], "1.5.0");
    check(&[r#"{"introduced":"0"},{"fixed":"1.5.0"}"#, r#"{"introduced":"0"},{"fixed":"1.6.0"}"#], "1.6.0");
    // The first database's fix is affected again by the second's.
    check(
        &[
            r#"{"introduced":"0"},{"fixed":"2.0.0"}"#,
            r#"{"introduced":"2.0.0"},{"fixed":"2.3.0"},{"introduced":"0.9.0"},{"fixed":"1.2.0"}"#,
        ],
        "2.3.0",
    );
    // Who says "unfixed" is not satisfied by another's fix.
    check(&[r#"{"introduced":"0"},{"fixed":"1.5.0"}"#, r#"{"introduced":"0"}"#], "none None");
    check(&[r#"{"introduced":"0"},{"last_affected":"1.5.0"}"#], "none None");
}

#[test]
fn one_upgrade_holds_for_all_findings_of_a_package() {
    let index = index(&[
        &format!(
            r#""CVE-2026-1",{}"#,
            affected("npm", "a", r#"{"introduced":"0"},{"fixed":"1.5.0"},{"introduced":"2.0.0"},{"fixed":"2.3.0"}"#)
        ),
        &format!(r#""CVE-2026-2",{}"#, affected("npm", "a", r#"{"introduced":"0"},{"fixed":"2.1.0"}"#)),
    ]);
    let inventory = inventory(&["pkg:npm/a@1.0.0"]);
    let found = findings(&index, &inventory);
    assert_eq!(found.iter().map(fixes).collect::<Vec<_>>(), ["1.5.0 2.3.0", "2.1.0 2.3.0"]);
    let artifact = Artifact::new("test", ArtifactKind::Directory);
    let remedies = remedies(&artifact, &inventory, &found, &BTreeSet::new());
    // 2.1.0 is the highest of the least fixes, and CVE-2026-1 would still be there.
    assert_eq!(
        remedies.iter().map(|remedy| remedy.title.as_str()).collect::<Vec<_>>(),
        ["upgrade a from 1.0.0 to 2.3.0"]
    );
}

#[test]
fn the_one_dependency_that_pulls_in_the_others_is_named() {
    let names = ["b", "c", "d"];
    let records: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(number, name)| {
            format!(r#""CVE-2026-{number}",{}"#, affected("npm", name, r#"{"introduced":"0"},{"fixed":"1.5.0"}"#))
        })
        .collect();
    let index = index(&records.iter().map(String::as_str).collect::<Vec<_>>());
    let mut inventory =
        inventory(&["pkg:npm/a@1.0.0", "pkg:npm/b@1.0.0", "pkg:npm/c@1.0.0", "pkg:npm/d@1.0.0", "pkg:npm/e@1.0.0"]);
    // a needs b, which needs c; d is needed by a and by e.
    inventory.packages[0].depends_on = vec![PackageId(1), PackageId(3)];
    inventory.packages[1].depends_on = vec![PackageId(2)];
    inventory.packages[4].depends_on = vec![PackageId(3)];
    let found = findings(&index, &inventory);
    let artifact = Artifact::new("test", ArtifactKind::Directory);
    let remedies = remedies(&artifact, &inventory, &found, &BTreeSet::new());
    let titles: Vec<&str> = remedies.iter().map(|remedy| remedy.title.as_str()).collect();
    let both = "upgrade d from 1.0.0 to 1.5.0 (pulled in by a 1.0.0, e 1.0.0)";
    assert_eq!(titles, ["upgrade a 1.0.0, which pulls in b@1.0.0, c@1.0.0", both]);
    // The project names b itself, so that is the nearest thing to change for c; d is its own affair.
    inventory.packages[1].direct = true;
    inventory.packages[3].direct = true;
    let remedies = dogwatch_assessment::remedy::remedies(&artifact, &inventory, &found, &BTreeSet::new());
    let titles: Vec<&str> = remedies.iter().map(|remedy| remedy.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "upgrade b from 1.0.0 to 1.5.0",
            "upgrade c from 1.0.0 to 1.5.0 (pulled in by b 1.0.0)",
            "upgrade d from 1.0.0 to 1.5.0"
        ]
    );
}

#[test]
fn os_packages_are_upgraded_together_by_their_binary_names() {
    let index = index(&[&format!(
        r#""DSA-1","upstream":["CVE-2026-1"],{}"#,
        affected("Debian:12", "openssl", r#"{"introduced":"0"},{"fixed":"3.0.11-1~deb12u2"}"#)
    )]);
    let inventory = inventory(&[
        "pkg:deb/debian/libssl3@3.0.9-1?distro=debian-12&upstream=openssl",
        "pkg:deb/debian/openssl@3.0.9-1?distro=debian-12",
    ]);
    let found = findings(&index, &inventory);
    let artifact = Artifact::new("test", ArtifactKind::Directory);
    let remedies = remedies(&artifact, &inventory, &found, &BTreeSet::from([0]));
    assert_eq!(remedies.len(), 1);
    let expected = "upgrade 2 OS packages in layer 2: libssl3=3.0.11-1~deb12u2, openssl=3.0.11-1~deb12u2";
    assert_eq!((remedies[0].title.as_str(), remedies[0].violations, &remedies[0].removes), (expected, 1, &vec![0, 1]));
}

#[test]
fn severity_comes_from_the_distribution_first() {
    let vector = |of: &str| format!(r#""severity":[{of}]"#);
    let check = |ecosystem: &str, url: &str, severity: &str, extra: &str, expected: (&str, Option<&str>)| {
        let index =
            index(&[&format!(r#"{extra},{},{}"#, vector(severity), affected(ecosystem, "a", r#"{"introduced":"0"}"#))]);
        let found = findings(&index, &inventory(&[url]));
        assert_eq!((found[0].severity.as_str(), found[0].severity_source.as_deref()), expected, "{severity}");
    };
    let critical = r#"{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}"#;
    let ubuntu = "pkg:deb/ubuntu/a@1?distro=ubuntu-22.04";
    check(
        "Ubuntu:22.04:LTS",
        ubuntu,
        &format!(r#"{{"type":"Ubuntu","score":"low"}},{critical}"#),
        r#""UBUNTU-CVE-2026-1""#,
        ("low", Some("Ubuntu")),
    );
    // "Untriaged" is no judgement.
    check(
        "Ubuntu:22.04:LTS",
        ubuntu,
        &format!(r#"{{"type":"Ubuntu","score":"untriaged"}},{critical}"#),
        r#""UBUNTU-CVE-2026-1""#,
        ("critical", Some("Ubuntu")),
    );
    check("npm", "pkg:npm/a@1.0.0", critical, r#""GHSA-aaaa-bbbb-cccc""#, ("critical", Some("GitHub")));
    check(
        "npm",
        "pkg:npm/a@1.0.0",
        "",
        r#""GHSA-aaaa-bbbb-cccc","database_specific":{"severity":"MODERATE"}"#,
        ("medium", Some("GitHub")),
    );
    check("npm", "pkg:npm/a@1.0.0", "", r#""MAL-2026-1""#, ("critical", Some("malicious package")));
}

#[test]
fn an_unmaintained_crate_is_told_apart_from_a_vulnerable_one() {
    let record = r#""RUSTSEC-2026-0001","affected":[{"package":{"ecosystem":"crates.io","name":"a"},"database_specific":{"informational":"unmaintained"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0.0.0-0"}]}]}]"#;
    let found = findings(&index(&[record]), &inventory(&["pkg:cargo/a@1.0.0"]));
    assert_eq!((found[0].severity.as_str(), fixes(&found[0]).as_str()), ("negligible", r#"none Some("unmaintained")"#));
}

#[test]
fn a_finding_carries_what_else_is_known_of_its_vulnerability() {
    let go = r#""GO-2026-1","aliases":["CVE-2026-0001"],"affected":[{"package":{"ecosystem":"Go","name":"example.org/a"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.2.0"}]}],"ecosystem_specific":{"imports":[{"path":"example.org/a/b","symbols":["Parse","Read"]}]}}]"#;
    let facts = r#""CVE-2026-0001","state":"PUBLISHED","ssvc":{"Exploitation":"poc","Automatable":"yes","Technical Impact":"total"}"#;
    let malware = format!(
        r#""GHSA-aaaa-bbbb-cccc",{},"database_specific":{{"malicious-packages-origins":[]}}"#,
        affected("npm", "a", r#"{"introduced":"0"}"#)
    );
    let index = index(&[go, facts, &malware]);
    let found = findings(&index, &inventory(&["pkg:golang/example.org/a@v1.1.0", "pkg:npm/a@1.0.0"]));
    let of = |id: &str| found.iter().find(|finding| finding.id == id).unwrap();
    let vulnerable = of("CVE-2026-0001");
    assert_eq!(vulnerable.symbols, ["example.org/a/b#Parse", "example.org/a/b#Read"]);
    let ssvc = vulnerable.ssvc.unwrap();
    assert_eq!((ssvc.exploitation.as_str(), ssvc.automatable, ssvc.technical_impact.as_str()), ("poc", true, "total"));
    assert!(!vulnerable.malicious);
    let malicious = of("GHSA-aaaa-bbbb-cccc");
    assert!(malicious.malicious && malicious.severity.as_str() == "critical");
}

#[test]
fn a_package_without_a_version_is_a_gap_only_where_a_version_would_tell() {
    let index = index(&[
        &format!(r#""CVE-2026-1",{}"#, affected("npm", "a", r#"{"introduced":"0"},{"fixed":"1.5.0"}"#)),
        &format!(r#""MAL-2026-1",{}"#, affected("npm", "b", r#"{"introduced":"0"}"#)),
    ]);
    let assessment =
        assess(&inventory(&["pkg:npm/a", "pkg:npm/b", "pkg:npm/c"]), &index, &AssessOptions::default()).unwrap();
    assert_eq!(assessment.findings.iter().map(|finding| finding.id.as_str()).collect::<Vec<_>>(), ["MAL-2026-1"]);
    let gaps: Vec<&str> = assessment.gaps.iter().map(|gap| gap.subject.as_str()).collect();
    assert!(gaps.contains(&"path/0") && !gaps.contains(&"path/2"), "{gaps:?}");
}

#[test]
fn what_is_not_known_stands_beside_the_findings() {
    let index = index(&[
        &format!(r#""CVE-2026-1",{}"#, affected("npm", "a", r#"{"introduced":"0"}"#)),
        &format!(r#""ALPINE-CVE-2026-1",{}"#, affected("Alpine:edge", "a", r#"{"introduced":"0"},{"fixed":"2-r0"}"#)),
    ]);
    let check = |urls: &[&str], expected: &[(GapKind, &str)]| {
        let (_, gaps) = coverage(&inventory(urls), &index, "2026-01-20T00:00:00Z".parse().unwrap()).unwrap();
        let found: Vec<_> = gaps.iter().map(|gap| (gap.kind, gap.subject.as_str())).collect();
        assert_eq!(found, expected, "{gaps:#?}");
    };
    check(&["pkg:npm/a@1.0.0"], &[(GapKind::PartialCoverage, "npm"), (GapKind::Stale, "advisories")]);
    check(
        &["pkg:apk/alpine/a@1-r0?distro=alpine-3.23_alpha20260101"],
        &[(GapKind::PartialCoverage, "Alpine:edge"), (GapKind::Stale, "advisories")],
    );
    check(&["pkg:deb/debian/a@1?distro=debian-13"], &[(GapKind::NoCoverage, "Debian:13")]);
    check(
        &["pkg:deb/ubuntu/a@1?distro=ubuntu-23.10"],
        &[(GapKind::EndOfLife, "ubuntu 23.10"), (GapKind::NoCoverage, "Ubuntu:23.10")],
    );
    check(&["pkg:apk/wolfi/a@1-r0?distro=wolfi-20230201"], &[(GapKind::NoCoverage, "Wolfi")]);
    check(
        &["pkg:rpm/nobody/a@1-1?distro=nobody-1"],
        &[(GapKind::UnknownDistribution, "nobody 1"), (GapKind::EndOfLife, "nobody 1")],
    );
    check(&["pkg:conan/a@1"], &[(GapKind::NoCoverage, "ConanCenter")]);
    check(&["pkg:cocoapods/a@1"], &[(GapKind::NoCoverage, "cocoapods")]);
}
