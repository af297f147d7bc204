//! Whether an exported audit log is whole.

use store::{AuditEntry, chain_digest};

use crate::claim::hex_digest;

/// Checks an export, an entry a line: how many entries, or the first thing that is wrong.
pub fn verify_audit_log(text: &str) -> Result<u64, String> {
    let (mut before, mut number) = (String::new(), 0);
    for (at, line) in (1..).zip(text.lines()) {
        let entry: AuditEntry =
            serde_json::from_str(line).map_err(|error| format!("line {at} is no entry: {error}"))?;
        number += 1;
        if entry.number != number {
            return Err(format!(
                "line {at} is entry {}, where {number} should be: something was removed or put in",
                entry.number
            ));
        }
        if chain_digest(&before, &entry, hex_digest) != entry.chain {
            return Err(format!("entry {number} is not what was written, or the one before is not"));
        }
        before = entry.chain;
    }
    Ok(number as u64)
}
