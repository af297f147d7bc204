//! Whether one advisory row covers one package version.
//!
//! **Never:** this module does not look at severity. A low and a critical advisory match by the same rule.

use std::cmp::Ordering;
use std::collections::HashSet;

use model::advisory::{AdvisoryNumber, Candidate, RangeEnd};
use model::package::Package;
use model::version::{Scheme, Version};

/// A version that rows are compared with, read once: popular packages have thousands of rows.
#[derive(Debug, Clone)]
pub struct Compared<'a> {
    text: &'a str,
    scheme: Scheme,
    version: Option<Version<'a>>,
}

impl<'a> Compared<'a> {
    /// A version of an ecosystem with this order.
    pub fn new(scheme: Scheme, text: &'a str) -> Self {
        Self { text, scheme, version: Version::parse_lenient(scheme, text).ok() }
    }

    /// Another version of the same scheme.
    pub fn with<'b>(&self, text: &'b str) -> Compared<'b> {
        Compared::new(self.scheme, text)
    }

    /// Whether the scheme can order it at all.
    pub fn is_version(&self) -> bool {
        self.version.is_some()
    }

    /// How it compares with a bound; none when one of the two is no version.
    pub fn to(&self, bound: &str) -> Option<Ordering> {
        self.version.as_ref()?.partial_cmp(&Version::parse_lenient(self.scheme, bound).ok()?)
    }
}

/// Whether the version lies in the row's interval.
///
/// `None` when a bound (or the version) is not one the scheme can order: such a row says nothing. Of what is no version
/// two things can be said all the same: it is affected when every version is, or when it is named letter by letter.
///
/// Source: OSV schema, section "Evaluation".
pub fn covers(row: &Candidate<'_>, version: &Compared<'_>) -> Option<bool> {
    if row.end == RangeEnd::Exactly {
        let named = row.introduced?;
        return Some(named == version.text || version.to(named)? == Ordering::Equal);
    }
    if let Some(introduced) = row.introduced
        && version.to(introduced)? == Ordering::Less
    {
        return Some(false);
    }
    Some(match row.end {
        RangeEnd::Open | RangeEnd::Exactly => true,
        RangeEnd::Fixed(fixed) => version.to(fixed)? == Ordering::Less,
        RangeEnd::LastAffected(last) => version.to(last)? != Ordering::Greater,
    })
}

/// Leaves of each advisory only the rows for the package's own minor release, where it has such rows.
///
/// Red Hat and its rebuilds fix one advisory in each minor release they keep (`3.7.6-23.el9_3.4` and `3.8.3-4.el9_4`). Who
/// has the first of these is fixed, though it is older than the second.
pub fn keep_own_minor_release(rows: &mut Vec<Candidate<'_>>, version: &str) {
    let Some(own) = minor_release(version) else { return };
    let of_row = |row: &Candidate<'_>| {
        if let RangeEnd::Fixed(fixed) = row.end { minor_release(fixed) == Some(own) } else { false }
    };
    let settled: HashSet<AdvisoryNumber> = rows.iter().filter(|row| of_row(row)).map(|row| row.advisory).collect();
    rows.retain(|row| !settled.contains(&row.advisory) || of_row(row));
}

/// `el9_3` of `3.7.6-23.el9_3.4`, and `el8.6.0` of `3.0.1-8.module_el8.6.0+2876+9ed4eae2`; none where only the major
/// release is named.
fn minor_release(version: &str) -> Option<&str> {
    let release = &version[version.rfind('-')? + 1..];
    let module = release.find(".module").map(|at| &release[at + 1..]);
    let start = module.unwrap_or(release);
    let begins = |at: usize| start[at + 2..].starts_with(|c: char| c.is_ascii_digit());
    let tag = &start[start.match_indices("el").map(|(at, _)| at).find(|&at| begins(at))?..];
    let in_tag = |c: char| c.is_ascii_digit() || c == '_' || (c == '.' && module.is_some());
    let end = tag[2..].find(|c| !in_tag(c)).map_or(tag.len(), |at| at + 2);
    Some(&tag[..end]).filter(|tag| tag.contains(['_', '.']))
}

/// Whether a row for an rpm module (or for none) speaks of the package at all.
///
/// A module stream is a line of versions of its own, so comparing across streams is wrong both ways, and so is comparing a
/// modular package with a fix for the non-modular one. Where `name`, which was looked up, is the module's (`nodejs:18`), or
/// begins with it, the question is settled.
pub fn same_stream(row: &Candidate<'_>, package: &Package, name: &str) -> bool {
    if package.module.as_deref().is_some_and(|label| is_of_module(name, label)) {
        return true;
    }
    let installed = package.module.as_deref().or(is_modular(&package.version).then_some(""));
    match (row.module, installed) {
        (None, None) => true,
        (Some(row_module), Some(installed)) => streams_agree(row_module, installed, row, &package.version),
        _ => false,
    }
}

/// Whether a looked-up name is `name:stream` of the module's label, or `name:stream/package`.
fn is_of_module(name: &str, label: &str) -> bool {
    name.contains(':')
        && label
            .strip_prefix(name.split('/').next().unwrap_or(name))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// Red Hat and its rebuilds mark modular builds in the release.
fn is_modular(version: &str) -> bool {
    version.contains(".module+") || version.contains(".module_")
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
