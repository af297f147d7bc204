//! Finding a feed whose publisher moves it about: archives named by their day, rpm repositories named by their state.
//!
//! A mirror may pass such lists on, or simply have the feed at [`Source::url`]'s place, as a directory of kept feeds does.
//!
//! **Never:** a list leads away from its host or from TLS; it only says which path there is the present one.

use std::path::Path;

use reqwest::Url;

use super::fetch::{Fetcher, host_of, shown};
use super::refresh::FeedError;
use super::sources::{Location, Source};
use crate::feeds::xml;

/// Where a feed is now.
pub(super) struct Place {
    pub(super) url: Url,
    /// SHA-256 that its repository states for it, in hex.
    pub(super) stated: Option<String>,
}

/// Finds `source` at its publisher, or at what stands in for the publisher's host: `at` makes one address of another.
/// Lists are fetched by way of `scratch`.
pub(super) fn locate(
    fetcher: Fetcher<'_>,
    source: &Source,
    at: &dyn Fn(&str) -> Result<Url, FeedError>,
    scratch: &Path,
) -> Result<Place, FeedError> {
    let fixed = || Ok(Place { url: at(source.url)?, stated: None });
    let (Location::Named(list) | Location::Repository(list)) = source.location else { return fixed() };
    let Some(text) = text(fetcher, &at(list)?, scratch)? else { return fixed() };
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let refused = |detail: &str| FeedError::List { from: list.to_owned(), detail: detail.to_owned() };
    let base = Url::parse(list).map_err(|_| FeedError::Address(list.into()))?;
    if source.location == Location::Named(list) {
        let sound =
            !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let url = base.join(first).ok().filter(|_| sound).ok_or_else(|| refused("its first line names no file"))?;
        return Ok(Place { url: at(url.as_str())?, stated: None });
    }
    let repository = base.join(&format!("{}/", first.trim_end_matches('/'))).ok();
    let repository = repository.filter(|url| !first.is_empty() && is_beside(url, &base));
    let repository = repository.ok_or_else(|| refused("its first line is no address of this host"))?;
    let index = repository.join("repodata/repomd.xml").map_err(|_| refused("its first line is no address"))?;
    let document = text_of(fetcher, &at(index.as_str())?, scratch)?;
    let found = updateinfo(&document).map_err(|detail| FeedError::List { from: index.to_string(), detail })?;
    let url = repository.join(&found.href).ok().filter(|url| is_beside(url, &base));
    let url = url.ok_or_else(|| FeedError::List { from: index.into(), detail: "it leads to another host".into() })?;
    Ok(Place { url: at(url.as_str())?, stated: found.sha256 })
}

fn is_beside(url: &Url, base: &Url) -> bool {
    url.scheme() == base.scheme() && host_of(url) == host_of(base) && url.username().is_empty()
}

fn text(fetcher: Fetcher<'_>, url: &Url, scratch: &Path) -> Result<Option<String>, FeedError> {
    fetcher.list(url, scratch).map_err(|source| FeedError::Fetch { from: shown(url), source })
}

fn text_of(fetcher: Fetcher<'_>, url: &Url, scratch: &Path) -> Result<String, FeedError> {
    text(fetcher, url, scratch)?
        .ok_or_else(|| FeedError::List { from: url.path().into(), detail: "it is not there".into() })
}

/// What an index of a repository says of its `updateinfo`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    href: String,
    sha256: Option<String>,
}

/// Reads `repomd.xml`, as createrepo_c writes it.
fn updateinfo(document: &str) -> Result<Found, String> {
    let mut index = Index::default();
    xml::visit(document.as_bytes(), &mut index)?;
    if index.found.href.is_empty() { Err("it names no `updateinfo`".into()) } else { Ok(index.found) }
}

#[derive(Default)]
struct Index {
    within: bool,
    is_sha256: bool,
    found: Found,
}

impl xml::Visitor for Index {
    fn begin(&mut self, path: &[String], attributes: &xml::Attributes) {
        match path.last().map(String::as_str) {
            Some("data") => self.within = attributes.get("type") == "updateinfo",
            Some("checksum") => self.is_sha256 = attributes.get("type") == "sha256",
            Some("location") if self.within => attributes.get("href").clone_into(&mut self.found.href),
            _ => {}
        }
    }

    fn end(&mut self, path: &[String], text: &str) {
        if self.within && self.is_sha256 && path.last().is_some_and(|name| name == "checksum") {
            self.found.sha256 = Some(text.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_of_a_repository_names_its_errata_with_their_sum() {
        let found = updateinfo(include_str!("../../../../tests/fixtures/repository/repomd.xml")).expect("an index");
        assert!(found.href.starts_with("repodata/") && found.href.contains("updateinfo.xml"), "{found:?}");
        assert_eq!(found.sha256.map(|sum| sum.len()), Some(64));
        assert!(updateinfo("<repomd/>").is_err());
        assert!(updateinfo("<html>").is_err());
    }
}
