//! OCaml packages that opam installed: the `opam` file of each in its switch.
//!
//! Source: opam manual, "Package definitions" and the layout of a switch (`.opam-switch/packages/NAME.VERSION/opam`).

use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed};
use model::package::PackageType;

/// Packages of a switch.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "opam", version: 1, scope: Scope::Installed, wants, parse };

/// Definitions are a few KiB.
const DEFINITION_BYTES_MAX: u64 = 1 << 20;

fn wants(file: &FileHead<'_>) -> bool {
    from_path(file.path).is_some()
}

/// Name and version in `.opam-switch/packages/lwt.5.6.1/opam`. Names of packages have no dot.
fn from_path(path: &str) -> Option<(&str, &str)> {
    let (above, directory) = path.strip_suffix("/opam")?.rsplit_once('/')?;
    directory.split_once('.').filter(|(name, _)| above.ends_with(".opam-switch/packages") && !name.is_empty())
}

fn parse(file: &File<'_>) -> Parsed {
    let bytes = match file.bytes(DEFINITION_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    let Some((name, version)) = from_path(file.path) else { return Parsed::default() };
    let mut package = PackageFact::new(PackageType::Opam, name, version);
    let text = String::from_utf8_lossy(&bytes);
    let license = text.lines().find_map(|line| line.strip_prefix("license:"));
    package.licenses =
        license.into_iter().flat_map(|list| list.split('"').skip(1).step_by(2)).map(str::to_owned).collect();
    Parsed::packages([package])
}
