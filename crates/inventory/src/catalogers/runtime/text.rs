//! Run-time environments that come with a text file about themselves.

use model::package::PackageType;

use super::package;
use crate::cataloger::{File, FileHead};
use crate::fact::{PackageFact, Parsed};

/// Real ones have a few kilobytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

pub(super) fn wants(head: &FileHead<'_>) -> bool {
    if head.size > FILE_BYTES_MAX {
        return false;
    }
    let begins = |text: &str| head.head.is_empty() || head.head.starts_with(text.as_bytes());
    match head.file_name() {
        "release" => ["IMPLEMENTOR=", "JAVA_", "BUILD_"].into_iter().any(begins),
        "OTP_VERSION" => true,
        "VERSION" => head.path.ends_with("go/VERSION") && begins("go1"),
        _ => false,
    }
}

/// What the file says; none when it is not a text of this sort.
pub(super) fn parse(file: &File<'_>, name: &str) -> Option<Parsed> {
    if !matches!(name, "release" | "OTP_VERSION" | "VERSION") {
        return None;
    }
    let text = match file.bytes(FILE_BYTES_MAX) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(problem) => return Some(problem),
    };
    let found = match name {
        "release" => java(&text),
        "OTP_VERSION" => first_word(&text).map(|version| package("erlang", version.to_owned(), version.to_owned())),
        _ => first_word(&text).and_then(go),
    };
    Some(Parsed::packages(found))
}

fn first_word(text: &str) -> Option<&str> {
    text.split_ascii_whitespace().next().filter(|word| word.contains('.') && word.len() < 64)
}

/// JEP 223 and JDK-8204565: a `release` file in the home directory of a Java run-time environment.
fn java(text: &str) -> Option<PackageFact> {
    let line = text.lines().find(|line| line.starts_with("JAVA_VERSION="))?;
    let version = line.split_once('=')?.1.trim().trim_matches('"');
    let plausible = version.starts_with(|c: char| c.is_ascii_digit()) && version.len() < 64;
    plausible.then(|| package("openjdk", version.to_owned(), line.trim().to_owned()))
}

/// The Go distribution: its advisories are those of the tool chain. The standard library is found in the programs.
fn go(version: &str) -> Option<PackageFact> {
    let number = version.strip_prefix("go").filter(|number| number.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(PackageFact { said: Some(version.to_owned()), ..PackageFact::new(PackageType::Golang, "toolchain", number) })
}
