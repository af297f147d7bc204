//! One write at a time, each with a moment of its own; and the tables' versions.

use sqlx::{Any, AnyConnection, Executor, Row, Transaction};
use tokio::sync::OwnedMutexGuard;

use crate::Store;
use crate::differences::Dialect;
use crate::error::StoreError;

/// The schema this program writes; each is a step from the one before.
pub(crate) const SCHEMAS: &[&str] = &[include_str!("schema.sql")];

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
        let known = SCHEMAS.len() as i64;
        let found = match found(&mut tx, self.dialect).await? {
            Some(found) => found,
            None => begin_versions(&mut tx).await?,
        };
        climb(&mut tx, self.dialect, found, known).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// The version of the tables that are there; none where there are none.
pub(crate) async fn found(tx: &mut AnyConnection, dialect: Dialect) -> Result<Option<i64>, StoreError> {
    let has: i64 = sqlx::query(dialect.has_table()).bind("schema_version").fetch_one(&mut *tx).await?.try_get(0)?;
    if has == 0 {
        return Ok(None);
    }
    let found = sqlx::query("SELECT version FROM schema_version").fetch_one(tx).await?.try_get(0)?;
    let known = SCHEMAS.len() as i64;
    if found > known { Err(StoreError::Newer { found, known }) } else { Ok(Some(found)) }
}

/// Makes the table that says which version the others have: none yet.
pub(crate) async fn begin_versions(tx: &mut AnyConnection) -> Result<i64, StoreError> {
    tx.execute("CREATE TABLE schema_version (version BIGINT NOT NULL)").await?;
    tx.execute("INSERT INTO schema_version VALUES (0)").await?;
    Ok(0)
}

/// Takes the tables from one version to another.
pub(crate) async fn climb(tx: &mut AnyConnection, dialect: Dialect, from: i64, to: i64) -> Result<(), StoreError> {
    for step in &SCHEMAS[from as usize..to as usize] {
        tx.execute(sqlx::raw_sql(dialect.schema(step))).await?;
    }
    sqlx::query("UPDATE schema_version SET version = $1").bind(to).execute(tx).await?;
    Ok(())
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
