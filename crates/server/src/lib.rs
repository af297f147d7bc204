//! The server: takes claims about what is inside images, judges them itself, and judges again when knowledge changes.
//!
//! The flow, in reading order: [`claim`] is what arrives; [`prepare`] works out what needs nobody's turn; [`portfolio`] takes
//! it in, judged by [`judge`] with what [`memory`] holds, and [`conclude`] says what follows; [`renew`] puts other knowledge in force and says what falls behind; [`reconcile`] judges that again, and writes
//! what changed into the feed. [`api`] is all that others see.
//!
//! **Never:** no image is opened here, and nothing is believed because it was uploaded.

pub mod access;
pub mod api;
mod bases;
pub mod backup;
pub mod checkpoint;
pub mod claim;
mod conclude;
mod depends;
mod documents;
mod judge;
pub mod knowledge;
mod memory;
pub mod notary;
pub mod portfolio;
pub mod prepare;
pub mod problem;
mod rebuilt;
mod reconcile;
mod renew;
mod run;
mod tell;
mod verify;
pub mod workloads;

pub use run::{Options, Running, Tls, start};
pub use verify::verify_audit_log;

use std::path::PathBuf;

/// Why the server cannot go on with something.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The advisory index cannot be opened.
    #[error(transparent)]
    Index(advisories::OpenError),
    /// The advisory index is damaged.
    #[error("the advisory index is damaged")]
    Damage(#[from] model::advisory::IndexDamage),
    /// A file cannot be used.
    #[error("`{path}` cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Something stored cannot be read.
    #[error("a stored {what} cannot be read")]
    Stored {
        /// What it should be.
        what: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The index in force is not here.
    #[error("the advisories in force ({digest}) are not on this machine; until they are, this server judges nothing")]
    NotHere {
        /// Of the index in force.
        digest: String,
    },
    /// The organisation's own advisories have mistakes.
    #[error("the organisation's own advisories cannot be used")]
    Private(#[from] advisories::private::PrivateError),
    /// A stored document has mistakes; a newer version of the program may be stricter.
    #[error("the stored {name} has {count} mistakes, the first: {first}")]
    Document {
        /// Which.
        name: &'static str,
        /// How many.
        count: usize,
        /// The first.
        first: String,
    },
    /// Work on a claim ended before its end: a mistake in the program.
    #[error("taking in the claim broke off")]
    BrokeOff,
    /// The audit log cannot be signed.
    #[error(transparent)]
    Notary(#[from] notary::NotaryError),
    /// The address cannot be listened at.
    #[error("cannot listen at `{address}`")]
    Listen {
        /// Which.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl From<ServerError> for problem::Problem {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Store(error) => error.into(),
            ServerError::File { path, source } if source.kind() == std::io::ErrorKind::StorageFull => {
                tracing::error!(path = %path.display(), "the disk is full");
                Self::full()
            }
            ServerError::NotHere { .. } => {
                Self::new(503, "not ready", &format!("{error}; run `dogwatch advisories update` there"))
            }
            ServerError::Notary(error) => {
                tracing::error!(error = problem::causes(&error), "the audit log was not signed");
                Self::new(
                    409,
                    "the audit log cannot be signed",
                    "it was changed, or its key cannot be used; the server's log says how",
                )
            }
            error => {
                tracing::error!(error = problem::causes(&error), "request failed");
                Self::new(500, "internal error", "nothing was changed; the server's log says why")
            }
        }
    }
}
