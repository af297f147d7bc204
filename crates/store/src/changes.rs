//! The change feed: what happened, once, in the order of commits.

use sqlx::Row;

use crate::bulk::insert;
use crate::error::StoreError;
use crate::filter::{Filter, FilterFact, Where};
use crate::{Store, Write};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChange {
    /// Its place in the feed; 0 before it is written.
    pub number: i64,
    /// When.
    pub at: i64,
    /// `finding.found`, `verdict.changed`, …
    pub kind: String,
    /// The image's number; 0 where it is about none.
    pub image: u32,
    /// The vulnerability, or empty.
    pub vulnerability: String,
    /// The team concerned, or empty: who may read it.
    pub team: String,
    /// The system concerned, or empty.
    pub system: String,
    /// What is to be told, as JSON.
    pub body: String,
    /// The image's digest, or empty; told only where it is read.
    pub subject: String,
}

const SUBJECT: &str = "COALESCE((SELECT image.digest FROM image WHERE image.id = change.image_id), '')";

/// What changes may be filtered by. A text that a change leaves out is empty.
pub const CHANGE_FACTS: &[FilterFact] = &[
    FilterFact::text("type", "'dev.dogwatch.' || kind"),
    FilterFact::moment("time", "at"),
    FilterFact::text("subject", SUBJECT),
    FilterFact::text("team", "team"),
    FilterFact::text("system", "system"),
    FilterFact::text("data.vulnerability", "vulnerability"),
];

impl Write {
    /// Adds changes to the feed, in their order.
    pub async fn changes(&mut self, changes: &[StoredChange]) -> Result<(), StoreError> {
        let (at, first) = (self.at, self.counters.change + 1);
        self.counters.change += changes.len() as i64;
        let numbered: Vec<(i64, &StoredChange)> = (first..).zip(changes).collect();
        let head = "INSERT INTO change (number, at, kind, image_id, vulnerability, team, system, body)";
        insert(&mut self.tx, head, 8, "", &numbered, |query, (number, change)| {
            query
                .bind(*number)
                .bind(at)
                .bind(change.kind.clone())
                .bind(i64::from(change.image))
                .bind(change.vulnerability.clone())
                .bind(change.team.clone())
                .bind(change.system.clone())
                .bind(change.body.clone())
        })
        .await
    }
}

impl Store {
    /// Changes after a place in the feed, oldest first. A scope of `team:NAME` or `system:NAME` sees its own.
    pub async fn changes_after(
        &self,
        number: i64,
        scope: &str,
        filter: &Filter,
        count: i64,
    ) -> Result<Vec<StoredChange>, StoreError> {
        let mut rows = Where::new("number > $1", [number.into()]);
        rows.scope(scope, str::to_owned);
        rows.filter(filter);
        rows.then("ORDER BY number LIMIT $$", [count.into()]);
        let query = rows.query(&format!(
            "SELECT number, at, kind, image_id, vulnerability, team, system, body, {SUBJECT} FROM change"
        ));
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(StoredChange {
                    number: row.try_get(0)?,
                    at: row.try_get(1)?,
                    kind: row.try_get(2)?,
                    image: crate::packages::number(row.try_get(3)?),
                    vulnerability: row.try_get(4)?,
                    team: row.try_get(5)?,
                    system: row.try_get(6)?,
                    body: row.try_get(7)?,
                    subject: row.try_get(8)?,
                })
            })
            .collect()
    }

    /// The newest place in the feed.
    pub async fn newest_change(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query("SELECT change FROM clock WHERE only_row = 1").fetch_one(&self.pool).await?.try_get(0)?)
    }
}
