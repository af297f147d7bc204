//! Documents on their way, part by part, so that a connection that breaks costs one part.

use sqlx::Row;

use crate::error::StoreError;
use crate::{Store, Write};

impl Write {
    /// Keeps a part of a document that a sender began. False when there is a part at that place already.
    pub async fn put_part(&mut self, digest: &str, sender: &str, offset: i64, part: &[u8]) -> Result<bool, StoreError> {
        let text = "INSERT INTO upload (digest, sender, part_offset, at, part) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
        let query = sqlx::query(text).bind(digest).bind(sender).bind(offset).bind(self.at).bind(part);
        Ok(query.execute(&mut *self.tx).await?.rows_affected() > 0)
    }

    /// Forgets a document's parts.
    pub async fn forget_upload(&mut self, digest: &str, sender: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM upload WHERE digest = $1 AND sender = $2")
            .bind(digest)
            .bind(sender)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// Forgets the parts that came before a moment.
    pub async fn forget_uploads_before(&mut self, moment: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM upload WHERE at < $1").bind(moment).execute(&mut *self.tx).await?;
        Ok(())
    }
}

impl Store {
    /// How many bytes of a document have come.
    pub async fn received(&self, digest: &str, sender: &str) -> Result<i64, StoreError> {
        let text =
            "SELECT CAST(COALESCE(SUM(LENGTH(part)), 0) AS BIGINT) FROM upload WHERE digest = $1 AND sender = $2";
        Ok(sqlx::query(text).bind(digest).bind(sender).fetch_one(&self.pool).await?.try_get(0)?)
    }

    /// How many bytes a sender has on the way.
    pub async fn on_the_way(&self, sender: &str) -> Result<i64, StoreError> {
        let text = "SELECT CAST(COALESCE(SUM(LENGTH(part)), 0) AS BIGINT) FROM upload WHERE sender = $1";
        Ok(sqlx::query(text).bind(sender).fetch_one(&self.pool).await?.try_get(0)?)
    }

    /// A document as far as it has come.
    pub async fn upload(&self, digest: &str, sender: &str) -> Result<Vec<u8>, StoreError> {
        let text = "SELECT part FROM upload WHERE digest = $1 AND sender = $2 ORDER BY part_offset";
        let rows = sqlx::query(text).bind(digest).bind(sender).fetch_all(&self.pool).await?;
        let mut bytes = Vec::new();
        for row in &rows {
            bytes.extend_from_slice(row.try_get::<&[u8], _>(0)?);
        }
        Ok(bytes)
    }
}
