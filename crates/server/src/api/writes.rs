//! What others report: claims, and what runs.

use axum::body::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::requests::json;
use super::{Answer, Call};
use crate::claim::Claim;
use crate::portfolio::{Ingested, SeenAt};
use crate::problem::Problem;
use crate::workloads::{Workload, WorkloadChange};

/// Most workloads of one environment in one request.
const WORKLOADS_MAX: usize = 100_000;

/// Where a claim was made, as the query says.
pub(super) fn stage(call: &Call) -> Result<SeenAt, Problem> {
    match call.get("stage") {
        "" | "build" => Ok(SeenAt::Build),
        "registry" => Ok(SeenAt::Registry),
        "running" => Ok(SeenAt::Running),
        other => {
            let detail = format!("`stage` is `build`, `registry` or `running`, not `{other}`");
            Err(Problem::bad("bad parameter", &detail))
        }
    }
}

/// `POST /reports`
pub(super) async fn report(call: Call) -> Answer {
    Ok(json(&take(&call, call.body.clone(), stage(&call)?).await?))
}

/// Takes a document in.
pub(super) async fn take(call: &Call, body: Bytes, seen: SeenAt) -> Result<Ingested, Problem> {
    let encoding = call.headers.get("content-encoding").and_then(|value| value.to_str().ok()).map(str::to_owned);
    // Parsing takes milliseconds to seconds, which other requests need not wait for.
    let claim = tokio::task::spawn_blocking(move || Claim::read(&body, encoding.as_deref()))
        .await
        .map_err(|_| Problem::bad("the document cannot be read", "reading it failed"))??;
    Ok(call.app.portfolio.ingest(claim, &call.caller.name, seen).await?)
}

/// What became of reported workloads.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadsTaken {
    /// How many run now that did not, or not so.
    pub started: usize,
    /// How many run no more.
    pub stopped: usize,
}

fn environment(call: &Call) -> Result<&str, Problem> {
    let name = call.part("environment");
    let is_name = !name.is_empty() && name.len() <= 200 && !name.chars().any(char::is_control);
    if is_name { Ok(name) } else { Err(Problem::bad("bad path", "that is no name of an environment")) }
}

fn bounded(count: usize) -> Result<(), Problem> {
    if count > WORKLOADS_MAX {
        return Err(Problem::new(413, "too many workloads", &format!("at most {WORKLOADS_MAX} in one request")));
    }
    Ok(())
}

/// `PUT /environments/{environment}/workloads`
pub(super) async fn snapshot(call: Call) -> Answer {
    let workloads: Vec<Workload> = call.read()?;
    bounded(workloads.len())?;
    let (started, stopped) = call.app.portfolio.workload_snapshot(environment(&call)?, workloads).await?;
    Ok(json(&WorkloadsTaken { started, stopped }))
}

/// `POST /environments/{environment}/workloads`
pub(super) async fn changes(call: Call) -> Answer {
    let changes: Vec<WorkloadChange> = call.read()?;
    bounded(changes.len())?;
    let (started, stopped) = call.app.portfolio.workload_changes(environment(&call)?, changes, None).await?;
    Ok(json(&WorkloadsTaken { started, stopped }))
}
