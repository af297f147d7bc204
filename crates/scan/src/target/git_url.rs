//! Addresses of git repositories: `https://…`, `ssh://…` and `file://…`, with `#BRANCH` or `#TAG`.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// A repository to fetch, checked for form. It has no password: that would stand in every report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitUrl {
    address: String,
    reference: Option<String>,
}

impl GitUrl {
    /// The address that `text` is; `Err` says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (address, reference) = match text.split_once('#') {
            Some((address, reference)) => (address, Some(reference)),
            None => (text, None),
        };
        let url = Url::parse(address).map_err(|_| "it is no address")?;
        match url.scheme() {
            "https" | "ssh" if url.host_str().is_none_or(|host| host.starts_with('-')) => return Err("it has no host"),
            "https" if !url.username().is_empty() => {
                return Err("a name in the address would be shown in every report; git has credential helpers for it");
            }
            "https" | "ssh" | "file" => {}
            _ => return Err("only https, ssh and file are used"),
        }
        if url.password().is_some() {
            return Err("a password in the address would be shown in every report; git has credential helpers for it");
        }
        if reference.is_some_and(|reference| reference.is_empty() || reference.starts_with('-')) {
            return Err("after `#` comes a branch or tag");
        }
        Ok(Self { address: address.to_owned(), reference: reference.map(str::to_owned) })
    }

    /// The address as git takes it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The branch or tag; none means what the repository shows by default.
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }
}

impl fmt::Display for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)?;
        self.reference.iter().try_for_each(|reference| write!(f, "#{reference}"))
    }
}
