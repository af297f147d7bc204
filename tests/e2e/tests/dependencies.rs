//! Why a package is here: the real program on lock files of the real tools.

use std::collections::BTreeSet;
use std::path::PathBuf;

use dogwatch_e2e::program::User;
use model::dependents::Dependents;
use model::report::ScanReport;

fn locks() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/locks")
}

/// A source tree whose lock file was written by the real tool.
fn locked(folder: &str) -> String {
    format!("dir:{}", locks().join(folder).display())
}

#[test]
fn npm_explains_every_package_by_the_same_chains() {
    let user = User::new();
    let document = user.run(&["scan", &locked("npm-v3"), "--inventory-only", "-o", "json"]).exits(0).stdout;
    let report: ScanReport = serde_json::from_str(&document).expect("a report");
    let packages = &report.inventory.packages;
    let dependents = Dependents::of(&report.inventory);
    let name = |index: usize| format!("{} {}", packages[index].name, packages[index].version);
    let mut ours = BTreeSet::new();
    for package in packages {
        let found = dependents.paths(package.id, 100);
        assert!(!found.more);
        for path in found.paths {
            ours.insert(path.iter().map(|id| name(id.0 as usize)).collect::<Vec<_>>().join(" > "));
        }
    }
    let theirs = std::fs::read_to_string(locks().join("npm-v3/explained.txt")).expect("the fixture");
    // Installed under the alias `lodash4`, which `npm explain` does not find by either name; and not on Linux.
    let theirs = theirs.lines().chain(["lodash 4.17.20", "fsevents 2.3.3"]).map(str::to_owned).collect();
    assert_eq!(ours.difference(&theirs).collect::<Vec<_>>(), Vec::<&String>::new(), "found, not explained");
    assert_eq!(theirs.difference(&ours).collect::<Vec<_>>(), Vec::<&String>::new(), "explained, not found");
}

#[test]
fn users_are_told_why() {
    let user = User::new();
    let why =
        |package: &str| user.run(&["scan", &locked("npm-v3"), "--inventory-only", "--why", package]).exits(0).stdout;
    let ms = "ms 2.0.0  pkg:npm/ms@2.0.0\n  in /package-lock.json\n  express 4.18.2 > debug 2.6.9 > ms 2.0.0\n\n";
    assert!(why("ms").starts_with(ms), "{}", why("ms"));
    assert_eq!(why("ms@2.0.0"), ms);
    assert_eq!(why("pkg:npm/ms@2.0.0"), ms);
    assert!(why("express").contains("\n  the project itself names it\n"));
    let nothing = user.run(&["scan", &locked("npm-v3"), "--inventory-only", "--why", "no-such-package"]).exits(2);
    assert!(nothing.stderr.contains("no package `no-such-package` was found"), "{}", nothing.stderr);
}

#[test]
fn findings_and_bills_say_who_brings_what() {
    let user = User::new();
    let (target, bill) = (locked("npm-v3"), user.path("bill.json").display().to_string());
    let explained =
        user.run(&["scan", &locked("uv"), "--explain", "CVE-2026-7246", "--exit-code", "0"]).exits(0).stdout;
    assert!(explained.contains("brought by    flask 2.2.5 > click 8.1.8\n"), "{explained}");
    let table = user.run(&["scan", &locked("uv"), "--all", "--exit-code", "0"]).exits(0).stdout;
    assert!(table.contains("upgrade click from 8.1.8 to 8.3.3 (pulled in by flask 2.2.5)"), "{table}");
    user.run(&["sbom", &target, "-o", &format!("cyclonedx={bill}")]).exits(0);
    let direct = |target: &str| {
        let document = user.run(&["scan", target, "--inventory-only", "-o", "json"]).exits(0).stdout;
        let report: ScanReport = serde_json::from_str(&document).expect("a report");
        let direct = report.inventory.packages.iter().filter(|package| package.direct);
        direct.map(|package| package.name.clone()).collect::<Vec<_>>()
    };
    let named = ["@babel/code-frame", "express", "fsevents", "lodash", "semver", "tap-parser"];
    assert_eq!(direct(&target), named);
    assert_eq!(direct(&format!("sbom:{bill}")), named);
}
