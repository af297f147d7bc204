//! What it means over time: who owns what, who stands on it, what changed, how much it matters.
//!
//! Values in, values out: the store remembers, the server asks. [`catalog`] reads Backstage entities and [`owners`] says whose an
//! image, base or layer is; [`postings`] answers who stands on a package; [`risk`] weighs; [`change`] is what the feed tells.
//!
//! **Never:** no SQL, no HTTP, no clock: `now` is an argument.

pub mod catalog;
pub mod change;
pub mod postings;
pub mod owners;
pub mod risk;
pub mod threshold;
