//! What stands on what: registered bases, bases that were built anew, and what falls behind when documents change.

use std::collections::BTreeSet;

use dogwatch_e2e::images::{small, upgraded};
use dogwatch_e2e::program::User;
use dogwatch_e2e::server::{Server, on_both};
use serde_json::{Value, json};

const CATALOG: &str = include_str!("standing/catalog-info.yaml");

struct Shop {
    user: User,
    server: Server,
    /// The reports on Debian's base image, on one with upgrades on top of it, and on another Debian with old Python and npm packages.
    base: Value,
    upgraded: Value,
    small: Value,
}

fn start(database: Option<&str>) -> Option<Shop> {
    let (small, images) = (small()?, upgraded()?);
    let user = User::new();
    let server = Server::start(&user, database, None, None);
    let user = user.with("DOGWATCH_TOKEN", &*server.token).with("DOGWATCH_SERVER", &*server.url);
    let scan = |target: &str| user.run(&["scan", target, "--server", &server.url, "-o", "json"]).json();
    let base = scan(&format!("oci-dir:{}:base", images.layout.display()));
    let upgraded = scan(&format!("oci-dir:{}:upgraded", images.layout.display()));
    let small = scan(&format!("oci-dir:{}:small", small.display()));
    Some(Shop { user, server, base, upgraded, small })
}

impl Shop {
    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.server.ask(method, path, &self.server.token, Some(&body.to_string()));
        assert_eq!(status, 200, "{path}: {answer}");
        self.server.settle();
        answer
    }

    fn put(&self, name: &str, text: &str) -> u64 {
        let answer = self.send("PUT", &format!("/api/v1/documents/{name}"), &json!({ "files": [[name, text]] }));
        answer["images"].as_u64().expect("a count")
    }

    fn image(&self, digest: &Value) -> Value {
        let path = format!("/api/v1/images/{}", digest.as_str().expect("a digest"));
        self.server.ask("GET", &path, &self.server.token, None).1
    }
}

fn ids(report: &Value) -> BTreeSet<String> {
    let findings = report["findings"].as_array().expect("findings").iter();
    findings.filter_map(|finding| finding["id"].as_str().map(str::to_owned)).collect()
}

fn digest(report: &Value) -> &Value {
    &report["artifact"]["manifest_digest"]
}

/// What another build, of another digest, would say that has the same inside.
fn built_as(report: &Value, name: &str, number: u8) -> Value {
    let mut built = report.clone();
    built["artifact"]["manifest_digest"] = json!(format!("sha256:{}", hex::encode([number; 32])));
    built["artifact"]["image_id"] = Value::Null;
    built["artifact"]["names"] = json!([name]);
    built
}

/// The same with a layer on top that brings nothing.
fn on_top_of(report: &Value, name: &str, number: u8) -> Value {
    let mut built = built_as(report, name, number);
    let layers = built["artifact"]["layers"].as_array_mut().expect("layers");
    let mut layer = layers[0].clone();
    layer["diff_id"] = json!(format!("sha256:{}", hex::encode([number.wrapping_add(1); 32])));
    layers.push(layer);
    built
}

#[test]
fn a_base_that_is_registered_is_recognised_by_server_and_scans_and_one_built_anew_is_told() {
    on_both(|database| {
        let Some(shop) = start(database) else { return };
        shop.send("POST", "/api/v1/reports", &on_top_of(&shop.small, "stall", 7));
        let base = |report: &Value| shop.image(digest(report))["base"].clone();
        assert_eq!(base(&shop.upgraded), json!(""), "nobody said so yet");
        let ran = shop.user.run(&["bases", "add", "debian-12", "base", "--server", &shop.server.url]).exits(0);
        assert!(ran.stdout.contains("1 images"), "{}", ran.stdout);
        shop.server.settle();
        assert_eq!((base(&shop.upgraded), base(&shop.base)), (json!("debian-12"), json!("")));
        let listed = shop.user.run(&["bases", "list", "--server", &shop.server.url]).exits(0).stdout;
        assert!(listed.starts_with("debian-12\t1 layers"), "{listed}");
        // A scan has the server's list; the second does not fetch it again.
        let target = format!("oci-dir:{}:upgraded", upgraded().expect("it").layout.display());
        for _ in 0..2 {
            let report = shop.user.run(&["scan", &target, "--server", &shop.server.url, "-o", "json"]).json();
            assert_eq!(report["artifact"]["base"]["name"], "debian-12");
        }
        let metrics = shop.server.raw("GET", "/metrics", &[], b"").1;
        let metrics = String::from_utf8_lossy(&metrics);
        let unchanged = metrics.lines().any(|line| line.contains("/api/v1/bases") && line.contains("304"));
        assert!(unchanged, "{metrics}");
        // What was claimed without the list is put right when it comes.
        shop.send("POST", "/api/v1/reports", &built_as(&shop.upgraded, "another", 11));
        assert_eq!(shop.image(&json!(format!("sha256:{}", hex::encode([11; 32]))))["base"], "debian-12");

        // A base is built anew, without old packages: who stands on the old one is told what that would mend.
        shop.send("POST", "/api/v1/bases", &json!({ "name": "small", "image": "small" }));
        let before = shop.server.changes(0).len() as u64;
        let rebuilt = built_as(&shop.base, "small", 13);
        shop.send("POST", "/api/v1/reports", &rebuilt);
        let changes = shop.server.changes(before);
        let fixed: Vec<&Value> = changes.iter().filter(|change| change["type"] == "dev.dogwatch.base.fixed").collect();
        let told: BTreeSet<&str> = fixed.iter().filter_map(|change| change["data"]["name"].as_str()).collect();
        assert_eq!((fixed.len(), told), (1, BTreeSet::from(["stall"])), "{changes:?}");
        let data = &fixed[0]["data"];
        assert_eq!((&data["from"], &data["to"]), (digest(&shop.small), digest(&rebuilt)));
        let gone: BTreeSet<String> = ids(&shop.small).difference(&ids(&shop.base)).cloned().collect();
        let said: BTreeSet<String> =
            data["fixed"].as_array().expect("a list").iter().filter_map(|id| id.as_str().map(str::to_owned)).collect();
        assert!(!gone.is_empty());
        assert_eq!(said, gone);

        // Registered no longer, it is recognised no longer.
        assert_eq!(shop.send("PUT", "/api/v1/documents/bases", &json!({ "files": [] }))["images"], 3);
        assert_eq!(base(&shop.upgraded), json!(""));
    });
}

#[test]
fn a_document_that_changes_has_only_those_judged_again_that_depend_on_it() {
    on_both(|database| {
        let Some(shop) = start(database) else { return };
        assert_eq!(shop.put("catalog", CATALOG), 2, "the component's images");
        let judged = || shop.image(digest(&shop.base))["judged_at"].clone();
        let before = judged();
        let more = "---\napiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: { name: others }\nspec: { type: team, children: [] }\n";
        assert_eq!(shop.put("catalog", &format!("{CATALOG}{more}")), 0, "a team that owns nothing");
        assert_eq!(shop.put("catalog", &CATALOG.replace("restricted", "public")), 2, "a system's data");
        assert_eq!(judged(), before, "what does not depend on it was not judged again");
        assert_eq!(shop.put("owner-rules", "image base platform\n"), 1);
        assert_eq!(shop.image(digest(&shop.base))["team"], "platform");
        assert_eq!(shop.put("owner-rules", "image base platform\nimage nothing* storefront\n"), 0);
        assert_eq!(shop.put("thresholds", "thresholds:\n  - score: 8.0\n"), 0);
        // An exception for what only one image has.
        let only = ids(&shop.small).difference(&ids(&shop.base)).next().cloned().expect("one that the other has not");
        let concerned = shop
            .server
            .list("/api/v1/images?limit=50")
            .iter()
            .filter(|image| {
                let path = format!("/api/v1/images/{}/findings", image["digest"].as_str().expect("a digest"));
                shop.server.list(&path).iter().any(|row| row["finding"]["id"] == only.as_str())
            })
            .count() as u64;
        let exception = format!(
            "version: 1\nid: one\nwho: jo\nwhy: not reachable here\nuntil: 2030-01-01\nscope: {{ vulnerabilities: [{only}] }}\n"
        );
        assert!(concerned < 3);
        assert_eq!(shop.put("exceptions", &exception), concerned);
    });
}

#[test]
fn the_owner_of_a_layer_publishes_about_it_and_about_nothing_else() {
    on_both(|database| {
        let Some(shop) = start(database) else { return };
        shop.put("catalog", CATALOG);
        shop.put("owner-rules", "image base platform\n");
        let asked = json!({ "name": "platform's owner", "role": "owner", "scope": "team:platform" });
        let token = shop.send("POST", "/api/v1/tokens", &asked)["secret"].as_str().expect("a secret").to_owned();
        let publish = |method: &str, id: &str, ecosystem: &str, name: &Value| {
            let record = json!({ "id": id, "modified": "2026-11-26T09:00:00Z", "database_specific": { "severity": "CRITICAL" },
                "affected": [{ "package": { "ecosystem": ecosystem, "name": name } }] });
            let answer =
                shop.server.ask(method, &format!("/api/v1/advisories/{id}"), &token, Some(&record.to_string()));
            shop.server.settle();
            answer
        };
        let layer = &shop.base["artifact"]["layers"][0]["diff_id"];
        let (status, taken) = publish("PUT", "PLAT-1", "OCI", layer);
        assert_eq!((status, &taken["images"]), (200, &json!(2)), "{taken}");
        let has = |report: &Value, id: &str| {
            let path = format!("/api/v1/images/{}/findings", digest(report).as_str().expect("a digest"));
            shop.server.list(&path).iter().any(|row| row["finding"]["id"] == id)
        };
        assert!(has(&shop.upgraded, "PLAT-1"), "its dependents have it too");
        let (status, taken) = publish("PUT", "PLAT-2", "OCI", digest(&shop.base));
        assert_eq!(status, 200, "{taken}");
        // Another's layer, a package, and another's advisory.
        let others = &shop.upgraded["artifact"]["layers"][1]["diff_id"];
        for (ecosystem, name) in [("OCI", others), ("OCI", digest(&shop.upgraded)), ("npm", &json!("lodash"))] {
            let (status, problem) = publish("PUT", "PLAT-3", ecosystem, name);
            assert_eq!(status, 403, "{name}: {problem}");
        }
        let record = json!({ "id": "SEC-1", "modified": "2026-11-26T09:00:00Z", "affected": [{ "package": { "ecosystem": "OCI", "name": others } }] });
        shop.send("PUT", "/api/v1/advisories/SEC-1", &record);
        for method in ["DELETE", "PUT"] {
            assert_eq!(publish(method, "SEC-1", "OCI", layer).0, 403);
        }
        assert_eq!(publish("DELETE", "PLAT-1", "OCI", layer).0, 200);
        assert!(!has(&shop.upgraded, "PLAT-1"));
    });
}
