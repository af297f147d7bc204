//! Control characters and terminal escapes in everything a stranger names.

use serde_json::{Value, json};

use crate::craft::{Image, file, tar, witness};
use crate::documents::index;
use crate::sandbox::{Sandbox, assert_harmless, packages};

const EVIL: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}\u{8}\u{7f}";

fn image() -> Image {
    let name = json!({"name": format!("evil{EVIL}"), "version": format!("1.0.0{EVIL}"), "license": EVIL});
    let status =
        "Package: deb\u{1b}[31m\nStatus: install ok installed\nVersion: 1\u{1b}[0m\u{202e}\nArchitecture: amd64\n\n";
    let layer = tar([
        file(format!("srv/{EVIL}/node_modules/evil/package.json"), name.to_string()),
        file(format!("srv/{EVIL}/node_modules/broken/package.json"), "{"),
        file(format!("../{EVIL}"), ""),
        file("etc/os-release", format!("ID=debian\nVERSION_ID=\"12{EVIL}\"\nPRETTY_NAME=\"{EVIL}\"\n")),
        file("var/lib/dpkg/status", status),
        witness(),
    ]);
    let mut image = Image::of([layer]);
    image.config["config"] = json!({"User": EVIL, "Labels": {EVIL: EVIL}, "Entrypoint": [EVIL]});
    image.config["history"] = json!([{"created_by": EVIL}]);
    image
}

#[test]
fn nothing_that_a_stranger_names_acts_on_the_terminal() {
    let sandbox = Sandbox::new();
    let path = sandbox.file("image.tar", image().docker_archive());
    let target = format!("docker-archive:{}", path.display());
    let index = index(&sandbox);
    for arguments in [
        &["scan", &target, "--index", &index, "--all"][..],
        &["scan", &target, "--inventory-only"],
        &["scan", &target, "--index", &index, "--explain", "CVE-2024-0001"],
        &["scan", &format!("{target}:{EVIL}"), "--index", &index],
        &["sbom", &target],
        &["advisories", "show", EVIL, "--index", &index],
        &["advisories", "search", EVIL, "--index", &index],
    ] {
        assert_harmless(&sandbox.run(arguments).stdout);
    }
}

/// Documents keep what was there, escaped as their format escapes it, on stdout and in files alike.
#[test]
fn documents_keep_the_names_as_they_are() {
    let sandbox = Sandbox::new();
    let path = sandbox.file("image.tar", image().docker_archive());
    let target = format!("docker-archive:{}", path.display());
    let index = index(&sandbox);
    for format in ["json", "sarif", "cyclonedx", "spdx"] {
        let on_stdout = sandbox.run(&["scan", &target, "--index", &index, "-o", format]).stdout;
        let report: Value =
            serde_json::from_str(&on_stdout).unwrap_or_else(|error| panic!("{format}: {error}: {on_stdout:?}"));
        assert!(!on_stdout.chars().any(|c| c.is_control() && c != '\n'), "{format} has raw control characters");
        if format == "json" {
            assert!(packages(&report).contains(&format!("evil{EVIL} 1.0.0{EVIL}")), "{:?}", packages(&report));
            let out = sandbox.root().join("work/report.json");
            sandbox
                .command(&["scan", &target, "--inventory-only", "-o", &format!("json={}", out.display())])
                .output()
                .expect("runs");
            let in_file: Value = serde_json::from_slice(&std::fs::read(&out).expect("written")).expect("JSON");
            assert_eq!(in_file["inventory"]["packages"], report["inventory"]["packages"]);
            std::fs::remove_file(out).expect("written");
        }
    }
}

#[test]
fn a_reference_or_an_archive_with_escapes_is_quoted_harmlessly() {
    let sandbox = Sandbox::new();
    let evil =
        tar([file("manifest.json", json!([{"Config": EVIL, "Layers": [EVIL], "RepoTags": [EVIL]}]).to_string())]);
    let path = sandbox.file("evil.tar", evil);
    let outcome = sandbox.run(&["scan", &format!("docker-archive:{}", path.display())]);
    assert_eq!(outcome.code, 2);
    for target in [EVIL, "registry:\u{1b}[2J", "docker-archive:\u{1b}[2J", "localhost:1/x\u{1b}:y"] {
        assert_eq!(sandbox.run(&["scan", target, "--offline"]).code, 2, "{target:?}");
    }
}
