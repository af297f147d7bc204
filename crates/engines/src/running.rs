//! The containers that run, and what must be known to judge them.
//!
//! Source: Docker Engine API 1.41 and later, "List containers" and "Inspect a container" (`ImageManifestDescriptor` since
//! 1.48); Podman's libpod API 4.0 and later, which has the same under other paths.

use std::collections::{BTreeMap, HashMap};

use model::Timestamp;
use model::digest::Digest;
use serde::Deserialize;

use crate::EngineKind;
use crate::error::EngineError;
use crate::http::{Engine, printable};
use crate::image::{digest, or_default};

/// So many running containers are asked for; a machine is full with some hundreds.
const CONTAINERS_MAX: usize = 10_000;

/// A container that runs, as its engine describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningContainer {
    /// Its id, 64 hex digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What its image was called when it was made.
    pub image_name: String,
    /// The id of its image.
    pub image: Option<Digest>,
    /// The digest of the manifest of its image, where the engine kept it.
    pub manifest: Option<Digest>,
    /// `repository@sha256:…` for each registry that is known to have its image; none once the image was removed.
    pub repo_digests: Vec<String>,
    /// Its labels and its image's, as they are written.
    pub labels: BTreeMap<String, String>,
    /// Whether it has all rights of the machine.
    pub privileged: bool,
    /// `bridge`, `host`, `none`, `container:ID`, a network's name, …
    pub network: String,
    /// What the machine passes on to it.
    pub ports: Vec<PublishedPort>,
    /// When it was started last.
    pub started_at: Option<Timestamp>,
}

/// A port of the machine that leads into a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublishedPort {
    /// The machine's address; `0.0.0.0` and `::` stand for all of them.
    pub host_address: String,
    /// The machine's port.
    pub host_port: u16,
    /// The container's port.
    pub port: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    image: String,
    /// Podman.
    #[serde(default, deserialize_with = "or_default")]
    image_name: String,
    /// Podman: of the manifest.
    #[serde(default, deserialize_with = "or_default")]
    image_digest: String,
    /// Docker, where it keeps its images in containerd.
    #[serde(default, deserialize_with = "or_default")]
    image_manifest_descriptor: Descriptor,
    #[serde(default, deserialize_with = "or_default")]
    config: Config,
    #[serde(default, deserialize_with = "or_default")]
    state: State,
    #[serde(default, deserialize_with = "or_default")]
    host_config: HostConfig,
    #[serde(default, deserialize_with = "or_default")]
    network_settings: NetworkSettings,
}

#[derive(Deserialize, Default)]
struct Descriptor {
    #[serde(default, deserialize_with = "or_default")]
    digest: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(default, deserialize_with = "or_default")]
    image: String,
    #[serde(default, deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct State {
    #[serde(default, deserialize_with = "or_default")]
    running: bool,
    /// Podman does not count a paused container as running.
    #[serde(default, deserialize_with = "or_default")]
    paused: bool,
    #[serde(default, deserialize_with = "or_default")]
    started_at: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    #[serde(default, deserialize_with = "or_default")]
    privileged: bool,
    #[serde(default, deserialize_with = "or_default")]
    network_mode: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    /// By `80/tcp`; `null` for a port that is not published.
    #[serde(default, deserialize_with = "or_default")]
    ports: BTreeMap<String, Option<Vec<Binding>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Binding {
    #[serde(default, deserialize_with = "or_default")]
    host_ip: String,
    #[serde(default, deserialize_with = "or_default")]
    host_port: String,
}

impl Engine {
    /// The containers that run, paused ones included. One that ends meanwhile may be left out.
    ///
    /// Docker and Podman only: containerd runs containers for others, who know more about them.
    pub fn containers(&self) -> Result<Vec<RunningContainer>, EngineError> {
        let what = "the running containers";
        self.docker_like(what)?;
        let listed: Vec<Listed> = self.document(&format!("{}/containers/json", self.base()), what)?;
        if listed.len() > CONTAINERS_MAX {
            return Err(self.malformed(what, &format!("there are more than {CONTAINERS_MAX}")));
        }
        let mut known = HashMap::new();
        let mut containers = Vec::new();
        for Listed { id } in listed {
            if digest(&id).is_none() {
                return Err(self.malformed(what, &format!("`{id}` is no container id")));
            }
            match self.described(&id, &mut known) {
                Ok(container) => containers.extend(container),
                Err(EngineError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(containers)
    }

    /// One container by name, id or the beginning of an id; none when it does not run.
    pub fn running(&self, name: &str) -> Result<Option<RunningContainer>, EngineError> {
        self.docker_like("a running container")?;
        self.described(name, &mut HashMap::new())
    }

    /// `known` has what the engine said of images, for the next container of one.
    fn described(
        &self,
        name: &str,
        known: &mut HashMap<Digest, Vec<String>>,
    ) -> Result<Option<RunningContainer>, EngineError> {
        let what = format!("the container `{}`", printable(name));
        let described: Described = self.document(&format!("{}/containers/{name}/json", self.base()), &what)?;
        if !described.state.running && !described.state.paused {
            return Ok(None);
        }
        let mut container = described.container().map_err(|detail| self.malformed(&what, &detail))?;
        if let Some(image) = &container.image {
            if !known.contains_key(image) {
                known.insert(image.clone(), self.repo_digests(image)?);
            }
            container.repo_digests = known.get(image).cloned().unwrap_or_default();
        }
        Ok(Some(container))
    }

    /// What registries call an image; nothing once it is removed, which does not stop its containers.
    fn repo_digests(&self, image: &Digest) -> Result<Vec<String>, EngineError> {
        let name = if self.kind() == EngineKind::Podman { image.hex() } else { image.to_string() };
        match self.image(&name) {
            Ok(image) => Ok(image.names.into_iter().filter(|name| name.contains('@')).collect()),
            Err(EngineError::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Refuses what only Docker's API and Podman's have.
    pub(crate) fn docker_like(&self, what: &str) -> Result<(), EngineError> {
        match self.kind() {
            EngineKind::Docker | EngineKind::Podman => Ok(()),
            EngineKind::Containerd => Err(EngineError::NotAsked { engine: self.kind(), what: what.into() }),
        }
    }
}

impl Described {
    fn container(self) -> Result<RunningContainer, String> {
        if digest(&self.id).is_none() {
            return Err(format!("`{}` is no container id", self.id));
        }
        let image_name = if self.image_name.is_empty() { &self.config.image } else { &self.image_name };
        let started_at = match self.state.started_at.as_str() {
            "" => None,
            text => Some(text.parse::<Timestamp>().map_err(|_| format!("`{text}` is no time"))?),
        };
        Ok(RunningContainer {
            name: printable(self.name.trim_start_matches('/')),
            image_name: printable(image_name),
            image: digest(&self.image),
            manifest: digest(&self.image_manifest_descriptor.digest).or_else(|| digest(&self.image_digest)),
            repo_digests: Vec::new(),
            labels: self.config.labels,
            privileged: self.host_config.privileged,
            network: printable(&self.host_config.network_mode),
            ports: published(self.network_settings.ports)?,
            // Go's zero time is in the year 1.
            started_at: started_at.filter(|at| *at > Timestamp::UNIX_EPOCH),
            id: self.id,
        })
    }
}

fn published(ports: BTreeMap<String, Option<Vec<Binding>>>) -> Result<Vec<PublishedPort>, String> {
    let mut published = Vec::new();
    for (inside, bindings) in ports {
        let (port, protocol) = inside.split_once('/').unwrap_or((&inside, "tcp"));
        for binding in bindings.unwrap_or_default() {
            let number = |text: &str| text.parse::<u16>().map_err(|_| format!("`{text}` is no port"));
            published.push(PublishedPort {
                host_address: printable(&binding.host_ip),
                host_port: number(&binding.host_port)?,
                port: number(port)?,
                protocol: printable(protocol),
            });
        }
    }
    published.sort();
    Ok(published)
}

pub(crate) fn understands(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Described>(bytes).is_ok_and(|described| described.container().is_ok())
}
