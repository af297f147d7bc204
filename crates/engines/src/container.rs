//! An engine's containers.
//!
//! Source: Docker Engine API 1.41 and later, "Inspect a container"; Podman's libpod API 4.0 and later, which has the same
//! under other paths.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::digest::Digest;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::error::EngineError;
use crate::http::{Engine, printable};
use crate::image::{digest, or_default};

/// A container, running or not, as its engine describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineContainer {
    /// Its id, 64 hex digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The id of the image it was made from.
    pub image: Option<Digest>,
    /// What that image was called then.
    pub image_name: String,
    /// `running`, `exited`, `paused`, …
    pub state: String,
    /// The process that stands for it, while it runs.
    pub pid: Option<u32>,
    /// The directories it consists of; none where the engine does not keep it in overlays.
    pub overlay: Option<Overlay>,
    /// What is mounted over its files.
    pub mounts: Vec<Mount>,
    /// What it runs and how, in the image configuration's words.
    pub config: Value,
}

/// The directories that the kernel shows as one tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// What it was made from, bottom first: the image's layers, and what the engine itself puts on top.
    pub lower: Vec<PathBuf>,
    /// What the container wrote.
    pub upper: PathBuf,
}

/// Something that is mounted over a container's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where, as an absolute path in the container.
    pub destination: String,
    /// `bind`, `volume`, `tmpfs`, …
    pub kind: String,
    /// The volume's name, or the path on the host; empty for what lives in memory.
    pub source: String,
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
    #[serde(default)]
    config: Value,
    #[serde(default, deserialize_with = "or_default")]
    state: State,
    #[serde(default, deserialize_with = "or_default")]
    graph_driver: GraphDriver,
    #[serde(default, deserialize_with = "or_default")]
    mounts: Vec<DescribedMount>,
    #[serde(default, deserialize_with = "or_default")]
    host_config: HostConfig,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct State {
    #[serde(default, deserialize_with = "or_default")]
    status: String,
    #[serde(default, deserialize_with = "or_default")]
    pid: u32,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct GraphDriver {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    data: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedMount {
    #[serde(default, deserialize_with = "or_default", rename = "Type")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    source: String,
    #[serde(default, deserialize_with = "or_default")]
    destination: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct HostConfig {
    #[serde(default, deserialize_with = "or_default")]
    tmpfs: BTreeMap<String, IgnoredAny>,
}

impl Engine {
    /// Looks a container up by name, id or the beginning of an id.
    pub fn container(&self, name: &str) -> Result<EngineContainer, EngineError> {
        let what = format!("the container `{}`", printable(name));
        let described: Described = self.document(&format!("{}/containers/{name}/json", self.base()), &what)?;
        if digest(&described.id).is_none() {
            return Err(self.malformed(&what, &format!("`{}` is no container id", described.id)));
        }
        let image_name = match described.image_name.as_str() {
            "" => described.config.get("Image").and_then(Value::as_str).unwrap_or_default(),
            podmans => podmans,
        };
        Ok(EngineContainer {
            image_name: printable(image_name),
            name: printable(described.name.trim_start_matches('/')),
            image: digest(&described.image),
            state: printable(&described.state.status),
            pid: Some(described.state.pid).filter(|pid| *pid != 0),
            overlay: described.graph_driver.overlay(),
            mounts: mounts(described.mounts, described.host_config),
            config: described.config,
            id: described.id,
        })
    }
}

impl GraphDriver {
    /// Source: Docker's "overlay2" and Podman's "overlay" storage drivers. Lower directories are listed top first.
    fn overlay(&self) -> Option<Overlay> {
        let text = |key: &str| self.data.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        if !self.name.starts_with("overlay") {
            return None;
        }
        let lower: Vec<PathBuf> = text("LowerDir").unwrap_or_default().rsplit(':').map(PathBuf::from).collect();
        let upper = PathBuf::from(text("UpperDir")?);
        let absolute = upper.is_absolute() && lower.iter().all(|path| path.is_absolute());
        absolute.then_some(Overlay { lower, upper })
    }
}

pub(crate) fn understands(bytes: &[u8]) -> bool {
    let understood = serde_json::from_slice::<Described>(bytes);
    understood.is_ok_and(|it| it.graph_driver.overlay().is_some() && !mounts(it.mounts, it.host_config).is_empty())
}

fn mounts(described: Vec<DescribedMount>, host: HostConfig) -> Vec<Mount> {
    let listed = described.into_iter().map(|mount| Mount {
        destination: printable(&mount.destination),
        kind: printable(&mount.kind),
        source: printable(if mount.name.is_empty() { &mount.source } else { &mount.name }),
    });
    let in_memory = host.tmpfs.into_keys().map(|destination| Mount {
        destination: printable(&destination),
        kind: "tmpfs".into(),
        source: String::new(),
    });
    let mut mounts: Vec<Mount> = listed.chain(in_memory).collect();
    mounts.sort_by(|a, b| a.destination.cmp(&b.destination));
    mounts.dedup_by(|a, b| a.destination == b.destination);
    mounts
}
