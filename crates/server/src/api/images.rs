//! Lists and single images, now or as of any moment.

use model::finding::Finding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Filter, ImageOrder, ListedImage};

use super::requests::{Listed, cursor_of, json};
use super::{Answer, Call};
use crate::problem::Problem;
use crate::tell::moment;

/// An image, with what it was judged and whose it is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Image {
    /// What identifies it: the digest of its manifest, else of its configuration, else of its inventory.
    pub digest: String,
    /// `image`, `sbom`, …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The base it is built on, or empty.
    pub base: String,
    /// `passed`, `failed`, `unknown`.
    pub outcome: String,
    /// Denied violations.
    pub violations: i64,
    /// All findings.
    pub findings: i64,
    /// Critical ones.
    pub critical: i64,
    /// High ones.
    pub high: i64,
    /// The risk score, 0 to 100, of its worst finding.
    pub risk: f64,
    /// The team that owns it, or empty.
    pub team: String,
    /// The system it belongs to, or empty.
    pub system: String,
    /// The component, or empty.
    pub component: String,
    /// How many workloads run it.
    pub running: i64,
    /// When it was first seen, RFC 3339.
    pub first_seen: String,
    /// Where: `build`, `registry`, `running`.
    pub first_stage: String,
    /// When it was judged.
    pub judged_at: String,
    /// What it was judged with.
    pub judged_with: serde_json::Value,
}

impl Image {
    fn of(image: &ListedImage) -> Self {
        let state = &image.state;
        Self {
            digest: image.digest.clone(),
            kind: image.kind.clone(),
            name: image.name.clone(),
            base: image.base.clone(),
            outcome: state.outcome.clone(),
            violations: state.violations,
            findings: state.findings,
            critical: state.critical,
            high: state.high,
            risk: state.risk,
            team: state.owner.team.clone(),
            system: state.owner.system.clone(),
            component: state.owner.component.clone(),
            running: image.running,
            first_seen: moment(image.first_at),
            first_stage: image.first_stage.clone(),
            judged_at: moment(image.judged_at),
            judged_with: serde_json::from_str(&state.judged_with).unwrap_or_default(),
        }
    }
}

/// `GET /images`
pub(super) async fn list(call: Call) -> Answer {
    let order = match call.get("sort") {
        "" | "age" => ImageOrder::Age,
        "risk" => ImageOrder::Risk,
        other => return Err(Problem::bad("bad parameter", &format!("`sort` is `age` or `risk`, not `{other}`"))),
    };
    let cursor = call.cursor()?;
    let images = call.app.portfolio.store.list_images(call.page(&cursor)?, order, &call.filter).await?;
    let key = |image: &(ListedImage, Image)| match order {
        ImageOrder::Risk => format!("{},{}", image.0.state.risk, image.0.id),
        ImageOrder::Age => image.0.id.to_string(),
    };
    let rows: Vec<(ListedImage, Image)> = images
        .into_iter()
        .map(|image| {
            let shown = Image::of(&image);
            (image, shown)
        })
        .collect();
    listed_pairs(&call, rows, key)
}

/// A page whose keys are not among what is shown.
fn listed_pairs<K, T: Serialize>(call: &Call, rows: Vec<(K, T)>, key: impl Fn(&(K, T)) -> String) -> Answer {
    let keys: Vec<String> = rows.iter().map(&key).collect();
    let items: Vec<Keyed<T>> = rows.into_iter().zip(keys).map(|((_, shown), key)| Keyed { shown, key }).collect();
    call.listed(items, |item| item.key.clone())
}

#[derive(Serialize)]
struct Keyed<T> {
    #[serde(flatten)]
    shown: T,
    #[serde(skip)]
    key: String,
}

/// The image of the path, by digest or by a name that stands for one.
async fn found(call: &Call) -> Result<ListedImage, Problem> {
    let named = call.part("digest");
    let store = &call.app.portfolio.store;
    let digest = match named.starts_with("sha256:") || named.len() == 64 {
        true => named.to_owned(),
        false => store.tagged(named, call.at()?).await?.ok_or_else(|| Problem::missing("image"))?,
    };
    store.find_image(call.page("")?, &digest).await?.ok_or_else(|| Problem::missing("image"))
}

/// `GET /images/{digest}`
pub(super) async fn one(call: Call) -> Answer {
    Ok(json(&Image::of(&found(&call).await?)))
}

/// A finding of an image.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FindingOfImage {
    /// The package URL of what has it.
    pub package: String,
    /// The layer that brings it, counted from 0.
    pub layer: u32,
    /// That layer's diff id, or empty.
    pub diff_id: String,
    /// The team that owns that layer, or empty.
    pub layer_team: String,
    /// Since when it is known, RFC 3339.
    pub since: String,
    /// Its risk here, 0 to 100.
    pub risk: f64,
    /// The highest score that anybody gave, 0 to 10.
    pub score: f64,
    /// A version without it has been published.
    pub fixable: bool,
    /// The finding; its `package` is 0.
    pub finding: Finding,
}

/// `GET /images/{digest}/findings`
pub(super) async fn findings(call: Call) -> Answer {
    let image = found(&call).await?;
    let cursor = call.cursor()?;
    let rows = call.app.portfolio.store.list_findings(call.page(&cursor)?, image.id, &call.filter).await?;
    let weigh = call.app.portfolio.weigher(&image).await?;
    let mut shown = Vec::with_capacity(rows.len());
    for row in rows {
        let finding: Finding =
            serde_json::from_str(&row.body).map_err(|source| crate::ServerError::Stored { what: "finding", source })?;
        let item = FindingOfImage {
            package: row.purl,
            layer: row.layer,
            diff_id: row.diff_id,
            layer_team: row.layer_team,
            since: moment(row.since),
            risk: weigh(&finding).score,
            score: row.score,
            fixable: row.fixable,
            finding,
        };
        shown.push(((row.vulnerability, row.package), item));
    }
    listed_pairs(&call, shown, |((vulnerability, package), _)| format!("{vulnerability},{package}"))
}

/// `GET /images/{digest}/risk/{vulnerability}`: the risk of one finding, factor by factor.
pub(super) async fn risk(call: Call) -> Answer {
    let image = found(&call).await?;
    let id = call.part("vulnerability");
    let weigh = call.app.portfolio.weigher(&image).await?;
    let page = store::Page { at: call.at()?, scope: "", after: &format!("{id},-1"), count: 1 };
    let rows = call.app.portfolio.store.list_findings(page, image.id, &Filter::default()).await?;
    let row = rows.into_iter().find(|row| row.vulnerability == id).ok_or_else(|| Problem::missing("finding"))?;
    let finding: Finding =
        serde_json::from_str(&row.body).map_err(|source| crate::ServerError::Stored { what: "finding", source })?;
    Ok(json(&weigh(&finding)))
}

/// A verdict over a time.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerdictOverTime {
    /// From when on, RFC 3339.
    pub since: String,
    /// Until when; none while it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// `passed`, `failed`, `unknown`.
    pub outcome: String,
    /// Denied violations.
    pub violations: i64,
    /// All findings.
    pub findings: i64,
    /// The risk score.
    pub risk: f64,
    /// What it was judged with.
    pub judged_with: serde_json::Value,
}

/// `GET /images/{digest}/verdicts`
pub(super) async fn verdicts(call: Call) -> Answer {
    let image = found(&call).await?;
    let rows = call.app.portfolio.store.verdicts(image.id, &call.filter).await?;
    let items: Vec<VerdictOverTime> = rows
        .into_iter()
        .map(|row| VerdictOverTime {
            since: moment(row.since),
            until: row.until.map(moment),
            outcome: row.state.outcome,
            violations: row.state.violations,
            findings: row.state.findings,
            risk: row.state.risk,
            judged_with: serde_json::from_str(&row.state.judged_with).unwrap_or_default(),
        })
        .collect();
    Ok(json(&Listed { items, next: None }))
}

/// What somebody said about an image.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ClaimOfImage {
    /// Digest of the uploaded document.
    pub digest: String,
    /// The token's name.
    pub claimed_by: String,
    /// When, RFC 3339.
    pub claimed_at: String,
    /// The program that made it.
    pub tool: String,
    /// Digest over what it says is inside.
    pub inventory_digest: String,
    /// The claimant's own verdict, or empty.
    pub outcome: String,
}

/// `GET /images/{digest}/claims`
pub(super) async fn claims(call: Call) -> Answer {
    let image = found(&call).await?;
    let rows = call.app.portfolio.store.claims(image.id, &call.filter).await?;
    let items: Vec<ClaimOfImage> = rows
        .into_iter()
        .map(|row| ClaimOfImage {
            digest: row.digest,
            claimed_by: row.claimed_by,
            claimed_at: moment(row.claimed_at),
            tool: row.tool,
            inventory_digest: row.inventory_digest,
            outcome: row.outcome,
        })
        .collect();
    Ok(json(&Listed { items, next: None }))
}

/// `GET /images/{digest}/inventory`
pub(super) async fn inventory(call: Call) -> Answer {
    let image = found(&call).await?;
    let bytes = call.app.portfolio.store.inventory(&image.digest).await?.ok_or_else(|| Problem::missing("image"))?;
    let kept = crate::claim::read_kept(&bytes).ok_or_else(|| Problem::missing("readable inventory"))?;
    Ok(json(&kept))
}

/// What a name stood for.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TagOverTime {
    /// The name.
    pub name: String,
    /// From when on, RFC 3339.
    pub since: String,
    /// Until when; none while it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The image.
    pub image: String,
}

/// `GET /tags`
pub(super) async fn tags(call: Call) -> Answer {
    let cursor = call.cursor()?;
    let rows = call.app.portfolio.store.tags(call.page(&cursor)?, &call.filter).await?;
    let pairs = rows.into_iter().map(|row| {
        let key = format!("{}\u{1}{}", row.name, row.since);
        let shown =
            TagOverTime { name: row.name, since: moment(row.since), until: row.until.map(moment), image: row.image };
        (key, shown)
    });
    listed_pairs(&call, pairs.collect(), |(key, _)| key.clone())
}

/// A vulnerability in anything that the caller may see, as it is in that.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Vulnerability {
    /// Its id.
    pub id: String,
    /// The highest severity that it has in any package.
    pub severity: String,
    /// The highest score.
    pub score: f64,
    /// How many package versions have it.
    pub packages: i64,
    /// In how many of them it can be fixed.
    pub fixable: i64,
}

/// `GET /vulnerabilities`
pub(super) async fn vulnerabilities(call: Call) -> Answer {
    let cursor = call.cursor()?;
    let rows = call.app.portfolio.store.list_vulnerabilities(call.page(&cursor)?, &call.filter).await?;
    const SEVERITIES: [&str; 6] = ["unknown", "negligible", "low", "medium", "high", "critical"];
    let items = rows
        .into_iter()
        .map(|row| Vulnerability {
            id: row.vulnerability,
            severity: SEVERITIES.get(row.severity as usize).copied().unwrap_or("unknown").into(),
            score: row.score,
            packages: row.packages,
            fixable: row.fixable,
        })
        .collect();
    call.listed(items, |item: &Vulnerability| item.id.clone())
}

/// A score over a time.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ScoreOverTime {
    /// Scorer and version: `NVD 3.1`, `EPSS`, `KEV`.
    pub scorer: String,
    /// The score.
    pub score: f64,
    /// The vector, the percentile, the day it was added.
    pub detail: String,
    /// From when on, RFC 3339.
    pub since: String,
    /// Until when; none while it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// `GET /vulnerabilities/{id}/scores`
pub(super) async fn scores(call: Call) -> Answer {
    let rows = call.app.portfolio.store.scores(call.part("id"), &call.caller.scope, &call.filter).await?;
    let items: Vec<ScoreOverTime> = rows
        .into_iter()
        .map(|row| ScoreOverTime {
            scorer: row.scorer,
            score: row.score.unwrap_or_default(),
            detail: row.detail,
            since: moment(row.since),
            until: row.until.map(moment),
        })
        .collect();
    Ok(json(&Listed { items, next: None }))
}

/// Who stands on something.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct DependentsAnswer {
    /// A page of the images: name, digest, team, system, and how many workloads run each. Nothing of their findings.
    pub images: Vec<Dependent>,
    /// How many images by team and system, and how many of them run.
    pub teams: Vec<DependentTeam>,
    /// How many workloads by environment.
    pub environments: Vec<DependentEnvironment>,
    /// What to send as `cursor` for the next page of images; none on the last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

/// An image that stands on something.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Dependent {
    /// What identifies it.
    pub digest: String,
    /// Its name.
    pub name: String,
    /// The team that owns it, or empty.
    pub team: String,
    /// The system it belongs to, or empty.
    pub system: String,
    /// How many workloads run it.
    pub running: i64,
}

/// A team some of whose images stand on something.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct DependentTeam {
    /// The team, or empty.
    pub team: String,
    /// The system, or empty.
    pub system: String,
    /// How many images.
    pub images: i64,
    /// How many of them run.
    pub running: i64,
}

/// An environment some of whose workloads stand on something.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct DependentEnvironment {
    /// The environment.
    pub environment: String,
    /// Whether it is a production one.
    pub production: bool,
    /// How many workloads.
    pub workloads: i64,
}

/// `GET /dependents`
pub(super) async fn dependents(call: Call) -> Answer {
    let store = &call.app.portfolio.store;
    let (what, value) = (call.get("of"), call.get("value"));
    if !call.caller.scope.is_empty() {
        call.app.portfolio.owns(&call.caller.scope, what, value).await?;
    }
    let cursor = call.cursor()?;
    let count = call.count()?;
    let found = store.dependents(call.page(&cursor)?, what, value, &call.filter).await?;
    let Some(mut found) = found.filter(|_| !value.is_empty()) else {
        return Err(Problem::bad(
            "bad parameter",
            "`of` is `image`, `layer`, `package` or `vulnerability`, and `value` says which",
        ));
    };
    let more = found.images.len() as i64 > count;
    found.images.truncate(count as usize);
    let next = found.images.last().filter(|_| more).map(|last| cursor_of(&last.id.to_string()));
    Ok(json(&DependentsAnswer {
        images: found
            .images
            .iter()
            .map(|image| Dependent {
                digest: image.digest.clone(),
                name: image.name.clone(),
                team: image.state.owner.team.clone(),
                system: image.state.owner.system.clone(),
                running: image.running,
            })
            .collect(),
        teams: found
            .teams
            .into_iter()
            .map(|(team, system, images, running)| DependentTeam { team, system, images, running })
            .collect(),
        environments: found
            .environments
            .into_iter()
            .map(|(environment, production, workloads)| DependentEnvironment { environment, production, workloads })
            .collect(),
        next,
    }))
}

/// A workload that runs or ran.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunningWorkload {
    /// The environment.
    pub environment: String,
    /// Its name there.
    pub name: String,
    /// The image it runs.
    pub image: String,
    /// What the workload calls it.
    pub image_name: String,
    /// Whether the environment is a production one.
    pub production: bool,
    /// Since when, RFC 3339.
    pub since: String,
    /// Until when; none while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// `GET /workloads`
pub(super) async fn workloads(call: Call) -> Answer {
    let cursor = call.cursor()?;
    let rows = call.app.portfolio.store.workloads(call.page(&cursor)?, &call.filter).await?;
    let items = rows
        .into_iter()
        .map(|row| RunningWorkload {
            environment: row.environment,
            name: row.name,
            image: row.image_digest,
            image_name: row.image_name,
            production: row.production,
            since: moment(row.since),
            until: row.until.map(moment),
        })
        .collect();
    call.listed(items, |item: &RunningWorkload| format!("{}\u{1}{}", item.environment, item.name))
}
