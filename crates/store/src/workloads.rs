//! What runs where, over time.

use condition::FactType;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::bulk::ask;
use crate::error::StoreError;
use crate::filter::{Filter, FilterFact, Where, images_of};
use crate::lists::Page;
use crate::{Store, Write};

/// One workload: what an environment runs under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadRow {
    /// The environment it runs in.
    pub environment: String,
    /// Its name there, unique: `namespace/deployment/container`, a container's name.
    pub name: String,
    /// The digest of the image it runs, as far as it is known.
    pub image_digest: String,
    /// The image's name, as the workload gives it.
    pub image_name: String,
    /// Whether the environment is a production one.
    pub production: bool,
    /// The rest (privileged, exposure, labels), as JSON.
    pub body: String,
    /// Since when it runs.
    pub since: i64,
    /// Until when it ran.
    pub until: Option<i64>,
}

/// What workloads may be filtered by.
pub const WORKLOAD_FACTS: &[FilterFact] = &[
    FilterFact::text("environment", "environment"),
    FilterFact::text("name", "name"),
    FilterFact::text("image", "image_digest"),
    FilterFact::text("image_name", "image_name"),
    FilterFact::new(FactType::Bool, "production", "production <> 0"),
    FilterFact::moment("since", "since_at"),
    FilterFact::moment("until", "until_at").optional(),
];

const COLUMNS: &str =
    "SELECT environment, name, image_digest, image_name, production, body, since_at, until_at FROM workload";

fn workload(row: &AnyRow) -> Result<WorkloadRow, StoreError> {
    Ok(WorkloadRow {
        environment: row.try_get(0)?,
        name: row.try_get(1)?,
        image_digest: row.try_get(2)?,
        image_name: row.try_get(3)?,
        production: row.try_get::<i64, _>(4)? != 0,
        body: row.try_get(5)?,
        since: row.try_get(6)?,
        until: row.try_get(7)?,
    })
}

impl Write {
    /// What an environment runs, as of this write.
    pub async fn running(&mut self, environment: &str) -> Result<Vec<WorkloadRow>, StoreError> {
        let text = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE environment = $1 AND until_at IS NULL ORDER BY name"));
        sqlx::query(text).bind(environment).fetch_all(&mut *self.tx).await?.iter().map(workload).collect()
    }

    /// The workloads that run these images, as of this write.
    pub async fn running_images(&mut self, digests: &[&str]) -> Result<Vec<WorkloadRow>, StoreError> {
        let text = format!("{COLUMNS} WHERE until_at IS NULL AND image_digest IN $$ ORDER BY environment, name");
        let rows = ask(&mut self.tx, &text, &[], digests, |query, digest| query.bind((*digest).to_owned())).await?;
        rows.iter().map(workload).collect()
    }

    /// A workload runs from now on; one of its name that runs otherwise ends.
    pub async fn start_workload(&mut self, workload: &WorkloadRow) -> Result<(), StoreError> {
        self.stop_workload(&workload.environment, &workload.name).await?;
        sqlx::query(
            "INSERT INTO workload (environment, name, since_at, image_digest, image_name, production, body)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(workload.environment.as_str())
        .bind(workload.name.as_str())
        .bind(self.at)
        .bind(workload.image_digest.as_str())
        .bind(workload.image_name.as_str())
        .bind(i64::from(workload.production))
        .bind(workload.body.as_str())
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// A workload runs no more.
    pub async fn stop_workload(&mut self, environment: &str, name: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE workload SET until_at = $1 WHERE environment = $2 AND name = $3 AND until_at IS NULL")
            .bind(self.at)
            .bind(environment)
            .bind(name)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// Workloads that name an image by its configuration name it by what it is known under from now on.
    pub async fn adopt_workloads(&mut self, image_id: &str, digest: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE workload SET image_digest = $1 WHERE image_digest = $2 AND until_at IS NULL")
            .bind(digest)
            .bind(image_id)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// Counts again how many workloads run an image; returns its number when it is known.
    pub async fn count_running(&mut self, digest: &str) -> Result<Option<u32>, StoreError> {
        let row = sqlx::query(
            "UPDATE image SET running = (SELECT COUNT(*) FROM workload WHERE image_digest = $1 AND until_at IS NULL)
             WHERE digest = $1 RETURNING id",
        )
        .bind(digest)
        .fetch_optional(&mut *self.tx)
        .await?;
        Ok(row.map(|row| row.try_get(0).map(crate::packages::number)).transpose()?)
    }
}

impl Store {
    /// The workloads that run an image now.
    pub async fn workloads_of(&self, digest: &str) -> Result<Vec<WorkloadRow>, StoreError> {
        let text = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE image_digest = $1 AND until_at IS NULL ORDER BY name"));
        sqlx::query(text).bind(digest).fetch_all(&self.pool).await?.iter().map(workload).collect()
    }

    /// A page of the workloads of a moment, by environment and name: those that run images which the scope sees. `after` is the
    /// environment, a character 1, and the name.
    pub async fn workloads(&self, page: Page<'_>, filter: &Filter) -> Result<Vec<WorkloadRow>, StoreError> {
        let (environment, name) = page.after.split_once('\u{1}').unwrap_or(("", ""));
        let mut rows = Where::new("since_at <= $1 AND (until_at IS NULL OR until_at > $1)", [page.at.into()]);
        rows.and(
            "(environment > $$ OR (environment = $$ AND name > $$))",
            [environment.into(), environment.into(), name.into()],
        );
        rows.scope(page.scope, |owner| format!("image_digest IN ({})", images_of(owner, "digest", page.is_now())));
        rows.filter(filter);
        rows.then("ORDER BY environment, name LIMIT $$", [page.count.into()]);
        rows.query(COLUMNS).fetch_all(&self.pool).await?.iter().map(workload).collect()
    }
}
