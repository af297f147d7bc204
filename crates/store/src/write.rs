//! One write at a time, each with a moment of its own; and the tables' versions.

use sqlx::{Any, Executor, Row, Transaction};
use tokio::sync::OwnedMutexGuard;

use crate::Store;
use crate::error::StoreError;

/// The schema this program writes; each has a step from the one before.
const SCHEMAS: &[&str] = &[include_str!("schema.sql")];

/// A transaction in which everything has the same moment. Dropped without [`Write::commit`], it never was.
#[derive(Debug)]
pub struct Write {
    pub(crate) tx: Transaction<'static, Any>,
    /// The moment, in microseconds since 1970: later than that of every write before.
    pub at: i64,
    /// The moment of the write before: who remembers it as its own knows that nobody else has written since.
    pub before: i64,
    pub(crate) counters: Counters,
    _turn: OwnedMutexGuard<()>,
}

/// The last numbers given out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counters {
    pub(crate) package: i64,
    pub(crate) package_set: i64,
    pub(crate) layer: i64,
    pub(crate) image: i64,
    pub(crate) change: i64,
    pub(crate) audit: i64,
}

impl Store {
    /// Waits for its turn and begins. `now` is the caller's clock, in microseconds since 1970; one that went back is not followed.
    pub async fn write(&self, now: i64) -> Result<Write, StoreError> {
        let turn = self.turn.clone().lock_owned().await;
        let mut tx = self.pool.begin_with(self.dialect.begin()).await?;
        let row = sqlx::query(
            "UPDATE clock SET before_at = at, at = CASE WHEN at < $1 THEN $1 ELSE at + 1 END WHERE only_row = 1
             RETURNING at, before_at, package, package_set, layer, image, change, audit",
        )
        .bind(now)
        .fetch_one(&mut *tx)
        .await?;
        let counters = Counters {
            package: row.try_get("package")?,
            package_set: row.try_get("package_set")?,
            layer: row.try_get("layer")?,
            image: row.try_get("image")?,
            change: row.try_get("change")?,
            audit: row.try_get("audit")?,
        };
        Ok(Write { at: row.try_get("at")?, before: row.try_get("before_at")?, tx, counters, _turn: turn })
    }

    /// The moment of the newest write.
    pub async fn newest(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query("SELECT at FROM clock WHERE only_row = 1").fetch_one(&self.pool).await?.try_get(0)?)
    }

    /// Makes the tables, or changes those of an older version, step by step in one transaction.
    pub(crate) async fn migrate(&self) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with(self.dialect.begin()).await?;
        tx.execute(self.dialect.lock_schema()).await?;
        let has: i64 =
            sqlx::query(self.dialect.has_table()).bind("schema_version").fetch_one(&mut *tx).await?.try_get(0)?;
        if has == 0 {
            tx.execute("CREATE TABLE schema_version (version BIGINT NOT NULL)").await?;
            tx.execute("INSERT INTO schema_version VALUES (0)").await?;
        }
        let found: i64 = sqlx::query("SELECT version FROM schema_version").fetch_one(&mut *tx).await?.try_get(0)?;
        let known = SCHEMAS.len() as i64;
        if found > known {
            return Err(StoreError::Newer { found, known });
        }
        for step in &SCHEMAS[found as usize..] {
            tx.execute(sqlx::raw_sql(self.dialect.schema(step))).await?;
        }
        sqlx::query("UPDATE schema_version SET version = $1").bind(known).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }
}

impl Write {
    /// Makes it last; afterwards everybody sees it. Returns the newest place in the change feed.
    pub async fn commit(mut self) -> Result<i64, StoreError> {
        let Counters { package, package_set, layer, image, change, audit } = self.counters;
        sqlx::query(
            "UPDATE clock SET package = $1, package_set = $2, layer = $3, image = $4, change = $5, audit = $6
             WHERE only_row = 1",
        )
        .bind(package)
        .bind(package_set)
        .bind(layer)
        .bind(image)
        .bind(change)
        .bind(audit)
        .execute(&mut *self.tx)
        .await?;
        self.tx.commit().await?;
        Ok(change)
    }
}
