//! What a publication says of itself, and its publisher signs.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::ShareError;
use super::key::{Envelope, PublicKey};

/// The media type of a statement inside its envelope.
pub const STATEMENT_TYPE: &str = "application/vnd.dogwatch.advisories.statement.v1+json";
/// The media type of the envelope.
pub const ENVELOPE_TYPE: &str = "application/vnd.dsse.envelope.v1+json";
/// The version of the statement this program writes and reads.
pub const STATEMENT_VERSION: u32 = 1;
/// The largest index that is published or pulled: what a machine can map and rebuild.
pub(super) const INDEX_BYTES_MAX: u64 = 8 << 30;

/// What is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// [`STATEMENT_VERSION`].
    pub version: u32,
    /// Rises with each publication; one that is lower than what is in force is a roll-back.
    pub sequence: u64,
    /// When it was made.
    pub created: Timestamp,
    /// When its publisher expects a newer one to exist.
    pub expires: Timestamp,
    /// The index file.
    pub index: Content,
    /// The index file, compressed.
    pub whole: Part,
    /// Changes from earlier states, oldest first, each ending where the next begins, and the last at `index`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// Bytes by their checksum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// SHA-256, in hex.
    pub sha256: String,
    /// How many bytes.
    pub bytes: u64,
}

/// A file of the publication.
pub type Part = Content;

/// The change from one state of the index to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// SHA-256 of the index file it begins with.
    pub from: String,
    /// SHA-256 of the index file it ends with.
    pub to: String,
    /// The content digest of that index, by which it knows itself.
    pub to_digest: String,
    /// Bytes of the flat form of the index it ends with.
    pub flat_bytes: u64,
    /// The file with the change.
    pub part: Part,
}

impl Statement {
    /// Reads a signed statement.
    ///
    /// # Errors
    ///
    /// When it is unsigned, signed by nobody who is trusted, changed after signing, or of another version.
    pub fn open(envelope: &[u8], trusted: &[PublicKey]) -> Result<(Self, Vec<PublicKey>), ShareError> {
        let envelope: Envelope =
            serde_json::from_slice(envelope).map_err(|error| ShareError::Malformed(error.to_string()))?;
        if !envelope.is_signed() {
            return Err(ShareError::Unsigned);
        }
        let ids = || trusted.iter().map(PublicKey::id).collect::<Vec<_>>().join(", ");
        let (payload, signers) =
            envelope.open(STATEMENT_TYPE, trusted).ok_or_else(|| ShareError::Untrusted { keys: ids() })?;
        let statement: Self =
            serde_json::from_slice(&payload).map_err(|error| ShareError::Malformed(error.to_string()))?;
        if statement.version != STATEMENT_VERSION {
            return Err(ShareError::Version(statement.version));
        }
        if statement.index.bytes > INDEX_BYTES_MAX || statement.whole.bytes > INDEX_BYTES_MAX {
            return Err(ShareError::Malformed("it is larger than any index".into()));
        }
        // They become names of files.
        let sums = statement.parts().map(|part| &part.sha256).chain([&statement.index.sha256]);
        if !sums.chain(statement.changes.iter().map(|change| &change.to)).all(|sum| is_sum(sum)) {
            return Err(ShareError::Malformed("a checksum is none".into()));
        }
        Ok((statement, signers))
    }

    /// The changes that lead from a state to this one; none when no chain of them does.
    pub fn changes_since(&self, sha256: &str) -> Option<&[Change]> {
        let start = self.changes.iter().position(|change| change.from == sha256)?;
        let chain = &self.changes[start..];
        let joined = chain.windows(2).all(|pair| pair[0].to == pair[1].from);
        (joined && chain.last()?.to == self.index.sha256).then_some(chain)
    }

    /// Every file of the publication.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        std::iter::once(&self.whole).chain(self.changes.iter().map(|change| &change.part))
    }
}

fn is_sum(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
