//! Installed Julia packages: the `Project.toml` at the root of each in a depot or in Julia's own library.
//!
//! Source: Julia manual, "Code Loading" and Pkg, "Project.toml and Manifest.toml". A depot keeps a package's versions side by
//! side, each in a directory named for its tree hash.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed, Requirement};
use model::package::PackageType;

/// Julia packages.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "julia", version: 1, scope: Scope::Installed, wants, parse };

/// Project files are a few KiB.
const PROJECT_BYTES_MAX: u64 = 1 << 20;

/// `packages/NAME/SLUG/Project.toml`, or `stdlib/v1.10/NAME/Project.toml`.
fn wants(file: &FileHead<'_>) -> bool {
    let Some(directory) = file.path.strip_suffix("/Project.toml") else { return false };
    let mut parts = directory.rsplit('/');
    let (Some(last), Some(middle), Some(first)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let is_slug = (4..=8).contains(&last.len()) && last.bytes().all(|b| b.is_ascii_alphanumeric());
    (first == "packages" && is_slug) || (first == "stdlib" && middle.starts_with('v'))
}

#[derive(Deserialize)]
struct Project {
    name: Option<String>,
    version: Option<String>,
    #[serde(default)]
    deps: BTreeMap<String, IgnoredAny>,
}

fn parse(file: &File<'_>) -> Parsed {
    let bytes = match file.bytes(PROJECT_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    match toml::from_str::<Project>(&String::from_utf8_lossy(&bytes)) {
        Ok(project) => match project.name {
            Some(name) => {
                let requires = project.deps.into_keys().map(|name| Requirement { name, version: None }).collect();
                let package = PackageFact::new(PackageType::Julia, name, project.version.unwrap_or_default());
                Parsed::packages([PackageFact { requires, ..package }])
            }
            None => Parsed::malformed("the project has no name"),
        },
        Err(error) => Parsed::malformed(format_args!("not a project file: {}", error.message())),
    }
}
