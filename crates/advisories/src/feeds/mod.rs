//! Feeds: files in others' formats, recognised by what is in them and never by their names.
//!
//! [`read`] turns one file into [`Item`]s. A record that makes no sense is a [`Item::Problem`] that names it; a whole file
//! that is no feed is [`NotAFeed`], and the caller decides whether that matters.

pub mod cve;
mod lines;
pub mod osv;
pub mod ranges;
mod rpm;
mod source;

use serde::{Deserialize, Deserializer};

pub use lines::{NotAFeed, read, read_text};

/// One thing that a feed says.
#[derive(Debug)]
pub enum Item {
    /// An advisory record.
    Advisory(Box<osv::Parsed>),
    /// An entry of the KEV catalogue.
    Kev(cve::KevEntry),
    /// A CVE record's scores.
    Facts(cve::CveFacts),
    /// One packed EPSS estimate.
    Epss(u64),
    /// The day that the EPSS estimates of this file are for; comes before them.
    EpssDate(String),
    /// The day of a KEV catalogue.
    KevDate(String),
    /// Something in the file could not be used.
    Problem {
        /// The record's id, or the line.
        record: String,
        /// What is wrong with it.
        detail: String,
    },
}

/// The form in which a file holds its records, which says how far it can be a publisher's whole feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON document.
    Single,
    /// JSON lines or an array.
    Collection,
    /// A zip archive of one file per record, the way that publishers export a feed.
    Archive,
}

/// `null` means the same as absent; several databases write it for empty lists.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}
