//! Ignore files of other scanners, as projects have them, and what becomes of each rule.

use dogwatch_policy::{Exceptions, ImportError, ImportOptions, Imported, import};
use expect_test::{Expect, expect};

fn taken(file: &str, text: &str) -> Imported {
    let until = "2027-01-01T00:00:00Z".parse().ok();
    let options = ImportOptions { owner: "a.meyer@shop.example", until };
    let imported = import(file, text, options).unwrap_or_else(|error| panic!("{error:?}"));
    let yaml = imported.exceptions.to_yaml();
    if !yaml.is_empty() {
        let back =
            Exceptions::load([("exceptions.yaml", yaml.as_str())]).unwrap_or_else(|errors| panic!("{}", errors[0]));
        assert_eq!(back, imported.exceptions, "what is written loads to the same");
    }
    imported
}

/// The exceptions in lines, then what was left out.
fn check(file: &str, text: &str, expected: Expect) {
    let imported = taken(file, text);
    let mut lines: Vec<String> = imported
        .exceptions
        .exceptions
        .iter()
        .map(|it| {
            let (scope, day) = (&it.scope, it.until.to_string());
            format!("{} {:?} {:?} until {} \"{}\"", it.id, scope.vulnerabilities, scope.packages, &day[..10], it.why)
        })
        .collect();
    lines.extend(imported.left_out.iter().map(|left| format!("line {}: {}", left.place.line, left.message)));
    expected.assert_eq(&(lines.join("\n") + "\n"));
}

fn fixture(name: &str) -> String {
    let path = format!("{}/../../tests/fixtures/ignore/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("a fixture")
}

#[test]
fn files_of_projects() {
    for (name, expected) in [
        ("litellm.osv-scanner.toml", expect![[r#""#]]),
        ("ggshield.grype.yaml", expect![[r#""#]]),
        ("kics.grype.yaml", expect![[r#""#]]),
        ("forms-flow-ai.trivyignore.yaml", expect![[r#""#]]),
    ] {
        check(name, &fixture(name), expected);
    }
}

#[test]
fn every_sort_of_rule() {
    let trivy = "# accepted by all\nCVE-2019-14697\n\nCVE-2019-1543 exp:2026-03-01 # until the rebuild\nAVD-DS-0002\ngeneric-secret\nCVE-2020-1 exp:soon\n";
    check(".trivyignore", trivy, expect![[r#""#]]);
    let yaml = "vulnerabilities:\n  - id: CVE-1-1\n    purls: ['pkg:deb/debian/curl']\n    expired_at: 2026-02-03\n  - id: CVE-1-2\n    paths: ['usr/bin/x']\n  - statement: nothing\nmisconfigurations:\n  - id: AVD-DS-0002\n";
    check(".trivyignore.yaml", yaml, expect![[r#""#]]);
    let grype = "fail-on-severity: high\nignore:\n  - vulnerability: CVE-1-1\n    package: {name: libcurl, version: 1.5.1, type: npm}\n    reason: not called\n  - fix-state: unknown\n  - vulnerability: CVE-1-2\n    fix-state: wont-fix\n  - vex-status: not_affected\n  - package: {name: 'kernel-.*'}\n  - package: {name: x, type: msrc-kb}\n";
    check(".grype.yaml", grype, expect![[r#""#]]);
    let osv = "GoVersionOverride = '1.20'\n[[IgnoredVulns]]\nid = 'GO-2022-0968'\n[[PackageOverrides]]\nname = '@scope/lib'\nversion = '1.0.0'\necosystem = 'npm'\nvulnerability.ignore = true\neffectiveUntil = 2026-11-09\nreason = 'abc'\n[[PackageOverrides]]\necosystem = 'npm'\nignore = true\n[[PackageOverrides]]\nname = 'l'\nlicense.override = ['MIT']\n";
    check("osv-scanner.toml", osv, expect![[r#""#]]);
}

#[test]
fn what_cannot_be_taken_over_is_refused() {
    let options = ImportOptions { owner: "a", until: None };
    assert!(matches!(import("notes.txt", "", options), Err(ImportError::Unknown { .. })));
    assert!(matches!(import(".grype.yaml", "ignore: [", options), Err(ImportError::Malformed { .. })));
    assert!(matches!(import("osv-scanner.toml", "[[", options), Err(ImportError::Malformed { .. })));
    assert!(matches!(import(".trivyignore", "\nCVE-2019-1\n", options), Err(ImportError::Endless { line: 2, .. })));
}
