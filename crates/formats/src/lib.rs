//! Every document that others read or write: values in, text out, and the other way round.
//!
//! [`json`] is the scan report itself, versioned; [`table`] and [`explain`] show it to people; [`sarif`],
//! [`cyclonedx`] and [`spdx`] say it in the words of other tools; [`sbom`] reads what other tools wrote.
//!
//! The same report gives the same bytes: times, serial numbers and namespaces come from the report.
//! **Never:** this crate decides nothing, reads no file and asks no clock. Strings inside a report come from strangers;
//! what goes to a terminal passes [`printable`] first.

pub mod json;

pub mod table;

pub mod explain;
pub mod printable;

pub mod cyclonedx;
pub mod sarif;
pub mod spdx;

pub mod sbom;

mod document;
mod license;
mod words;
