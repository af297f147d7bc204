//! CSAF 2.0 documents of distributions: VEX (one per CVE) and advisories (one per erratum), as Red Hat and SUSE publish them.
//!
//! A document has a tree of products (platforms, packages) and relationships that make "this package as a component of that
//! platform"; each vulnerability then lists such components by status. A platform is an ecosystem here, by its CPE (Red
//! Hat: base, EUS, E4S and each layered product apart) or its name (SUSE).
//!
//! What is listed as not affected has no rows. Source packages, where their binaries are listed too, and packages with
//! debugging symbols have none either: nothing installed is compared with them.
//! Source: CSAF 2.0, sections 3.2.2 "product tree" and 3.2.3.9 "product status".

mod tree;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use model::advisory::{Affected, StatedSeverity};
use serde::Deserialize;
use serde_json::Value;

use super::draft::{before, every, line, word};
use super::shape::Syntax;
use super::{Extent, Format, Item, Parsed, json, nullable, rpm, source};
use tree::{Component, Tree};

/// VEX documents and security advisories.
pub(super) const FORMAT: Format = Format {
    name: "CSAF",
    marks: |shape| shape.has(Syntax::Json, &["document.csaf_version", "document.tracking"]),
    read,
};

/// Pages kept per record.
const REFERENCES_MAX: usize = 3;

#[derive(Deserialize)]
struct Document {
    document: Head,
    #[serde(default)]
    product_tree: tree::RawTree,
    #[serde(default, deserialize_with = "nullable")]
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Deserialize)]
struct Head {
    #[serde(default, deserialize_with = "nullable")]
    category: String,
    publisher: Publisher,
    #[serde(default, deserialize_with = "nullable")]
    title: String,
    tracking: Tracking,
    #[serde(default)]
    aggregate_severity: Option<Text>,
}

#[derive(Deserialize)]
struct Publisher {
    #[serde(default, deserialize_with = "nullable")]
    name: String,
}

#[derive(Deserialize)]
struct Text {
    #[serde(default, deserialize_with = "nullable")]
    text: String,
}

#[derive(Deserialize)]
struct Tracking {
    id: String,
    #[serde(default, deserialize_with = "nullable")]
    initial_release_date: String,
    #[serde(default, deserialize_with = "nullable")]
    current_release_date: String,
    #[serde(default, deserialize_with = "nullable")]
    status: String,
}

#[derive(Deserialize)]
struct Vulnerability {
    #[serde(default, deserialize_with = "nullable")]
    cve: String,
    #[serde(default, deserialize_with = "nullable")]
    title: String,
    /// Lists of product ids by status. Some are of things that are no lists.
    #[serde(default, deserialize_with = "nullable")]
    product_status: BTreeMap<String, Vec<String>>,
    #[serde(default, deserialize_with = "nullable")]
    remediations: Vec<Remark>,
    #[serde(default, deserialize_with = "nullable")]
    threats: Vec<Remark>,
    #[serde(default, deserialize_with = "nullable")]
    scores: Vec<BTreeMap<String, Value>>,
    #[serde(default, deserialize_with = "nullable")]
    references: Vec<Reference>,
}

/// A remediation or a threat.
#[derive(Deserialize)]
struct Remark {
    #[serde(default, deserialize_with = "nullable")]
    category: String,
    #[serde(default, deserialize_with = "nullable")]
    details: String,
    #[serde(default, deserialize_with = "nullable")]
    product_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default, deserialize_with = "nullable")]
    category: String,
    #[serde(default, deserialize_with = "nullable")]
    url: String,
}

fn read(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let Document { document: head, product_tree, vulnerabilities } = json(text)?;
    let source = source::publisher(&head.publisher.name, &head.tracking.id, "");
    let tree = Tree::of(product_tree);
    let mut record = Parsed::new(&head.tracking.id, &source);
    let advisory = &mut record.advisory;
    advisory.summary = line(&head.title);
    advisory.published = head.tracking.initial_release_date;
    advisory.modified = head.tracking.current_release_date;
    // A deleted VEX document says that the CVE is none.
    if head.tracking.status == "withdrawn" || head.category == "csaf_withdrawn" {
        advisory.withdrawn = Some(advisory.modified.clone());
    }
    let mut about = BTreeSet::new();
    for vulnerability in &vulnerabilities {
        let (cve, advisory) = (&vulnerability.cve, &mut record.advisory);
        if !cve.is_empty() && *cve != advisory.id {
            about.insert(cve.clone());
        }
        if advisory.summary.is_empty() {
            advisory.summary = line(&vulnerability.title);
        }
        let pages = vulnerability.references.iter().filter(|reference| reference.category == "self");
        let pages = pages.chain(&vulnerability.references).map(|reference| &reference.url);
        for page in pages.filter(|url| !url.is_empty()) {
            if advisory.references.len() < REFERENCES_MAX && !advisory.references.contains(page) {
                advisory.references.push(page.clone());
            }
        }
        statuses(vulnerability, &tree, &mut record);
        severities(vulnerability, &source, &mut record);
    }
    record.advisory.upstream = about.into_iter().collect();
    if record.advisory.severities.is_empty()
        && let Some(severity) = head.aggregate_severity.and_then(|text| word(&source, &text.text))
    {
        record.rate(severity);
    }
    if tree.unknown_platforms > 0 && record.advisory.affected.is_empty() {
        record.problem("names no product of a distribution we know");
    }
    sink(record.finished());
    Ok(Extent::Record)
}

/// One vulnerability's components by status.
fn statuses(vulnerability: &Vulnerability, tree: &Tree, record: &mut Parsed) {
    let ids = |statuses: &'static [&'static str]| {
        statuses.iter().filter_map(|status| vulnerability.product_status.get(*status)).flatten()
    };
    let mut fixed: HashSet<(&str, &str, Option<&str>)> = HashSet::new();
    for component in ids(&["fixed", "first_fixed", "recommended"]).filter_map(|id| tree.component(id)) {
        let Component { ecosystem, name, version, module } = component;
        if version.is_empty() {
            continue;
        }
        fixed.insert((ecosystem, name, module));
        record.affect(Affected { module: module.map(str::to_owned), ..before(ecosystem, name, version) });
    }
    let remedies: BTreeMap<&str, &Remark> = vulnerability
        .remediations
        .iter()
        .filter(|remark| matches!(remark.category.as_str(), "no_fix_planned" | "none_available" | "workaround"))
        // What says more comes last and stays: a workaround is no word on a fix.
        .rev()
        .flat_map(|remark| remark.product_ids.iter().map(move |id| (id.as_str(), remark)))
        .collect();
    for (status, plain) in
        [("known_affected", "affected"), ("last_affected", "affected"), ("under_investigation", "under investigation")]
    {
        for id in vulnerability.product_status.get(status).into_iter().flatten() {
            let Some(Component { ecosystem, name, module, .. }) = tree.component(id) else { continue };
            // A product whose extended support has the fix is listed as affected beside it.
            if fixed.contains(&(ecosystem, name, module)) {
                continue;
            }
            let status = remedies.get(id.as_str()).map_or(plain.to_owned(), |remark| remedy(remark, plain));
            record.affect(Affected {
                status: Some(status),
                module: module.map(str::to_owned),
                ..every(ecosystem, name)
            });
        }
    }
}

/// The vendor's word on fixing: Red Hat's is in the details (`Will not fix`, `Out of support scope`, `Fix deferred`).
fn remedy(remark: &Remark, plain: &str) -> String {
    let details = line(&remark.details).trim_end_matches('.').to_lowercase();
    let short = (!details.is_empty() && details.len() <= 40).then_some(details);
    match remark.category.as_str() {
        "no_fix_planned" => short.filter(|details| !details.contains("no fix")).unwrap_or("will not fix".into()),
        "none_available" => short.unwrap_or(plain.to_owned()),
        _ => plain.to_owned(),
    }
}

/// The vendor's rating and its vectors, each once. Of ratings that differ by product the highest is taken by whoever judges.
fn severities(vulnerability: &Vulnerability, source: &str, record: &mut Parsed) {
    let impacts = vulnerability.threats.iter().filter(|threat| threat.category == "impact");
    let words = impacts.filter_map(|threat| word(source, &threat.details));
    let vectors = vulnerability.scores.iter().flat_map(|score| {
        score.iter().filter(|(key, _)| key.starts_with("cvss_")).filter_map(|(_, score)| {
            let vector = score.get("vectorString")?.as_str()?.to_owned();
            Some(StatedSeverity { scorer: source.to_owned(), value: vector })
        })
    });
    for severity in words.chain(vectors) {
        record.rate(severity);
    }
}

/// The ecosystem of a platform, by its CPE or its name; none for what is no distribution's product.
fn ecosystem(name: &str, cpe: Option<&str>) -> Option<String> {
    cpe.and_then(rpm::ecosystem_of_cpe).or_else(|| model::ecosystem::of_suse_product(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document of Red Hat with products and statuses in short: `(package, platform)` ids by status.
    fn rows(statuses: &str, remediations: &str) -> Vec<String> {
        let platform = |id: &str, cpe: &str| {
            format!(
                r#"{{"product":{{"product_id":"{id}","name":"","product_identification_helper":{{"cpe":"{cpe}"}}}}}}"#
            )
        };
        let package = |id: &str, purl: &str| {
            format!(
                r#"{{"product":{{"product_id":"{id}","name":"","product_identification_helper":{{"purl":"{purl}"}}}}}}"#
            )
        };
        let branches = [
            platform("el8", "cpe:/o:redhat:enterprise_linux:8"),
            platform("eus", "cpe:/o:redhat:rhel_eus:8.6::baseos"),
            package("curl", "pkg:rpm/redhat/curl"),
            package("curl-src", "pkg:rpm/redhat/curl?arch=src"),
            package("curl-fixed", "pkg:rpm/redhat/curl@7.61.1-33.el8_9.5?arch=x86_64"),
            package("curl-eus", "pkg:rpm/redhat/curl@7.61.1-22.el8_6.12?arch=x86_64&epoch=1"),
            package("node-18", "pkg:rpm/redhat/nodejs?rpmmod=nodejs:18"),
            package(
                "node-20",
                "pkg:rpm/redhat/nodejs@20.9.0-1.module%2Bel8?arch=x86_64&epoch=1&rpmmod=nodejs:20:8090:rhel8",
            ),
            package("image", "pkg:oci/shop@sha256:1"),
        ];
        let related = |package: &str, platform: &str| {
            format!(
                r#"{{"full_product_name":{{"product_id":"{platform}:{package}","name":""}},"product_reference":"{package}","relates_to_product_reference":"{platform}"}}"#
            )
        };
        let packages = ["curl", "curl-src", "curl-fixed", "curl-eus", "node-18", "node-20", "image", "httpd:2.4/httpd"];
        let relationships: Vec<String> =
            packages.iter().flat_map(|package| [related(package, "el8"), related(package, "eus")]).collect();
        let text = format!(
            r#"{{"document":{{"csaf_version":"2.0","publisher":{{"name":"Red Hat Product Security"}},"tracking":{{"id":"CVE-2024-1"}}}},"product_tree":{{"branches":[{}],"relationships":[{}]}},"vulnerabilities":[{{"cve":"CVE-2024-1","product_status":{{{statuses}}},"remediations":[{remediations}]}}]}}"#,
            branches.join(","),
            relationships.join(",")
        );
        let mut rows = Vec::new();
        read(text.as_bytes(), &mut |item| {
            let Item::Advisory(parsed) = item else { return };
            rows.extend(parsed.advisory.affected.iter().map(|affected| {
                let end = match &affected.ranges[0].end {
                    model::advisory::RangeEnd::Fixed(version) => version.as_str(),
                    _ => "open",
                };
                let (status, module) = (affected.status.as_deref(), affected.module.as_deref());
                let part = |text: Option<&str>| text.map(|text| format!(" {text}")).unwrap_or_default();
                format!("{} {} {end}{}{}", affected.ecosystem, affected.name, part(module), part(status))
            }));
        })
        .unwrap();
        rows
    }

    #[test]
    fn a_fix_holds_for_its_product_and_its_stream() {
        assert_eq!(
            rows(
                r#""fixed":["el8:curl-fixed","eus:curl-eus","el8:node-20"],"known_affected":["el8:node-18","eus:image"]"#,
                ""
            ),
            [
                "Red Hat:enterprise_linux:8 curl 7.61.1-33.el8_9.5",
                "Red Hat:enterprise_linux:8 nodejs open nodejs:18 affected",
                "Red Hat:enterprise_linux:8 nodejs 1:20.9.0-1.module+el8 nodejs:20",
                "Red Hat:rhel_eus:8.6 curl 1:7.61.1-22.el8_6.12",
            ]
        );
    }

    #[test]
    fn what_is_not_fixed_has_the_vendor_s_word_for_it() {
        let statuses = r#""known_affected":["el8:curl","el8:curl-src","el8:httpd:2.4/httpd"],"under_investigation":["eus:curl"],"known_not_affected":["eus:node-18"]"#;
        let remediations = r#"{"category":"no_fix_planned","details":"Out of support scope","product_ids":["el8:curl"]},{"category":"none_available","details":"Fix deferred","product_ids":["el8:httpd:2.4/httpd"]},{"category":"workaround","details":"Do not use it.","product_ids":["el8:curl","eus:curl"]}"#;
        assert_eq!(
            rows(statuses, remediations),
            [
                "Red Hat:enterprise_linux:8 curl open out of support scope",
                "Red Hat:enterprise_linux:8 httpd open httpd:2.4 fix deferred",
                "Red Hat:rhel_eus:8.6 curl open under investigation",
            ]
        );
    }
}
