//! Which version is older, by each ecosystem's own rules.
//!
//! One file per scheme, each following the rules its ecosystem publishes and checked against a table that the
//! ecosystem's own implementation answered (`tests/fixtures/versions`). A [`Version`] is read once and compared many
//! times; most schemes keep slices of the text and allocate nothing.
//!
//! Numbers are compared as runs of digits, whatever their length, so a version of 10,000 digits is neither an error nor
//! slow. **Never:** this module does not guess. What is not a version of its scheme is [`InvalidVersion`], and the
//! caller says so in a gap.

mod alpm;
mod apk;
mod composer;
mod deb;
mod dotted;
mod ebuild;
mod gem;
mod golang;
mod maven;
mod npm;
mod nuget;
mod pypi;
mod rpm;
mod semver;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// An ecosystem's way to order versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Arch Linux: pacman's `vercmp`.
    Alpm,
    /// Alpine, Wolfi, Chainguard: apk-tools 3.
    Apk,
    /// Debian, Ubuntu: Debian Policy 5.6.12.
    Deb,
    /// Gentoo: Package Manager Specification.
    Ebuild,
    /// Red Hat, SUSE and relatives: `[epoch:]version[-release]`.
    Rpm,
    /// Maven 3.9's `ComparableVersion`.
    Maven,
    /// npm: node-semver in strict mode.
    Npm,
    /// Semantic versioning 2.0.0. What advisories shorten (`1`, `1.2`) only [`Version::parse_lenient`] reads.
    Semver,
    /// Python, PEP 440.
    PyPi,
    /// RubyGems.
    Gem,
    /// PHP Composer.
    Composer,
    /// NuGet.
    NuGet,
    /// Go modules and the Go toolchain (`go1.21rc2`).
    Golang,
    /// R packages.
    Cran,
    /// Haskell packages and GHC.
    Hackage,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 15] = [
        Self::Alpm,
        Self::Apk,
        Self::Deb,
        Self::Ebuild,
        Self::Rpm,
        Self::Maven,
        Self::Npm,
        Self::Semver,
        Self::PyPi,
        Self::Gem,
        Self::Composer,
        Self::NuGet,
        Self::Golang,
        Self::Cran,
        Self::Hackage,
    ];

    /// The name users and scripts write.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alpm => "alpm",
            Self::Apk => "apk",
            Self::Deb => "deb",
            Self::Ebuild => "ebuild",
            Self::Rpm => "rpm",
            Self::Maven => "maven",
            Self::Npm => "npm",
            Self::Semver => "semver",
            Self::PyPi => "pypi",
            Self::Gem => "gem",
            Self::Composer => "composer",
            Self::NuGet => "nuget",
            Self::Golang => "golang",
            Self::Cran => "cran",
            Self::Hackage => "hackage",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No scheme has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a version scheme ({})", Scheme::ALL.map(Scheme::as_str).join(", "))]
pub struct UnknownScheme {
    name: String,
}

impl FromStr for Scheme {
    type Err = UnknownScheme;

    fn from_str(name: &str) -> Result<Self, UnknownScheme> {
        Self::ALL
            .into_iter()
            .find(|scheme| scheme.as_str() == name)
            .ok_or_else(|| UnknownScheme { name: excerpt(name) })
    }
}

/// A text is not a version of its scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a version of scheme {scheme}: {reason}")]
pub struct InvalidVersion {
    /// The scheme it was read by.
    pub scheme: Scheme,
    /// The text, shortened.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// A version that was read once and can be compared many times with others of its scheme.
///
/// Versions of two schemes have no order: [`PartialOrd`] answers none. Within one scheme there is always an order.
#[derive(Debug, Clone)]
pub struct Version<'a>(Parsed<'a>);

#[derive(Debug, Clone)]
enum Parsed<'a> {
    Alpm(alpm::AlpmVersion<'a>),
    Apk(apk::ApkVersion<'a>),
    Deb(deb::DebVersion<'a>),
    Ebuild(ebuild::EbuildVersion<'a>),
    Rpm(rpm::RpmVersion<'a>),
    Maven(maven::MavenVersion<'a>),
    Npm(semver::SemverVersion<'a>),
    Semver(semver::SemverVersion<'a>),
    PyPi(pypi::PyPiVersion<'a>),
    Gem(gem::GemVersion<'a>),
    Composer(composer::ComposerVersion),
    NuGet(nuget::NuGetVersion<'a>),
    Golang(semver::SemverVersion<'a>),
    Cran(dotted::DottedVersion<'a>),
    Hackage(dotted::DottedVersion<'a>),
}

impl<'a> Version<'a> {
    /// Reads a version that a package states.
    pub fn parse(scheme: Scheme, text: &'a str) -> Result<Self, InvalidVersion> {
        let parsed = match scheme {
            Scheme::Alpm => alpm::parse(text).map(Parsed::Alpm),
            Scheme::Apk => apk::parse(text).map(Parsed::Apk),
            Scheme::Deb => deb::parse(text).map(Parsed::Deb),
            Scheme::Ebuild => ebuild::parse(text).map(Parsed::Ebuild),
            Scheme::Rpm => rpm::parse(text).map(Parsed::Rpm),
            Scheme::Maven => maven::parse(text).map(Parsed::Maven),
            Scheme::Npm => npm::parse(text).map(Parsed::Npm),
            Scheme::Semver => semver::parse_strict(text).map(Parsed::Semver),
            Scheme::PyPi => pypi::parse(text).map(Parsed::PyPi),
            Scheme::Gem => gem::parse(text).map(Parsed::Gem),
            Scheme::Composer => composer::parse(text).map(Parsed::Composer),
            Scheme::NuGet => nuget::parse(text).map(Parsed::NuGet),
            Scheme::Golang => golang::parse(text).map(Parsed::Golang),
            Scheme::Cran => dotted::parse_cran(text).map(Parsed::Cran),
            Scheme::Hackage => dotted::parse_hackage(text).map(Parsed::Hackage),
        };
        match parsed {
            Ok(parsed) => Ok(Self(parsed)),
            Err(reason) => Err(InvalidVersion { scheme, text: excerpt(text), reason }),
        }
    }

    /// Reads a version for matching, where feeds and packages are less strict than the rules: for npm and semantic
    /// versioning also `v2`, `1.9`, `2021.03.04` and `1.9.0b1`, in the way of node-semver's loose mode.
    pub fn parse_lenient(scheme: Scheme, text: &'a str) -> Result<Self, InvalidVersion> {
        Self::parse(scheme, text).or_else(|invalid| match scheme {
            Scheme::Npm => semver::parse_loose(text).map(|version| Self(Parsed::Npm(version))).map_err(|_| invalid),
            Scheme::Semver => {
                semver::parse_loose(text).map(|version| Self(Parsed::Semver(version))).map_err(|_| invalid)
            }
            _ => Err(invalid),
        })
    }
}

impl PartialOrd for Version<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(match (&self.0, &other.0) {
            (Parsed::Alpm(a), Parsed::Alpm(b)) => a.compare(b),
            (Parsed::Apk(a), Parsed::Apk(b)) => a.compare(b),
            (Parsed::Deb(a), Parsed::Deb(b)) => a.compare(b),
            (Parsed::Ebuild(a), Parsed::Ebuild(b)) => a.compare(b),
            (Parsed::Rpm(a), Parsed::Rpm(b)) => a.compare(b),
            (Parsed::Maven(a), Parsed::Maven(b)) => a.compare(b),
            (Parsed::Npm(a), Parsed::Npm(b))
            | (Parsed::Semver(a), Parsed::Semver(b))
            | (Parsed::Golang(a), Parsed::Golang(b)) => a.compare(b),
            (Parsed::PyPi(a), Parsed::PyPi(b)) => a.compare(b),
            (Parsed::Gem(a), Parsed::Gem(b)) => a.compare(b),
            (Parsed::Composer(a), Parsed::Composer(b)) => a.compare(b),
            (Parsed::NuGet(a), Parsed::NuGet(b)) => a.compare(b),
            (Parsed::Cran(a), Parsed::Cran(b)) | (Parsed::Hackage(a), Parsed::Hackage(b)) => a.compare(b),
            _ => return None,
        })
    }
}

impl PartialEq for Version<'_> {
    /// Whether the scheme calls them equal, which is not the same as equal text: `1.0` is `1.0.0` for PyPI.
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

/// Orders two versions; none when either is not a version of the scheme.
///
/// ```
/// use std::cmp::Ordering;
/// use dogwatch_model::version::{Scheme, compare};
///
/// assert_eq!(compare(Scheme::Deb, "1.0~rc1", "1.0"), Some(Ordering::Less));
/// assert_eq!(compare(Scheme::Npm, "1.0~rc1", "1.0.0"), None);
/// ```
pub fn compare(scheme: Scheme, a: &str, b: &str) -> Option<Ordering> {
    Version::parse(scheme, a).ok()?.partial_cmp(&Version::parse(scheme, b).ok()?)
}

/// Orders two versions for matching, each read by [`Version::parse_lenient`].
pub fn compare_lenient(scheme: Scheme, a: &str, b: &str) -> Option<Ordering> {
    Version::parse_lenient(scheme, a).ok()?.partial_cmp(&Version::parse_lenient(scheme, b).ok()?)
}

/// As much of a stranger's text as belongs in a message.
fn excerpt(text: &str) -> String {
    const EXCERPT_CHARS_MAX: usize = 100;
    text.chars().take(EXCERPT_CHARS_MAX).collect()
}

/// Orders two runs of ASCII digits as numbers of any size; an empty run is zero.
fn compare_digits(a: &str, b: &str) -> Ordering {
    let a = a.trim_start_matches('0');
    let b = b.trim_start_matches('0');
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Whether all is ASCII digits; true of the empty text.
fn all_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// Splits off the longest prefix whose bytes are all in an ASCII class.
fn split_while(text: &str, class: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|b| !class(b)).unwrap_or(text.len());
    // The class holds ASCII only, so `end` is a character boundary; should it ever not be, nothing is split off.
    text.split_at_checked(end).unwrap_or(("", text))
}
