//! Images: what they are made of, who claimed it, what they were judged.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use crate::bulk::{ASKED_MAX, insert, places};
use crate::error::StoreError;
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

    /// The numbers of layers, remembering those that are new.
    async fn layers(&mut self, layers: &[ImageLayer]) -> Result<Vec<i64>, StoreError> {
        let mut numbers = Vec::with_capacity(layers.len());
        for layer in layers {
            if layer.chain.is_empty() {
                numbers.push(0);
                continue;
            }
            let row = sqlx::query("SELECT id FROM layer WHERE chain = $1")
                .bind(layer.chain.as_str())
                .fetch_optional(&mut *self.tx)
                .await?;
            if let Some(row) = row {
                numbers.push(row.try_get(0)?);
                continue;
            }
            self.counters.layer += 1;
            numbers.push(self.counters.layer);
            sqlx::query("INSERT INTO layer (id, chain, diff_id, created_by) VALUES ($1, $2, $3, $4)")
                .bind(self.counters.layer)
                .bind(layer.chain.as_str())
                .bind(layer.diff_id.as_str())
                .bind(layer.created_by.as_str())
                .execute(&mut *self.tx)
                .await?;
        }
        Ok(numbers)
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
        sqlx::query("UPDATE tag SET until_at = $1 WHERE name = $2 AND until_at IS NULL")
            .bind(self.at)
            .bind(name)
            .execute(&mut *self.tx)
            .await?;
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
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(ASKED_MAX) {
            let text = format!(
                "SELECT id, digest, name, summary, outcome, violations, findings, critical, high, risk, judged_with, team,
                 system, component, judged_at, base FROM image WHERE id IN {} ORDER BY id",
                places(1, chunk.len())
            );
            let mut query = sqlx::query(AssertSqlSafe(text)).persistent(chunk.len() == ASKED_MAX);
            for id in chunk {
                query = query.bind(i64::from(*id));
            }
            for row in query.fetch_all(&mut *self.tx).await? {
                found.push(image(&row)?);
            }
        }
        Ok(found)
    }

    /// The sets of images: `(image, position, set)`.
    pub async fn sets_of(&mut self, ids: &[u32]) -> Result<Vec<(u32, u32, u32)>, StoreError> {
        let mut found = Vec::new();
        for chunk in ids.chunks(ASKED_MAX) {
            let text = format!(
                "SELECT image_id, position, set_id FROM image_layer WHERE image_id IN {} ORDER BY image_id, position",
                places(1, chunk.len())
            );
            let mut query = sqlx::query(AssertSqlSafe(text)).persistent(chunk.len() == ASKED_MAX);
            for id in chunk {
                query = query.bind(i64::from(*id));
            }
            for row in query.fetch_all(&mut *self.tx).await? {
                found.push((number(row.try_get(0)?), number(row.try_get(1)?), number(row.try_get(2)?)));
            }
        }
        Ok(found)
    }

    /// Writes down judgements: the image as it is now, and where it differs, the verdict's and the ownership's history.
    pub async fn judged(&mut self, judged: &[(ImageRow, ImageState)]) -> Result<(), StoreError> {
        let at = self.at;
        let verdict = |state: &ImageState| {
            (state.outcome.clone(), state.violations, state.findings, state.critical, state.high, state.risk.to_bits())
        };
        for (before, now) in judged {
            sqlx::query(
                "UPDATE image SET outcome = $2, violations = $3, findings = $4, critical = $5, high = $6, risk = $7, team = $8,
                 system = $9, component = $10, judged_at = $11, judged_with = $12 WHERE id = $1",
            )
            .bind(i64::from(before.id))
            .bind(now.outcome.as_str())
            .bind(now.violations)
            .bind(now.findings)
            .bind(now.critical)
            .bind(now.high)
            .bind(now.risk)
            .bind(now.owner.team.as_str())
            .bind(now.owner.system.as_str())
            .bind(now.owner.component.as_str())
            .bind(at)
            .bind(now.judged_with.as_str())
            .execute(&mut *self.tx)
            .await?;
        }
        let changed: Vec<_> = judged.iter().filter(|(before, now)| verdict(&before.state) != verdict(now)).collect();
        for (before, _) in &changed {
            sqlx::query("UPDATE verdict SET until_at = $1 WHERE image_id = $2 AND until_at IS NULL")
                .bind(at)
                .bind(i64::from(before.id))
                .execute(&mut *self.tx)
                .await?;
        }
        let head = "INSERT INTO verdict (image_id, since_at, outcome, violations, findings, critical, high, risk, judged_with)";
        insert(&mut self.tx, head, 9, "", &changed, |query, (before, now)| {
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
        .await?;
        for (before, now) in judged {
            let same = (&before.state.owner.team, &before.state.owner.system, &before.state.owner.component)
                == (&now.owner.team, &now.owner.system, &now.owner.component);
            if !same || before.state.outcome.is_empty() {
                self.own(&format!("image:{}", before.id), &now.owner).await?;
            }
        }
        let ids: Vec<u32> = judged.iter().map(|(before, _)| before.id).collect();
        for chunk in ids.chunks(ASKED_MAX) {
            let text = format!("DELETE FROM behind WHERE image_id IN {}", places(1, chunk.len()));
            let mut query = sqlx::query(AssertSqlSafe(text)).persistent(chunk.len() == ASKED_MAX);
            for id in chunk {
                query = query.bind(i64::from(*id));
            }
            query.execute(&mut *self.tx).await?;
        }
        Ok(())
    }

    /// From now on an image (`image:N`) or layer (`layer:N`) is somebody's.
    pub async fn own(&mut self, subject: &str, owner: &Ownership) -> Result<(), StoreError> {
        sqlx::query("UPDATE ownership SET until_at = $1 WHERE subject = $2 AND until_at IS NULL")
            .bind(self.at)
            .bind(subject)
            .execute(&mut *self.tx)
            .await?;
        sqlx::query(
            "INSERT INTO ownership (subject, since_at, team, system, component, how) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(subject)
        .bind(self.at)
        .bind(owner.team.as_str())
        .bind(owner.system.as_str())
        .bind(owner.component.as_str())
        .bind(owner.how.as_str())
        .execute(&mut *self.tx)
        .await?;
        Ok(())
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

    /// The layers of images above a number: `(image, set)`, sorted by image.
    pub async fn image_sets_after(&self, image: u32) -> Result<Vec<(u32, u32)>, StoreError> {
        let rows = sqlx::query("SELECT image_id, set_id FROM image_layer WHERE image_id > $1 ORDER BY image_id")
            .bind(i64::from(image))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Ok((number(row.try_get(0)?), number(row.try_get(1)?)))).collect()
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
