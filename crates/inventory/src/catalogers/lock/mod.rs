//! Lock files and manifests: what a source tree says it is built from.
//!
//! One file per format; each exports its `CATALOGER`. They share [`packages::Packages`], which joins the places where one
//! version stands several times, keeps the tree's edges small, and applies the bounds. The project itself and its
//! workspace members are never packages: what they name is `direct`.
//!
//! **Never:** no other file is read. A manifest beside the lock file may say more, but cached facts depend on one file.

pub(super) mod bun;
pub(super) mod cabal;
pub(super) mod cargo;
pub(super) mod composer;
pub(super) mod conan;
pub(super) mod conanfile;
pub(super) mod deno;
pub(super) mod dotnet_project;
pub(super) mod gemfile;
pub(super) mod github_actions;
pub(super) mod go_mod;
pub(super) mod gradle;
mod jsonc;
pub(super) mod julia;
pub(super) mod mix;
pub(super) mod npm;
pub(super) mod nuget;
mod packages;
pub(super) mod pdm;
pub(super) mod pipfile;
pub(super) mod pnpm;
pub(super) mod podfile;
pub(super) mod poetry;
pub(super) mod pom;
pub(super) mod pubspec;
pub(super) mod pylock;
mod python;
pub(super) mod rebar;
pub(super) mod renv;
pub(super) mod requirements;
pub(super) mod stack;
pub(super) mod swift;
mod terms;
pub(super) mod terraform;
#[cfg(test)]
mod tests;
pub(super) mod uv;
pub(super) mod vendor_modules;
mod yaml_lines;
pub(super) mod yarn;

use crate::cataloger::FileHead;

/// The largest lock file that is read. The largest seen in public monorepos are near 10 MiB, and a parsed file takes
/// several times its size.
const LOCK_BYTES_MAX: u64 = 32 << 20;

/// Whether a path lies inside an installed dependency: the lock files that packages ship describe their own
/// development, not what this project uses.
fn is_installed(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "node_modules" | "site-packages" | "dist-packages"))
}

/// Whether the file has this name and belongs to the project itself.
fn is_named(head: &FileHead<'_>, name: &str) -> bool {
    head.file_name() == name && !is_installed(head.path)
}

/// The same for formats that packages are fetched with: not below the directories that hold those.
fn is_named_outside(head: &FileHead<'_>, name: &str, fetched: &[&str]) -> bool {
    is_named(head, name) && !head.path.split('/').any(|part| fetched.contains(&part))
}

/// The text of a lock file, or the problem to report.
fn text(file: &crate::cataloger::File<'_>) -> Result<String, crate::fact::Parsed> {
    let bytes = file.bytes(LOCK_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|error| crate::fact::Parsed::malformed(error.utf8_error()))?;
    // Half of a conflict's lines may look sound, and which half holds is not decided yet.
    if text.lines().any(|line| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ")) {
        return Err(crate::fact::Parsed::malformed("it has unresolved merge conflicts"));
    }
    // Windows editors put a byte order mark first, which no parser here expects.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// `@scope/name@rest` → `@scope/name` and `rest`, as npm's world writes a package with a range, version or place.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let at = text.char_indices().skip(1).find(|&(_, c)| c == '@')?.0;
    Some((&text[..at], &text[at + 1..]))
}
