//! Whether one advisory row covers one package version.
//!
//! **Never:** this module does not look at severity. A low and a critical advisory match by the same rule.

use std::cmp::Ordering;

use model::advisory::{Candidate, RangeEnd};
use model::package::Package;
use model::version::{Scheme, compare_lenient as compare};

/// Whether `version` lies in the row's interval.
///
/// `None` when a bound (or the version) is not one the scheme can order: such a row says nothing.
///
/// Source: OSV schema, section "Evaluation".
pub fn covers(row: &Candidate<'_>, version: &str, scheme: Scheme) -> Option<bool> {
    if row.end == RangeEnd::Exactly {
        let named = row.introduced?;
        return Some(named == version || compare(scheme, version, named) == Some(Ordering::Equal));
    }
    if let Some(introduced) = row.introduced
        && compare(scheme, version, introduced)? == Ordering::Less
    {
        return Some(false);
    }
    Some(match row.end {
        RangeEnd::Open | RangeEnd::Exactly => true,
        RangeEnd::Fixed(fixed) => compare(scheme, version, fixed)? == Ordering::Less,
        RangeEnd::LastAffected(last) => compare(scheme, version, last)? != Ordering::Greater,
    })
}

/// Whether a row for an rpm module (or for none) speaks of the package at all.
///
/// A module stream is a line of versions of its own, so comparing across streams is wrong both ways, and so is comparing a
/// modular package with a fix for the non-modular one.
pub fn same_stream(row: &Candidate<'_>, package: &Package) -> bool {
    let installed = package.module.as_deref().or(is_modular(&package.version).then_some(""));
    match (row.module, installed) {
        (None, None) => true,
        (Some(row_module), Some(installed)) => streams_agree(row_module, installed, row, &package.version),
        _ => false,
    }
}

/// Red Hat and its rebuilds mark modular builds in the release.
fn is_modular(version: &str) -> bool {
    version.contains(".module+el") || version.contains(".module_el")
}

fn streams_agree(row_module: &str, installed: &str, row: &Candidate<'_>, version: &str) -> bool {
    let stream = |label: &str| -> Option<(String, String)> {
        let mut parts = label.split(':');
        Some((parts.next().filter(|name| !name.is_empty())?.to_owned(), parts.next()?.to_owned()))
    };
    if let (Some(row_stream), Some(installed)) = (stream(row_module), stream(installed)) {
        return row_stream == installed;
    }
    // The row does not say which stream. A stream is usually named for the version it carries, so a fix that does not
    // begin like the installed stream (or, when that is not known either, with another major version) is another's.
    let RangeEnd::Fixed(fixed) = row.end else { return true };
    let (fixed, version) = (upstream(fixed), upstream(version));
    match stream(installed) {
        Some((_, stream)) if begins_with(version, &stream) => begins_with(fixed, &stream),
        _ => fixed.split('.').next() == version.split('.').next(),
    }
}

/// The version without epoch and release.
fn upstream(version: &str) -> &str {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    version.split('-').next().unwrap_or(version)
}

fn begins_with(version: &str, stream: &str) -> bool {
    version.strip_prefix(stream).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The row's interval in words: `>= 1.2, < 1.4.1`.
pub fn describe(row: &Candidate<'_>) -> String {
    let from = row.introduced;
    match row.end {
        RangeEnd::Exactly => format!("= {}", from.unwrap_or("0")),
        RangeEnd::Open => format!(">= {}, no fix known", from.unwrap_or("0")),
        RangeEnd::Fixed(fixed) => from.map_or(format!("< {fixed}"), |from| format!(">= {from}, < {fixed}")),
        RangeEnd::LastAffected(last) => from.map_or(format!("<= {last}"), |from| format!(">= {from}, <= {last}")),
    }
}
