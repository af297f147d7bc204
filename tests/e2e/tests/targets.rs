//! Many targets in one call.

use dogwatch_e2e::have;
use dogwatch_e2e::images::{copy, small};
use dogwatch_e2e::program::User;
use serde_json::Value;

/// A user with the small image as a layout and as an archive, a bill of materials that has no finding, and a target that
/// is not there.
fn start() -> Option<(User, [String; 4])> {
    let layout = small()?;
    if !have(&["skopeo"]) {
        return None;
    }
    let user = User::new();
    let archive = user.path("shop.tar").display().to_string();
    copy(&format!("oci:{}:small", layout.display()), &format!("docker-archive:{archive}:shop:1"), &[]);
    let empty = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"left-pad","version":"1.3.0","purl":"pkg:npm/left-pad@1.3.0"}]}"#;
    let sbom = user.file("clean.json", empty);
    let layout = format!("oci-dir:{}", layout.display());
    Some((user, [layout, format!("docker-archive:{archive}"), format!("sbom:{sbom}"), "oci-dir:/nowhere".into()]))
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:.200}"))).collect()
}

#[test]
fn one_failing_target_never_hides_the_others() {
    let Some((user, [layout, archive, sbom, nowhere])) = start() else { return };
    let ran = user.run(&["scan", &layout, &nowhere, &archive, &sbom, "--jobs", "3"]).exits(2);
    let tables: Vec<usize> =
        [&layout, &archive, &sbom].iter().map(|target| ran.stdout.find(target.as_str()).expect("a table")).collect();
    assert!(tables.is_sorted(), "in the order of the command line");
    let summary = ran.stdout.split("\nSummary\n").nth(1).expect("a summary");
    for (word, target) in [("FAIL", &layout), ("ERROR", &nowhere), ("FAIL", &archive), ("PASS", &sbom)] {
        assert!(summary.lines().any(|line| line.contains(word) && line.contains(target.as_str())), "{summary}");
    }
    assert!(summary.ends_with("\n4 targets: 1 passed, 2 failed, 1 could not be scanned\n"), "{summary}");
    assert!(ran.stderr.contains("error: could not scan `oci-dir:/nowhere`"), "{}", ran.stderr);
    // A policy's no when all could be told, and each target once.
    let ran = user.run(&["scan", &sbom, &layout, &sbom]).exits(1);
    assert!(ran.stdout.ends_with("\n2 targets: 1 passed, 1 failed\n"), "{}", ran.stdout);
    user.run(&["scan", &sbom, &layout, "--exit-code", "0"]).exits(0);
    user.run(&["scan", &sbom, &layout, &nowhere, "--exit-code", "0"]).exits(2);
    user.run(&["scan", &sbom, "not an image"]).exits(2);
}

#[test]
fn documents_of_several_targets_are_lines_one_log_or_a_file_each() {
    let Some((user, [layout, archive, sbom, nowhere])) = start() else { return };
    let list = format!("# what we ship\n\n{layout}\n  {nowhere}\r\n{archive}\n{sbom}\n");
    let file = |name: &str| user.path(name).display().to_string();
    let (json, sarif) = (format!("json={}", file("out/{name}.json")), format!("sarif={}", file("all.sarif")));
    let ran = user.run_with(&["scan", "--targets-from", "-", "-o", "json", "-o", &sarif, "-o", &json], &list).exits(2);
    let reports = lines(&ran.stdout);
    let targets: Vec<&str> =
        reports.iter().map(|r| r["artifact"]["target"].as_str().or(r["target"].as_str()).expect("a target")).collect();
    assert_eq!(targets, [&layout, &nowhere, &archive, &sbom]);
    assert_eq!(reports[1]["schema_version"], Value::Null, "nobody takes it for a report: {}", reports[1]);
    assert!(reports[1]["error"].as_str().is_some_and(|error| error.contains("/nowhere")), "{}", reports[1]);
    assert!(ran.stderr.contains("note: 4 targets: 1 passed, 2 failed, 1 could not be scanned"), "{}", ran.stderr);

    let log: Value = serde_json::from_slice(&std::fs::read(user.path("all.sarif")).expect("a log")).expect("JSON");
    let runs = log["runs"].as_array().expect("runs");
    let successful: Vec<bool> = runs.iter().map(|run| run["invocations"][0]["executionSuccessful"] == true).collect();
    assert_eq!(successful, [true, false, true, true]);
    assert!(runs[0]["results"].as_array().is_some_and(|results| results.len() > 50));

    let mut files: Vec<String> = std::fs::read_dir(user.path("out"))
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("ASCII"))
        .collect();
    files.sort();
    assert_eq!(files.len(), 3, "none for what could not be scanned: {files:?}");
    assert!(files[0].starts_with("docker-archive_") && files[0].ends_with("shop.tar.json"), "{files:?}");
    let report: Value =
        serde_json::from_slice(&std::fs::read(user.path("out").join(&files[0])).expect("a report")).expect("JSON");
    assert_eq!(report, reports[2], "a file has the same report as the line");
    // The next scan compares each target with its own report.
    let before = file("out/{name}.json");
    let compared = user.run(&["scan", &layout, &archive, "--compare-to", &before, "-o", "json"]).exits(0);
    assert!(lines(&compared.stdout).iter().all(|report| report["comparison"]["new"] == serde_json::json!([])));

    for refused in
        [["-o", "cyclonedx"], ["-o", "spdx=all.json"], ["--integrity-model", "m.json"], ["--compare-to", "x"]]
    {
        let ran = user.run(&[&["scan", &layout, &archive], refused.as_slice()].concat()).exits(2);
        assert!(ran.stderr.contains("there are several") && ran.stderr.contains("{name}"), "{}", ran.stderr);
    }
    user.run_with(&["scan", "--targets-from", "-"], "# nothing\n").exits(2);
    user.run(&["scan", "--targets-from", "/nowhere"]).exits(2);
    // A list of one is a list: who reads the output knows its form.
    let ran = user.run_with(&["scan", "--targets-from", "-", "-o", "json"], &sbom).exits(0);
    assert_eq!(ran.stdout.lines().count(), 1);
}
