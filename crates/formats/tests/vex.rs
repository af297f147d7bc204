//! VEX documents as others publish them, and broken ones.

use dogwatch_formats::vex::{VexDocument, VexError, read};
use dogwatch_formats::{csaf, cyclonedx, json, openvex};
use model::finding::Finding;
use model::report::ScanReport;
use model::vex::{Vex, VexStatement, VexStatus};

fn fixture(name: &str) -> VexDocument {
    let path = format!("{}/../../tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).expect("a fixture");
    read(name, &bytes).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// One statement in a line: ids, products with their parts, status and reason.
fn line(statement: &VexStatement) -> String {
    let products: Vec<String> = statement
        .products
        .iter()
        .map(|product| {
            let parts: Vec<String> = product.subcomponents.iter().map(|part| part.names.join("|")).collect();
            format!("{}[{}]", product.names.join("|"), parts.join(","))
        })
        .collect();
    let said = &statement.said;
    let reason = said.justification.as_deref().unwrap_or("-");
    format!("{} {} {} {reason}", statement.vulnerabilities.join("+"), products.join(" "), said.status.as_str())
}

#[test]
fn openvex_of_publishers() {
    let rancher = fixture("vex/datadog-def.openvex.json");
    assert_eq!(
        line(&rancher.statements[0]),
        "CVE-2025-47912+GO-2025-4010+CVE-2025-47912 pkg:golang/github.com/DataDog/datadog-agent/comp/def[pkg:golang/stdlib@v1.24.6] not_affected vulnerable_code_not_present"
    );
    let said = &rancher.statements[0].said;
    assert_eq!(
        (said.author.as_str(), said.document.as_str()),
        ("Rancher Security team", "vex/datadog-def.openvex.json")
    );
    assert_eq!(said.timestamp.expect("its own time").to_string(), "2026-06-19T00:00:00Z");
    assert_eq!(said.statement.as_deref(), Some("Govulncheck determined that the vulnerable code isn't called"));

    let trivy = fixture("vex/trivy.openvex.json");
    assert_eq!(trivy.statements.len(), 2);
    let time = trivy.statements[1].said.timestamp.expect("the document's time");
    assert_eq!(time.to_string(), "2024-07-09T07:38:00.115697Z");

    let stackstate = fixture("vex/stackstate-zookeeper.openvex.json");
    assert_eq!(
        stackstate.statements[0].products[0].names,
        ["pkg:oci/zookeeper?repository_url=quay.io/stackstate/zookeeper"]
    );
    assert!(stackstate.problems.is_empty());

    // Canonical's has its head in `metadata`, and days for times.
    let ubuntu = fixture("feeds/ubuntu-vex-CVE-2025-5994.json");
    assert_eq!(ubuntu.statements[0].said.status, VexStatus::Fixed);
    assert_eq!(ubuntu.statements[0].said.timestamp.expect("a day").to_string(), "2025-07-17T00:00:00Z");
    assert!(!ubuntu.statements[0].said.author.is_empty());
}

#[test]
fn cyclonedx_of_its_own_examples() {
    let jackson = fixture("vex/cyclonedx-jackson.cdx.json");
    assert_eq!(
        line(&jackson.statements[0]),
        "CVE-2020-25649+SNYK-JAVA-COMFASTERXMLJACKSONCORE-1048302 pkg:maven/com.fasterxml.jackson.core/jackson-databind@2.10.0?type=jar[] not_affected code_not_reachable"
    );
    let cisa = fixture("vex/cisa-case-5.cdx.json");
    assert_eq!(line(&cisa.statements[0]), "CVE-2021-44228 XYZ[] under_investigation -");
}

#[test]
fn csaf_of_red_hat_and_suse() {
    let redhat = fixture("feeds/redhat-vex-CVE-2024-24786.json");
    let first = &redhat.statements[0];
    assert_eq!(first.said.status, VexStatus::Fixed);
    assert_eq!(first.said.author, "Red Hat Product Security");
    assert!(first.products[0].names.iter().any(|name| name.starts_with("cpe:/")), "{:?}", first.products);
    let part = &first.products[0].subcomponents[0];
    assert!(part.names.iter().any(|name| name.starts_with("pkg:rpm/redhat/cri-tools@")), "{part:?}");
    let suse = fixture("feeds/suse-vex-CVE-2023-47627.json");
    assert!(suse.statements.iter().any(|statement| statement.said.status == VexStatus::Affected));
}

#[test]
fn old_openvex_names_things_plainly() {
    let text = r#"{"@context":"https://openvex.dev/ns","author":"a","timestamp":"2023-01-08T18:02:03-06:00","statements":[
        {"vulnerability":"CVE-2023-1","products":["pkg:apk/wolfi/git@2.39.0-r1?arch=x86_64"],"subcomponents":["pkg:apk/wolfi/curl"],"status":"fixed"}]}"#;
    let document = read("old.json", text.as_bytes()).expect("a document");
    assert_eq!(
        line(&document.statements[0]),
        "CVE-2023-1 pkg:apk/wolfi/git@2.39.0-r1?arch=x86_64[pkg:apk/wolfi/curl] fixed -"
    );
}

#[test]
fn what_is_not_understood_is_a_problem_and_not_used() {
    let problem = |statement: &str| {
        let text = format!(r#"{{"@context":"https://openvex.dev/ns/v0.2.0","statements":[{statement}]}}"#);
        let document = read("x.json", text.as_bytes()).expect("a document");
        assert_eq!(document.statements, [], "{statement}");
        document.problems.join("; ")
    };
    let product = r#""products":[{"@id":"pkg:npm/a"}]"#;
    assert!(problem(r#"{"vulnerability":{"name":"CVE-1"},"status":"fixed"}"#).contains("names no product"));
    assert!(
        problem(&format!(r#"{{"vulnerability":{{"name":"CVE-1"}},{product},"status":"not_affected"}}"#))
            .contains("justification")
    );
    assert!(
        problem(&format!(r#"{{"vulnerability":{{"name":"CVE-1"}},{product},"status":"harmless"}}"#))
            .contains("`harmless`")
    );
    assert!(
        problem(&format!(r#"{{"vulnerability":{{}},{product},"status":"fixed"}}"#)).contains("names no vulnerability")
    );
    assert!(problem("7").contains("malformed"));
    let many = vec!["7"; 1000].join(",");
    assert!(problem(&many).ends_with("990 more of its statements are not used"));
}

#[test]
fn what_is_no_document_is_refused() {
    let refused = |text: &str| read("x.json", text.as_bytes()).expect_err(text);
    assert!(matches!(refused("{"), VexError::Malformed(_)));
    assert!(matches!(refused("[]"), VexError::Malformed(_)));
    assert!(matches!(refused("{}"), VexError::Unrecognised));
    assert!(matches!(refused(r#"{"bomFormat":"CycloneDX","specVersion":"1.3"}"#), VexError::Unsupported { .. }));
    assert!(matches!(
        refused(r#"{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[]}"#),
        VexError::Attestation
    ));
    let deep =
        format!(r#"{{"document":{{"csaf_version":"2.0"}},"product_tree":{}1"#, r#"{"branches":["#.repeat(100_000));
    assert!(matches!(refused(&deep), VexError::Malformed(_)));
}

fn text(name: &str) -> String {
    let path = format!("{}/../../tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("a fixture")
}

/// The report with a word of each sort on some findings.
fn report() -> ScanReport {
    let mut report = json::read(text("formats/report.json").as_bytes()).expect("a report");
    let say = |status, justification: Option<&str>, statement: Option<&str>| Vex {
        status,
        justification: justification.map(str::to_owned),
        statement: statement.map(str::to_owned),
        author: "The shop".into(),
        timestamp: "2026-01-01T00:00:00Z".parse().ok(),
        document: "shop.json".into(),
    };
    report.findings[0].vex = Some(say(VexStatus::NotAffected, Some("code_not_reachable"), Some("never called")));
    report.findings[1].vex = Some(say(VexStatus::NotAffected, Some("vulnerable_code_not_present"), Some("cut out")));
    report.findings[2].vex = Some(say(VexStatus::Fixed, None, None));
    report.findings[3].vex = Some(say(VexStatus::Affected, None, None));
    report
}

/// What a document of ours must say of a finding: what others said, else only what versions tell.
fn status(finding: &Finding) -> VexStatus {
    match (&finding.vex, finding.fix.version()) {
        (Some(vex), _) => vex.status,
        (None, Some(_)) => VexStatus::Affected,
        (None, None) => VexStatus::UnderInvestigation,
    }
}

// Proves: format openvex.
#[test]
fn our_openvex_is_valid_and_is_read_back() {
    let report = report();
    let written = openvex::write(&report);
    assert_eq!(invalid(&written, "schemas/openvex-0.2.0.schema.json"), [""; 0]);
    let back = read("own.json", written.as_bytes()).expect("a document");
    assert_eq!(back.problems, [""; 0]);
    for (finding, statement) in report.findings.iter().zip(&back.statements) {
        assert_eq!(statement.vulnerabilities[0], finding.id);
        assert_eq!(statement.said.status, status(finding), "a scanner never says `not_affected` by itself");
        let part = &statement.products[0].subcomponents[0];
        assert!(part.names.contains(&report.inventory.package(finding.package).purl));
    }
    assert!(written.contains("code_not_reachable: never called") && written.contains("by The shop, in shop.json"));
}

/// What is wrong with a document by a publisher's schema.
fn invalid(document: &str, schema: &str) -> Vec<String> {
    let schema = serde_json::from_str(&text(schema)).expect("a schema");
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).expect("a validator");
    let document = serde_json::from_str(document).expect("JSON");
    validator.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

// Proves: format csaf.
#[test]
fn our_csaf_is_valid_and_is_read_back() {
    let report = report();
    let written = csaf::write(&report);
    assert_eq!(invalid(&written, "schemas/csaf-2.0.schema.json"), [""; 0]);
    let back = read("own.json", written.as_bytes()).expect("a document");
    assert_eq!(back.problems, [""; 0]);
    assert_eq!(back.statements.len(), report.findings.len());
    for finding in &report.findings {
        let purl = &report.inventory.package(finding.package).purl;
        let about = |it: &&VexStatement| {
            let parts = it.products.iter().flat_map(|product| &product.subcomponents);
            it.vulnerabilities.contains(&finding.id) && parts.into_iter().any(|part| part.names.contains(purl))
        };
        let statement = back.statements.iter().find(about).unwrap_or_else(|| panic!("{} in {purl}", finding.id));
        assert_eq!(statement.said.status, status(finding), "a scanner never says `not_affected` by itself");
    }
    let document: serde_json::Value = serde_json::from_str(&written).expect("JSON");
    for vulnerability in document["vulnerabilities"].as_array().expect("vulnerabilities") {
        profile(vulnerability);
    }
}

/// Section 4.5: what the profile VEX asks for beyond the schema, and 6.1.6: nothing is said twice of a product.
fn profile(vulnerability: &serde_json::Value) {
    let ids = |value: &serde_json::Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|id| Some(id.as_str()?.to_owned())).collect()
    };
    let remarked = |list: &str| -> Vec<String> {
        let remarks = vulnerability[list].as_array().into_iter().flatten();
        remarks.flat_map(|remark| ids(&remark["product_ids"])).collect()
    };
    assert!(vulnerability["cve"].is_string() || vulnerability["ids"].is_array(), "{vulnerability}");
    assert!(vulnerability["notes"].is_array(), "{vulnerability}");
    let status = vulnerability["product_status"].as_object().expect("a status");
    let mut all: Vec<String> = status.values().flat_map(ids).collect();
    let count = all.len();
    all.sort();
    all.dedup();
    assert!(count > 0 && all.len() == count, "{vulnerability}");
    let explained = [remarked("flags"), remarked("threats")].concat();
    let mended = remarked("remediations");
    assert!(ids(&vulnerability["product_status"]["known_not_affected"]).iter().all(|id| explained.contains(id)));
    assert!(ids(&vulnerability["product_status"]["known_affected"]).iter().all(|id| mended.contains(id)));
}

#[test]
fn what_is_said_of_our_cyclonedx_vulnerabilities_is_read_back() {
    let report = report();
    let written = cyclonedx::write(&report, cyclonedx::Vulnerabilities::Included);
    let back = read("own.cdx.json", written.as_bytes()).expect("a document");
    assert_eq!(back.problems, [""; 0]);
    for finding in report.findings.iter().filter(|finding| finding.vex.is_some()) {
        let purl = &report.inventory.package(finding.package).purl;
        let names = |it: &&VexStatement| {
            it.vulnerabilities.contains(&finding.id) && it.products.iter().any(|product| product.names.contains(purl))
        };
        let statement = back.statements.iter().find(names).unwrap_or_else(|| panic!("{} in {purl}", finding.id));
        assert_eq!(Some(statement.said.status), finding.vex.as_ref().map(|vex| vex.status), "{}", finding.id);
    }
    assert_eq!(
        back.statements.iter().filter(|it| it.said.status.suppresses()).count(),
        report.findings.iter().filter(|it| it.vex.as_ref().is_some_and(|vex| vex.status.suppresses())).count()
    );
}
