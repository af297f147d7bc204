//! Which distribution a file tree is.
//!
//! `os-release(5)` since 2012; before that each family had a file of its own, and some images still have only that.
//! Several of these files can be present and disagree in detail: the one with the lowest [`precedence`] is right.

mod legacy;

use model::distro::Distro;

use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{Fact, Parsed};

/// The distribution.
pub(super) const CATALOGER: Cataloger =
    Cataloger { name: "os-release", version: 1, scope: Scope::Installed, wants, parse };

/// Real ones have a few hundred bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The files that name a distribution, best first. The distributor's own file comes after the administrator's
/// (`os-release(5)`); `lsb-release` before `debian_version`, which Ubuntu has too, with Debian's code name in it; and
/// `centos-release` before `redhat-release`, which relatives of Red Hat have for compatibility.
const PATHS: [&str; 9] = [
    "etc/os-release",
    "usr/lib/os-release",
    "etc/alpine-release",
    "etc/lsb-release",
    "etc/debian_version",
    "etc/centos-release",
    "etc/redhat-release",
    "etc/system-release",
    "etc/SuSE-release",
];

/// How far down a file stands among those that name the distribution; the lowest present one is right. None for other
/// paths.
pub fn precedence(path: &str) -> Option<usize> {
    PATHS.iter().position(|known| *known == path)
}

fn wants(head: &FileHead<'_>) -> bool {
    (head.path.starts_with("etc/") || head.path.starts_with("usr/lib/")) && precedence(head.path).is_some()
}

fn parse(file: &File<'_>) -> Parsed {
    let text = match file.bytes(FILE_BYTES_MAX) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(problem) => return problem,
    };
    let named = if file.path.ends_with("/os-release") { os_release(&text) } else { legacy::distro(file.path, &text) };
    match named {
        Some(distro) => Parsed { facts: vec![Fact::Distro(distro)], problems: Vec::new() },
        // An empty file says nothing rather than something wrong.
        None if text.trim().is_empty() => Parsed::default(),
        None => Parsed::malformed("the file names no distribution"),
    }
}

/// Reads `NAME=value` lines with the quoting of a shell.
///
/// A file without `ID` is valid and means `linux`, which names no distribution, so it is none.
fn os_release(text: &str) -> Option<Distro> {
    let mut distro = Distro::default();
    for (name, value) in assignments(text) {
        let optional = || Some(value.clone()).filter(|value| !value.is_empty());
        match name {
            "ID" => distro.id = value.to_ascii_lowercase(),
            "ID_LIKE" => distro.id_like = value.split_ascii_whitespace().map(str::to_ascii_lowercase).collect(),
            "VERSION_ID" => distro.version_id = optional(),
            "VERSION_CODENAME" => distro.codename = optional(),
            "PRETTY_NAME" => distro.pretty_name = optional(),
            "CPE_NAME" => distro.cpe = optional(),
            _ => {}
        }
    }
    (!distro.id.is_empty()).then_some(distro)
}

/// The assignments of a file that a shell could source. The last one of a name counts, as in a shell.
fn assignments(text: &str) -> impl Iterator<Item = (&str, String)> {
    text.lines().filter_map(|line| {
        let line = line.trim();
        let (name, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
        Some((name, unquote(value)))
    })
}

/// One word with the quotes of a shell taken off. What follows the word (a comment) is not part of it.
fn unquote(value: &str) -> String {
    let mut word = String::with_capacity(value.len());
    let mut quote = None;
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if c == open => quote = None,
            (None, c) if c.is_whitespace() => break,
            (None, '\\') => word.extend(characters.next()),
            // Within double quotes a backslash guards only what would be special there.
            (Some('"'), '\\') => match characters.next() {
                Some(special @ ('"' | '\\' | '$' | '`')) => word.push(special),
                other => {
                    word.push('\\');
                    word.extend(other);
                }
            },
            (_, c) => word.push(c),
        }
    }
    word
}

#[cfg(test)]
mod tests;
