//! Haskell libraries that are registered with GHC: one `.conf` file each in a package database.
//!
//! Source: GHC User's Guide, "Package management", "InstalledPackageInfo". Programs are linked statically and do not say
//! what is in them; these are the libraries that programs can still be built from.

use super::fields::fields;
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed, Requirement};
use model::package::PackageType;

/// Registered libraries.
pub(super) const CATALOGER: Cataloger =
    Cataloger { name: "haskell", version: 1, scope: Scope::Installed, wants, parse };

/// The largest registrations, which list hundreds of modules, are below 100 KiB.
const REGISTRATION_BYTES_MAX: u64 = 4 << 20;

/// A file in the database of GHC itself or of a distribution (`package.conf.d`), of cabal (`package.db`) or of Stack
/// (`pkgdb`).
fn wants(file: &FileHead<'_>) -> bool {
    let Some((directory, _)) = file.path.strip_suffix(".conf").and_then(|path| path.rsplit_once('/')) else {
        return false;
    };
    ["package.conf.d", "package.db", "pkgdb"].iter().any(|name| directory.ends_with(name))
}

fn parse(file: &File<'_>) -> Parsed {
    let bytes = match file.bytes(REGISTRATION_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    match package(&String::from_utf8_lossy(&bytes)) {
        Some(package) => Parsed::packages([package]),
        None => Parsed::malformed("the registration names no package"),
    }
}

fn package(text: &str) -> Option<PackageFact> {
    let mut package = PackageFact::new(PackageType::Hackage, "", "");
    for (field, value) in fields(text) {
        match field {
            "name" => package.name = value,
            // An internal library is registered as `z-package-z-library`, and says whose it is.
            "package-name" if !value.is_empty() => package.name = value,
            "version" => package.version = value,
            "license" if !value.is_empty() => package.licenses = vec![value],
            "depends" => package.requires = value.split_whitespace().filter_map(requirement).collect(),
            _ => {}
        }
    }
    package.requires.sort();
    package.requires.dedup();
    Some(package).filter(|package| !package.name.is_empty())
}

/// The unit `text-short-0.1.5-9bvR93i5uk7DRYSOuH9YD6` is version 0.1.5 of `text-short`.
fn requirement(unit: &str) -> Option<Requirement> {
    let is_version = |text: &str| text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains(char::is_alphabetic);
    let at = unit.match_indices('-').map(|(at, _)| at).find(|&at| {
        let rest = &unit[at + 1..];
        is_version(rest.split('-').next().unwrap_or(rest))
    })?;
    let version = unit[at + 1..].split('-').next()?;
    Some(Requirement { name: unit[..at].to_owned(), version: Some(version.to_owned()) })
}
