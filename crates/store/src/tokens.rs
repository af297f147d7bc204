//! Who may ask: tokens, kept as digests.

use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::StoreError;
use crate::filter::{Filter, FilterFact, Where};
use crate::{Store, Write};

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its id.
    pub id: String,
    /// Whose or what for.
    pub name: String,
    /// The digest of the secret.
    pub hash: String,
    /// `viewer`, `developer`, …
    pub role: String,
    /// Empty for everything, `team:NAME`, `system:NAME`.
    pub scope: String,
    /// When it was made.
    pub created_at: i64,
    /// When it ends.
    pub expires_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

/// What tokens may be filtered by.
pub const TOKEN_FACTS: &[FilterFact] = &[
    FilterFact::text("id", "id"),
    FilterFact::text("name", "name"),
    FilterFact::text("role", "role"),
    FilterFact::text("scope", "scope"),
    FilterFact::moment("created", "created_at"),
    FilterFact::moment("expires", "expires_at").optional(),
    FilterFact::moment("revoked", "revoked_at").optional(),
];

const COLUMNS: &str = "SELECT id, name, hash, role, scope, created_at, expires_at, revoked_at FROM token";

fn token(row: &AnyRow) -> Result<TokenRow, StoreError> {
    Ok(TokenRow {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        hash: row.try_get(2)?,
        role: row.try_get(3)?,
        scope: row.try_get(4)?,
        created_at: row.try_get(5)?,
        expires_at: row.try_get(6)?,
        revoked_at: row.try_get(7)?,
    })
}

impl Write {
    /// Remembers a token.
    pub async fn add_token(&mut self, token: &TokenRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO token (id, name, hash, role, scope, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(token.id.as_str())
        .bind(token.name.as_str())
        .bind(token.hash.as_str())
        .bind(token.role.as_str())
        .bind(token.scope.as_str())
        .bind(self.at)
        .bind(token.expires_at)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Revokes a token; false when there is none of that id that is not revoked.
    pub async fn revoke_token(&mut self, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE token SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
            .bind(self.at)
            .bind(id)
            .execute(&mut *self.tx)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

impl Store {
    /// The token with this digest.
    pub async fn token(&self, hash: &str) -> Result<Option<TokenRow>, StoreError> {
        let text = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE hash = $1"));
        let row = sqlx::query(text).bind(hash).fetch_optional(&self.pool).await?;
        row.as_ref().map(token).transpose()
    }

    /// The tokens that a filter lets through, oldest first.
    pub async fn tokens(&self, filter: &Filter) -> Result<Vec<TokenRow>, StoreError> {
        let mut rows = Where::new("1 = 1", []);
        rows.filter(filter);
        rows.then("ORDER BY created_at, id", []);
        rows.query(COLUMNS).fetch_all(&self.pool).await?.iter().map(token).collect()
    }
}
