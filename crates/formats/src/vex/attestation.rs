//! VEX documents in attestations, as `cosign attest --type openvex` attaches them: an in-toto statement, in a DSSE envelope,
//! perhaps in a Sigstore bundle.
//!
//! The signature is **not** checked: a caller must have asked for what is unverified, and must say so. What is checked is
//! that the statement is about the artifact at hand, so that another image's cannot be attached to it by mistake.
//! Source: in-toto attestation framework 1.0, "Statement"; DSSE 1.0, "Envelope"; cosign bundle 0.3.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::digest::Digest;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{VEX_BYTES_MAX, VexDocument, VexError, json, read};

#[derive(Deserialize)]
struct Envelope<'a> {
    payload: Option<String>,
    #[serde(borrow, rename = "dsseEnvelope")]
    bundled: Option<&'a RawValue>,
    #[serde(borrow, rename = "predicateType")]
    predicate_type: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Statement<'a> {
    #[serde(rename = "predicateType")]
    predicate_type: String,
    #[serde(default)]
    subject: Vec<Subject>,
    #[serde(borrow)]
    predicate: &'a RawValue,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    digest: BTreeMap<String, String>,
}

/// Reads a document that is attached to one of `subjects`: as it is, or in an attestation. Attestations of other things
/// (provenance, a scan's result) say nothing.
pub fn read_attached(name: &str, bytes: &[u8], subjects: &[Digest]) -> Result<VexDocument, VexError> {
    if bytes.len() > VEX_BYTES_MAX {
        return Err(VexError::TooLarge { size: bytes.len() });
    }
    let envelope: Envelope<'_> = json(bytes)?;
    if let Some(bundled) = envelope.bundled {
        let inner: Envelope<'_> = json(bundled.get().as_bytes())?;
        return payload(name, &inner.payload.unwrap_or_default(), subjects);
    }
    match (envelope.payload, envelope.predicate_type) {
        (Some(text), _) => payload(name, &text, subjects),
        (None, Some(_)) => statement(name, bytes, subjects),
        (None, None) => read(name, bytes),
    }
}

fn payload(name: &str, text: &str, subjects: &[Digest]) -> Result<VexDocument, VexError> {
    statement(name, &STANDARD.decode(text).map_err(|_| VexError::Envelope)?, subjects)
}

fn statement(name: &str, bytes: &[u8], subjects: &[Digest]) -> Result<VexDocument, VexError> {
    let statement: Statement<'_> = json(bytes)?;
    let kind = &statement.predicate_type;
    if !["openvex", "cyclonedx", "csaf"].iter().any(|known| kind.contains(known)) {
        return Ok(VexDocument::default());
    }
    let about = statement.subject.iter().filter_map(|subject| subject.digest.get("sha256"));
    if !about.into_iter().any(|hex| subjects.iter().any(|subject| subject.hex() == *hex)) {
        return Err(VexError::OtherSubject);
    }
    read(name, statement.predicate.get().as_bytes())
}
