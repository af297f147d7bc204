//! VEX documents attached to an image in its registry.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dogwatch_e2e::have;
use dogwatch_e2e::images::{copy, small};
use dogwatch_e2e::program::User;
use dogwatch_e2e::registry::Registry;
use serde_json::{Value, json};

/// An index as clients keep it under `sha256-…` for registries that do not list referrers.
fn referrers_index(manifest: &str, digest: &str, kind: &str) -> String {
    let size = manifest.len();
    let descriptor = json!({ "mediaType": MANIFEST, "digest": digest, "size": size, "artifactType": kind });
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor] }).to_string()
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OPENVEX: &str = "application/vnd.openvex+json";

/// What `oras attach` and `cosign attest` leave: an artifact with the image as subject, and an attestation under a tag.
#[test]
fn what_is_attached_to_an_image_counts_when_asked_for() {
    let Some(layout) = small() else { return };
    if !have(&["skopeo", "docker-registry"]) {
        return;
    }
    let user = User::new();
    let registry = Registry::start(&user.path(""));
    copy(&format!("oci:{}:small", layout.display()), &format!("docker://{}", registry.reference("shop:1")), &[]);
    let target = registry.reference("shop:1");
    let before = user.scan(&target, &[]);
    let image = before["artifact"]["manifest_digest"].as_str().expect("a digest").to_owned();
    let hex = image.trim_start_matches("sha256:");
    let put = |media_type: &str, content: &str| {
        let config = registry.blob("shop", "{}");
        let layer = registry.blob("shop", content);
        let blob = |kind: &str, digest: &str, size: usize| json!({ "mediaType": kind, "digest": digest, "size": size });
        json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": media_type,
            "config": blob("application/vnd.oci.empty.v1+json", &config, 2),
            "layers": [blob(media_type, &layer, content.len())],
            "subject": { "mediaType": MANIFEST, "digest": image, "size": 1 },
        })
        .to_string()
    };
    let vex = |vulnerability: &str| {
        json!({
            "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://shop.example/vex/1", "author": "The shop",
            "timestamp": "2026-01-01T00:00:00Z", "version": 1,
            "statements": [{
                "vulnerability": { "name": vulnerability }, "products": [{ "@id": format!("pkg:oci/shop@{image}") }],
                "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path",
            }],
        })
    };

    let document = put(OPENVEX, &vex("CVE-2020-11023").to_string());
    let digest = registry.manifest("shop", "attached", MANIFEST, &document);
    registry.manifest("shop", &format!("sha256-{hex}"), INDEX, &referrers_index(&document, &digest, OPENVEX));
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://openvex.dev/ns/v0.2.0",
        "subject": [{ "name": "shop", "digest": { "sha256": hex } }], "predicate": vex("CVE-2019-11358"),
    });
    let envelope = json!({
        "payloadType": "application/vnd.in-toto+json", "payload": STANDARD.encode(statement.to_string()), "signatures": [],
    });
    let attestation = put("application/vnd.dsse.envelope.v1+json", &envelope.to_string());
    registry.manifest("shop", &format!("sha256-{hex}.att"), MANIFEST, &attestation);

    assert_eq!(said_by(&user.scan(&target, &[])), [] as [&str; 0], "nothing is fetched unasked");
    let report = user.scan(&target, &["--vex", "oci"]);
    assert_eq!(said_by(&report), ["CVE-2019-11358", "CVE-2020-11023"]);
    let finding = finding(&report, "CVE-2020-11023");
    let source = finding["vex"]["document"].as_str().expect("where it is said");
    assert!(source.contains(&format!("shop@{digest}")) && source.contains("unverified"), "{source}");
    assert_eq!(report["gaps"], before["gaps"], "and nothing is missing");
    // What needs no mending is no remedy.
    let mended = |report: &Value| {
        let remedies = report["remedies"].as_array().expect("remedies").iter();
        let resolves = remedies.flat_map(|remedy| remedy["removes"].as_array().cloned().unwrap_or_default());
        let index = report["findings"].as_array().expect("findings").iter().position(|it| it["id"] == "CVE-2020-11023");
        resolves.into_iter().any(|at| at.as_u64() == index.map(|index| index as u64))
    };
    assert!(mended(&before) && !mended(&report));

    // What is broken, or about another image, is a gap beside the findings.
    let broken = put(OPENVEX, "{ no document");
    let digest = registry.manifest("shop", "broken", MANIFEST, &broken);
    registry.manifest("shop", &format!("sha256-{hex}"), INDEX, &referrers_index(&broken, &digest, OPENVEX));
    let other = envelope.to_string().replace(
        &STANDARD.encode(statement.to_string()),
        &STANDARD.encode(statement.to_string().replace(hex, &"0".repeat(64))),
    );
    registry.manifest(
        "shop",
        &format!("sha256-{hex}.att"),
        MANIFEST,
        &put("application/vnd.dsse.envelope.v1+json", &other),
    );
    let report = user.scan(&target, &["--vex", "oci"]);
    assert_eq!(said_by(&report), [] as [&str; 0]);
    let gaps = report["gaps"].to_string();
    assert!(gaps.contains("not about this image") && gaps.contains(&digest), "{gaps}");
    // An image that is in no registry has nothing attached, and the report says so.
    let local = user.scan(&format!("oci-dir:{}", layout.display()), &["--vex", "oci"]);
    assert!(local["gaps"].to_string().contains("attached VEX documents"), "{}", local["gaps"]);
}

fn finding<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["findings"].as_array().expect("findings").iter().find(|finding| finding["id"] == id).expect(id)
}

/// The vulnerabilities of which somebody says that they do not matter.
fn said_by(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().expect("findings").iter();
    let mut said: Vec<&str> =
        findings.filter(|it| it["vex"]["status"] == "not_affected").filter_map(|it| it["id"].as_str()).collect();
    said.sort_unstable();
    said.dedup();
    said
}
