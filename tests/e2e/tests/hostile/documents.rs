//! Bills of materials, reports, policies and advisories that a stranger (or a bad day) wrote.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::craft::{Image, nested, tar, witness};
use crate::sandbox::{Sandbox, fixtures, gaps, packages};

/// Fails with code 2 and says all of `words`.
fn fails(sandbox: &Sandbox, arguments: &[&str], words: &[&str]) {
    let outcome = sandbox.run(arguments);
    assert_eq!(outcome.code, 2, "{arguments:?}: {}", outcome.stdout);
    for word in words {
        assert!(outcome.stderr.contains(word), "{arguments:?} does not say {word}: {}", outcome.stderr);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

/// An index of the fixtures' advisories.
pub(crate) fn index(sandbox: &Sandbox) -> String {
    let index = sandbox.root().join("data/small.index");
    if !index.exists() {
        let from = fixtures().join("advisories");
        let built = sandbox
            .command(&["advisories", "build", "--from", text(&from), "--out", text(&index)])
            .output()
            .expect("runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    }
    text(&index).to_owned()
}

#[test]
fn bills_of_materials_nested_or_cut_are_refused_by_name() {
    let sandbox = Sandbox::new();
    let deep = nested(100_000);
    for (name, bill) in [
        ("wide.cdx.json", format!("{{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"metadata\":{deep}")),
        ("only.json", deep.clone()),
        ("empty.json", String::new()),
    ] {
        let path = sandbox.file(name, bill);
        fails(&sandbox, &["scan", &format!("sbom:{}", text(&path)), "--inventory-only"], &[name]);
    }
    // One component that nests too deeply spoils only itself.
    for (name, bill, word) in [
        (
            "deep.cdx.json",
            format!("{{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"components\":{deep}}}"),
            "component 1",
        ),
        ("deep.spdx.json", format!("{{\"spdxVersion\":\"SPDX-2.3\",\"packages\":{deep}}}"), "package 1"),
    ] {
        let path = sandbox.file(name, bill);
        let report = sandbox.inventory(&format!("sbom:{}", text(&path))).expect("a report");
        assert!(gaps(&report).contains(word), "{name}: {}", gaps(&report));
    }
    for name in ["syft.cdx.json", "syft.spdx.json"] {
        let whole = std::fs::read(fixtures().join("formats").join(name)).expect("a fixture");
        for cut in (0..whole.len() - 2).step_by(whole.len() / 9) {
            let path = sandbox.file(name, &whole[..cut]);
            fails(&sandbox, &["scan", &format!("sbom:{}", text(&path)), "--inventory-only"], &[name]);
        }
    }
}

/// Components that depend on one another ever deeper, and on themselves.
#[test]
fn nested_components_and_circles_are_bounded() {
    let sandbox = Sandbox::new();
    let components: Vec<Value> = (0..20_000).map(|number| json!({"type": "library", "bom-ref": number.to_string(), "name": format!("n{number}"), "version": "1", "purl": format!("pkg:npm/n{number}@1")})).collect();
    let circle: Vec<Value> = (0..20_000).map(|number| json!({"ref": number.to_string(), "dependsOn": [((number + 1) % 20_000).to_string(), number.to_string()]})).collect();
    let bill =
        json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components, "dependencies": circle});
    let path = sandbox.file("circle.cdx.json", bill.to_string());
    let index = index(&sandbox);
    let outcome = sandbox.run(&["scan", &format!("sbom:{}", text(&path)), "--index", &index, "-o", "json"]);
    let report: Value = serde_json::from_str(&outcome.stdout).expect("a report");
    assert_eq!(packages(&report).len(), 20_000);
}

#[test]
fn reports_to_compare_with_may_lie() {
    let sandbox = Sandbox::new();
    let index = index(&sandbox);
    let image = sandbox.file("image.tar", Image::of([tar([witness()])]).docker_archive());
    let target = format!("docker-archive:{}", text(&image));
    let whole = std::fs::read_to_string(fixtures().join("formats/report.json")).expect("a fixture");
    for (name, report) in [
        ("cut.json", whole[..whole.len() / 2].to_owned()),
        ("deep.json", nested(100_000)),
        ("object.json", "{\"a\":".repeat(100_000)),
        ("empty.json", String::new()),
        ("version.json", r#"{"schema_version":"99.0"}"#.to_owned()),
    ] {
        let path = sandbox.file(name, report);
        fails(&sandbox, &["scan", &target, "--index", &index, "--compare-to", text(&path)], &[name]);
    }
    // Numbers that point nowhere.
    let mut report: Value = serde_json::from_str(&whole).expect("JSON");
    for finding in report["findings"].as_array_mut().into_iter().flatten() {
        finding["package"] = json!(4_000_000_000u32);
    }
    let path = sandbox.file("lost.json", report.to_string());
    let outcome = sandbox.run(&["scan", &target, "--index", &index, "--compare-to", text(&path)]);
    assert!(outcome.code != 2 || outcome.stderr.contains("lost.json"), "{}", outcome.stderr);
    let policy = sandbox.file("policy.yaml", sandbox.run(&["policy", "default"]).stdout);
    let outcome = sandbox.run(&["policy", "test", text(&policy), text(&path)]);
    assert!(outcome.code != 2 || outcome.stderr.contains("lost.json"), "{}", outcome.stderr);
}

#[test]
fn policies_and_exceptions_that_are_nonsense_are_named() {
    let sandbox = Sandbox::new();
    let anchors = (0..30).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, n| {
        text + &format!("a{0}: &a{0} [*a{n},*a{n},*a{n},*a{n},*a{n},*a{n},*a{n},*a{n},*a{n}]\n", n + 1)
    });
    let condition = |condition: String| {
        format!(
            "version: 1\nname: p\nstages: [build]\ncondition: '{condition}'\naction: deny\nseverity: high\nrationale: r\nremediation: m\n"
        )
    };
    for (name, policy) in [
        ("deep-flow.yaml", nested(100_000)),
        ("deep-block.yaml", (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect()),
        ("anchors.yaml", anchors),
        ("escape.yaml", "policies:\n- name: \"\\e[2J\\u202eevil\"\n  bad: 1\n".to_owned()),
        ("raw.yaml", "policies:\n- name: \u{1b}[2Jevil\u{9b}\n".to_owned()),
        ("cel-deep.yaml", condition("(".repeat(100_000) + &")".repeat(100_000))),
        ("cel-not.yaml", condition("!".repeat(100_000) + "true")),
        ("cel-long.yaml", condition("true".to_owned() + &" && true".repeat(200_000))),
        ("cel-list.yaml", condition("[".repeat(50_000) + &"]".repeat(50_000))),
        ("cel-tern.yaml", condition("true ? ".repeat(50_000) + "true")),
        ("binary.yaml", "\u{0}\u{1}\u{2}".to_owned()),
        ("tabs.yaml", "\t\t\t- : : :\n".repeat(1000)),
    ] {
        let path = sandbox.file(name, policy);
        fails(&sandbox, &["policy", "check", text(&path)], &[name]);
        let index = index(&sandbox);
        let bill = fixtures().join("formats/syft.cdx.json");
        fails(
            &sandbox,
            &["scan", &format!("sbom:{}", text(&bill)), "--index", &index, "--exceptions", text(&path)],
            &[name],
        );
    }
}

/// Ranges that make no sense, and types that are wrong everywhere.
#[test]
fn advisories_with_nonsense_build_an_index_that_says_so() {
    let sandbox = Sandbox::new().with(|limits| limits.time = Duration::from_secs(100));
    let record = |id: &str, affected: Value| {
        json!({"id": id, "modified": "2024-01-01T00:00:00Z", "affected": affected}).to_string()
    };
    let events = |events: Value| json!([{"package": {"ecosystem": "npm", "name": "witness"}, "ranges": [{"type": "SEMVER", "events": events}]}]);
    let many: Vec<Value> = (0..1_000_000).map(|number| json!({"introduced": format!("{number}.0.0")})).collect();
    let mut lines = vec![
        record("OK-1", events(json!([{"introduced": "0"}, {"fixed": "2.0.0"}]))),
        record("BACKWARDS-1", events(json!([{"introduced": "9.0.0"}, {"fixed": "1.0.0"}]))),
        record("FIXED-ONLY-1", events(json!([{"fixed": "9.0.0"}]))),
        record("BOTH-1", events(json!([{"introduced": "0", "fixed": "1", "last_affected": "2", "limit": "3"}]))),
        record(
            "HUGE-1",
            events(json!([{"introduced": "9".repeat(1 << 20)}, {"fixed": format!("{}.0", "1".repeat(1 << 20))}])),
        ),
        record("MANY-1", events(json!(many))),
        record(
            "UNKNOWN-1",
            json!([{"package": {"ecosystem": "\u{1b}[2JNoSuch:99", "name": "x"}, "ranges": [{"type": "PHASE-OF-THE-MOON", "events": [{"introduced": "0"}]}]}]),
        ),
        record("ESC-\u{1b}[31m1", events(json!([{"introduced": "0"}]))),
        record("EMPTY-1", json!([{}])),
        record("NULL-1", json!(null)),
        record("TYPES-1", json!([{"package": 7, "ranges": {"a": []}, "versions": "1.0", "database_specific": [[]]}])),
        format!("{{\"id\":\"DEEP-1\",\"modified\":\"2024-01-01T00:00:00Z\",\"affected\":{}}}", nested(100_000)),
        r#"{"id": 5, "modified": [], "affected": "x", "aliases": {"a": 1}, "severity": 3}"#.to_owned(),
        r#"{"id":"CUT-1","modified":"2024"#.to_owned(),
        "[[[".to_owned(),
        "null".to_owned(),
    ];
    // One id again and again, all states equally new and all different.
    lines.extend((0..20_000).map(|number| record("SAME-1", events(json!([{"introduced": number.to_string()}])))));
    let from = sandbox.file("nonsense.jsonl", lines.join("\n"));
    let index = sandbox.root().join("work/nonsense.index");
    let built =
        sandbox.command(&["advisories", "build", "--from", text(&from), "--out", text(&index)]).output().expect("runs");
    let talk = String::from_utf8_lossy(&built.stderr).into_owned() + &String::from_utf8_lossy(&built.stdout);
    assert_eq!(built.status.code(), Some(0), "{talk}");
    crate::sandbox::assert_harmless(&talk);
    assert!(talk.contains("nonsense.jsonl"), "problems name the file: {talk}");

    let image = sandbox.file("image.tar", Image::of([tar([witness()])]).docker_archive());
    let outcome =
        sandbox.run(&["scan", &format!("docker-archive:{}", text(&image)), "--index", text(&index), "-o", "json"]);
    let report: Value = serde_json::from_str(&outcome.stdout).expect("a report");
    let ids: Vec<String> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|finding| finding["id"].to_string() + &finding["ids"].to_string())
        .collect();
    assert!(ids.iter().any(|id| id.contains("OK-1")), "{ids:?} {}", gaps(&report));
    let status = sandbox.run(&["advisories", "status", "--index", text(&index)]);
    assert_eq!(status.code, 0);
    crate::sandbox::assert_harmless(&status.stdout);
    for id in ["OK-1", "HUGE-1", "MANY-1", "ESC-\u{1b}[31m1", "SAME-1"] {
        crate::sandbox::assert_harmless(&sandbox.run(&["advisories", "show", id, "--index", text(&index)]).stdout);
    }
}

#[test]
fn files_that_are_no_feed_are_refused_by_name() {
    let sandbox = Sandbox::new();
    let out = sandbox.root().join("work/x.index");
    for (name, bytes) in [
        ("deep.json", nested(100_000).into_bytes()),
        ("cut.zst", vec![0x28, 0xb5, 0x2f, 0xfd, 1]),
        ("cut.zip", b"PK\x03\x04".to_vec()),
        ("empty.json", Vec::new()),
        ("text.json", b"hello".to_vec()),
    ] {
        let path = sandbox.file(name, bytes);
        fails(&sandbox, &["advisories", "build", "--from", text(&path), "--out", text(&out)], &[name]);
        assert!(!out.exists(), "{name} made an index");
    }
    fails(&sandbox, &["advisories", "build", "--from", "nowhere", "--out", text(&out)], &["nowhere"]);
}
