//! Dart packages in pub's cache: the `pubspec.yaml` at the root of each.
//!
//! Source: Dart documentation, "The pubspec file"; pub's `PUB_CACHE` layout, `hosted/HOST/NAME-VERSION`. A compiled program
//! does not say what is in it.

use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed};
use model::package::PackageType;

/// Cached packages.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "dart", version: 1, scope: Scope::Installed, wants, parse };

fn wants(file: &FileHead<'_>) -> bool {
    from_path(file.path).is_some()
}

/// The directory says all that is needed, so the file is not read.
fn parse(file: &File<'_>) -> Parsed {
    Parsed::packages(from_path(file.path).map(|(name, version)| PackageFact::new(PackageType::Pub, name, version)))
}

/// Name and version in `hosted/pub.dev/http-0.13.5/pubspec.yaml`. Names of Dart packages have no hyphen.
fn from_path(path: &str) -> Option<(&str, &str)> {
    let (cache, directory) = path.strip_suffix("/pubspec.yaml")?.rsplit_once('/')?;
    let (above, _host) = cache.rsplit_once('/')?;
    let (name, version) = directory.split_once('-')?;
    let is_cache = above == "hosted" || above.ends_with("/hosted");
    (is_cache && !name.is_empty() && version.starts_with(|c: char| c.is_ascii_digit())).then_some((name, version))
}
