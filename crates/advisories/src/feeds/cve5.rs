//! CVE records, version 5 (cvelistV5, CISA's Vulnrichment): scores by scorer, SSVC decision points, exploitation, and which
//! packages are affected where the record names packages and not only products.
//!
//! A record has the container of the CNA that assigned the id and those of authorised data publishers (ADP), CISA among
//! them. A product (`vendor`, `product`) is no package: only a package URL, or a registry's address with a package's name,
//! says what to compare with.
//! Source: CVE JSON record format 5.1, `docs/schema`.

use model::advisory::{Affected, RangeEnd, StatedSeverity, VersionRange};
use model::ecosystem::{Query, queries};
use model::purl;
use serde::Deserialize;
use serde_json::Value;

use super::cve::{CveFacts, FactScore, KevEntry, Provider, ssvc};
use super::draft::{every, line, word};
use super::shape::Syntax;
use super::{Extent, Format, Item, Parsed, json, nullable, rpm};

/// One record.
pub(super) const FORMAT: Format =
    Format { name: "CVE record", marks: |shape| shape.has(Syntax::Json, &["cveMetadata.cveId", "containers"]), read };

/// Most CVE records name no package, so no number of them is all that is known of an ecosystem.
const NEVER_ALL: &str = "few CVE records name packages";
/// Pages kept per record.
const REFERENCES_MAX: usize = 3;

/// What the addresses of registries hold, and the registry's ecosystem. Go's CNA names packages there, which are parts of
/// modules, so its records cannot be matched; the Go vulnerability database has them all.
const COLLECTIONS: &[(&str, &str)] = &[
    ("crates.io", "crates.io"),
    ("hex.pm", "Hex"),
    ("maven", "Maven"),
    ("npmjs", "npm"),
    ("nuget.org", "NuGet"),
    ("packagist", "Packagist"),
    ("pub.dev", "Pub"),
    ("pypi", "PyPI"),
    ("rubygems", "RubyGems"),
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    cve_metadata: Metadata,
    #[serde(default)]
    containers: Containers,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    cve_id: String,
    #[serde(default, deserialize_with = "nullable")]
    assigner_short_name: String,
    #[serde(default, deserialize_with = "nullable")]
    state: String,
    #[serde(default, deserialize_with = "nullable")]
    date_published: String,
    #[serde(default, deserialize_with = "nullable")]
    date_updated: String,
}

#[derive(Deserialize, Default)]
struct Containers {
    #[serde(default)]
    cna: Container,
    #[serde(default, deserialize_with = "nullable")]
    adp: Vec<Container>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    #[serde(deserialize_with = "nullable")]
    provider_metadata: ProviderMetadata,
    #[serde(deserialize_with = "nullable")]
    title: String,
    #[serde(deserialize_with = "nullable")]
    metrics: Vec<Value>,
    #[serde(deserialize_with = "nullable")]
    affected: Vec<RawAffected>,
    #[serde(deserialize_with = "nullable")]
    references: Vec<Value>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ProviderMetadata {
    #[serde(deserialize_with = "nullable")]
    short_name: String,
    #[serde(deserialize_with = "nullable")]
    date_updated: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawAffected {
    #[serde(deserialize_with = "nullable")]
    package_name: String,
    #[serde(rename = "collectionURL", deserialize_with = "nullable")]
    collection_url: String,
    #[serde(rename = "packageURL", deserialize_with = "nullable")]
    package_url: String,
    #[serde(deserialize_with = "nullable")]
    default_status: String,
    #[serde(deserialize_with = "nullable")]
    cpes: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    versions: Vec<RawVersion>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawVersion {
    #[serde(deserialize_with = "nullable")]
    version: String,
    #[serde(deserialize_with = "nullable")]
    status: String,
    less_than: Option<String>,
    less_than_or_equal: Option<String>,
    #[serde(deserialize_with = "nullable")]
    version_type: String,
}

fn read(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let Record { cve_metadata: metadata, containers } = json(text)?;
    let all = || std::iter::once(&containers.cna).chain(&containers.adp);
    let modified =
        all().map(|container| &container.provider_metadata.date_updated).chain([&metadata.date_updated]).max();
    let mut facts = CveFacts {
        cve: metadata.cve_id.clone(),
        modified: modified.cloned().unwrap_or_default(),
        provider: Provider::CveRecord,
        ..CveFacts::default()
    };
    // A rejected id has no score, whatever was once said of it.
    if metadata.state != "REJECTED" {
        for container in all() {
            let own = &container.provider_metadata.short_name;
            let scorer = if own.is_empty() { &metadata.assigner_short_name } else { own };
            container.metrics.iter().for_each(|metric| scored(metric, scorer, &mut facts));
            exploited(container, &metadata.cve_id, sink);
        }
        let record = affected(&metadata, &containers.cna, &facts);
        if !record.advisory.affected.is_empty() || !record.problems.is_empty() {
            sink(record.finished());
        }
    }
    sink(Item::Facts(facts));
    Ok(Extent::Record)
}

fn scored(metric: &Value, scorer: &str, facts: &mut CveFacts) {
    for version in ["cvssV4_0", "cvssV3_1", "cvssV3_0", "cvssV2_0"] {
        let Some(score) = metric.get(version) else { continue };
        let base = score.get("baseScore").and_then(Value::as_f64).filter(|score| (0.0..=10.0).contains(score));
        let vector = score.get("vectorString").and_then(Value::as_str).unwrap_or_default();
        if let Some(base) = base {
            let score = FactScore { scorer: scorer.to_owned(), vector: vector.to_owned(), score: base };
            if !facts.scores.contains(&score) {
                facts.scores.push(score);
            }
        }
    }
    let other = metric.get("other").filter(|other| other["type"] == "ssvc");
    let options = other.and_then(|other| other["content"]["options"].as_array());
    let option = |name: &str| {
        let found = options?.iter().find_map(|option| option.get(name)?.as_str());
        found.map(str::to_owned)
    };
    facts.ssvc = facts.ssvc.or_else(|| ssvc(option));
}

/// CISA repeats its catalogue of exploited vulnerabilities in its container.
fn exploited(container: &Container, cve: &str, sink: &mut dyn FnMut(Item)) {
    for other in
        container.metrics.iter().filter_map(|metric| metric.get("other")).filter(|other| other["type"] == "kev")
    {
        let date_added = other["content"]["dateAdded"].as_str().map(str::to_owned);
        sink(Item::Kev(KevEntry::repeated(cve, date_added)));
    }
}

fn affected(metadata: &Metadata, cna: &Container, facts: &CveFacts) -> Parsed {
    // Red Hat's records name its rpm packages by product: those are advisories of its own.
    let red_hat = metadata.assigner_short_name == "redhat";
    let mut record = Parsed::new(&metadata.cve_id, if red_hat { "Red Hat" } else { "CVE records" });
    record.partial = Some(NEVER_ALL);
    record.advisory.published.clone_from(&metadata.date_published);
    record.advisory.modified.clone_from(&facts.modified);
    record.advisory.summary = line(&cna.title);
    let pages = cna.references.iter().filter_map(|reference| reference.get("url")?.as_str());
    record.advisory.references = pages.take(REFERENCES_MAX).map(str::to_owned).collect();
    let own = facts
        .scores
        .iter()
        .filter(|score| score.scorer == cna.provider_metadata.short_name && !score.vector.is_empty());
    let source = record.advisory.source.clone();
    record.advisory.severities =
        own.map(|score| StatedSeverity { scorer: source.clone(), value: score.vector.clone() }).collect();
    let ratings = cna.metrics.iter().filter_map(|metric| metric.get("other"));
    for rating in ratings.filter(|other| other["type"] == "Red Hat severity rating") {
        let stated = rating["content"]["value"].as_str().and_then(|level| word("Red Hat", level));
        stated.into_iter().for_each(|severity| record.rate(severity));
    }
    for affected in &cna.affected {
        if affected.collection_url.contains("redhat.com") {
            red_hat_package(affected, &mut record);
        } else if let Some((ecosystem, name)) = package(affected) {
            let ranges = ranges(affected);
            if !ranges.is_empty() {
                record.affect(Affected { ranges, ..every(&ecosystem, &name) });
            }
        }
    }
    record
}

/// The ecosystem and name of an affected package; none when only a product is named.
fn package(affected: &RawAffected) -> Option<(String, String)> {
    if !affected.package_url.is_empty() {
        let parsed = purl::parse(&affected.package_url).ok()?;
        let distro = parsed.distro.clone();
        let Query { ecosystem, name, .. } =
            queries(&parsed.package(&affected.package_url), distro.as_ref()).into_iter().next()?;
        return Some((ecosystem, name));
    }
    let url = affected.collection_url.to_ascii_lowercase();
    let (_, ecosystem) = COLLECTIONS.iter().find(|(part, _)| url.contains(part))?;
    let name = affected.package_name.trim();
    // Maven's packages are written with one separator or the other.
    let name = if *ecosystem == "Maven" { name.replacen('/', ":", 1) } else { name.to_owned() };
    (!name.is_empty() && !name.contains(char::is_whitespace)).then(|| ((*ecosystem).to_owned(), name))
}

/// The affected versions. `0`, `*`, `n/a` and `unspecified` begin at the beginning; of an end by `*` nothing is fixed.
fn ranges(affected: &RawAffected) -> Vec<VersionRange> {
    let mut ranges = Vec::new();
    for version in affected.versions.iter().filter(|version| version.status == "affected") {
        let from = version.version.trim();
        let introduced = (!matches!(from, "" | "0" | "*" | "n/a" | "unspecified")).then(|| from.to_owned());
        let end = match (&version.less_than, &version.less_than_or_equal) {
            (Some(end), _) | (None, Some(end)) if end == "*" => RangeEnd::Open,
            (Some(end), _) => RangeEnd::Fixed(end.clone()),
            (None, Some(end)) => RangeEnd::LastAffected(end.clone()),
            (None, None) if introduced.is_some() => RangeEnd::Exactly,
            // A word like `n/a` without an end says nothing.
            (None, None) if from == "0" || from == "*" => RangeEnd::Open,
            (None, None) => continue,
        };
        ranges.push(VersionRange { introduced, end });
    }
    ranges
}

/// Red Hat: affected unless a version says since when not, for each product that the CPEs name.
fn red_hat_package(affected: &RawAffected, record: &mut Parsed) {
    let mut ecosystems: Vec<String> = affected.cpes.iter().filter_map(|cpe| rpm::ecosystem_of_cpe(cpe)).collect();
    ecosystems.sort();
    ecosystems.dedup();
    let fixed =
        affected.versions.iter().find(|version| version.status == "unaffected" && version.version_type == "rpm");
    for ecosystem in ecosystems {
        let (module, name) = match affected.package_name.split_once('/') {
            Some((module, name)) if module.contains(':') => (Some(module.to_owned()), name),
            _ => (None, affected.package_name.as_str()),
        };
        let every = every(&ecosystem, name);
        match fixed {
            Some(version) => {
                let version = version.version.strip_prefix("0:").unwrap_or(&version.version).to_owned();
                let module = module.or_else(|| rpm::is_modular(&version).then(String::new));
                let range = VersionRange { introduced: None, end: RangeEnd::Fixed(version) };
                record.affect(Affected { ranges: vec![range], module, ..every });
            }
            None if affected.default_status == "affected" => {
                record.affect(Affected { status: Some("affected".into()), module, ..every });
            }
            None => {}
        }
    }
}
