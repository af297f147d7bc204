//! The National Vulnerability Database's JSON, version 2.0 (answers of its API, and its yearly feeds): scores, and what it
//! repeats of CISA (decision points, exploitation).
//!
//! The NVD keeps its own scores (`Primary`, by `nvd@nist.gov`) beside those of others (`Secondary`), which are known by an
//! address or a number. Its product configurations (CPE) are not read: which package a CPE is, nobody says.
//! Source: <https://nvd.nist.gov/developers/vulnerabilities>, "Response".

use std::collections::BTreeMap;

use model::finding::Ssvc;
use serde::Deserialize;

use super::cve::{CveFacts, FactScore, KevEntry, NVD, Provider, ssvc};
use super::shape::Syntax;
use super::{Extent, Format, Item, json, nullable};

/// A list of vulnerabilities.
pub(super) const FORMAT: Format = Format {
    name: "NVD 2.0",
    marks: |shape| {
        shape.has(Syntax::Json, &["vulnerabilities.cve.id"]) || shape.has(Syntax::Json, &["cve.id", "cve.metrics"])
    },
    read,
};

/// How the NVD names scorers that others know by another name.
const SCORERS: &[(&str, &str)] = &[
    ("nvd@nist.gov", NVD),
    ("134c704f-9b21-4f2e-91b3-4a467353bcc0", "CISA-ADP"),
    ("security-advisories@github.com", "GitHub_M"),
    ("secalert@redhat.com", "redhat"),
];

#[derive(Deserialize)]
struct Document {
    #[serde(default, deserialize_with = "nullable")]
    vulnerabilities: Vec<Entry>,
    /// A file of one record has no list around it.
    cve: Option<Cve>,
}

#[derive(Deserialize)]
struct Entry {
    cve: Cve,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cve {
    id: String,
    #[serde(default, deserialize_with = "nullable")]
    last_modified: String,
    #[serde(default, deserialize_with = "nullable")]
    vuln_status: String,
    #[serde(default, deserialize_with = "nullable")]
    metrics: Metrics,
    /// The day CISA put it into its catalogue.
    cisa_exploit_add: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Metrics {
    #[serde(rename = "cvssMetricV40", deserialize_with = "nullable")]
    v40: Vec<Metric>,
    #[serde(rename = "cvssMetricV31", deserialize_with = "nullable")]
    v31: Vec<Metric>,
    #[serde(rename = "cvssMetricV30", deserialize_with = "nullable")]
    v30: Vec<Metric>,
    #[serde(rename = "cvssMetricV2", deserialize_with = "nullable")]
    v2: Vec<Metric>,
    #[serde(rename = "ssvcV203", deserialize_with = "nullable")]
    ssvc: Vec<Assessment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assessment {
    ssvc_data: Options,
}

#[derive(Deserialize)]
struct Options {
    #[serde(default, deserialize_with = "nullable")]
    options: Vec<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    #[serde(default, deserialize_with = "nullable")]
    source: String,
    cvss_data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    #[serde(default, deserialize_with = "nullable")]
    vector_string: String,
    base_score: f64,
}

fn read(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let document: Document = json(text)?;
    for cve in document.vulnerabilities.into_iter().map(|entry| entry.cve).chain(document.cve) {
        let mut facts =
            CveFacts { cve: cve.id, modified: cve.last_modified, provider: Provider::Nvd, ..CveFacts::default() };
        if cve.vuln_status != "Rejected" {
            if let Some(day) = cve.cisa_exploit_add {
                sink(Item::Kev(KevEntry::repeated(&facts.cve, Some(day))));
            }
            let Metrics { v40, v31, v30, v2, ssvc } = cve.metrics;
            facts.ssvc = ssvc.iter().find_map(|assessment| decision(&assessment.ssvc_data));
            facts.scores = [v40, v31, v30, v2].into_iter().flatten().filter_map(score).collect();
        }
        sink(Item::Facts(facts));
    }
    Ok(Extent::Some)
}

/// The decision points, whose names the NVD writes in camel case.
fn decision(options: &Options) -> Option<Ssvc> {
    ssvc(|name| {
        let name = name.replace(' ', "");
        let mut all = options.options.iter().flatten();
        all.find(|(known, _)| known.eq_ignore_ascii_case(&name)).map(|(_, value)| value.clone())
    })
}

fn score(metric: Metric) -> Option<FactScore> {
    let Metric { source, cvss_data: Data { vector_string, base_score } } = metric;
    let known = SCORERS.iter().find(|(id, _)| *id == source).map(|(_, name)| (*name).to_owned());
    (0.0..=10.0).contains(&base_score).then(|| FactScore {
        scorer: known.unwrap_or(source),
        vector: vector_string,
        score: base_score,
    })
}
