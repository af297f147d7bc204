//! The audit log: who did what. Each entry has a digest over itself and the entry before, so none can be changed, removed or put in
//! between unseen.

use sqlx::Row;

use crate::error::StoreError;
use crate::filter::{Filter, FilterFact, Where};
use crate::{Store, Write};

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AuditEntry {
    /// Its place, counted from 1 without gaps.
    pub number: i64,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Who: a token's name and id.
    pub actor: String,
    /// What: `token.create`, `catalog.replace`, …
    pub action: String,
    /// To what.
    pub subject: String,
    /// The rest, as JSON.
    pub body: String,
    /// Digest over the entry before and this one, hex.
    pub chain: String,
}

/// What the audit log may be filtered by.
pub const AUDIT_FACTS: &[FilterFact] = &[
    FilterFact::int("number", "number"),
    FilterFact::moment("at", "at"),
    FilterFact::text("actor", "actor"),
    FilterFact::text("action", "action"),
    FilterFact::text("subject", "subject"),
];

/// The digest of an entry, given that of the one before (empty for the first) and a hash function of bytes.
pub fn chain_digest(before: &str, entry: &AuditEntry, hash: impl Fn(&[u8]) -> String) -> String {
    // JSON quotes what could run together.
    let parts = (before, entry.number, entry.at, &entry.actor, &entry.action, &entry.subject, &entry.body);
    hash(serde_json::to_string(&parts).unwrap_or_default().as_bytes())
}

impl Write {
    /// Adds an entry. `hash` is that of [`chain_digest`].
    pub async fn audit(
        &mut self,
        actor: &str,
        action: &str,
        subject: &str,
        body: &str,
        hash: impl Fn(&[u8]) -> String,
    ) -> Result<(), StoreError> {
        let last = sqlx::query("SELECT chain FROM audit WHERE number = $1")
            .bind(self.counters.audit)
            .fetch_optional(&mut *self.tx)
            .await?;
        let before: String = last.map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
        self.counters.audit += 1;
        let mut entry = AuditEntry {
            number: self.counters.audit,
            at: self.at,
            actor: actor.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            body: body.to_owned(),
            chain: String::new(),
        };
        entry.chain = chain_digest(&before, &entry, hash);
        sqlx::query(
            "INSERT INTO audit (number, at, actor, action, subject, body, chain) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(entry.number)
        .bind(entry.at)
        .bind(entry.actor)
        .bind(entry.action)
        .bind(entry.subject)
        .bind(entry.body)
        .bind(entry.chain)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }
}

impl Store {
    /// The number of the newest entry.
    pub async fn newest_audit(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query("SELECT audit FROM clock WHERE only_row = 1").fetch_one(&self.pool).await?.try_get(0)?)
    }

    /// Entries after a place, oldest first.
    pub async fn audit_after(&self, number: i64, filter: &Filter, count: i64) -> Result<Vec<AuditEntry>, StoreError> {
        let mut rows = Where::new("number > $1", [number.into()]);
        rows.filter(filter);
        rows.then("ORDER BY number LIMIT $$", [count.into()]);
        let query = rows.query("SELECT number, at, actor, action, subject, body, chain FROM audit");
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(AuditEntry {
                    number: row.try_get(0)?,
                    at: row.try_get(1)?,
                    actor: row.try_get(2)?,
                    action: row.try_get(3)?,
                    subject: row.try_get(4)?,
                    body: row.try_get(5)?,
                    chain: row.try_get(6)?,
                })
            })
            .collect()
    }
}
