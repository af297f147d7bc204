//! This machine: what its own package manager and kernel say is the independent truth.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use dogwatch_e2e::program::User;

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

// Proves: source host:.
#[test]
fn this_machine_has_the_packages_and_the_kernel_it_says_it_has() {
    let Some(list) = said("dpkg-query", &["-W", "-f", "${Package} ${Version} ${db:Status-Status}\n"]) else {
        eprintln!("SKIPPED: there is no dpkg here to compare with");
        return;
    };
    let user = User::new();
    let before = Instant::now();
    let report = user.scan("host:", &["--inventory-only"]);
    let took = before.elapsed();
    let packages = report["inventory"]["packages"].as_array().expect("packages");
    let word = |package: &serde_json::Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let found: BTreeSet<String> = packages
        .iter()
        .filter(|package| package["type"] == "deb")
        .map(|package| format!("{} {}", word(package, "name"), word(package, "version")))
        .collect();
    let installed: BTreeSet<String> = list
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .filter(|(_, state)| !matches!(*state, "config-files" | "not-installed"))
        .map(|(package, _)| package.to_owned())
        .collect();
    assert_eq!(found, installed);
    assert_eq!(report["artifact"]["kind"], "host");
    let host = &report["artifact"]["host"];
    let release = said("uname", &["-r"]).expect("uname is everywhere");
    assert_eq!(host["kernel_release"].as_str(), Some(release.trim()));
    assert!(host["kernel_package"].is_string(), "{host}");
    assert!(!host["left_out"].as_array().expect("a list").is_empty());
    // A second is the promise for an idle machine; tests share theirs.
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_host_has_no_layers_to_describe() {
    let user = User::new();
    let report = user.scan("host:", &["--inventory-only"]);
    assert!(report["artifact"].get("layers").is_none());
    let owned = report["inventory"]["packages"].as_array().expect("packages").iter();
    let twice: Vec<_> = owned.filter(|package| package["type"] == "generic" && package["name"] == "perl").collect();
    assert!(twice.is_empty(), "the distribution's perl is its package: {twice:?}");
}
