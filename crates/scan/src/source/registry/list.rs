//! Which repositories a registry has, and which tags a repository.
//!
//! Source: OCI distribution specification 1.1, "Listing Tags"; the distribution project's "Listing Repositories"
//! (`_catalog`), which is no part of the specification and which large public registries do not answer.

use std::cmp::Reverse;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::target::{Pattern, Reference};

use super::super::document::{MANIFEST_BYTES_MAX, or_default};
use super::body::read_whole;
use super::error::RegistryError;
use super::http::{Http, Scope};
use super::{RegistryOptions, next_page};

/// The longest list that is read. A registry with more is better asked for in parts.
const NAMES_MAX: usize = 200_000;

/// How many pages a list may have: a page of one entry is allowed, a circle is not.
const PAGES_MAX: usize = 20_000;

/// How many images a pattern may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListBounds {
    /// Of all repositories together.
    pub images_max: usize,
    /// Of each repository: the newest versions first.
    pub tags_max: usize,
}

/// What a pattern comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// The images, by repository, newest version first.
    pub references: Vec<Reference>,
    /// How many more there are that `tags_max` left out.
    pub beyond_tags_max: usize,
    /// How many more there are that `images_max` left out.
    pub beyond_images_max: usize,
    /// Tags that match and are no images: signatures, attestations and the like under `sha256-…`.
    pub attachments: usize,
    /// Names that no registry may have, and so cannot be asked for.
    pub unusable: usize,
}

#[derive(Deserialize)]
struct Catalog {
    #[serde(default, deserialize_with = "or_default")]
    repositories: Vec<String>,
}

#[derive(Deserialize)]
struct Tags {
    // A repository whose tags were all deleted says `null`.
    #[serde(default, deserialize_with = "or_default")]
    tags: Vec<String>,
}

/// Asks the registry what matches `pattern`.
pub(super) fn list(pattern: &Pattern, bounds: ListBounds, options: &RegistryOptions) -> Result<Listing, RegistryError> {
    let mut listing = Listing::default();
    for repository in repositories(pattern, options)? {
        if format!("{}/{repository}", pattern.registry()).parse::<Reference>().is_err() {
            listing.unusable += 1;
            continue;
        }
        let http = Http::new(
            pattern.registry(),
            Scope::Repository { name: repository.clone(), actions: "pull" },
            false,
            options,
        )?;
        let what = format!("the list of tags of `{repository}`");
        let path = format!("{repository}/tags/list");
        let mut tags = match entries(&http, &path, &what, |page: Tags| page.tags) {
            // The catalog still names repositories whose images were all deleted.
            Err(RegistryError::NotFound { .. }) if pattern.repository().is_none() => continue,
            other => other?,
        };
        tags.retain(|tag| pattern.has_tag(tag));
        let all = tags.len();
        tags.retain(|tag| !is_attachment(tag));
        listing.attachments += all - tags.len();
        newest_first(&mut tags);
        listing.beyond_tags_max += tags.len().saturating_sub(bounds.tags_max);
        tags.truncate(bounds.tags_max);
        for tag in tags {
            match format!("{}/{repository}:{tag}", pattern.registry()).parse() {
                Err(_) => listing.unusable += 1,
                Ok(_) if listing.references.len() >= bounds.images_max => listing.beyond_images_max += 1,
                Ok(reference) => listing.references.push(reference),
            }
        }
    }
    Ok(listing)
}

fn repositories(pattern: &Pattern, options: &RegistryOptions) -> Result<Vec<String>, RegistryError> {
    if let Some(repository) = pattern.repository() {
        return Ok(vec![repository.to_owned()]);
    }
    let registry = pattern.registry();
    let http = Http::new(registry, Scope::Catalog, false, options)?;
    // No page size: some refuse one that is larger than theirs, and all have one of their own.
    let listed = entries(&http, "_catalog", "the list of repositories", |page: Catalog| page.repositories);
    let mut names = listed.map_err(|error| match error {
        error
        @ (RegistryError::NotFound { .. } | RegistryError::Denied { .. } | RegistryError::Unauthorized { .. }) => {
            RegistryError::NoCatalog { registry: registry.into(), source: Box::new(error) }
        }
        other => other,
    })?;
    names.retain(|name| pattern.has_repository(name));
    names.sort();
    names.dedup();
    Ok(names)
}

/// All pages of a list.
fn entries<T: DeserializeOwned>(
    http: &Http,
    path: &str,
    what: &str,
    names: impl Fn(T) -> Vec<String>,
) -> Result<Vec<String>, RegistryError> {
    let endless = |limit| RegistryError::Endless { registry: http.registry.clone(), what: what.into(), limit };
    let mut found = Vec::new();
    let mut next = Some(path.to_owned());
    for _ in 0..PAGES_MAX {
        let Some(path) = next.take() else { return Ok(found) };
        let response = http.get(&path, "application/json", what)?;
        next = next_page(&response);
        let bytes = read_whole(response, what, MANIFEST_BYTES_MAX)?;
        let malformed = |source| RegistryError::List { registry: http.registry.clone(), what: what.into(), source };
        found.extend(names(serde_json::from_slice(&bytes).map_err(malformed)?));
        if found.len() > NAMES_MAX {
            return Err(endless(NAMES_MAX));
        }
    }
    if next.is_none() { Ok(found) } else { Err(endless(PAGES_MAX)) }
}

/// Source: OCI distribution specification 1.1, "Referrers Tag Schema"; cosign adds `.sig`, `.att` and `.sbom`.
fn is_attachment(tag: &str) -> bool {
    let hex = tag.strip_prefix("sha256-").and_then(|rest| rest.get(..64));
    hex.is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Versions first, the newest first among them; then other names by the alphabet.
fn newest_first(tags: &mut [String]) {
    tags.sort_by_cached_key(|tag| (Reverse(version(tag)), tag.clone()));
}

/// Numbers, then whether nothing follows them: `1.2.0` is newer than `1.2.0-rc1`. None for a name that is no version.
fn version(tag: &str) -> Option<(Vec<u64>, bool, String)> {
    let text = tag.strip_prefix('v').unwrap_or(tag);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let numbers: Result<Vec<u64>, _> = numbers.trim_end_matches('.').split('.').map(str::parse).collect();
    Some((numbers.ok()?, rest.is_empty(), rest.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_comes_first_and_names_last() {
        let mut tags: Vec<String> =
            ["latest", "1.9", "1.10", "v2.0.0-rc1", "v2.0.0", "1.10-alpine", "edge", "1.2.x", "99999999999999999999"]
                .map(str::to_owned)
                .into();
        newest_first(&mut tags);
        assert_eq!(
            tags,
            ["v2.0.0", "v2.0.0-rc1", "1.10", "1.10-alpine", "1.9", "1.2.x", "99999999999999999999", "edge", "latest"]
        );
    }

    #[test]
    fn signatures_are_no_images() {
        let hex = "0a".repeat(32);
        assert!(is_attachment(&format!("sha256-{hex}")) && is_attachment(&format!("sha256-{hex}.sig")));
        assert!(
            !is_attachment("sha256-1")
                && !is_attachment("1.0")
                && !is_attachment(&format!("sha256-{}é", "0".repeat(63)))
        );
    }
}
