//! Every document that others read or write: values in, text out, and the other way round.
//!
//! [`json`] is the scan report itself, versioned; [`table`], [`html`], [`explain`] and [`why`] show it to people; the others
//! say it in the words of other tools; [`format`](mod@format) is the table of them all; [`sbom`] and [`vex`] read what others wrote;
//! [`several`] is about more than one report.
//!
//! The same report gives the same bytes: times, serial numbers and namespaces come from the report.
//! **Never:** this crate decides nothing, reads no file and asks no clock. Strings inside a report come from strangers;
//! what goes to a terminal passes [`printable`] first.

pub mod format;

pub mod json;

pub mod explain;
pub mod html;
pub mod printable;
pub mod table;
pub mod why;

pub mod cosign_vuln;
pub mod csaf;
pub mod csv;
pub mod cyclonedx;
pub mod github_annotations;
pub mod github_summary;
pub mod gitlab;
pub mod junit;
pub mod openvex;
pub mod sarif;
pub mod spdx;
pub mod template;

pub mod sbom;
pub mod vex;

pub mod several;

mod document;
mod license;
mod markdown;
mod marks;
mod words;
