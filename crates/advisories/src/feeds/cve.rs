//! Facts about CVE ids: exploitation (KEV), likelihood (EPSS) and scores (CVE records).

use model::finding::{Exploitation, Ssvc, TechnicalImpact};
use serde::Deserialize;
use serde_json::Value;

use super::shape::Syntax;
use super::{Extent, Format, Item, json, nullable};

/// A CVE id in 30 bits, so that scores fit beside it in one word: 6 bits of year from 1999, 24 bits of number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CveKey(pub(crate) u32);

impl CveKey {
    /// Reads `CVE-2024-3094`; none for what is no CVE id, or from beyond 2062.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let (year, number) = id.strip_prefix("CVE-")?.split_once('-')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // More than four digits never begin with a zero, so that one id has one key.
        let canonical = number.len() == 4 || (number.len() > 4 && !number.starts_with('0'));
        if !digits(year) || !digits(number) || year.len() != 4 || !canonical {
            return None;
        }
        let year = year.parse::<u32>().ok()?.checked_sub(1999).filter(|year| *year < 64)?;
        let number = number.parse::<u32>().ok().filter(|number| *number < 1 << 24)?;
        Some(Self(year << 24 | number))
    }

    /// The id in words.
    pub(crate) fn id(self) -> String {
        format!("CVE-{}-{:04}", 1999 + (self.0 >> 24), self.0 & 0xff_ffff)
    }
}

/// CISA's catalogue of known exploited vulnerabilities.
pub(super) const KEV: Format =
    Format { name: "KEV", marks: |shape| shape.has(Syntax::Json, &["vulnerabilities.cveID"]), read: read_kev };

#[derive(Deserialize)]
struct Catalogue {
    vulnerabilities: Vec<KevEntry>,
    #[serde(default, rename = "dateReleased", alias = "asOf")]
    released: Value,
}

fn read_kev(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let catalogue: Catalogue = json(text)?;
    sink(Item::KevDate(catalogue.released.as_str().and_then(|date| date.get(..10)).unwrap_or_default().to_owned()));
    catalogue.vulnerabilities.into_iter().for_each(|entry| sink(Item::Kev(entry)));
    Ok(Extent::Some)
}

/// CVE records reduced to their scores and decision points, one per line.
pub(super) const FACTS: Format = Format {
    name: "CVE facts",
    marks: |shape| shape.has(Syntax::Json, &["id", "state"]) && !shape.has(Syntax::Json, &["affected"]),
    read: read_facts,
};

#[derive(Deserialize)]
struct RawFacts {
    id: String,
    state: String,
    #[serde(default, deserialize_with = "nullable")]
    assigner: String,
    #[serde(default, deserialize_with = "nullable")]
    modified: String,
    #[serde(default, deserialize_with = "nullable")]
    cvss: Vec<RawScore>,
    #[serde(default)]
    ssvc: Value,
}

fn read_facts(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let raw: RawFacts = json(text)?;
    let mut facts = CveFacts { cve: raw.id, modified: raw.modified, ..CveFacts::default() };
    // A rejected id has no score, whatever was once said of it.
    if raw.state != "REJECTED" {
        facts.scores = scores(&raw.cvss, &raw.assigner);
        facts.ssvc = ssvc(|name| raw.ssvc.get(name).and_then(Value::as_str).map(str::to_owned));
    }
    sink(Item::Facts(facts));
    Ok(Extent::Some)
}

/// One entry of CISA's catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(default)]
pub struct KevEntry {
    /// `CVE-…`.
    #[serde(rename = "cveID", deserialize_with = "nullable")]
    pub cve: String,
    /// `YYYY-MM-DD`, where known.
    #[serde(rename = "dateAdded")]
    pub date_added: Option<String>,
    /// `Known` or `Unknown`.
    #[serde(rename = "knownRansomwareCampaignUse", deserialize_with = "nullable")]
    ransomware: String,
}

impl KevEntry {
    /// An entry as others than CISA repeat it, without the word on ransomware.
    pub(crate) fn repeated(cve: &str, date_added: Option<String>) -> Self {
        Self { cve: cve.to_owned(), date_added, ransomware: String::new() }
    }

    /// Whether ransomware campaigns are known to use it.
    pub fn ransomware(&self) -> bool {
        self.ransomware.eq_ignore_ascii_case("known")
    }
}

/// What one provider says of a CVE beside which packages it affects.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CveFacts {
    /// `CVE-…`.
    pub cve: String,
    /// RFC 3339.
    pub modified: String,
    /// Scores, each with who gave it.
    pub scores: Vec<FactScore>,
    /// CISA's decision points.
    pub ssvc: Option<Ssvc>,
    /// Who carries all that.
    pub provider: Provider,
}

/// Who tells facts of CVEs. Each replaces only its own older word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Provider {
    /// The CVE record: its CNA's word and those of authorised publishers (ADP).
    #[default]
    CveRecord,
    /// The National Vulnerability Database.
    Nvd,
}

/// How many providers there are.
pub(crate) const PROVIDERS: usize = 2;
/// The NVD's name as a scorer.
pub(crate) const NVD: &str = "NVD";

/// Decision points as one number, not 0.
pub(crate) fn pack_ssvc(ssvc: Ssvc) -> u32 {
    1 + ssvc.exploitation as u32 + 3 * u32::from(ssvc.automatable) + 6 * ssvc.technical_impact as u32
}

/// The decision points of a number; none for 0 and for what is no such number.
pub(crate) fn unpack_ssvc(code: u32) -> Option<Ssvc> {
    let code = code.checked_sub(1).filter(|code| *code < 12)?;
    let exploitation = [Exploitation::None, Exploitation::Poc, Exploitation::Active][code as usize % 3];
    let technical_impact = if code < 6 { TechnicalImpact::Partial } else { TechnicalImpact::Total };
    Some(Ssvc { exploitation, automatable: code / 3 % 2 == 1, technical_impact })
}

/// Reads the options of an SSVC assessment by their names; none unless all three are there.
pub(crate) fn ssvc(option: impl Fn(&str) -> Option<String>) -> Option<Ssvc> {
    let option = |name: &str| option(name).map(|value| value.to_ascii_lowercase());
    Some(Ssvc {
        exploitation: match option("Exploitation")?.as_str() {
            "none" => Exploitation::None,
            "poc" => Exploitation::Poc,
            "active" => Exploitation::Active,
            _ => return None,
        },
        automatable: match option("Automatable")?.as_str() {
            "yes" => true,
            "no" => false,
            _ => return None,
        },
        technical_impact: match option("Technical Impact")?.as_str() {
            "partial" => TechnicalImpact::Partial,
            "total" => TechnicalImpact::Total,
            _ => return None,
        },
    })
}

/// One score of a CVE record.
#[derive(Debug, Clone, PartialEq)]
pub struct FactScore {
    /// A CNA's name, or `CISA-ADP`.
    pub scorer: String,
    /// The vector.
    pub vector: String,
    /// 0.0 to 10.0.
    pub score: f64,
}

/// A score as such a line writes it.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct RawScore {
    source: String,
    vector: String,
    score: Value,
}

/// Reads the scores of a record; `assigner` is the CNA that reserved the id. A score out of bounds is left out.
pub(crate) fn scores(raw: &[RawScore], assigner: &str) -> Vec<FactScore> {
    let score = |raw: &RawScore| {
        let score = raw.score.as_f64().filter(|score| (0.0..=10.0).contains(score))?;
        let scorer = match raw.source.as_str() {
            "cna" | "" if assigner.is_empty() => "CNA",
            "cna" | "" => assigner,
            other => other.strip_prefix("adp:").unwrap_or(other),
        };
        Some(FactScore { scorer: scorer.to_owned(), vector: raw.vector.clone(), score })
    };
    raw.iter().filter_map(score).collect()
}

/// The CVSS version that a vector is written in; version 2 has no prefix.
pub(crate) fn cvss_version(vector: &str) -> &'static str {
    match vector.strip_prefix("CVSS:").and_then(|rest| rest.split('/').next()) {
        Some("4.0") => "4.0",
        Some("3.0") => "3.0",
        Some(_) => "3.1",
        None => "2.0",
    }
}

/// One EPSS estimate packed with its key: 30 bits of CVE, 17 of score, 17 of percentile, in steps of 1/100,000, which is
/// what FIRST publishes. Sorted words are sorted by id.
pub(crate) fn pack_epss(key: CveKey, score: f64, percentile: f64) -> Option<u64> {
    let steps = |value: f64| (0.0..=1.0).contains(&value).then(|| (value * 100_000.0).round() as u64);
    Some(u64::from(key.0) << 34 | steps(score)? << 17 | steps(percentile)?)
}

/// The key, score and percentile of a packed word.
pub(crate) fn unpack_epss(word: u64) -> (CveKey, f64, f64) {
    let (score, percentile) = epss_steps(word);
    (CveKey((word >> 34) as u32), share(score), share(percentile))
}

/// The score and percentile of a packed word, in steps.
pub(crate) fn epss_steps(word: u64) -> (u32, u32) {
    let part = |shift: u32| (word >> shift & 0x1_ffff) as u32;
    (part(17), part(0))
}

/// Steps as a share of 1.
pub(crate) fn share(steps: u32) -> f64 {
    f64::from(steps) / 100_000.0
}

/// A line of an EPSS file: `CVE-2021-44228,0.97565,0.99999`. None when it is not one.
pub(crate) fn epss_line(line: &str) -> Option<u64> {
    let mut fields = line.trim_end().split(',');
    let key = CveKey::parse(fields.next()?)?;
    pack_epss(key, fields.next()?.trim().parse().ok()?, fields.next()?.trim().parse().ok()?)
}

/// The day in an EPSS file's first line, `#model_version:v2025.03.14,score_date:2026-08-16T00:00:00+0000`.
pub(crate) fn epss_date(comment: &str) -> Option<&str> {
    let date = comment.split_once("score_date:")?.1;
    date.get(..10).filter(|day| day.bytes().all(|b| b.is_ascii_digit() || b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cve_id_and_its_key_are_one_to_one() {
        for id in ["CVE-1999-0001", "CVE-2021-44228", "CVE-2026-1234567", "CVE-2062-16777215"] {
            assert_eq!(CveKey::parse(id).unwrap().id(), id);
        }
        for id in [
            "CVE-1998-0001",
            "CVE-2021-1",
            "CVE-2021-012345",
            "CVE-2063-0001",
            "CVE-2021-16777216",
            "GHSA-1",
            "CVE-2021-x",
            "",
        ] {
            assert_eq!(CveKey::parse(id), None, "{id}");
        }
    }

    #[test]
    fn estimates_survive_packing_to_the_fifth_digit() {
        let (key, score, percentile) = unpack_epss(epss_line("CVE-2021-44228,0.97565,0.99999\n").unwrap());
        assert_eq!((key.id().as_str(), score, percentile), ("CVE-2021-44228", 0.97565, 0.99999));
        for bad in ["CVE-2021-44228,1.5,0.1", "CVE-2021-44228,NaN,0.1", "CVE-2021-44228,0.1", "cve,epss,percentile", ""]
        {
            assert_eq!(epss_line(bad), None, "{bad}");
        }
        assert_eq!(epss_date("#model_version:v1,score_date:2026-08-16T00:00:00+0000"), Some("2026-08-16"));
    }
}
