//! Installed rpm packages, read from the package database itself.
//!
//! rpm has kept its headers in three formats: a Berkeley DB hash (`Packages`, up to RHEL 8), its own `ndb`
//! (`Packages.db`, SUSE) and SQLite (`rpmdb.sqlite`, Fedora 33 and RHEL 9 on). Each reader yields header blobs and nothing
//! else; [`header`] says what one means. The format is recognised by content, because the file's name only hints at it.
//!
//! **Never:** no `rpm` command and no indices (`Name`, `Basenames`, …): those can be stale, the headers cannot.

mod bdb;
mod header;
mod ndb;
mod sqlite;
mod window;

use model::gap::GapKind;
use model::package::PackageType;

use super::os_database::{Database, PathBudget, malformed, problem, too_many_paths};
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed, Problem};

/// Packages in rpm's database.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "rpm", version: 1, scope: Scope::Installed, wants, parse };

/// Where distributions keep the database: the classic place, that of SUSE and Fedora 36 on, and that of rpm-ostree.
const DIRECTORIES: [&str; 3] = ["var/lib/rpm/", "usr/lib/sysimage/rpm/", "usr/share/rpm/"];

/// The largest header that is read. The largest in the CentOS, Fedora and SUSE databases that this was tried on has
/// 3 MiB, and rpm itself refuses more than 256 MiB.
const HEADER_BYTES_MAX: usize = 64 << 20;

/// The length of a write-ahead log that holds no frame yet (SQLite file format, section 4.1).
const WAL_HEADER_BYTES: u64 = 32;

/// One header blob, or why it could not be read.
type Blob = Result<Vec<u8>, Problem>;

fn wants(head: &FileHead<'_>) -> bool {
    DIRECTORIES.iter().any(|directory| {
        head.path.strip_prefix(directory).is_some_and(|name| match name {
            "Packages" | "Packages.db" | "rpmdb.sqlite" => true,
            "rpmdb.sqlite-wal" => head.size > WAL_HEADER_BYTES,
            _ => false,
        })
    })
}

fn parse(file: &File<'_>) -> Parsed {
    if file.path.ends_with("-wal") {
        let detail = "the database has a write-ahead log, whose newest changes are not read";
        return Parsed::problem(GapKind::Unsupported, detail);
    }
    let mut magic = Vec::new();
    if let Ok(bytes) = window::Window::new(file.content).get(0, 16) {
        magic.extend_from_slice(bytes);
    }
    let (mut database, mut paths) = (Database::default(), PathBudget::default());
    let read = match magic.as_slice() {
        [b'S', b'Q', b'L', b'i', b't', b'e', b' ', ..] => sqlite::read,
        [b'R', b'p', b'm', b'P', ..] => ndb::read,
        [.., 0x61, 0x15, 0x06, 0x00] | [.., 0x00, 0x06, 0x15, 0x61] => bdb::read,
        _ => return Parsed::malformed("neither a Berkeley DB hash, nor ndb, nor SQLite: not an rpm database"),
    };
    read(file.content, &mut |blob| match blob.and_then(|blob| package(&blob, &mut paths)) {
        Ok(Some((package, problem))) => {
            database.add(package);
            problem.into_iter().for_each(|problem| database.report(problem));
        }
        Ok(None) => {}
        Err(problem) => database.report(problem),
    });
    database.finish()
}

/// The package that a header describes, with what was wrong with its file list; none for a public key, which rpm keeps
/// as if it were a package.
fn package(blob: &[u8], budget: &mut PathBudget) -> Result<Option<(PackageFact, Option<Problem>)>, Problem> {
    use header::tag;
    let header = header::Header::parse(blob)?;
    let text = |tag| header.text(tag).filter(|text| !text.is_empty());
    let name = text(tag::NAME).ok_or_else(|| malformed("a package header without a name"))?;
    if name == "gpg-pubkey" {
        return Ok(None);
    }
    let (Some(version), Some(release)) = (text(tag::VERSION), text(tag::RELEASE)) else {
        return Err(malformed(format!("the header of `{name}` has no version or release")));
    };
    let epoch = header.numbers(tag::EPOCH).next().unwrap_or(0);
    let version = format!("{version}-{release}");
    let source = text(tag::SOURCERPM).and_then(|file| header::source_package(&file, epoch, &version));
    let mut package = PackageFact::new(PackageType::Rpm, name, header::with_epoch(epoch, &version));
    package.arch = text(tag::ARCH);
    package.source = source;
    package.module = text(tag::MODULARITYLABEL);
    package.licenses = text(tag::LICENSE).into_iter().collect();
    let files = header.files(&mut package.files, budget);
    let problem = files.err().map(|why| problem(why.kind, format!("files of `{}`: {}", package.name, why.detail)));
    Ok(Some((package, problem)))
}

#[cfg(test)]
mod tests;
