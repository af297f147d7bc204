//! Lua packages that LuaRocks installed: the rockspec in each version's directory of its tree.
//!
//! Source: LuaRocks, "Rockspec format" and "File locations". A rockspec is a Lua program; it is not run, but read line by
//! line. The directories name the package and its version, whatever the rockspec computes.

use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed};
use model::package::PackageType;

/// Rocks by their rockspec.
pub(super) const CATALOGER: Cataloger =
    Cataloger { name: "luarocks", version: 1, scope: Scope::Installed, wants, parse };

/// Rockspecs are a few KiB.
const ROCKSPEC_BYTES_MAX: u64 = 1 << 20;

fn wants(file: &FileHead<'_>) -> bool {
    file.path.ends_with(".rockspec") && from_path(file.path).is_some()
}

/// Name and version in `rocks-5.1/NAME/VERSION/NAME-VERSION.rockspec`. A source tree has its rockspec elsewhere.
fn from_path(path: &str) -> Option<(&str, &str)> {
    let mut parts = path.strip_suffix(".rockspec")?.rsplit('/');
    let (file, version, name) = (parts.next()?, parts.next()?, parts.next()?);
    (file.strip_prefix(name)?.strip_prefix('-')? == version).then_some((name, version))
}

fn parse(file: &File<'_>) -> Parsed {
    let bytes = match file.bytes(ROCKSPEC_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    let Some((name, version)) = from_path(file.path) else { return Parsed::default() };
    let mut package = PackageFact::new(PackageType::Other("luarocks".to_owned()), name, version);
    package.licenses.extend(license(&String::from_utf8_lossy(&bytes)));
    Parsed::packages([package])
}

/// The text in `license = "MIT/X11"`.
fn license(text: &str) -> Option<String> {
    let value =
        text.lines().find_map(|line| line.trim_start().strip_prefix("license")?.trim_start().strip_prefix('='))?;
    let value = value.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..].split_once(quote).map(|(license, _)| license.to_owned()).filter(|license| !license.is_empty())
}
