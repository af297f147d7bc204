//! What runs where: snapshots of an environment, or single changes.

use std::collections::BTreeMap;

use portfolio::catalog::is_production;
use portfolio::change::Change;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::WorkloadRow;

use crate::ServerError;
use crate::portfolio::{Portfolio, nobody};
use crate::tell::stored;

/// A workload as it is reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Its name, unique in the environment: `namespace/deployment/container`, a container's name.
    pub name: String,
    /// The digest of the image: of its manifest, or its configuration (image id).
    #[serde(default)]
    pub image_digest: String,
    /// What the image is called.
    #[serde(default)]
    pub image_name: String,
    /// Whether it is privileged.
    #[serde(default)]
    pub privileged: bool,
    /// Whether it can be reached from the internet, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internet: Option<bool>,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What happened in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadChange {
    /// A workload runs, or runs otherwise.
    Started(Workload),
    /// The workload of this name runs no more.
    Stopped(String),
}

impl Portfolio {
    /// All that an environment runs; what is not in it runs no more. Returns how many started and how many stopped.
    pub async fn workload_snapshot(
        &self,
        environment: &str,
        workloads: Vec<Workload>,
    ) -> Result<(usize, usize), ServerError> {
        let names: std::collections::BTreeSet<String> =
            workloads.iter().map(|workload| workload.name.clone()).collect();
        let changes = workloads.into_iter().map(WorkloadChange::Started).collect();
        self.workload_changes(environment, changes, Some(names)).await
    }

    /// Single changes in an environment, in their order.
    pub async fn workload_changes(
        &self,
        environment: &str,
        changes: Vec<WorkloadChange>,
        all: Option<std::collections::BTreeSet<String>>,
    ) -> Result<(usize, usize), ServerError> {
        let (turn, mut write) = self.begin().await?;
        let running: BTreeMap<String, WorkloadRow> =
            write.running(environment).await?.into_iter().map(|row| (row.name.clone(), row)).collect();
        let mut running = running;
        let mut told = Vec::new();
        let mut digests = std::collections::BTreeSet::new();
        let (mut started, mut stopped) = (0, 0);
        let gone = all.map(|all| running.keys().filter(|name| !all.contains(*name)).cloned().collect::<Vec<_>>());
        let gone = gone.unwrap_or_default().into_iter().map(WorkloadChange::Stopped);
        for change in gone.chain(changes) {
            match change {
                WorkloadChange::Stopped(name) => {
                    let Some(row) = running.remove(&name) else { continue };
                    write.stop_workload(environment, &name).await?;
                    stopped += 1;
                    digests.insert(row.image_digest.clone());
                    told.push((
                        row.image_digest.clone(),
                        Change::WorkloadStopped {
                            environment: environment.to_owned(),
                            workload: name,
                            image: row.image_digest,
                        },
                    ));
                }
                WorkloadChange::Started(workload) => {
                    // An engine may only know the image's name; what that stands for now is the best there is.
                    let digest = match workload.image_digest.is_empty() {
                        true => self.store.tagged(&workload.image_name, i64::MAX).await?.unwrap_or_default(),
                        false => self.store.manifest_of(&workload.image_digest).await?,
                    };
                    let row = WorkloadRow {
                        environment: environment.to_owned(),
                        name: workload.name.clone(),
                        image_digest: digest.clone(),
                        image_name: workload.image_name.clone(),
                        production: is_production(environment),
                        body: serde_json::to_string(&workload).unwrap_or_default(),
                        since: write.at,
                        until: None,
                    };
                    if let Some(old) = running.get(&workload.name) {
                        if old.image_digest == row.image_digest && old.body == row.body {
                            continue;
                        }
                        digests.insert(old.image_digest.clone());
                    }
                    write.start_workload(&row).await?;
                    running.insert(row.name.clone(), row);
                    started += 1;
                    digests.insert(digest.clone());
                    told.push((
                        digest.clone(),
                        Change::WorkloadStarted {
                            environment: environment.to_owned(),
                            workload: workload.name,
                            image: digest,
                            image_name: workload.image_name,
                        },
                    ));
                }
            }
        }
        let mut numbers = BTreeMap::new();
        for digest in digests.iter().filter(|digest| !digest.is_empty()) {
            if let Some(id) = write.count_running(digest).await? {
                numbers.insert(digest.clone(), id);
            }
        }
        let ids: Vec<u32> = numbers.values().copied().collect();
        // Where it runs says how much its findings matter.
        write.fall_behind(&ids, "workloads").await?;
        let owners: BTreeMap<u32, store::Ownership> =
            write.images(&ids).await?.into_iter().map(|image| (image.id, image.state.owner)).collect();
        let rows: Vec<_> = told
            .iter()
            .map(|(digest, change)| {
                let id = numbers.get(digest).copied().unwrap_or(0);
                stored(id, owners.get(&id).unwrap_or(&nobody()), change)
            })
            .collect();
        write.changes(&rows).await?;
        turn.commit(write).await?;
        Ok((started, stopped))
    }
}
