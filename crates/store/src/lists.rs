//! What people ask for: pages of images, findings and vulnerabilities, now or as of any moment.
//!
//! Lists are sorted by stored keys only and continue after the last row's key, so a page costs the same wherever it is.

use condition::{FactType, SqlValue};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::Store;
use crate::error::StoreError;
use crate::filter::{Asked, Filter, FilterFact, Where, packages_of};
use crate::images::{ImageState, Ownership};
use crate::packages::number;

/// Which page, as of when, and what of it the caller may see.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// As of when, in microseconds since 1970; `i64::MAX` means now.
    pub at: i64,
    /// Empty for everything, `team:NAME`, `system:NAME`.
    pub scope: &'a str,
    /// The key of the last row of the page before; empty for the first page.
    pub after: &'a str,
    /// How many rows.
    pub count: i64,
}

impl Page<'_> {
    pub(crate) fn is_now(&self) -> bool {
        self.at == i64::MAX
    }

    /// The number that the last row of the page before has.
    pub(crate) fn after_number(&self) -> SqlValue {
        self.after.parse().unwrap_or(0i64).into()
    }
}

/// How images are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageOrder {
    /// The oldest first.
    Age,
    /// The highest risk first.
    Risk,
}

/// What images may be filtered by.
pub const IMAGE_FACTS: &[FilterFact] = &[
    FilterFact::text("digest", "digest"),
    FilterFact::text("kind", "kind"),
    FilterFact::text("name", "name"),
    FilterFact::text("base", "base"),
    FilterFact::text("outcome", "outcome"),
    FilterFact::int("violations", "violations"),
    FilterFact::int("findings", "findings"),
    FilterFact::int("critical", "critical"),
    FilterFact::int("high", "high"),
    FilterFact::double("risk", "risk"),
    FilterFact::text("team", "team"),
    FilterFact::text("system", "system"),
    FilterFact::text("component", "component"),
    FilterFact::int("running", "running"),
    FilterFact::moment("first_seen", "first_at"),
    FilterFact::text("first_stage", "first_stage"),
    FilterFact::moment("judged_at", "judged_at"),
];

/// What findings of an image may be filtered by.
pub const FINDING_FACTS: &[FilterFact] = &[
    FilterFact::text("package", "package.purl"),
    FilterFact::int("layer", "image_layer.position"),
    FilterFact::text("diff_id", "COALESCE(layer.diff_id, '')"),
    FilterFact::text("layer_team", "COALESCE(ownership.team, '')"),
    FilterFact::moment("since", "finding.since_at"),
    FilterFact::double("score", "finding.score"),
    FilterFact::new(FactType::Bool, "fixable", "finding.fixable <> 0"),
    FilterFact::text("finding.id", "finding.vulnerability"),
    FilterFact::new(FactType::Severity, "finding.severity", "finding.severity"),
];

/// What vulnerabilities may be filtered by.
pub const VULNERABILITY_FACTS: &[FilterFact] = &[
    FilterFact::text("id", "vulnerability"),
    FilterFact::new(FactType::Severity, "severity", "MAX(severity)"),
    FilterFact::double("score", "MAX(score)"),
    FilterFact::int("packages", "COUNT(*)"),
    FilterFact::int("fixable", "CAST(SUM(fixable) AS BIGINT)"),
];

/// An image in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedImage {
    /// Its number.
    pub id: u32,
    /// Its digest.
    pub digest: String,
    /// `image`, `sbom`, …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its base, or empty.
    pub base: String,
    /// When it was first seen.
    pub first_at: i64,
    /// Where: `build`, `registry`, `running`.
    pub first_stage: String,
    /// How many workloads run it now.
    pub running: i64,
    /// What it was judged, and whose it is.
    pub state: ImageState,
    /// When it was judged.
    pub judged_at: i64,
}

/// A finding of an image in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedFinding {
    /// The vulnerability.
    pub vulnerability: String,
    /// The package's number.
    pub package: u32,
    /// The package's URL.
    pub purl: String,
    /// The layer that brings it, counted from 0; the first where it is in none.
    pub layer: u32,
    /// That layer's diff id, or empty.
    pub diff_id: String,
    /// That layer's team, or empty.
    pub layer_team: String,
    /// Since when it is known.
    pub since: i64,
    /// The highest score that anybody gave.
    pub score: f64,
    /// A version without it has been published.
    pub fixable: bool,
    /// The finding, as JSON.
    pub body: String,
}

/// A vulnerability in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct VulnerabilityRow {
    /// Its id.
    pub vulnerability: String,
    /// The highest severity that it has in any package, as a number.
    pub severity: i64,
    /// The highest score.
    pub score: f64,
    /// How many package versions have it.
    pub packages: i64,
    /// In how many of them it can be fixed.
    pub fixable: i64,
}

/// Images as they are, or were at the moment `$1`.
pub(crate) fn images_at(is_now: bool) -> &'static str {
    if is_now {
        "(SELECT id, digest, kind, name, base, base_digest, first_at, first_stage, running, outcome, violations, findings, critical, high,
           risk, judged_with, team, system, component, judged_at FROM image WHERE first_at <= $1)"
    } else {
        "(SELECT image.id, image.digest, image.kind, image.name, image.base, image.base_digest, image.first_at, image.first_stage,
           (SELECT COUNT(*) FROM workload WHERE workload.image_digest = image.digest AND workload.since_at <= $1
              AND (workload.until_at IS NULL OR workload.until_at > $1)) AS running,
           verdict.outcome, verdict.violations, verdict.findings, verdict.critical, verdict.high, verdict.risk,
           verdict.judged_with, COALESCE(ownership.team, '') AS team, COALESCE(ownership.system, '') AS system,
           COALESCE(ownership.component, '') AS component, verdict.since_at AS judged_at
         FROM image
         JOIN verdict ON verdict.image_id = image.id AND verdict.since_at <= $1
           AND (verdict.until_at IS NULL OR verdict.until_at > $1)
         LEFT JOIN ownership ON ownership.subject = 'image:' || CAST(image.id AS TEXT) AND ownership.since_at <= $1
           AND (ownership.until_at IS NULL OR ownership.until_at > $1)
         WHERE image.first_at <= $1)"
    }
}

pub(crate) const LISTED: &str = "id, digest, kind, name, base, first_at, first_stage, running, outcome, violations, findings, critical, high, \
                      risk, judged_with, team, system, component, judged_at";

pub(crate) fn listed(row: &AnyRow) -> Result<ListedImage, StoreError> {
    Ok(ListedImage {
        id: number(row.try_get(0)?),
        digest: row.try_get(1)?,
        kind: row.try_get(2)?,
        name: row.try_get(3)?,
        base: row.try_get(4)?,
        first_at: row.try_get(5)?,
        first_stage: row.try_get(6)?,
        running: row.try_get(7)?,
        state: ImageState { owner: Ownership::read(row, 15)?, ..ImageState::read(row, 8)? },
        judged_at: row.try_get(18)?,
    })
}

fn finding(row: &AnyRow) -> Result<ListedFinding, StoreError> {
    Ok(ListedFinding {
        vulnerability: row.try_get(0)?,
        package: number(row.try_get(1)?),
        purl: row.try_get(2)?,
        layer: number(row.try_get(3)?),
        diff_id: row.try_get(4)?,
        layer_team: row.try_get(5)?,
        since: row.try_get(6)?,
        score: row.try_get(7)?,
        fixable: row.try_get::<i64, _>(8)? != 0,
        body: row.try_get(9)?,
    })
}

/// The query of a page of images.
fn images_query(page: Page<'_>, order: ImageOrder, filter: &Filter) -> Asked {
    let mut rows = Where::new("1 = 1", [page.at.into()]);
    rows.scope(page.scope, str::to_owned);
    rows.filter(filter);
    match order {
        ImageOrder::Age => {
            rows.and("id > $$", [page.after_number()]);
            rows.then("ORDER BY id", []);
        }
        ImageOrder::Risk => {
            if let Some((risk, id)) = page.after.split_once(',') {
                let risk = SqlValue::Double(risk.parse().unwrap_or(f64::MAX));
                let id = id.parse().unwrap_or(0i64).into();
                rows.and("risk <= $$ AND (risk < $$ OR id > $$)", [risk.clone(), risk, id]);
            }
            rows.then("ORDER BY risk DESC, id", []);
        }
    }
    rows.then("LIMIT $$", [page.count.into()]);
    rows.query(&format!("SELECT {LISTED} FROM {} AS listed", images_at(page.is_now())))
}

impl Store {
    /// A page of images.
    pub async fn list_images(
        &self,
        page: Page<'_>,
        order: ImageOrder,
        filter: &Filter,
    ) -> Result<Vec<ListedImage>, StoreError> {
        images_query(page, order, filter).fetch_all(&self.pool).await?.iter().map(listed).collect()
    }

    /// One image by its digest.
    pub async fn find_image(&self, page: Page<'_>, digest: &str) -> Result<Option<ListedImage>, StoreError> {
        let mut rows = Where::new("digest = $2", [page.at.into(), digest.into()]);
        rows.scope(page.scope, str::to_owned);
        let query = rows.query(&format!("SELECT {LISTED} FROM {} AS listed", images_at(page.is_now())));
        query.fetch_optional(&self.pool).await?.as_ref().map(listed).transpose()
    }

    /// The digest that a tag stood for at a moment.
    pub async fn tagged(&self, name: &str, at: i64) -> Result<Option<String>, StoreError> {
        let row = sqlx::query(
            "SELECT image.digest FROM tag JOIN image ON image.id = tag.image_id
             WHERE tag.name = $1 AND tag.since_at <= $2 AND (tag.until_at IS NULL OR tag.until_at > $2)",
        )
        .bind(name)
        .bind(at)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// A page of an image's findings, by vulnerability and package. `after` is `VULNERABILITY,PACKAGE`.
    pub async fn list_findings(
        &self,
        page: Page<'_>,
        image: u32,
        filter: &Filter,
    ) -> Result<Vec<ListedFinding>, StoreError> {
        let (vulnerability, package) = page.after.rsplit_once(',').unwrap_or(("", "0"));
        let mut rows = Where::new("image_layer.image_id = $2", [page.at.into(), i64::from(image).into()]);
        let package: i64 = package.parse().unwrap_or(0);
        rows.and(
            "(finding.vulnerability > $$ OR (finding.vulnerability = $$ AND finding.package_id > $$))",
            [vulnerability.into(), vulnerability.into(), package.into()],
        );
        rows.filter(filter);
        rows.then("ORDER BY finding.vulnerability, finding.package_id LIMIT $$", [page.count.into()]);
        let query = rows.query(
            "SELECT finding.vulnerability, finding.package_id, package.purl, image_layer.position,
               COALESCE(layer.diff_id, ''), COALESCE(ownership.team, ''), finding.since_at, finding.score, finding.fixable,
               finding.body
             FROM image_layer
             JOIN package_set_member ON package_set_member.set_id = image_layer.set_id
             JOIN finding ON finding.package_id = package_set_member.package_id AND finding.since_at <= $1
               AND (finding.until_at IS NULL OR finding.until_at > $1)
             JOIN package ON package.id = finding.package_id
             LEFT JOIN layer ON layer.id = image_layer.layer_id
             LEFT JOIN ownership ON ownership.subject = 'layer:' || CAST(image_layer.layer_id AS TEXT)
               AND ownership.since_at <= $1 AND (ownership.until_at IS NULL OR ownership.until_at > $1)",
        );
        query.fetch_all(&self.pool).await?.iter().map(finding).collect()
    }

    /// A page of vulnerabilities, by id: those in package versions that the scope sees, as they are in these.
    pub async fn list_vulnerabilities(
        &self,
        page: Page<'_>,
        filter: &Filter,
    ) -> Result<Vec<VulnerabilityRow>, StoreError> {
        let mut rows = Where::new("since_at <= $1 AND (until_at IS NULL OR until_at > $1)", [page.at.into()]);
        rows.and("vulnerability > $$", [page.after.into()]);
        rows.scope(page.scope, |owner| format!("package_id IN ({})", packages_of(owner, page.is_now())));
        rows.then("GROUP BY vulnerability HAVING 1 = 1", []);
        rows.filter(filter);
        rows.then("ORDER BY vulnerability LIMIT $$", [page.count.into()]);
        let query = rows.query(
            "SELECT vulnerability, MAX(severity), MAX(score), COUNT(*), CAST(SUM(fixable) AS BIGINT) FROM finding",
        );
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(VulnerabilityRow {
                    vulnerability: row.try_get(0)?,
                    severity: row.try_get(1)?,
                    score: row.try_get(2)?,
                    packages: row.try_get(3)?,
                    fixable: row.try_get(4)?,
                })
            })
            .collect()
    }

    /// The layer with this diff id, or this chain; the lowest where several have it.
    pub async fn layer(&self, digest: &str) -> Result<Option<u32>, StoreError> {
        let row = sqlx::query("SELECT id FROM layer WHERE diff_id = $1 OR chain = $1 ORDER BY id LIMIT 1")
            .bind(digest)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| row.try_get(0).map(number)).transpose()?)
    }

    /// The teams that own an image or layer at a moment (`image:N`, `layer:N`).
    pub async fn owner(&self, subject: &str, at: i64) -> Result<Option<Ownership>, StoreError> {
        let row = sqlx::query(
            "SELECT team, system, component, how FROM ownership WHERE subject = $1 AND since_at <= $2
             AND (until_at IS NULL OR until_at > $2)",
        )
        .bind(subject)
        .bind(at)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok(Ownership { how: row.try_get(3)?, ..Ownership::read(&row, 0)? })).transpose()
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Execute};

    use super::*;

    async fn plan(store: &Store, filter: &str) -> String {
        let filter = Filter::compile(filter, IMAGE_FACTS).expect("a filter");
        let page = Page { at: i64::MAX, scope: "", after: "7", count: 101 };
        let text = images_query(page, ImageOrder::Age, &filter).sql().as_str().to_owned();
        let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"))).fetch_all(&store.pool).await;
        rows.expect("a plan").iter().map(|row| row.get::<String, _>(3) + "\n").collect()
    }

    #[tokio::test]
    async fn equality_uses_the_index_and_needs_no_sorting() {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite:{}", directory.path().join("p.db").display());
        let store = Store::open(&url).await.expect("a store");
        for fact in ["team", "system", "base", "name"] {
            let plan = plan(&store, &format!("{fact} == 'x' && running > 0")).await;
            assert_eq!(plan, format!("SEARCH image USING INDEX image_{fact} ({fact}=? AND id>?)\n"), "{fact}");
        }
        let plain = plan(&store, "true").await;
        assert_eq!(plain, "SEARCH image USING INDEX sqlite_autoindex_image_1 (id>?)\n");
    }
}
