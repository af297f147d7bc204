//! VEX documents that others wrote: OpenVEX, CSAF 2.0 (profile VEX and advisories), CycloneDX with analyses.
//!
//! A document is a stranger's claim about products. What in it cannot be understood is a problem that the caller shows; a
//! statement that is not understood in full is not used at all, since half a statement could hide more than was meant.
//!
//! Start at [`read`]. One file per format below `vex/`; which findings a statement is about is decided in `assessment`.
//! **Never:** nothing here checks a signature, so a signed envelope is refused rather than read as if it had been checked.

mod attestation;
mod csaf;
mod cyclonedx;
mod openvex;

pub use attestation::read_attached;
use model::Timestamp;
use model::vex::VexStatement;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

/// The largest document that is read. Red Hat's largest is below 40 MB.
pub const VEX_BYTES_MAX: usize = 64 << 20;
/// Problems told one by one; of the others only the number is.
const PROBLEMS_MAX: usize = 10;

/// What a document says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VexDocument {
    /// In the order of the document.
    pub statements: Vec<VexStatement>,
    /// What in it is not used, each in one clause.
    pub problems: Vec<String>,
}

/// Why bytes are not a VEX document that can be read.
#[derive(Debug, thiserror::Error)]
pub enum VexError {
    /// Not JSON, cut off, or of another shape than its format's.
    #[error("the VEX document is malformed")]
    Malformed(#[source] serde_json::Error),
    /// JSON of another sort.
    #[error("the document is neither OpenVEX, nor CSAF 2, nor CycloneDX")]
    Unrecognised,
    /// A signed envelope or an attestation.
    #[error("the document is an attestation (in-toto), whose signature would go unchecked")]
    Attestation,
    /// The content of an envelope cannot be decoded.
    #[error("the attestation's envelope is malformed")]
    Envelope,
    /// An attestation about something else than what it is attached to.
    #[error("the attestation is not about this image")]
    OtherSubject,
    /// A version that is not read.
    #[error("{form} is not read")]
    Unsupported {
        /// Format and version.
        form: String,
    },
    /// More than [`VEX_BYTES_MAX`].
    #[error("the VEX document has {size} bytes, more than the {VEX_BYTES_MAX} that are read")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
}

impl VexError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Attestation => Some(
                "check it first, then give what it holds: `cosign verify-attestation --type openvex … | jq '.payload | @base64d | fromjson | .predicate'`",
            ),
            Self::Unrecognised | Self::Unsupported { .. } => {
                Some("give OpenVEX, CSAF 2.0 or CycloneDX 1.4 to 1.7, all of them as JSON")
            }
            Self::Malformed(_) | Self::Envelope | Self::OtherSubject | Self::TooLarge { .. } => None,
        }
    }
}

/// The fields that say what a document is.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(rename = "bomFormat")]
    bom_format: Option<Value>,
    #[serde(rename = "specVersion")]
    spec_version: Option<Value>,
    #[serde(borrow)]
    document: Option<&'a RawValue>,
    #[serde(borrow)]
    statements: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow, rename = "predicateType")]
    predicate_type: Option<&'a RawValue>,
}

/// Reads a document; `name` is what reports call it.
pub fn read(name: &str, bytes: &[u8]) -> Result<VexDocument, VexError> {
    if bytes.len() > VEX_BYTES_MAX {
        return Err(VexError::TooLarge { size: bytes.len() });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let header: Header<'_> = json(bytes)?;
    let mut document = if header.payload.is_some() || header.predicate_type.is_some() {
        return Err(VexError::Attestation);
    } else if header.bom_format.is_some_and(|format| format == "CycloneDX") {
        match header.spec_version.as_ref().and_then(Value::as_str) {
            Some("1.4" | "1.5" | "1.6" | "1.7") => cyclonedx::read(name, bytes)?,
            version => return Err(unsupported("CycloneDX", version)),
        }
    } else if header.document.is_some_and(|document| document.get().contains("\"csaf_version\"")) {
        csaf::read(name, bytes)?
    } else if header.statements.is_some() {
        openvex::read(name, bytes)?
    } else {
        return Err(VexError::Unrecognised);
    };
    let more = document.problems.len().saturating_sub(PROBLEMS_MAX);
    if more > 0 {
        document.problems.truncate(PROBLEMS_MAX);
        document.problems.push(format!("{more} more of its statements are not used"));
    }
    Ok(document)
}

fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, VexError> {
    serde_json::from_slice(bytes).map_err(VexError::Malformed)
}

/// One item of a list, so that a malformed one does not spoil the others.
fn item<T: DeserializeOwned>(raw: &RawValue) -> Result<T, String> {
    serde_json::from_str(raw.get()).map_err(|error| format!("is malformed: {error}"))
}

fn unsupported(format: &str, version: Option<&str>) -> VexError {
    let version: String = version.unwrap_or("of unknown version").chars().take(20).collect();
    VexError::Unsupported { form: format!("{format} {version}") }
}

/// A point in time, or a day, which means its beginning; what is neither is as if it were not stated.
fn timestamp(text: Option<&str>) -> Option<Timestamp> {
    let text = text?.trim();
    text.parse().or_else(|_| format!("{text}T00:00:00Z").parse()).ok()
}

/// A text that says something.
fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}
