//! What a parser learned from one file.

use model::distro::Distro;
use model::gap::GapKind;
use model::package::{PackageType, SourcePackage};
use serde::{Deserialize, Serialize};

/// One thing a parser learned from one file. Facts are cached per layer, so they never depend on other files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// A package whose evidence is the file itself (or a member of it).
    Package(PackageFact),
    /// Everything a package database says is installed. The difference of two layers' databases says who introduced
    /// what, so the list must be whole.
    Database(Vec<PackageFact>),
    /// Paths that an OS package owns, where the database keeps them apart (dpkg's `info/*.list`).
    Owns {
        /// Whose package.
        kind: PackageType,
        /// Its name, without architecture.
        package: String,
        /// Absolute paths, as the package manager writes them.
        paths: Vec<String>,
    },
    /// Licenses of an OS package, where the database does not say (Debian's `copyright` files).
    Licenses {
        /// Whose package.
        kind: PackageType,
        /// Its name.
        package: String,
        /// SPDX ids or names, as stated.
        licenses: Vec<String>,
    },
    /// The distribution.
    Distro(Distro),
}

/// A package as one file describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageFact {
    /// The sort of package.
    pub kind: PackageType,
    /// Its name as the ecosystem writes it; Maven `group:artifact`.
    pub name: String,
    /// Its full version (with epoch and release); empty when not stated.
    pub version: String,
    /// Architecture.
    #[serde(default)]
    pub arch: Option<String>,
    /// Source (origin) package.
    #[serde(default)]
    pub source: Option<SourcePackage>,
    /// rpm module label, `name:stream:version:context`.
    #[serde(default)]
    pub module: Option<String>,
    /// License expressions or names.
    #[serde(default)]
    pub licenses: Vec<String>,
    /// What it needs.
    #[serde(default)]
    pub requires: Vec<Requirement>,
    /// Absolute paths that it owns (apk, rpm and Conda keep them in their databases).
    #[serde(default)]
    pub files: Vec<String>,
    /// The path inside the archive that holds it, joined with `!/`; none when the file itself is the evidence.
    #[serde(default)]
    pub inside: Option<String>,
    /// The words in the file that say so, where it is no metadata of a package.
    #[serde(default)]
    pub said: Option<String>,
    /// Needed for development or tests only.
    #[serde(default)]
    pub development: bool,
    /// Named by the project itself, as its lock file or manifest says.
    #[serde(default)]
    pub direct: bool,
    /// A document says so, and nothing of the package itself was seen: it counts only where nothing else was found under
    /// this name and version.
    #[serde(default)]
    pub claimed: bool,
    /// The distribution (`ID`) that a claimed OS package is from, where the document says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distro: Option<String>,
}

impl PackageFact {
    /// A package of which only this is known.
    pub fn new(kind: PackageType, name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            version: version.into(),
            arch: None,
            source: None,
            module: None,
            licenses: Vec::new(),
            requires: Vec::new(),
            files: Vec::new(),
            inside: None,
            said: None,
            development: false,
            direct: false,
            claimed: false,
            distro: None,
        }
    }
}

/// A package that another needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Requirement {
    /// The needed package's name, in the same ecosystem.
    pub name: String,
    /// Its exact version, where a lock file says which was chosen.
    #[serde(default)]
    pub version: Option<String>,
}

/// What a parser returns: what it understood and what it could not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Parsed {
    /// What it understood.
    pub facts: Vec<Fact>,
    /// What it could not; the caller adds the file's path and layer.
    pub problems: Vec<Problem>,
}

/// Something in one file that a parser could not read. Becomes a gap that names the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of gap it makes.
    pub kind: GapKind,
    /// Why, in one clause without a full stop.
    pub detail: String,
    /// The path inside the archive, joined with `!/`; none when it is the file itself.
    #[serde(default)]
    pub inside: Option<String>,
}

impl Parsed {
    /// Nothing but packages.
    pub fn packages(packages: impl IntoIterator<Item = PackageFact>) -> Self {
        Self { facts: packages.into_iter().map(Fact::Package).collect(), problems: Vec::new() }
    }

    /// Nothing but one problem with the whole file.
    pub fn problem(kind: GapKind, detail: impl Into<String>) -> Self {
        Self { facts: Vec::new(), problems: vec![Problem { kind, detail: detail.into(), inside: None }] }
    }

    /// The file is not what its name promises.
    pub fn malformed(detail: impl std::fmt::Display) -> Self {
        Self::problem(GapKind::Malformed, detail.to_string())
    }
}
