//! Installed Python distributions, and wheels and eggs that lie around.
//!
//! Source: PyPA specifications, "Core metadata", "Recording installed projects", "Binary distribution format"; for eggs
//! the setuptools documentation, "The internal structure of Python eggs".

use super::zip_directory::{ZipDirectory, ZipError};
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::content::ReadAt;
use crate::fact::{Fact, PackageFact, Parsed, Problem, Requirement};
use model::gap::GapKind;
use model::package::PackageType;

/// Python distributions by their metadata.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "python", version: 1, scope: Scope::Installed, wants, parse };

/// The fields end at the first empty line; the description follows, which can be megabytes. The largest fields (with
/// hundreds of extras) are below 200 KiB.
const FIELDS_BYTES_MAX: u64 = 1 << 20;
/// A `License` field longer than a name is the license's text.
const LICENSE_NAME_BYTES_MAX: usize = 100;

fn wants(file: &FileHead<'_>) -> bool {
    is_metadata(file.path) || (is_archive(file.path) && file.head.starts_with(b"PK"))
}

fn parse(file: &File<'_>) -> Parsed {
    if !is_metadata(file.path) {
        return parse_archive(file.content);
    }
    let mut fields = vec![0; file.content.size().min(FIELDS_BYTES_MAX) as usize];
    let mut filled = 0;
    while filled < fields.len() {
        match file.content.read_at(filled as u64, &mut fields[filled..]) {
            Ok(0) => return Parsed::problem(GapKind::Unreadable, "the file is shorter than its size says"),
            Ok(count) => filled += count,
            Err(error) => return Parsed::problem(GapKind::Unreadable, error.to_string()),
        }
    }
    match parse_metadata(&fields) {
        Some(package) => Parsed::packages([package]),
        None => Parsed::malformed("the metadata names no distribution"),
    }
}

/// Whether a path is the metadata of one distribution: wheels' `.dist-info`, eggs' `EGG-INFO`, setuptools' and
/// distutils' `.egg-info`, which distutils writes as a file.
fn is_metadata(path: &str) -> bool {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name {
        "METADATA" => directory.ends_with(".dist-info"),
        "PKG-INFO" => directory.ends_with(".egg-info") || directory == "EGG-INFO" || directory.ends_with("/EGG-INFO"),
        _ => name.len() > ".egg-info".len() && name.ends_with(".egg-info"),
    }
}

/// Whether a path is a wheel or egg, unless it is test data, as Python's own library has.
fn is_archive(path: &str) -> bool {
    let named_so = path.ends_with(".whl") || path.ends_with(".egg");
    named_so && !path.split('/').any(|directory| matches!(directory, "test" | "tests"))
}

/// Every distribution in a wheel or egg: its own, and those it carries along.
fn parse_archive(content: &dyn ReadAt) -> Parsed {
    let mut parsed = Parsed::default();
    if let Err(error) = read_archive(content, &mut parsed) {
        parsed.problems.push(Problem { kind: error.kind(), detail: error.to_string(), inside: None });
    }
    parsed
}

fn read_archive(content: &dyn ReadAt, parsed: &mut Parsed) -> Result<(), ZipError> {
    /// setuptools, which carries the most along, has about 20.
    const DISTRIBUTIONS_MAX: usize = 1000;
    let archive = ZipDirectory::open(content)?;
    let mut wanted = Vec::new();
    archive.visit(|name, member| {
        if let Some(name) = std::str::from_utf8(name).ok().filter(|name| is_metadata(name)) {
            wanted.push((name.to_owned(), member));
        }
        wanted.len() <= DISTRIBUTIONS_MAX
    })?;
    if wanted.len() > DISTRIBUTIONS_MAX {
        wanted.truncate(DISTRIBUTIONS_MAX);
        let detail = format!("it holds more than {DISTRIBUTIONS_MAX} distributions");
        parsed.problems.push(Problem { kind: GapKind::LimitExceeded, detail, inside: None });
    }
    for (name, member) in wanted {
        let problem = match archive.beginning(&member, FIELDS_BYTES_MAX) {
            Ok(fields) => match parse_metadata(&fields) {
                Some(package) => {
                    let package = PackageFact { inside: Some(name), ..package };
                    parsed.facts.push(Fact::Package(package));
                    continue;
                }
                None => (GapKind::Malformed, "the metadata names no distribution".to_owned()),
            },
            Err(error) => (error.kind(), error.to_string()),
        };
        parsed.problems.push(Problem { kind: problem.0, detail: problem.1, inside: Some(name) });
    }
    Ok(())
}

/// Reads the fields of core metadata; none without a name.
fn parse_metadata(bytes: &[u8]) -> Option<PackageFact> {
    let text = String::from_utf8_lossy(bytes);
    let mut package = PackageFact::new(PackageType::PyPi, "", "");
    let (mut expression, mut license, mut classifiers) = (None, None, Vec::new());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next().filter(|line| !line.is_empty()) {
        let continued = lines.peek().is_some_and(|next| next.starts_with([' ', '\t']));
        let Some((field, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match field.to_ascii_lowercase().as_str() {
            "name" => package.name = value.to_owned(),
            "version" => package.version = value.to_owned(),
            "license-expression" => expression = Some(value),
            "license" if !continued => license = Some(value),
            "classifier" => classifiers.extend(license_of_classifier(value)),
            "requires-dist" => package.requires.extend(requirement(value)),
            _ => {}
        }
    }
    let names_license =
        |it: &&str| !it.is_empty() && !it.eq_ignore_ascii_case("unknown") && it.len() <= LICENSE_NAME_BYTES_MAX;
    package.licenses = match (expression.filter(names_license), license.filter(names_license)) {
        (Some(stated), _) | (None, Some(stated)) => vec![stated.to_owned()],
        (None, None) => classifiers,
    };
    package.requires.sort();
    package.requires.dedup();
    Some(package).filter(|package| !package.name.is_empty())
}

/// `License :: OSI Approved :: MIT License` says `MIT License`.
fn license_of_classifier(classifier: &str) -> Option<String> {
    let (_, license) = classifier.strip_prefix("License ::")?.rsplit_once("::").unwrap_or(("", classifier));
    let license = license.trim().trim_start_matches("License ::").trim();
    (license != "OSI Approved").then(|| license.to_owned())
}

/// The name in a dependency specifier (PEP 508); none when it is needed for an extra only.
fn requirement(specifier: &str) -> Option<Requirement> {
    let (wanted, marker) = specifier.split_once(';').unwrap_or((specifier, ""));
    if marker.contains("extra ==") || marker.contains("extra==") {
        return None;
    }
    let end =
        wanted.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))).unwrap_or(wanted.len());
    let name = &wanted[..end];
    (!name.is_empty()).then(|| Requirement { name: name.to_owned(), version: None })
}
