//! Who stands on something.

use sqlx::Row;

use crate::Store;
use crate::error::StoreError;
use crate::filter::{Filter, FilterFact, Where};
use crate::lists::{LISTED, ListedImage, Page, images_at, listed};

/// What images that stand on something may be filtered by: what everybody may know of them, and no more.
pub const DEPENDENT_FACTS: &[FilterFact] = &[
    FilterFact::text("digest", "digest"),
    FilterFact::text("name", "name"),
    FilterFact::text("team", "team"),
    FilterFact::text("system", "system"),
    FilterFact::int("running", "running"),
];

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

impl Store {
    /// Who stands on a base image (`image`: digest or name), a layer (`layer`: diff id), a package (`package`: name or package URL)
    /// or has a vulnerability (`vulnerability`: its id). The page's scope is not asked: who stands on what is for its owner to know.
    /// What is counted is what the filter lets through, on all pages.
    pub async fn dependents(
        &self,
        page: Page<'_>,
        what: &str,
        value: &str,
        filter: &Filter,
    ) -> Result<Option<Dependents>, StoreError> {
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
        let from = format!("{} AS listed", images_at(page.is_now()));
        let mut rows = Where::new(&format!("id IN ({ids})"), [page.at.into(), value.into()]);
        rows.filter(filter);
        Ok(Some(Dependents {
            images: self.dependent_images(&from, rows.clone(), page).await?,
            teams: self.dependent_teams(&from, rows.clone()).await?,
            environments: self.dependent_environments(&from, rows).await?,
        }))
    }

    async fn dependent_images(
        &self,
        from: &str,
        mut rows: Where,
        page: Page<'_>,
    ) -> Result<Vec<ListedImage>, StoreError> {
        rows.and("id > $$", [page.after_number()]);
        rows.then("ORDER BY id LIMIT $$", [page.count.into()]);
        let query = rows.query(&format!("SELECT {LISTED} FROM {from}"));
        query.fetch_all(&self.pool).await?.iter().map(listed).collect()
    }

    async fn dependent_teams(
        &self,
        from: &str,
        mut rows: Where,
    ) -> Result<Vec<(String, String, i64, i64)>, StoreError> {
        rows.then("GROUP BY team, system ORDER BY team, system", []);
        let query = rows.query(&format!(
            "SELECT team, system, COUNT(*), CAST(SUM(CASE WHEN running > 0 THEN 1 ELSE 0 END) AS BIGINT) FROM {from}"
        ));
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))).collect()
    }

    async fn dependent_environments(
        &self,
        from: &str,
        mut rows: Where,
    ) -> Result<Vec<(String, bool, i64)>, StoreError> {
        rows.then(") GROUP BY environment, production ORDER BY environment, production", []);
        let query = rows.query(&format!(
            "SELECT environment, production, COUNT(*) FROM workload
             WHERE since_at <= $1 AND (until_at IS NULL OR until_at > $1) AND image_digest IN (SELECT digest FROM {from}"
        ));
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get::<i64, _>(1)? != 0, row.try_get(2)?))).collect()
    }
}
