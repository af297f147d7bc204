//! What is inside an artifact.
//!
//! Layers are walked once. [`layer::LayerReader`] keeps a compact table of every path and hands the files that some
//! [`cataloger::Cataloger`] wants to its parser, which returns [`fact::Fact`]s. [`assemble::assemble`] then stacks the
//! layers (whiteouts, links), drops what is hidden, finds which layer introduced each package, and joins language
//! packages with the OS packages that own their files.
//!
//! Nothing here opens a file or a socket: bytes arrive through [`content::ReadAt`] and [`std::io::Read`]. Adding an
//! ecosystem is adding one file below `catalogers/` and one line to [`catalogers::ALL`].
//! **Never:** this crate does not know advisories or policy.

pub mod content;
pub mod fact;
pub mod cataloger;
pub mod catalogers;
pub mod tar;
pub mod entry;
pub mod pinned;
pub mod layer;
pub mod tree;
pub mod assemble;
pub mod change;
pub mod support;
