//! Facts about CVE ids: exploitation (KEV), likelihood (EPSS) and scores (CVE records).

use serde::Deserialize;
use serde_json::Value;

use super::nullable;

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
    /// Whether ransomware campaigns are known to use it.
    pub fn ransomware(&self) -> bool {
        self.ransomware.eq_ignore_ascii_case("known")
    }
}

/// One CVE record's scores: a line of a CVE-facts file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CveFacts {
    /// `CVE-…`.
    pub cve: String,
    /// RFC 3339.
    pub modified: String,
    /// Scores, each with who gave it.
    pub scores: Vec<FactScore>,
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
    let part = |shift: u32| (word >> shift & 0x1_ffff) as f64 / 100_000.0;
    (CveKey((word >> 34) as u32), part(17), part(0))
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
