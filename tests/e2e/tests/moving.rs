//! Moving over: what people type for Trivy, Grype, Syft and OSV-Scanner does the same here.

use std::collections::BTreeSet;

use dogwatch_e2e::essence::same;
use dogwatch_e2e::images::{copy, small};
use dogwatch_e2e::program::User;
use dogwatch_e2e::{have, skip};
use serde_json::Value;

fn read(user: &User, name: &str) -> Value {
    let text = std::fs::read_to_string(user.path(name)).expect("a document");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn an_image_in_a_file_is_told_by_what_is_in_it_and_format_and_file_stand_apart() {
    if !have(&["skopeo"]) {
        return skip("skopeo is needed");
    }
    let Some(layout) = small() else { return };
    let user = User::new();
    let file = |name: &str| user.path(name).display().to_string();
    let from = format!("oci:{}", layout.display());
    copy(&from, &format!("docker-archive:{}:shop:1", file("docker.tar")), &[]);
    copy(&from, &format!("oci-archive:{}", file("oci.tar")), &[]);
    let reference = user.scan(&format!("oci-dir:{}", layout.display()), &[]);
    for input in [file("docker.tar"), file("oci.tar"), layout.display().to_string()] {
        let line = ["image", "--input", &input, "--format", "json", "--output", "report.json", "--skip-db-update"];
        user.run(&line).exits(1);
        same(&input, &read(&user, "report.json"), &reference);
    }
    let ran = user.run(&["image", "--input", &file("docker.tar"), "-o", "report.json"]).exits(2);
    assert!(ran.stderr.contains("hint: say what to write into it, as in `-o json=report.json`"), "{}", ran.stderr);
    let ran = user.run(&["scan", &from, "--ignorefile", ".trivyignore"]).exits(2);
    assert!(ran.stderr.contains("hint: turn it into exceptions"), "{}", ran.stderr);
}

// Proves: source file:.
#[test]
fn one_lock_file_is_read_and_its_neighbours_are_not() {
    let user = User::new();
    let locks = xtask::root().join("tests/fixtures/locks");
    let lock = locks.join("npm-v3/package-lock.json").display().to_string();
    let of_directory = user.scan(&format!("dir:{}", locks.join("npm-v3").display()), &[]);
    let of_file = user.scan(&format!("file:{lock}"), &[]);
    let purls = |report: &Value| -> Vec<String> {
        let packages = report["inventory"]["packages"].as_array().expect("packages").iter();
        packages.map(|package| package["purl"].to_string()).collect()
    };
    assert!(purls(&of_file).len() > 1);
    assert!(purls(&of_file).iter().all(|purl| purls(&of_directory).contains(purl)));
    // Two lock files are two targets.
    let other = locks.join("cargo-3/Cargo.lock").display().to_string();
    let ran = user.run(&["scan", "-L", &lock, "-L", &other, "-o", "json"]);
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stderr);
    let text = user.file("notes.txt", "nothing");
    let report = user.scan(&format!("file:{text}"), &[]);
    assert!(report["inventory"]["gaps"][0]["detail"].to_string().contains("no cataloger knows"), "{report}");
    user.run(&["scan", "file:/nowhere/package-lock.json"]).exits(2);
}

/// Syft's `--exclude`, Trivy's `--skip-dirs` and `--skip-files`: what is left out is said, everything else stays.
#[test]
fn what_is_excluded_is_left_out_and_said() {
    let Some(layout) = small() else { return };
    let user = User::new();
    let target = format!("oci-dir:{}", layout.display());
    let all = user.scan(&target, &[]);
    let names = |report: &Value, keep: fn(&Value) -> bool| -> BTreeSet<String> {
        let packages = report["inventory"]["packages"].as_array().expect("packages").iter();
        packages.filter(|package| keep(package)).map(|package| package["purl"].to_string()).collect()
    };
    // The application itself is beside its `node_modules`.
    let is_npm = |package: &Value| package["type"] == "npm" && package["name"] != "shop";
    assert!(names(&all, is_npm).len() > 5);
    for how in [
        ["--exclude", "**/node_modules/**"],
        ["--exclude", "./srv"],
        ["--skip-dirs", "/srv/shop/node_modules"],
        ["--skip-dirs", "nothing,**/node_modules"],
        ["--skip-files", "**/package.json,/srv/none"],
    ] {
        let report = user.scan(&target, &how);
        assert_eq!(names(&report, is_npm), BTreeSet::new(), "{how:?}");
        assert_eq!(names(&report, |it| it["type"] != "npm"), names(&all, |it| it["type"] != "npm"), "{how:?}");
        let gaps = report["inventory"]["gaps"].as_array().expect("gaps");
        assert!(gaps.iter().any(|gap| gap["kind"] == "excluded"), "{how:?}: {gaps:?}");
        let findings = report["findings"].as_array().expect("findings");
        assert!(!findings.is_empty() && findings.iter().all(|it| it["package"].as_u64().is_some()), "{how:?}");
    }
    // A pattern that fits nothing changes nothing.
    let report = user.scan(&target, &["--exclude", "/nowhere/**"]);
    assert_eq!(report["inventory"], all["inventory"]);
    let refused = user.run(&["scan", &target, "--exclude", "a["]).exits(2).stderr;
    assert!(refused.contains("is no pattern for paths"), "{refused}");
}
