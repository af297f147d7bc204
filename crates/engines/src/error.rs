//! Why an engine did not give what was asked for.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use crate::EngineKind;

/// Why an engine did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no socket at any of the usual places.
    #[error("no socket of {engine} is here")]
    NoSocket {
        /// The engine.
        engine: EngineKind,
        /// Where it could have been.
        looked_at: Vec<PathBuf>,
    },
    /// A variable points to something else than a unix socket of this machine.
    #[error("`{variable}` is `{value}`, and {engine} is only asked through a unix socket of this machine")]
    Address {
        /// The engine.
        engine: EngineKind,
        /// The variable.
        variable: &'static str,
        /// What it says.
        value: String,
    },
    /// A connection could not be had, or broke.
    #[error("could not talk to {engine} at `{socket}`")]
    Connection {
        /// The engine.
        engine: EngineKind,
        /// Its socket.
        socket: PathBuf,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The engine was silent for too long.
    #[error("{engine} at `{socket}` sent nothing for {secs} seconds")]
    Stalled {
        /// The engine.
        engine: EngineKind,
        /// Its socket.
        socket: PathBuf,
        /// How long it was waited for.
        secs: u64,
    },
    /// It does not have it.
    #[error("{engine} does not have {what}")]
    NotFound {
        /// The engine.
        engine: EngineKind,
        /// What was asked for.
        what: String,
    },
    /// It is another sort of engine.
    #[error("{engine} is not asked for {what}")]
    NotAsked {
        /// The engine.
        engine: EngineKind,
        /// What was wanted.
        what: String,
    },
    /// It knows the image and has thrown a part of it away.
    #[error("{engine} does not keep {what}")]
    NoContent {
        /// The engine.
        engine: EngineKind,
        /// What was asked for.
        what: String,
    },
    /// Any other answer than success.
    #[error("{engine} answered {status} to the request for {what}{}", said(message))]
    Status {
        /// The engine.
        engine: EngineKind,
        /// The status, as HTTP or gRPC counts.
        status: String,
        /// What was asked for.
        what: String,
        /// What the engine said, shortened; may be empty.
        message: String,
    },
    /// The answer is longer than such answers are.
    #[error("{engine} sends more than {limit} bytes for {what}")]
    TooLarge {
        /// The engine.
        engine: EngineKind,
        /// What was asked for.
        what: String,
        /// The bound.
        limit: u64,
    },
    /// The answer is not what the API promises.
    #[error("what {engine} sends for {what} is malformed: {detail}")]
    Malformed {
        /// The engine.
        engine: EngineKind,
        /// What was asked for.
        what: String,
        /// What is wrong.
        detail: String,
    },
    /// The answer could not be read to its end.
    #[error("could not read {what} from {engine}")]
    Body {
        /// The engine.
        engine: EngineKind,
        /// What was asked for.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl EngineError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSocket { engine, looked_at } => {
                let places: Vec<String> = looked_at.iter().map(|path| format!("`{}`", path.display())).collect();
                let start = match engine {
                    EngineKind::Docker => "start Docker, or name its socket in `DOCKER_HOST`",
                    EngineKind::Podman => "start `podman system service`, or name its socket in `CONTAINER_HOST`",
                    EngineKind::Containerd => "start containerd, or name its socket in `CONTAINERD_ADDRESS`",
                };
                Some(format!("{start}; looked at {}", places.join(", ")))
            }
            Self::Address { .. } => Some("write `unix:///PATH/OF/SOCKET`, or save the image and scan the file".into()),
            Self::Connection { .. } => match self.refused_by()? {
                io::ErrorKind::PermissionDenied => {
                    Some("run as root, or as a member of the group that owns the socket".into())
                }
                _ => Some("the socket is there, but nobody listens: is the engine running?".into()),
            },
            Self::NotFound { engine, .. } => {
                let list = match engine {
                    EngineKind::Docker => "docker images",
                    EngineKind::Podman => "podman images",
                    EngineKind::Containerd => "ctr --namespace NAMESPACE images list",
                };
                let namespace = match engine {
                    EngineKind::Containerd => "; `CONTAINERD_NAMESPACE` names the only namespace to look in",
                    _ => "",
                };
                Some(format!("`{list}` lists what it has{namespace}"))
            }
            Self::NoContent { .. } => Some(
                "containerd drops layers once they are unpacked where `discard_unpacked_layers` is set, and other \
                 platforms than the machine's own; scan the image from its registry"
                    .into(),
            ),
            _ => None,
        }
    }

    /// Why the socket could not be connected to, when that is what failed.
    pub fn refused_by(&self) -> Option<io::ErrorKind> {
        let Self::Connection { source, .. } = self else { return None };
        let mut next: Option<&(dyn Error + 'static)> = Some(source);
        while let Some(error) = next {
            if let Some(io) = error.downcast_ref::<io::Error>() {
                return Some(io.kind());
            }
            next = error.source();
        }
        None
    }
}
