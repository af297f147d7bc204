//! The words of Dogwatch: what one stage says to the next.
//!
//! Values only: nothing here reads a file, a socket or a clock, and no other crate of the workspace is used. A noun
//! enters this crate when two stages must say it to each other. The glossary in `docs/glossary.md` has a line for each.
//!
//! Read in this order: an [`artifact::Artifact`] holds layers; an [`inventory::Inventory`] says which packages are in
//! them; [`advisory::Advisory`] says which versions are affected; a [`finding::Finding`] joins the two; a
//! [`verdict::Verdict`] says whether that is acceptable; a [`report::ScanReport`] carries it all out of the process.

pub mod advisory;
pub mod artifact;
pub mod base;
pub mod change;
pub mod cvss;
pub mod dependents;
pub mod digest;
pub mod distro;
pub mod ecosystem;
pub mod finding;
pub mod gap;
pub mod host;
pub mod integrity;
pub mod inventory;
pub mod package;
pub mod purl;
pub mod report;
pub mod surface;
pub mod verdict;
pub mod version;
pub mod vex;

/// A point in time, always UTC, as RFC 3339 in documents.
pub type Timestamp = jiff::Timestamp;
