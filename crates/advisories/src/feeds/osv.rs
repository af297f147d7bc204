//! OSV records (schema 1.7, <https://ossf.github.io/osv-schema/>), reduced to what matching and reporting need.

use model::advisory::{Advisory, Affected, RangeEnd, StatedSeverity, VersionRange};
use model::ecosystem::{normalise_name, of_suse_product, scheme_of};
use model::finding::Severity;
use model::version::Scheme;
use serde::Deserialize;
use serde_json::Value;

use super::draft::{self, WORD_BYTES_MAX};
use super::ranges::{Event, covers, intervals};
use super::shape::{Shape, Syntax};
use super::{Extent, Format, Item, Parsed, json, nullable, oci, rpm, source, yaml};

/// Pages kept per record; more is noise beside a finding.
const REFERENCES_MAX: usize = 3;
/// Symbols kept per package; the longest list known has some 300.
const SYMBOLS_MAX: usize = 512;

/// The Open Source Vulnerability format, which most language ecosystems and several distributions publish.
pub(super) const JSON: Format =
    Format { name: "OSV", marks: |shape| is_osv(shape, Syntax::Json), read: |text, sink| read(json(text)?, sink) };

/// The same as YAML, the way that some databases keep it.
pub(super) const YAML: Format = Format {
    name: "OSV (YAML)",
    marks: |shape| is_osv(shape, Syntax::Yaml),
    read: |text, sink| read(yaml(text)?, sink),
};

fn is_osv(shape: &Shape<'_>, syntax: Syntax) -> bool {
    shape.has(syntax, &["id", "affected"]) || (shape.has(syntax, &["id", "modified"]) && !shape.has(syntax, &["state"]))
}

fn read(record: Record, sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let id = record.id.clone();
    match understand(record) {
        Ok(parsed) => sink(Item::Advisory(Box::new(parsed))),
        Err(detail) => sink(Item::Problem { record: id, detail }),
    }
    Ok(Extent::Record)
}

/// The JSON of a record. Unknown fields are skipped; a field of the wrong type makes the record a problem.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Record {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) modified: String,
    #[serde(deserialize_with = "nullable")]
    published: String,
    withdrawn: Option<String>,
    #[serde(deserialize_with = "nullable")]
    aliases: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    upstream: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    related: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    summary: String,
    #[serde(deserialize_with = "nullable")]
    severity: Vec<RawSeverity>,
    pub(crate) affected: Option<Vec<RawAffected>>,
    #[serde(deserialize_with = "nullable")]
    references: Vec<RawReference>,
    #[serde(deserialize_with = "nullable")]
    database_specific: RawSpecific,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawSeverity {
    r#type: String,
    score: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct RawAffected {
    #[serde(deserialize_with = "nullable")]
    package: RawPackage,
    #[serde(deserialize_with = "nullable")]
    ranges: Vec<RawRange>,
    #[serde(deserialize_with = "nullable")]
    versions: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    severity: Vec<RawSeverity>,
    #[serde(deserialize_with = "nullable")]
    ecosystem_specific: RawSpecific,
    #[serde(deserialize_with = "nullable")]
    database_specific: RawSpecific,
}

impl RawAffected {
    fn is_oci(&self) -> bool {
        oci::is_oci(&self.package.ecosystem, &self.package.purl)
    }

    fn names_a_package(&self) -> bool {
        self.is_oci() || !(self.package.ecosystem.is_empty() || self.package.name.is_empty())
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawPackage {
    ecosystem: String,
    name: String,
    #[serde(deserialize_with = "nullable")]
    purl: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawRange {
    r#type: String,
    #[serde(deserialize_with = "nullable")]
    events: Vec<RawEvent>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawEvent {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
    limit: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawReference {
    #[serde(deserialize_with = "nullable")]
    url: String,
}

/// `database_specific` and `ecosystem_specific`: each database's own, so nothing about a field's type is promised.
#[derive(Deserialize, Default)]
#[serde(default)]
struct RawSpecific {
    source: Value,
    severity: Value,
    cvss_scores: Value,
    versions_enumerated: Value,
    status: Value,
    urgency: Value,
    cpes: Value,
    module: Value,
    rpmmod: Value,
    informational: Value,
    imports: Value,
    affects: Value,
    affected_functions: Value,
    #[serde(rename = "malicious-packages-origins")]
    malicious_origins: Value,
}

/// Turns the JSON's shape into ours.
pub(crate) fn understand(record: Record) -> Result<Parsed, String> {
    if record.id.trim().is_empty() {
        return Err("a record without an id".into());
    }
    if record.id.len() > WORD_BYTES_MAX {
        return Err("a record whose id is longer than any id".into());
    }
    let affected = record.affected.unwrap_or_default();
    let first_ecosystem = affected.first().map_or("", |a| a.package.ecosystem.as_str());
    let declared = text(&record.database_specific.source);
    let source = source::publisher(declared.unwrap_or_default(), &record.id, first_ecosystem);
    let mut parsed = Parsed {
        // It lists versions one by one up to some day, so a version that is absent may be affected all the same.
        partial: (record.database_specific.versions_enumerated == Value::Bool(true))
            .then_some("some records list only the versions known on the day they were written"),
        unsigned: declared.is_none(),
        packageless: affected.iter().any(|entry| !entry.names_a_package()),
        ..Parsed::default()
    };
    let withdrawn = record.withdrawn.filter(|date| !date.is_empty());
    let stated_module = rpm::module_in_summary(&record.summary).map(str::to_owned);
    let mut entries = Vec::new();
    for entry in &affected {
        affected_entry(entry, &source, stated_module.as_deref(), &mut entries, &mut parsed.problems);
    }
    if withdrawn.is_none() && affected.is_empty() {
        parsed.problems.push("names no affected package".into());
    }
    streams_from_siblings(&mut entries);
    let mut severities = severities(&record.severity, &source);
    severities.extend(specific_severities(&record.database_specific, &source));
    let malicious = record.id.starts_with("MAL-") || record.database_specific.malicious_origins.is_array();
    parsed.advisory = Advisory {
        malicious,
        id: record.id,
        source,
        aliases: record.aliases,
        upstream: record.upstream,
        related: record.related,
        published: record.published,
        modified: record.modified,
        withdrawn,
        summary: draft::line(&record.summary),
        severities,
        references: record
            .references
            .into_iter()
            .map(|r| r.url)
            .filter(|url| !url.is_empty())
            .take(REFERENCES_MAX)
            .collect(),
        affected: entries,
    };
    Ok(parsed)
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

fn severities(raw: &[RawSeverity], source: &str) -> Vec<StatedSeverity> {
    let stated = raw.iter().filter_map(|severity| {
        // A distribution's own word has its name as type; a CVSS vector is the word of whoever carries it.
        let scorer = if severity.r#type.starts_with("CVSS") { source } else { severity.r#type.as_str() };
        let value = match &severity.score {
            Value::String(score) if !score.is_empty() => score.clone(),
            Value::Number(score) => score.to_string(),
            _ => return None,
        };
        Some(StatedSeverity { scorer: if scorer.is_empty() { source.into() } else { scorer.into() }, value })
    });
    stated.collect()
}

/// Severities that databases put beside the schema: numbers (RubySec), words (GitHub), urgencies (Debian).
fn specific_severities(specific: &RawSpecific, source: &str) -> Vec<StatedSeverity> {
    let mut values: Vec<String> = Vec::new();
    for version in ["cvss_v4", "cvss_v3", "cvss_v2"] {
        values.extend(specific.cvss_scores.get(version).and_then(Value::as_f64).map(|score| score.to_string()));
    }
    for word in [&specific.severity, &specific.urgency] {
        values.extend(text(word).filter(|word| Severity::parse(word).is_some()).map(str::to_lowercase));
    }
    values.into_iter().map(|value| StatedSeverity { scorer: source.to_owned(), value }).collect()
}

fn affected_entry(
    entry: &RawAffected,
    source: &str,
    stated_module: Option<&str>,
    entries: &mut Vec<Affected>,
    problems: &mut Vec<String>,
) {
    // Without a package only git ranges are meant, which no installed package is compared with.
    if !entry.names_a_package() {
        return;
    }
    let (ecosystem, name) = (entry.package.ecosystem.as_str(), entry.package.name.as_str());
    if ecosystem.len() > WORD_BYTES_MAX || name.len() > WORD_BYTES_MAX {
        problems.push("an ecosystem or package name longer than any".into());
        return;
    }
    let status = text(&entry.ecosystem_specific.status)
        .or_else(|| text(&entry.ecosystem_specific.urgency).filter(|urgency| *urgency == "end-of-life"))
        // RustSec's word for what is no vulnerability: `unmaintained`, `unsound`, `notice`.
        .or_else(|| text(&entry.database_specific.informational));
    if matches!(status, Some("not-affected" | "not_affected" | "known_not_affected" | "false-positive" | "DNE")) {
        return;
    }
    if entry.is_oci() {
        return image_entry(entry, source, status, entries, problems);
    }
    let Some(scheme) = scheme_of(ecosystem) else {
        problems.push(format!("ecosystem `{ecosystem}`, whose version order is not known"));
        return;
    };
    let name = normalise_name(ecosystem, name);
    let problems_before = problems.len();
    let (ranges, versions) = spans(scheme, entry, &name, problems);
    if ranges.is_empty() && versions.is_empty() {
        // Said once: why a range could not be used is more than that there is none.
        if problems.len() > problems_before {
            return;
        }
        problems.push(format!("no usable version range for `{name}` in {ecosystem}"));
        return;
    }
    let module = module_of(entry, &name, &ranges, stated_module);
    let mut severities = severities(&entry.severity, source);
    severities.extend(specific_severities(&entry.ecosystem_specific, source));
    let template = Affected {
        name,
        ranges,
        versions,
        status: status.map(str::to_owned),
        module,
        severities,
        symbols: symbols(&entry.ecosystem_specific),
        ecosystem: String::new(),
    };
    let ecosystems = ecosystems_of(entry, ecosystem);
    if ecosystems.is_empty() {
        problems.push(format!("no product (CPE) for `{}` in {ecosystem}", template.name));
    }
    entries.extend(ecosystems.into_iter().map(|ecosystem| Affected { ecosystem, ..template.clone() }));
}

/// The functions that carry the vulnerability: Go's `imports` (a package's path and its symbols; no symbols means all of
/// them) and RustSec's `affects.functions` (paths, each with the versions it was there in).
fn symbols(specific: &RawSpecific) -> Vec<String> {
    let mut symbols: Vec<String> = Vec::new();
    for import in specific.imports.as_array().into_iter().flatten() {
        let Some(path) = import.get("path").and_then(Value::as_str) else { continue };
        let names = import.get("symbols").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let before = symbols.len();
        symbols.extend(names.map(|name| format!("{path}#{name}")));
        if symbols.len() == before {
            symbols.push(path.to_owned());
        }
    }
    let functions = [specific.affects.get("functions"), Some(&specific.affected_functions)];
    for functions in functions.into_iter().flatten() {
        match functions {
            Value::Object(paths) => symbols.extend(paths.keys().cloned()),
            Value::Array(paths) => symbols.extend(paths.iter().filter_map(Value::as_str).map(str::to_owned)),
            _ => {}
        }
    }
    symbols.retain(|symbol| !symbol.is_empty() && symbol.len() <= WORD_BYTES_MAX);
    symbols.truncate(SYMBOLS_MAX);
    symbols
}

/// An entry about images or layers: one for each digest, of which there is no other version.
fn image_entry(
    entry: &RawAffected,
    source: &str,
    status: Option<&str>,
    entries: &mut Vec<Affected>,
    problems: &mut Vec<String>,
) {
    let digests = match oci::digests(&entry.package.name, &entry.package.purl, &entry.versions) {
        Ok(digests) => digests,
        Err(problem) => return problems.push(problem),
    };
    let mut severities = severities(&entry.severity, source);
    severities.extend(specific_severities(&entry.ecosystem_specific, source));
    entries.extend(digests.into_iter().map(|digest| Affected {
        ecosystem: oci::ECOSYSTEM.into(),
        name: digest.clone(),
        versions: vec![digest],
        status: status.map(str::to_owned),
        severities: severities.clone(),
        ..Affected::default()
    }));
}

/// The ecosystems of an entry: its own, or for Red Hat one per product.
fn ecosystems_of(entry: &RawAffected, ecosystem: &str) -> Vec<String> {
    if ecosystem != "Red Hat" {
        let named = rpm::normalise_ecosystem(ecosystem).or_else(|| of_suse_product(ecosystem));
        return vec![named.unwrap_or_else(|| ecosystem.to_owned())];
    }
    let cpes = entry.ecosystem_specific.cpes.as_array().map_or(&[][..], Vec::as_slice);
    let mut products: Vec<String> = cpes.iter().filter_map(Value::as_str).filter_map(rpm::ecosystem_of_cpe).collect();
    products.sort();
    products.dedup();
    products
}

/// The intervals, and the versions named one by one that no interval covers.
fn spans(
    scheme: Scheme,
    entry: &RawAffected,
    name: &str,
    problems: &mut Vec<String>,
) -> (Vec<VersionRange>, Vec<String>) {
    let mut ranges = Vec::new();
    for range in entry.ranges.iter().filter(|range| !range.r#type.eq_ignore_ascii_case("GIT")) {
        let events: Vec<Event> =
            range.events.iter().flat_map(events_of).map(|event| as_written(entry, event)).collect();
        if events.iter().any(|event| matches!(event, Event::Introduced(v) | Event::Fixed(v) | Event::LastAffected(v) | Event::Limit(v) if v.len() > WORD_BYTES_MAX)) {
            problems.push(format!("a version of `{name}` longer than any"));
            continue;
        }
        let (found, problem) = intervals(scheme, &events);
        ranges.extend(found);
        problems.extend(problem.map(|problem| format!("{problem} (`{name}`)")));
    }
    let covered = |version: &str| {
        ranges.iter().any(|range: &VersionRange| {
            let end = match &range.end {
                RangeEnd::Open => RangeEnd::Open,
                RangeEnd::Fixed(v) => RangeEnd::Fixed(v.as_str()),
                RangeEnd::LastAffected(v) => RangeEnd::LastAffected(v.as_str()),
                RangeEnd::Exactly => RangeEnd::Exactly,
            };
            covers(scheme, version, range.introduced.as_deref(), end) == Some(true)
        })
    };
    let mut versions: Vec<String> = entry
        .versions
        .iter()
        .filter(|version| !version.is_empty() && version.len() <= WORD_BYTES_MAX && !covered(version))
        .cloned()
        .collect();
    versions.sort();
    versions.dedup();
    (ranges, versions)
}

/// A bound as the ecosystem's own versions are written.
///
/// Bitnami's packages write calendar versions without leading zeros (`2023.3.20`), which semantic versions forbid, and its
/// records with them (`2023.03.20`). Records for npm shorten bounds as npm's ranges may: from or before `4` is from or before
/// `4.0.0`. A shortened last affected version is left alone: it would mean every `4.x`, which is not one version.
fn as_written(entry: &RawAffected, event: Event) -> Event {
    let number = |part: &str| match part.trim_start_matches('0') {
        rest if rest.starts_with(|c: char| c.is_ascii_digit()) => rest.to_owned(),
        _ => part.to_owned(),
    };
    let plain = |version: String| version.split('.').map(number).collect::<Vec<_>>().join(".");
    let whole = |version: String| {
        let short = version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        match version.matches('.').count() {
            0 if short && version != "0" => version + ".0.0",
            1 if short => version + ".0",
            _ => version,
        }
    };
    match (entry.package.ecosystem.as_str(), event) {
        ("Bitnami", Event::Introduced(version)) => Event::Introduced(plain(version)),
        ("Bitnami", Event::Fixed(version)) => Event::Fixed(plain(version)),
        ("Bitnami", Event::LastAffected(version)) => Event::LastAffected(plain(version)),
        ("npm", Event::Introduced(version)) => Event::Introduced(whole(version)),
        ("npm", Event::Fixed(version)) => Event::Fixed(whole(version)),
        (_, event) => event,
    }
}

fn events_of(raw: &RawEvent) -> impl Iterator<Item = Event> {
    let event = |version: &Option<String>, make: fn(String) -> Event| version.clone().map(make);
    [
        event(&raw.introduced, Event::Introduced),
        event(&raw.fixed, Event::Fixed),
        event(&raw.last_affected, Event::LastAffected),
        event(&raw.limit, Event::Limit),
    ]
    .into_iter()
    .flatten()
}

/// The module stream an entry is for: as stated, as its name says, or unknown where only the fix betrays a module.
fn module_of(entry: &RawAffected, name: &str, ranges: &[VersionRange], stated: Option<&str>) -> Option<String> {
    let specific = &entry.ecosystem_specific;
    if let Some(module) =
        text(&specific.module).or_else(|| text(&specific.rpmmod)).or_else(|| rpm::module_in_name(name))
    {
        return Some(module.to_owned());
    }
    let modular = ranges.iter().any(|range| match &range.end {
        RangeEnd::Fixed(version) | RangeEnd::LastAffected(version) => rpm::is_modular(version),
        _ => false,
    });
    modular.then(|| stated.unwrap_or_default().to_owned())
}

/// Fills in streams that the advisory does not state but one of its packages gives away.
fn streams_from_siblings(entries: &mut [Affected]) {
    if !entries.iter().any(|entry| entry.module.as_deref() == Some("")) {
        return;
    }
    let fixes = entries.iter().filter(|entry| entry.module.as_deref() == Some("")).flat_map(|entry| {
        entry.ranges.iter().filter_map(|range| match &range.end {
            RangeEnd::Fixed(version) => Some((entry.name.as_str(), version.as_str())),
            _ => None,
        })
    });
    let Some(module) = rpm::module_of_siblings(fixes) else { return };
    for entry in entries.iter_mut().filter(|entry| entry.module.as_deref() == Some("")) {
        entry.module = Some(module.clone());
    }
}
