//! Requests to one engine over its unix socket.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::StatusCode;
use reqwest::blocking::{Client, RequestBuilder, Response};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::EngineKind;
use crate::body::EngineBody;
use crate::error::EngineError;
use crate::sockets;

/// How long an engine may take for an answer that it has at hand. Docker answers within milliseconds, and within seconds on
/// a machine that is out of memory.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it may prepare an image before the first byte: Docker copies all layers to its own disk first.
const SAVE_PATIENCE: Duration = Duration::from_secs(600);

/// The longest description of an image or container. Real ones have a few dozen KiB, and labels can hold a bill of
/// materials.
const DOCUMENT_BYTES_MAX: u64 = 16 << 20;

/// How much of an error answer is read.
const MESSAGE_BYTES_MAX: u64 = 8 << 10;

/// How much of an error answer is shown.
const MESSAGE_CHARS_MAX: usize = 300;

/// What must not stand unescaped in the path of a request.
const IN_PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'\\');

/// One engine that can be asked. Nothing is sent before the first question.
#[derive(Debug)]
pub struct Engine {
    pub(crate) kind: EngineKind,
    socket: PathBuf,
    client: Client,
    patience: Duration,
}

impl Engine {
    /// The engine of this kind on this machine, where its socket is (see [`EngineError::NoSocket`]).
    pub fn find(kind: EngineKind) -> Result<Self, EngineError> {
        Ok(Self::at(kind, sockets::socket(kind, |name| std::env::var(name).ok())?))
    }

    /// The engine that listens at this socket.
    pub fn at(kind: EngineKind, socket: impl Into<PathBuf>) -> Self {
        let socket = socket.into();
        Self { kind, client: client(kind, socket.clone()), socket, patience: PATIENCE }
    }

    /// The same engine, given up when it is silent for this long. For questions that somebody else can answer.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Which engine it is.
    pub fn kind(&self) -> EngineKind {
        self.kind
    }

    /// The JSON document at a path.
    pub(crate) fn document<T: DeserializeOwned>(&self, path: &str, what: &str) -> Result<T, EngineError> {
        let body = EngineBody::new(self.get(path, "", what, self.patience)?);
        let (engine, what) = (self.kind, what.to_owned());
        match body.read_whole(DOCUMENT_BYTES_MAX) {
            Ok(Some(bytes)) => {
                serde_json::from_slice(&bytes).map_err(|error| self.malformed(&what, &error.to_string()))
            }
            Ok(None) => Err(EngineError::TooLarge { engine, what, limit: DOCUMENT_BYTES_MAX }),
            Err(source) => Err(EngineError::Body { engine, what, source }),
        }
    }

    /// The stream at a path, whose end the caller must look for.
    pub(crate) fn stream(&self, path: &str, query: &str, what: &str) -> Result<EngineBody, EngineError> {
        Ok(EngineBody::new(self.get(path, query, what, SAVE_PATIENCE)?))
    }

    /// The answer at a path that begins soon and then may be silent. Each time a read waits for too long it ends with
    /// [`std::io::ErrorKind::TimedOut`], and can be repeated.
    pub(crate) fn watch(&self, path: &str, query: &str, what: &str) -> Result<Response, EngineError> {
        // Without a bound of the request's own, which would be for all of the answer, the client's is for each wait.
        self.sent(self.client.get(format!("http://localhost{path}{query}")), what, PATIENCE)
    }

    fn get(&self, path: &str, query: &str, what: &str, patience: Duration) -> Result<Response, EngineError> {
        // A name such as `../version` would ask another question than the one that was meant.
        if path.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(EngineError::NotFound { engine: self.kind, what: what.into() });
        }
        // The host is only there because HTTP wants one.
        let url = format!("http://localhost{}{query}", utf8_percent_encode(path, IN_PATH));
        self.sent(self.client.get(url).timeout(patience), what, patience)
    }

    /// Sends one gRPC request. Only an answer of HTTP's success is `Ok`; gRPC has a status of its own.
    pub(crate) fn post(
        &self,
        method: &str,
        namespace: &str,
        message: Vec<u8>,
        what: &str,
    ) -> Result<Response, EngineError> {
        let request = self.client.post(format!("http://localhost/{method}")).body(message);
        let request = request.header("content-type", "application/grpc").header("te", "trailers");
        let request = request.header("containerd-namespace", namespace).timeout(self.patience);
        self.sent(request, what, self.patience)
    }

    /// Sends a request that gives up after `patience`.
    fn sent(&self, request: RequestBuilder, what: &str, patience: Duration) -> Result<Response, EngineError> {
        let (engine, what) = (self.kind, what.to_owned());
        let response = request.send().map_err(|error| match error.is_timeout() {
            true => EngineError::Stalled { engine, socket: self.socket.clone(), secs: patience.as_secs() },
            false => EngineError::Connection { engine, socket: self.socket.clone(), source: error.without_url() },
        })?;
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::NOT_FOUND => Err(EngineError::NotFound { engine, what }),
            status => {
                let status = status.as_u16().to_string();
                Err(EngineError::Status { engine, status, what, message: message(response) })
            }
        }
    }

    pub(crate) fn malformed(&self, what: &str, detail: &str) -> EngineError {
        EngineError::Malformed { engine: self.kind, what: what.into(), detail: printable(detail) }
    }
}

/// A client for one socket: no proxies, no redirects, and TLS only because the library wants to be told which.
fn client(kind: EngineKind, socket: PathBuf) -> Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows the default versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let builder = Client::builder();
    // gRPC is spoken over HTTP/2 from the first byte; the others speak HTTP/1.
    let builder = if kind == EngineKind::Containerd { builder.http2_prior_knowledge() } else { builder.http1_only() };
    builder
        .unix_socket(socket)
        .tls_backend_preconfigured(tls)
        .timeout(PATIENCE)
        .no_proxy()
        .user_agent(concat!("dogwatch/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("nothing of this depends on the machine")
}

/// What both engines write into an error answer.
fn message(response: Response) -> String {
    #[derive(Deserialize)]
    struct Said {
        message: String,
    }
    let bytes = EngineBody::new(response).read_whole(MESSAGE_BYTES_MAX).ok().flatten().unwrap_or_default();
    serde_json::from_slice(&bytes).map(|said: Said| printable(&said.message)).unwrap_or_default()
}

/// A text of a stranger's, fit for a message: no control characters, not long.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(MESSAGE_CHARS_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
