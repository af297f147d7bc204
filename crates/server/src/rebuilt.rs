//! What a base image that was built anew would mend in the images that stand on the one before.

use std::collections::{BTreeMap, BTreeSet};

use portfolio::change::Change;
use store::{ImageRow, StoredChange, Write};

use crate::ServerError;
use crate::memory::Memory;
use crate::portfolio::{Portfolio, Turn};
use crate::tell::stored;

/// How many images are looked at at a time.
const AT_A_TIME: usize = 500;

impl Portfolio {
    /// A name that stood for one image stands for another: each image built on the first is told what the second mends of it.
    pub(crate) async fn base_fixed(
        &self,
        turn: &Turn<'_>,
        write: &mut Write,
        name: &str,
        (from, to): (&ImageRow, &ImageRow),
    ) -> Result<Vec<StoredChange>, ServerError> {
        let memory = &turn.writer.memory;
        let sets = write.sets_of(&[from.id, to.id]).await?;
        let of = |id: u32| vulnerabilities(memory, sets.iter().filter(|(image, _, _)| *image == id).map(|row| row.2));
        let now = of(to.id);
        let gone: BTreeSet<&str> = of(from.id).difference(&now).copied().collect();
        if gone.is_empty() {
            return Ok(Vec::new());
        }
        let mut changes = Vec::new();
        let on_it = self.store.images_on(name, &from.digest, &to.digest).await?;
        for ids in on_it.chunks(AT_A_TIME) {
            let mut sets: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
            for (image, _, set) in write.sets_of(ids).await? {
                sets.entry(image).or_default().push(set);
            }
            for image in write.images(ids).await? {
                let own = vulnerabilities(memory, sets.remove(&image.id).into_iter().flatten());
                let fixed: Vec<String> = gone.intersection(&own).map(|id| (*id).to_owned()).collect();
                if fixed.is_empty() {
                    continue;
                }
                let change = Change::BaseFixed {
                    image: image.digest.clone(),
                    name: image.name.clone(),
                    base: name.to_owned(),
                    from: from.digest.clone(),
                    to: to.digest.clone(),
                    fixed,
                };
                changes.push(stored(image.id, &image.state.owner, &change));
            }
        }
        Ok(changes)
    }
}

fn vulnerabilities(memory: &Memory, sets: impl Iterator<Item = u32>) -> BTreeSet<&str> {
    let packages = sets.flat_map(|set| memory.members(set));
    packages.flat_map(|package| memory.findings(*package)).map(|finding| finding.id.as_str()).collect()
}
