//! The image configuration: what the image runs, how it was built, what its layers unpack to.
//!
//! Source: OCI image specification 1.1, `config.md`; Docker's images have the same shape.

use std::collections::BTreeMap;

use model::artifact::{Artifact, ArtifactKind, HistoryStep, ImageConfig};
use model::digest::Digest;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::blob::{LayerBlob, Stored};
use super::document::{Descriptor, LAYERS_MAX, or_default, printable};
use super::error::SourceError;
use super::platform::Platform;

/// The image configuration.
#[derive(Deserialize)]
pub(super) struct Config {
    #[serde(default, deserialize_with = "or_default")]
    os: String,
    #[serde(default, deserialize_with = "or_default")]
    architecture: String,
    variant: Option<String>,
    created: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    config: RunConfig,
    #[serde(default, deserialize_with = "or_default")]
    rootfs: RootFs,
    #[serde(default, deserialize_with = "or_default")]
    history: Vec<History>,
}

#[derive(Deserialize, Default)]
struct RootFs {
    #[serde(default, deserialize_with = "or_default")]
    diff_ids: Vec<Digest>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct RunConfig {
    user: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    entrypoint: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    cmd: Vec<String>,
    working_dir: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    exposed_ports: BTreeMap<String, IgnoredAny>,
    #[serde(default, deserialize_with = "or_default")]
    volumes: BTreeMap<String, IgnoredAny>,
    #[serde(default, deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct History {
    created: Option<String>,
    created_by: Option<String>,
    comment: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    empty_layer: bool,
}

impl Config {
    /// The image that this configuration and these stored layers make.
    pub(super) fn image(
        self,
        place: &str,
        id: Digest,
        blobs: Vec<(Option<Descriptor>, Stored)>,
        wanted: Option<&Platform>,
    ) -> Result<(Artifact, Vec<LayerBlob>), SourceError> {
        let (named, stored) = (self.rootfs.diff_ids.len(), blobs.len());
        let malformed =
            |detail| SourceError::Malformed { place: place.into(), what: "the configuration".into(), detail };
        if named > LAYERS_MAX {
            return Err(malformed(format!("it names more than {LAYERS_MAX} layers")));
        }
        if named != stored {
            return Err(malformed(format!("it names {named} layers, and {stored} are there")));
        }
        let platform = self.platform();
        if let Some(wanted) = wanted
            && !platform.as_ref().is_some_and(|platform| wanted.accepts_configuration(platform))
        {
            let found = platform.as_ref().map_or("an unnamed platform".into(), |found| printable(&found.to_string()));
            return Err(SourceError::NoPlatform {
                place: place.into(),
                wanted: wanted.to_string(),
                available: vec![found],
            });
        }
        let steps = layer_steps(&self.history, stored);
        let layers = self.rootfs.diff_ids.into_iter().zip(blobs).zip(steps).enumerate();
        let layers = layers.map(|(index, ((diff_id, (descriptor, stored)), created_by))| LayerBlob {
            index: index as u32,
            expected_diff_id: diff_id,
            size: Some(stored.size()),
            compression: stored.compression(),
            expected_digest: descriptor.as_ref().map(|descriptor| descriptor.digest.clone()),
            media_type: descriptor.map(|descriptor| descriptor.media_type),
            created_by,
            stored,
        });
        let layers = layers.collect();
        let mut artifact = Artifact::new("", ArtifactKind::Image);
        artifact.image_id = Some(id);
        artifact.platform = platform.map(|platform| platform.to_string());
        artifact.history = self.history.into_iter().map(HistoryStep::from).collect();
        artifact.config = self.config.into_model(self.created);
        Ok((artifact, layers))
    }

    fn platform(&self) -> Option<Platform> {
        if self.os.is_empty() || self.architecture.is_empty() {
            return None;
        }
        let variant = self.variant.clone().filter(|variant| !variant.is_empty());
        Some(Platform { os: self.os.clone(), architecture: self.architecture.clone(), variant })
    }
}

/// The command of the step that made each layer; none for all of them when the history does not fit the layers.
fn layer_steps(history: &[History], layers: usize) -> Vec<Option<String>> {
    let steps: Vec<_> = history.iter().filter(|step| !step.empty_layer).map(|step| step.created_by.clone()).collect();
    if steps.len() == layers { steps } else { vec![None; layers] }
}

impl From<History> for HistoryStep {
    fn from(step: History) -> Self {
        let History { created, created_by, comment, empty_layer } = step;
        Self { created, created_by, comment, empty_layer }
    }
}

impl RunConfig {
    fn into_model(self, created: Option<String>) -> ImageConfig {
        ImageConfig {
            user: self.user.filter(|user| !user.is_empty()),
            entrypoint: self.entrypoint,
            cmd: self.cmd,
            working_dir: self.working_dir.filter(|dir| !dir.is_empty()),
            exposed_ports: self.exposed_ports.into_keys().collect(),
            volumes: self.volumes.into_keys().collect(),
            labels: self.labels,
            created,
        }
    }
}

/// What a container runs, which engines describe in the configuration's words. Nothing where they do not.
pub(crate) fn run_config(described: serde_json::Value) -> ImageConfig {
    serde_json::from_value::<RunConfig>(described).unwrap_or_default().into_model(None)
}

#[cfg(test)]
mod tests {
    use super::super::document::json;
    use super::*;

    #[test]
    fn go_writes_null_for_nothing() {
        let text = r#"{"os":"linux","architecture":"arm64","variant":null,"config":{"Entrypoint":null,"Cmd":null,
            "Labels":null,"ExposedPorts":null,"Volumes":{"/v":{}},"User":""},"rootfs":{"type":"layers","diff_ids":null},
            "history":null}"#;
        let config: Config = json("x", "config", text.as_bytes()).unwrap();
        let (artifact, layers) = config.image("x", Digest::from_bytes([0; 32]), vec![], None).unwrap();
        assert_eq!((artifact.platform.as_deref(), layers.len()), (Some("linux/arm64"), 0));
        assert_eq!((artifact.config.user, artifact.config.volumes), (None, vec!["/v".to_owned()]));
    }
}
