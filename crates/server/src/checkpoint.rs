//! Checkpoints: a signed text that says how far the audit log went and what it ended in, so that whoever can write the database still
//! cannot rewrite it unseen.
//!
//! The text is that of C2SP's tlog-checkpoint, a signed note (<https://c2sp.org/tlog-checkpoint>, <https://c2sp.org/signed-note>): origin,
//! number of entries, digest, empty line, signature. The digest is that of a chain, not of a tree: the last entry's `chain`.

use advisories::share::key::{PublicKey, SecretKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// What log it is, and the name of the key.
const ORIGIN: &str = "dogwatch-audit-log";

/// Signatures that are looked at.
const SIGNATURES_MAX: usize = 16;

/// How far the audit log went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many entries it had.
    pub entries: i64,
    /// The last one's digest, hex.
    pub chain: String,
}

impl Checkpoint {
    /// The signed text.
    pub fn sign(&self, key: &SecretKey) -> String {
        let digest = STANDARD.encode(hex::decode(&self.chain).unwrap_or_default());
        let text = format!("{ORIGIN}\n{}\n{digest}\n", self.entries);
        let signature = [&key_hash(&key.public())[..], &key.sign(text.as_bytes())].concat();
        format!("{text}\n— {ORIGIN} {}\n", STANDARD.encode(signature))
    }

    /// Reads a signed text, and says which of these keys signed it.
    pub fn read<'k>(note: &str, keys: &'k [PublicKey]) -> Option<(Self, Option<&'k PublicKey>)> {
        let (text, signatures) = note.split_once("\n\n")?;
        let text = format!("{text}\n");
        let mut lines = text.lines();
        let (origin, entries, digest) = (lines.next()?, lines.next()?, lines.next()?);
        let digest = STANDARD.decode(digest).ok().filter(|digest| digest.len() == 32)?;
        let number: i64 = entries.parse().ok()?;
        if origin != ORIGIN || number < 1 || number.to_string() != entries {
            return None;
        }
        let signatures: Vec<Vec<u8>> = signatures
            .lines()
            .take(SIGNATURES_MAX)
            .filter_map(|line| STANDARD.decode(line.strip_prefix("— ")?.split_once(' ')?.1).ok())
            .collect();
        let signs = |key: &&PublicKey| {
            let of_key = signatures.iter().filter_map(|bytes| bytes.strip_prefix(&key_hash(key)[..]));
            of_key.into_iter().any(|signature| key.verify(text.as_bytes(), signature))
        };
        Some((Self { entries: number, chain: hex::encode(digest) }, keys.iter().find(signs)))
    }
}

/// What tells keys apart in a signature line: name, kind (1: Ed25519) and key, hashed.
fn key_hash(key: &PublicKey) -> [u8; 4] {
    let digest = Sha256::digest([ORIGIN.as_bytes(), b"\n\x01", key.bytes()].concat());
    [digest[0], digest[1], digest[2], digest[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_as_it_was_signed_and_only_with_its_key() {
        let key = || SecretKey::parse(&SecretKey::generate().expect("a key")).expect("a key");
        let (ours, other) = (key(), key());
        let checkpoint = Checkpoint { entries: 7, chain: "ab".repeat(32) };
        let note = checkpoint.sign(&ours);
        let keys = [other.public(), ours.public()];
        assert_eq!(Checkpoint::read(&note, &keys), Some((checkpoint.clone(), Some(&keys[1]))));
        assert_eq!(Checkpoint::read(&note, &keys[..1]), Some((checkpoint, None)));
        let more = note.replacen("\n7\n", "\n8\n", 1);
        assert_eq!(Checkpoint::read(&more, &keys).expect("a note").1, None, "what was changed is not signed");
        for bad in
            ["", "\n\n", "x\n7\nqw==\n\n", &note.replacen("\n7\n", "\n07\n", 1), &note.replacen(ORIGIN, "other", 1)]
        {
            assert_eq!(Checkpoint::read(bad, &keys), None, "{bad}");
        }
    }

    /// Source: the Go reference, golang.org/x/mod/sumdb/note: a signature line is a dash, the name, and base64 of hash and signature.
    #[test]
    fn the_text_is_a_signed_note() {
        let key = SecretKey::parse(&SecretKey::generate().expect("a key")).expect("a key");
        let note = Checkpoint { entries: 1, chain: "00".repeat(32) }.sign(&key);
        let lines: Vec<&str> = note.lines().collect();
        assert_eq!(lines[..4], [ORIGIN, "1", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", ""]);
        let signature =
            STANDARD.decode(lines[4].strip_prefix("— dogwatch-audit-log ").expect("a line")).expect("base64");
        assert_eq!((lines.len(), signature.len()), (5, 4 + 64));
    }
}
