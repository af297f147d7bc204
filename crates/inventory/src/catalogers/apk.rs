//! Installed Alpine (Wolfi, Chainguard) packages: apk's database.
//!
//! One letter, a colon and a value per line; an empty line ends a package. `F:` names a directory, and the `R:` lines
//! after it the files in it. Source: apk-tools, `apk_db_fdb_read` in `src/database.c`.

use model::package::{PackageType, SourcePackage};

use super::os_database::{Database, PathBudget, malformed, too_many_paths};
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed, Problem};

/// Packages in apk's database.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "apk", version: 1, scope: Scope::Installed, wants, parse };

fn wants(head: &FileHead<'_>) -> bool {
    // Distributions whose `/lib` is a link to `/usr/lib` have the database there.
    matches!(head.path, "lib/apk/db/installed" | "usr/lib/apk/db/installed")
}

fn parse(file: &File<'_>) -> Parsed {
    let text = match file.text() {
        Ok(text) => text,
        Err(problem) => return problem,
    };
    let mut database = Database::default();
    let mut entry = Entry::default();
    let mut budget = PathBudget::default();
    let mut paths_fit = true;
    // The empty line at the end finishes a last package that lacks its own.
    for line in text.lines().chain([""]) {
        let Some((letter, value)) = line.split_once(':') else {
            match std::mem::take(&mut entry).finish() {
                Ok(package) => package.into_iter().for_each(|package| database.add(package)),
                Err(problem) => database.report(problem),
            }
            continue;
        };
        entry.started = true;
        match letter {
            "P" => entry.name = Some(value),
            "V" => entry.version = Some(value),
            "A" => entry.arch = Some(value),
            "o" => entry.origin = Some(value),
            "L" => entry.license = Some(value),
            "F" => entry.directory = value,
            "R" => paths_fit &= budget.join(entry.directory, value, &mut entry.files),
            _ => {}
        }
    }
    if !paths_fit {
        database.report(too_many_paths());
    }
    // apk ends every package with an empty line.
    if !text.is_empty() && !text.ends_with("\n\n") {
        database.report(malformed("the file ends in the middle of a package, so packages may be missing"));
    }
    database.finish()
}

/// The lines of one package so far.
#[derive(Default)]
struct Entry<'a> {
    started: bool,
    name: Option<&'a str>,
    version: Option<&'a str>,
    arch: Option<&'a str>,
    origin: Option<&'a str>,
    license: Option<&'a str>,
    directory: &'a str,
    files: Vec<String>,
}

impl Entry<'_> {
    fn finish(self) -> Result<Option<PackageFact>, Problem> {
        if !self.started {
            return Ok(None);
        }
        let filled = |value: Option<&str>| value.map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned);
        let name = filled(self.name).ok_or_else(|| malformed("an entry without a name (`P:`)"))?;
        let version =
            filled(self.version).ok_or_else(|| malformed(format!("package `{name}` has no version (`V:`)")))?;
        let mut package = PackageFact::new(PackageType::Apk, name, version);
        package.arch = filled(self.arch);
        package.licenses = filled(self.license).into_iter().collect();
        // Subpackages are built together with their origin and always have its version.
        let origin = filled(self.origin).unwrap_or_else(|| package.name.clone());
        package.source = Some(SourcePackage { name: origin, version: package.version.clone() });
        package.files = self.files;
        Ok(Some(package))
    }
}

#[cfg(test)]
mod tests;
