//! Servers and run-time environments that no package manager knows of: by what they say of themselves.
//!
//! A program is recognised by its file's name and its version by words that stand in it, such as
//! `nginx version: nginx/1.22.1`; the package shows them as evidence. [`table`] has a line for each. Where an OS package
//! owns the file, the program is that package, as with every other finding in a file.
//!
//! **Never:** a file's name alone is not believed. A program that does not say its version is not reported.

mod search;
mod table;
mod text;

use model::gap::GapKind;
use model::package::PackageType;

use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed};

/// Servers and run-time environments.
pub(super) const CATALOGER: Cataloger =
    Cataloger { name: "runtime", version: 1, scope: Scope::Installed, wants, parse };

const ELF: &[u8] = b"\x7fELF";

fn wants(head: &FileHead<'_>) -> bool {
    // Bitnami's images describe what is in there by a bill of their own.
    if head.path.starts_with("opt/bitnami/") {
        return false;
    }
    let is_program = head.head.starts_with(ELF) || head.head.is_empty();
    is_program && table::programs(head.file_name()).next().is_some() || text::wants(head)
}

fn parse(file: &File<'_>) -> Parsed {
    let name = file.path.rsplit('/').next().unwrap_or(file.path);
    if let Some(parsed) = text::parse(file, name) {
        return parsed;
    }
    let mut magic = [0; ELF.len()];
    if file.content.read_at(0, &mut magic).is_err() || magic != *ELF {
        return Parsed::default();
    }
    for program in table::programs(name) {
        for words in program.words {
            match search::version(file.content, words, name) {
                Ok(Some(found)) => return Parsed::packages([package(program.name, found.version, found.text)]),
                Ok(None) => {}
                Err(error) => return Parsed::problem(GapKind::Unreadable, error.to_string()),
            }
        }
    }
    Parsed::default()
}

/// A package that says so of itself.
fn package(name: &str, version: String, said: String) -> PackageFact {
    PackageFact { said: Some(said), ..PackageFact::new(PackageType::Other("generic".into()), name, version) }
}

#[cfg(test)]
mod tests;
