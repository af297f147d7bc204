//! Ecosystems that only an organisation's own advisories speak of: its own sorts of packages, and `OCI`, whose names are
//! the digests of images and layers.
//!
//! An ecosystem of one's own is a package-URL type in lower case (`acme` for `pkg:acme/widget@1.2`), one that no public
//! ecosystem is known for. Its versions are ordered as Maven orders them, which has an answer for every text and knows that
//! `1.0-rc1` comes before `1.0`.

use crate::digest::Digest;
use crate::package::{Package, PackageType};
use crate::purl;
use crate::version::Scheme;

use super::Query;
use super::release::DISTRIBUTIONS;

/// The ecosystem of images and layers.
pub(super) const OCI: &str = "OCI";

/// What people may write for a public ecosystem. As an ecosystem of one's own it would match nothing, silently.
const PUBLIC: &[&str] = &[
    "crate",
    "crates",
    "go",
    "php",
    "java",
    "javascript",
    "node",
    "nodejs",
    "packagist",
    "python",
    "ruby",
    "rubygems",
    "rust",
];

/// The questions for a package that no public ecosystem is known for.
pub(super) fn queries(package: &Package) -> Vec<Query> {
    let PackageType::Other(kind) = &package.kind else { return Vec::new() };
    if kind != "oci" {
        let query = |(ecosystem, name, version): (&String, &String, &String)| Query {
            ecosystem: ecosystem.clone(),
            name: name.clone(),
            version: version.clone(),
        };
        return vec![query((kind, &package.name, &package.version))];
    }
    let others = package.provides.iter().filter_map(|text| Some(purl::parse(text).ok()?.version));
    let digests = std::iter::once(package.version.clone()).chain(others);
    let digests = digests.filter(|digest| Digest::parse(digest).is_ok());
    digests.map(|digest| Query { ecosystem: OCI.into(), name: digest.clone(), version: digest }).collect()
}

/// The order of versions in an ecosystem of one's own; none for what is no such name.
pub(super) fn scheme_of(ecosystem: &str) -> Option<Scheme> {
    if ecosystem == OCI {
        return Some(Scheme::Maven);
    }
    let is_type = ecosystem.starts_with(|c: char| c.is_ascii_lowercase())
        && ecosystem.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".+-".contains(&b));
    let known = PUBLIC.contains(&ecosystem) || DISTRIBUTIONS.iter().any(|row| is_like(row.ecosystem, ecosystem));
    let own =
        matches!(PackageType::from(ecosystem.to_owned()), PackageType::Other(kind) if kind != "oci" && kind != "dhi");
    (is_type && own && !known).then_some(Scheme::Maven)
}

/// Whether somebody may have meant the one by the other: `redhat`, `red-hat` and `Red Hat`.
fn is_like(known: &str, written: &str) -> bool {
    let letters = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    letters(known) == letters(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purl_type_without_a_public_ecosystem_is_ones_own() {
        for own in ["acme", "acme-firmware", "generic", "OCI"] {
            assert_eq!(scheme_of(own), Some(Scheme::Maven), "{own}");
        }
        for other in ["pypi", "debian", "red-hat", "go", "Acme", "oci", "npm", "Debian:12", "", "acme:1"] {
            assert_eq!(scheme_of(other), None, "{other}");
        }
    }

    #[test]
    fn an_image_is_asked_for_by_each_of_its_digests() {
        let (a, b) = (format!("sha256:{}", "ab".repeat(32)), format!("sha256:{}", "cd".repeat(32)));
        let text = format!("pkg:oci/shop@{a}");
        let mut package = purl::parse(&text).unwrap().package(&text);
        package.provides = vec![format!("pkg:oci/shop@{b}"), "pkg:oci/shop@1.0".into()];
        let asked: Vec<String> = queries(&package).into_iter().map(|query| query.name).collect();
        assert_eq!(asked, [a, b]);
    }
}
