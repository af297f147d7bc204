//! Packages: what an inventory is made of.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::artifact::Origin;

/// The position of a package in its inventory; stable within one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PackageId(pub u32);

/// One package that is present in the artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Package {
    /// Its position in the inventory.
    pub id: PackageId,
    /// The sort of package (the purl type).
    #[serde(rename = "type")]
    pub kind: PackageType,
    /// The name as its ecosystem writes it: `libssl3`, `@babel/core`, `org.slf4j:slf4j-api`, `golang.org/x/net`.
    pub name: String,
    /// The version as its ecosystem writes it, with epoch and release where it has them: `1:2.3-4+deb12u1`. Empty when
    /// nothing says which.
    pub version: String,
    /// The package URL, the same in every format.
    pub purl: String,
    /// The architecture as the package database writes it; of a gem, the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The source package it was built from (dpkg `Source`, apk `origin`, rpm `SOURCERPM`, pacman `base`). Advisories often name that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourcePackage>,
    /// The rpm module it belongs to, `name:stream[:version:context]`; `Some("")` for "modular, stream not known".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// License expressions or names, as stated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<String>,
    /// Where it was seen. The first is the strongest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// The layer that introduced it, counted from 0 at the bottom; none where there are no layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<u32>,
    /// Whether the base image or the application brought it.
    #[serde(default)]
    pub origin: Origin,
    /// Language packages whose files this OS package owns, or the Conda package that brought this Python package, as purls:
    /// they are this package under another name and are not listed again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provides: Vec<String>,
    /// Packages of this inventory that this one needs, where its metadata says so and they were found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<PackageId>,
    /// Named by the project itself, as its lock file or manifest says. Where nothing says it, this is false too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub direct: bool,
    /// Needed for development or tests only, as a lock file says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub development: bool,
    /// The cataloger that found it.
    pub cataloger: String,
}

/// The source package of a binary package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct SourcePackage {
    /// Its name.
    pub name: String,
    /// Its version, which can differ from the binary's.
    pub version: String,
}

/// Where a package was seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The path inside the artifact, without a leading slash; nested archives are joined with `!/`.
    pub path: String,
    /// The words in the file that say so, where it is no metadata of a package: `nginx version: nginx/1.22.1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The layer whose copy of the path is in force; none where there are no layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<u32>,
}

/// The sort of package, named by its package-URL type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(with = "String")]
pub enum PackageType {
    /// Debian and its derivatives.
    Deb,
    /// Alpine and its derivatives.
    Apk,
    /// Red Hat, SUSE and their relatives.
    Rpm,
    /// Arch Linux (pacman).
    Alpm,
    /// Gentoo (Portage); the name is `category/package`.
    Ebuild,
    /// OpenWrt and other small systems.
    Opkg,
    /// Node.js.
    Npm,
    /// Python.
    PyPi,
    /// Java.
    Maven,
    /// Go modules; the standard library is `stdlib`.
    Golang,
    /// Rust crates.
    Cargo,
    /// Ruby.
    Gem,
    /// PHP.
    Composer,
    /// .NET.
    NuGet,
    /// Erlang and Elixir.
    Hex,
    /// Dart and Flutter.
    Pub,
    /// Swift, named by the repository without its scheme: `github.com/apple/swift-nio`.
    Swift,
    /// R.
    Cran,
    /// R, from Bioconductor.
    Bioconductor,
    /// Haskell.
    Hackage,
    /// Julia.
    Julia,
    /// C and C++.
    Conan,
    /// OCaml.
    Opam,
    /// GitHub Actions, named `owner/repository`.
    GitHubActions,
    /// Components in Bitnami's images.
    Bitnami,
    /// Any other purl type; nothing is matched for it.
    Other(String),
}

impl PackageType {
    /// The purl type.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Deb => "deb",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
            Self::Alpm => "alpm",
            Self::Ebuild => "ebuild",
            Self::Opkg => "opkg",
            Self::Npm => "npm",
            Self::PyPi => "pypi",
            Self::Maven => "maven",
            Self::Golang => "golang",
            Self::Cargo => "cargo",
            Self::Gem => "gem",
            Self::Composer => "composer",
            Self::NuGet => "nuget",
            Self::Hex => "hex",
            Self::Pub => "pub",
            Self::Swift => "swift",
            Self::Cran => "cran",
            Self::Bioconductor => "bioconductor",
            Self::Hackage => "hackage",
            Self::Julia => "julia",
            Self::Conan => "conan",
            Self::Opam => "opam",
            Self::GitHubActions => "githubactions",
            Self::Bitnami => "bitnami",
            Self::Other(other) => other,
        }
    }

    /// Whether an operating system's package manager installs this sort.
    pub fn is_os(&self) -> bool {
        matches!(self, Self::Deb | Self::Apk | Self::Rpm | Self::Alpm | Self::Ebuild | Self::Opkg)
    }
}

impl From<String> for PackageType {
    fn from(text: String) -> Self {
        match text.as_str() {
            "deb" => Self::Deb,
            "apk" => Self::Apk,
            "rpm" => Self::Rpm,
            "alpm" => Self::Alpm,
            "ebuild" => Self::Ebuild,
            "opkg" => Self::Opkg,
            "npm" => Self::Npm,
            "pypi" => Self::PyPi,
            "maven" => Self::Maven,
            "golang" => Self::Golang,
            "cargo" => Self::Cargo,
            "gem" => Self::Gem,
            "composer" => Self::Composer,
            "nuget" => Self::NuGet,
            "hex" => Self::Hex,
            "pub" => Self::Pub,
            "swift" => Self::Swift,
            "cran" => Self::Cran,
            "bioconductor" => Self::Bioconductor,
            "hackage" => Self::Hackage,
            "julia" => Self::Julia,
            "conan" => Self::Conan,
            "opam" => Self::Opam,
            "githubactions" => Self::GitHubActions,
            "bitnami" => Self::Bitnami,
            _ => Self::Other(text),
        }
    }
}

impl From<PackageType> for String {
    fn from(kind: PackageType) -> Self {
        kind.as_str().to_owned()
    }
}

impl fmt::Display for PackageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
