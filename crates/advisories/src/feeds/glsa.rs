//! Gentoo Linux Security Advisories: one XML document each, `glsa-202511-02.xml`.
//!
//! A package is given with its category, the vulnerable ranges by slot, and the unaffected ones. Slots are lines of
//! versions side by side; an installed package does not say its slot, so a range of one slot that says "before 2.48.5"
//! begins nowhere. Where the advisory has unaffected versions below a vulnerable range, that range begins above them.
//! Source: Gentoo's `glsa.dtd`; GLEP 14 and "GLSA Coordinator Guide", "version ranges".

use model::advisory::{Affected, RangeEnd, VersionRange};
use model::version::{Scheme, compare_lenient};

use super::draft::{every, is_id, line, word};
use super::shape::Syntax;
use super::xml::{self, Attributes};
use super::{Extent, Format, Item, Parsed};

/// One advisory.
pub(super) const FORMAT: Format =
    Format { name: "GLSA", marks: |shape| shape.has(Syntax::Xml, &["glsa.affected", "glsa.title"]), read };

/// Ranges looked at per package; the longest advisories have some 60.
const RANGES_MAX: usize = 1000;

fn read(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let mut glsa = Glsa::default();
    xml::visit(text, &mut glsa)?;
    if glsa.id.is_empty() {
        return Err("an advisory without an id".into());
    }
    let mut record = Parsed::new(format!("GLSA-{}", glsa.id), "Gentoo");
    let advisory = &mut record.advisory;
    advisory.summary = line(&glsa.title);
    advisory.published = day(&glsa.announced);
    advisory.modified = day(if glsa.revised.is_empty() { &glsa.announced } else { &glsa.revised });
    advisory.upstream = glsa.vulnerabilities;
    advisory.severities.extend(word("Gentoo", if glsa.impact == "normal" { "medium" } else { &glsa.impact }));
    for package in glsa.packages {
        let ranges = package.ranges();
        if ranges.is_empty() && !package.vulnerable.is_empty() {
            record.problem(format!("no range of `{}` can be understood", package.name));
        }
        record.affect(Affected { ranges, ..every("Gentoo", &package.name) });
    }
    sink(record.finished());
    Ok(Extent::Record)
}

/// `2025-11-24`, or as older advisories write it, `March 11, 2013`; `2013-03-11: 02`.
fn day(text: &str) -> String {
    let iso = text.split([':', ' ']).next().unwrap_or_default();
    if iso.parse::<jiff::civil::Date>().is_ok() {
        return format!("{iso}T00:00:00Z");
    }
    let date = text.split(':').next().unwrap_or_default().trim();
    jiff::civil::Date::strptime("%B %d, %Y", date).map(|day| format!("{day}T00:00:00Z")).unwrap_or_default()
}

#[derive(Default)]
struct Glsa {
    id: String,
    title: String,
    announced: String,
    revised: String,
    impact: String,
    vulnerabilities: Vec<String>,
    packages: Vec<Package>,
    range: String,
}

#[derive(Default)]
struct Package {
    name: String,
    /// Operator and version.
    vulnerable: Vec<(String, String)>,
    unaffected: Vec<(String, String)>,
}

impl Package {
    fn ranges(&self) -> Vec<VersionRange> {
        let vulnerable = self.vulnerable.iter().take(RANGES_MAX);
        let mut ranges: Vec<VersionRange> =
            vulnerable.filter_map(|(operator, version)| range(operator, version)).collect();
        // `rge 1.2.3-r4`: unaffected from there on within the same version, so a line that ends below a range.
        for range in &mut ranges {
            if range.introduced.is_some() {
                continue;
            }
            let below = self.unaffected.iter().take(RANGES_MAX).filter(|(operator, version)| {
                matches!(operator.as_str(), "le" | "lt" | "rle" | "rlt" | "eq") && is_before(version, &range.end)
            });
            let highest = below
                .map(|(_, version)| version)
                .max_by(|a, b| compare_lenient(Scheme::Ebuild, a, b).unwrap_or(std::cmp::Ordering::Equal));
            range.introduced = highest.cloned();
        }
        ranges.dedup();
        ranges
    }
}

fn is_before(version: &str, end: &RangeEnd<String>) -> bool {
    match end {
        RangeEnd::Fixed(end) | RangeEnd::LastAffected(end) => {
            compare_lenient(Scheme::Ebuild, version, end).is_some_and(std::cmp::Ordering::is_lt)
        }
        RangeEnd::Open | RangeEnd::Exactly => false,
    }
}

/// One vulnerable range. `r…` compares revisions of one version, so it begins at that version.
fn range(operator: &str, version: &str) -> Option<VersionRange> {
    if version == "*" || version.is_empty() {
        return Some(VersionRange::default());
    }
    let version = version.trim_end_matches('*').trim_end_matches('.').to_owned();
    let base = || version.rsplit_once("-r").map_or(version.clone(), |(base, _)| base.to_owned());
    let (introduced, end) = match operator {
        "lt" => (None, RangeEnd::Fixed(version)),
        "le" => (None, RangeEnd::LastAffected(version)),
        "eq" => (Some(version), RangeEnd::Exactly),
        "ge" | "gt" => (Some(version), RangeEnd::Open),
        "rlt" => (Some(base()), RangeEnd::Fixed(version)),
        "rle" => (Some(base()), RangeEnd::LastAffected(version)),
        _ => return None,
    };
    Some(VersionRange { introduced, end })
}

impl xml::Visitor for Glsa {
    fn begin(&mut self, path: &[String], attributes: &Attributes) {
        let text = |name: &str| attributes.get(name).to_owned();
        match path.last().map(String::as_str) {
            Some("glsa") => self.id = text("id"),
            Some("impact") => self.impact = text("type"),
            Some("package") => self.packages.push(Package { name: text("name"), ..Package::default() }),
            Some("vulnerable" | "unaffected") => self.range = text("range"),
            _ => {}
        }
    }

    fn end(&mut self, path: &[String], text: &str) {
        let Some(name) = path.last() else { return };
        match name.as_str() {
            "title" if path.len() == 2 => self.title = text.to_owned(),
            "announced" => self.announced = text.to_owned(),
            "revised" => self.revised = text.to_owned(),
            "uri" if is_id(text) && text.starts_with("CVE-") => self.vulnerabilities.push(text.to_owned()),
            "vulnerable" | "unaffected" => {
                let range = (std::mem::take(&mut self.range), text.to_owned());
                if let Some(package) = self.packages.last_mut() {
                    if name == "vulnerable" { package.vulnerable.push(range) } else { package.unaffected.push(range) }
                }
            }
            _ => {}
        }
    }
}
