//! PHP packages that Composer installed: `vendor/composer/installed.json`.
//!
//! Source: Composer, `Composer\Repository\FilesystemRepository`. Composer 1 wrote a list of packages, Composer 2 writes an
//! object that holds it and says which of them are for development.

use std::collections::HashSet;

use serde_json::Value;

use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed, Problem, Requirement};
use model::gap::GapKind;
use model::package::PackageType;

/// What Composer says is installed.
pub(super) const CATALOGER: Cataloger =
    Cataloger { name: "composer", version: 1, scope: Scope::Installed, wants, parse };

/// Five hundred packages take about 1.5 MiB.
const INSTALLED_BYTES_MAX: u64 = 16 << 20;

fn wants(file: &FileHead<'_>) -> bool {
    file.path.ends_with("/composer/installed.json")
}

fn parse(file: &File<'_>) -> Parsed {
    let bytes = match file.bytes(INSTALLED_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(installed) => installed_packages(&installed),
        Err(error) => Parsed::malformed(format_args!("not Composer's list: {error}")),
    }
}

fn installed_packages(installed: &Value) -> Parsed {
    let Some(listed) = installed.as_array().or_else(|| installed["packages"].as_array()) else {
        return Parsed::malformed("it holds no list of packages");
    };
    let development: HashSet<&str> =
        installed["dev-package-names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut parsed = Parsed::packages(listed.iter().filter_map(|entry| package(entry, &development)));
    let nameless = listed.len() - parsed.facts.len();
    if nameless > 0 {
        let detail = format!("{nameless} of its packages have no name");
        parsed.problems.push(Problem { kind: GapKind::Malformed, detail, inside: None });
    }
    parsed
}

fn package(entry: &Value, development: &HashSet<&str>) -> Option<PackageFact> {
    let name = entry["name"].as_str().filter(|name| !name.is_empty())?;
    let version = entry["version"].as_str().unwrap_or_default();
    let licenses = match &entry["license"] {
        Value::String(license) => vec![license.clone()],
        several => several.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    let needed = entry["require"].as_object().into_iter().flat_map(|needed| needed.keys());
    // What has no vendor is PHP itself or one of its extensions.
    let requires = needed
        .filter(|name| name.contains('/'))
        .map(|name| Requirement { name: name.clone(), version: None })
        .collect();
    let package = PackageFact::new(PackageType::Composer, name, version);
    Some(PackageFact { licenses, requires, development: development.contains(name), ..package })
}
