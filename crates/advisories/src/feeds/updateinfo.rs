//! `updateinfo.xml` of rpm repositories: Amazon Linux, Rocky, AlmaLinux, Oracle, Fedora, Bottlerocket.
//!
//! Each erratum lists the packages that it updates. The document does not say which distribution it is for in one place
//! all fill in, but the erratum's id and the packages' releases (`…amzn2023`, `…el8_4`, `…br1`) do.
//! Source: createrepo_c's `updateinfo` and the repositories themselves.
//!
//! **Never:** bug fixes and enhancements that name no vulnerability are left out.

use std::collections::BTreeSet;

use model::advisory::{Affected, VersionRange};

use super::draft::{before, is_debugging, line, word};
use super::shape::Syntax;
use super::xml::{self, Attributes};
use super::{Extent, Format, Item, Parsed, rpm, source};

/// The errata of a repository.
pub(super) const FORMAT: Format =
    Format { name: "updateinfo", marks: |shape| shape.has(Syntax::Xml, &["updates.update.id"]), read };

/// Pages kept per record.
const REFERENCES_MAX: usize = 3;
/// A repository is a part of a distribution, and which parts there are the document does not know.
const NEVER_ALL: &str = "an `updateinfo.xml` holds the errata of one repository";

/// What an erratum's id begins with, whose it is, and the ecosystem's name before the release.
const PUBLISHERS: &[(&str, &str, &str)] = &[
    ("ALAS", "Amazon", "Amazon Linux"),
    ("ALSA-", "AlmaLinux", "AlmaLinux"),
    ("BRSA-", "Bottlerocket", "Bottlerocket"),
    ("ELSA-", "Oracle", "Oracle Linux"),
    ("FEDORA-", "Fedora", "Fedora"),
    ("RLSA-", "Rocky Linux", "Rocky Linux"),
    ("RXSA-", "Rocky Linux", "Rocky Linux"),
];

fn read(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let mut errata = Errata { sink, erratum: Erratum::default() };
    xml::visit(text, &mut errata)?;
    Ok(Extent::Some)
}

/// An erratum as it is read.
#[derive(Default)]
struct Erratum {
    kind: String,
    id: String,
    title: String,
    severity: String,
    issued: String,
    updated: String,
    vulnerabilities: BTreeSet<String>,
    pages: Vec<String>,
    collection: String,
    /// The module of the collection being read.
    module: Option<String>,
    packages: Vec<Package>,
}

struct Package {
    name: String,
    /// With its epoch, where that is not 0.
    version: String,
    release: String,
    module: Option<String>,
}

struct Errata<'a> {
    sink: &'a mut dyn FnMut(Item),
    erratum: Erratum,
}

impl xml::Visitor for Errata<'_> {
    fn begin(&mut self, path: &[String], attributes: &Attributes) {
        let erratum = &mut self.erratum;
        let text = |name: &str| attributes.get(name).to_owned();
        match path.last().map(String::as_str) {
            Some("update") => *erratum = Erratum { kind: text("type"), ..Erratum::default() },
            Some("issued") => erratum.issued = timestamp(attributes.get("date")),
            Some("updated") => erratum.updated = timestamp(attributes.get("date")),
            Some("reference") => match attributes.get("type") {
                "cve" => _ = erratum.vulnerabilities.insert(text("id")),
                _ if erratum.pages.len() < REFERENCES_MAX && !attributes.get("href").is_empty() => {
                    erratum.pages.push(text("href"));
                }
                _ => {}
            },
            Some("collection") => (erratum.collection, erratum.module) = (text("short"), None),
            Some("module") if !attributes.get("name").is_empty() => {
                erratum.module = Some(format!("{}:{}", attributes.get("name"), attributes.get("stream")));
            }
            Some("package") if path.iter().any(|name| name == "pkglist") => erratum.package(attributes),
            _ => {}
        }
    }

    fn end(&mut self, path: &[String], text: &str) {
        let erratum = &mut self.erratum;
        match path {
            [.., outer, name] if outer == "update" => match name.as_str() {
                "id" => erratum.id = text.to_owned(),
                "title" => erratum.title = text.to_owned(),
                "severity" => erratum.severity = text.to_owned(),
                _ => {}
            },
            [.., name] if name == "update" => {
                let erratum = std::mem::take(erratum);
                erratum.hand_over(self.sink);
            }
            _ => {}
        }
    }
}

impl Erratum {
    fn package(&mut self, attributes: &Attributes) {
        if attributes.get("arch") == "src" || is_debugging(attributes.get("name")) {
            return;
        }
        let epoch = Some(attributes.get("epoch")).filter(|epoch| !matches!(*epoch, "" | "0"));
        let epoch = epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default();
        let release = attributes.get("release");
        self.packages.push(Package {
            name: attributes.get("name").to_owned(),
            version: format!("{epoch}{}-{release}", attributes.get("version")),
            release: release.to_owned(),
            module: self.module.clone(),
        });
    }

    fn hand_over(self, sink: &mut dyn FnMut(Item)) {
        if self.kind != "security" && self.vulnerabilities.is_empty() {
            return;
        }
        let family = PUBLISHERS.iter().find(|(prefix, ..)| self.id.starts_with(prefix));
        let family = family.map(|(_, publisher, family)| (*publisher, *family));
        // Bottlerocket's older errata have GitHub's ids.
        let bottlerocket = self.collection.eq_ignore_ascii_case("bottlerocket");
        let Some((publisher, family)) = family.or(bottlerocket.then_some(("Bottlerocket", "Bottlerocket"))) else {
            let detail = "is of a distribution whose errata we do not know by their ids".to_owned();
            sink(Item::Problem { record: self.id, detail });
            return;
        };
        let mut record = Parsed::new(&self.id, &source::publisher(publisher, &self.id, family));
        record.partial = Some(NEVER_ALL);
        record.advisory.summary = line(&self.title);
        // Some say of an erratum that it was changed before it was issued.
        record.advisory.modified = self.updated.max(self.issued.clone());
        record.advisory.published = self.issued;
        record.advisory.upstream = self.vulnerabilities.into_iter().collect();
        record.advisory.references = self.pages;
        record.advisory.severities.extend(word(publisher, &self.severity));
        let topic = topic(&self.id);
        let mut unclear = BTreeSet::new();
        for package in self.packages {
            let Some(ecosystem) = ecosystem(family, &package.release) else {
                unclear.insert(package.release);
                continue;
            };
            let stated = rpm::is_modular(&package.version).then(|| rpm::module_in_summary(&self.title)).flatten();
            let mut affected = before(&ecosystem, &package.name, &package.version);
            affected.module = package.module.or(stated.map(str::to_owned));
            if let Some(from) = topic.and_then(|topic| line_of(topic, &package.version)) {
                affected.ranges.iter_mut().for_each(|range: &mut VersionRange| range.introduced = Some(from.clone()));
            }
            record.affect(Affected { ..affected });
        }
        for release in unclear {
            record.problem(format!("the release `{release}` does not say of which {family} it is"));
        }
        sink(record.finished());
    }
}

/// `2021-07-22 18:25:24` and `2023-03-15 00:00` as RFC 3339; other forms stay as they are.
fn timestamp(text: &str) -> String {
    let clock = |time: &str| time.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    match text.split_once(' ') {
        Some((day, time)) if day.len() == 10 && time.len() == 8 && clock(time) => format!("{day}T{time}Z"),
        Some((day, time)) if day.len() == 10 && time.len() == 5 && clock(time) => format!("{day}T{time}:00Z"),
        _ if text.len() == 10 => format!("{text}T00:00:00Z"),
        _ => text.to_owned(),
    }
}

/// The ecosystem by the distribution tag of a package's release: `amzn2023`, `el8_4`, `module+el8.5.0`, `fc40`, `br1`.
fn ecosystem(family: &str, release: &str) -> Option<String> {
    if family == "Bottlerocket" {
        return Some(family.to_owned());
    }
    let tag = match family {
        "Amazon Linux" => "amzn",
        "Fedora" => "fc",
        _ => "el",
    };
    let numbers = release.match_indices(tag).filter_map(|(at, _)| {
        let before = release[..at].chars().next_back();
        let rest = &release[at + tag.len()..];
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        (end > 0 && before.is_none_or(|c| !c.is_ascii_alphanumeric())).then(|| &rest[..end])
    });
    let mut numbers: Vec<&str> = numbers.collect();
    Some(format!("{family}:{}", numbers.pop()?))
}

/// The topic of an erratum of Amazon's extras, a repository of other versions beside the main ones:
/// `ALASKERNEL-5.10-2022-001`, `ALAS2POSTGRESQL12-2023-001`.
fn topic(id: &str) -> Option<&str> {
    let topic = id.strip_prefix("ALAS")?.trim_start_matches(|c: char| c.is_ascii_digit());
    let (topic, _) = topic.rsplit_once('-')?;
    let (topic, _) = topic.rsplit_once('-')?;
    Some(topic).filter(|topic| !topic.is_empty())
}

/// Where the line of versions begins that a topic is about: the topic's number, if the fixed version begins with it.
///
/// The main repository has other lines of the same packages (a kernel 4.14 beside the topics 5.4, 5.10 and 5.15), of which
/// an erratum of one topic says nothing.
fn line_of(topic: &str, version: &str) -> Option<String> {
    let number = &topic[topic.rfind(|c: char| !c.is_ascii_digit() && c != '.')? + 1..];
    let (epoch, rest) = version.split_once(':').map_or((None, version), |(epoch, rest)| (Some(epoch), rest));
    let begins = !number.is_empty() && rest.strip_prefix(number).is_some_and(|rest| rest.starts_with(['.', '-']));
    begins.then(|| epoch.map_or(number.to_owned(), |epoch| format!("{epoch}:{number}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_s_release_names_the_distribution_s() {
        for (family, release, expected) in [
            ("Amazon Linux", "1.amzn2.0.3", Some("Amazon Linux:2")),
            ("Amazon Linux", "2.30.amzn1", Some("Amazon Linux:1")),
            ("Amazon Linux", "1.amzn2023.0.1", Some("Amazon Linux:2023")),
            ("Rocky Linux", "305.12.1.el8_4", Some("Rocky Linux:8")),
            ("Rocky Linux", "4.module+el8.5.0+738+032c9c02", Some("Rocky Linux:8")),
            ("Oracle Linux", "1.0.1.el9_2", Some("Oracle Linux:9")),
            ("Fedora", "1.fc40", Some("Fedora:40")),
            ("Fedora", "1.model5", None),
            ("Rocky Linux", "1", None),
        ] {
            assert_eq!(ecosystem(family, release).as_deref(), expected, "{release}");
        }
    }

    #[test]
    fn days_are_written_in_one_way() {
        assert_eq!(timestamp("2021-07-22 18:25:24"), "2021-07-22T18:25:24Z");
        assert_eq!(timestamp("2023-03-15 00:00"), "2023-03-15T00:00:00Z");
        assert_eq!(timestamp("2023-03-15"), "2023-03-15T00:00:00Z");
        assert_eq!(timestamp("2023-11-13T22:21:51Z"), "2023-11-13T22:21:51Z");
    }

    #[test]
    fn an_extra_of_amazon_speaks_of_its_own_line_only() {
        let line = |id: &str, version: &str| topic(id).and_then(|topic| line_of(topic, version));
        assert_eq!(line("ALASKERNEL-5.10-2022-001", "5.10.82-83.359.amzn2").as_deref(), Some("5.10"));
        assert_eq!(line("ALAS2KERNEL-5.4-2022-007", "5.4.156-83.273.amzn2").as_deref(), Some("5.4"));
        assert_eq!(line("ALASNGINX1-2023-003", "1:1.22.1-1.amzn2.0.2").as_deref(), Some("1:1"));
        assert_eq!(line("ALASLIVEPATCH-2021-044", "1.0-2.amzn2"), None);
        assert_eq!(line("ALAS2-2022-1749", "4.14.262-200.489.amzn2"), None);
        assert_eq!(line("ALAS2023-2023-126", "6.1.21-1.45.amzn2023"), None);
    }
}
