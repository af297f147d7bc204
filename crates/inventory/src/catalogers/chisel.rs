//! Packages of chiselled Ubuntu images: the manifest that Chisel leaves instead of dpkg's database.
//!
//! Slices of Debian packages are cut into the image, and `manifest.wall` lists packages, slices and paths, one JSON object
//! a line, compressed by zstd. It names no source packages, while Ubuntu's advisories name nothing else; [`source`] knows
//! those that slices are made of, and of the others a problem says that their advisories are not found.
//! Source: Chisel's documentation, "Chisel manifest" and "jsonwall".

mod source;

use std::collections::BTreeMap;
use std::io::Read;

use model::gap::GapKind;
use model::package::{PackageType, SourcePackage};
use serde::Deserialize;

use super::os_database::{Database, PathBudget, malformed, problem, too_many_paths};
use crate::cataloger::{Cataloger, File, FileHead, Scope, TEXT_BYTES_MAX};
use crate::content::Cursor;
use crate::fact::{PackageFact, Parsed};

/// Packages and owned paths from Chisel's manifest.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "chisel", version: 1, scope: Scope::Installed, wants, parse };

/// RFC 8878, section 3.1.1.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// After this many lines that make no sense the rest is not read: it is no manifest.
const BAD_LINES_MAX: usize = 1000;
/// How many packages without a known source are named.
const NAMED_MAX: usize = 8;

fn wants(head: &FileHead<'_>) -> bool {
    // The place is the slice definition's choice; Ubuntu's own put it in `var/lib/chisel`.
    head.file_name() == "manifest.wall" && (head.head.is_empty() || head.head.starts_with(&ZSTD_MAGIC))
}

/// One line. Lines of other kinds (the header, `slice`, `content`) repeat what these say.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Line {
    Package {
        name: String,
        version: String,
        arch: Option<String>,
    },
    Path {
        path: String,
        slices: Vec<String>,
    },
    #[serde(other)]
    Other,
}

fn parse(file: &File<'_>) -> Parsed {
    let mut bytes = Vec::new();
    let inflated = zstd::stream::read::Decoder::new(Cursor::new(file.content))
        .and_then(|decoder| decoder.take(TEXT_BYTES_MAX + 1).read_to_end(&mut bytes));
    let mut database = Database::default();
    if let Err(error) = inflated {
        database.report(malformed(format!("it cannot be inflated to its end: {error}")));
    }
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        database.report(problem(GapKind::LimitExceeded, format!("it inflates to more than {TEXT_BYTES_MAX} bytes")));
    }
    read(&String::from_utf8_lossy(&bytes), database)
}

fn read(text: &str, mut database: Database) -> Parsed {
    let mut lines = text.lines();
    if !lines.next().is_some_and(|header| header.starts_with("{\"jsonwall\":")) {
        database.report(malformed("its first line is not a jsonwall's"));
    }
    let mut packages: BTreeMap<String, PackageFact> = BTreeMap::new();
    let mut paths: Vec<(String, Vec<String>)> = Vec::new();
    let mut bad_lines = 0;
    for line in lines {
        match serde_json::from_str(line) {
            Ok(Line::Package { name, version, arch }) => {
                let package = PackageFact { arch, ..PackageFact::new(PackageType::Deb, &name, version) };
                packages.insert(name, package);
            }
            Ok(Line::Path { path, slices }) if !path.ends_with('/') => paths.push((path, slices)),
            Ok(_) => {}
            Err(_) if bad_lines == BAD_LINES_MAX => {
                database
                    .report(problem(GapKind::LimitExceeded, "too many lines that make no sense; the rest is not read"));
                break;
            }
            Err(error) => {
                bad_lines += 1;
                database.report(malformed(format!("a line is not what a manifest holds: {error}")));
            }
        }
    }
    let (mut budget, mut fits) = (PathBudget::default(), true);
    for (path, slices) in paths {
        // A slice is called `PACKAGE_SLICE`, and no package has an underscore in its name.
        let owner = slices.iter().find_map(|slice| slice.split_once('_')).map(|(package, _)| package);
        if let Some(package) = owner.and_then(|owner| packages.get_mut(owner)) {
            fits &= budget.join("", path.trim_start_matches('/'), &mut package.files);
        }
    }
    if !fits {
        database.report(too_many_paths());
    }
    let mut unknown = Vec::new();
    for mut package in packages.into_values() {
        package.source = source::of(&package.name, &package.version)
            .map(|name| SourcePackage { name, version: package.version.clone() });
        if package.source.is_none() {
            unknown.push(package.name.clone());
        }
        database.add(package);
    }
    if !unknown.is_empty() {
        let shown = unknown.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
        let more =
            unknown.len().checked_sub(NAMED_MAX + 1).map_or(String::new(), |more| format!(" and {} more", more + 1));
        let detail = format!("it does not say from which source {shown}{more} were built, so advisories may be missed");
        database.report(problem(GapKind::Unsupported, detail));
    }
    database.finish()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::content::MemorySpool;
    use crate::fact::Fact;

    fn parse_bytes(bytes: &[u8]) -> Parsed {
        parse(&File { path: "var/lib/chisel/manifest.wall", mode: 0o644, content: &bytes, spool: &MemorySpool })
    }

    fn render(parsed: &Parsed) -> String {
        let packages = parsed.facts.iter().flat_map(|fact| match fact {
            Fact::Database(packages) => packages.as_slice(),
            other => panic!("{other:?}"),
        });
        let packages = packages.map(|it| {
            let source = it.source.as_ref().map_or("?", |source| &source.name);
            format!(
                "{} {} {} <- {source}, {} files\n",
                it.name,
                it.version,
                it.arch.as_deref().unwrap_or("-"),
                it.files.len()
            )
        });
        let problems = parsed.problems.iter().map(|it| format!("{}: {}\n", it.kind.as_str(), it.detail));
        packages.chain(problems).collect()
    }

    // Proves: cataloger chisel.
    #[test]
    fn the_manifest_of_ubuntu_s_own_example() {
        let path = format!("{}/../../tests/fixtures/os-packages/manifest.wall", env!("CARGO_MANIFEST_DIR"));
        expect![[r#"
            base-files 12ubuntu4.7 amd64 <- base-files, 3 files
            hello 2.10-2ubuntu4 amd64 <- hello, 2 files
            libc6 2.35-0ubuntu3.8 amd64 <- glibc, 13 files
        "#]]
        .assert_eq(&render(&parse_bytes(&std::fs::read(path).unwrap())));
    }

    #[test]
    fn a_package_of_unknown_source_is_said_to_be_one() {
        let wall = "{\"jsonwall\":\"1.0\",\"schema\":\"1.0\",\"count\":3}\n{\"kind\":\"package\",\"name\":\"libnobody7\",\"version\":\"1\",\"sha256\":\"\",\"arch\":\"amd64\"}\n{\"kind\":\"future\"}\n";
        expect![[r#"
            libnobody7 1 amd64 <- ?, 0 files
            unsupported: it does not say from which source libnobody7 were built, so advisories may be missed
        "#]]
        .assert_eq(&render(&parse_bytes(&zstd::encode_all(wall.as_bytes(), 3).unwrap())));
    }

    #[test]
    fn damage_is_a_problem_and_what_was_read_is_kept() {
        let wall = format!(
            "{{\"jsonwall\":\"1.0\"}}\n{{\"kind\":\"package\",\"name\":\"libc6\",\"version\":\"2.39-0ubuntu8\"}}\n{}not json\n",
            "{\"kind\":\"slice\",\"name\":\"libc6_libs\"}\n".repeat(9)
        );
        let whole = zstd::encode_all(wall.as_bytes(), 3).unwrap();
        assert!(render(&parse_bytes(&whole)).contains("malformed: a line is not what"));
        assert!(render(&parse_bytes(&whole[..whole.len() / 2])).contains("malformed: it cannot be inflated"));
        assert!(render(&parse_bytes(b"")).contains("malformed: its first line"));
        let bomb = zstd::encode_all(std::io::repeat(b'\n').take(TEXT_BYTES_MAX + 2), 3).unwrap();
        assert!(render(&parse_bytes(&bomb)).contains("limit-exceeded"));
    }
}
