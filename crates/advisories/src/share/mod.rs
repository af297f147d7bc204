//! One compiled index for many machines: published by one who updates, pulled by all others.
//!
//! Whoever pulls trusts keys, not places: a statement over the index's checksum, its time and its sequence number is
//! signed ([`key`], [`statement`]), and everything else is checked against it. The place ([`shelf`]) may be a directory, a
//! web server or a registry, and may lie: all it can do is withhold. A machine that has an earlier state is sent only what
//! changed ([`delta`]).

mod delta;
pub mod key;
mod publish;
mod pull;
pub mod shelf;
pub mod statement;

use std::io;
use std::path::PathBuf;

use model::Timestamp;
use model::advisory::IndexDamage;
use sha2::{Digest, Sha256};

use crate::index::OpenError;

pub use crate::build::FlatError;
pub use publish::{PublishOptions, Published, publish};
pub use pull::{PullOptions, Pulled, PulledState, pull, pulled_state};

/// The type of the artifact that a registry holds.
pub const ARTIFACT_TYPE: &str = "application/vnd.dogwatch.advisories.v1";
/// The media type of an index file, compressed.
pub const INDEX_TYPE: &str = "application/vnd.dogwatch.advisories.index.v1+zstd";

/// The SHA-256 of some bytes, in hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why nothing was published or pulled.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// The place did not give or take something.
    #[error("`{place}` could not be read or written")]
    Shelf {
        /// Which place.
        place: String,
        /// Why.
        #[source]
        source: shelf::ShelfError,
    },
    /// There is nothing.
    #[error("nothing is published at `{0}`")]
    Nothing(String),
    /// The statement is no statement.
    #[error("what is published is malformed: {0}")]
    Malformed(String),
    /// A statement of another version.
    #[error("what is published has version {0}, which this program does not read")]
    Version(u32),
    /// Nobody signed it.
    #[error("what is published is not signed")]
    Unsigned,
    /// Nobody who is trusted signed it, or it was changed after signing.
    #[error("what is published is not signed by any trusted key ({keys}), or was changed since")]
    Untrusted {
        /// The ids of the trusted keys.
        keys: String,
    },
    /// It is older than what is in force.
    #[error("what is published is number {offered}, and number {known} was seen before: a roll-back")]
    RolledBack {
        /// Its number.
        offered: u64,
        /// The highest that was seen.
        known: u64,
    },
    /// Two states with one number.
    #[error("what is published as number {0} is not what was published as that before")]
    Forked(u64),
    /// Made in the future.
    #[error("what is published says that it was made at {0}, which is in the future")]
    FromTheFuture(Timestamp),
    /// A file is not the one that the statement names.
    #[error("{what} is not what was signed: its SHA-256 is {actual} and should be {expected}")]
    Tampered {
        /// Which file.
        what: &'static str,
        /// What the statement says.
        expected: String,
        /// What was computed here.
        actual: String,
    },
    /// A compressed file cannot be expanded.
    #[error("the change cannot be made or applied")]
    Delta {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A change leads to something that is no index.
    #[error("the change leads to no index")]
    Flat(#[from] FlatError),
    /// An index is damaged.
    #[error(transparent)]
    Damage(#[from] IndexDamage),
    /// An index cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file here could not be read or written.
    #[error("could not read or write `{path}`")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ShareError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Nothing(_) => Some("publish an index there with `dogwatch advisories publish`".into()),
            Self::Untrusted { .. } => {
                Some("trust the publisher's key with `--key FILE`, if you know that it is the publisher's".into())
            }
            Self::RolledBack { .. } | Self::Forked(_) => {
                Some("ask its publisher; if the numbers began anew, they need a new key".into())
            }
            Self::Unsigned | Self::Tampered { .. } => Some("the index in force is unchanged".into()),
            Self::Open(error) => error.hint(),
            _ => None,
        }
    }
}
