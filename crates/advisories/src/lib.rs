//! Vulnerability knowledge: feeds compiled into one local index.
//!
//! [`build`] reads feeds ([`feeds`]: publishers' own formats) and writes one immutable file; [`Index`] maps that
//! file and answers [`model::advisory::Advisories`], which is all that assessment asks, and what people ask: what is in
//! it, what one record says, what hits a version. [`diff`] compares two indexes. [`update`] fetches the live feeds.
//!
//! **Never:** nothing here judges. Whether a version lies in a range is assessment's business (`search` answers it for
//! people at a terminal), and whether a severity is acceptable is policy's. No network but in [`update`].

mod build;
pub mod feeds;
mod index;
pub mod private;
pub mod share;
pub mod update;

pub use build::{
    BuildError, BuildOptions, BuildSummary, MANIFEST_NAME, MANIFEST_VERSION, Manifest, ManifestEcosystem, ManifestFile,
    Problem, build,
};
pub use index::diff::{Change, DiffOptions, How, diff};
pub use index::{AffectedPackage, Attribution, Combined, FeedSummary, Hit, Index, OpenError, Shown, Status, TableSize};
