//! OpenVEX documents that a distribution publishes about its own packages, as Canonical does for Ubuntu.
//!
//! Each statement gives a vulnerability's status for packages by URL: `fixed` names the version with the fix, `affected`
//! and `under_investigation` the version that is current, which says that there is no fix. Ubuntu's URLs have the release,
//! and the pocket where it is not the plain one, in `distro` (`jammy`, `esm-infra/bionic`). Only source packages are read:
//! those are what Ubuntu's advisories name everywhere.
//! Source: OpenVEX 0.2.0, "Statement fields"; Ubuntu security documentation, "VEX".
//!
//! **Never:** a document that somebody else writes about somebody's image belongs to a scan, not into an index.

use std::collections::BTreeSet;

use model::advisory::{Affected, StatedSeverity};
use serde::Deserialize;

use super::draft::{before, every, is_id, line, word};
use super::shape::{Shape, Syntax};
use super::{Extent, Format, Item, Parsed, json, nullable};

/// One document.
pub(super) const FORMAT: Format = Format { name: "OpenVEX", marks: |shape| is_openvex(shape), read };

/// Some of Canonical's documents have the head in `metadata`, against the specification.
fn is_openvex(shape: &Shape<'_>) -> bool {
    shape.has(Syntax::Json, &["statements.vulnerability"])
        && ["@context", "metadata.@context"].iter().any(|context| shape.has(Syntax::Json, &[context]))
}

/// Ubuntu's releases by name.
const RELEASES: &[(&str, &str)] = &[
    ("trusty", "14.04:LTS"),
    ("xenial", "16.04:LTS"),
    ("bionic", "18.04:LTS"),
    ("focal", "20.04:LTS"),
    ("groovy", "20.10"),
    ("hirsute", "21.04"),
    ("impish", "21.10"),
    ("jammy", "22.04:LTS"),
    ("kinetic", "22.10"),
    ("lunar", "23.04"),
    ("mantic", "23.10"),
    ("noble", "24.04:LTS"),
    ("oracular", "24.10"),
    ("plucky", "25.04"),
    ("questing", "25.10"),
    ("resolute", "26.04:LTS"),
];

#[derive(Deserialize)]
struct Document {
    #[serde(flatten)]
    head: Head,
    metadata: Option<Head>,
    statements: Vec<Statement>,
}

#[derive(Deserialize)]
struct Head {
    #[serde(default, rename = "@id", deserialize_with = "nullable")]
    id: String,
    #[serde(default, deserialize_with = "nullable")]
    author: String,
    #[serde(default, deserialize_with = "nullable")]
    timestamp: String,
    last_updated: Option<String>,
}

#[derive(Deserialize)]
struct Statement {
    vulnerability: Vulnerability,
    #[serde(default, deserialize_with = "nullable")]
    products: Vec<Product>,
    #[serde(default, deserialize_with = "nullable")]
    status: String,
    #[serde(default, deserialize_with = "nullable")]
    status_notes: String,
    #[serde(default, deserialize_with = "nullable")]
    action_statement: String,
}

/// Older documents give the name alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Vulnerability {
    Name(String),
    Whole {
        name: String,
        #[serde(default, deserialize_with = "nullable")]
        aliases: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Product {
    Id(String),
    Whole {
        #[serde(rename = "@id")]
        id: String,
    },
}

fn read(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let document: Document = json(text)?;
    let statements = || document.statements.iter();
    let head = document.metadata.as_ref().unwrap_or(&document.head);
    let names: BTreeSet<&str> = statements().map(|statement| statement.vulnerability.name()).collect();
    let ubuntu = statements()
        .flat_map(|statement| &statement.products)
        .any(|product| product.id().starts_with("pkg:deb/ubuntu/"));
    if !ubuntu {
        return Err(format!("`{}` says nothing of packages of a distribution we know", line(&head.author)));
    }
    let own = head.id.rsplit('/').next().unwrap_or_default().trim_end_matches(".json");
    let id = match names.first() {
        _ if own.starts_with("USN-") && is_id(own) => own.to_owned(),
        Some(name) if names.len() == 1 => format!("UBUNTU-{name}"),
        _ => return Err("a document about several vulnerabilities and no notice".into()),
    };
    let mut record = Parsed::new(id, "Ubuntu");
    let advisory = &mut record.advisory;
    advisory.modified = head.last_updated.as_ref().unwrap_or(&head.timestamp).clone();
    advisory.upstream = names.iter().map(|name| (*name).to_owned()).collect();
    for alias in statements().flat_map(|statement| statement.vulnerability.aliases()) {
        if is_id(alias) && !names.contains(alias.as_str()) {
            record.alias(alias);
        }
    }
    statements().find_map(Statement::priority).into_iter().for_each(|severity| record.rate(severity));
    for statement in statements() {
        statement.products.iter().for_each(|product| statement.of(product.id(), &mut record));
    }
    if record.advisory.affected.is_empty() && statements().any(|statement| statement.status != "not_affected") {
        record.problem("says of no source package of which release it is");
    }
    if !record.advisory.affected.is_empty() || !record.problems.is_empty() {
        sink(record.finished());
    }
    Ok(Extent::Record)
}

impl Vulnerability {
    fn name(&self) -> &str {
        match self {
            Self::Name(name) | Self::Whole { name, .. } => name,
        }
    }

    fn aliases(&self) -> &[String] {
        match self {
            Self::Name(_) => &[],
            Self::Whole { aliases, .. } => aliases,
        }
    }
}

impl Product {
    fn id(&self) -> &str {
        match self {
            Self::Id(id) | Self::Whole { id } => id,
        }
    }
}

impl Statement {
    /// What it says of a package, if that is a source package.
    fn of(&self, purl: &str, record: &mut Parsed) {
        let Some((name, version, ecosystem)) = source_package(purl) else { return };
        // The words of the tracker, which the documents put into sentences.
        let status = match self.status.as_str() {
            "fixed" if !version.is_empty() => return record.affect(before(&ecosystem, &name, &version)),
            "affected" if self.action_statement.contains("not fix") => "ignored",
            "affected" => "needed",
            "under_investigation" if self.status_notes.contains("defer") => "deferred",
            "under_investigation" => "needs-triage",
            _ => return,
        };
        record.affect(Affected { status: Some(status.to_owned()), ..every(&ecosystem, &name) });
    }

    /// Ubuntu's priority, which the notes tell for want of a field: the first level named after the word.
    fn priority(&self) -> Option<StatedSeverity> {
        let notes = self.status_notes.to_lowercase();
        let (_, rest) = notes.split_once("priority").or_else(|| notes.split_once("severity"))?;
        rest.split(|c: char| !c.is_ascii_alphabetic()).take(8).find_map(|level| word("Ubuntu", level))
    }
}

/// The name, version and ecosystem of a source package of Ubuntu by its URL.
fn source_package(purl: &str) -> Option<(String, String, String)> {
    let rest = purl.strip_prefix("pkg:deb/ubuntu/")?;
    let (path, qualifiers) = rest.split_once('?')?;
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let qualifier = |name: &str| {
        let found = qualifiers.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        found.map(decoded)
    };
    if qualifier("arch").as_deref() != Some("source") {
        return None;
    }
    let ecosystem = pocket(&qualifier("distro")?)?;
    let (name, version) = path.split_once('@').unwrap_or((path, ""));
    let epoch = qualifier("epoch").filter(|epoch| !epoch.is_empty()).map(|epoch| format!("{epoch}:"));
    Some((decoded(name), epoch.unwrap_or_default() + &decoded(version), ecosystem))
}

/// `Ubuntu:22.04:LTS` of `jammy`, `Ubuntu:Pro:18.04:LTS` of `esm-infra/bionic`; none for the pockets of other products.
fn pocket(distro: &str) -> Option<String> {
    let (pocket, codename) = distro.rsplit_once('/').unwrap_or(("", distro));
    let codename = codename.strip_prefix("ubuntu-").unwrap_or(codename);
    let (_, release) =
        RELEASES.iter().find(|(known, number)| *known == codename || number.split(':').next() == Some(codename))?;
    Some(match pocket {
        "" | "ubuntu" => format!("Ubuntu:{release}"),
        "fips" => format!("Ubuntu:Pro:FIPS:{release}"),
        "fips-updates" => format!("Ubuntu:Pro:FIPS-updates:{release}"),
        "fips-preview" => format!("Ubuntu:Pro:FIPS-preview:{release}"),
        esm if esm.starts_with("esm") => format!("Ubuntu:Pro:{release}"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_package_s_url_names_its_release_and_pocket() {
        for (purl, expected) in [
            (
                "pkg:deb/ubuntu/glibc@2.31-0ubuntu9.18?arch=source&distro=focal",
                Some(("glibc", "2.31-0ubuntu9.18", "Ubuntu:20.04:LTS")),
            ),
            (
                "pkg:deb/ubuntu/php7.0@7.0.33-0ubuntu0.16.04.16%2Besm15?arch=source&distro=esm-infra/xenial",
                Some(("php7.0", "7.0.33-0ubuntu0.16.04.16+esm15", "Ubuntu:Pro:16.04:LTS")),
            ),
            (
                "pkg:deb/ubuntu/openssl@3.0.2-0ubuntu1.18%2BFips1?arch=source&distro=fips-updates/jammy",
                Some(("openssl", "3.0.2-0ubuntu1.18+Fips1", "Ubuntu:Pro:FIPS-updates:22.04:LTS")),
            ),
            ("pkg:deb/ubuntu/libssl3@3.0.2-0ubuntu1.18?arch=amd64&distro=jammy", None),
            ("pkg:deb/ubuntu/glibc@2.31?arch=source", None),
            ("pkg:deb/debian/glibc@2.31?arch=source&distro=focal", None),
        ] {
            let found = source_package(purl);
            let found = found.as_ref().map(|(name, version, ecosystem)| (&**name, &**version, &**ecosystem));
            assert_eq!(found, expected, "{purl}");
        }
    }

    #[test]
    fn the_tracker_s_words_come_back_out_of_the_sentences() {
        let text = r#"{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://github.com/canonical/ubuntu-security-notices/blob/main/vex/cve/2024/CVE-2024-1","author":"Canonical Ltd.","timestamp":"2025-07-23T05:12:19Z","statements":[
            {"vulnerability":{"name":"CVE-2024-1"},"products":[{"@id":"pkg:deb/ubuntu/a@1.0-2?arch=source&distro=jammy"}],"status":"fixed","status_notes":"An update has been published. Ubuntu priority: high."},
            {"vulnerability":{"name":"CVE-2024-1"},"products":[{"@id":"pkg:deb/ubuntu/a@0.9-1?arch=source&distro=focal"}],"status":"affected","action_statement":"the Ubuntu Security Team decided to not fix it."},
            {"vulnerability":{"name":"CVE-2024-1"},"products":[{"@id":"pkg:deb/ubuntu/a@0.8-1?arch=source&distro=esm-infra/bionic"}],"status":"under_investigation","status_notes":"remediation is deferred."},
            {"vulnerability":{"name":"CVE-2024-1"},"products":[{"@id":"pkg:deb/ubuntu/a@2.0-1?arch=source&distro=noble"}],"status":"not_affected"}]}"#;
        let mut rows = Vec::new();
        let mut sink = |item: Item| {
            let Item::Advisory(parsed) = item else { return };
            assert_eq!(parsed.advisory.severities[0].value, "high");
            rows.extend(parsed.advisory.affected.into_iter().map(|a| (a.ecosystem, a.status)));
        };
        assert_eq!(read(text.as_bytes(), &mut sink), Ok(Extent::Record));
        let expected = [
            ("Ubuntu:20.04:LTS", Some("ignored")),
            ("Ubuntu:22.04:LTS", None),
            ("Ubuntu:Pro:18.04:LTS", Some("deferred")),
        ];
        let rows: Vec<(&str, Option<&str>)> = rows.iter().map(|(e, s)| (e.as_str(), s.as_deref())).collect();
        assert_eq!(rows, expected);
    }
}
