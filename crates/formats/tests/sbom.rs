//! Bills of materials that others wrote, and broken ones.

use std::fmt::Write as _;
use std::path::Path;

use dogwatch_formats::sbom::{self, SbomError};
use expect_test::{Expect, expect};
use model::gap::GapKind;
use model::inventory::Inventory;
use model::package::PackageType;
use proptest::prelude::*;
use serde_json::{Value, json};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/formats").join(name)).unwrap()
}

fn inventory(document: &Value) -> Inventory {
    sbom::read(document.to_string().as_bytes()).unwrap().1
}

fn cyclonedx(components: Value) -> Value {
    json!({ "bomFormat": "CycloneDX", "specVersion": "1.5", "components": components })
}

fn check(document: &Value, expected: Expect) {
    let inventory = inventory(document);
    let mut text = String::new();
    if let Some(distro) = &inventory.distro {
        writeln!(text, "distro {} {}", distro.id, distro.version_id.as_deref().unwrap_or("-")).unwrap();
    }
    for package in &inventory.packages {
        let source = package.source.as_ref().map(|s| format!(" from {} {}", s.name, s.version)).unwrap_or_default();
        let paths: Vec<_> = package.evidence.iter().map(|e| e.path.as_str()).collect();
        let layer = package.layer.map(|layer| format!(" layer {layer}")).unwrap_or_default();
        let needs: Vec<_> = package.depends_on.iter().map(|id| id.0).collect();
        writeln!(text, "{} {} {}{source} {paths:?}{layer} {needs:?}", package.kind, package.name, package.version)
            .unwrap();
    }
    for gap in &inventory.gaps {
        writeln!(text, "gap {} {}: {}", gap.kind.as_str(), gap.subject, gap.detail).unwrap();
    }
    expected.assert_eq(&text);
}

// Proves: source sbom:.
#[test]
fn both_formats_of_syft_give_the_same_packages() {
    let (_, from_cyclonedx) = sbom::read(&fixture("syft.cdx.json")).unwrap();
    let (artifact, from_spdx) = sbom::read(&fixture("syft.spdx.json")).unwrap();
    assert_eq!(artifact.target, "shop");
    let facts = |inventory: &Inventory| {
        let mut facts: Vec<_> = inventory
            .packages
            .iter()
            .map(|p| (p.purl.clone(), p.name.clone(), p.version.clone(), p.source.clone()))
            .collect();
        facts.sort();
        facts
    };
    assert_eq!(from_cyclonedx.packages.len(), 70);
    assert_eq!(facts(&from_cyclonedx), facts(&from_spdx));
    for inventory in [&from_cyclonedx, &from_spdx] {
        assert_eq!(inventory.gaps, []);
        let distro = inventory.distro.as_ref().unwrap();
        assert_eq!((distro.id.as_str(), distro.version_id.as_deref()), ("debian", Some("12")));
        let libssl = inventory.packages.iter().find(|package| package.name == "libssl3").unwrap();
        assert_eq!(libssl.kind, PackageType::Deb);
        assert_eq!(libssl.source.as_ref().unwrap().name, "openssl");
        assert_eq!(libssl.evidence[0].path, "var/lib/dpkg/status");
        let libc = inventory.packages.iter().find(|package| package.name == "libc6").unwrap();
        assert!(libssl.depends_on.contains(&libc.id));
    }
}

#[test]
fn trivy_names_sources_layers_and_files_in_properties() {
    let diff = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let property = |name: &str, value: &str| json!({ "name": format!("aquasecurity:trivy:{name}"), "value": value });
    let document = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6",
        "metadata": { "component": {
            "type": "container", "name": "shop:1", "properties": [property("DiffID", &diff("a")), property("DiffID", &diff("b"))],
        }},
        "components": [
            { "type": "operating-system", "bom-ref": "os", "name": "debian", "version": "12.5", "properties": [property("Type", "debian")] },
            { "type": "application", "bom-ref": "lock", "name": "app/package-lock.json", "properties": [property("Class", "lang-pkgs")] },
            { "type": "library", "bom-ref": "ssl", "name": "libssl3", "version": "3.0.9-1",
              "purl": "pkg:deb/debian/libssl3@3.0.9-1?arch=amd64&distro=debian-12.5&epoch=2", "properties": [
                property("SrcName", "openssl"), property("SrcVersion", "3.0.9"), property("SrcRelease", "1"), property("SrcEpoch", "2"),
                property("LayerDiffID", &diff("b")) ] },
            { "type": "library", "bom-ref": "lodash", "name": "lodash", "version": "4.17.15", "purl": "pkg:npm/lodash@4.17.15",
              "properties": [property("FilePath", "app/node_modules/lodash/package.json")] },
        ],
        "dependencies": [{ "ref": "lodash", "dependsOn": ["ssl", "nowhere"] }],
    });
    check(
        &document,
        expect![[r#"
        distro debian 12.5
        deb libssl3 2:3.0.9-1 from openssl 2:3.0.9-1 [] layer 1 []
        npm lodash 4.17.15 ["app/node_modules/lodash/package.json"] [0]
    "#]],
    );
}

#[test]
fn what_is_not_stated_becomes_a_gap_and_nothing_is_lost() {
    let document = cyclonedx(json!([
        { "type": "library", "name": "no-purl", "version": "1.0" },
        { "type": "library", "name": "no-version", "purl": "pkg:npm/no-version" },
        { "type": "library", "name": "bad-purl", "version": "1", "purl": "npm/bad" },
        { "type": "library", "name": "libc6", "version": "2.36", "purl": "pkg:deb/libc6@2.36" },
        "not an object",
        { "type": "library", "name": 7, "purl": ["x"], "components": { "a": 1 } },
        { "type": "file", "name": "/etc/passwd" },
    ]));
    check(
        &document,
        expect![[r#"
            generic no-purl 1.0 [] []
            npm no-version  [] []
            generic bad-purl 1 [] []
            deb libc6 2.36 [] []
            generic   [] []
            gap unsupported no-purl: the component has no package URL, so no advisory can be matched
            gap unknown-version no-version: the component has no version
            gap malformed bad-purl: `npm/bad` is not a package URL: it does not begin with `pkg:`
            gap malformed components: an entry is not an object
            gap unsupported a component without a name: the component has no package URL, so no advisory can be matched
            gap unknown-version a component without a name: the component has no version
            gap unknown-distribution distro: the bill does not name the distribution of its OS packages
        "#]],
    );
}

#[test]
fn nested_and_repeated_components() {
    let document = cyclonedx(json!([
        { "type": "framework", "bom-ref": "a", "name": "a", "version": "1", "purl": "pkg:npm/a@1", "components": [
            { "type": "library", "bom-ref": "b", "name": "b", "version": "2", "purl": "pkg:npm/b@2", "components": [
                { "type": "library", "bom-ref": "a", "name": "c", "version": "3", "purl": "pkg:npm/c@3" } ] } ] },
        { "type": "library", "bom-ref": "b", "name": "b", "version": "2", "purl": "pkg:npm/b@2" },
    ]));
    check(
        &document,
        expect![[r#"
        npm a 1 [] []
        npm b 2 [] []
        npm c 3 [] []
        gap malformed a: two components share this reference, so what depends on it is not known
    "#]],
    );
}

#[test]
fn the_distribution_can_come_from_package_urls_alone() {
    let document = cyclonedx(json!([
        { "type": "library", "name": "musl", "version": "1.2.4-r2", "purl": "pkg:apk/alpine/musl@1.2.4-r2?distro=alpine-3.18.4" },
        { "type": "library", "name": "zlib", "version": "1.2.13-r1", "purl": "pkg:apk/alpine/zlib@1.2.13-r1?distro=alpine-3.18.4" },
        { "type": "library", "name": "x", "version": "1", "purl": "pkg:rpm/opensuse/x@1?distro=opensuse-leap-15.5" },
    ]));
    check(
        &document,
        expect![[r#"
        distro alpine 3.18.4
        apk musl 1.2.4-r2 [] []
        apk zlib 1.2.13-r1 [] []
        rpm x 1 [] []
        gap unknown-distribution distro: the package URLs name several distributions: alpine-3.18.4, opensuse-leap-15.5
    "#]],
    );
}

#[test]
fn spdx_of_2_2_and_wrapped_by_a_dependency_export() {
    let document = json!({ "sbom": {
        "spdxVersion": "SPDX-2.2", "SPDXID": "SPDXRef-DOCUMENT", "name": "com.github.shop",
        "documentDescribes": ["SPDXRef-root"],
        "packages": [
            { "SPDXID": "SPDXRef-root", "name": "shop" },
            { "SPDXID": "SPDXRef-1", "name": "lodash", "versionInfo": "4.17.15", "licenseDeclared": "LicenseRef-x", "externalRefs": [
                { "referenceCategory": "PACKAGE_MANAGER", "referenceType": "purl", "referenceLocator": "pkg:npm/lodash@4.17.15" }] },
            { "SPDXID": "SPDXRef-2", "name": "mystery" },
            7,
        ],
        "hasExtractedLicensingInfos": [{ "licenseId": "LicenseRef-x", "extractedText": "Own" }],
        "relationships": [{ "spdxElementId": "SPDXRef-1", "relatedSpdxElement": "SPDXRef-2", "relationshipType": "DEPENDENCY_OF" }, {}],
    }});
    check(
        &document,
        expect![[r#"
        npm lodash 4.17.15 [] []
        generic mystery  [] [0]
        gap malformed relationship 2: missing field `spdxElementId` at line 1 column 2
        gap unsupported mystery: the component has no package URL, so no advisory can be matched
        gap unknown-version mystery: the component has no version
        gap malformed package 4: it is not an object
    "#]],
    );
    assert_eq!(inventory(&document).packages[0].licenses, ["Own"]);
}

#[test]
fn other_documents_are_refused_with_their_reason() {
    let error = |text: &str| {
        let error = sbom::read(text.as_bytes()).unwrap_err();
        (error.to_string(), error.hint().is_some())
    };
    assert_eq!(error("<bom/>"), ("XML is not read".into(), true));
    assert_eq!(error("SPDXVersion: SPDX-2.3\n"), ("SPDX tag-value is not read".into(), true));
    assert_eq!(error(r#"{"bomFormat":"CycloneDX","specVersion":"9.9"}"#).0, "CycloneDX 9.9 is not read");
    assert_eq!(error(r#"{"bomFormat":"CycloneDX"}"#).0, "CycloneDX of unknown version is not read");
    assert_eq!(error(r#"{"spdxVersion":"SPDX-1.0"}"#).0, "SPDX 1.0 is not read");
    assert_eq!(error(r#"{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}"#).0, "SPDX 3 is not read");
    assert!(matches!(sbom::read(b"{}"), Err(SbomError::Unrecognised)));
    for text in ["", "[", "null", "\"x\"", r#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":7}"#] {
        assert!(sbom::read(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn deep_nesting_is_an_error_or_a_gap() {
    let deep = "[".repeat(100_000);
    assert!(matches!(sbom::read(deep.as_bytes()), Err(SbomError::Json(_))));
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let good = r#"{"type":"library","name":"a","version":"1","purl":"pkg:npm/a@1"}"#;
    let document = format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{nested},{good}]}}"#);
    let (_, inventory) = sbom::read(document.as_bytes()).unwrap();
    assert_eq!((inventory.packages.len(), inventory.gaps.len()), (1, 1));
    assert_eq!(inventory.gaps[0].kind, GapKind::Malformed);
    let component = r#"{"type":"library","name":"a","version":"1","purl":"pkg:npm/a@1","components":["#;
    let document = format!(
        r#"{{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{}{}]}}"#,
        component.repeat(50_000),
        "]}".repeat(50_000)
    );
    let (_, inventory) = sbom::read(document.as_bytes()).unwrap();
    assert_eq!(inventory.gaps.len(), 1);
}

#[test]
fn a_bill_cut_anywhere_is_an_error() {
    for name in ["syft.cdx.json", "syft.spdx.json"] {
        let bytes = fixture(name);
        let end = bytes.trim_ascii_end().len();
        for length in (0..end).step_by(97).chain([end - 1]) {
            assert!(sbom::read(&bytes[..length]).is_err(), "{name} cut at {length}");
        }
    }
}

/// JSON of any shape with the field names that the reader looks for.
fn any_json() -> impl Strategy<Value = Value> {
    const NAMES: &[&str] = &[
        "type",
        "name",
        "version",
        "purl",
        "bom-ref",
        "components",
        "licenses",
        "license",
        "properties",
        "value",
        "evidence",
        "occurrences",
        "location",
        "externalRefs",
        "referenceType",
        "referenceLocator",
        "SPDXID",
        "versionInfo",
        "ref",
        "dependsOn",
        "primaryPackagePurpose",
        "metadata",
        "component",
        "packages",
        "relationships",
    ];
    const TEXTS: &[&str] =
        &["operating-system", "pkg:npm/a@1", "pkg:deb/debian/x@1?epoch=1&upstream=y%401", "purl", "CONTAINER", "pkg:%"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(TEXTS).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(NAMES), inner), 0..6)
                .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = sbom::read(&bytes);
    }

    #[test]
    fn no_shape_makes_the_reader_panic(components in prop::collection::vec(any_json(), 0..5), metadata in any_json(), text in any::<String>()) {
        for document in [
            json!({ "bomFormat": "CycloneDX", "specVersion": "1.4", "metadata": metadata, "components": components, "dependencies": components }),
            json!({ "spdxVersion": "SPDX-2.3", "name": metadata, "packages": components, "relationships": components,
                    "hasExtractedLicensingInfos": components }),
            cyclonedx(json!([{ "type": "library", "name": text, "purl": format!("pkg:{text}") }])),
        ] {
            let (_, inventory) = sbom::read(document.to_string().as_bytes()).unwrap();
            for (position, package) in inventory.packages.iter().enumerate() {
                prop_assert_eq!(package.id.0 as usize, position);
                prop_assert!(package.depends_on.iter().all(|id| (id.0 as usize) < inventory.packages.len()));
            }
        }
    }
}
