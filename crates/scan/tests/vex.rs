//! From VEX documents to findings with a statement beside them: which are meant, and which are not.

use std::path::{Path, PathBuf};

use assessment::vex::Statements;
use dogwatch_scan::vex::{VexFileError, load};
use model::artifact::{Artifact, ArtifactKind};
use model::finding::Finding;
use model::inventory::Inventory;
use model::package::PackageId;
use model::purl;
use model::report::ScanReport;
use model::vex::VexStatus;
use policy::{Exceptions, PolicySet, Subject};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

fn shop() -> ScanReport {
    let text = std::fs::read_to_string(fixtures().join("policy/shop-report.json")).expect("a fixture");
    serde_json::from_str(&text).expect("a report")
}

/// Packages by their URLs, and which needs which.
fn inventory(urls: &[&str], needs: &[(u32, u32)]) -> Inventory {
    let mut packages: Vec<_> = urls.iter().map(|url| purl::parse(url).expect("a purl").package(url)).collect();
    for (index, package) in packages.iter_mut().enumerate() {
        package.id = PackageId(index as u32);
        package.depends_on =
            needs.iter().filter(|(from, _)| *from == index as u32).map(|(_, to)| PackageId(*to)).collect();
    }
    Inventory { packages, ..Inventory::default() }
}

fn finding(id: &str, package: u32) -> Finding {
    let text = format!(
        r#"{{"id":"{id}","ids":["{id}"],"package":{package},"severity":"high","fix":{{"state":"none"}},"matches":[]}}"#
    );
    serde_json::from_str(&text).expect("a finding")
}

/// What the statements make of one finding.
fn status(statements: &Statements, artifact: &Artifact, inventory: &Inventory, finding: Finding) -> Option<VexStatus> {
    let mut findings = [finding];
    statements.stand_beside(&mut findings, artifact, inventory);
    findings[0].vex.as_ref().map(|vex| vex.status)
}

/// Statements about `CVE-1`, as `(product with its parts, status, day of the month)`.
fn openvex(statements: &[(&str, &str, u8)]) -> Statements {
    let statements: Vec<String> = statements
        .iter()
        .map(|(product, status, day)| {
            format!(
                r#"{{"vulnerability":{{"name":"CVE-1"}},"products":[{product}],"status":"{status}","impact_statement":"i","timestamp":"2026-01-{day:02}T00:00:00Z"}}"#
            )
        })
        .collect();
    let text = format!(r#"{{"@context":"https://openvex.dev/ns/v0.2.0","statements":[{}]}}"#, statements.join(","));
    let document = formats::vex::read("t.json", text.as_bytes()).expect("a document");
    assert_eq!(document.problems, [""; 0]);
    Statements::new(document.statements)
}

#[test]
fn a_word_about_a_program_is_about_the_modules_in_it_and_no_others() {
    let trivy = load(&[fixtures().join("vex/trivy.openvex.json")]).expect("a document");
    let directory = Artifact::new("dir:.", ArtifactKind::Directory);
    let (program, helm) = ("pkg:golang/github.com/aquasecurity/trivy@0.53.0", "pkg:golang/helm.sh/helm/v3@3.14.0");
    let say = |inventory: &Inventory, id: &str, package: u32| {
        status(&trivy.statements, &directory, inventory, finding(id, package))
    };
    let inside = inventory(&[program, helm], &[(0, 1)]);
    assert_eq!(say(&inside, "CVE-2024-26147", 1), Some(VexStatus::NotAffected), "by an alias");
    assert_eq!(say(&inside, "CVE-2024-99999", 1), None, "another vulnerability");
    assert_eq!(say(&inside, "CVE-2024-26147", 0), None, "another part");
    let also = inventory(&[program, helm, "pkg:golang/shop.example/web@1.0.0"], &[(0, 1), (2, 1)]);
    assert_eq!(say(&also, "CVE-2024-26147", 1), None, "another program has the module as well");
    let alone = inventory(&[helm], &[]);
    assert_eq!(say(&alone, "CVE-2024-26147", 0), None, "the product is not here");
}

#[test]
fn a_word_about_an_image_is_about_that_image() {
    let zookeeper = load(&[fixtures().join("vex/stackstate-zookeeper.openvex.json")]).expect("a document");
    let netty =
        inventory(&["pkg:maven/io.netty/netty-codec@4.1.130.Final", "pkg:maven/io.netty/netty-codec@4.1.1"], &[]);
    let say = |name: &str, package: u32| {
        let mut image = Artifact::new("oci-dir:x", ArtifactKind::Image);
        image.names = vec![name.to_owned()];
        status(&zookeeper.statements, &image, &netty, finding("GHSA-mj4r-2hfc-f8p6", package))
    };
    assert_eq!(say("quay.io/stackstate/zookeeper:3.8", 0), Some(VexStatus::NotAffected));
    assert_eq!(say("quay.io/stackstate/zookeeper:3.8", 1), None, "another version of the part");
    assert_eq!(say("registry.example/stackstate/zookeeper:3.8", 0), None, "another repository");
}

#[test]
fn what_a_product_s_name_fits() {
    let libc = "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc";
    let curl = "pkg:rpm/redhat/curl@7.61.1-33.el8?arch=x86_64&epoch=1";
    let here = inventory(&[libc, curl, "pkg:pypi/ruamel-yaml@0.17", "pkg:golang/stdlib@1.24.6"], &[]);
    let mut image = Artifact::new("shop", ArtifactKind::Image);
    image.names = vec!["registry.example:5000/prod/shop:1.4".into()];
    image.platform = Some("linux/amd64".into());
    let digest = "sha256:62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a";
    image.manifest_digest = Some(model::digest::Digest::parse(digest).expect("a digest"));
    let other = digest.replace('6', "7");
    let fits = |id: &str, package: u32| {
        let product = format!(r#"{{"@id":"{id}"}}"#);
        status(&openvex(&[(&product, "not_affected", 1)]), &image, &here, finding("CVE-1", package)).is_some()
    };
    let encoded = digest.replace(':', "%3A");
    for (id, package) in [
        ("pkg:deb/debian/libc6", 0),
        ("pkg:deb/debian/libc6@2.36-9", 0),
        ("pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=bookworm", 0),
        ("pkg:deb/debian/glibc@2.36-9?arch=source", 0),
        ("pkg:rpm/redhat/curl@7.61.1-33.el8?arch=x86_64", 1),
        ("pkg:pypi/ruamel.yaml", 2),
        ("pkg:golang/stdlib@v1.24.6", 3),
        (format!("pkg:oci/shop@{encoded}").as_str(), 2),
        (format!("pkg:oci/shop@{digest}?repository_url=mirror.example/shop").as_str(), 2),
        ("pkg:oci/shop?repository_url=registry.example:5000/prod/shop&tag=1.4&arch=amd64", 2),
        ("pkg:oci/shop?repository_url=registry.example:5000/prod", 2),
        ("registry.example:5000/prod/shop:1.4", 2),
    ] {
        assert!(fits(id, package), "{id}");
    }
    for (id, package) in [
        ("pkg:deb/debian/libc6@2.36-8", 0),
        ("pkg:deb/ubuntu/libc6", 0),
        ("pkg:deb/debian/libc6?distro=debian-11", 0),
        ("pkg:deb/debian/libc6?arch=arm64", 0),
        ("pkg:deb/debian/glibc", 0),
        ("pkg:deb/debian/libc6?repository_url=mirror.example", 0),
        ("pkg:rpm/centos/curl", 1),
        ("pkg:rpm/redhat/curl@7.61.1-33.el8?epoch=2", 1),
        ("pkg:npm/ruamel.yaml", 2),
        ("pkg:golang/stdlib#net/http", 3),
        ("pkg:oci/shop?repository_url=registry.example/shop", 2),
        ("pkg:oci/shop?tag=1.5", 2),
        ("pkg:oci/shop?arch=arm64", 2),
        (format!("pkg:oci/shop@{other}").as_str(), 2),
        ("cpe:2.3:a:*:*:*:*:*:*:*:*:*:*:*", 2),
        ("", 2),
        ("*", 2),
    ] {
        assert!(!fits(id, package), "{id}");
    }
}

#[test]
fn the_newest_statement_counts() {
    let here = inventory(&["pkg:npm/a@1.0.0"], &[]);
    let directory = Artifact::new("dir:.", ArtifactKind::Directory);
    let product = r#"{"@id":"pkg:npm/a"}"#;
    let say = |statements: &[(&str, &str, u8)]| {
        status(&openvex(statements), &directory, &here, finding("CVE-1", 0)).map(VexStatus::as_str)
    };
    assert_eq!(say(&[(product, "not_affected", 3), (product, "affected", 2)]), Some("not_affected"));
    assert_eq!(say(&[(product, "not_affected", 2), (product, "affected", 3)]), Some("affected"));
    assert_eq!(say(&[(product, "under_investigation", 2), (product, "fixed", 2)]), Some("fixed"));
}

#[test]
fn policies_do_not_count_what_is_said_not_to_affect_unless_they_judge_it() {
    let mut report = shop();
    let finding = report.findings.iter().find(|finding| finding.id == "CVE-2023-38545").expect("curl").clone();
    let text = r#"{"@context":"https://openvex.dev/ns/v0.2.0","author":"shop","timestamp":"2026-01-01T00:00:00Z","statements":[
        {"vulnerability":{"name":"CVE-2023-38545"},"products":[{"@id":"pkg:deb/debian/curl"}],"status":"not_affected","justification":"vulnerable_code_not_in_execute_path"}]}"#;
    let document = formats::vex::read("shop.json", text.as_bytes()).expect("a document");
    Statements::new(document.statements).stand_beside(&mut report.findings, &report.artifact, &report.inventory);
    assert!(report.findings.iter().any(|it| it.id == finding.id), "it stays in the report");
    let judge = |condition: &str| {
        let text =
            format!("version: 1\nname: p\nstages: [build]\ncondition: '{condition}'\nrationale: r\naction: deny\n");
        let policies = PolicySet::load([("p.yaml", text.as_str())]).unwrap_or_else(|errors| panic!("{}", errors[0]));
        let verdict = policies.evaluate(
            model::verdict::Stage::Build,
            &Subject::of(&report),
            &Exceptions::default(),
            report.judged_at,
        );
        let excuses: Vec<_> = verdict.violations.iter().map(|violation| violation.excused_by.clone()).collect();
        (format!("{:?}", verdict.outcome), excuses)
    };
    let plain = r#"finding.id == "CVE-2023-38545""#;
    assert_eq!(judge(plain), ("Passed".into(), vec![Some("VEX shop.json".into())]));
    let judging = format!(r#"{plain} && finding.vex_status == "not_affected" && finding.vex_author != "vendor""#);
    assert_eq!(judge(&judging), ("Failed".into(), vec![None]), "a policy may refuse VEX");
}

#[test]
fn files_that_cannot_be_read_are_named_and_collections_hold_other_things_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let below = directory.path().join("pkg/golang");
    std::fs::create_dir_all(&below).expect("directories");
    std::fs::copy(fixtures().join("vex/trivy.openvex.json"), below.join("openvex.json")).expect("a copy");
    std::fs::write(directory.path().join("index.json"), r#"{"version":1,"packages":[]}"#).expect("an index");
    let read = load(&[directory.path().to_owned()]).expect("a collection");
    assert!(read.notes[0].contains("1 VEX documents, 1 other JSON files"), "{:?}", read.notes);
    assert!(!read.statements.is_empty());
    std::fs::write(below.join("broken.json"), "{").expect("a file");
    let error = load(&[directory.path().to_owned()]).expect_err("a damaged document");
    assert!(error.to_string().contains("broken.json"), "{error}");
    assert!(matches!(load(&[directory.path().join("index.json")]), Err(VexFileError::Document { .. })));
    assert!(matches!(load(&[directory.path().join("nothing")]), Err(VexFileError::Read { .. })));
}
