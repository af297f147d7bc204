//! Image references: `[registry/]repository[:tag][@digest]`.

use std::fmt;
use std::str::FromStr;

use model::digest::Digest;
use serde::{Deserialize, Serialize};

/// The registry that a name without one means.
pub(super) const DEFAULT_REGISTRY: &str = "docker.io";

/// The tag that a name without tag and digest means.
const DEFAULT_TAG: &str = "latest";

/// The longest name (registry and repository) that registries accept. Source: the `reference` package of the CNCF
/// distribution project, `RepositoryNameTotalLengthMax`.
const NAME_BYTES_MAX: usize = 255;

/// The longest tag. Source: OCI distribution specification, "Pulling manifests".
const TAG_BYTES_MAX: usize = 128;

/// An image in a registry, checked for form. Parsing is the only way to make one.
///
/// Docker's rules: without a registry it is Docker Hub's, there a single name belongs to `library/`, and without tag
/// and digest the tag is `latest`. With both, the digest decides and the tag is a remark.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is not an image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// No repository.
    #[error("it names no repository")]
    Empty,
    /// Capitals in the repository.
    #[error("the repository `{repository}` has capital letters")]
    Capitals {
        /// The repository.
        repository: String,
    },
    /// Some other character or order that is not allowed.
    #[error("the repository `{repository}` has parts other than a-z and 0-9, joined by `.`, `_`, `__`, `-` or `/`")]
    Repository {
        /// The repository.
        repository: String,
    },
    /// A registry that is no host name with an optional port.
    #[error("the registry `{registry}` is not a host name with an optional port")]
    Registry {
        /// The registry.
        registry: String,
    },
    /// A tag with characters that are not allowed.
    #[error(
        "the tag `{tag}` has characters other than letters, digits, `_`, `.` and `-`, or more than {TAG_BYTES_MAX}"
    )]
    Tag {
        /// The tag.
        tag: String,
    },
    /// Not a SHA-256 digest.
    #[error("what follows `@` is not a digest")]
    Digest(#[source] model::digest::DigestError),
    /// Longer than registries accept.
    #[error("the name is longer than {NAME_BYTES_MAX} bytes")]
    TooLong,
    /// 64 hex digits, which engines take for an image id.
    #[error("64 hex digits are an image id, which no registry knows")]
    ImageId,
}

impl ReferenceError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Capitals { repository } => Some(format!("write `{}`", repository.to_lowercase())),
            Self::ImageId => Some("write `docker:` or `podman:` before it for the image that the engine has".into()),
            Self::Digest(_) => Some("a digest is `sha256:` and 64 hex digits in lower case".into()),
            _ => None,
        }
    }
}

impl Reference {
    /// The registry's host name with its port, if it has one; `docker.io` for Docker Hub.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository, with `library/` where Docker Hub wants it.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, `latest` when neither tag nor digest was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the manifest or index, if one was given.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The name as people write it, without `docker.io/library/`.
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        let short = full.strip_prefix("docker.io/").unwrap_or(&full);
        short.strip_prefix("library/").filter(|_| short != full).unwrap_or(short).to_owned()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(Digest::parse(digest).map_err(ReferenceError::Digest)?)),
            None => (text, None),
        };
        let (registry, rest) = split_registry(name);
        let (path, tag) = rest.split_once(':').map_or((rest, None), |(path, tag)| (path, Some(tag)));
        if path.len() == 64 && registry.is_none() && path.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ReferenceError::ImageId);
        }
        check_repository(path)?;
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(ReferenceError::Tag { tag: tag.into() });
        }
        let registry = match registry {
            None | Some("index.docker.io" | "registry-1.docker.io") => DEFAULT_REGISTRY,
            Some(registry) if is_host(registry) => registry,
            Some(registry) => return Err(ReferenceError::Registry { registry: registry.into() }),
        };
        let in_library = registry == DEFAULT_REGISTRY && !path.contains('/');
        let repository = if in_library { format!("library/{path}") } else { path.to_owned() };
        if registry.len() + 1 + repository.len() > NAME_BYTES_MAX {
            return Err(ReferenceError::TooLong);
        }
        let tag = tag.or(if digest.is_none() { Some(DEFAULT_TAG) } else { None }).map(str::to_owned);
        Ok(Self { registry: registry.to_ascii_lowercase(), repository, tag, digest })
    }
}

/// Splits off the first component when it can only be a host: it has a dot, a colon, a capital, or is `localhost`.
pub(super) fn split_registry(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((first, rest))
            if first == "localhost" || first.contains(['.', ':']) || first.bytes().any(|b| b.is_ascii_uppercase()) =>
        {
            (Some(first), rest)
        }
        _ => (None, name),
    }
}

fn check_repository(path: &str) -> Result<(), ReferenceError> {
    let is_alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let is_component = |component: &str| {
        let bytes = component.as_bytes();
        let ends_well = |byte: Option<&u8>| byte.is_some_and(|b| is_alphanumeric(*b));
        ends_well(bytes.first())
            && ends_well(bytes.last())
            && component
                .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
    };
    match path {
        "" => Err(ReferenceError::Empty),
        path if path.split('/').all(is_component) => Ok(()),
        path if path.bytes().any(|b| b.is_ascii_uppercase()) => {
            Err(ReferenceError::Capitals { repository: path.into() })
        }
        path => Err(ReferenceError::Repository { repository: path.into() }),
    }
}

pub(super) fn is_tag(tag: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= TAG_BYTES_MAX
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'-'))
}

pub(crate) fn is_host(registry: &str) -> bool {
    let (host, port) = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => (address.parse::<std::net::Ipv6Addr>().is_ok(), None),
        Some((address, port)) => (address.parse::<std::net::Ipv6Addr>().is_ok(), port.strip_prefix(':').or(Some("x"))),
        None => {
            let (host, port) = registry.split_once(':').map_or((registry, None), |(host, port)| (host, Some(port)));
            (host.split('.').all(is_host_label), port)
        }
    };
    host && port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

fn is_host_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let rendered = match text.parse::<Reference>() {
            Ok(reference) => reference.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert!(rendered.starts_with(expected), "{text}\n got: {rendered}\nwant: {expected}");
    }

    #[test]
    fn names_are_completed_by_dockers_rules() {
        check("debian", "docker.io/library/debian:latest");
        check("debian:12", "docker.io/library/debian:12");
        check("grafana/grafana", "docker.io/grafana/grafana:latest");
        check("docker.io/debian", "docker.io/library/debian:latest");
        check("index.docker.io/a/b:1", "docker.io/a/b:1");
        check("localhost/a", "localhost/a:latest");
        check("localhost:5000/a/b:v1.0-rc_1", "localhost:5000/a/b:v1.0-rc_1");
        check("[::1]:5000/a", "[::1]:5000/a:latest");
        check("ghcr.io/a/b__c/d--e.f", "ghcr.io/a/b__c/d--e.f:latest");
        let digest = format!("sha256:{}", "1".repeat(64));
        check(&format!("a@{digest}"), &format!("docker.io/library/a@{digest}"));
        check(&format!("a:2@{digest}"), &format!("docker.io/library/a:2@{digest}"));
    }

    #[test]
    fn what_no_registry_accepts_is_refused() {
        check("", "error: it names no repository");
        check("Debian", "error: the repository `Debian` has capital letters");
        check("a/", "error: the repository");
        check("a//b", "error: the repository");
        check("a___b", "error: the repository");
        check("a.-b", "error: the repository");
        check("../etc", "error: the ");
        check("a b", "error: the repository");
        check("a:", "error: the tag ``");
        check("a:b/c", "error: the registry");
        check("exa_mple.com:1/a", "error: the registry");
        check("host:99999/a", "error: the registry");
        check("[::1]x/a", "error: the re");
        check("a@sha256:12", "error: what follows `@`");
        check(&"0a".repeat(32), "error: 64 hex digits");
        check("a/".repeat(200).trim_end_matches('/'), "error: the name is longer");
    }
}
