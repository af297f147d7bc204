//! Installed Arch Linux packages: pacman's local database, one directory per package.
//!
//! `desc` describes the package and `files` lists what it owns; both are sections of lines, each under a `%NAME%`.
//! Source: pacman, `lib/libalpm/be_local.c` (`local_db_read`).

use model::package::{PackageType, SourcePackage};

use super::os_database::owns;
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed};

/// Packages and owned paths from pacman's local database.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "pacman", version: 1, scope: Scope::Installed, wants, parse };

/// The longest `files` of Arch's own packages (texlive, linux-headers) are below 5 MiB.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// The package's directory, and which of its files this is.
fn role(path: &str) -> Option<(&str, &str)> {
    let (package, file) = path.strip_prefix("var/lib/pacman/local/")?.split_once('/')?;
    matches!(file, "desc" | "files").then_some((package, file))
}

fn wants(head: &FileHead<'_>) -> bool {
    role(head.path).is_some()
}

fn parse(file: &File<'_>) -> Parsed {
    let Some((directory, name)) = role(file.path) else { return Parsed::default() };
    let bytes = match file.bytes(FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    let text = String::from_utf8_lossy(&bytes);
    match name {
        "desc" => description(&text),
        // `gmp-6.2.1-2`: neither version nor release can hold a `-`.
        _ => match directory.rsplitn(3, '-').nth(2) {
            Some(package) => {
                owns(PackageType::Alpm, package, section(&text, "%FILES%").filter(|path| !path.ends_with('/')))
            }
            None => Parsed::malformed("its directory is not named for a package, a version and a release"),
        },
    }
}

/// The lines of one section, which ends at the next one; empty lines are left out.
fn section<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let is_title = |line: &&str| line.len() > 2 && line.starts_with('%') && line.ends_with('%');
    let lines = text.lines().map(str::trim_end).skip_while(move |line| *line != name).skip(1);
    lines.take_while(move |line| !is_title(line)).filter(|line| !line.is_empty())
}

fn description(text: &str) -> Parsed {
    let value = |name| section(text, name).next().map(str::to_owned);
    let Some(name) = value("%NAME%") else { return Parsed::malformed("it names no package (`%NAME%`)") };
    let Some(version) = value("%VERSION%") else {
        return Parsed::malformed(format_args!("package `{name}` has no version (`%VERSION%`)"));
    };
    let mut package = PackageFact::new(PackageType::Alpm, name, version);
    package.arch = value("%ARCH%");
    package.licenses = section(text, "%LICENSE%").map(str::to_owned).collect();
    // What one PKGBUILD makes has one version.
    package.source = value("%BASE%").map(|name| SourcePackage { name, version: package.version.clone() });
    Parsed::packages([package])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::MemorySpool;
    use crate::fact::Fact;

    fn parse_bytes(path: &str, bytes: &[u8]) -> Parsed {
        parse(&File { path, mode: 0o644, content: &bytes, spool: &MemorySpool })
    }

    fn fixture(name: &str) -> Vec<u8> {
        let path = format!("{}/../../tests/fixtures/os-packages/pacman/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    // Proves: cataloger pacman.
    #[test]
    fn a_package_is_described_by_its_sections() {
        let parsed = parse_bytes("var/lib/pacman/local/gmp-6.2.1-2/desc", &fixture("gmp-6.2.1-2/desc"));
        let [Fact::Package(package)] = &parsed.facts[..] else { panic!("{parsed:?}") };
        assert_eq!((package.name.as_str(), package.version.as_str()), ("gmp", "6.2.1-2"));
        assert_eq!(package.arch.as_deref(), Some("x86_64"));
        assert_eq!(package.licenses, ["LGPL3", "GPL"]);
        assert_eq!(package.source.as_ref().map(|source| source.name.as_str()), Some("gmp"));
    }

    #[test]
    fn directories_are_nobody_s() {
        let parsed = parse_bytes("var/lib/pacman/local/gmp-6.2.1-2/files", &fixture("gmp-6.2.1-2/files"));
        let [Fact::Owns { package, paths, .. }] = &parsed.facts[..] else { panic!("{parsed:?}") };
        assert_eq!((package.as_str(), paths.len()), ("gmp", 13));
        assert_eq!(paths.first().map(String::as_str), Some("/usr/include/gmp.h"));
        let parsed =
            parse_bytes("var/lib/pacman/local/a-b-1:2.3-4/files", b"%FILES%\nusr/\nusr/x\n\n%BACKUP%\netc/y\tmd5\n");
        let [Fact::Owns { package, paths, .. }] = &parsed.facts[..] else { panic!("{parsed:?}") };
        assert_eq!((package.as_str(), paths.as_slice()), ("a-b", ["/usr/x".to_owned()].as_slice()));
    }

    #[test]
    fn what_is_no_package_is_a_problem() {
        for (path, text) in [
            ("var/lib/pacman/local/x-1-1/desc", ""),
            ("var/lib/pacman/local/x-1-1/desc", "%NAME%\n\n%VERSION%\n1-1\n"),
            ("var/lib/pacman/local/x-1-1/desc", "%NAME%\nx\n"),
            ("var/lib/pacman/local/x/files", "%FILES%\nusr/x\n"),
        ] {
            let parsed = parse_bytes(path, text.as_bytes());
            assert!(parsed.facts.is_empty() && parsed.problems.len() == 1, "{text:?}: {parsed:?}");
        }
        assert!(role("var/lib/pacman/local/ALPM_DB_VERSION").is_none());
        assert!(role("var/lib/pacman/local/x-1-1/mtree").is_none());
    }
}
