//! WordPress itself, its plugins and its themes, by what each says of itself at its beginning.
//!
//! Source: WordPress plugin and theme handbooks, "Header Requirements" and "Main Stylesheet"; `wp-includes/version.php`. Of a
//! plugin any PHP file in its directory may have the header, so each is looked at. The directory is the name under which
//! WordPress publishes a plugin or theme.

use std::io::Read;

use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::content::{Cursor, Part};
use crate::fact::{PackageFact, Parsed};
use model::gap::GapKind;
use model::package::PackageType;

/// WordPress by its headers.
pub(super) const CATALOGER: Cataloger =
    Cataloger { name: "wordpress", version: 1, scope: Scope::Installed, wants, parse };

/// WordPress reads no more for a header.
const HEADER_BYTES_MAX: u64 = 8 << 10;

fn wants(file: &FileHead<'_>) -> bool {
    Described::of(file.path).is_some()
}

/// What a file can describe.
enum Described<'a> {
    Core,
    Plugin(&'a str),
    Theme(&'a str),
}

impl<'a> Described<'a> {
    fn of(path: &'a str) -> Option<Self> {
        if path.ends_with("/wp-includes/version.php") {
            return Some(Self::Core);
        }
        let (_, inside) = path.rsplit_once("wp-content/")?;
        match inside.split('/').collect::<Vec<_>>()[..] {
            ["plugins", file] => file.strip_suffix(".php").map(Self::Plugin),
            ["plugins", slug, file] if file.ends_with(".php") => Some(Self::Plugin(slug)),
            ["themes", slug, "style.css"] => Some(Self::Theme(slug)),
            _ => None,
        }
    }
}

fn parse(file: &File<'_>) -> Parsed {
    let mut bytes = Vec::new();
    if let Err(error) = Cursor::new(&Part::new(file.content, 0, HEADER_BYTES_MAX)).read_to_end(&mut bytes) {
        return Parsed::problem(GapKind::Unreadable, error.to_string());
    }
    let text = String::from_utf8_lossy(&bytes);
    match Described::of(file.path) {
        Some(Described::Core) => match core_version(&text) {
            Some(version) => Parsed::packages([package("generic", "wordpress", version)]),
            None => Parsed::malformed("it does not say which WordPress this is"),
        },
        Some(Described::Plugin(slug)) => Parsed::packages(headed(&text, "Plugin Name", "wordpress-plugin", slug)),
        Some(Described::Theme(slug)) => Parsed::packages(headed(&text, "Theme Name", "wordpress-theme", slug)),
        None => Parsed::default(),
    }
}

fn package(kind: &str, name: &str, version: &str) -> PackageFact {
    PackageFact::new(PackageType::Other(kind.to_owned()), name, version)
}

/// The text in `$wp_version = '6.1.9';`.
fn core_version(text: &str) -> Option<&str> {
    let value = text.lines().find_map(|line| line.trim_start().strip_prefix("$wp_version"))?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    value.strip_prefix(['\'', '"'])?.split(['\'', '"']).next()
}

/// The package with this header; none where the file has no such header, like most files of a plugin.
fn headed(text: &str, name_field: &str, kind: &str, slug: &str) -> Option<PackageFact> {
    field(text, name_field).filter(|name| !name.is_empty())?;
    let licenses = field(text, "License").filter(|license| !license.is_empty());
    Some(PackageFact {
        licenses: licenses.map(str::to_owned).into_iter().collect(),
        ..package(kind, slug, field(text, "Version").unwrap_or_default())
    })
}

/// The value of `Version: 5.0.2`, which may stand behind the asterisk of a comment.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let decoration = |c: char| matches!(c, ' ' | '\t' | '/' | '*' | '#' | '@');
    text.lines().find_map(|line| {
        let line = line.strip_prefix("<?php").unwrap_or(line).trim_start_matches(decoration);
        let value = line.strip_prefix(name)?.strip_prefix(':')?;
        Some(value.split("*/").next().unwrap_or(value).trim())
    })
}
