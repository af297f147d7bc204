//! npm versions: node-semver in strict mode (a leading `v` and surrounding white space are allowed, as there).

use super::semver::{self, SemverVersion};

/// node-semver's `MAX_LENGTH`.
const LENGTH_MAX: usize = 256;

/// JavaScript's `Number.MAX_SAFE_INTEGER`: node-semver rejects a larger major, minor or patch.
const NUMBER_MAX: u64 = (1 << 53) - 1;

pub(super) fn parse(text: &str) -> Result<SemverVersion<'_>, &'static str> {
    if text.len() > LENGTH_MAX {
        return Err("it is longer than 256 characters");
    }
    let text = text.trim();
    let version = semver::parse(text.strip_prefix('v').unwrap_or(text))?;
    if version.patch.is_empty() {
        return Err("it does not have three numbers");
    }
    let small = |digits: &str| digits.parse::<u64>().is_ok_and(|number| number <= NUMBER_MAX);
    if !(small(version.major) && small(version.minor) && small(version.patch)) {
        return Err("a number is larger than JavaScript can count");
    }
    Ok(version)
}
