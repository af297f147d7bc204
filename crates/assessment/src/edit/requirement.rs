//! One comparator, as Cargo and npm write it: `^1.2.3`, `~1.2`, `=1.2.3`, `1.2.3`. Source: The Cargo Book, "Specifying
//! Dependencies"; node-semver, "Ranges".

use semver::{Version, VersionReq};

/// What a version without an operator means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bare {
    /// Cargo: the same as `^`.
    Caret,
    /// npm: that version alone.
    Exact,
}

/// The requirement with its version raised, the operator kept. None for ranges, wildcards, URLs and everything else, and
/// for a requirement that does not accept the old version: it is about another one.
pub(super) fn raised(requirement: &str, from: &str, to: &str, bare: Bare) -> Option<String> {
    let version = requirement.trim_start_matches(['^', '~', '=']);
    let operator = &requirement[..requirement.len() - version.len()];
    let rest = version.trim_start_matches(' ');
    let parts = rest.split(['-', '+']).next()?.split('.');
    let is_version = rest.starts_with(|c: char| c.is_ascii_digit())
        && rest.chars().all(|c| c.is_ascii_alphanumeric() || ".+-".contains(c))
        && parts.clone().all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    // npm takes `1.2` for every `1.2.x`; one version in its place would mean something else.
    let is_whole = parts.count() == 3 || bare == Bare::Caret || !operator.is_empty();
    let comparator = match (operator, bare) {
        ("", Bare::Caret) | ("^", _) => "^",
        ("", Bare::Exact) | ("=", _) => "=",
        ("~", _) => "~",
        _ => return None,
    };
    let requirement = VersionReq::parse(&format!("{comparator}{rest}")).ok()?;
    let accepts = requirement.matches(&Version::parse(from).ok()?);
    (is_version && is_whole && accepts).then(|| format!("{operator}{}{to}", &version[..version.len() - rest.len()]))
}

/// Whether a dependent that was content with one version may be expected to accept the other: the same major version, or the
/// same minor one of `0.x`.
pub fn is_compatible(from: &str, to: &str) -> bool {
    let requirement = VersionReq::parse(&format!("^{from}")).ok();
    requirement.zip(Version::parse(to).ok()).is_some_and(|(requirement, to)| requirement.matches(&to))
}
