//! Container engines on this machine: what images and containers they have, and how to get at them.
//!
//! [`Engine`] asks one of them over its unix socket (`sockets` knows where): Docker and Podman by Docker's HTTP API,
//! containerd by gRPC. What an engine says is a stranger's word until it is checked: every answer has a bound, and whoever
//! reads an image checks its digests (`scan::source`).
//!
//! Who watches containers takes [`Engine::containers`], then [`Engine::events`] since the moment before.
//!
//! Everything is blocking, as in the rest of the pipeline. Nothing is ever changed in an engine.

mod sockets;
mod http;
mod body;
mod image;
mod container;
mod running;
mod events;
mod grpc;
mod containerd;
mod error;

pub use body::EngineBody;
pub use container::{EngineContainer, Mount, Overlay};
pub use containerd::{Content, ContentReader};
pub use error::EngineError;
pub use events::{ContainerAction, ContainerEvent, ContainerEvents};
pub use http::Engine;
pub use image::{EngineImage, ImageFormat};
pub use running::{PublishedPort, RunningContainer};

use std::fmt;

use serde::{Deserialize, Serialize};

/// The engines that can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EngineKind {
    /// Docker.
    Docker,
    /// Podman, with `podman system service` or its socket unit running.
    Podman,
    /// containerd, by itself or below Docker or Kubernetes.
    Containerd,
}

impl EngineKind {
    /// All of them, in the order in which they are asked for an image that is given without a source.
    pub const ALL: &[Self] = &[Self::Docker, Self::Podman, Self::Containerd];

    /// The word before the colon of a target.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Containerd => "containerd",
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.prefix())
    }
}

/// Whether some bytes are what an engine says about an image or a container, or a message of containerd's. For those who
/// try strange ones.
pub fn understands(bytes: &[u8]) -> bool {
    image::understands(bytes)
        || container::understands(bytes)
        || running::understands(bytes)
        || events::understands(bytes)
        || containerd::understands(bytes)
}
