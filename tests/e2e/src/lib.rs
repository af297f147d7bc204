//! What the end-to-end tests share: the real program with directories of its own, real images, a real registry,
//! real engines.
//!
//! A test that lacks a component says `SKIPPED: …` past the test harness and passes; `make test` counts those.

pub mod claims;
pub mod engines;
pub mod essence;
pub mod images;
pub mod program;
pub mod registry;
pub mod server;
pub mod web;

use std::io::Write;

/// Whether all these programs are here. Says so loudly when not, because then nothing is tested.
pub fn have(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| !xtask::machine::has(program)).collect();
    if !missing.is_empty() {
        skip(&format!("{missing:?} not installed"));
    }
    missing.is_empty()
}

/// Says that this test could not try what it is for.
pub fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    // Written past the harness, which hides what passing tests print.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {why}");
}
