//! From the command line to the verdict: flags, policies, exceptions, comparison, exit codes.

use dogwatch_e2e::images::small;
use dogwatch_e2e::program::User;

/// A user and the small image as a target.
fn start() -> Option<(User, String)> {
    Some((User::new(), format!("oci-dir:{}", small()?.display())))
}

#[test]
fn the_exit_code_says_what_policy_says() {
    let Some((user, image)) = start() else { return };
    let table = user.run(&["scan", &image]).exits(1).stdout;
    assert!(table.starts_with("FAIL") && table.contains("Do this first"), "{table}");
    assert!(table.contains("PARTIAL"), "partial knowledge stands beside the verdict: {table}");
    user.run(&["scan", &image, "--exit-code", "0"]).exits(0);
    user.run(&["scan", &image, "--exit-code", "7"]).exits(7);
    user.run(&["scan", &image, "--inventory-only"]).exits(0);
    user.run(&["scan", "oci-dir:/nowhere"]).exits(2);
    user.run(&["scan"]).exits(2);
    user.run(&["scan", "localhost:1/nothing:1"]).exits(2);
    let refused = user.run(&["scan", "localhost:1/nothing:1", "--offline"]).exits(2).stderr;
    assert!(refused.contains("`--offline` forbids the network") && refused.contains("hint:"), "{refused}");
    let platform = user.run(&["scan", &image, "--platform", "linux/s390x"]).exits(2).stderr;
    assert!(platform.contains("s390x"), "{platform}");
}

#[test]
fn flags_are_short_for_policies() {
    let Some((user, image)) = start() else { return };
    let all = user.scan(&image, &[]);
    let count = |report: &serde_json::Value| report["findings"].as_array().map_or(0, Vec::len);
    let severe = user.scan(&image, &["--severity", "critical,high"]);
    assert!(count(&severe) > 0 && count(&severe) < count(&all));
    assert_eq!(
        severe["hidden_findings"].as_u64(),
        Some((count(&all) - count(&severe)) as u64),
        "hidden, never forgotten"
    );
    let fixed = user.scan(&image, &["--only-fixed"]);
    assert!(count(&fixed) < count(&all));
    user.run(&["scan", &image, "--fail-on", "low"]).exits(1);
    let policy = user.file(
        "policy.yaml",
        "version: 1\nname: no-jquery\nstages: [build]\ncondition: package.name == \"jquery\"\nrationale: old\naction: deny\n",
    );
    let judged = user.scan(&image, &["--policy", &policy]);
    assert_eq!(judged["verdict"]["outcome"], "failed");
    let violations = judged["verdict"]["violations"].as_array().expect("violations");
    assert!(!violations.is_empty() && violations.iter().all(|violation| violation["policy"] == "no-jquery"));
    let broken = user.file(
        "broken.yaml",
        "version: 1\nname: x\nstages: [build]\ncondition: package.nmae == 1\nrationale: r\naction: deny\n",
    );
    let said = user.run(&["scan", &image, "--policy", &broken]).exits(2).stderr;
    assert!(said.contains("broken.yaml") && said.contains('^'), "{said}");
    user.run(&["policy", "check", &policy]).exits(0);
    user.run(&["policy", "check", &broken]).exits(2);
}

#[test]
fn an_exception_works_until_it_ends() {
    let Some((user, image)) = start() else { return };
    let policy = user.file(
        "policy.yaml",
        "version: 1\nname: no-jquery\nstages: [build]\ncondition: package.name == \"jquery\"\nrationale: old\naction: deny\n",
    );
    let excused = |until: &str| {
        let text = format!(
            "version: 1\nid: EX-1\nwho: a.meyer@shop.example\nwhy: served to nobody\nuntil: {until}\nscope: {{ packages: [jquery] }}\n"
        );
        let file = user.file(&format!("{until}.yaml"), &text);
        user.run(&["scan", &image, "--policy", &policy, "--exceptions", &file])
    };
    let applied = excused("2999-12-31").exits(0).stdout;
    assert!(applied.contains("applied") && applied.contains("EX-1"), "{applied}");
    let expired = excused("2020-01-01").exits(1).stdout;
    assert!(expired.contains("expired") && expired.contains("EX-1"), "{expired}");
}

#[test]
fn only_what_is_new_counts_against_an_earlier_report() {
    let Some((user, image)) = start() else { return };
    let report = user.path("report.json").display().to_string();
    user.run(&["scan", &image, "-o", &format!("json={report}")]).exits(1);
    for earlier in [&report, &image] {
        let compared = user.run(&["scan", &image, "--compare-to", earlier, "-o", "json"]).exits(0).json();
        assert_eq!(compared["comparison"]["new"].as_array().map(Vec::len), Some(0));
        assert!(compared["comparison"]["unchanged"].as_u64() > Some(50));
    }
    let garbage = user.file("garbage.json", "{]");
    user.run(&["scan", &image, "--compare-to", &garbage]).exits(2);
}

#[test]
fn an_explanation_names_package_layer_and_range() {
    let Some((user, image)) = start() else { return };
    let text = user.run(&["scan", &image, "--explain", "CVE-2020-11023"]).stdout;
    for word in ["jquery 1.12.4", "layer 3 of 3", "3.5.0", "srv/shop/node_modules/jquery"] {
        assert!(text.contains(word), "`{word}` is not in:\n{text}");
    }
    user.run(&["scan", &image, "--explain", "CVE-1999-0001"]).exits(2);
}

#[test]
fn what_vex_says_is_shown_and_not_counted() {
    let Some((user, image)) = start() else { return };
    let policy = user.file(
        "policy.yaml",
        "version: 1\nname: no-xss\nstages: [build]\ncondition: finding.id == \"CVE-2020-11023\"\nrationale: old\naction: deny\n",
    );
    let vex = user.file(
        "shop.openvex.json",
        r#"{"@context":"https://openvex.dev/ns/v0.2.0","author":"The shop","timestamp":"2026-01-01T00:00:00Z","statements":[
            {"vulnerability":{"name":"CVE-2020-11023"},"products":[{"@id":"pkg:npm/jquery@1.12.4"}],"status":"not_affected","justification":"vulnerable_code_not_in_execute_path"}]}"#,
    );
    user.run(&["scan", &image, "--policy", &policy]).exits(1);
    let table = user.run(&["scan", &image, "--policy", &policy, "--vex", &vex]).exits(0).stdout;
    assert!(table.contains("VEX") && table.contains("by The shop"), "{table}");
    let sarif = user.run(&["scan", &image, "--policy", &policy, "--vex", &vex, "-o", "sarif"]).exits(0).json();
    let results = sarif["runs"][0]["results"].as_array().expect("results").iter();
    let suppressed: Vec<_> = results.filter(|result| !result["suppressions"].is_null()).collect();
    assert!(!suppressed.is_empty() && suppressed.iter().all(|result| result["ruleId"] == "CVE-2020-11023"));
    let report = user.scan(&image, &["--policy", &policy, "--vex", &vex]);
    let findings = report["findings"].as_array().expect("findings").iter();
    let said = findings.filter_map(|finding| finding["vex"]["status"].as_str()).collect::<Vec<_>>();
    assert_eq!(said, vec!["not_affected"; suppressed.len()]);
    let explained = user.run(&["scan", &image, "--vex", &vex, "--explain", "CVE-2020-11023"]).stdout;
    assert!(explained.contains("vulnerable_code_not_in_execute_path"), "{explained}");
    let garbage = user.file("garbage.json", "{]");
    let refused = user.run(&["scan", &image, "--vex", &garbage]).exits(2).stderr;
    assert!(refused.contains("garbage.json"), "{refused}");
}
