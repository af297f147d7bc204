//! What people ask for: pages of images, findings, vulnerabilities and dependents, now or as of any moment.
//!
//! Lists are sorted by stored keys only and continue after the last row's key, so a page costs the same wherever it is.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use crate::Store;
use crate::error::StoreError;
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
    fn is_now(&self) -> bool {
        self.at == i64::MAX
    }
}

/// What an image must be to be listed; what is empty is not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageFilter {
    /// A part of its name.
    pub name: String,
    /// Its team.
    pub team: String,
    /// Its system.
    pub system: String,
    /// Its outcome.
    pub outcome: String,
    /// The base it is built on.
    pub base: String,
    /// Only those that run.
    pub running: bool,
    /// By risk, the highest first; else by age, the oldest first.
    pub by_risk: bool,
}

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

/// Who stands on something.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dependents {
    /// A page of the images, by number.
    pub images: Vec<ListedImage>,
    /// How many there are by team and system: `(team, system, images, running)`.
    pub teams: Vec<(String, String, i64, i64)>,
    /// How many workloads by environment: `(environment, production, workloads)`.
    pub environments: Vec<(String, bool, i64)>,
}

/// The condition that a scope means, and the value to bind last.
pub(crate) fn scope_column(scope: &str) -> (&'static str, String) {
    match scope.split_once(':') {
        Some(("team", team)) => ("AND team = $4", team.to_owned()),
        Some(("system", system)) => ("AND system = $4", system.to_owned()),
        _ => ("", String::new()),
    }
}

/// Images as they are, or were at the moment `$1`.
fn images_at(is_now: bool) -> &'static str {
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

const LISTED: &str = "id, digest, kind, name, base, first_at, first_stage, running, outcome, violations, findings, critical, high, \
                      risk, judged_with, team, system, component, judged_at";

fn listed(row: &AnyRow) -> Result<ListedImage, StoreError> {
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

/// Conditions with their values, numbered as they are added.
struct Conditions {
    text: String,
    values: Vec<String>,
    from: usize,
}

impl Conditions {
    /// Numbers begin after those that are bound before.
    fn after(bound: usize) -> Self {
        Self { text: String::new(), values: Vec::new(), from: bound }
    }

    fn add(&mut self, condition: &str, value: &str) {
        if !value.is_empty() {
            self.values.push(value.to_owned());
            let place = format!("${}", self.from + self.values.len());
            self.text.push_str(&format!(" AND {}", condition.replace("$$", &place)));
        }
    }

    fn scope(&mut self, scope: &str) {
        match scope.split_once(':') {
            Some(("team", team)) => self.add("team = $$", team),
            Some(("system", system)) => self.add("system = $$", system),
            _ => {}
        }
    }
}

impl Store {
    /// A page of images.
    pub async fn list_images(&self, page: Page<'_>, filter: &ImageFilter) -> Result<Vec<ListedImage>, StoreError> {
        let mut conditions = Conditions::after(2);
        conditions.scope(page.scope);
        conditions.add("LOWER(name) LIKE '%' || LOWER($$) || '%'", &filter.name);
        conditions.add("team = $$", &filter.team);
        conditions.add("system = $$", &filter.system);
        conditions.add("outcome = $$", &filter.outcome);
        conditions.add("base = $$", &filter.base);
        if filter.running {
            conditions.text.push_str(" AND running > 0");
        }
        let order = if filter.by_risk {
            if let Some((risk, id)) = page.after.split_once(',') {
                conditions.add("risk <= CAST($$ AS DOUBLE PRECISION)", risk);
                let place = conditions.from + conditions.values.len();
                conditions.add(&format!("(risk < CAST(${place} AS DOUBLE PRECISION) OR id > CAST($$ AS BIGINT))"), id);
            }
            "risk DESC, id"
        } else {
            conditions.add("id > CAST($$ AS BIGINT)", page.after);
            "id"
        };
        let text = format!(
            "SELECT {LISTED} FROM {} AS listed WHERE 1 = 1{} ORDER BY {order} LIMIT $2",
            images_at(page.is_now()),
            conditions.text
        );
        let mut query = sqlx::query(AssertSqlSafe(text)).bind(page.at).bind(page.count);
        for value in conditions.values {
            query = query.bind(value);
        }
        query.fetch_all(&self.pool).await?.iter().map(listed).collect()
    }

    /// One image by its digest or its number.
    pub async fn find_image(&self, page: Page<'_>, digest: &str) -> Result<Option<ListedImage>, StoreError> {
        let mut conditions = Conditions::after(2);
        conditions.scope(page.scope);
        let text =
            format!("SELECT {LISTED} FROM {} AS listed WHERE digest = $2{}", images_at(page.is_now()), conditions.text);
        let mut query = sqlx::query(AssertSqlSafe(text)).bind(page.at).bind(digest);
        for value in conditions.values {
            query = query.bind(value);
        }
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
    pub async fn list_findings(&self, page: Page<'_>, image: u32) -> Result<Vec<ListedFinding>, StoreError> {
        let (vulnerability, package) = page.after.rsplit_once(',').unwrap_or(("", "0"));
        let rows = sqlx::query(
            "SELECT finding.vulnerability, finding.package_id, package.purl, image_layer.position,
               COALESCE(layer.diff_id, ''), COALESCE(ownership.team, ''), finding.since_at, finding.body
             FROM image_layer
             JOIN package_set_member ON package_set_member.set_id = image_layer.set_id
             JOIN finding ON finding.package_id = package_set_member.package_id AND finding.since_at <= $1
               AND (finding.until_at IS NULL OR finding.until_at > $1)
             JOIN package ON package.id = finding.package_id
             LEFT JOIN layer ON layer.id = image_layer.layer_id
             LEFT JOIN ownership ON ownership.subject = 'layer:' || CAST(image_layer.layer_id AS TEXT)
               AND ownership.since_at <= $1 AND (ownership.until_at IS NULL OR ownership.until_at > $1)
             WHERE image_layer.image_id = $2
               AND (finding.vulnerability > $3 OR (finding.vulnerability = $3 AND finding.package_id > CAST($4 AS BIGINT)))
             ORDER BY finding.vulnerability, finding.package_id LIMIT $5",
        )
        .bind(page.at)
        .bind(i64::from(image))
        .bind(vulnerability)
        .bind(package)
        .bind(page.count)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(ListedFinding {
                    vulnerability: row.try_get(0)?,
                    package: number(row.try_get(1)?),
                    purl: row.try_get(2)?,
                    layer: number(row.try_get(3)?),
                    diff_id: row.try_get(4)?,
                    layer_team: row.try_get(5)?,
                    since: row.try_get(6)?,
                    body: row.try_get(7)?,
                })
            })
            .collect()
    }

    /// A page of vulnerabilities, by id.
    pub async fn list_vulnerabilities(&self, page: Page<'_>) -> Result<Vec<VulnerabilityRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT vulnerability, MAX(severity), MAX(score), COUNT(*), CAST(SUM(fixable) AS BIGINT) FROM finding
             WHERE vulnerability > $1 AND since_at <= $2 AND (until_at IS NULL OR until_at > $2)
             GROUP BY vulnerability ORDER BY vulnerability LIMIT $3",
        )
        .bind(page.after)
        .bind(page.at)
        .bind(page.count)
        .fetch_all(&self.pool)
        .await?;
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

    /// Who stands on a base image (`image`: digest or name), a layer (`layer`: diff id), a package (`package`: name or package URL)
    /// or has a vulnerability (`vulnerability`: its id). The page's scope is not asked: who stands on what is for its owner to know.
    pub async fn dependents(&self, page: Page<'_>, what: &str, value: &str) -> Result<Option<Dependents>, StoreError> {
        let on_sets = |packages: &str| {
            format!(
                "SELECT image_layer.image_id FROM image_layer WHERE image_layer.set_id IN
                   (SELECT package_set_member.set_id FROM package_set_member WHERE package_set_member.package_id IN ({packages}))"
            )
        };
        let ids = match what {
            "image" => "SELECT id FROM image WHERE base = $2 OR base_digest = $2
                 UNION SELECT above.image_id FROM image_layer AS above
                   JOIN image_layer AS top ON top.layer_id = above.layer_id AND top.layer_id > 0
                   JOIN image AS under ON under.id = top.image_id AND (under.digest = $2 OR under.name = $2)
                 WHERE above.image_id <> under.id
                   AND top.position = (SELECT MAX(position) FROM image_layer WHERE image_id = under.id)"
                .to_owned(),
            "layer" => "SELECT image_layer.image_id FROM image_layer JOIN layer ON layer.id = image_layer.layer_id
                 WHERE layer.diff_id = $2 OR layer.chain = $2"
                .to_owned(),
            "package" => on_sets(
                "SELECT package.id FROM package WHERE package.name = $2 OR package.purl = $2
                 UNION SELECT package_query.package_id FROM package_query WHERE package_query.name = $2",
            ),
            "vulnerability" => on_sets(
                "SELECT finding.package_id FROM finding WHERE finding.vulnerability = $2 AND finding.since_at <= $1
                   AND (finding.until_at IS NULL OR finding.until_at > $1)",
            ),
            _ => return Ok(None),
        };
        let from = format!("{} AS listed WHERE id IN ({ids})", images_at(page.is_now()));
        let text = format!("SELECT {LISTED} FROM {from} AND id > CAST($3 AS BIGINT) ORDER BY id LIMIT $4");
        let after = if page.after.is_empty() { "0" } else { page.after };
        let rows = sqlx::query(AssertSqlSafe(text)).bind(page.at).bind(value).bind(after).bind(page.count);
        let images = rows.fetch_all(&self.pool).await?.iter().map(listed).collect::<Result<_, _>>()?;
        let text = format!(
            "SELECT team, system, COUNT(*), CAST(SUM(CASE WHEN running > 0 THEN 1 ELSE 0 END) AS BIGINT) FROM {from}
             GROUP BY team, system ORDER BY team, system"
        );
        let rows = sqlx::query(AssertSqlSafe(text)).bind(page.at).bind(value).fetch_all(&self.pool).await?;
        let teams = rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?)))
            .collect::<Result<_, StoreError>>()?;
        let text = format!(
            "SELECT environment, production, COUNT(*) FROM workload WHERE since_at <= $1 AND (until_at IS NULL OR until_at > $1)
             AND image_digest IN (SELECT digest FROM image WHERE id IN ({ids}))
             GROUP BY environment, production ORDER BY environment, production"
        );
        let rows = sqlx::query(AssertSqlSafe(text)).bind(page.at).bind(value).fetch_all(&self.pool).await?;
        let environments = rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get::<i64, _>(1)? != 0, row.try_get(2)?)))
            .collect::<Result<_, StoreError>>()?;
        Ok(Some(Dependents { images, teams, environments }))
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
