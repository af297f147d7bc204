//! Advisories about an image or a layer instead of a package: the ecosystem `OCI`, whose names are digests.
//!
//! OSV has no such ecosystem, so this is our convention (docs/guide/private-advisories.md). The digest stands as the
//! package's name, in its purl (`pkg:oci/shop@sha256:…`), or among the versions. Whether it is an image's or a layer's does
//! not matter: digests are unique.

use model::digest::Digest;
use model::purl;

/// The ecosystem's name.
pub(super) const ECOSYSTEM: &str = "OCI";

/// Whether an entry is about an image or a layer.
pub(super) fn is_oci(ecosystem: &str, purl: &str) -> bool {
    ecosystem == ECOSYSTEM || purl.starts_with("pkg:oci/")
}

/// The digests that an entry names.
///
/// # Errors
///
/// When it names none, or something else than a digest where one is expected.
pub(super) fn digests(name: &str, purl: &str, versions: &[String]) -> Result<Vec<String>, String> {
    let mut found: Vec<String> = Vec::new();
    let mut take = |text: &str| -> Result<(), String> {
        found.push(Digest::parse(text).map_err(|error| error.to_string())?.to_string());
        Ok(())
    };
    if name.starts_with("sha256:") {
        take(name)?;
    }
    if !purl.is_empty() {
        let parsed = purl::parse(purl).map_err(|error| error.to_string())?;
        if !parsed.version.is_empty() {
            take(&parsed.version)?;
        }
    }
    versions.iter().try_for_each(|version| take(version))?;
    if found.is_empty() {
        return Err(format!("no digest of an image or layer for `{name}` in {ECOSYSTEM}"));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_taken_from_wherever_it_may_stand() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let other = format!("sha256:{}", "cd".repeat(32));
        for (name, purl, versions, expected) in [
            (digest.as_str(), String::new(), vec![], Ok(vec![digest.clone()])),
            (
                "",
                format!("pkg:oci/shop@{digest}?repository_url=registry.example/shop"),
                vec![],
                Ok(vec![digest.clone()]),
            ),
            ("shop", format!("pkg:oci/shop@{}", digest.replace(':', "%3A")), vec![], Ok(vec![digest.clone()])),
            ("shop", String::new(), vec![other.clone(), digest.clone()], Ok(vec![digest.clone(), other.clone()])),
            ("shop", "pkg:oci/shop".into(), vec![], Err("no digest")),
            ("shop", String::new(), vec!["1.0".into()], Err("`1.0` is not a SHA-256 digest")),
            ("sha256:12", String::new(), vec![], Err("`sha256:12` is not a SHA-256 digest")),
        ] {
            match (digests(name, &purl, &versions), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
                (found, expected) => panic!("{found:?} and not {expected:?}"),
            }
        }
    }
}
