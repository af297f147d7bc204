//! Registered base images: the server is the authority; scans fetch its list, and what was claimed without it is put right here.

use model::artifact::{Artifact, BaseEvidence};
use model::base::{Bases, KnownBase};
use model::digest::Digest;
use store::Write;

use crate::ServerError;
use crate::claim::{hex_digest, read_kept};
use crate::documents::{Documents, Files};
use crate::judge::Summary;
use crate::portfolio::{Portfolio, Turn};
use crate::problem::Problem;

/// How many images are looked at at a time.
const AT_A_TIME: usize = 500;

/// The file that the list is kept in among the documents.
const FILE: &str = "bases.json";

/// Digest over the diff ids of a chain of layers, bottom first.
fn chain(diff_ids: &[Digest]) -> String {
    diff_ids.iter().fold(String::new(), |below, diff_id| longer_chain(&below, &diff_id.to_string()))
}

/// Digest over a chain that goes on with a layer, from the digest over what is below it.
pub(crate) fn longer_chain(below: &str, diff_id: &str) -> String {
    hex_digest(format!("{below} {diff_id}").as_bytes())
}

/// Puts the base right that an artifact says it has: a registered chain is surer than what its builder wrote.
pub(crate) fn recognise(bases: &Bases, artifact: &mut Artifact) {
    let diff_ids: Vec<Digest> = artifact.layers.iter().map(|layer| layer.diff_id.clone()).collect();
    let found = bases.recognise(artifact, &diff_ids).filter(|base| base.recognised_by == BaseEvidence::DiffIds);
    let known = artifact.base.as_ref().and_then(|base| base.layer_count).unwrap_or(0);
    if let Some(found) = found.filter(|found| found.layer_count.unwrap_or(0) >= known) {
        artifact.base = Some(found);
    }
}

impl Portfolio {
    /// Registers an image that is known here as a base; how many images stand on it.
    pub async fn add_base(&self, name: &str, image: &str, actor: &str) -> Result<u64, Problem> {
        let digest = self.store.tagged(image, i64::MAX).await?.unwrap_or_else(|| image.to_owned());
        let page = store::Page { at: i64::MAX, scope: "", after: "", count: 1 };
        let found = self.store.find_image(page, &digest).await?.ok_or_else(|| Problem::missing("such image"))?;
        let summary = Summary::read(&self.store.summary(found.id).await?)?;
        let diff_ids: Vec<Digest> = summary.artifact.layers.iter().map(|layer| layer.diff_id.clone()).collect();
        if diff_ids.is_empty() || name.is_empty() {
            return Err(Problem::bad(
                "no base",
                "it has no layers, so nothing can be built on it; or no name was given",
            ));
        }
        let base = KnownBase { name: name.to_owned(), digest: summary.artifact.manifest_digest, diff_ids };
        let change = |files: Files| {
            let mut bases: Bases = match files.first() {
                Some((_, text)) => serde_json::from_str(text)
                    .map_err(|source| ServerError::Stored { what: "list of base images", source })?,
                None => Bases::default(),
            };
            bases.add(base);
            Ok(vec![(FILE.to_owned(), serde_json::to_string(&bases).unwrap_or_default())])
        };
        self.change_document("bases", change, actor).await
    }

    /// Looks again at the images that begin with a chain which was registered or is no longer; those whose base is another by it fall
    /// behind.
    pub(crate) async fn rebase(&self, turn: &Turn<'_>, write: &mut Write, old: &Documents) -> Result<u64, ServerError> {
        let (old, new) = (&old.bases.bases, &turn.writer.documents.bases.bases);
        let gone = old.iter().filter(|base| !new.contains(base));
        let come = new.iter().filter(|base| !old.contains(base));
        let mut images = std::collections::BTreeSet::new();
        for base in gone.chain(come) {
            images.extend(self.store.images_with_chain(&chain(&base.diff_ids)).await?);
        }
        let images: Vec<u32> = images.into_iter().collect();
        let mut behind = Vec::new();
        for ids in images.chunks(AT_A_TIME) {
            for image in write.images(ids).await? {
                let mut summary = Summary::read(&image.summary)?;
                let before = summary.artifact.base.take();
                summary.artifact.base = match &before {
                    // What its builder said counts again where nothing is registered any more.
                    Some(base) if base.recognised_by == BaseEvidence::DiffIds => {
                        let kept = self.store.inventory(&image.digest).await?.and_then(|bytes| read_kept(&bytes));
                        kept.and_then(|kept| kept.artifact.base)
                    }
                    said => said.clone(),
                };
                recognise(&turn.writer.documents.bases, &mut summary.artifact);
                let base = summary.artifact.base.clone();
                if base != before {
                    let name = base.as_ref().map(|base| base.name.as_str()).unwrap_or_default();
                    let digest = base.as_ref().and_then(|base| base.digest.as_ref()).map(ToString::to_string);
                    let text = serde_json::to_string(&summary).unwrap_or_default();
                    write.rebase(image.id, name, &digest.unwrap_or_default(), &text).await?;
                    behind.push(image.id);
                }
            }
        }
        write.fall_behind(&behind, "bases").await?;
        Ok(behind.len() as u64)
    }
}
