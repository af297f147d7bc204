//! Whether an exported audit log is whole, and whether it is the one that was signed.

use advisories::share::key::PublicKey;
use store::{AuditEntry, chain_digest};

use crate::checkpoint::Checkpoint;
use crate::claim::hex_digest;

/// A line of an export: an entry, or a checkpoint over all entries before it.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Line {
    Checkpoint { checkpoint: String },
    Entry(AuditEntry),
}

/// Checks an export: how many entries, or the first thing that is wrong. With keys, its end must be signed by one of them. Checkpoints
/// that were kept elsewhere must be about a part of it.
pub fn verify_audit_log(text: &str, keys: &[PublicKey], kept: &[String]) -> Result<i64, String> {
    let (mut chains, mut signed): (Vec<String>, i64) = (Vec::new(), 0);
    for (at, line) in (1..).zip(text.lines()) {
        let number = chains.len() as i64 + 1;
        let entry = match serde_json::from_str(line) {
            Ok(Line::Entry(entry)) => entry,
            Ok(Line::Checkpoint { checkpoint }) => {
                signed = covered(&checkpoint, keys, &chains).map_err(|error| format!("line {at}: {error}"))?;
                continue;
            }
            Err(_) => return Err(format!("line {at} is neither an entry nor a checkpoint")),
        };
        if entry.number != number {
            return Err(format!(
                "line {at} is entry {}, where {number} should be: something was removed or put in",
                entry.number
            ));
        }
        let before = chains.last().map_or("", String::as_str);
        if chain_digest(before, &entry, hex_digest) != entry.chain {
            return Err(format!("entry {number} is not what was written, or the one before is not"));
        }
        chains.push(entry.chain);
    }
    for note in kept {
        covered(note, keys, &chains).map_err(|error| format!("the checkpoint that was kept: {error}"))?;
    }
    let entries = chains.len() as i64;
    if !keys.is_empty() && signed != entries {
        return Err(format!("only {signed} of {entries} entries are signed: the end of the export was changed"));
    }
    Ok(entries)
}

/// How many entries a checkpoint covers, when they are those that it was made over.
fn covered(note: &str, keys: &[PublicKey], chains: &[String]) -> Result<i64, String> {
    let Some((checkpoint, signer)) = Checkpoint::read(note, keys) else {
        return Err("this is no checkpoint of an audit log".into());
    };
    if !keys.is_empty() && signer.is_none() {
        return Err("the checkpoint is not signed by the key, or was changed since".into());
    }
    let place = usize::try_from(checkpoint.entries - 1).ok();
    match place.and_then(|place| chains.get(place)) {
        None => Err(format!(
            "{} entries were signed, and there are {}: the end was cut off",
            checkpoint.entries,
            chains.len()
        )),
        Some(chain) if *chain != checkpoint.chain => {
            Err(format!("the first {} entries are not those that were signed: they were rewritten", checkpoint.entries))
        }
        Some(_) => Ok(checkpoint.entries),
    }
}
