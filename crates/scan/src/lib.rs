//! From an image to a verdict.

pub mod source;
pub mod target;
