//! `dogwatch cache`: what earlier scans left, and how to be rid of it.

use std::fmt::Write as _;

use ::scan::cache::{CACHE_BYTES_MAX, Cache, ClearError, Kind};
use ::scan::inspect::image_catalogers;
use anyhow::Context;

use crate::cli::CacheCommand;
use crate::console::{Failure, write};
use crate::paths;

/// Shows or empties the cache.
pub(crate) fn run(command: CacheCommand) -> Result<u8, Failure> {
    let root = paths::cache().context("no home directory for a cache; set DOGWATCH_CACHE_DIR, or use --cache-dir")?;
    let cache = Cache::new(root, &image_catalogers());
    match command {
        CacheCommand::Status => write(&status(&cache), None)?,
        CacheCommand::Clear => cache.clear().map_err(|error| Failure { hint: hint(&error), error: error.into() })?,
    }
    Ok(0)
}

fn status(cache: &Cache) -> String {
    let mut text = format!("{}\n", formats::printable::printable(&cache.root().display().to_string()));
    let mut total = 0;
    for kind in Kind::ALL {
        let usage = cache.usage(kind);
        total += usage.bytes;
        let _ = writeln!(text, "{:12}{:>8} entries{:>12}", kind.directory(), usage.entries, mib(usage.bytes));
    }
    let _ = writeln!(text, "{:12}{:>28}", "total", format!("{} of {}", mib(total), mib(CACHE_BYTES_MAX)));
    text
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn hint(error: &ClearError) -> Option<String> {
    match error {
        ClearError::NotACache { path } => {
            Some(format!("nothing was removed; if it is one all the same, delete `{}` yourself", path.display()))
        }
        ClearError::Remove { .. } => None,
    }
}
