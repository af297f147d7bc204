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
        (
            "litellm.osv-scanner.toml",
            expect![[r#"
            osv-scanner-1-GHSA-w8v5-vhqr-4h9v ["GHSA-w8v5-vhqr-4h9v"] [] until 2026-09-09 "diskcache has no fixed release published; remove this entry once one exists"
            osv-scanner-6-GHSA-gr75-jv2w-4656 ["GHSA-gr75-jv2w-4656"] [] until 2026-12-31 "langchain fix requires >=1.3.9, but that needs langgraph>=1.2.4,<1.3.0 which conflicts with our pinned langgraph==1.0.10 (langgraph-prebuilt==1.0.8 requires langgraph==1.0.10). Blocked until langgraph family can be bumped as a coordinated upgrade."
        "#]],
        ),
        (
            "ggshield.grype.yaml",
            expect![[r#"
            grype-8-CVE-2025-15366 ["CVE-2025-15366"] [] until 2027-01-01 "taken over from ggshield.grype.yaml, line 8, without a reason"
            grype-9-CVE-2025-15367 ["CVE-2025-15367"] [] until 2027-01-01 "taken over from ggshield.grype.yaml, line 9, without a reason"
            grype-10-CVE-2025-70873 ["CVE-2025-70873"] [] until 2027-01-01 "taken over from ggshield.grype.yaml, line 10, without a reason"
        "#]],
        ),
        (
            "kics.grype.yaml",
            expect![[r#"
            grype-2-GHSA-4v7x-pqxf-cx7m ["GHSA-4v7x-pqxf-cx7m"] [] until 2027-01-01 "taken over from kics.grype.yaml, line 2, without a reason"
            grype-3-anchore/scan-action [] ["anchore/scan-action"] until 2027-01-01 "taken over from kics.grype.yaml, line 3, without a reason"
            line 6: a rule for packages with `location` has no equivalent, and without it would cover more
            line 8: a rule for packages with `location` has no equivalent, and without it would cover more
            line 10: a rule for packages with `location` has no equivalent, and without it would cover more
        "#]],
        ),
        (
            "forms-flow-ai.trivyignore.yaml",
            expect![[r#"
            trivy-2-CVE-2023-45853 ["CVE-2023-45853"] [] until 2027-01-01 "Not considered a vulnerability by upstream Debian"
            line 6: a rule of `secrets` has no equivalent: they are not looked for
        "#]],
        ),
    ] {
        check(name, &fixture(name), expected);
    }
}

#[test]
fn every_sort_of_rule() {
    let trivy = "# accepted by all\nCVE-2019-14697\n\nCVE-2019-1543 exp:2026-03-01 # until the rebuild\nAVD-DS-0002\ngeneric-secret\nCVE-2020-1 exp:soon\n";
    check(
        ".trivyignore",
        trivy,
        expect![[r#"
        trivy-2-CVE-2019-14697 ["CVE-2019-14697"] [] until 2027-01-01 "accepted by all"
        trivy-4-CVE-2019-1543 ["CVE-2019-1543"] [] until 2026-03-01 "until the rebuild"
        line 5: `AVD-DS-0002` is no vulnerability; misconfigurations and secrets are not looked for
        line 6: `generic-secret` is no vulnerability; misconfigurations and secrets are not looked for
        line 7: `exp:soon` is no `exp:` with a date
    "#]],
    );
    let yaml = "vulnerabilities:\n  - id: CVE-1-1\n    purls: ['pkg:deb/debian/curl']\n    expired_at: 2026-02-03\n  - id: CVE-1-2\n    paths: ['usr/bin/x']\n  - statement: nothing\nmisconfigurations:\n  - id: AVD-DS-0002\n";
    check(
        ".trivyignore.yaml",
        yaml,
        expect![[r#"
        trivy-2-CVE-1-1 ["CVE-1-1"] ["pkg:deb/debian/curl", "pkg:deb/debian/curl@*"] until 2026-02-03 "taken over from .trivyignore.yaml, line 2, without a reason"
        line 6: `CVE-1-2` is ignored at some paths only, and exceptions have no paths
        line 7: a rule without an `id` ignores nothing
        line 9: a rule of `misconfigurations` has no equivalent: they are not looked for
    "#]],
    );
    let grype = "fail-on-severity: high\nignore:\n  - vulnerability: CVE-1-1\n    package: {name: libcurl, version: 1.5.1, type: npm}\n    reason: not called\n  - fix-state: unknown\n  - vulnerability: CVE-1-2\n    fix-state: wont-fix\n  - vex-status: not_affected\n  - package: {name: 'kernel-.*'}\n  - package: {name: x, type: msrc-kb}\n";
    check(
        ".grype.yaml",
        grype,
        expect![[r#"
        grype-3-CVE-1-1 ["CVE-1-1"] ["pkg:npm/libcurl@1.5.1", "pkg:npm/*/libcurl@1.5.1"] until 2027-01-01 "not called"
        line 1: the setting `fail-on-severity` is no exception
        line 6: a rule about `fix-state` alone is no exception
        line 8: a rule with `fix-state` has no equivalent, and without it would cover more
        line 9: a rule about VEX statements is no exception
        line 10: the name `kernel-.*` is a regular expression
        line 11: the package type `msrc-kb` has no equivalent
    "#]],
    );
    let osv = "GoVersionOverride = '1.20'\n[[IgnoredVulns]]\nid = 'GO-2022-0968'\n[[PackageOverrides]]\nname = '@scope/lib'\nversion = '1.0.0'\necosystem = 'npm'\nvulnerability.ignore = true\neffectiveUntil = 2026-11-09\nreason = 'abc'\n[[PackageOverrides]]\necosystem = 'npm'\nignore = true\n[[PackageOverrides]]\nname = 'l'\nlicense.override = ['MIT']\n";
    check(
        "osv-scanner.toml",
        osv,
        expect![[r#"
        osv-scanner-2-GO-2022-0968 ["GO-2022-0968"] [] until 2027-01-01 "taken over from osv-scanner.toml, line 2, without a reason"
        osv-scanner-4-pkg:npm/%40scope/lib@1.0.0 [] ["pkg:npm/%40scope/lib@1.0.0"] until 2026-11-09 "abc"
        line 1: the setting `GoVersionOverride` is no exception
        line 11: an override without a `name`, or of an ecosystem without a package-URL type, has no equivalent
        line 14: an override that ignores no vulnerabilities is no exception
        line 16: an override with `license` has no equivalent, and without it would cover more
    "#]],
    );
}

#[test]
fn what_cannot_be_taken_over_is_refused() {
    let options = ImportOptions { owner: "a", until: None };
    assert!(matches!(import("notes.txt", "", options), Err(ImportError::Unknown { .. })));
    assert!(matches!(import(".grype.yaml", "ignore: [", options), Err(ImportError::Malformed { .. })));
    assert!(matches!(import("osv-scanner.toml", "[[", options), Err(ImportError::Malformed { .. })));
    assert!(matches!(import(".trivyignore", "\nCVE-2019-1\n", options), Err(ImportError::Endless { line: 2, .. })));
}
