//! Installed Ruby gems: the specification that RubyGems writes for each.
//!
//! Source: RubyGems, `Gem::Specification#to_ruby`. The specification is a Ruby program; it is not run, but read line by line
//! for the few assignments that RubyGems writes. Where a specification computes its name or version, its file name says
//! both. JRuby writes the same.

use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed, Requirement};
use model::package::PackageType;

/// Gems by their specification.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "gem", version: 1, scope: Scope::Installed, wants, parse };

/// Specifications that list every file of a gem are below 1 MiB.
const SPECIFICATION_BYTES_MAX: u64 = 8 << 20;

/// A gem's sources have a specification, too; the installed one lies in `specifications`, or, for what comes with Ruby, in
/// `specifications/default`.
fn wants(file: &FileHead<'_>) -> bool {
    let Some((directory, _)) = file.path.strip_suffix(".gemspec").and_then(|path| path.rsplit_once('/')) else {
        return false;
    };
    let directory = directory.strip_suffix("/default").unwrap_or(directory);
    directory == "specifications" || directory.ends_with("/specifications")
}

fn parse(file: &File<'_>) -> Parsed {
    let bytes = match file.bytes(SPECIFICATION_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    let mut package = package(&String::from_utf8_lossy(&bytes));
    if (package.name.is_empty() || package.version.is_empty())
        && let Some((name, version, platform)) = from_file_name(file.path)
    {
        package = PackageFact { name, version, arch: platform, ..package };
    }
    if package.name.is_empty() {
        Parsed::malformed("the specification names no gem")
    } else {
        Parsed::packages([package])
    }
}

fn package(text: &str) -> PackageFact {
    let mut package = PackageFact::new(PackageType::Gem, "", "");
    let (mut needed, mut for_development) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let Some((_, statement)) = line.trim_start().split_once('.').filter(|(name, _)| is_identifier(name)) else {
            continue;
        };
        let end = statement.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(statement.len());
        let (word, rest) = statement.split_at(end);
        let assigned =
            rest.trim_start().strip_prefix('=').map(|rest| rest.trim_start().trim_start_matches("Gem::Version.new("));
        let value = || assigned.and_then(literal).map(str::to_owned);
        match word {
            "name" if package.name.is_empty() => package.name = value().unwrap_or_default(),
            "version" if package.version.is_empty() => package.version = value().unwrap_or_default(),
            "platform" => package.arch = value().filter(|platform| platform != "ruby"),
            "license" | "licenses" => package.licenses.extend(assigned.into_iter().flat_map(literals)),
            "add_runtime_dependency" | "add_dependency" => needed.extend(literals(rest).next()),
            "add_development_dependency" => for_development.extend(literals(rest).next()),
            _ => {}
        }
    }
    // For old RubyGems, a second list does not tell apart what is for development.
    needed.retain(|name| !for_development.contains(name));
    needed.sort();
    needed.dedup();
    package.requires = needed.into_iter().map(|name| Requirement { name, version: None }).collect();
    package
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The text of the literal (`"x"`, `'x'`, `%q<x>`) that `text` begins with. An escape is left as it is: names, versions and
/// licenses have none.
fn literal(text: &str) -> Option<&str> {
    let (close, inner) = match text.as_bytes() {
        [quote @ (b'"' | b'\''), ..] => (*quote, &text[1..]),
        [b'%', b'q' | b'Q', b'<', ..] => (b'>', &text[3..]),
        _ => return None,
    };
    let mut escaped = false;
    let end = inner.bytes().position(|byte| {
        let closes = byte == close && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })?;
    Some(&inner[..end])
}

/// Every literal in a list or call.
fn literals(mut text: &str) -> impl Iterator<Item = String> {
    std::iter::from_fn(move || {
        let start = text.find(['"', '\'', '%'])?;
        match literal(&text[start..]) {
            Some(found) => {
                // Behind the closing quote, wherever the literal began.
                let end = found.as_ptr() as usize - text.as_ptr() as usize + found.len() + 1;
                text = &text[end..];
                Some(found.to_owned())
            }
            None => {
                text = "";
                None
            }
        }
    })
}

/// `psych-3.3.4-java` is `psych` 3.3.4 for Java.
fn from_file_name(path: &str) -> Option<(String, String, Option<String>)> {
    let name = path.rsplit('/').next()?.strip_suffix(".gemspec")?;
    let digit_follows = |at: &usize| name[at + 1..].starts_with(|c: char| c.is_ascii_digit());
    let at = name.match_indices('-').map(|(at, _)| at).find(digit_follows)?;
    let (version, platform) = match name[at + 1..].split_once('-') {
        Some((version, platform)) => (version, Some(platform.to_owned())),
        None => (&name[at + 1..], None),
    };
    Some((name[..at].to_owned(), version.to_owned(), platform))
}
