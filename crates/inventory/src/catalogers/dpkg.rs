//! Installed Debian packages: dpkg's database, and the one file per package of distroless images.
//!
//! `status` is the database; `info/*.list` says which paths a package owns, `usr/share/doc/*/copyright` its licenses.
//! Images without dpkg keep each package's control file in `status.d` instead, with `.md5sums` beside it.
//! Sources: `deb822(5)`, `dpkg(1)` ("Package states"), Debian Policy chapter 5.

mod copyright;

use std::collections::HashSet;

use model::package::{PackageType, SourcePackage};

use super::os_database::{Database, malformed, owns};
use crate::cataloger::{Cataloger, File, FileHead, Scope, TEXT_BYTES_MAX};
use crate::fact::{Fact, PackageFact, Parsed, Problem};

/// Packages, owned paths and licenses from dpkg's files.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "dpkg", version: 1, scope: Scope::Installed, wants, parse };

/// The longest list of one package's paths that is read. The longest met so far (`google-cloud-cli`) has 4 MiB.
const LIST_BYTES_MAX: u64 = 16 << 20;
/// The longest copyright file that is read. The longest met so far (Boost's) has 2 MiB.
const COPYRIGHT_BYTES_MAX: u64 = 8 << 20;

/// What a wanted path holds.
enum Role<'a> {
    /// The database.
    Status,
    /// The control file of one package.
    Control,
    /// The paths of this package, one per line.
    List(&'a str),
    /// The paths of this package, each behind its MD5.
    Md5sums(&'a str),
    /// The copyright file of this package.
    Copyright(&'a str),
}

fn role(path: &str) -> Option<Role<'_>> {
    if let Some(rest) = path.strip_prefix("var/lib/dpkg/") {
        if rest == "status" {
            return Some(Role::Status);
        }
        if let Some(file) = rest.strip_prefix("info/") {
            // `libc6:amd64.list` where several architectures may be installed together.
            let name = file.strip_suffix(".list")?;
            return Some(Role::List(name.split(':').next().unwrap_or(name)));
        }
        let file = rest.strip_prefix("status.d/").filter(|file| !file.is_empty() && !file.contains('/'))?;
        return Some(file.strip_suffix(".md5sums").map_or(Role::Control, Role::Md5sums));
    }
    let package = path.strip_prefix("usr/share/doc/")?.strip_suffix("/copyright")?;
    (!package.contains('/')).then_some(Role::Copyright(package))
}

fn wants(head: &FileHead<'_>) -> bool {
    role(head.path).is_some()
}

fn parse(file: &File<'_>) -> Parsed {
    let Some(role) = role(file.path) else { return Parsed::default() };
    let size_max = match role {
        Role::Status | Role::Control => TEXT_BYTES_MAX,
        Role::List(_) | Role::Md5sums(_) => LIST_BYTES_MAX,
        Role::Copyright(_) => COPYRIGHT_BYTES_MAX,
    };
    let bytes = match file.bytes(size_max) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    let text = String::from_utf8_lossy(&bytes);
    match role {
        Role::Status => database(PackageType::Deb, &text),
        Role::Control => control(&text),
        Role::List(package) => owns(PackageType::Deb, package, files_of_list(&text)),
        Role::Md5sums(package) => owns(PackageType::Deb, package, files_of_md5sums(&text)),
        Role::Copyright(package) => licenses(package, copyright::licenses(&text)),
    }
}

/// A whole database of packages of one kind: opkg's is written like dpkg's.
pub(super) fn database(kind: PackageType, text: &str) -> Parsed {
    let mut database = Database::default();
    for paragraph in paragraphs(text) {
        match package(&kind, &paragraph) {
            Ok(package) => package.into_iter().for_each(|package| database.add(package)),
            Err(problem) => database.report(problem),
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        database.report(malformed("the file ends in the middle of a line, so packages may be missing"));
    }
    database.finish()
}

fn control(text: &str) -> Parsed {
    match paragraphs(text).next().map(|paragraph| package(&PackageType::Deb, &paragraph)) {
        Some(Ok(Some(package))) => Parsed::packages([package]),
        Some(Ok(None)) => Parsed::default(),
        Some(Err(problem)) => Parsed { facts: Vec::new(), problems: vec![problem] },
        None => Parsed::malformed("the file names no package"),
    }
}

fn licenses(package: &str, licenses: Vec<String>) -> Parsed {
    // A file that is all prose names none. That is not wrong.
    if licenses.is_empty() {
        return Parsed::default();
    }
    let fact = Fact::Licenses { kind: PackageType::Deb, package: package.to_owned(), licenses };
    Parsed { facts: vec![fact], problems: Vec::new() }
}

/// The fields of one package that are read, as the file writes them.
#[derive(Default)]
struct Paragraph<'a> {
    package: Option<&'a str>,
    status: Option<&'a str>,
    version: Option<&'a str>,
    architecture: Option<&'a str>,
    source: Option<&'a str>,
}

/// The paragraphs of a control file. Lines that continue a field are passed over, for no field that is read has any.
fn paragraphs(text: &str) -> impl Iterator<Item = Paragraph<'_>> {
    let mut lines = text.lines();
    std::iter::from_fn(move || {
        let mut paragraph = Paragraph::default();
        let mut seen = false;
        for line in lines.by_ref() {
            if line.trim_ascii().is_empty() {
                if seen {
                    break;
                }
                continue;
            }
            seen = true;
            if line.starts_with([' ', '\t', '#']) {
                continue;
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            // Most lines are none of these: the lengths tell before the letters are compared.
            let field = match name.len() {
                6 if name.eq_ignore_ascii_case("status") => &mut paragraph.status,
                6 if name.eq_ignore_ascii_case("source") => &mut paragraph.source,
                7 if name.eq_ignore_ascii_case("package") => &mut paragraph.package,
                7 if name.eq_ignore_ascii_case("version") => &mut paragraph.version,
                12 if name.eq_ignore_ascii_case("architecture") => &mut paragraph.architecture,
                _ => continue,
            };
            *field = Some(value.trim()).filter(|value| !value.is_empty());
        }
        seen.then_some(paragraph)
    })
}

/// The package of one paragraph; none when it is not installed.
fn package(kind: &PackageType, paragraph: &Paragraph<'_>) -> Result<Option<PackageFact>, Problem> {
    if !paragraph.status.is_none_or(is_installed) {
        return Ok(None);
    }
    let name = paragraph.package.ok_or_else(|| malformed("a paragraph without the field `Package`"))?;
    let version = paragraph.version.ok_or_else(|| malformed(format!("package `{name}` has no version")))?;
    let mut package = PackageFact::new(kind.clone(), name, version);
    package.arch = paragraph.architecture.map(str::to_owned);
    // opkg's `Source` is a path in the tree it was built from.
    package.source = (*kind == PackageType::Deb).then(|| source(paragraph.source.unwrap_or(name), version));
    Ok(Some(package))
}

/// Whether files of the package are on disk, by its state (the third word of `Status`).
///
/// That includes what was unpacked but never configured, or only in part: its files can be run. A state we do not know
/// counts as installed, because a package too many is seen and one too few is not.
fn is_installed(status: &str) -> bool {
    !matches!(status.split_ascii_whitespace().nth(2), Some("not-installed" | "config-files"))
}

/// Reads `Source: glibc` and `Source: gcc-defaults (1.203)`. Without a version the source has the binary's.
fn source(field: &str, binary_version: &str) -> SourcePackage {
    let (name, version) = match field.split_once('(') {
        Some((name, version)) => (name.trim(), version.trim_end().trim_end_matches(')').trim()),
        None => (field, binary_version),
    };
    SourcePackage { name: name.to_owned(), version: version.to_owned() }
}

/// The files of an `info/*.list`, without the directories they are in, which belong to no one package.
pub(super) fn files_of_list(text: &str) -> impl Iterator<Item = &str> {
    let directories: HashSet<&str> = text.lines().filter_map(|line| Some(line.rsplit_once('/')?.0)).collect();
    let files = text.lines().filter(move |line| *line != "/." && !directories.contains(line));
    files.filter_map(|line| line.strip_prefix('/'))
}

/// The files of a `.md5sums`, whose lines have a sum, two spaces and a path.
fn files_of_md5sums(text: &str) -> impl Iterator<Item = &str> {
    let paths = text.lines().filter_map(|line| line.split_once(char::is_whitespace));
    paths.map(|(_, path)| path.trim_start().trim_start_matches("./"))
}

#[cfg(test)]
mod tests;
