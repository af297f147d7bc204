//! Rust programs built with `cargo auditable`: their dependency list is in a section of its own.
//!
//! Source: cargo-auditable, `PARSING.md` and its JSON schema: section `.dep-v0`, zlib, JSON.

use std::io::Read;

use flate2::read::ZlibDecoder;
use serde::Deserialize;

use super::executable::{Executable, may_be_program};
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::content::{Cursor, Part};
use crate::fact::{PackageFact, Parsed, Requirement};
use model::gap::GapKind;
use model::package::PackageType;

/// Rust programs with audit data.
pub(super) const CATALOGER: Cataloger =
    Cataloger { name: "rust-binary", version: 1, scope: Scope::Installed, wants, parse };

const AUDIT_SECTION: &[u8] = b".dep-v0";
/// The limit that cargo-auditable's own reader suggests; real lists are below 100 KiB.
const AUDIT_BYTES_MAX: u64 = 8 << 20;

fn wants(file: &FileHead<'_>) -> bool {
    may_be_program(file)
}

fn parse(file: &File<'_>) -> Parsed {
    let section = Executable::read(file.content, &[AUDIT_SECTION]).and_then(|it| it.section(AUDIT_SECTION));
    let Some(section) = section else { return Parsed::default() };
    let section = Part::new(file.content, section.offset, section.size);
    let mut json = Vec::new();
    if let Err(error) = ZlibDecoder::new(Cursor::new(&section)).take(AUDIT_BYTES_MAX + 1).read_to_end(&mut json) {
        return Parsed::malformed(format_args!("the audit data cannot be inflated: {error}"));
    }
    if json.len() as u64 > AUDIT_BYTES_MAX {
        let detail = format!("the audit data inflates to more than {AUDIT_BYTES_MAX} bytes");
        return Parsed::problem(GapKind::LimitExceeded, detail);
    }
    match serde_json::from_slice::<Audit>(&json) {
        Ok(audit) => Parsed::packages(audit.packages()),
        Err(error) => Parsed::malformed(format_args!("the audit data is not what its schema says: {error}")),
    }
}

#[derive(Deserialize)]
struct Audit {
    packages: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    /// `runtime` when absent.
    kind: Option<String>,
    /// Indices into the list.
    #[serde(default)]
    dependencies: Vec<usize>,
}

impl Audit {
    /// What is linked into the program. Crates from git or a local directory are kept under their name and version: a
    /// fork or a checkout of a published crate has its faults, and a name that was never published matches nothing.
    fn packages(&self) -> impl Iterator<Item = PackageFact> {
        let runtime = |it: &&Crate| it.kind.as_deref() != Some("build");
        self.packages.iter().filter(runtime).map(move |it| {
            let needed = it.dependencies.iter().filter_map(|&index| self.packages.get(index)).filter(runtime);
            PackageFact {
                requires: needed
                    .map(|needed| Requirement { name: needed.name.clone(), version: Some(needed.version.clone()) })
                    .collect(),
                ..PackageFact::new(PackageType::Cargo, &it.name, &it.version)
            }
        })
    }
}
