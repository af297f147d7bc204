//! What an image was judged over time, who said what about it, and what names stood for.

use sqlx::Row;

use crate::Store;
use crate::error::StoreError;
use crate::filter::{Filter, FilterFact, Where};
use crate::images::{ClaimRow, ImageState};
use crate::lists::Page;
use crate::packages::number;

/// A verdict over a time.
#[derive(Debug, Clone, PartialEq)]
pub struct VerdictRow {
    /// From when on.
    pub since: i64,
    /// Until when, if it is over.
    pub until: Option<i64>,
    /// The verdict; its owner is not filled in.
    pub state: ImageState,
}

/// What a name stood for over a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRow {
    /// The name.
    pub name: String,
    /// From when on.
    pub since: i64,
    /// Until when, if it is over.
    pub until: Option<i64>,
    /// The image's digest.
    pub image: String,
}

/// What verdicts may be filtered by.
pub const VERDICT_FACTS: &[FilterFact] = &[
    FilterFact::moment("since", "since_at"),
    FilterFact::moment("until", "until_at").optional(),
    FilterFact::text("outcome", "outcome"),
    FilterFact::int("violations", "violations"),
    FilterFact::int("findings", "findings"),
    FilterFact::double("risk", "risk"),
];

/// What claims may be filtered by.
pub const CLAIM_FACTS: &[FilterFact] = &[
    FilterFact::text("digest", "digest"),
    FilterFact::text("claimed_by", "claimed_by"),
    FilterFact::moment("claimed_at", "claimed_at"),
    FilterFact::text("tool", "tool"),
    FilterFact::text("inventory_digest", "inventory_digest"),
    FilterFact::text("outcome", "outcome"),
];

/// What tags may be filtered by.
pub const TAG_FACTS: &[FilterFact] = &[
    FilterFact::text("name", "tag.name"),
    FilterFact::moment("since", "tag.since_at"),
    FilterFact::moment("until", "tag.until_at").optional(),
    FilterFact::text("image", "image.digest"),
];

impl Store {
    /// Who claimed what of an image, oldest first.
    pub async fn claims(&self, image: u32, filter: &Filter) -> Result<Vec<ClaimRow>, StoreError> {
        let mut rows = Where::new("image_id = $1", [i64::from(image).into()]);
        rows.filter(filter);
        rows.then("ORDER BY claimed_at, digest", []);
        let query = rows.query(
            "SELECT digest, image_id, claimed_by, claimed_at, tool, inventory_digest, outcome, outcome_at FROM claim",
        );
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(ClaimRow {
                    digest: row.try_get(0)?,
                    image: number(row.try_get(1)?),
                    claimed_by: row.try_get(2)?,
                    claimed_at: row.try_get(3)?,
                    tool: row.try_get(4)?,
                    inventory_digest: row.try_get(5)?,
                    outcome: row.try_get(6)?,
                    outcome_at: row.try_get(7)?,
                })
            })
            .collect()
    }

    /// The verdicts on an image, oldest first.
    pub async fn verdicts(&self, image: u32, filter: &Filter) -> Result<Vec<VerdictRow>, StoreError> {
        let mut rows = Where::new("image_id = $1", [i64::from(image).into()]);
        rows.filter(filter);
        rows.then("ORDER BY since_at", []);
        let query = rows.query(
            "SELECT since_at, until_at, outcome, violations, findings, critical, high, risk, judged_with FROM verdict",
        );
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(VerdictRow { since: row.try_get(0)?, until: row.try_get(1)?, state: ImageState::read(row, 2)? })
            })
            .collect()
    }

    /// A page of what names stood for over time, by name and oldest first. A name is as visible as what it stood for. `after` is
    /// `NAME`, a character 1, and the moment.
    pub async fn tags(&self, page: Page<'_>, filter: &Filter) -> Result<Vec<TagRow>, StoreError> {
        let (name, since) = page.after.split_once('\u{1}').unwrap_or(("", "0"));
        let mut rows = Where::new("tag.since_at <= $1", [page.at.into()]);
        let since: i64 = since.parse().unwrap_or(0);
        rows.and("(tag.name > $$ OR (tag.name = $$ AND tag.since_at > $$))", [name.into(), name.into(), since.into()]);
        rows.scope(page.scope, str::to_owned);
        rows.filter(filter);
        rows.then("ORDER BY tag.name, tag.since_at LIMIT $$", [page.count.into()]);
        let query = rows.query(
            "SELECT tag.name, tag.since_at, tag.until_at, image.digest FROM tag JOIN image ON image.id = tag.image_id",
        );
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(TagRow {
                    name: row.try_get(0)?,
                    since: row.try_get(1)?,
                    until: row.try_get(2)?,
                    image: row.try_get(3)?,
                })
            })
            .collect()
    }
}
