//! Photon OS's list of vulnerabilities: `cve_data_photon5.0.json`, an array of package and fixed version per CVE.
//!
//! The release is in the file's name only, but every fixed version has it too, in its tag: `1.2.3-4.ph5`. An entry that has
//! no fixed version yet cannot be placed.
//! Source: <https://packages.vmware.com/photon/photon_cve_metadata/>.

use serde::Deserialize;
use serde_json::Value;

use super::cve::NVD;
use super::draft::{before, is_id};
use super::shape::Syntax;
use super::{Extent, Format, Item, Parsed, json, nullable};
use model::advisory::StatedSeverity;

/// One entry; the list is an array of them.
pub(super) const FORMAT: Format =
    Format { name: "Photon OS list", marks: |shape| shape.has(Syntax::Json, &["cve_id", "pkg", "res_ver"]), read };

#[derive(Deserialize)]
struct Entry {
    cve_id: String,
    pkg: String,
    #[serde(default)]
    cve_score: Value,
    #[serde(default, deserialize_with = "nullable")]
    res_ver: String,
    #[serde(default, deserialize_with = "nullable")]
    status: String,
}

fn read(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, String> {
    let entry: Entry = json(text)?;
    if entry.status.eq_ignore_ascii_case("not affected") || entry.res_ver == "NA" {
        return Ok(Extent::Some);
    }
    if !is_id(&entry.cve_id) {
        return Err(format!("`{}` is no id", entry.cve_id));
    }
    let Some(release) = release(&entry.res_ver) else {
        return Err(format!(
            "nothing says of which release `{}` of `{}` is ({})",
            entry.res_ver, entry.pkg, entry.cve_id
        ));
    };
    // The list has an entry per package, and ids must be unique.
    let mut record = Parsed::new(format!("PHSA-{}-{}-{release}", entry.cve_id, entry.pkg), "Photon OS");
    record.advisory.upstream.push(entry.cve_id);
    // The score is the NVD's; 0 means none.
    if let Some(score) = entry.cve_score.as_f64().filter(|score| *score > 0.0 && *score <= 10.0) {
        record.advisory.severities.push(StatedSeverity { scorer: NVD.to_owned(), value: score.to_string() });
    }
    record.affect(before(&format!("Photon OS:{release}"), &entry.pkg, &entry.res_ver));
    sink(record.finished());
    Ok(Extent::Some)
}

/// `5.0` of `1.2.3-4.ph5`.
fn release(version: &str) -> Option<String> {
    let number = version.rsplit_once(".ph")?.1;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then(|| format!("{number}.0"))
}
