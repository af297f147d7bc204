//! Every document against its golden file and its official schema.

use std::path::{Path, PathBuf};

use dogwatch_formats::cyclonedx::Vulnerabilities::{Included, LeftOut};
use dogwatch_formats::table::{TableOptions, render};
use dogwatch_formats::{cyclonedx, explain, json, sarif, sbom, spdx};
use expect_test::expect_file;
use jsonschema::{Registry, Validator};
use model::change::{ChangeKind, Changes, FileChange, PackageChange};
use model::finding::Severity;
use model::integrity::FileKind;
use model::package::{PackageId, PackageType};
use model::report::{Comparison, ScanReport};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn fixture(path: &str) -> String {
    std::fs::read_to_string(root().join("tests/fixtures").join(path)).unwrap()
}

fn report() -> ScanReport {
    json::read(fixture("formats/report.json").as_bytes()).unwrap()
}

fn golden(name: &str, actual: &str) {
    expect_file![root().join("tests/fixtures/formats/golden").join(name)].assert_eq(actual);
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn schema(name: &str) -> Validator {
    let mut registry = Registry::new();
    for (id, file) in [("spdx", "cyclonedx-spdx"), ("jsf-0.82", "cyclonedx-jsf-0.82")] {
        let resource = parsed(&fixture(&format!("schemas/{file}.schema.json")));
        registry = registry.add(format!("http://cyclonedx.org/schema/{id}.SNAPSHOT.schema.json"), resource).unwrap();
    }
    let mut schema = parsed(&fixture(&format!("schemas/{name}.schema.json")));
    // Its pattern holds a stray bracket that strict regular expressions refuse; we write no language.
    for definition in ["run", "toolComponent"] {
        if let Some(language) = schema.pointer_mut(&format!("/definitions/{definition}/properties/language")) {
            language.as_object_mut().unwrap().remove("pattern");
        }
    }
    jsonschema::options().with_registry(&registry.prepare().unwrap()).build(&schema).unwrap()
}

fn validate(validator: &Validator, document: &str) {
    let document = parsed(document);
    let errors: Vec<String> =
        validator.iter_errors(&document).take(5).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// An artifact about which nothing is known, as `--inventory-only` leaves it.
fn bare() -> ScanReport {
    let mut report = report();
    report.artifact = model::artifact::Artifact::new("dir:.", model::artifact::ArtifactKind::Directory);
    report.inventory = model::inventory::Inventory::default();
    (report.findings, report.gaps, report.remedies) = (Vec::new(), Vec::new(), Vec::new());
    (report.knowledge, report.verdict) = (None, None);
    report
}

// Proves: format sarif.
#[test]
fn sarif_is_valid_and_as_agreed() {
    let log = sarif::write(&report());
    golden("report.sarif.json", &log);
    validate(&schema("sarif-2.1.0"), &log);
    validate(&schema("sarif-2.1.0"), &sarif::write(&bare()));
}

// Proves: format cyclonedx.
#[test]
fn cyclonedx_is_valid_and_as_agreed() {
    let validator = schema("cyclonedx-1.6");
    let with = cyclonedx::write(&report(), Included);
    let without = cyclonedx::write(&report(), LeftOut);
    golden("report.cdx.json", &with);
    for document in [&with, &without, &cyclonedx::write(&bare(), Included)] {
        validate(&validator, document);
    }
    assert_eq!(parsed(&without).get("vulnerabilities"), None);
    assert_ne!(parsed(&with)["serialNumber"], parsed(&without)["serialNumber"]);
}

// Proves: format spdx.
#[test]
fn spdx_is_valid_and_as_agreed() {
    let validator = schema("spdx-2.3");
    let with = spdx::write(&report(), Included);
    golden("report.spdx.json", &with);
    for document in [&with, &spdx::write(&report(), LeftOut), &spdx::write(&bare(), Included)] {
        validate(&validator, document);
    }
    assert!(!spdx::write(&report(), LeftOut).contains("CVE-"));
}

#[test]
fn schemas_refuse_what_is_wrong() {
    // The validators are really at work, also through their references.
    let mut document = parsed(&cyclonedx::write(&report(), Included));
    document["components"][1]["licenses"][0]["license"]["id"] = "No-Such-License".into();
    assert!(!schema("cyclonedx-1.6").is_valid(&document));
    let mut document = parsed(&sarif::write(&report()));
    document["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(!schema("sarif-2.1.0").is_valid(&document));
    let mut document = parsed(&spdx::write(&report(), Included));
    document["packages"][0]["primaryPackagePurpose"] = "SHIP".into();
    assert!(!schema("spdx-2.3").is_valid(&document));
}

#[test]
fn every_license_id_we_call_an_id_is_one_to_cyclonedx() {
    let ids = parsed(&fixture("schemas/cyclonedx-spdx.schema.json"))["enum"].as_array().unwrap().len();
    assert!(ids > 600);
    let mut report = report();
    report.inventory.packages[0].licenses = parsed(&fixture("schemas/cyclonedx-spdx.schema.json"))["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    validate(&schema("cyclonedx-1.6"), &cyclonedx::write(&report, LeftOut));
    validate(&schema("spdx-2.3"), &spdx::write(&report, LeftOut));
}

// Proves: format json.
#[test]
fn our_own_schemas_are_those_of_the_types() {
    expect_file![root().join("schemas/scan-report-v1.schema.json")].assert_eq(&json::report_schema());
    expect_file![root().join("schemas/integrity-model-v1.schema.json")].assert_eq(&json::integrity_model_schema());
    let validator = jsonschema::validator_for(&parsed(&json::report_schema())).unwrap();
    validate(&validator, &fixture("formats/report.json"));
    validate(&validator, &json::write(&report()));
    validate(&validator, &json::write(&bare()));
    assert!(!validator.is_valid(&parsed(r#"{"schema_version": 1}"#)));
}

#[test]
fn a_report_is_read_as_it_was_written() {
    assert_eq!(json::read(json::write(&report()).as_bytes()).unwrap(), report());
}

#[test]
fn reports_of_other_versions_and_broken_ones_are_refused() {
    let error = |text: &str| json::read(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(error(r#"{"schema_version": 2}"#), "the scan report has schema version 2; this program reads version 1");
    assert_eq!(error(r#"{"bomFormat": "CycloneDX"}"#), "not a Dogwatch scan report: `schema_version` is missing");
    assert_eq!(error("[]x"), "not a Dogwatch scan report");
    assert_eq!(error(&"[".repeat(100_000)), "not a Dogwatch scan report");
    let mut broken = report();
    broken.findings[3].package = PackageId(99);
    let expected = "the scan report contradicts itself: a finding names package 99, and there are 12 packages";
    assert_eq!(error(&json::write(&broken)), expected);
    let mut broken = report();
    broken.remedies[0].removes.push(1000);
    assert!(error(&json::write(&broken)).contains("a remedy names finding 1000"));
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    assert_eq!(sarif::write(&report()), sarif::write(&report()));
    let mut later = report();
    later.judged_at = "2026-12-01T00:00:00Z".parse().unwrap();
    let serial = |report: &ScanReport| parsed(&cyclonedx::write(report, Included))["serialNumber"].clone();
    assert_eq!(serial(&report()), serial(&later));
    later.artifact.manifest_digest = later.artifact.image_id.clone();
    assert_ne!(serial(&report()), serial(&later));
}

#[test]
fn fingerprints_survive_an_upgrade_that_does_not_help() {
    let prints = |report: &ScanReport| -> Vec<Value> {
        let log = parsed(&sarif::write(report));
        log["runs"][0]["results"].as_array().unwrap().iter().map(|r| r["partialFingerprints"].clone()).collect()
    };
    let before = prints(&report());
    let mut upgraded = report();
    upgraded.inventory.packages[0].version = "2.36-9+deb12u1".into();
    assert_eq!(prints(&upgraded), before);
    let distinct: std::collections::HashSet<String> = before.iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), before.len());
}

#[test]
fn our_own_cyclonedx_is_read_back() {
    let report = report();
    let (artifact, inventory) = sbom::read(cyclonedx::write(&report, Included).as_bytes()).unwrap();
    assert_eq!(artifact.manifest_digest, report.artifact.manifest_digest);
    assert_eq!(artifact.names, report.artifact.names);
    assert_eq!(inventory.distro, report.inventory.distro);
    assert_eq!(inventory.gaps, []);
    assert_eq!(inventory.packages.len(), report.inventory.packages.len());
    for (read, written) in inventory.packages.iter().zip(&report.inventory.packages) {
        assert_eq!((&read.purl, &read.version, &read.source), (&written.purl, &written.version, &written.source));
        assert_eq!((read.layer, read.origin, &read.arch), (written.layer, written.origin, &written.arch));
        assert_eq!((&read.depends_on, &read.licenses), (&written.depends_on, &written.licenses));
        assert_eq!(read.evidence[0].path, written.evidence[0].path);
    }
}

#[test]
fn our_own_spdx_is_read_back() {
    let report = report();
    let (artifact, inventory) = sbom::read(spdx::write(&report, Included).as_bytes()).unwrap();
    assert_eq!(artifact.manifest_digest, report.artifact.manifest_digest);
    assert_eq!(inventory.gaps, []);
    let distro = inventory.distro.unwrap();
    assert_eq!((distro.id.as_str(), distro.version_id.as_deref()), ("debian", Some("12")));
    let facts = |packages: &[model::package::Package]| -> Vec<_> {
        packages.iter().map(|p| (p.purl.clone(), p.version.clone(), p.source.clone(), p.depends_on.clone())).collect()
    };
    assert_eq!(facts(&inventory.packages), facts(&report.inventory.packages));
}

fn plain(styled: &str) -> String {
    let mut text = String::new();
    let mut rest = styled;
    while let Some(start) = rest.find('\u{1b}') {
        text.push_str(&rest[..start]);
        rest = &rest[start + rest[start..].find('m').unwrap() + 1..];
    }
    text + rest
}

// Proves: format table.
#[test]
fn the_table_says_what_matters_in_80_columns() {
    let table = plain(&render(&report(), TableOptions::default()));
    golden("report.table.txt", &table);
    assert!(table.starts_with("FAIL  registry.example/team/shop:1.4"));
    let long: Vec<&str> = table.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(long.is_empty(), "{long:#?}");
    golden("inventory.table.txt", &plain(&render(&bare(), TableOptions::default())));
}

#[test]
fn a_comparison_shows_what_is_new_and_gone() {
    let mut report = report();
    let verdict = report.verdict.as_mut().unwrap();
    verdict.violations.retain(|violation| violation.finding == Some(0));
    report.comparison = Some(Comparison {
        with: "registry.example/team/shop:1.3".into(),
        new: vec![0, 9],
        unchanged: 12,
        gone: vec!["CVE-2020-7598 minimist 1.2.0".into()],
        new_surface: None,
    });
    golden("comparison.table.txt", &plain(&render(&report, TableOptions::default())));
    let log = parsed(&sarif::write(&report));
    let states: Vec<&str> =
        log["runs"][0]["results"].as_array().unwrap().iter().map(|r| r["baselineState"].as_str().unwrap()).collect();
    assert_eq!(states.iter().filter(|state| **state == "new").count(), 2);
}

#[test]
fn a_container_says_what_it_changed() {
    let mut report = report();
    let change = |path: &str, change, mode: &str, was_mode: Option<&str>| FileChange {
        path: path.into(),
        change,
        kind: FileKind::Executable,
        sha256: None,
        mode: Some(mode.into()),
        was_sha256: None,
        was_mode: was_mode.map(str::to_owned),
        package: None,
    };
    let mut files = vec![
        change("/usr/local/bin/dropped", ChangeKind::Added, "0755", None),
        change("/usr/bin/env", ChangeKind::Modified, "4755", Some("0755")),
    ];
    files.extend((0..30).map(|number| change(&format!("/x/{number}\u{1b}[31m"), ChangeKind::Added, "0755", None)));
    let package = PackageChange {
        change: ChangeKind::Modified,
        kind: PackageType::Deb,
        name: "openssl".into(),
        version: Some("3.1".into()),
        was_version: Some("3.0".into()),
    };
    report.changes = Some(Changes { files, packages: vec![package], other_files: 7 });
    let text = plain(&render(&report, TableOptions { columns: 80, all: false }));
    let (_, section) = text.split_once("Changed since the image\n").expect("a section");
    let first: Vec<&str> = section.lines().take(3).collect();
    assert_eq!(
        first,
        [
            "  modified  deb package openssl  3.0 became 3.1",
            "  added     /usr/local/bin/dropped  of no package",
            "  modified  /usr/bin/env  mode 0755 became 4755",
        ]
    );
    assert!(section.contains("… and 22 files more\n  and 7 other files that nobody runs or loads\n"), "{section}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn four_hundred_findings_stay_readable_and_are_all_counted() {
    let mut report = report();
    let pattern = report.findings[1].clone();
    report.verdict = None;
    report.findings = (0..400u32)
        .map(|number| {
            let mut finding = pattern.clone();
            finding.id = format!("CVE-2025-{number:04}");
            finding.package = PackageId(number % 12);
            finding.severity = if number < 150 { Severity::High } else { Severity::Low };
            finding
        })
        .collect();
    let short = plain(&render(&report, TableOptions::default()));
    assert!(short.lines().count() < 180, "{}", short.lines().count());
    assert!(short.contains("400 findings (150 high, 250 low)"));
    let all = plain(&render(&report, TableOptions { columns: 80, all: true }));
    assert!((0..400).all(|number| all.contains(&format!("CVE-2025-{number:04}"))));
}

#[test]
fn strangers_strings_do_not_act_on_the_terminal() {
    let evil = "x\u{1b}]0;owned\u{7}\n\u{202e}\u{9b}31m";
    let mut report = report();
    for package in &mut report.inventory.packages {
        for text in [&mut package.name, &mut package.version, &mut package.purl, &mut package.cataloger] {
            text.push_str(evil);
        }
        package.evidence.iter_mut().for_each(|evidence| evidence.path.push_str(evil));
        package.source.iter_mut().for_each(|source| source.name.push_str(evil));
    }
    for finding in &mut report.findings {
        finding.id.push_str(evil);
        finding.ids = vec![finding.id.clone(), "CVE-1".into()];
        finding.summary = Some(evil.into());
        finding.published = Some(evil.into());
        finding.references = vec![evil.into()];
        finding.severity_source = Some(evil.into());
        finding.scores.iter_mut().for_each(|score| score.scorer.push_str(evil));
        finding.fix = model::finding::Fix::Refused { status: evil.into() };
        finding.matches.iter_mut().for_each(|matched| matched.range.push_str(evil));
    }
    for text in [&mut report.artifact.target, report.artifact.platform.as_mut().unwrap()] {
        text.push_str(evil);
    }
    report.artifact.layers.iter_mut().for_each(|layer| layer.created_by = Some(evil.into()));
    report.inventory.gaps[0].subject = evil.into();
    report.inventory.distro.as_mut().unwrap().pretty_name = Some(evil.into());
    report.remedies.iter_mut().for_each(|remedy| remedy.title.push_str(evil));
    let verdict = report.verdict.as_mut().unwrap();
    verdict.violations.iter_mut().for_each(|violation| violation.rationale.push_str(evil));
    verdict.exceptions.iter_mut().for_each(|exception| exception.why.push_str(evil));
    report.knowledge.as_mut().unwrap().as_of = evil.into();
    report.comparison =
        Some(Comparison { with: evil.into(), new: vec![0], unchanged: 0, gone: vec![evil.into()], new_surface: None });
    for text in
        [render(&report, TableOptions { columns: 80, all: true }), explain::render(&report, "CVE-1", 80).unwrap()]
    {
        // Our own styles are escapes of the form ESC [ … m; nothing else may be left.
        let text = plain(&text);
        assert!(!text.contains("owned\u{7}"));
        let acting: Vec<char> = text.chars().filter(|c| c.is_control() && *c != '\n' || *c == '\u{202e}').collect();
        assert_eq!(acting, []);
        assert!(!text.lines().any(|line| line.starts_with("\u{9b}") || line.starts_with(r"\u{202e}")), "{text}");
    }
}

#[test]
fn explain_shows_the_evidence_by_any_id() {
    let report = report();
    golden("explain.txt", &plain(&explain::render(&report, "cve-2023-4911", 80).unwrap()));
    let by_alias = explain::render(&report, "GHSA-h75v-3vvj-5mfj", 80).unwrap();
    assert_eq!(Some(by_alias), explain::render(&report, "CVE-2024-34064", 80));
    assert_eq!(explain::render(&report, "CVE-1999-0001", 80), None);
}
