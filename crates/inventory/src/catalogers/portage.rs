//! Installed Gentoo packages: Portage's database, one directory per package and one file per fact.
//!
//! The directory is the package, `var/db/pkg/CATEGORY/NAME-VERSION`; `CONTENTS` lists what it owns and `LICENSE` its
//! licenses. Source: Package Manager Specification, "Names and versions"; portage(5), "/var/db/pkg".

use model::package::PackageType;
use model::version::{Scheme, Version};

use super::os_database::{PathBudget, too_many_paths};
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{Fact, PackageFact, Parsed};

/// Packages, owned paths and licenses from Portage's database.
pub(super) const CATALOGER: Cataloger =
    Cataloger { name: "portage", version: 1, scope: Scope::Installed, wants, parse };

/// The longest `CONTENTS` of the main tree (kernel sources) have 10 MiB.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Category, directory, and which of its files this is.
fn role(path: &str) -> Option<(&str, &str, &str)> {
    let mut parts = path.strip_prefix("var/db/pkg/")?.split('/');
    let role = (parts.next()?, parts.next()?, parts.next()?);
    // `-MERGING-name-1.0` is a package that was being installed when Portage was stopped.
    (parts.next().is_none() && matches!(role.2, "CONTENTS" | "LICENSE") && !role.1.starts_with('-')).then_some(role)
}

fn wants(head: &FileHead<'_>) -> bool {
    role(head.path).is_some()
}

fn parse(file: &File<'_>) -> Parsed {
    let Some((category, directory, name)) = role(file.path) else { return Parsed::default() };
    let Some((package, version)) = split(directory) else {
        return Parsed::malformed("its directory is not named for a package and a version");
    };
    let bytes = match file.bytes(FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    let text = String::from_utf8_lossy(&bytes);
    let package = format!("{category}/{package}");
    match name {
        "CONTENTS" => contents(PackageFact::new(PackageType::Ebuild, package, version), &text),
        _ => licenses(package, &text),
    }
}

/// `skopeo-1.5.1-r2` is `skopeo` and `1.5.1-r2`. A name must not end like a version, so the first version is it.
fn split(directory: &str) -> Option<(&str, &str)> {
    directory.match_indices('-').find_map(|(at, _)| {
        let (name, version) = (&directory[..at], &directory[at + 1..]);
        (!name.is_empty() && Version::parse(Scheme::Ebuild, version).is_ok()).then_some((name, version))
    })
}

fn contents(mut package: PackageFact, text: &str) -> Parsed {
    let (mut budget, mut fits) = (PathBudget::default(), true);
    for path in text.lines().filter_map(owned) {
        fits &= budget.join("", path.trim_start_matches('/'), &mut package.files);
    }
    let mut parsed = Parsed::packages([package]);
    parsed.problems.extend((!fits).then(too_many_paths));
    parsed
}

/// The path of `obj PATH MD5 MTIME` or `sym PATH -> TARGET MTIME`; paths may hold spaces. Directories are shared.
fn owned(line: &str) -> Option<&str> {
    match line.split_once(' ')? {
        ("obj", rest) => rest.rsplitn(3, ' ').nth(2),
        ("sym", rest) => rest.split_once(" -> ").map(|(path, _)| path),
        _ => None,
    }
}

/// `GPL-2+ || ( MIT BSD )`: the operators are left out, so this is what may apply.
fn licenses(package: String, text: &str) -> Parsed {
    let words = text.split_ascii_whitespace().filter(|word| !matches!(*word, "||" | "(" | ")") && !word.ends_with('?'));
    let licenses: Vec<String> = words.map(str::to_owned).collect();
    let facts = (!licenses.is_empty()).then_some(Fact::Licenses { kind: PackageType::Ebuild, package, licenses });
    Parsed { facts: facts.into_iter().collect(), problems: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::MemorySpool;

    fn parse_bytes(path: &str, bytes: &[u8]) -> Parsed {
        parse(&File { path, mode: 0o644, content: &bytes, spool: &MemorySpool })
    }

    fn fixture(name: &str) -> Vec<u8> {
        let path = format!("{}/../../tests/fixtures/os-packages/portage/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    // Proves: cataloger portage.
    #[test]
    fn the_directory_is_the_package_and_contents_are_its_files() {
        let directory = "var/db/pkg/dev-python/requests-2.31.0-r1";
        let parsed = parse_bytes(&format!("{directory}/CONTENTS"), &fixture("requests-2.31.0-r1/CONTENTS"));
        let [Fact::Package(package)] = &parsed.facts[..] else { panic!("{parsed:?}") };
        assert_eq!((package.name.as_str(), package.version.as_str()), ("dev-python/requests", "2.31.0-r1"));
        assert_eq!(
            package.files,
            [
                "/usr/lib/python3.12/site-packages/requests-2.31.0.dist-info/METADATA",
                "/usr/share/doc/requests-2.31.0-r1/READ ME -> first.txt.bz2",
                "/usr/lib/python3.12/site-packages/requests-link",
            ]
        );
        let parsed = parse_bytes(&format!("{directory}/LICENSE"), &fixture("requests-2.31.0-r1/LICENSE"));
        let [Fact::Licenses { package, licenses, .. }] = &parsed.facts[..] else { panic!("{parsed:?}") };
        assert_eq!(
            (package.as_str(), licenses.as_slice()),
            ("dev-python/requests", ["Apache-2.0".to_owned()].as_slice())
        );
    }

    #[test]
    fn names_are_split_where_the_first_version_begins() {
        for (directory, expected) in [
            ("skopeo-1.5.1", Some(("skopeo", "1.5.1"))),
            ("gtk+-3.24.41-r1", Some(("gtk+", "3.24.41-r1"))),
            ("font-adobe-100dpi-1.0.4", Some(("font-adobe-100dpi", "1.0.4"))),
            ("libstdc++-v3-3.3.6-r5", Some(("libstdc++-v3", "3.3.6-r5"))),
            ("linux-firmware-20240115-r1", Some(("linux-firmware", "20240115-r1"))),
            ("openssh-9.6_p1-r3", Some(("openssh", "9.6_p1-r3"))),
            ("nothing", None),
            ("-1.0", None),
        ] {
            assert_eq!(split(directory), expected, "{directory}");
        }
    }

    #[test]
    fn what_was_being_merged_is_not_installed() {
        assert!(role("var/db/pkg/app-misc/-MERGING-x-1/CONTENTS").is_none());
        assert!(role("var/db/pkg/app-misc/x-1/sub/CONTENTS").is_none());
        assert_eq!(parse_bytes("var/db/pkg/app-misc/x/CONTENTS", b"").problems.len(), 1);
    }
}
