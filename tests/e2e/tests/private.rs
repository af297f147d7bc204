//! An organisation's own advisories: about a package, a layer, an image; and what happens to those that say nothing.

use dogwatch_e2e::images::small;
use dogwatch_e2e::program::User;
use serde_json::{Value, json};

/// A record with these `affected` entries.
fn record(id: &str, affected: Value) -> String {
    json!({
        "id": id,
        "modified": "2026-11-26T00:00:00Z",
        "summary": "must not be used",
        "database_specific": { "severity": "CRITICAL" },
        "affected": affected,
    })
    .to_string()
}

fn of_digest(digest: &Value) -> Value {
    json!([{ "package": { "ecosystem": "OCI", "name": digest } }])
}

/// The findings of one advisory with their packages.
fn found<'a>(report: &'a Value, id: &str) -> Vec<(&'a Value, &'a Value)> {
    let findings = report["findings"].as_array().expect("findings").iter().filter(|finding| finding["id"] == id);
    let package =
        |finding: &Value| &report["inventory"]["packages"][finding["package"].as_u64().expect("an id") as usize];
    findings.map(|finding| (finding, package(finding))).collect()
}

#[test]
fn packages_layers_and_images_are_named_by_private_advisories() {
    let Some(layout) = small() else { return };
    let (user, target) = (User::new(), format!("oci-dir:{}", layout.display()));
    let plain = user.scan(&target, &[]);
    let artifact = &plain["artifact"];
    let layer = &artifact["layers"][1];
    let npm = plain["inventory"]["packages"].as_array().expect("packages").iter().find(|p| p["type"] == "npm");
    let npm = npm.expect("an npm package");

    std::fs::create_dir_all(user.path("own")).expect("a directory");
    let package = json!([{ "package": { "ecosystem": "npm", "name": npm["name"] }, "versions": [npm["version"]] }]);
    user.file("own/package.json", &record("ACME-1", package));
    user.file("own/layer.json", &record("ACME-2", of_digest(&layer["diff_id"])));
    user.file("own/blob.json", &record("ACME-3", of_digest(&layer["digest"])));
    let image = json!([{ "package": { "purl": format!("pkg:oci/shop@{}", artifact["manifest_digest"].as_str().expect("a digest")) } }]);
    user.file("own/image.json", &record("ACME-4", image));
    user.file("own/id.json", &record("ACME-5", of_digest(&artifact["image_id"])));
    user.file("own/other.json", &record("ACME-6", of_digest(&json!(format!("sha256:{}", "ab".repeat(32))))));
    let mut withdrawn: Value = serde_json::from_str(&record("ACME-7", of_digest(&layer["diff_id"]))).expect("JSON");
    withdrawn["withdrawn"] = json!("2026-11-26T00:00:00Z");
    user.file("own/withdrawn.json", &withdrawn.to_string());
    user.file("own/README.md", "Ours.");
    let own = user.path("own").display().to_string();

    let report = user.scan(&target, &["--advisories", &own]);
    for (id, kind, layer) in [
        ("ACME-1", "npm", &npm["layer"]),
        ("ACME-2", "oci", &json!(1)),
        ("ACME-3", "oci", &json!(1)),
        ("ACME-4", "oci", &Value::Null),
        ("ACME-5", "oci", &Value::Null),
    ] {
        let found = found(&report, id);
        let (finding, package) = found.first().unwrap_or_else(|| panic!("{id} is not found"));
        assert_eq!((&package["type"], &package["layer"]), (&json!(kind), layer), "{id}: {package}");
        assert_eq!(
            (&finding["severity"], &finding["severity_source"]),
            (&json!("critical"), &json!("private")),
            "{id}"
        );
    }
    assert_eq!(found(&report, "ACME-2")[0].1["id"], found(&report, "ACME-3")[0].1["id"], "one layer, two digests");
    assert_eq!((found(&report, "ACME-6").len(), found(&report, "ACME-7").len()), (0, 0));
    let count = |report: &Value| report["inventory"]["packages"].as_array().map_or(0, Vec::len);
    assert_eq!(count(&report), count(&plain) + 2, "the image and one layer are added, and nothing else");
    assert_eq!(report["knowledge"]["coverage"], plain["knowledge"]["coverage"]);
    assert!(report["knowledge"]["private"].is_string() && plain["knowledge"]["private"].is_null());

    // A policy of the organisation's that looks for its own advisories and nothing else.
    let policy = user.file(
        "own.yaml",
        "version: 1\nname: our-own\nstages: [build]\ncondition: finding.id.startsWith(\"ACME-\")\nseverity: critical\nrationale: The security team says so.\nremediation: Ask the security team.\naction: deny\n",
    );
    let arguments = ["scan", &target, "--advisories", &own, "--policy", &policy];
    let ran = user.run(&[&arguments[..], &["--all"]].concat());
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    for line in ["layer 2 of small", "an advisory names the digest of layer 2 of small", "ACME-2"] {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.stdout);
    }
    let explained = user.run(&[&arguments[..], &["--explain", "acme-2"]].concat()).stdout;
    let diff_id = layer["diff_id"].as_str().expect("a digest");
    assert!(explained.contains("ACME-2 from private (OCI)") && explained.contains(diff_id), "{explained}");
    let sarif = user.run(&[&arguments[..], &["-o", "sarif"]].concat()).json();
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let result = results.iter().find(|result| result["ruleId"] == "ACME-2").expect("a result for the layer");
    assert!(result["message"]["text"].as_str().is_some_and(|text| text.contains("layer 2 of small")), "{result}");

    // What is kept needs no flag; the bill of materials knows nothing of it.
    user.run(&["advisories", "update", "--private", &own]).exits(0);
    assert_eq!(found(&user.scan(&target, &[]), "ACME-5").len(), 1);
    assert!(!user.run(&["sbom", &target]).exits(0).stdout.contains("layer 2 of small"));
    let status = user.run(&["advisories", "status"]).exits(0).stdout;
    assert!(status.contains("private   7 advisories"), "{status}");
}

#[test]
fn a_package_of_ones_own_sort_matches_by_its_purl_type() {
    let user = User::new();
    let component = |version: &str| json!({ "type": "firmware", "name": "widget", "version": version, "purl": format!("pkg:acme/widget@{version}") });
    let bill = json!({ "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": [component("1.2-rc1"), component("1.2")] });
    let bill = user.file("bill.json", &bill.to_string());
    let ranges = json!([{ "type": "ECOSYSTEM", "events": [{ "introduced": "1.0" }, { "fixed": "1.2" }] }]);
    let own = user.file(
        "own.json",
        &record("ACME-9", json!([{ "package": { "ecosystem": "acme", "name": "widget" }, "ranges": ranges }])),
    );
    let report = user.scan(&format!("sbom:{bill}"), &["--advisories", &own]);
    let found = found(&report, "ACME-9");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1["version"], "1.2-rc1");
    assert_eq!(found[0].0["fix"]["versions"], json!(["1.2"]));
}

#[test]
fn mistakes_in_private_advisories_are_named_and_nothing_is_judged() {
    let user = User::new();
    std::fs::create_dir_all(user.path("tree")).expect("a directory");
    let tree = format!("dir:{}", user.path("tree").display());
    let check = |name: &str, content: &str, expected: &str| {
        let file = user.file(name, content);
        let ran = user.run(&["scan", &tree, "--advisories", &file]).exits(2);
        assert!(ran.stdout.is_empty() && ran.stderr.contains(expected), "{expected}\nis not in\n{}", ran.stderr);
        let ran = user.run(&["advisories", "update", "--private", &file]).exits(2);
        assert!(ran.stderr.contains(expected), "{expected}\nis not in\n{}", ran.stderr);
    };
    let package = |ecosystem: &str| json!([{ "package": { "ecosystem": ecosystem, "name": "x" }, "versions": ["1"] }]);
    check("a.json", "{\"id\": \"ACME-1\", ", "a.json: the file: is not sound JSON");
    check(
        "b.json",
        &record("ACME-1", package("pypi")),
        "b.json: ACME-1: ecosystem `pypi`, whose version order is not known",
    );
    check("c.json", &record("ACME-1", json!([{ "versions": ["1"] }])), "c.json: ACME-1: an `affected` entry without");
    check("d.json", &record("ACME-1", of_digest(&json!("sha256:12"))), "`sha256:12` is not a SHA-256 digest");
    let no_range = json!([{ "package": { "ecosystem": "npm", "name": "x" } }]);
    check("e.json", &record("ACME-1", no_range), "e.json: ACME-1: no usable version range for `x` in npm");
    let twice = [record("ACME-1", package("npm")), record("ACME-1", package("PyPI"))].join("\n");
    check("f.jsonl", &twice, "f.jsonl: ACME-1: another record has the same id");
    let mixed = [record("ACME-1", package("npm")), "{\"id\":\"ACME-2\"}".into()].join("\n");
    check("g.jsonl", &mixed, "g.jsonl: line 2: is no feed of a known format");
    check("h.json", "<html>", "h.json: the file: is no feed of a known format");
    let ran = user.run(&["scan", &tree, "--advisories", "/nonexistent.json"]).exits(2);
    assert!(ran.stderr.contains("could not read or write `/nonexistent.json`"), "{}", ran.stderr);
}
