//! One file per ecosystem.

use crate::cataloger::Cataloger;

mod go_binary;
mod java;
mod npm;
mod python;
mod rust_binary;

mod executable;
mod zip_directory;

/// Every cataloger, in no particular order.
#[rustfmt::skip] // One line each, so that adding one touches no other.
pub const ALL: &[Cataloger] = &[
    npm::CATALOGER,
    python::CATALOGER,
    java::CATALOGER,
    go_binary::CATALOGER,
    rust_binary::CATALOGER,
];
