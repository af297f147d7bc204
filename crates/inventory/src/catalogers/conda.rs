//! Conda packages: the record that each has in an environment's `conda-meta`.
//!
//! Source: conda documentation, "Package metadata"; `conda.models.records.PrefixRecord`. A record lists every file of its
//! package. Of these only those are kept that may describe a package of a language, because a Python package that Conda
//! installed is one package, not two.

use serde::Deserialize;

use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed, Requirement};
use model::package::PackageType;

/// Conda packages by their record.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "conda", version: 1, scope: Scope::Installed, wants, parse };

/// The records of packages with 100,000 files are below 40 MiB.
const RECORD_BYTES_MAX: u64 = 64 << 20;

fn wants(file: &FileHead<'_>) -> bool {
    prefix(file.path).is_some()
}

/// The environment that a record belongs to.
fn prefix(path: &str) -> Option<&str> {
    let (directory, _) = path.strip_suffix(".json")?.rsplit_once('/')?;
    let prefix = directory.strip_suffix("conda-meta")?;
    (prefix.is_empty() || prefix.ends_with('/')).then_some(prefix)
}

#[derive(Deserialize)]
struct Record {
    name: String,
    version: String,
    license: Option<String>,
    #[serde(default)]
    depends: Vec<String>,
    #[serde(default)]
    files: Vec<String>,
}

fn parse(file: &File<'_>) -> Parsed {
    let bytes = match file.bytes(RECORD_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    match serde_json::from_slice::<Record>(&bytes) {
        Ok(record) => Parsed::packages([package(record, prefix(file.path).unwrap_or_default())]),
        Err(error) => Parsed::malformed(format_args!("not a record of a Conda package: {error}")),
    }
}

fn package(record: Record, prefix: &str) -> PackageFact {
    // What begins with two underscores describes the machine (`__glibc`).
    let names = record.depends.iter().filter_map(|spec| spec.split([' ', '=', '<', '>', '!']).next());
    let mut requires: Vec<_> = names
        .filter(|name| !name.is_empty() && !name.starts_with("__"))
        .map(|name| Requirement { name: name.to_owned(), version: None })
        .collect();
    requires.sort();
    requires.dedup();
    PackageFact {
        licenses: record.license.into_iter().filter(|license| !license.is_empty()).collect(),
        requires,
        files: record
            .files
            .iter()
            .filter(|file| describes_package(file))
            .map(|file| format!("/{prefix}{file}"))
            .collect(),
        ..PackageFact::new(PackageType::Other("conda".to_owned()), record.name, record.version)
    }
}

/// Whether another cataloger would read the file, as far as its path tells.
fn describes_package(path: &str) -> bool {
    let head = FileHead { path, mode: 0o644, size: 1, head: &[] };
    super::ALL.iter().any(|it| it.scope != Scope::Declared && (it.wants)(&head))
}
