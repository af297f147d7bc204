//! Layers: what images stand on, what each brings, whose it is.

use std::collections::HashMap;

use futures_util::{Stream, StreamExt};
use sqlx::Row;

use crate::bulk::{ask, insert};
use crate::error::StoreError;
use crate::images::Ownership;
use crate::packages::number;
use crate::{Store, Write};

/// One layer of an image, or the place of what is in none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageLayer {
    /// Digest over the diff ids up to and with its own; empty where the packages are in no layer.
    pub chain: String,
    /// Its diff id.
    pub diff_id: String,
    /// The build step that made it.
    pub created_by: String,
    /// The set of packages that it brings.
    pub set: u32,
}

/// A layer of an image, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedLayer {
    /// The image's number.
    pub image: u32,
    /// The layer's number.
    pub layer: u32,
    /// Its diff id.
    pub diff_id: String,
    /// Its team, or empty.
    pub team: String,
    /// Why, as JSON, or empty.
    pub how: String,
}

impl Write {
    /// The numbers of layers, remembering those that are new; 0 for what is in no layer.
    pub(crate) async fn layers(&mut self, layers: &[ImageLayer]) -> Result<Vec<i64>, StoreError> {
        let chains: Vec<&str> =
            layers.iter().map(|layer| layer.chain.as_str()).filter(|chain| !chain.is_empty()).collect();
        let text = "SELECT chain, id FROM layer WHERE chain IN $$";
        let mut numbers = HashMap::from([(String::new(), 0)]);
        for row in ask(&mut self.tx, text, &[], &chains, |query, chain| query.bind((*chain).to_owned())).await? {
            numbers.insert(row.try_get(0)?, row.try_get(1)?);
        }
        let mut new = Vec::new();
        for layer in layers {
            if !numbers.contains_key(&layer.chain) {
                self.counters.layer += 1;
                numbers.insert(layer.chain.clone(), self.counters.layer);
                new.push((self.counters.layer, layer));
            }
        }
        let head = "INSERT INTO layer (id, chain, diff_id, created_by)";
        insert(&mut self.tx, head, 4, "", &new, |query, (id, layer)| {
            query.bind(*id).bind(layer.chain.clone()).bind(layer.diff_id.clone()).bind(layer.created_by.clone())
        })
        .await?;
        Ok(layers.iter().filter_map(|layer| numbers.get(&layer.chain).copied()).collect())
    }

    /// The sets of images: `(image, position, set)`.
    pub async fn sets_of(&mut self, ids: &[u32]) -> Result<Vec<(u32, u32, u32)>, StoreError> {
        let text =
            "SELECT image_id, position, set_id FROM image_layer WHERE image_id IN $$ ORDER BY image_id, position";
        let rows = ask(&mut self.tx, text, &[], ids, |query, id| query.bind(i64::from(*id))).await?;
        rows.iter().map(|row| Ok((number(row.try_get(0)?), number(row.try_get(1)?), number(row.try_get(2)?)))).collect()
    }

    /// The layers of images, by image.
    pub async fn layers_of(&mut self, images: &[u32]) -> Result<Vec<OwnedLayer>, StoreError> {
        let text = "SELECT DISTINCT image_layer.image_id, layer.id, layer.diff_id, COALESCE(ownership.team, ''),
                      COALESCE(ownership.how, '') FROM image_layer
                    JOIN layer ON layer.id = image_layer.layer_id
                    LEFT JOIN ownership ON ownership.subject = 'layer:' || CAST(layer.id AS TEXT) AND ownership.until_at IS NULL
                    WHERE image_layer.image_id IN $$ ORDER BY image_layer.image_id, layer.id";
        let rows = ask(&mut self.tx, text, &[], images, |query, id| query.bind(i64::from(*id))).await?;
        rows.iter()
            .map(|row| {
                Ok(OwnedLayer {
                    image: number(row.try_get(0)?),
                    layer: number(row.try_get(1)?),
                    diff_id: row.try_get(2)?,
                    team: row.try_get(3)?,
                    how: row.try_get(4)?,
                })
            })
            .collect()
    }

    /// From now on images (`image:N`) or layers (`layer:N`) are somebody's. True with those that were nobody's before, ever.
    pub async fn own(&mut self, owned: &[(String, &Ownership, bool)]) -> Result<(), StoreError> {
        let at = self.at;
        let text = "UPDATE ownership SET until_at = $1 WHERE until_at IS NULL AND subject IN $$";
        let before: Vec<&str> =
            owned.iter().filter(|(_, _, is_first)| !is_first).map(|(subject, _, _)| subject.as_str()).collect();
        ask(&mut self.tx, text, &[at], &before, |query, subject| query.bind((*subject).to_owned())).await?;
        let head = "INSERT INTO ownership (subject, since_at, team, system, component, how)";
        insert(&mut self.tx, head, 6, "", owned, |query, (subject, owner, _)| {
            query
                .bind(subject.clone())
                .bind(at)
                .bind(owner.team.clone())
                .bind(owner.system.clone())
                .bind(owner.component.clone())
                .bind(owner.how.clone())
        })
        .await
    }
}

impl Store {
    /// The images that begin with a chain of layers and go on after it.
    pub async fn images_with_chain(&self, chain: &str) -> Result<Vec<u32>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT on_it.image_id FROM layer JOIN image_layer AS on_it ON on_it.layer_id = layer.id
               JOIN image_layer AS above ON above.image_id = on_it.image_id AND above.position > on_it.position
                 AND above.layer_id > 0
             WHERE layer.chain = $1",
        )
        .bind(chain)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok(number(row.try_get(0)?))).collect()
    }

    /// What images above a number are made of: `(image, set)`, sorted by image.
    pub fn image_sets_after(&self, image: u32) -> impl Stream<Item = Result<(u32, u32), StoreError>> + '_ {
        let rows = sqlx::query("SELECT image_id, set_id FROM image_layer WHERE image_id > $1 ORDER BY image_id")
            .bind(i64::from(image))
            .fetch(&self.pool);
        rows.map(|row| {
            let row = row?;
            Ok((number(row.try_get(0)?), number(row.try_get(1)?)))
        })
    }
}
