//! Feeds: files in others' formats, recognised by what is in them and never by their names.
//!
//! [`read`] turns one file into [`Item`]s. A record that makes no sense is a [`Item::Problem`] that names it; a whole file
//! that is no feed is [`NotAFeed`], and the caller decides whether that matters.
//!
//! Adding a feed is adding one file with a [`Format`] and one line to [`FORMATS`]. Every reader gets one whole document whose
//! size is bounded ([`open`]); it neither panics nor stops at a part it cannot use.

mod arch;
mod csaf;
pub mod cve;
mod cve5;
mod debian;
mod draft;
mod epss;
mod friendsofphp;
mod ghsa;
mod glsa;
mod malicious;
mod nvd;
mod oci;
mod open;
mod openvex;
pub mod osv;
mod oval;
mod photon;
pub mod ranges;
mod requirement;
mod rpm;
mod rubysec;
mod rustsec;
mod secdb;
mod shape;
mod source;
mod updateinfo;
mod wolfi;
pub(crate) mod xml;

use std::collections::BTreeMap;

use model::advisory::Advisory;
use serde::{Deserialize, Deserializer};

use shape::Shape;

pub use open::{NotAFeed, read, read_text};

/// Every format. Their marks exclude each other; the first that has them reads the document.
const FORMATS: &[Format] = &[
    osv::JSON,
    osv::YAML,
    arch::FORMAT,
    csaf::FORMAT,
    cve::FACTS,
    cve::KEV,
    cve5::FORMAT,
    debian::LISTS,
    debian::TRACKER,
    epss::HISTORY,
    friendsofphp::FORMAT,
    ghsa::GRAPHQL,
    ghsa::REST,
    glsa::FORMAT,
    malicious::COMPROMISED,
    nvd::FORMAT,
    openvex::FORMAT,
    oval::FORMAT,
    photon::FORMAT,
    rubysec::FORMAT,
    rustsec::FORMAT,
    secdb::JSON,
    secdb::YAML,
    updateinfo::FORMAT,
    wolfi::FORMAT,
];

/// What users call the formats, and the one table of numbers that is no document.
pub fn names() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|format| format.name).chain(["EPSS"])
}

/// A format of documents.
pub(crate) struct Format {
    /// What its users call it.
    pub(crate) name: &'static str,
    /// Whether a document of this shape is one.
    pub(crate) marks: fn(&Shape<'_>) -> bool,
    /// Reads one document.
    pub(crate) read: Reader,
}

/// Reads one document and hands over what it says. The error is for a document that gives nothing at all.
pub(crate) type Reader = fn(&[u8], &mut dyn FnMut(Item)) -> Result<Extent, String>;

/// How much of a publisher's knowledge one document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// One record of many, each in a document of its own.
    Record,
    /// Many records; whether all, the document does not say.
    Some,
    /// All that the publisher says of the ecosystems in it.
    Whole,
}

/// One thing that a feed says.
#[derive(Debug)]
pub enum Item {
    /// An advisory record.
    Advisory(Box<Parsed>),
    /// An entry of the KEV catalogue.
    Kev(cve::KevEntry),
    /// A CVE record's scores.
    Facts(cve::CveFacts),
    /// One packed EPSS estimate.
    Epss(u64),
    /// The day that the EPSS estimates after it are for.
    EpssDate(String),
    /// The day of a KEV catalogue.
    KevDate(String),
    /// The document is one whole part of what a publisher says of an ecosystem; all of these parts together are all.
    Part {
        /// The ecosystem with its release.
        ecosystem: String,
        /// Which part it is.
        part: String,
        /// Which parts there are.
        of: &'static [&'static str],
    },
    /// Something in the file could not be used.
    Problem {
        /// The record's id, or the line.
        record: String,
        /// What is wrong with it.
        detail: String,
    },
}

/// What one record says, and what in it could not be used.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parsed {
    /// The record.
    pub advisory: Advisory,
    /// Why records of this kind never are all that is known of an ecosystem, however many of them there are.
    pub partial: Option<&'static str>,
    /// What made no sense, each as a clause to put after the record's id.
    pub problems: Vec<String>,
    /// The record does not say who publishes it.
    pub unsigned: bool,
    /// Some entry names no package. In public feeds that is a program's source code, and no problem.
    pub packageless: bool,
}

/// The form in which a file holds its records, which says how far it can be a publisher's whole feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One document that holds one record.
    Single,
    /// Many records, which may be any extract.
    Collection,
    /// One document that is all its publisher says.
    Catalogue,
    /// An archive of one file per record, the way that publishers export a feed.
    Archive,
}

/// The names of all formats, for people.
pub fn format_names() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|format| format.name)
}

/// Gives a document to the reader of one format, whatever it looks like. Public for fuzzing; false when it gives nothing.
pub fn read_as(format: &str, text: &[u8], sink: &mut dyn FnMut(Item)) -> bool {
    FORMATS.iter().find(|known| known.name == format).is_some_and(|format| (format.read)(text, sink).is_ok())
}

/// `null` means the same as absent; several databases write it for empty lists.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// A map. Programs without a type for empty maps write a list instead.
fn map_or_list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<BTreeMap<String, T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either<T> {
        Map(BTreeMap<String, T>),
        List([serde::de::IgnoredAny; 0]),
        Null(()),
    }
    Ok(match Either::deserialize(from)? {
        Either::Map(map) => map,
        Either::List([]) | Either::Null(()) => BTreeMap::new(),
    })
}

/// Most nodes a YAML record may expand to, aliases included, and how deep it may nest. Whole lists of Alpine's fixes have
/// some 30,000 nodes.
const YAML_NODES_MAX: usize = 2_000_000;
/// See [`YAML_NODES_MAX`].
const YAML_DEPTH_MAX: usize = 32;

/// Reads a document as YAML. Aliases may repeat, but not multiply.
fn yaml<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let text = str::from_utf8(text).map_err(|error| error.to_string())?;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: YAML_DEPTH_MAX, max_nodes: YAML_NODES_MAX, max_aliases: 1_000 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000 },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

/// Reads a document as JSON.
fn json<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| error.to_string())
}
