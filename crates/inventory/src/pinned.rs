//! Which files the integrity model pins: whatever can be run or loaded, and package databases.

use model::integrity::FileKind;

use crate::cataloger::FileHead;

/// File names that an interpreter runs or loads without a `#!` line.
const SCRIPT_EXTENSIONS: &[&str] =
    &["py", "js", "mjs", "cjs", "rb", "pl", "pm", "php", "sh", "bash", "lua", "tcl", "ps1", "wasm"];

const JAR_EXTENSIONS: &[&str] = &["jar", "war", "ear"];

/// Files that a package manager keeps its truth in.
const PACKAGE_DATABASES: &[&str] = &[
    "var/lib/dpkg/status",
    "var/lib/chisel/manifest.wall",
    "usr/lib/opkg/status",
    "var/lib/opkg/status",
    "lib/apk/db/installed",
    "usr/lib/apk/db/installed",
    "var/lib/rpm/Packages",
    "var/lib/rpm/Packages.db",
    "var/lib/rpm/rpmdb.sqlite",
    "usr/lib/sysimage/rpm/Packages",
    "usr/lib/sysimage/rpm/Packages.db",
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
    "usr/share/rpm/rpmdb.sqlite",
];

/// What a file is to the integrity model; none when it is only data.
pub fn kind_of(file: &FileHead<'_>) -> Option<FileKind> {
    let name = file.file_name();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    match file.head {
        [0x7f, b'E', b'L', b'F', ..] => Some(elf_kind(file, name)),
        [b'M', b'Z', ..] if file.size > 64 => {
            Some(if extension.is_some_and(|extension| extension.eq_ignore_ascii_case("dll")) {
                FileKind::Library
            } else {
                FileKind::Executable
            })
        }
        [b'#', b'!', ..] => Some(FileKind::Script),
        _ if extension.is_some_and(|extension| JAR_EXTENSIONS.contains(&extension)) => Some(FileKind::Jar),
        _ if extension.is_some_and(|extension| SCRIPT_EXTENSIONS.contains(&extension)) => Some(FileKind::Script),
        _ if PACKAGE_DATABASES.contains(&file.path) || is_part_of_database(file.path) => {
            Some(FileKind::PackageDatabase)
        }
        _ => None,
    }
}

/// Databases of one file or directory per package.
fn is_part_of_database(path: &str) -> bool {
    path.starts_with("var/lib/dpkg/status.d/")
        || (path.starts_with("var/lib/pacman/local/") && path.ends_with("/desc"))
        || (path.starts_with("var/db/pkg/") && path.ends_with("/CONTENTS"))
}

/// A position-independent program and a shared library have the same ELF type; the name and the mode tell them apart.
fn elf_kind(file: &FileHead<'_>, name: &str) -> FileKind {
    const ET_EXEC: u8 = 2;
    const ET_DYN: u8 = 3;
    match file.head.get(16) {
        Some(&ET_EXEC) => FileKind::Executable,
        Some(&ET_DYN) if file.mode & 0o111 != 0 && !name.contains(".so") => FileKind::Executable,
        _ => FileKind::Library,
    }
}
