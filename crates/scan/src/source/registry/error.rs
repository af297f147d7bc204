//! Why a registry did not give what was asked for. No message holds a credential, a token or the query of an address.

use std::io;
use std::path::PathBuf;

use super::credentials::CredentialError;

/// Why a registry did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The connection failed: name, network, TLS.
    #[error("could not talk to `{host}`")]
    Connection {
        /// The host that was addressed.
        host: String,
        /// Why, without the address.
        #[source]
        source: reqwest::Error,
    },
    /// The host was silent for too long.
    #[error("`{host}` sent nothing for {secs} seconds")]
    Stalled {
        /// The host.
        host: String,
        /// How long it was waited for.
        secs: u64,
    },
    /// The certificates to trust could not be read.
    #[error("could not read the certificate authorities in `{path}`")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// TLS could not be set up.
    #[error("could not set up TLS: {detail}")]
    Tls {
        /// Why.
        detail: String,
    },
    /// The registry wants to know who asks, and the answer did not satisfy it.
    #[error("registry `{registry}` refused {who} for `{repository}`")]
    Unauthorized {
        /// The registry.
        registry: String,
        /// The repository.
        repository: String,
        /// Whether credentials were used, and why not.
        who: &'static str,
        /// Why no credentials were found, when looking for them failed.
        #[source]
        source: Option<CredentialError>,
    },
    /// Known, and not allowed.
    #[error("registry `{registry}` does not allow reading {what}")]
    Denied {
        /// The registry.
        registry: String,
        /// What was asked for.
        what: String,
    },
    /// It is not there.
    #[error("registry `{registry}` does not have {what}")]
    NotFound {
        /// The registry.
        registry: String,
        /// What was asked for.
        what: String,
    },
    /// Any other answer than success.
    #[error("`{host}` answered {status} to the request for {what}{}", attempts_text(*attempts))]
    Status {
        /// The host that answered.
        host: String,
        /// HTTP status, with the registry's error code if it has one.
        status: String,
        /// What was asked for.
        what: String,
        /// How often it was asked.
        attempts: u32,
    },
    /// A redirect that is not followed.
    #[error("`{host}` redirects to an address that is not followed: {detail}")]
    Redirect {
        /// The host that redirects.
        host: String,
        /// Why.
        detail: &'static str,
    },
    /// A demand for authorization that cannot be met.
    #[error("registry `{registry}` asks for authorization in a way that is not supported: {detail}")]
    Challenge {
        /// The registry.
        registry: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The body is longer than such bodies are.
    #[error("{what} has more than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        what: String,
        /// The bound.
        limit: u64,
    },
    /// The body is shorter or longer than promised.
    #[error("{what} should have {expected} bytes, and the registry sends {actual}")]
    Length {
        /// What was asked for.
        what: String,
        /// What the manifest says.
        expected: u64,
        /// What is sent.
        actual: u64,
    },
    /// The transfer broke, also after it was resumed.
    #[error("the transfer of {what} broke too often, the last time after {done} of {size} bytes")]
    Broken {
        /// What was asked for.
        what: String,
        /// How much arrived.
        done: u64,
        /// How much there is.
        size: u64,
        /// What happened the last time.
        #[source]
        source: io::Error,
    },
    /// The registry answers another range than was asked for.
    #[error("`{host}` answers the request for the rest of {what} with another part of it")]
    Range {
        /// The host that answered.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// The registry does not say which repositories it has.
    #[error("registry `{registry}` does not list its repositories")]
    NoCatalog {
        /// The registry.
        registry: String,
        /// Why.
        #[source]
        source: Box<RegistryError>,
    },
    /// A list without an end.
    #[error("{what} of `{registry}` has more than {limit} entries or pages")]
    Endless {
        /// The registry.
        registry: String,
        /// Which list.
        what: String,
        /// The bound.
        limit: usize,
    },
    /// A list that is none.
    #[error("{what} of `{registry}` cannot be understood")]
    List {
        /// The registry.
        registry: String,
        /// Which list.
        what: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The body could not be read to its end.
    #[error("could not read {what}")]
    Body {
        /// What was asked for.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn attempts_text(attempts: u32) -> String {
    if attempts > 1 { format!(", {attempts} times") } else { String::new() }
}

impl RegistryError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unauthorized { registry, .. } | Self::Denied { registry, .. } => {
                Some(format!("log in with `docker login {registry}`"))
            }
            Self::NoCatalog { registry, .. } => {
                Some(format!("name the repository, as in `{registry}/team/shop:*`, or log in as one who may list them"))
            }
            Self::NotFound { .. } => {
                Some("check the name; a private image looks missing to those who are not logged in".into())
            }
            Self::Connection { source, .. } if chain_has(source, "certificate") => {
                Some("give the registry's certificate authority with `--ca-file FILE` or `SSL_CERT_FILE`".into())
            }
            Self::Status { status, .. } if status.starts_with("429") => {
                Some("the registry limits how often it is asked; log in, or wait".into())
            }
            _ => None,
        }
    }
}

/// Whether a word occurs in an error or what caused it.
pub(super) fn chain_has(error: &dyn std::error::Error, word: &str) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.to_string().to_lowercase().contains(word) {
            return true;
        }
        next = error.source();
    }
    false
}
