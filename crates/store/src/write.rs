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
        let mut tx = self.writer.begin_with(self.dialect.begin()).await?;
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
        let mut tx = self.writer.begin_with(self.dialect.begin()).await?;
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

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::{Filter, ImageOrder, Page, chain_digest, tables};

    /// The digest of each step. A step that was released is never changed: write the next one, and add its digest here with a database of
    /// the version before (`tests/version-N.sql`). Until the first release the first step may change; then only its digest here changes.
    const PINNED: [&str; SCHEMAS.len()] = ["b549a430d26e2e83354151386a1ca58665a38b6c70f0b4673999d34194825dcf"];

    #[test]
    fn no_step_that_was_released_is_changed() {
        for (step, pinned) in SCHEMAS.iter().zip(PINNED) {
            assert_eq!(hex(step.as_bytes()), pinned, "add a step to `SCHEMAS`, or see `PINNED`");
        }
    }

    fn hex(bytes: &[u8]) -> String {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A database as the program left it that knew only the first steps.
    async fn left_by(version: i64, rows: &'static str) -> (tempfile::TempDir, String) {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite:{}", directory.path().join("portfolio.db").display());
        let (pool, dialect) = crate::differences::connect(&url, true, 1).await.expect("a database");
        let mut tx = pool.begin().await.expect("begun");
        begin_versions(&mut tx).await.expect("a table");
        climb(&mut tx, dialect, 0, version).await.expect("tables");
        tx.execute(sqlx::raw_sql(rows)).await.expect("rows");
        for table in tables(version).await.expect("tables") {
            let text = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {}", table.name));
            let count: i64 = sqlx::query(text).fetch_one(&mut *tx).await.expect("a count").get(0);
            assert!(count > 0, "no row of `{}` would be tried", table.name);
        }
        tx.commit().await.expect("committed");
        pool.close().await;
        (directory, url)
    }

    #[tokio::test]
    async fn a_database_of_version_1_is_opened_and_has_what_it_had() {
        let (_directory, url) = left_by(1, include_str!("../tests/version-1.sql")).await;
        let store = Store::open(&url).await.expect("it opens");
        let page = |at| Page { at, scope: "", after: "", count: 10 };
        let all = Filter::default();
        let image = store.find_image(page(i64::MAX), "sha256:22").await.expect("asked").expect("an image");
        assert_eq!((image.state.outcome.as_str(), image.state.risk), ("failed", 42.5));
        let then = store.list_images(page(1_780_000_000_000_003), ImageOrder::Age, &all).await.expect("images");
        assert_eq!(then[0].state.outcome, "passed");
        let findings = store.list_findings(page(i64::MAX), image.id, &all).await.expect("findings");
        assert_eq!(findings.len(), 1, "the other is over");
        assert_eq!(store.claims(image.id, &all).await.expect("claims")[0].claimed_by, "ci");
        assert_eq!(store.changes_after(0, "team:storefront", &all, 10).await.expect("changes").len(), 2);
        assert!(store.token("ef01").await.expect("asked").expect("a token").revoked_at.is_some());
        let mut before = String::new();
        for entry in store.audit_after(0, &all, 10).await.expect("the audit log") {
            assert_eq!(chain_digest(&before, &entry, hex), entry.chain);
            before = entry.chain;
        }
        // And it goes on.
        let mut write = store.write(0).await.expect("begun");
        write.audit("a", "b", "c", "{}", hex).await.expect("an entry");
        write.commit().await.expect("committed");
        assert_eq!(store.newest().await.expect("a moment"), 1_780_000_000_000_010);
        assert_eq!(store.audit_after(2, &all, 10).await.expect("the audit log").len(), 1);
    }

    #[tokio::test]
    async fn a_backup_knows_every_table() {
        let (_directory, url) = left_by(1, include_str!("../tests/version-1.sql")).await;
        let store = Store::open(&url).await.expect("it opens");
        let text = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'schema_version' ORDER BY name";
        let made: Vec<String> =
            sqlx::query(text).fetch_all(&store.pool).await.expect("names").iter().map(|row| row.get(0)).collect();
        let mut known: Vec<String> =
            tables(SCHEMAS.len() as i64).await.expect("tables").into_iter().map(|table| table.name).collect();
        known.sort();
        assert_eq!(made, known);
    }
}
