//! CVSS base scores from vectors, versions 2, 3.0, 3.1 and 4.0.
//!
//! Only the base metrics are scored: temporal, threat and environmental ones say how urgent a vulnerability is on some
//! day at some place, and policy has its own words for that. They are checked for form and left out, so that two
//! vectors of one vulnerability compare. The equations are the `cvss` crate's; it sees base metrics that were checked
//! here and nothing else.

use std::str::FromStr;

/// A base score and the CVSS version whose equation gave it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CvssScore {
    /// `2.0`, `3.0`, `3.1` or `4.0`.
    pub version: &'static str,
    /// From 0.0 to 10.0, with one decimal.
    pub score: f64,
}

/// A base metric: its name and the values it may have.
type Metric = (&'static str, &'static [&'static str]);

/// The longest honest vector (4.0 with every metric) has about 220 characters.
const VECTOR_BYTES_MAX: usize = 1024;

const V2: &[Metric] = &[
    ("AV", &["L", "A", "N"]),
    ("AC", &["H", "M", "L"]),
    ("Au", &["M", "S", "N"]),
    ("C", &["N", "P", "C"]),
    ("I", &["N", "P", "C"]),
    ("A", &["N", "P", "C"]),
];

const V3: &[Metric] = &[
    ("AV", &["N", "A", "L", "P"]),
    ("AC", &["L", "H"]),
    ("PR", &["N", "L", "H"]),
    ("UI", &["N", "R"]),
    ("S", &["U", "C"]),
    ("C", &["H", "L", "N"]),
    ("I", &["H", "L", "N"]),
    ("A", &["H", "L", "N"]),
];

const V4: &[Metric] = &[
    ("AV", &["N", "A", "L", "P"]),
    ("AC", &["L", "H"]),
    ("AT", &["N", "P"]),
    ("PR", &["N", "L", "H"]),
    ("UI", &["N", "P", "A"]),
    ("VC", &["H", "L", "N"]),
    ("VI", &["H", "L", "N"]),
    ("VA", &["H", "L", "N"]),
    ("SC", &["H", "L", "N"]),
    ("SI", &["H", "L", "N"]),
    ("SA", &["H", "L", "N"]),
];

/// Computes the base score of a vector; none when it is not a vector or lacks a base metric.
///
/// Vectors of version 2 come bare (`AV:N/AC:L/Au:N/C:P/I:P/A:P`), in parentheses, or after `CVSS2#`.
pub fn base_score(vector: &str) -> Option<CvssScore> {
    let vector = vector.trim();
    if vector.len() > VECTOR_BYTES_MAX {
        return None;
    }
    let (version, score) = if let Some(metrics) = vector.strip_prefix("CVSS:3.0/") {
        ("3.0", base_v3(&base_metrics(metrics, V3)?, "3.0")?)
    } else if let Some(metrics) = vector.strip_prefix("CVSS:3.1/") {
        ("3.1", base_v3(&base_metrics(metrics, V3)?, "3.1")?)
    } else if let Some(metrics) = vector.strip_prefix("CVSS:4.0/") {
        let base = format!("CVSS:4.0/{}", base_metrics(metrics, V4)?);
        ("4.0", cvss::v4::Vector::from_str(&base).ok()?.score().value())
    } else {
        let bare = ["CVSS2#", "CVSS:2.0/", "CVSS2/"].iter().find_map(|prefix| vector.strip_prefix(prefix));
        let bare = bare.unwrap_or(vector);
        let bare = bare.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(bare);
        ("2.0", cvss::v2::Vector::from_str(&base_metrics(bare, V2)?).ok()?.score().value())
    };
    (0.0..=10.0).contains(&score).then_some(CvssScore { version, score })
}

fn base_v3(base: &str, version: &str) -> Option<f64> {
    Some(cvss::v3::Vector::from_str(&format!("CVSS:{version}/{base}")).ok()?.score().value())
}

/// The base metrics of a vector in the specification's order; none when one is missing, repeated or has no such value.
fn base_metrics(text: &str, metrics: &[Metric]) -> Option<String> {
    let mut values = vec![None; metrics.len()];
    for part in text.split('/') {
        let (name, value) = part.split_once(':')?;
        let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
        let Some(at) = metrics.iter().position(|(known, _)| *known == name) else {
            // Some other group's metric (`E:P`, `RL:O`, `MAV:X`, `U:Green`).
            if !word(name) || !(word(value)) {
                return None;
            }
            continue;
        };
        let allowed = metrics.get(at)?.1.iter().find(|allowed| **allowed == value)?;
        if values.get_mut(at)?.replace(*allowed).is_some() {
            return None;
        }
    }
    let parts: Option<Vec<String>> =
        metrics.iter().zip(values).map(|((name, _), value)| Some(format!("{name}:{}", value?))).collect();
    Some(parts?.join("/"))
}
