//! The server on real images: what there is, whose it is, who stands on it, and what changed.

use std::collections::BTreeSet;
use std::fs;

use dogwatch_e2e::images::{small, upgraded};
use dogwatch_e2e::program::User;
use dogwatch_e2e::server::{Server, on_both};
use serde_json::{Value, json};

const CATALOG: &str = "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: { name: platform }\nspec: { type: team, children: [] }\n---\napiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: { name: storefront }\nspec: { type: team, children: [] }\n---\napiVersion: backstage.io/v1alpha1\nkind: System\nmetadata:\n  name: webshop\n  annotations: { dogwatch.dev/criticality: high, dogwatch.dev/data-classification: restricted }\nspec: { owner: storefront }\n---\napiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: shop\n  annotations: { dogwatch.dev/images: 'upgraded,small' }\nspec: { type: service, lifecycle: production, owner: storefront, system: webshop }\n";

/// A user whose scans go to a server.
struct Shop {
    user: User,
    server: Server,
    base: String,
    upgraded: String,
}

fn start(database: Option<&str>) -> Option<Shop> {
    let (small, images) = (small()?, upgraded()?);
    let user = User::new();
    let server = Server::start(&user, database, None, None);
    let user = user.with("DOGWATCH_TOKEN", &*server.token).with("DOGWATCH_SERVER", &*server.url);
    let upload = |target: &str| {
        let ran = user.run(&["scan", target, "--server", &server.url, "-o", "json"]);
        assert!(ran.stderr.contains("uploaded to the server"), "{}", ran.stderr);
        let report = ran.json();
        report["artifact"]["manifest_digest"].as_str().expect("a digest").to_owned()
    };
    let layout = images.layout.display();
    let base = upload(&format!("oci-dir:{layout}:base"));
    let upgraded = upload(&format!("oci-dir:{layout}:upgraded"));
    upload(&format!("oci-dir:{}:small", small.display()));
    Some(Shop { user, server, base, upgraded })
}

fn put_catalog(shop: &Shop) {
    shop.user.file("catalog.yaml", CATALOG);
    shop.user.file("OWNERS", "image base  platform\n");
    let path = |name: &str| shop.user.path(name).display().to_string();
    shop.user.run(&["portfolio", "put", "catalog", &path("catalog.yaml")]).exits(0);
    shop.user.run(&["portfolio", "put", "owner-rules", &path("OWNERS")]).exits(0);
    shop.server.settle();
}

fn kinds(changes: &[Value]) -> BTreeSet<&str> {
    changes.iter().filter_map(|change| change["type"].as_str()?.strip_prefix("dev.dogwatch.")).collect()
}

#[test]
fn the_server_judges_as_a_scan_does_and_knows_owners_and_dependents() {
    on_both(|database| {
        let Some(shop) = start(database) else { return };
        let images = shop.server.list("/api/v1/images");
        assert_eq!(images.len(), 3);
        for image in &images {
            let target = match image["name"].as_str().expect("a name") {
                "small" => format!("oci-dir:{}:small", small().expect("it").display()),
                name => format!("oci-dir:{}:{name}", upgraded().expect("it").layout.display()),
            };
            let report = shop.user.scan(&target, &[]);
            assert_eq!(image["outcome"], report["verdict"]["outcome"], "{image}");
            let digest = image["digest"].as_str().expect("a digest");
            let found = shop.server.list(&format!("/api/v1/images/{digest}/findings?limit=50"));
            let ids = |findings: Vec<(String, String)>| findings.into_iter().collect::<BTreeSet<_>>();
            let packages = report["inventory"]["packages"].as_array().expect("packages");
            let expected = report["findings"].as_array().expect("findings").iter().map(|finding| {
                let package = &packages[finding["package"].as_u64().expect("a number") as usize];
                (
                    finding["id"].as_str().expect("an id").to_owned(),
                    package["purl"].as_str().expect("a purl").to_owned(),
                )
            });
            let told = found.iter().map(|row| {
                (
                    row["finding"]["id"].as_str().expect("an id").to_owned(),
                    row["package"].as_str().expect("a purl").to_owned(),
                )
            });
            assert_eq!(ids(told.collect()), ids(expected.collect()));
            assert!(image["findings"].as_u64() > Some(20), "{image}");
        }
        put_catalog(&shop);
        let of = |digest: &str| shop.server.ask("GET", &format!("/api/v1/images/{digest}"), &shop.server.token, None).1;
        assert_eq!((&of(&shop.base)["team"], &of(&shop.base)["system"]), (&json!("platform"), &json!("")));
        let app = of(&shop.upgraded);
        assert_eq!(
            (&app["team"], &app["system"], &app["component"]),
            (&json!("storefront"), &json!("webshop"), &json!("shop"))
        );
        // The base's layer is its owner's, also where others stand on it.
        let found = shop.server.list(&format!("/api/v1/images/{}/findings", shop.upgraded));
        let teams: BTreeSet<(u64, &str)> = found
            .iter()
            .map(|row| (row["layer"].as_u64().expect("a layer"), row["layer_team"].as_str().expect("a team")))
            .collect();
        assert!(teams.contains(&(0, "platform")), "{teams:?}");

        let workloads = json!([{ "name": "web", "image_digest": shop.upgraded, "image_name": "upgraded", "privileged": true, "internet": true }]);
        let (status, taken) = shop.server.ask(
            "PUT",
            "/api/v1/environments/prod-eu/workloads",
            &shop.server.token,
            Some(&workloads.to_string()),
        );
        assert_eq!((status, &taken), (200, &json!({ "started": 1, "stopped": 0 })));
        shop.server.settle();
        assert!(of(&shop.upgraded)["risk"].as_f64() > app["risk"].as_f64(), "it runs, privileged, in production");
        let dependents = shop.user.run(&["portfolio", "dependents", "base", "--json"]).exits(0).json();
        assert_eq!(dependents["images"][0]["name"], "upgraded");
        assert_eq!(
            dependents["teams"],
            json!([{ "team": "storefront", "system": "webshop", "images": 1, "running": 1 }])
        );
        assert_eq!(
            dependents["environments"],
            json!([{ "environment": "prod-eu", "production": true, "workloads": 1 }])
        );
        let packages = shop.user.run(&["portfolio", "dependents", "zlib1g", "--json"]).exits(0).json();
        assert!(packages["images"].as_array().is_some_and(|images| images.len() >= 2), "{packages}");
        let table = shop.user.run(&["portfolio", "dependents", "base"]).exits(0).stdout;
        assert!(table.contains("storefront") && table.contains("prod-eu"), "{table}");

        // Its risk can be asked why.
        let vulnerability = found[0]["finding"]["id"].as_str().expect("an id");
        let why = shop.user.run(&["portfolio", "explain", &shop.upgraded, vulnerability]).exits(0).stdout;
        assert!(why.contains("of 100") && why.contains("production"), "{why}");
    });
}

#[test]
fn a_private_advisory_changes_verdicts_at_once_and_is_told_once() {
    on_both(|database| {
        let Some(shop) = start(database) else { return };
        put_catalog(&shop);
        let before = shop.server.changes(0).len() as u64;
        let moment = shop.server.ask("GET", &format!("/api/v1/images/{}", shop.upgraded), &shop.server.token, None).1["judged_at"].clone();
        let record = json!({ "id": "ACME-2026-1", "modified": "2026-11-26T09:00:00Z", "database_specific": { "severity": "CRITICAL" },
            "affected": [{ "package": { "ecosystem": "Debian:12", "name": "zlib" }, "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": "9:9" }] }] }] });
        let (status, taken) =
            shop.server.ask("PUT", "/api/v1/advisories/ACME-2026-1", &shop.server.token, Some(&record.to_string()));
        assert_eq!((status, taken["images"].as_u64() >= Some(2)), (200, true), "{taken}");
        shop.server.settle();
        let changes = shop.server.changes(before);
        assert!(
            kinds(&changes).is_superset(&BTreeSet::from([
                "finding.found",
                "verdict.changed",
                "compliance.lost",
                "knowledge.changed"
            ])),
            "{changes:?}"
        );
        let about = |digest: &str, kind: &str| {
            changes
                .iter()
                .filter(|change| change["data"]["image"] == digest && change["type"] == format!("dev.dogwatch.{kind}"))
                .count()
        };
        // Once for each image, and for nothing else.
        for digest in [&shop.base, &shop.upgraded] {
            assert_eq!((about(digest, "finding.found"), about(digest, "compliance.lost")), (1, 1), "{changes:?}");
        }
        let lost = changes.iter().find(|change| change["type"] == "dev.dogwatch.compliance.lost").expect("it");
        assert_eq!(lost["data"]["denied"], json!(["ACME-2026-1"]));
        assert_eq!(lost["data"]["passed_by"], "first administrator");

        // As of before, it was not so.
        let as_of = moment.as_str().expect("a moment");
        let then = shop.server.list(&format!("/api/v1/images?as-of={as_of}&filter=outcome=='failed'"));
        let now = shop.server.list("/api/v1/images?filter=outcome=='failed'");
        assert!(now.len() > then.len(), "{then:?} {now:?}");
        let findings = |at: &str| shop.server.list(&format!("/api/v1/images/{}/findings{at}", shop.upgraded)).len();
        assert_eq!(findings(""), findings(&format!("?as-of={as_of}")) + 1);

        // A mistake changes nothing.
        let bad = json!({ "id": "ACME-2026-2", "affected": [{ "package": { "ecosystem": "Debian:12", "name": "zlib" }, "ranges": "all" }] });
        let (status, problem) =
            shop.server.ask("PUT", "/api/v1/advisories/ACME-2026-2", &shop.server.token, Some(&bad.to_string()));
        assert_eq!(status, 422, "{problem}");
        let (status, _) = shop.server.ask("DELETE", "/api/v1/advisories/ACME-2026-1", &shop.server.token, None);
        assert_eq!(status, 200);
        shop.server.settle();
        let after = shop.server.changes(before + changes.len() as u64);
        assert!(kinds(&after).is_superset(&BTreeSet::from(["finding.gone", "verdict.changed"])), "{after:?}");
        assert_eq!(shop.server.list("/api/v1/images?filter=outcome=='failed'").len(), then.len());

        // By digest: a layer that must not be used.
        let layers = shop.user.scan(&format!("oci-dir:{}:base", upgraded().expect("it").layout.display()), &[]);
        let layer = &layers["artifact"]["layers"][0]["diff_id"];
        let record = json!({ "id": "ACME-2026-3", "modified": "2026-11-26T09:00:00Z", "database_specific": { "severity": "CRITICAL" }, "affected": [{ "package": { "ecosystem": "OCI", "name": layer } }] });
        let (status, taken) =
            shop.server.ask("PUT", "/api/v1/advisories/ACME-2026-3", &shop.server.token, Some(&record.to_string()));
        assert_eq!(status, 200, "{taken}");
        shop.server.settle();
        let named = |digest: &str| {
            let found = shop.server.list(&format!("/api/v1/images/{digest}/findings"));
            found.iter().filter(|row| row["finding"]["id"] == "ACME-2026-3").count()
        };
        assert_eq!((named(&shop.base), named(&shop.upgraded)), (1, 1));
        let of_layer =
            shop.user.run(&["portfolio", "dependents", "ACME-2026-3", "--of", "vulnerability", "--json"]).json();
        assert_eq!(of_layer["images"].as_array().map(Vec::len), Some(2), "{of_layer}");
        shop.server.ask("DELETE", "/api/v1/advisories/ACME-2026-3", &shop.server.token, None);
        shop.server.settle();
        assert_eq!((named(&shop.base), named(&shop.upgraded)), (0, 0));
    });
}

#[test]
fn other_advisories_are_taken_up_and_only_what_differs_is_judged_again() {
    let Some(small) = small() else { return };
    let user = User::new();
    let index = user.path("advisories.index");
    fs::copy(dogwatch_e2e::program::index(), &index).expect("a copy");
    let server = Server::start(&user, None, Some(&index), None);
    let user = user.with("DOGWATCH_TOKEN", &*server.token);
    let target = format!("oci-dir:{}:small", small.display());
    user.run(&["scan", &target, "--server", &server.url, "-o", "json"]);
    let digest = server.list("/api/v1/images")[0]["digest"].as_str().expect("a digest").to_owned();
    let before = server.changes(0).len() as u64;

    let record = json!({ "id": "GHSA-test-0000-0001", "aliases": ["CVE-2026-99999"], "modified": "2026-11-26T00:00:00Z",
        "affected": [{ "package": { "ecosystem": "npm", "name": "lodash" }, "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }] }] }],
        "severity": [{ "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }] });
    fs::create_dir(user.path("more")).expect("a directory");
    user.file("more/npm.json", &record.to_string());
    let (shipped, more) = (xtask_data(), user.path("more").display().to_string());
    let fresh = user.path("fresh.index").display().to_string();
    user.run(&["advisories", "build", "--from", &shipped, "--from", &more, "--out", &fresh]).exits(0);
    fs::rename(&fresh, &index).expect("taken up by rename");
    let began = std::time::Instant::now();
    while server.changes(before).is_empty() {
        assert!(began.elapsed().as_secs() < 60, "the new index is not taken up");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    server.settle();
    let changes = server.changes(before);
    let found: Vec<&Value> = changes.iter().filter(|change| change["type"] == "dev.dogwatch.finding.found").collect();
    assert_eq!(found.len(), 1, "{changes:?}");
    assert_eq!(
        (&found[0]["data"]["vulnerability"], &found[0]["data"]["image"]),
        (&json!("CVE-2026-99999"), &json!(digest))
    );
    // What the server says now is what a scan with the new index says.
    let report = user.scan(&target, &["--index", &index.display().to_string()]);
    let count = |list: &Value| list.as_array().map(Vec::len);
    let told = server.list(&format!("/api/v1/images/{digest}/findings"));
    let ids = |values: Vec<&Value>| values.into_iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert!(count(&report["findings"]) >= Some(told.len()));
    let scanned = report["findings"].as_array().expect("findings").iter().map(|finding| &finding["id"]).collect();
    assert_eq!(ids(told.iter().map(|row| &row["finding"]["id"]).collect()), ids(scanned));

    // After a restart nothing is lost and nothing is told again.
    let all = server.changes(0);
    let token = server.token.clone();
    server.stop();
    let server = Server::start(&user, None, Some(&index), Some(&token));
    assert_eq!(server.changes(0), all);
    assert_eq!(server.list(&format!("/api/v1/images/{digest}/findings")), told);
}

fn xtask_data() -> String {
    xtask::root().join("data/advisories").display().to_string()
}

#[test]
fn claims_are_kept_apart_and_a_second_inventory_for_a_digest_is_an_incident() {
    on_both(|database| {
        let Some(shop) = start(database) else { return };
        let report = shop
            .user
            .run(&["scan", &format!("oci-dir:{}:base", upgraded().expect("it").layout.display()), "-o", "json"])
            .json();
        let upload = |report: &Value| {
            let (status, answer) =
                shop.server.ask("POST", "/api/v1/reports", &shop.server.token, Some(&report.to_string()));
            assert_eq!(status, 200, "{answer}");
            answer
        };
        // The same inventory, claimed anew, changes nothing.
        let changes = shop.server.changes(0).len();
        let again = upload(&report);
        assert_eq!((&again["new"], &again["conflict"]), (&json!(false), &json!(false)));
        assert_eq!(upload(&report)["known"], json!(true), "the very same document");
        assert_eq!(shop.server.changes(0).len(), changes);
        // Somebody says that half of it is not there.
        let mut other = report.clone();
        let packages = other["inventory"]["packages"].as_array_mut().expect("packages");
        packages.truncate(packages.len() / 2);
        for package in packages.iter_mut() {
            package["depends_on"] = json!([]);
        }
        other["findings"] = json!([]);
        other["remedies"] = json!([]);
        other["verdict"] = Value::Null;
        let said = upload(&other);
        assert_eq!(said["conflict"], json!(true), "{said}");
        let conflicts = shop.server.changes(changes as u64);
        assert_eq!(kinds(&conflicts), BTreeSet::from(["inventory.conflict"]));
        assert_eq!(said["findings"], again["findings"], "the first stays in force");
        let claims = shop.server.list(&format!("/api/v1/images/{}/claims", shop.base));
        // The user's scans are uploaded too: a variable names the server.
        assert_eq!(claims.len(), 4, "{claims:?}");

        // Bills of materials of others.
        let bill =
            shop.user.run(&["sbom", &format!("oci-dir:{}:small", small().expect("it").display())]).exits(0).stdout;
        let (status, answer) = shop.server.ask("POST", "/api/v1/reports", &shop.server.token, Some(&bill));
        assert_eq!(status, 200, "{answer}");
        for (body, status) in [
            ("", 400),
            ("{", 400),
            ("[]", 400),
            ("{\"schema_version\":1}", 400),
            ("{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"9\"}", 400),
        ] {
            let (got, problem) = shop.server.ask("POST", "/api/v1/reports", &shop.server.token, Some(body));
            assert_eq!((got, problem["title"].is_string()), (status, true), "{body}: {problem}");
        }
        let bomb = zstd::bulk::compress(&vec![b' '; 200 << 20], 3).expect("compressed");
        let bearer = format!("Bearer {}", shop.server.token);
        let (status, _) = shop.server.raw(
            "POST",
            "/api/v1/reports",
            &[("Authorization", &bearer), ("Content-Encoding", "zstd")],
            &bomb,
        );
        assert_eq!(status, 413);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(shop.server.ask("POST", "/api/v1/reports", &shop.server.token, Some(&deep)).0, 400);
        assert_eq!(shop.server.ask("GET", "/readyz", &shop.server.token, None).0, 200);
    });
}
