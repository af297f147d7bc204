//! From an image to a verdict. **Start reading here:** [`pipeline::scan`] is the main flow in one screen.
//!
//! ```text
//! target ─ source ─ walk ─ (cache) ─ inventory ─ assessment ─ policy ─ report
//! ```
//!
//! This crate touches the world (registries, files, the cache) and calls the crates that think. It prints nothing.

pub mod pipeline;
pub mod target;
pub mod source;
pub mod inspect;
pub mod container;
pub mod walk;
pub mod spool;
pub mod sandbox;
pub mod cache;
pub mod advice;
pub mod bases;
pub mod vex;
pub mod progress;
mod error;
pub mod exclude;

pub use error::ScanError;
