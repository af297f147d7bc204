//! Known base images: names for chains of layer digests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::artifact::{Artifact, BaseEvidence, BaseImage};
use crate::digest::Digest;

/// A base image somebody registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KnownBase {
    /// What people call it.
    pub name: String,
    /// Its manifest digest, where it has one.
    #[serde(default)]
    pub digest: Option<Digest>,
    /// The diff ids of its layers, bottom first.
    pub diff_ids: Vec<Digest>,
}

/// The registered base images of a user, or of an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Bases {
    /// In the order they were added.
    pub bases: Vec<KnownBase>,
}

impl Bases {
    /// Adds a base, or replaces the one of the same name and chain.
    pub fn add(&mut self, base: KnownBase) {
        self.bases.retain(|known| known.name != base.name || known.diff_ids != base.diff_ids);
        self.bases.push(base);
    }

    /// The base an image is built on: the longest known chain that is a proper beginning of the image's, else what the
    /// image's own annotations or labels say.
    pub fn recognise(&self, artifact: &Artifact, diff_ids: &[Digest]) -> Option<BaseImage> {
        let beginning = |known: &&KnownBase| {
            !known.diff_ids.is_empty() && known.diff_ids.len() < diff_ids.len() && diff_ids.starts_with(&known.diff_ids)
        };
        let longest = self.bases.iter().filter(beginning).max_by_key(|known| known.diff_ids.len());
        longest
            .map(|known| BaseImage {
                name: known.name.clone(),
                digest: known.digest.clone(),
                layer_count: Some(known.diff_ids.len() as u32),
                recognised_by: BaseEvidence::DiffIds,
            })
            .or_else(|| self.annotated(artifact))
    }

    /// Source: OCI image specification, "Pre-Defined Annotation Keys". Builders put the same keys into labels.
    fn annotated(&self, artifact: &Artifact) -> Option<BaseImage> {
        let stated = |key: &str| {
            artifact.annotations.get(key).or_else(|| artifact.config.labels.get(key)).filter(|value| !value.is_empty())
        };
        let name = stated("org.opencontainers.image.base.name")?;
        let digest = stated("org.opencontainers.image.base.digest").and_then(|digest| Digest::parse(digest).ok());
        let known = self.bases.iter().find(|known| digest.is_some() && known.digest == digest);
        Some(BaseImage {
            name: name.clone(),
            layer_count: known.map(|known| known.diff_ids.len() as u32),
            digest,
            recognised_by: BaseEvidence::Annotation,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::ArtifactKind;

    fn digests(numbers: &[u8]) -> Vec<Digest> {
        numbers.iter().map(|&number| Digest::from_bytes([number; 32])).collect()
    }

    fn base(name: &str, numbers: &[u8]) -> KnownBase {
        KnownBase { name: name.into(), digest: None, diff_ids: digests(numbers) }
    }

    #[test]
    fn the_longest_chain_that_is_a_proper_beginning_wins() {
        let bases = Bases { bases: vec![base("debian", &[1]), base("python", &[1, 2]), base("other", &[9])] };
        let image = Artifact::new("shop", ArtifactKind::Image);
        let found =
            |numbers: &[u8]| bases.recognise(&image, &digests(numbers)).map(|base| (base.name, base.layer_count));
        assert_eq!(found(&[1, 2, 3]), Some(("python".into(), Some(2))));
        assert_eq!(found(&[1, 3, 2]), Some(("debian".into(), Some(1))));
        assert_eq!(found(&[1, 2]), Some(("debian".into(), Some(1))), "an image is not its own base");
        assert_eq!(found(&[2, 1]), None);
    }

    #[test]
    fn annotations_name_a_base_that_is_not_registered() {
        let mut image = Artifact::new("shop", ArtifactKind::Image);
        image.config.labels.insert("org.opencontainers.image.base.name".into(), "registry.example/base:1".into());
        let found = Bases::default().recognise(&image, &digests(&[1, 2])).expect("annotated");
        assert_eq!((found.name.as_str(), found.layer_count), ("registry.example/base:1", None));
    }
}
