//! SPDX JSON 2.2 and 2.3.

use std::collections::{BTreeSet, HashMap};

use model::artifact::{Artifact, ArtifactKind};
use model::digest::Digest;
use model::distro::Distro;
use model::gap::GapKind;
use model::inventory::Inventory;
use model::package::SourcePackage;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::SbomError;
use super::inventory::{Builder, Component};

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(default)]
    name: Value,
    #[serde(borrow, default)]
    packages: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    relationships: Vec<&'a RawValue>,
    #[serde(rename = "documentDescribes", default)]
    document_describes: Vec<Value>,
    #[serde(rename = "hasExtractedLicensingInfos", default)]
    extracted: Vec<Value>,
}

#[derive(Deserialize)]
struct Relationship {
    #[serde(rename = "spdxElementId")]
    from: String,
    #[serde(rename = "relatedSpdxElement")]
    to: String,
    #[serde(rename = "relationshipType")]
    relation: String,
}

pub(super) fn read(bytes: &[u8]) -> Result<(Artifact, Inventory), SbomError> {
    let document: Document<'_> = serde_json::from_slice(bytes).map_err(SbomError::Json)?;
    let mut builder = Builder::default();
    let mut described: BTreeSet<String> =
        document.document_describes.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    for (number, raw) in document.relationships.iter().enumerate() {
        match serde_json::from_str::<Relationship>(raw.get()) {
            Ok(relationship) => relate(&mut builder, &mut described, relationship),
            Err(error) => {
                let detail: String = error.to_string().chars().take(200).collect();
                builder.gap(GapKind::Malformed, format!("relationship {}", number + 1), detail);
            }
        }
    }
    let extracted: HashMap<&str, &str> =
        document.extracted.iter().map(|info| (text(info, "licenseId"), text(info, "extractedText"))).collect();
    let mut artifact = Artifact::new(document.name.as_str().unwrap_or_default(), ArtifactKind::Sbom);
    for (number, raw) in document.packages.iter().enumerate() {
        match serde_json::from_str::<Value>(raw.get()) {
            Ok(package) if package.is_object() => add(&mut builder, &mut artifact, &described, &extracted, &package),
            Ok(_) => builder.gap(GapKind::Malformed, format!("package {}", number + 1), "it is not an object"),
            Err(error) => {
                let detail: String = error.to_string().chars().take(200).collect();
                builder.gap(GapKind::Malformed, format!("package {}", number + 1), detail);
            }
        }
    }
    Ok((artifact, builder.finish()))
}

fn relate(builder: &mut Builder, described: &mut BTreeSet<String>, relationship: Relationship) {
    let Relationship { from, to, relation } = relationship;
    match relation.as_str() {
        "DESCRIBES" if from == "SPDXRef-DOCUMENT" => _ = described.insert(to),
        "DESCRIBED_BY" if to == "SPDXRef-DOCUMENT" => _ = described.insert(from),
        "DEPENDS_ON" => builder.depends(&from, &to),
        "DEPENDENCY_OF" | "RUNTIME_DEPENDENCY_OF" => builder.depends(&to, &from),
        _ => {}
    }
}

fn add(
    builder: &mut Builder,
    artifact: &mut Artifact,
    described: &BTreeSet<String>,
    extracted: &HashMap<&str, &str>,
    package: &Value,
) {
    let reference = text(package, "SPDXID");
    let purl = purl(package);
    let purpose = text(package, "primaryPackagePurpose");
    // What the document describes is the artifact itself, unless the document describes each package by its own.
    let is_root = described.contains(reference) && (purl.is_empty() || purl.starts_with("pkg:oci/"));
    if is_root || purpose == "CONTAINER" {
        builder.root(reference);
        return describe(artifact, package);
    }
    match purpose {
        "OPERATING-SYSTEM" | "OPERATING_SYSTEM" => return set_distro(builder, package),
        // Trivy's lock files and others' files: what they declare follows as packages.
        "APPLICATION" | "FILE" | "SOURCE" if purl.is_empty() && text(package, "versionInfo").is_empty() => return,
        _ => {}
    }
    builder.add(Component {
        reference: reference.to_owned(),
        name: text(package, "name").to_owned(),
        version: text(package, "versionInfo").to_owned(),
        purl: purl.to_owned(),
        licenses: licenses(package, extracted),
        paths: paths(package),
        source: source(package),
        ..Component::default()
    });
}

fn describe(artifact: &mut Artifact, package: &Value) {
    let name = text(package, "name");
    if text(package, "primaryPackagePurpose") == "CONTAINER" {
        artifact.manifest_digest = Digest::parse(text(package, "versionInfo")).ok();
        if !name.is_empty() {
            artifact.names.push(name.to_owned());
        }
    }
    if !name.is_empty() {
        artifact.target = name.to_owned();
    }
}

fn set_distro(builder: &mut Builder, package: &Value) {
    let stated = |name| Some(text(package, name)).filter(|text| !text.is_empty()).map(str::to_owned);
    builder.distro = Some(Distro {
        id: text(package, "name").to_lowercase(),
        version_id: stated("versionInfo"),
        pretty_name: stated("description"),
        ..Distro::default()
    });
}

fn purl(package: &Value) -> &str {
    let references = package.get("externalRefs").and_then(Value::as_array).into_iter().flatten();
    let mut purls = references.filter(|reference| text(reference, "referenceType") == "purl");
    purls.next().map(|reference| text(reference, "referenceLocator")).unwrap_or_default()
}

/// Declared licenses; a reference stands for its text where that is a short name.
fn licenses(package: &Value, extracted: &HashMap<&str, &str>) -> Vec<String> {
    let stated = [text(package, "licenseDeclared"), text(package, "licenseConcluded")];
    let license = stated.into_iter().find(|text| !matches!(*text, "" | "NOASSERTION" | "NONE"));
    let license =
        license.map(|license| extracted.get(license).copied().filter(|text| !text.is_empty()).unwrap_or(license));
    license.map(str::to_owned).into_iter().collect()
}

/// Where it was seen is said in words. Syft: `acquired package info from DPKG DB: /var/lib/dpkg/status, …`; Dogwatch:
/// `found by dpkg in var/lib/dpkg/status, …; brought by …`.
fn paths(package: &Value) -> Vec<String> {
    let info = text(package, "sourceInfo");
    let list = match info.strip_prefix("found by ").and_then(|info| info.split_once(" in ")) {
        Some((_, paths)) => paths.split(';').next(),
        None => info
            .strip_prefix("acquired package info from")
            .and_then(|info| info.split_once(": "))
            .map(|(_, paths)| paths),
    };
    list.map(|paths| paths.split(", ").map(str::to_owned).collect()).unwrap_or_default()
}

/// Trivy and Dogwatch say `built package from: openssl 3.0.9-1`.
fn source(package: &Value) -> Option<SourcePackage> {
    let (_, source) = text(package, "sourceInfo").split_once("built package from: ")?;
    let mut words = source.split_whitespace();
    let (name, version) = (words.next()?, words.next().unwrap_or_default());
    Some(SourcePackage { name: name.to_owned(), version: version.to_owned() })
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}
