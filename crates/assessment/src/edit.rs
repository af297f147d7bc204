//! Edits of manifests: one version raised, every other byte kept.
//!
//! An editor says where in a text the version stands; only that is replaced, so comments, order and line ends stay. Where a
//! text alone cannot say what the upgrade means (a range, a hash, a shared property that does not fit), it is refused with
//! the reason and nothing changes.
//!
//! **Never:** lock files that carry hashes of what they lock. Those are not known here; the ecosystem's own tool writes them.

mod cargo_toml;
pub mod diff;
pub mod dockerfile;
mod go_mod;
mod package_json;
mod pom;
mod pyproject;
mod requirements;
mod requirement;

use std::cmp::Ordering;
use std::ops::Range;

use model::version::{Scheme, compare_lenient};

pub use requirement::is_compatible;
use requirement::{Bare, raised};

/// One package raised from a version to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upgrade<'a> {
    /// The package's name as its ecosystem writes it; Maven's is `group:artifact`.
    pub name: &'a str,
    /// The version that is there.
    pub from: &'a str,
    /// The version to have.
    pub to: &'a str,
}

/// The manifests that can be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manifest {
    /// `Cargo.toml`.
    CargoToml,
    /// `go.mod`.
    GoMod,
    /// `package.json`.
    PackageJson,
    /// `pom.xml`.
    Pom,
    /// Python's `pyproject.toml`.
    Pyproject,
    /// pip's `requirements.txt`.
    Requirements,
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The manifest does not name the package.
    #[error("it does not name the package")]
    NotNamed,
    /// The package stands there, but not with a version that can be raised.
    #[error("it names no version of it that could be raised")]
    NoVersion,
    /// The line carries hashes of the old version.
    #[error("it pins hashes, and those of the new version are not known here")]
    Hashes,
    /// Go modules have another path from version 2 on.
    #[error("another major version of a Go module has another path")]
    MajorPath,
    /// A `replace` directive decides instead.
    #[error("a `replace` directive decides its version")]
    Replaced,
    /// Several values give the version.
    #[error("its version is put together from what stands elsewhere")]
    Indirect,
    /// A property gives the version of several artifacts that need not have the same versions.
    #[error("the property `{property}` also gives the version of {others}, which may not have that one")]
    Shared {
        /// The property.
        property: String,
        /// The other artifacts, the first few.
        others: String,
    },
    /// The new version is no plain text.
    #[error("the new version cannot be written there")]
    Unwritable,
}

/// Where a text changes, and what it becomes.
type Changes = Vec<(Range<usize>, String)>;

/// A version that is longer is no version, and would make a line nobody reads.
const VERSION_BYTES_MAX: usize = 128;

impl Manifest {
    /// The manifest that a file of this name is.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "Cargo.toml" => Some(Self::CargoToml),
            "go.mod" => Some(Self::GoMod),
            "package.json" => Some(Self::PackageJson),
            "pom.xml" => Some(Self::Pom),
            "pyproject.toml" => Some(Self::Pyproject),
            _ if name.starts_with("requirements") && name.ends_with(".txt") => Some(Self::Requirements),
            _ => None,
        }
    }

    /// The text with versions raised, and what became of each upgrade. Where several upgrades meet in one place (a property
    /// of a `pom.xml`), the highest version stands.
    pub fn edit(self, text: &str, upgrades: &[Upgrade<'_>]) -> (String, Vec<Result<(), Refused>>) {
        let mut all: Vec<(Range<usize>, String, &str)> = Vec::new();
        let mut became = Vec::with_capacity(upgrades.len());
        for upgrade in upgrades {
            let changes = self.changes(text, upgrade);
            became.push(changes.as_ref().map(|_| ()).map_err(Clone::clone));
            all.extend(changes.into_iter().flatten().map(|(range, new)| (range, new, upgrade.to)));
        }
        let highest_first = |a: &str, b: &str| compare_lenient(self.scheme(), b, a).unwrap_or(Ordering::Equal);
        all.sort_by(|a, b| a.0.start.cmp(&b.0.start).then_with(|| highest_first(a.2, b.2)));
        (apply(text, all.into_iter().map(|(range, new, _)| (range, new))), became)
    }

    fn changes(self, text: &str, upgrade: &Upgrade<'_>) -> Result<Changes, Refused> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".+-_!~".contains(c);
        if upgrade.to.is_empty() || upgrade.to.len() > VERSION_BYTES_MAX || !upgrade.to.chars().all(is_plain) {
            return Err(Refused::Unwritable);
        }
        match self {
            Self::CargoToml => cargo_toml::changes(text, upgrade),
            Self::GoMod => go_mod::changes(text, upgrade),
            Self::PackageJson => package_json::changes(text, upgrade),
            Self::Pom => pom::changes(text, upgrade),
            Self::Pyproject => pyproject::changes(text, upgrade),
            Self::Requirements => requirements::changes(text, upgrade),
        }
    }

    fn scheme(self) -> Scheme {
        match self {
            Self::CargoToml => Scheme::Semver,
            Self::GoMod => Scheme::Golang,
            Self::PackageJson => Scheme::Npm,
            Self::Pom => Scheme::Maven,
            Self::Pyproject | Self::Requirements => Scheme::PyPi,
        }
    }
}

/// What an editor found, or why that is nothing.
fn outcome(changes: Changes, is_named: bool) -> Result<Changes, Refused> {
    match (changes.is_empty(), is_named) {
        (false, _) => Ok(changes),
        (true, true) => Err(Refused::NoVersion),
        (true, false) => Err(Refused::NotNamed),
    }
}

/// Changes in order of their places; of two for one place the first stands.
fn apply(text: &str, changes: impl IntoIterator<Item = (Range<usize>, String)>) -> String {
    let mut edited = String::with_capacity(text.len() + 16);
    let mut done = 0;
    for (range, new) in changes {
        if range.start < done {
            continue;
        }
        edited.push_str(&text[done..range.start]);
        edited.push_str(&new);
        done = range.end;
    }
    edited.push_str(&text[done..]);
    edited
}

/// Each line with the place where it begins, its line end left out.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line.trim_end_matches(['\n', '\r']))
    })
}

#[cfg(test)]
mod tests;
