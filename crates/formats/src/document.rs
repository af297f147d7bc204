//! What all written documents share: pretty JSON without empty fields, and identifiers made from content.

use model::report::ScanReport;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::printable::acts;

/// Pretty JSON with a line end. Whatever acts on a terminal is escaped, also beyond what JSON demands: documents are
/// looked at in terminals, and what passes them on to one may drop a bare DEL.
pub(crate) fn pretty(document: &impl Serialize) -> String {
    escaped(serde_json::to_string_pretty(document))
}

/// The same on one line.
pub fn line(document: &impl Serialize) -> String {
    escaped(serde_json::to_string(document))
}

fn escaped(json: serde_json::Result<String>) -> String {
    // Values of this crate serialise: their maps have string keys and nothing in them fails.
    let mut text = json.unwrap_or_else(|error| unreachable!("{error}"));
    text.push('\n');
    // Nearly every document is printable ASCII, and copied nowhere.
    if text.bytes().all(|byte| byte < 0x7f) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 64);
    let mut rest = text.as_str();
    // JSON has escaped what acts below DEL; of the rest most is ASCII, and copied in one go.
    while let Some(at) = rest.bytes().position(|byte| byte >= 0x7f) {
        escaped.push_str(&rest[..at]);
        let c = rest[at..].chars().next().unwrap_or_default();
        if acts(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| escaped.push_str(&format!("\\u{unit:04x}")));
        } else {
            escaped.push(c);
        }
        rest = &rest[at + c.len_utf8()..];
    }
    escaped.push_str(rest);
    escaped
}

/// Removes the fields that are null, so that builders can write `"field": option`. The depth is that of our own
/// documents.
pub(crate) fn without_nulls(mut value: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|_, value| !value.is_null());
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut value);
    value
}

/// `None` for an empty list, so that its field is left out.
pub(crate) fn filled(items: Vec<Value>) -> Option<Vec<Value>> {
    (!items.is_empty()).then_some(items)
}

/// A UUID that depends on nothing but what is said: the artifact, the knowledge it was judged with, and `document`
/// (the format and flavour).
pub(crate) fn uuid(report: &ScanReport, document: &str) -> String {
    let artifact = &report.artifact;
    let mut hash = Sha256::new();
    let mut add = |part: &str| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    add(document);
    add(&report.tool.version);
    match artifact.manifest_digest.as_ref().or(artifact.image_id.as_ref()) {
        Some(digest) => add(&digest.to_string()),
        // A tree has no digest; what was found in it is what identifies it.
        None => {
            add(&artifact.target);
            report.inventory.packages.iter().for_each(|package| add(&package.purl));
        }
    }
    add(report.knowledge.as_ref().map_or("", |knowledge| &knowledge.index));
    uuid_of(hash)
}

/// A UUID that depends on these words alone.
pub(crate) fn uuid_from(words: &[&str]) -> String {
    uuid_of(hash_of(words))
}

/// Version 8 of RFC 9562, section 5.8: the first bits of a SHA-256.
fn uuid_of(hash: Sha256) -> String {
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// A short stable hash of some words, 16 hex digits.
pub(crate) fn fingerprint(words: &[&str]) -> String {
    hash_of(words).finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash_of(words: &[&str]) -> Sha256 {
    let mut hash = Sha256::new();
    for word in words {
        hash.update((word.len() as u64).to_be_bytes());
        hash.update(word);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_nothing_is_lost() {
        let evil = "a\u{1b}[2J\u{7f}\u{9b}31m\u{202e}\u{e0041} größe 日本語\n";
        let text = pretty(&serde_json::json!({ evil: [evil] }));
        assert!(text.contains("\\u007f\\u009b31m\\u202e\\udb40\\udc41 größe 日本語"), "{text}");
        assert!(!text.chars().any(|c| c != '\n' && acts(c)), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), serde_json::json!({ evil: [evil] }));
    }
}
