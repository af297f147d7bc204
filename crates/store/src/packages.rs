//! Package versions, and the sets of them that layers bring.

use std::collections::HashMap;

use futures_util::{Stream, StreamExt};
use sqlx::Row;

use crate::bulk::{ask, insert};
use crate::error::StoreError;
use crate::{Store, Write};

/// A package version to remember.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPackage {
    /// Digest over everything that matching looks at: equal means "matches alike, for ever".
    pub key: String,
    /// Its package URL.
    pub purl: String,
    /// Its name.
    pub name: String,
    /// What is matched, as JSON.
    pub body: String,
    /// The ecosystems and names under which advisories speak of it.
    pub queries: Vec<(String, String)>,
}

/// A remembered package version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRow {
    /// Its number.
    pub id: u32,
    /// What is matched, as JSON.
    pub body: String,
}

impl Write {
    /// The numbers of these package versions, in their order, and which of them are new.
    pub async fn packages(&mut self, packages: &[&NewPackage]) -> Result<(Vec<u32>, Vec<u32>), StoreError> {
        let mut numbers: HashMap<String, u32> = HashMap::with_capacity(packages.len());
        let text = "SELECT key_digest, id FROM package WHERE key_digest IN $$";
        for row in ask(&mut self.tx, text, &[], packages, |query, package| query.bind(package.key.clone())).await? {
            numbers.insert(row.try_get(0)?, number(row.try_get(1)?));
        }
        let (mut new, mut rows, mut queries) = (Vec::new(), Vec::new(), Vec::new());
        for package in packages {
            if numbers.contains_key(&package.key) {
                continue;
            }
            self.counters.package += 1;
            let id = self.counters.package;
            numbers.insert(package.key.clone(), number(id));
            new.push(number(id));
            rows.push((id, *package));
            queries.extend(package.queries.iter().map(|query| (query, id)));
        }
        let head = "INSERT INTO package (id, key_digest, purl, name, body)";
        insert(&mut self.tx, head, 5, "", &rows, |query, (id, package)| {
            query
                .bind(*id)
                .bind(package.key.clone())
                .bind(package.purl.clone())
                .bind(package.name.clone())
                .bind(package.body.clone())
        })
        .await?;
        let head = "INSERT INTO package_query (ecosystem, name, package_id)";
        insert(&mut self.tx, head, 3, "ON CONFLICT DO NOTHING", &queries, |query, ((ecosystem, name), id)| {
            query.bind(ecosystem.clone()).bind(name.clone()).bind(*id)
        })
        .await?;
        let found = |package: &&NewPackage| numbers.get(&package.key).copied();
        Ok((packages.iter().filter_map(found).collect(), new))
    }

    /// The numbers of those of these sets that are known, by digest.
    pub async fn known_sets(&mut self, digests: &[&str]) -> Result<HashMap<String, u32>, StoreError> {
        let text = "SELECT digest, id FROM package_set WHERE digest IN $$";
        let rows = ask(&mut self.tx, text, &[], digests, |query, digest| query.bind((*digest).to_owned())).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, number(row.try_get(1)?)))).collect()
    }

    /// Remembers sets that are not known, each with its digest and its members; their numbers, in their order.
    pub async fn put_sets(&mut self, sets: &[(&str, &[u32])]) -> Result<Vec<u32>, StoreError> {
        let from = self.counters.package_set + 1;
        self.counters.package_set += sets.len() as i64;
        let rows: Vec<(i64, &(&str, &[u32]))> = (from..).zip(sets).collect();
        let head = "INSERT INTO package_set (id, digest, members)";
        insert(&mut self.tx, head, 3, "", &rows, |query, (id, (digest, members))| {
            let members: Vec<u8> = members.iter().flat_map(|package| package.to_le_bytes()).collect();
            query.bind(*id).bind((*digest).to_owned()).bind(members)
        })
        .await?;
        let members: Vec<(i64, u32)> = (from..)
            .zip(sets)
            .flat_map(|(id, (_, members))| members.iter().map(move |package| (id, *package)))
            .collect();
        let head = "INSERT INTO package_set_member (set_id, package_id)";
        insert(&mut self.tx, head, 2, "ON CONFLICT DO NOTHING", &members, |query, (id, package)| {
            query.bind(*id).bind(i64::from(*package))
        })
        .await?;
        Ok(rows.iter().map(|(id, _)| number(*id)).collect())
    }
}

impl Store {
    /// The bodies of packages.
    pub async fn package_bodies(&self, ids: &[u32]) -> Result<Vec<PackageRow>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let text = "SELECT id, body FROM package WHERE id IN $$";
        let rows = ask(&mut connection, text, &[], ids, |query, id| query.bind(i64::from(*id))).await?;
        rows.iter().map(|row| Ok(PackageRow { id: number(row.try_get(0)?), body: row.try_get(1)? })).collect()
    }

    /// The packages of which advisories of this ecosystem speak under this name.
    pub async fn packages_named(&self, ecosystem: &str, name: &str) -> Result<Vec<u32>, StoreError> {
        let rows = sqlx::query("SELECT package_id FROM package_query WHERE ecosystem = $1 AND name = $2")
            .bind(ecosystem)
            .bind(name)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| Ok(number(row.try_get(0)?))).collect()
    }

    /// The numbers of all packages.
    pub async fn all_packages(&self) -> Result<Vec<u32>, StoreError> {
        let rows = sqlx::query("SELECT id FROM package ORDER BY id").fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok(number(row.try_get(0)?))).collect()
    }

    /// The sets above a number, each with its packages.
    pub fn sets_after(&self, set: u32) -> impl Stream<Item = Result<(u32, Vec<u32>), StoreError>> + '_ {
        let rows = sqlx::query("SELECT id, members FROM package_set WHERE id > $1 ORDER BY id")
            .bind(i64::from(set))
            .fetch(&self.pool);
        rows.map(|row| {
            let row = row?;
            let members: &[u8] = row.try_get(1)?;
            let (members, _) = members.as_chunks::<4>();
            Ok((number(row.try_get(0)?), members.iter().map(|package| u32::from_le_bytes(*package)).collect()))
        })
    }
}

/// A number as bitmaps have it. The counters never get near four thousand million.
pub(crate) fn number(id: i64) -> u32 {
    u32::try_from(id).unwrap_or(u32::MAX)
}
