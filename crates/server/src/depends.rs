//! Which images depend on what changed between two states of the documents.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use store::{ImageRow, Write};

use crate::ServerError;
use crate::documents::{Documents, reported};
use crate::judge::Summary;
use crate::portfolio::{Portfolio, Turn};
use crate::workloads::Workload;

/// How many images are looked at at a time.
const AT_A_TIME: usize = 1_000;

impl Portfolio {
    /// Lets the images fall behind that depend on what changed of a document; how many.
    pub(crate) async fn fall_behind_of(
        &self,
        turn: &Turn<'_>,
        write: &mut Write,
        name: &str,
        old: &Documents,
    ) -> Result<u64, ServerError> {
        let images = match name {
            // Asked when a score changes, and then as they are.
            "thresholds" => Some(BTreeSet::new()),
            "exceptions" => excepted(turn, old),
            "catalog" | "owner-rules" => Some(self.standing_otherwise(turn, write, old).await?),
            // Every image is judged by the policies.
            _ => None,
        };
        let Some(images) = images else { return Ok(write.all_fall_behind(name).await?) };
        let images: Vec<u32> = images.into_iter().collect();
        write.fall_behind(&images, name).await?;
        Ok(images.len() as u64)
    }

    /// The images that are somebody else's by now, or in another place, or one of whose layers is.
    async fn standing_otherwise(
        &self,
        turn: &Turn<'_>,
        write: &mut Write,
        old: &Documents,
    ) -> Result<BTreeSet<u32>, ServerError> {
        let new = &turn.writer.documents;
        let mut found = BTreeSet::new();
        let all: Vec<u32> = turn.writer.memory.postings.all_images().iter().collect();
        for ids in all.chunks(AT_A_TIME) {
            let images = write.images(ids).await?;
            let digests: Vec<&str> = images.iter().map(|image| image.digest.as_str()).collect();
            let mut running: BTreeMap<String, Vec<(String, Workload)>> = BTreeMap::new();
            for row in write.running_images(&digests).await? {
                running.entry(row.image_digest.clone()).or_default().extend(reported(&[row]));
            }
            let stands_otherwise = |image: &ImageRow| -> Result<Option<u32>, ServerError> {
                let summary = Summary::read(&image.summary)?;
                let running = running.get(&image.digest).map_or(&[][..], Vec::as_slice);
                let stands = |documents: &Documents| documents.standing(&summary.artifact, &image.name, running);
                Ok((stands(old) != stands(new)).then_some(image.id))
            };
            let otherwise: Vec<Option<u32>> = images.par_iter().map(stands_otherwise).collect::<Result<_, _>>()?;
            found.extend(otherwise.into_iter().flatten());
        }
        Ok(found)
    }
}

/// The images that have a vulnerability whose exceptions changed; none where one of those exceptions is not about vulnerabilities.
fn excepted(turn: &Turn<'_>, old: &Documents) -> Option<BTreeSet<u32>> {
    let (old, new) = (&old.exceptions.exceptions, &turn.writer.documents.exceptions.exceptions);
    let gone = old.iter().filter(|exception| !new.contains(exception));
    let come = new.iter().filter(|exception| !old.contains(exception));
    let mut packages = BTreeSet::new();
    for exception in gone.chain(come) {
        if exception.scope.vulnerabilities.is_empty() {
            return None;
        }
        let ids = &exception.scope.vulnerabilities;
        packages.extend(ids.iter().flat_map(|id| turn.writer.memory.packages_with(id)));
    }
    Some(turn.writer.memory.postings.images_with(packages).iter().collect())
}
