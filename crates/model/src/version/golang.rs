//! Go versions: modules by `golang.org/x/mod/semver`, with or without `v`, and the toolchain's own (`go1.21rc2`).
//!
//! Advisories write the standard library's versions as semantic ones (`1.21.0-rc.2`), binaries as the toolchain does;
//! both read to the same version. `+incompatible` is build metadata and does not count.

use super::semver::{self, SemverVersion};
use super::split_while;

pub(super) fn parse(text: &str) -> Result<SemverVersion<'_>, &'static str> {
    match text.strip_prefix("go") {
        Some(toolchain) => parse_toolchain(toolchain),
        None => semver::parse(text.strip_prefix('v').unwrap_or(text)),
    }
}

/// Reads `1.21`, `1.21.3`, `1.21rc2`. What vendors and experiments append (`1.22.5 X:boringcrypto`, `1.21.4-fips`) says
/// nothing about the order.
fn parse_toolchain(text: &str) -> Result<SemverVersion<'_>, &'static str> {
    let text = text.split([' ', '-', '+']).next().unwrap_or(text);
    let (major, mut rest) = semver::number(text)?;
    let (mut minor, mut patch) = ("", "");
    for part in [&mut minor, &mut patch] {
        let Some(after) = rest.strip_prefix('.') else { break };
        (*part, rest) = semver::number(after)?;
    }
    let (prerelease, prerelease_number) = split_while(rest, |byte| byte.is_ascii_lowercase());
    match prerelease {
        "" if rest.is_empty() => {}
        "rc" | "beta" | "alpha" if semver::number(prerelease_number).is_ok_and(|(_, rest)| rest.is_empty()) => {}
        _ => return Err("it is not a Go toolchain version such as `go1.21rc2`"),
    }
    Ok(SemverVersion { major, minor, patch, prerelease, prerelease_number })
}
