//! Installed R packages: the `DESCRIPTION` in each package's directory of a library.
//!
//! Source: "Writing R Extensions", section 1.1.1. Sources have a `DESCRIPTION`, too; only what is installed says by what it
//! was `Built`. Bioconductor's packages name their topics (`biocViews`) and come from its repository.

use super::fields::fields;
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed, Requirement};
use model::package::PackageType;

/// R packages by their description.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "r", version: 1, scope: Scope::Installed, wants, parse };

/// Descriptions with every collaborator and file name are below 50 KiB.
const DESCRIPTION_BYTES_MAX: u64 = 1 << 20;

fn wants(file: &FileHead<'_>) -> bool {
    file.path.ends_with("/DESCRIPTION")
}

fn parse(file: &File<'_>) -> Parsed {
    match file.bytes(DESCRIPTION_BYTES_MAX) {
        Ok(bytes) => Parsed::packages(package(&String::from_utf8_lossy(&bytes))),
        Err(problem) => problem,
    }
}

/// The package; none when the text describes no installed one, for other programs have files of this name, too.
fn package(text: &str) -> Option<PackageFact> {
    let mut package = PackageFact::new(PackageType::Cran, "", "");
    let (mut built, mut from_cran) = (false, false);
    for (field, value) in fields(text) {
        match field {
            "Package" => package.name = value,
            "Version" => package.version = value,
            "Built" => built = true,
            "License" if !value.is_empty() => package.licenses = vec![value],
            "Depends" | "Imports" | "LinkingTo" => package.requires.extend(value.split(',').filter_map(requirement)),
            "biocViews" => package.kind = PackageType::Bioconductor,
            "Repository" => from_cran = value == "CRAN",
            _ => {}
        }
    }
    // Some of CRAN's name topics, so that Bioconductor's packages which they need are found.
    if from_cran {
        package.kind = PackageType::Cran;
    }
    package.requires.sort();
    package.requires.dedup();
    Some(package).filter(|package| built && !package.name.is_empty())
}

/// The name in `jsonlite (>= 1.8)`; `R` itself is no package.
fn requirement(text: &str) -> Option<Requirement> {
    let name = text.split('(').next()?.trim();
    (!name.is_empty() && name != "R").then(|| Requirement { name: name.to_owned(), version: None })
}
