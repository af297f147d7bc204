//! EPSS estimates of several days per CVE, the way that collections of them are kept: one JSON object per line.

use serde::Deserialize;

use super::cve::{CveKey, pack_epss};
use super::shape::Syntax;
use super::{Extent, Format, Item, json};

/// Lines of `{"cve": …, "history": [[day, score, percentile], …]}`.
pub(super) const HISTORY: Format =
    Format { name: "EPSS history", marks: |shape| shape.has(Syntax::Json, &["cve", "history"]), read };

#[derive(Deserialize)]
struct History {
    cve: String,
    history: Vec<(String, f64, f64)>,
}

fn read(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let History { cve, history } = json(text)?;
    let key = CveKey::parse(&cve).ok_or_else(|| format!("`{cve}` is no CVE id"))?;
    for (day, score, percentile) in history {
        match (pack_epss(key, score, percentile), day.parse::<jiff::civil::Date>()) {
            (Some(word), Ok(_)) => {
                sink(Item::EpssDate(day));
                sink(Item::Epss(word));
            }
            _ => sink(Item::Problem { record: cve.clone(), detail: format!("the estimate of `{day}` is none") }),
        }
    }
    Ok(Extent::Some)
}
