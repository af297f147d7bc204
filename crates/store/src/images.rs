//! Images: what they are made of, who claimed it, what they were judged.

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::bulk::{ask, insert};
use crate::error::StoreError;
use crate::layers::ImageLayer;
use crate::packages::number;
use crate::{Store, Write};

/// An image to remember.
#[derive(Debug, Clone, PartialEq)]
pub struct NewImage {
    /// What identifies it: the digest of its manifest, else of its configuration, else of its inventory.
    pub digest: String,
    /// The digest of its configuration, or empty.
    pub image_id: String,
    /// `image`, `sbom`, …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The base it is built on, or empty.
    pub base: String,
    /// The base's digest, or empty.
    pub base_digest: String,
    /// What judging needs, as JSON.
    pub summary: String,
    /// The whole claim, compressed.
    pub inventory: Vec<u8>,
    /// Digest over the inventory.
    pub inventory_digest: String,
    /// The program and version that made the inventory.
    pub cataloged_by: String,
    /// Where it was first seen: `build`, `registry`, `running`.
    pub first_stage: String,
    /// Bottom first.
    pub layers: Vec<ImageLayer>,
}

/// What is known of a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The image's number.
    pub id: u32,
    /// Digest over its inventory.
    pub inventory_digest: String,
    /// The program and version that made it.
    pub cataloged_by: String,
}

/// What judging needs of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageRow {
    /// Its number.
    pub id: u32,
    /// Its digest.
    pub digest: String,
    /// Its name.
    pub name: String,
    /// What judging needs, as JSON.
    pub summary: String,
    /// Its state as of the last judgement.
    pub state: ImageState,
    /// When it was judged.
    pub judged_at: i64,
    /// The base it is built on, or empty.
    pub base: String,
}

/// What an image was found to be.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ImageState {
    /// `passed`, `failed`, `unknown`; empty before the first judgement.
    pub outcome: String,
    /// Denied violations.
    pub violations: i64,
    /// All findings.
    pub findings: i64,
    /// Critical ones.
    pub critical: i64,
    /// High ones.
    pub high: i64,
    /// 0 to 100.
    pub risk: f64,
    /// What it was judged with: index, policy, catalog, as JSON.
    pub judged_with: String,
    /// Whose it is.
    pub owner: Ownership,
}

/// Whose an image or layer is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ownership {
    /// The team, or empty.
    pub team: String,
    /// The system, or empty.
    pub system: String,
    /// The component, or empty.
    pub component: String,
    /// Why, as JSON.
    pub how: String,
}

/// Who said what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRow {
    /// Digest of the uploaded document.
    pub digest: String,
    /// The image's number.
    pub image: u32,
    /// The token's name.
    pub claimed_by: String,
    /// When.
    pub claimed_at: i64,
    /// The program and version that made it.
    pub tool: String,
    /// Digest over the inventory.
    pub inventory_digest: String,
    /// The claimant's own verdict, or empty.
    pub outcome: String,
    /// When that was reached.
    pub outcome_at: i64,
}

impl NewImage {
    /// As it stands there, under its number, before it is judged for the first time.
    pub fn row(&self, id: u32) -> ImageRow {
        ImageRow {
            id,
            digest: self.digest.clone(),
            name: self.name.clone(),
            summary: self.summary.clone(),
            state: ImageState::default(),
            judged_at: 0,
            base: self.base.clone(),
        }
    }
}

impl Write {
    /// What is known of a digest.
    pub async fn known(&mut self, digest: &str) -> Result<Option<Known>, StoreError> {
        let row = sqlx::query("SELECT id, inventory_digest, cataloged_by FROM image WHERE digest = $1")
            .bind(digest)
            .fetch_optional(&mut *self.tx)
            .await?;
        row.map(|row| {
            Ok(Known { id: number(row.try_get(0)?), inventory_digest: row.try_get(1)?, cataloged_by: row.try_get(2)? })
        })
        .transpose()
    }

    /// Remembers a new image, or replaces what a known one is made of. It must be judged next.
    pub async fn put_image(&mut self, image: &NewImage, known: Option<u32>) -> Result<u32, StoreError> {
        let at = self.at;
        let id = match known {
            Some(id) => {
                sqlx::query(
                    "UPDATE image SET kind = $2, name = $3, base = $4, base_digest = $5, summary = $6, inventory = $7,
                     inventory_digest = $8, cataloged_by = $9, image_id = $10 WHERE id = $1",
                )
                .bind(i64::from(id))
                .bind(image.kind.as_str())
                .bind(image.name.as_str())
                .bind(image.base.as_str())
                .bind(image.base_digest.as_str())
                .bind(image.summary.as_str())
                .bind(image.inventory.clone())
                .bind(image.inventory_digest.as_str())
                .bind(image.cataloged_by.as_str())
                .bind(image.image_id.as_str())
                .execute(&mut *self.tx)
                .await?;
                sqlx::query("DELETE FROM image_layer WHERE image_id = $1")
                    .bind(i64::from(id))
                    .execute(&mut *self.tx)
                    .await?;
                id
            }
            None => {
                self.counters.image += 1;
                sqlx::query(
                    "INSERT INTO image (id, digest, kind, name, base, base_digest, summary, inventory, inventory_digest,
                     cataloged_by, first_at, first_stage, outcome, violations, findings, critical, high, risk, team, system,
                     component, running, judged_at, judged_with, image_id)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '', 0, 0, 0, 0, 0, '', '', '', 0, 0, '', $13)",
                )
                .bind(self.counters.image)
                .bind(image.digest.as_str())
                .bind(image.kind.as_str())
                .bind(image.name.as_str())
                .bind(image.base.as_str())
                .bind(image.base_digest.as_str())
                .bind(image.summary.as_str())
                .bind(image.inventory.clone())
                .bind(image.inventory_digest.as_str())
                .bind(image.cataloged_by.as_str())
                .bind(at)
                .bind(image.first_stage.as_str())
                .bind(image.image_id.as_str())
                .execute(&mut *self.tx)
                .await?;
                number(self.counters.image)
            }
        };
        let layers = self.layers(&image.layers).await?;
        let rows: Vec<(i64, i64, i64)> = (0..)
            .zip(layers.iter().zip(&image.layers))
            .map(|(position, (layer, own))| (position, *layer, i64::from(own.set)))
            .collect();
        let head = "INSERT INTO image_layer (image_id, position, layer_id, set_id)";
        insert(&mut self.tx, head, 4, "", &rows, |query, (position, layer, set)| {
            query.bind(i64::from(id)).bind(*position).bind(*layer).bind(*set)
        })
        .await?;
        Ok(id)
    }

    /// An image is built on another base than was thought.
    pub async fn rebase(&mut self, id: u32, base: &str, digest: &str, summary: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE image SET base = $2, base_digest = $3, summary = $4 WHERE id = $1")
            .bind(i64::from(id))
            .bind(base)
            .bind(digest)
            .bind(summary)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// Writes down who said what. False when that claim was there already.
    pub async fn claim(&mut self, claim: &ClaimRow) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO claim (digest, image_id, claimed_by, claimed_at, tool, inventory_digest, outcome, outcome_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        )
        .bind(claim.digest.as_str())
        .bind(i64::from(claim.image))
        .bind(claim.claimed_by.as_str())
        .bind(self.at)
        .bind(claim.tool.as_str())
        .bind(claim.inventory_digest.as_str())
        .bind(claim.outcome.as_str())
        .bind(claim.outcome_at)
        .execute(&mut *self.tx)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Lets a tag stand for an image; returns the image it stood for before, if another.
    pub async fn tag(&mut self, name: &str, image: u32) -> Result<Option<Option<u32>>, StoreError> {
        let row = sqlx::query("SELECT image_id FROM tag WHERE name = $1 AND until_at IS NULL")
            .bind(name)
            .fetch_optional(&mut *self.tx)
            .await?;
        let before = row.map(|row| row.try_get(0).map(number)).transpose()?;
        if before == Some(image) {
            return Ok(None);
        }
        if before.is_some() {
            sqlx::query("UPDATE tag SET until_at = $1 WHERE name = $2 AND until_at IS NULL")
                .bind(self.at)
                .bind(name)
                .execute(&mut *self.tx)
                .await?;
        }
        sqlx::query("INSERT INTO tag (name, since_at, image_id) VALUES ($1, $2, $3)")
            .bind(name)
            .bind(self.at)
            .bind(i64::from(image))
            .execute(&mut *self.tx)
            .await?;
        Ok(Some(before))
    }

    /// Notes that images must be judged again.
    pub async fn fall_behind(&mut self, images: &[u32], because: &str) -> Result<(), StoreError> {
        let head = "INSERT INTO behind (image_id, because)";
        insert(&mut self.tx, head, 2, "ON CONFLICT DO NOTHING", images, |query, image| {
            query.bind(i64::from(*image)).bind(because.to_owned())
        })
        .await
    }

    /// Notes that every image must be judged again.
    pub async fn all_fall_behind(&mut self, because: &str) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "INSERT INTO behind (image_id, because) SELECT id, $1 FROM image WHERE id > 0 ON CONFLICT DO NOTHING",
        )
        .bind(because)
        .execute(&mut *self.tx)
        .await?;
        Ok(done.rows_affected())
    }

    /// Takes some images that are behind. They are judged in this write, or stay behind.
    pub async fn take_behind(&mut self, count: i64) -> Result<Vec<ImageRow>, StoreError> {
        let ids = sqlx::query("SELECT image_id FROM behind ORDER BY image_id LIMIT $1")
            .bind(count)
            .fetch_all(&mut *self.tx)
            .await?;
        let ids: Vec<u32> = ids.iter().map(|row| row.try_get(0).map(number)).collect::<Result<_, _>>()?;
        self.images(&ids).await
    }

    /// What judging needs of images.
    pub async fn images(&mut self, ids: &[u32]) -> Result<Vec<ImageRow>, StoreError> {
        let text =
            "SELECT id, digest, name, summary, outcome, violations, findings, critical, high, risk, judged_with, team,
                      system, component, judged_at, base FROM image WHERE id IN $$ ORDER BY id";
        let rows = ask(&mut self.tx, text, &[], ids, |query, id| query.bind(i64::from(*id))).await?;
        rows.iter().map(image).collect()
    }

    /// Writes down judgements: the image as it is now, and where it differs, the verdict's and the ownership's history.
    pub async fn judged(&mut self, judged: &[(ImageRow, ImageState)]) -> Result<(), StoreError> {
        self.set_states(judged).await?;
        let verdict = |state: &ImageState| {
            (state.outcome.clone(), state.violations, state.findings, state.critical, state.high, state.risk.to_bits())
        };
        let changed: Vec<_> = judged.iter().filter(|(before, now)| verdict(&before.state) != verdict(now)).collect();
        self.set_verdicts(&changed).await?;
        let is_new = |before: &ImageRow| before.state.outcome.is_empty();
        let owned: Vec<(String, &Ownership, bool)> = judged
            .iter()
            .filter(|(before, now)| is_new(before) || !before.state.owner.is_of_same(&now.owner))
            .map(|(before, now)| (format!("image:{}", before.id), &now.owner, is_new(before)))
            .collect();
        self.own(&owned).await?;
        let text = "DELETE FROM behind WHERE image_id IN $$";
        ask(&mut self.tx, text, &[], judged, |query, (before, _)| query.bind(i64::from(before.id))).await?;
        Ok(())
    }

    /// What images are found to be as of now.
    async fn set_states(&mut self, judged: &[(ImageRow, ImageState)]) -> Result<(), StoreError> {
        let at = self.at;
        let head =
            "WITH now_is (id, outcome, violations, findings, critical, high, risk, team, system, component, judged_at,
                      judged_with) AS (";
        let tail =
            ") UPDATE image SET outcome = now_is.outcome, violations = now_is.violations, findings = now_is.findings,
                      critical = now_is.critical, high = now_is.high, risk = now_is.risk, team = now_is.team,
                      system = now_is.system, component = now_is.component, judged_at = now_is.judged_at,
                      judged_with = now_is.judged_with FROM now_is WHERE image.id = now_is.id";
        insert(&mut self.tx, head, 12, tail, judged, |query, (before, now)| {
            query
                .bind(i64::from(before.id))
                .bind(now.outcome.clone())
                .bind(now.violations)
                .bind(now.findings)
                .bind(now.critical)
                .bind(now.high)
                .bind(now.risk)
                .bind(now.owner.team.clone())
                .bind(now.owner.system.clone())
                .bind(now.owner.component.clone())
                .bind(at)
                .bind(now.judged_with.clone())
        })
        .await
    }

    /// Ends the verdicts in force on images, and begins others.
    async fn set_verdicts(&mut self, changed: &[&(ImageRow, ImageState)]) -> Result<(), StoreError> {
        let at = self.at;
        let judged_before: Vec<u32> = changed
            .iter()
            .filter(|(before, _)| !before.state.outcome.is_empty())
            .map(|(before, _)| before.id)
            .collect();
        let text = "UPDATE verdict SET until_at = $1 WHERE until_at IS NULL AND image_id IN $$";
        ask(&mut self.tx, text, &[at], &judged_before, |query, id| query.bind(i64::from(*id))).await?;
        let head = "INSERT INTO verdict (image_id, since_at, outcome, violations, findings, critical, high, risk, judged_with)";
        insert(&mut self.tx, head, 9, "", changed, |query, (before, now)| {
            query
                .bind(i64::from(before.id))
                .bind(at)
                .bind(now.outcome.clone())
                .bind(now.violations)
                .bind(now.findings)
                .bind(now.critical)
                .bind(now.high)
                .bind(now.risk)
                .bind(now.judged_with.clone())
        })
        .await
    }
}

impl ImageState {
    /// From `outcome, violations, findings, critical, high, risk, judged_with`, the first at a place in the row. Nobody's.
    pub(crate) fn read(row: &AnyRow, at: usize) -> Result<Self, StoreError> {
        Ok(Self {
            outcome: row.try_get(at)?,
            violations: row.try_get(at + 1)?,
            findings: row.try_get(at + 2)?,
            critical: row.try_get(at + 3)?,
            high: row.try_get(at + 4)?,
            risk: row.try_get(at + 5)?,
            judged_with: row.try_get(at + 6)?,
            owner: Ownership::default(),
        })
    }
}

impl Ownership {
    /// Whether it is the same team's, system's and component's, for whatever reason.
    pub fn is_of_same(&self, other: &Self) -> bool {
        (&self.team, &self.system, &self.component) == (&other.team, &other.system, &other.component)
    }

    /// From `team, system, component`, the first at a place in the row.
    pub(crate) fn read(row: &AnyRow, at: usize) -> Result<Self, StoreError> {
        let (team, system, component) = (row.try_get(at)?, row.try_get(at + 1)?, row.try_get(at + 2)?);
        Ok(Self { team, system, component, how: String::new() })
    }
}

fn image(row: &AnyRow) -> Result<ImageRow, StoreError> {
    Ok(ImageRow {
        id: number(row.try_get(0)?),
        digest: row.try_get(1)?,
        name: row.try_get(2)?,
        summary: row.try_get(3)?,
        state: ImageState { owner: Ownership::read(row, 11)?, ..ImageState::read(row, 4)? },
        judged_at: row.try_get(14)?,
        base: row.try_get(15)?,
    })
}

impl Store {
    /// How many images are behind.
    pub async fn behind(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query("SELECT COUNT(*) FROM behind").fetch_one(&self.pool).await?.try_get(0)?)
    }

    /// When the image that was judged longest ago, of those that are behind, was judged. None when none is behind.
    pub async fn oldest_behind(&self) -> Result<Option<i64>, StoreError> {
        let row = sqlx::query(
            "SELECT MIN(image.judged_at) FROM image JOIN behind ON behind.image_id = image.id WHERE image.judged_at > 0",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(row.try_get(0)?)
    }

    /// When the image was judged that was judged longest ago; none where there are no images.
    pub async fn oldest_judged(&self) -> Result<Option<i64>, StoreError> {
        let row = sqlx::query("SELECT MIN(judged_at) FROM image WHERE judged_at > 0").fetch_one(&self.pool).await?;
        Ok(row.try_get(0)?)
    }

    /// What judging needs of an image.
    pub async fn summary(&self, image: u32) -> Result<String, StoreError> {
        let row = sqlx::query("SELECT summary FROM image WHERE id = $1").bind(i64::from(image)).fetch_one(&self.pool);
        Ok(row.await?.try_get(0)?)
    }

    /// The claim that an image's inventory is from, compressed.
    pub async fn inventory(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT inventory FROM image WHERE digest = $1")
            .bind(digest)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// The images that say they are built on a base of this name or digest; not those that are on its other digest already.
    pub async fn images_on(&self, base: &str, digest: &str, not: &str) -> Result<Vec<u32>, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM image WHERE base = $1 AND base_digest <> $3
             UNION SELECT id FROM image WHERE base_digest = $2 ORDER BY id",
        )
        .bind(base)
        .bind(digest)
        .bind(not)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok(number(row.try_get(0)?))).collect()
    }

    /// The digests of the images that are this digest, or have a layer of this diff id.
    pub async fn images_of_digest(&self, digest: &str) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(
            "SELECT digest FROM image WHERE digest = $1 OR summary LIKE '%' || $1 || '%'
             UNION SELECT image.digest FROM layer JOIN image_layer ON image_layer.layer_id = layer.id
               JOIN image ON image.id = image_layer.image_id WHERE layer.diff_id = $1",
        )
        .bind(digest)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// The digest under which an image is known that a workload names by its manifest or its configuration; the same where it
    /// is not known.
    pub async fn manifest_of(&self, digest: &str) -> Result<String, StoreError> {
        let row = sqlx::query("SELECT digest FROM image WHERE digest = $1 OR image_id = $1 ORDER BY id LIMIT 1")
            .bind(digest)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or_else(|| digest.to_owned()))
    }
}
