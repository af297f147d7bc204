//! OVAL definitions of rpm distributions: Oracle Linux, Azure Linux (and CBL-Mariner), SUSE, AlmaLinux.
//!
//! A definition is a tree of criteria over tests; a test compares an installed package with a state. What matters of that
//! is small: the packages "earlier than" a version, under the platforms and the module that stand beside them in an `AND`.
//! Source: OVAL 5.11, "Definitions", "Linux definitions".
//!
//! **Never:** Oracle's fixes for Ksplice and for certified (FIPS) builds are left out. They are lines of versions of their
//! own, newer by their numbers than any plain build, which would be taken for affected for ever.

mod document;

use std::collections::{BTreeMap, BTreeSet};

use model::advisory::{Affected, RangeEnd, VersionRange};

use super::draft::{every, is_id, line, word};
use super::shape::Syntax;
use super::{Extent, Format, Item, Parsed, rpm, source, xml};
use document::{Bound, Class, Definition, Document, Node};

/// A document of definitions.
pub(super) const FORMAT: Format =
    Format { name: "OVAL", marks: |shape| shape.has(Syntax::Xml, &["oval_definitions.definitions"]), read };

/// Fewer definitions than this are an extract; Azure's documents, the smallest, have thousands.
const WHOLE_DEFINITIONS_MIN: usize = 1000;

/// An `AND` of more criteria than this holds no bounds of one package, which are two.
const BOUNDS_MAX: usize = 16;

/// What the id of a record about one vulnerability begins with.
const PREFIXES: &[(&str, &str, &str)] = &[("Azure Linux", "AZL-", "Azure Linux"), ("SUSE", "SUSE-", "SUSE")];

fn read(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let mut document = Document::default();
    xml::visit(text, &mut document)?;
    let mut records: BTreeMap<String, Parsed> = BTreeMap::new();
    for definition in &document.definitions {
        let mut found = Vec::new();
        let context = Context { platforms: Vec::new(), module: None };
        collect(&definition.criteria, &context, &document, definition.class, &mut found);
        let ecosystems: Vec<String> = found.iter().flat_map(|found| found.ecosystems(definition)).collect();
        let Some((id, source)) = identity(definition, ecosystems.first().map_or("", String::as_str)) else {
            let detail = "is of a distribution that we do not know".to_owned();
            sink(Item::Problem { record: definition.id.clone(), detail });
            continue;
        };
        let record = records.entry(id.clone()).or_insert_with(|| described(definition, &id, &source));
        found.iter().for_each(|found| found.add_to(record, definition));
    }
    let whole = document.definitions.len() >= WHOLE_DEFINITIONS_MIN;
    for record in
        records.into_values().filter(|record| !record.advisory.affected.is_empty() || !record.problems.is_empty())
    {
        sink(record.finished());
    }
    Ok(if whole { Extent::Whole } else { Extent::Some })
}

/// The record's id and its publisher: an erratum has its own id; one about a vulnerability is named for it.
fn identity(definition: &Definition, ecosystem: &str) -> Option<(String, String)> {
    let family = ecosystem.split(':').next().filter(|family| !family.is_empty())?;
    let own = definition.references.iter().find(|(source, _)| !source.eq_ignore_ascii_case("cve"));
    if let (Class::Patch, Some((_, id))) = (definition.class, own) {
        return Some((id.clone(), source::publisher("", id, family)));
    }
    let cve = definition.references.iter().map(|(_, id)| id).find(|id| is_id(id))?;
    let (_, prefix, publisher) =
        PREFIXES.iter().find(|(known, ..)| *known == family).copied().unwrap_or(("", "", family));
    Some((format!("{prefix}{cve}"), publisher.to_owned()))
}

fn described(definition: &Definition, id: &str, source: &str) -> Parsed {
    let mut record = Parsed::new(id, source);
    let advisory = &mut record.advisory;
    if definition.class == Class::Patch {
        advisory.summary = line(&definition.title);
    }
    advisory.published.clone_from(&definition.issued);
    advisory.modified.clone_from(&definition.issued);
    advisory.severities.extend(word(source, &definition.severity));
    let cves: BTreeSet<&String> =
        definition.references.iter().map(|(_, id)| id).chain(&definition.vulnerabilities).collect();
    advisory.upstream = cves.into_iter().filter(|cve| cve.starts_with("CVE-")).cloned().collect();
    record
}

/// What stands beside a package's test.
#[derive(Clone)]
struct Context {
    platforms: Vec<String>,
    module: Option<String>,
}

/// A package that a definition is about.
struct Found<'a> {
    context: Context,
    name: &'a str,
    bounds: Vec<&'a Bound>,
}

fn collect<'a>(node: &'a Node, context: &Context, document: &'a Document, class: Class, found: &mut Vec<Found<'a>>) {
    match node {
        Node::Or(children) => children.iter().for_each(|child| collect(child, context, document, class, found)),
        Node::Test { test, .. } => {
            if let Some((name, bounds)) = document.package(test, class) {
                found.push(Found { context: context.clone(), name, bounds: bounds.into_iter().collect() });
            }
        }
        Node::And(children) => {
            let mut inner = context.clone();
            children.iter().for_each(|child| surround(child, document, class, &mut inner));
            let before = found.len();
            children.iter().for_each(|child| collect(child, &inner, document, class, found));
            if children.len() > BOUNDS_MAX {
                return;
            }
            // Two bounds of one package in an `AND` are one range.
            let mut merged: Vec<Found<'a>> = Vec::new();
            for new in found.drain(before..) {
                let direct = children.iter().any(|child| matches!(child, Node::Test { .. }));
                match merged.iter_mut().find(|known| direct && known.name == new.name && known.bounds.len() == 1) {
                    Some(known) if new.bounds.first().is_some_and(|bound| !known.bounds[0].same_side(bound)) => {
                        known.bounds.extend(new.bounds);
                    }
                    _ => merged.push(new),
                }
            }
            found.extend(merged);
        }
    }
}

/// Adds what a criterion says of the platform or the module.
fn surround(node: &Node, document: &Document, class: Class, context: &mut Context) {
    match node {
        Node::Test { test, comment } => {
            if document.package(test, class).is_some() {
                return;
            }
            if let Some(platform) = comment.strip_suffix(" is installed") {
                context.platforms.extend(platform_ecosystem(platform));
            }
            if let Some(module) = comment.strip_prefix("Module ").and_then(|rest| rest.strip_suffix(" is enabled")) {
                context.module = Some(module.to_owned());
            }
        }
        // A choice of platforms.
        Node::Or(children) | Node::And(children) if children.iter().all(|child| matches!(child, Node::Test { .. })) => {
            children.iter().for_each(|child| surround(child, document, class, context));
        }
        _ => {}
    }
}

/// The ecosystem of a platform by its name.
fn platform_ecosystem(name: &str) -> Option<String> {
    const FAMILIES: &[(&str, &str)] = &[
        ("Oracle Linux ", "Oracle Linux:"),
        ("AlmaLinux ", "AlmaLinux:"),
        ("Rocky Linux ", "Rocky Linux:"),
        ("Amazon Linux ", "Amazon Linux:"),
        ("Red Hat Enterprise Linux ", "Red Hat:enterprise_linux:"),
        ("Azure Linux ", "Azure Linux:"),
        ("CBL-Mariner ", "Azure Linux:"),
    ];
    let known = FAMILIES.iter().find_map(|(words, ecosystem)| Some((ecosystem, name.strip_prefix(words)?)));
    if let Some((ecosystem, release)) = known {
        let major = release.split(['.', ' ']).next().filter(|major| major.starts_with(|c: char| c.is_ascii_digit()))?;
        return Some(format!("{ecosystem}{major}"));
    }
    model::ecosystem::of_suse_product(name)
}

impl Found<'_> {
    /// The ecosystems: of the platforms beside it, of the definition's, or by the tag in the version.
    fn ecosystems(&self, definition: &Definition) -> Vec<String> {
        let mut ecosystems = self.context.platforms.clone();
        if ecosystems.is_empty() {
            ecosystems.extend(definition.platforms.iter().filter_map(|platform| platform_ecosystem(platform)));
        }
        if ecosystems.is_empty() {
            ecosystems.extend(self.bounds.iter().find_map(|bound| azure(bound.version())));
        }
        ecosystems.sort();
        ecosystems.dedup();
        ecosystems
    }

    fn add_to(&self, record: &mut Parsed, definition: &Definition) {
        if self.bounds.iter().any(|bound| is_other_line(bound.version())) {
            return;
        }
        let mut range = VersionRange::default();
        for bound in &self.bounds {
            match bound {
                Bound::Before(version) => range.end = RangeEnd::Fixed(version.clone()),
                Bound::UpTo(version) => range.end = RangeEnd::LastAffected(version.clone()),
                Bound::From(version) => range.introduced = Some(version.clone()),
            }
        }
        let ecosystems = self.ecosystems(definition);
        if ecosystems.is_empty() {
            record.problem(format!("nothing says of which release `{}` is", self.name));
        }
        for ecosystem in ecosystems {
            let modular = rpm::is_modular(self.bounds.first().map_or("", |bound| bound.version()));
            let stated = || modular.then(|| rpm::module_in_summary(&definition.title).unwrap_or_default().to_owned());
            let status = self.bounds.is_empty().then(|| "affected".to_owned());
            let module = self.context.module.clone().or_else(stated);
            let every = every(&ecosystem, self.name);
            record.affect(Affected { ranges: vec![range.clone()], module, status, ..every });
        }
    }
}

/// Azure Linux tags its packages' releases `.azl3`, and `.cm2` when it was CBL-Mariner.
fn azure(version: &str) -> Option<String> {
    let tag = version.rsplit('.').next()?;
    let number = tag.strip_prefix("azl").or_else(|| tag.strip_prefix("cm"))?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("Azure Linux:{number}"))
}

fn is_other_line(version: &str) -> bool {
    version.contains(".ksplice") || version.ends_with("_fips")
}
