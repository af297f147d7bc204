//! Verdicts over a report made of real advisories: the built-in policy, flags, exceptions, comparison.

use dogwatch_policy::{DEFAULT_POLICY, Exceptions, Flags, PolicySet, Subject, Workload, check, test};
use expect_test::{Expect, expect};
use model::finding::Severity;
use model::gap::{Gap, GapKind};
use model::report::{Comparison, ScanReport};
use model::verdict::{Action, Outcome, Stage, Verdict};

fn report() -> ScanReport {
    let text = include_str!("../../../tests/fixtures/policy/shop-report.json");
    serde_json::from_str(text).expect("the fixture is a scan report")
}

fn policies(text: &str) -> PolicySet {
    PolicySet::load([("policy.yaml", text)]).unwrap_or_else(|errors| panic!("{}", errors[0]))
}

fn exceptions(text: &str) -> Exceptions {
    Exceptions::load([("exceptions.yaml", text)]).unwrap_or_else(|errors| panic!("{}", errors[0]))
}

/// A policy of one line, so that a table of conditions reads like one.
fn one(condition: &str, action: &str) -> PolicySet {
    policies(&format!(
        "version: 1\nname: p\nstages: [build]\ncondition: '{condition}'\nrationale: r\naction: {action}\n"
    ))
}

/// The verdict in lines: what was objected to, who excused it, and what became of the exceptions.
fn render(verdict: &Verdict, report: &ScanReport) -> String {
    let mut lines = vec![format!("{:?}", verdict.outcome)];
    for violation in &verdict.violations {
        let about = violation.finding.map_or(String::new(), |index| {
            let finding = &report.findings[index as usize];
            format!(" {} {}", finding.id, report.inventory.package(finding.package).name)
        });
        let excuse = violation.excused_by.as_ref().map_or(String::new(), |id| format!(" (excused by {id})"));
        let (action, severity) = (violation.action, violation.severity.as_str());
        lines.push(format!("{action:?} {} {severity}{about}{excuse}", violation.policy).to_string());
    }
    for used in &verdict.exceptions {
        lines.push(format!("exception {} {:?} {} until {}", used.id, used.state, used.count, used.until));
    }
    lines.join("\n") + "\n"
}

fn judge(set: &PolicySet, exceptions: &Exceptions, expected: Expect) {
    let report = report();
    expected.assert_eq(&render(&test(set, exceptions, &report), &report));
}

#[test]
fn the_built_in_policy_on_an_old_image() {
    assert_eq!(check("default.yaml", DEFAULT_POLICY), vec![]);
    judge(
        &PolicySet::built_in(),
        &Exceptions::default(),
        expect![[r#"
            Failed
            Deny no-known-exploited critical CVE-2023-44487 libnghttp2-14
            Deny no-known-exploited critical CVE-2023-4863 libwebp7
            Deny no-known-exploited critical CVE-2023-4911 libc6
            Deny no-malicious-packages critical MAL-2024-10238 123bla
            Deny no-fixable-critical critical CVE-2024-45490 libexpat1
            Warn fix-high high CVE-2023-38545 curl
            Warn fix-high high CVE-2023-44487 libnghttp2-14
            Warn fix-high high CVE-2023-50447 pillow
            Warn fix-high high CVE-2023-52425 libexpat1
            Warn fix-high high CVE-2023-6246 libc6
            Warn fix-high high CVE-2024-2961 libc6
            Warn fix-high high CVE-2024-33601 libc6
            Warn fix-high high CVE-2024-33602 libc6
            Warn fix-high high CVE-2024-34459 libxml2
            Warn fix-high high CVE-2024-45491 libexpat1
            Warn fix-high high CVE-2024-45492 libexpat1
            Warn fix-unrated unknown CVE-2023-38546 curl
            Warn fix-unrated unknown CVE-2023-39615 libxml2
            Warn fix-unrated unknown CVE-2023-45322 libxml2
            Warn fix-unrated unknown CVE-2023-4863 libwebp7
            Warn fix-unrated unknown CVE-2023-4911 libc6
            Warn fix-unrated unknown CVE-2024-28757 libexpat1
            Warn fix-unrated unknown CVE-2024-33599 libc6
            Warn fix-unrated unknown CVE-2024-33600 libc6
            Warn not-as-root medium
            Warn complete-knowledge low
        "#]],
    );
}

#[test]
fn the_built_in_policy_lets_a_current_image_pass() {
    let mut report = report();
    report.findings.retain(|finding| finding.fix.version().is_none() && !finding.id.starts_with("MAL-"));
    report.inventory.gaps.clear();
    report.artifact.config.user = Some("10001:10001".into());
    let verdict = test(&PolicySet::built_in(), &Exceptions::default(), &report);
    assert_eq!((verdict.outcome, verdict.violations), (Outcome::Passed, vec![]));
}

#[test]
fn conditions_select_what_they_say() {
    let report = report();
    for (condition, expected) in [
        ("finding.severity >= HIGH", 12),
        ("finding.severity >= HIGH && package.origin == \"application\"", 1),
        ("finding.kev && !finding.kev_ransomware", 3),
        ("finding.epss > 0.5", 6),
        ("finding.id.startsWith(\"MAL-\")", 1),
        ("finding.malicious && package.type == \"pypi\" && !finding.fixable", 1),
        ("finding.fix_state == \"none\"", 2),
        ("finding.score >= 9.0", 1),
        ("finding.published_age_days > 365 && finding.severity == CRITICAL", 1),
        ("finding.ids.exists(id, id.startsWith(\"PYSEC-\"))", 1),
        ("has(finding.fixed_version) && finding.fixed_version.contains(\"deb12u\")", 22),
        ("package.licenses.exists(l, l.startsWith(\"GPL\"))", 1),
        ("size(package.licenses) == 0", 7),
        ("package.layer == 1 && package.name == \"pillow\"", 1),
        ("package.purl.startsWith(\"pkg:deb/\")", 10),
        ("image.runs_as_root && image.user == \"\"", 1),
        ("\"8080/tcp\" in image.exposed_ports && image.layer_count == 2", 1),
        ("image.labels[\"org.opencontainers.image.vendor\"] == \"shop team\"", 1),
        ("image.labels[\"not there\"] == \"x\"", 0),
        ("image.base == \"debian:12\" && image.platform == \"linux/amd64\"", 1),
        ("image.age_days == 52 && image.kind == \"image\"", 1),
        ("image.name == \"registry.example/prod/shop:1.4\"", 1),
        ("\"encrypted\" in gaps.kinds && gaps.count == 1", 1),
        ("knowledge.age_days > 1 || knowledge.end_of_life || knowledge.coverage_missing", 0),
    ] {
        let verdict = test(&one(condition, "audit"), &Exceptions::default(), &report);
        assert_eq!(verdict.violations.len(), expected, "{condition}");
        assert_eq!(verdict.outcome, Outcome::Passed, "{condition}: audit never fails");
    }
}

#[test]
fn what_is_not_known_is_not_a_failure() {
    let mut report = report();
    report.gaps.push(Gap::new(GapKind::Stale, "debian", "9 days old"));
    for (condition, expected) in [
        ("gaps.any", Outcome::Unknown),
        ("\"stale\" in gaps.kinds || knowledge.age_days > 7", Outcome::Unknown),
        ("knowledge.end_of_life", Outcome::Passed),
        ("gaps.any && finding.kev", Outcome::Failed),
        ("gaps.any && image.runs_as_root", Outcome::Failed),
    ] {
        assert_eq!(test(&one(condition, "deny"), &Exceptions::default(), &report).outcome, expected, "{condition}");
    }
    let both = DEFAULT_POLICY.replace("action: warn", "action: deny");
    assert_eq!(test(&policies(&both), &Exceptions::default(), &report).outcome, Outcome::Failed, "failed comes first");
}

#[test]
fn a_stage_whose_facts_are_missing_cannot_answer() {
    let text = "version: 1\nname: p\nstages: [admission]\ncondition: workload.privileged\nrationale: r\naction: deny\n";
    let (set, report) = (policies(text), report());
    let workload = Workload { namespace: "prod", privileged: true, host_network: false, packages_in_use: None };
    let ask = |workload| {
        let subject = Subject { workload, ..Subject::of(&report) };
        set.evaluate(Stage::Admission, &subject, &Exceptions::default(), report.judged_at)
    };
    assert_eq!(ask(Some(workload)).outcome, Outcome::Failed);
    assert_eq!(ask(Some(Workload { privileged: false, ..workload })).outcome, Outcome::Passed);
    let unanswered = ask(None);
    assert_eq!(unanswered.outcome, Outcome::Unknown);
    assert_eq!(
        unanswered.violations[0].rationale,
        "the policy could not be answered: `workload.privileged` is not known"
    );
    assert_eq!(test(&set, &Exceptions::default(), &report).policies, Vec::<String>::new(), "not a build policy");
}

#[test]
fn with_a_comparison_only_new_findings_count() {
    let mut report = report();
    report.comparison = Some(Comparison {
        with: "main".into(),
        new: vec![3, 4_000_000],
        unchanged: 24,
        gone: vec![],
        new_surface: None,
    });
    let verdict = test(&one("finding.severity >= UNKNOWN && finding.new", "deny"), &Exceptions::default(), &report);
    assert_eq!(verdict.violations.iter().map(|violation| violation.finding).collect::<Vec<_>>(), [Some(3)]);
}

#[test]
fn a_scope_limits_a_policy_to_images() {
    for (images, expected) in
        [("\"*/prod/*\"", 1), ("\"*/test/*\"", 0), ("\"*/test/*\", \"registry.example/prod/shop:?.?\"", 1)]
    {
        let text = format!(
            "version: 1\nname: p\nstages: [build]\nscope: {{ images: [{images}] }}\ncondition: image.runs_as_root\nrationale: r\naction: deny\n"
        );
        assert_eq!(test(&policies(&text), &Exceptions::default(), &report()).policies.len(), expected, "{images}");
    }
}

#[test]
fn exceptions_excuse_expire_and_are_voided() {
    let text = "
version: 1
id: EX-1
who: Ada of the shop team
why: HTTP/2 ends at the load balancer
until: 2026-11-22
scope: { vulnerabilities: [DEBIAN12-CVE-2023-44487, CVE-2023-4863], packages: [libnghttp2-14, \"pkg:deb/debian/libwebp7@*\"] }
---
id: EX-2
who: Ada of the shop team
why: not reachable
until: 2026-11-22T11:59:59Z
scope: { vulnerabilities: [CVE-2023-4911] }
---
id: EX-3
who: Ada of the shop team
why: was medium then
until: 2027-01-01
scope: { vulnerabilities: [CVE-2024-45490] }
accepted_at: { severity: medium, kev: false }
---
id: EX-4
who: Ada of the shop team
why: another image
until: 2027-01-01
scope: { images: [\"*/blog:*\"] }
---
id: EX-5
who: Ada of the shop team
why: root is needed for port 80
until: 2027-01-01
scope: { policies: [not-as-root], bases: [\"debian:*\"] }
---
id: EX-6
who: Ada of the shop team
why: the application's own layer
until: 2027-01-01
scope: { layers: [\"sha256:LAYER\"] }
accepted_at: { epss: 0.0000001 }
";
    let layer = report().artifact.layers[1].diff_id.to_string();
    let text = text.replace("sha256:LAYER", &layer);
    judge(
        &PolicySet::built_in(),
        &exceptions(&text),
        expect![[r#"
            Failed
            Deny no-known-exploited critical CVE-2023-44487 libnghttp2-14 (excused by EX-1)
            Deny no-known-exploited critical CVE-2023-4863 libwebp7 (excused by EX-1)
            Deny no-known-exploited critical CVE-2023-4911 libc6
            Deny no-malicious-packages critical MAL-2024-10238 123bla (excused by EX-6)
            Deny no-fixable-critical critical CVE-2024-45490 libexpat1
            Warn fix-high high CVE-2023-38545 curl
            Warn fix-high high CVE-2023-44487 libnghttp2-14 (excused by EX-1)
            Warn fix-high high CVE-2023-50447 pillow
            Warn fix-high high CVE-2023-52425 libexpat1
            Warn fix-high high CVE-2023-6246 libc6
            Warn fix-high high CVE-2024-2961 libc6
            Warn fix-high high CVE-2024-33601 libc6
            Warn fix-high high CVE-2024-33602 libc6
            Warn fix-high high CVE-2024-34459 libxml2
            Warn fix-high high CVE-2024-45491 libexpat1
            Warn fix-high high CVE-2024-45492 libexpat1
            Warn fix-unrated unknown CVE-2023-38546 curl
            Warn fix-unrated unknown CVE-2023-39615 libxml2
            Warn fix-unrated unknown CVE-2023-45322 libxml2
            Warn fix-unrated unknown CVE-2023-4863 libwebp7 (excused by EX-1)
            Warn fix-unrated unknown CVE-2023-4911 libc6
            Warn fix-unrated unknown CVE-2024-28757 libexpat1
            Warn fix-unrated unknown CVE-2024-33599 libc6
            Warn fix-unrated unknown CVE-2024-33600 libc6
            Warn not-as-root medium (excused by EX-5)
            Warn complete-knowledge low
            exception EX-1 Applied 4 until 2026-11-23T00:00:00Z
            exception EX-2 Expired 2 until 2026-11-22T11:59:59Z
            exception EX-3 Voided 1 until 2027-01-02T00:00:00Z
            exception EX-4 Unused 0 until 2027-01-02T00:00:00Z
            exception EX-5 Applied 1 until 2027-01-02T00:00:00Z
            exception EX-6 Applied 1 until 2027-01-02T00:00:00Z
            exception EX-6 Voided 1 until 2027-01-02T00:00:00Z
        "#]],
    );
}

#[test]
fn an_excused_finding_lets_the_image_pass_and_stays_visible() {
    let text = "version: 1\nid: E\nwho: w\nwhy: y\nuntil: 2026-12-31\nscope: { policies: [p] }\naccepted_at: { kev: true, score: 10 }\n";
    let verdict = test(&one("finding.kev", "deny"), &exceptions(text), &report());
    assert_eq!(verdict.outcome, Outcome::Passed);
    assert_eq!(verdict.violations.len(), 3);
    assert!(verdict.violations.iter().all(|violation| violation.excused_by.as_deref() == Some("E")));
}

/// Trivy's documented gate: `--exit-code 1 --severity HIGH,CRITICAL [--ignore-unfixed]` fails on any shown finding;
/// Grype's: `--fail-on high [--only-fixed]` fails at or above the level. The counts are worked out by hand from the fixture.
#[test]
fn flags_gate_as_users_of_other_scanners_expect() {
    let report = report();
    let levels = vec![Severity::High, Severity::Critical];
    let flags = |severity: &[Severity], only_fixed, fail_on, exit_code| Flags {
        severity: severity.to_vec(),
        only_fixed,
        fail_on,
        exit_code,
    };
    for (flags, outcome, denied, code) in [
        (flags(&levels, false, None, Some(1)), Outcome::Failed, 12, 1),
        (flags(&levels, true, None, Some(7)), Outcome::Failed, 12, 7),
        (flags(&[Severity::Low], false, None, Some(1)), Outcome::Passed, 0, 1),
        (flags(&[], true, None, Some(1)), Outcome::Failed, 23, 1),
        (flags(&[], false, None, Some(1)), Outcome::Failed, 25, 1),
        (flags(&[], false, None, Some(0)), Outcome::Passed, 0, 1),
        (flags(&[], false, Some(Severity::High), None), Outcome::Failed, 12, 1),
        (flags(&[], true, Some(Severity::Critical), Some(3)), Outcome::Failed, 1, 3),
        (flags(&[Severity::Medium], false, Some(Severity::High), None), Outcome::Passed, 0, 1),
        (flags(&[Severity::Medium], false, None, None), Outcome::Passed, 0, 1),
        (flags(&[], false, None, None), Outcome::Failed, 5, 1),
    ] {
        let shorthand = PolicySet::from_flags(&flags, None).expect("the flags make policies");
        let verdict = test(&shorthand.policies, &Exceptions::default(), &report);
        let count = verdict.violations.iter().filter(|violation| violation.action == Action::Deny).count();
        assert_eq!((verdict.outcome, count, shorthand.failed_exit_code), (outcome, denied, code), "{flags:?}");
        let printed = policies(&shorthand.policies.to_yaml());
        assert_eq!(
            test(&printed, &Exceptions::default(), &report),
            verdict,
            "{flags:?}: what is printed means the same"
        );
    }
    let filter = PolicySet::from_flags(&flags(&levels, true, None, None), None).expect("flags").filter;
    assert_eq!(report.findings.iter().filter(|finding| filter.admits(finding)).count(), 12);
}

#[test]
fn named_policies_stay_beside_the_flags() {
    let flags = Flags { fail_on: Some(Severity::Critical), only_fixed: true, ..Flags::default() };
    let named = one("finding.kev // known", "deny");
    let shorthand = PolicySet::from_flags(&flags, Some(named)).expect("flags");
    let verdict = test(&shorthand.policies, &Exceptions::default(), &report());
    assert_eq!(verdict.policies, ["p", "fail-on"]);
    assert_eq!(verdict.violations.len(), 4);
}

#[test]
fn a_policy_over_5000_findings_takes_less_than_50_ms() {
    let mut report = report();
    let findings = report.findings.clone();
    report.findings = findings.into_iter().cycle().take(5_000).collect();
    let set = PolicySet::built_in();
    let start = std::time::Instant::now();
    let verdict = test(&set, &Exceptions::default(), &report);
    let took = start.elapsed();
    assert_eq!(verdict.outcome, Outcome::Failed);
    eprintln!("{} policies over 5,000 findings: {took:?}", set.policies.len());
    assert!(took.as_millis() < 50, "{took:?}");
}

#[test]
fn a_report_with_dangling_numbers_does_not_panic() {
    let mut report = report();
    report.inventory.packages.truncate(2);
    report.findings[0].package = model::package::PackageId(u32::MAX);
    let verdict = test(&one("package.name == \"pillow\" || finding.kev", "deny"), &Exceptions::default(), &report);
    assert_eq!(verdict.outcome, Outcome::Failed);
}
