//! What is in force: documents (catalog, owner rules, policies, exceptions), and the index's digest.

use sqlx::Row;

use crate::error::StoreError;
use crate::{Store, Write};

/// A named text that is in force since a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The text.
    pub body: String,
    /// Since when; its version, too.
    pub since: i64,
    /// Who put it in force.
    pub actor: String,
}

impl Write {
    /// Puts a text in force. The one before stays as history.
    pub async fn set(&mut self, name: &str, body: &str, actor: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE setting SET until_at = $1 WHERE name = $2 AND until_at IS NULL")
            .bind(self.at)
            .bind(name)
            .execute(&mut *self.tx)
            .await?;
        sqlx::query("INSERT INTO setting (name, since_at, body, actor) VALUES ($1, $2, $3, $4)")
            .bind(name)
            .bind(self.at)
            .bind(body)
            .bind(actor)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// What is in force, seen from within this write.
    pub async fn setting(&mut self, name: &str) -> Result<Option<Setting>, StoreError> {
        let row = sqlx::query("SELECT body, since_at, actor FROM setting WHERE name = $1 AND until_at IS NULL")
            .bind(name)
            .fetch_optional(&mut *self.tx)
            .await?;
        row.map(|row| Ok(Setting { body: row.try_get(0)?, since: row.try_get(1)?, actor: row.try_get(2)? })).transpose()
    }
}

impl Store {
    /// When the newest document was put in force: whoever has read them since then has all. The index is no document.
    pub async fn newest_setting(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT COALESCE(MAX(since_at), 0) FROM setting WHERE name <> 'index'")
            .fetch_one(&self.pool)
            .await?;
        Ok(row.try_get(0)?)
    }

    /// What was in force at a moment; `i64::MAX` means now.
    pub async fn setting(&self, name: &str, at: i64) -> Result<Option<Setting>, StoreError> {
        let row = sqlx::query(
            "SELECT body, since_at, actor FROM setting
             WHERE name = $1 AND since_at <= $2 AND (until_at IS NULL OR until_at > $2)",
        )
        .bind(name)
        .bind(at)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok(Setting { body: row.try_get(0)?, since: row.try_get(1)?, actor: row.try_get(2)? })).transpose()
    }
}
