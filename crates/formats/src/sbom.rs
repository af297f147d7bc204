//! Bills of materials that other tools wrote: CycloneDX JSON 1.2 to 1.7 and SPDX JSON 2.2 and 2.3.
//!
//! A bill is a stranger's claim. What it lists without a package URL or a version stays in the inventory and becomes a
//! gap as well, because no advisory can be matched to it. One malformed component never spoils the rest.
//!
//! Start at [`read`]. [`cyclonedx`] and [`spdx`] find the components; [`inventory`] turns them into packages.

mod cyclonedx;
mod inventory;
mod spdx;

use model::artifact::Artifact;
use model::inventory::Inventory;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The largest bill that is read. Bills of the largest images with all their files are below 50 MB.
pub const SBOM_BYTES_MAX: usize = 128 << 20;

/// Why bytes are not a bill of materials that can be read.
#[derive(Debug, thiserror::Error)]
pub enum SbomError {
    /// Not JSON, or cut off.
    #[error("the bill of materials is not valid JSON")]
    Json(#[source] serde_json::Error),
    /// JSON, but neither of the two.
    #[error("the document is neither CycloneDX (`bomFormat`) nor SPDX (`spdxVersion`)")]
    Unrecognised,
    /// A form of these formats that is not read.
    #[error("{form} is not read")]
    Unsupported {
        /// Format, version, serialisation.
        form: String,
    },
    /// More than [`SBOM_BYTES_MAX`].
    #[error("the bill of materials has {size} bytes, more than the {SBOM_BYTES_MAX} that are read")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
}

impl SbomError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unrecognised | Self::Unsupported { .. } => {
                Some("convert it to CycloneDX JSON 1.2 to 1.7 or SPDX JSON 2.2 or 2.3")
            }
            Self::TooLarge { .. } => Some("write it without its list of files"),
            Self::Json(_) => None,
        }
    }
}

/// The fields that say what a document is. GitHub's dependency export wraps SPDX in `sbom`.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(rename = "bomFormat")]
    bom_format: Option<serde_json::Value>,
    #[serde(rename = "specVersion")]
    spec_version: Option<serde_json::Value>,
    #[serde(rename = "spdxVersion")]
    spdx_version: Option<serde_json::Value>,
    #[serde(borrow)]
    sbom: Option<&'a RawValue>,
    #[serde(rename = "@context")]
    context: Option<serde_json::Value>,
}

/// Reads a bill of materials. The artifact's target is the name the bill gives itself; the caller knows the file.
pub fn read(bytes: &[u8]) -> Result<(Artifact, Inventory), SbomError> {
    if bytes.len() > SBOM_BYTES_MAX {
        return Err(SbomError::TooLarge { size: bytes.len() });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let header: Header<'_> = match serde_json::from_slice(bytes) {
        Ok(header) => header,
        Err(error) => return Err(other_form(bytes).unwrap_or(SbomError::Json(error))),
    };
    if header.bom_format.as_ref().is_some_and(|format| format == "CycloneDX") {
        return match header.spec_version.as_ref().and_then(|version| version.as_str()) {
            Some("1.2" | "1.3" | "1.4" | "1.5" | "1.6" | "1.7") => cyclonedx::read(bytes),
            version => Err(unsupported("CycloneDX", version)),
        };
    }
    match (header.spdx_version.as_ref().map(|version| version.as_str()), header.sbom) {
        (Some(Some("SPDX-2.2" | "SPDX-2.3")), _) => spdx::read(bytes),
        (Some(version), _) => Err(unsupported("SPDX", version.map(|version| version.trim_start_matches("SPDX-")))),
        // The wrapped text is a part of this one, so this goes one level deeper at each step and ends with the text.
        (None, Some(wrapped)) if wrapped.get().contains("\"SPDX-2.") => spdx::read(wrapped.get().as_bytes()),
        (None, _) if header.context.is_some_and(|context| context.to_string().contains("spdx.org")) => {
            Err(unsupported("SPDX", Some("3")))
        }
        (None, _) => Err(SbomError::Unrecognised),
    }
}

fn unsupported(format: &str, version: Option<&str>) -> SbomError {
    let version: String = version.unwrap_or("of unknown version").chars().take(20).collect();
    SbomError::Unsupported { form: format!("{format} {version}") }
}

/// The serialisations that are no JSON.
fn other_form(bytes: &[u8]) -> Option<SbomError> {
    let start = bytes.trim_ascii_start();
    let form = if start.starts_with(b"<") {
        "XML"
    } else if start.starts_with(b"SPDXVersion:") {
        "SPDX tag-value"
    } else {
        return None;
    };
    Some(SbomError::Unsupported { form: form.into() })
}
