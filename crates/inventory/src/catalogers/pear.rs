//! PHP packages that PEAR or PECL installed: the `.reg` files of its registry.
//!
//! Source: PEAR, `PEAR_Registry` (files are PHP-serialised package descriptions); PHP manual, `serialize`. Descriptions of
//! version 1 keep the name under `package` and the version as text.

use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed};
use model::package::PackageType;

/// PEAR's and PECL's packages.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "pear", version: 1, scope: Scope::Installed, wants, parse };

/// Registrations, with all release notes and files, are below 1 MiB.
const REGISTRATION_BYTES_MAX: u64 = 4 << 20;

/// Descriptions nest about ten deep: the changelog's releases, the contents' directories.
const DEPTH_MAX: usize = 64;

fn wants(file: &FileHead<'_>) -> bool {
    file.path.ends_with(".reg") && (file.path.starts_with(".registry/") || file.path.contains("/.registry/"))
}

fn parse(file: &File<'_>) -> Parsed {
    let bytes = match file.bytes(REGISTRATION_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    match package(&bytes) {
        Some(package) => Parsed::packages([package]),
        None => Parsed::malformed("not a PHP-serialised description of a package"),
    }
}

fn package(bytes: &[u8]) -> Option<PackageFact> {
    let description = Reader { rest: bytes }.value(0)?;
    let name = description.text("name").or_else(|| description.text("package"))?;
    let channel = description.text("channel").unwrap_or_else(|| "pear.php.net".to_owned());
    let version = description.text("version").or_else(|| description.get("version")?.text("release"));
    let license = description.text("license").or_else(|| description.get("license")?.text("_content"));
    let kind = PackageType::Other("pear".to_owned());
    let package = PackageFact::new(kind, format!("{channel}/{name}"), version.unwrap_or_default());
    Some(PackageFact { licenses: license.into_iter().collect(), ..package })
}

enum Value<'a> {
    Text(&'a [u8]),
    Array(Vec<(Value<'a>, Value<'a>)>),
    Other,
}

impl<'a> Value<'a> {
    fn get(&self, key: &str) -> Option<&Value<'a>> {
        let Self::Array(entries) = self else { return None };
        entries.iter().find(|(it, _)| matches!(it, Self::Text(text) if *text == key.as_bytes())).map(|(_, value)| value)
    }

    fn text(&self, key: &str) -> Option<String> {
        match self.get(key)? {
            Self::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads one value: `s:3:"abc";`, `i:1;`, `N;`, `a:1:{i:0;N;}`. None where the bytes are something else.
    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        let (&kind, rest) = self.rest.split_first()?;
        self.rest = rest;
        match kind {
            b'N' | b'b' | b'i' | b'd' => self.up_to(b';').map(|_| Value::Other),
            b's' => {
                let length = self.count()?;
                let (text, rest) = self.rest.strip_prefix(b"\"")?.split_at_checked(length)?;
                self.rest = rest.strip_prefix(b"\";")?;
                Some(Value::Text(text))
            }
            b'a' if depth < DEPTH_MAX => {
                let count = self.count()?;
                self.rest = self.rest.strip_prefix(b"{")?;
                // The stated count reserves nothing: each entry must be there.
                let mut entries = Vec::new();
                for _ in 0..count {
                    entries.push((self.value(depth + 1)?, self.value(depth + 1)?));
                }
                self.rest = self.rest.strip_prefix(b"}")?;
                Some(Value::Array(entries))
            }
            _ => None,
        }
    }

    /// The number in `:12:`.
    fn count(&mut self) -> Option<usize> {
        self.rest = self.rest.strip_prefix(b":")?;
        std::str::from_utf8(self.up_to(b':')?).ok()?.parse().ok()
    }

    fn up_to(&mut self, end: u8) -> Option<&'a [u8]> {
        let at = memchr::memchr(end, self.rest)?;
        let (before, after) = (&self.rest[..at], &self.rest[at + 1..]);
        self.rest = after;
        Some(before)
    }
}
