//! What is wrong with package versions, and scores, over time.

use futures_util::{Stream, StreamExt};
use sqlx::{AssertSqlSafe, Row};

use crate::bulk::insert;
use crate::error::StoreError;
use crate::filter::{Filter, FilterFact, Where, packages_of};
use crate::packages::number;
use crate::{Store, Write};

/// One vulnerability in one package version, as it is told from a moment on.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingRow {
    /// The package.
    pub package: u32,
    /// The vulnerability's id.
    pub vulnerability: String,
    /// The finding, as JSON.
    pub body: String,
    /// From when on.
    pub since: i64,
    /// Until when, if it is over.
    pub until: Option<i64>,
}

/// A finding that begins or ends now.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingUpdate {
    /// The package.
    pub package: u32,
    /// The vulnerability's id.
    pub vulnerability: String,
    /// How it is told from now on; none when it ends.
    pub now: Option<NowTold>,
    /// Whether it was there before.
    pub was_there: bool,
}

/// How a finding is told, with what lists are filtered and sorted by.
pub type NowTold = (String, i64, f64, bool);

/// A score from a moment on.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreRow {
    /// The CVE.
    pub vulnerability: String,
    /// Scorer and version: `NVD 3.1`, `EPSS`, `KEV`.
    pub scorer: String,
    /// The score; of KEV 1.
    pub score: Option<f64>,
    /// The vector, the date it was added to KEV, the percentile.
    pub detail: String,
    /// From when on.
    pub since: i64,
    /// Until when, if it is over.
    pub until: Option<i64>,
}

/// What scores may be filtered by.
pub const SCORE_FACTS: &[FilterFact] = &[
    FilterFact::text("scorer", "scorer"),
    FilterFact::double("score", "score"),
    FilterFact::text("detail", "detail"),
    FilterFact::moment("since", "since_at"),
    FilterFact::moment("until", "until_at").optional(),
];

impl Write {
    /// Ends and begins findings.
    pub async fn update_findings(&mut self, updates: &[FindingUpdate]) -> Result<(), StoreError> {
        let at = self.at;
        for update in updates.iter().filter(|update| update.was_there) {
            sqlx::query(
                "UPDATE finding SET until_at = $1 WHERE package_id = $2 AND vulnerability = $3 AND until_at IS NULL",
            )
            .bind(at)
            .bind(i64::from(update.package))
            .bind(update.vulnerability.as_str())
            .execute(&mut *self.tx)
            .await?;
        }
        let new: Vec<(&FindingUpdate, &NowTold)> =
            updates.iter().filter_map(|update| Some((update, update.now.as_ref()?))).collect();
        let head = "INSERT INTO finding (package_id, vulnerability, since_at, severity, score, fixable, body)";
        insert(&mut self.tx, head, 7, "", &new, |query, (update, (body, severity, score, fixable))| {
            query
                .bind(i64::from(update.package))
                .bind(update.vulnerability.clone())
                .bind(at)
                .bind(*severity)
                .bind(*score)
                .bind(i64::from(*fixable))
                .bind(body.clone())
        })
        .await
    }

    /// Notes scores as they are from now on. What is known already is left alone.
    pub async fn update_scores(&mut self, scores: &[(String, String, Option<f64>, String)]) -> Result<(), StoreError> {
        let at = self.at;
        let mut new = Vec::new();
        for told in scores {
            let (vulnerability, scorer, score, detail) = told;
            let known = sqlx::query(
                "SELECT score, detail FROM score WHERE vulnerability = $1 AND scorer = $2 AND until_at IS NULL",
            )
            .bind(vulnerability.as_str())
            .bind(scorer.as_str())
            .fetch_optional(&mut *self.tx)
            .await?;
            let known: Option<(f64, String)> =
                known.map(|row| Ok::<_, StoreError>((row.try_get(0)?, row.try_get(1)?))).transpose()?;
            if known == score.map(|score| (score, detail.clone())) {
                continue;
            }
            new.extend(score.is_some().then_some(told));
            sqlx::query("UPDATE score SET until_at = $1 WHERE vulnerability = $2 AND scorer = $3 AND until_at IS NULL")
                .bind(at)
                .bind(vulnerability.as_str())
                .bind(scorer.as_str())
                .execute(&mut *self.tx)
                .await?;
        }
        let head = "INSERT INTO score (vulnerability, scorer, since_at, score, detail)";
        insert(
            &mut self.tx,
            head,
            5,
            "ON CONFLICT DO NOTHING",
            &new,
            |query, (vulnerability, scorer, score, detail)| {
                query
                    .bind(vulnerability.clone())
                    .bind(scorer.clone())
                    .bind(at)
                    .bind(score.unwrap_or_default())
                    .bind(detail.clone())
            },
        )
        .await
    }
}

fn row(row: &sqlx::any::AnyRow) -> Result<FindingRow, StoreError> {
    Ok(FindingRow {
        package: number(row.try_get(0)?),
        vulnerability: row.try_get(1)?,
        body: row.try_get(2)?,
        since: row.try_get(3)?,
        until: row.try_get(4)?,
    })
}

const COLUMNS: &str = "package_id, vulnerability, body, since_at, until_at";

impl Store {
    /// The findings in force.
    pub fn findings(&self) -> impl Stream<Item = Result<FindingRow, StoreError>> + '_ {
        let text = format!("SELECT {COLUMNS} FROM finding WHERE until_at IS NULL ORDER BY package_id, vulnerability");
        sqlx::query(AssertSqlSafe(text)).fetch(&self.pool).map(|found| row(&found?))
    }

    /// The findings that began or ended after a moment.
    pub async fn findings_after(&self, at: i64) -> Result<Vec<FindingRow>, StoreError> {
        let text = format!("SELECT {COLUMNS} FROM finding WHERE since_at > $1 OR until_at > $1 ORDER BY since_at");
        sqlx::query(AssertSqlSafe(text)).bind(at).fetch_all(&self.pool).await?.iter().map(row).collect()
    }

    /// How the scores of a vulnerability went, oldest first. A scope sees those of what is in its images now: which others are known here
    /// is not for it to see.
    pub async fn scores(&self, vulnerability: &str, scope: &str, filter: &Filter) -> Result<Vec<ScoreRow>, StoreError> {
        let mut rows = Where::new("vulnerability = $2", [i64::MAX.into(), vulnerability.into()]);
        rows.scope(scope, |owner| {
            let packages = packages_of(owner, true);
            format!(
                "vulnerability IN (SELECT finding.vulnerability FROM finding WHERE finding.vulnerability = $2
               AND finding.until_at IS NULL AND finding.package_id IN ({packages}))"
            )
        });
        rows.filter(filter);
        rows.then("ORDER BY since_at, scorer", []);
        let query = rows.query("SELECT vulnerability, scorer, score, detail, since_at, until_at FROM score");
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(ScoreRow {
                    vulnerability: row.try_get(0)?,
                    scorer: row.try_get(1)?,
                    score: Some(row.try_get(2)?),
                    detail: row.try_get(3)?,
                    since: row.try_get(4)?,
                    until: row.try_get(5)?,
                })
            })
            .collect()
    }
}
