//! Bills of materials that were left in the artifact: CycloneDX and SPDX, as JSON or as SPDX's tags. Bitnami's images have
//! one for each component.
//!
//! Such a document is a claim: what it lists becomes a package only where nothing else was found under the same name and
//! version. Package URLs are all that is read of it, with the licenses beside them.
//!
//! Source: CycloneDX 1.6 (JSON), "components"; SPDX 2.3, sections 7.21 (`externalRefs`) and 7.13, 7.15 (licenses).

use serde::Deserialize;
use serde_json::Value;

use crate::cataloger::{Cataloger, File, FileHead, Scope, TEXT_BYTES_MAX};
use crate::fact::{Fact, PackageFact, Parsed, Problem};
use model::gap::GapKind;
use model::purl;

/// Documents by their names.
pub(super) const CATALOGER: Cataloger =
    Cataloger { name: "embedded-sbom", version: 1, scope: Scope::Installed, wants, parse };

/// Documents of whole images list about 20,000 packages.
const PACKAGES_MAX: usize = 100_000;

/// Names that say what a document is: those that tools write and the CycloneDX and SPDX specifications recommend.
fn wants(file: &FileHead<'_>) -> bool {
    const ENDINGS: [&str; 5] = [".cdx.json", ".spdx.json", ".spdx", ".syft.json", ".cyclonedx.json"];
    let name = file.file_name();
    let named_so = ENDINGS.iter().any(|ending| name.ends_with(ending)) || NAMES.contains(&name);
    named_so && !is_elsewhere(file.path)
}

/// Names that other documents have, too.
const NAMES: [&str; 2] = ["bom.json", "sbom.json"];

/// Test data; and what apko writes for each package of Alpine's relatives, which repeats the package database.
fn is_elsewhere(path: &str) -> bool {
    path.starts_with("var/lib/db/sbom/")
        || path.split('/').any(|part| matches!(part, "test" | "tests" | "testdata" | "fixtures" | "test-fixtures"))
}

fn parse(file: &File<'_>) -> Parsed {
    let bytes = match file.bytes(TEXT_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut claims = Claims::default();
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        match serde_json::from_slice::<Document>(bytes) {
            Ok(document) if document.is_other() && NAMES.iter().any(|name| file.path.ends_with(name)) => {}
            Ok(document) => document.claims(&mut claims),
            Err(error) => return Parsed::malformed(format_args!("not a bill of materials: {error}")),
        }
    } else {
        tags(&String::from_utf8_lossy(bytes), &mut claims);
    }
    claims.finish()
}

/// What the formats have in common with each other and with Syft's own (`artifacts`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    bom_format: Option<Value>,
    spdx_version: Option<Value>,
    #[serde(rename = "@graph")]
    graph: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    components: Vec<Component>,
    #[serde(default)]
    artifacts: Vec<Component>,
    #[serde(default)]
    packages: Vec<Listed>,
}

/// A component of CycloneDX, which may hold others, or an artifact of Syft.
#[derive(Deserialize)]
struct Component {
    #[serde(default)]
    name: Value,
    #[serde(default)]
    purl: Value,
    #[serde(default)]
    licenses: Value,
    #[serde(default)]
    components: Vec<Component>,
}

/// A package of SPDX.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    name: Value,
    #[serde(default)]
    external_refs: Vec<Reference>,
    #[serde(default)]
    license_declared: Value,
    #[serde(default)]
    license_concluded: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    #[serde(default)]
    reference_type: Value,
    #[serde(default)]
    reference_locator: Value,
}

impl Document {
    /// Whether it does not say that it is a bill of materials.
    fn is_other(&self) -> bool {
        self.bom_format.is_none() && self.spdx_version.is_none() && self.graph.is_none() && self.artifacts.is_empty()
    }

    fn claims(&self, claims: &mut Claims) {
        if self.graph.is_some() {
            return claims.problem(GapKind::Unsupported, "SPDX 3 is not read");
        }
        if self.is_other() {
            return claims.problem(GapKind::Malformed, "it does not say that it is a bill of materials");
        }
        self.components.iter().chain(&self.artifacts).for_each(|component| component.claim(claims));
        for package in &self.packages {
            let purl = package.external_refs.iter().find(|reference| reference.reference_type == "purl");
            let licenses = [&package.license_declared, &package.license_concluded];
            let license = licenses.into_iter().filter_map(Value::as_str).find(|license| is_license(license));
            let purl = purl.and_then(|it| it.reference_locator.as_str());
            claims.claim(purl, package.name.as_str(), license.map(str::to_owned));
        }
    }
}

impl Component {
    fn claim(&self, claims: &mut Claims) {
        let licenses = self.licenses.as_array().into_iter().flatten().filter_map(stated_license);
        claims.claim(self.purl.as_str(), self.name.as_str(), licenses);
        self.components.iter().for_each(|component| component.claim(claims));
    }
}

/// CycloneDX writes `{"license": {"id": …}}`, `{"license": {"name": …}}` or `{"expression": …}`; Syft `{"value": …}`.
fn stated_license(stated: &Value) -> Option<String> {
    let license = &stated["license"];
    let names = [&license["id"], &license["name"], &stated["expression"], &stated["value"], stated];
    names.into_iter().find_map(Value::as_str).filter(|name| is_license(name)).map(str::to_owned)
}

fn is_license(text: &str) -> bool {
    !matches!(text, "" | "NOASSERTION" | "NONE")
}

/// SPDX as tags: `ExternalRef: PACKAGE-MANAGER purl pkg:…`, after the `PackageName` it belongs to.
fn tags(text: &str, claims: &mut Claims) {
    if !text.lines().any(|line| line.starts_with("SPDXVersion:")) {
        return claims.problem(GapKind::Malformed, "it does not say that it is a bill of materials");
    }
    let mut license = None;
    let mut purl = None;
    let mut name = None;
    for (tag, value) in text.lines().filter_map(|line| line.split_once(':')) {
        match tag.trim() {
            "PackageName" => {
                claims.claim(purl.take(), name.replace(value.trim()), license.take());
            }
            "PackageLicenseDeclared" => license = Some(value.trim().to_owned()).filter(|license| is_license(license)),
            "ExternalRef" => purl = purl.or(value.split_whitespace().find(|word| word.starts_with("pkg:"))),
            _ => {}
        }
    }
    claims.claim(purl, name, license);
}

/// What one document claims, each package once.
#[derive(Default)]
struct Claims {
    packages: Vec<PackageFact>,
    seen: std::collections::HashSet<String>,
    malformed: usize,
    problems: Vec<Problem>,
}

impl Claims {
    fn claim(&mut self, purl: Option<&str>, name: Option<&str>, licenses: impl IntoIterator<Item = String>) {
        let Some(text) = purl.filter(|purl| !purl.is_empty()) else { return };
        let Ok(parsed) = purl::parse_beside(text, name.unwrap_or_default()) else {
            self.malformed += 1;
            return;
        };
        // An image is what the document is about, or what that was made from.
        if matches!(parsed.kind.as_str(), "oci" | "docker") || !self.seen.insert(text.to_owned()) {
            return;
        }
        if self.packages.len() == PACKAGES_MAX {
            return self.problem(GapKind::LimitExceeded, &format!("it lists more than {PACKAGES_MAX} packages"));
        }
        let package = PackageFact::new(parsed.kind, parsed.name, parsed.version);
        self.packages.push(PackageFact {
            arch: parsed.arch,
            source: parsed.source,
            module: parsed.module,
            licenses: licenses.into_iter().collect(),
            claimed: true,
            distro: parsed.distro.map(|distro| distro.id),
            ..package
        });
    }

    /// Keeps the first problem: the next would say the same.
    fn problem(&mut self, kind: GapKind, detail: &str) {
        if self.problems.is_empty() {
            self.problems.push(Problem { kind, detail: detail.to_owned(), inside: None });
        }
    }

    fn finish(mut self) -> Parsed {
        if self.malformed > 0 {
            let detail = format!("{} of its package URLs cannot be read", self.malformed);
            self.problem(GapKind::Malformed, &detail);
        }
        Parsed { facts: self.packages.into_iter().map(Fact::Package).collect(), problems: self.problems }
    }
}
