//! Everything that is known, and the one place where it changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use model::Timestamp;
use portfolio::catalog::ImagePatterns;
use portfolio::change::Change;
use serde::Serialize;
use store::{ClaimRow, FindingUpdate, ImageState, NewImage, Ownership, Store, StoredChange, Write};
use tokio::sync::{Mutex, MutexGuard, watch};

use crate::ServerError;
use crate::claim::{Claim, Matched};
use crate::documents::{Documents, reported};
use crate::judge::{Judged, Summary, judge};
use crate::knowledge::{Indexes, Knowledge};
use crate::memory::Memory;
use crate::problem::Problem;
use crate::tell::stored;
use crate::workloads::Workload;

/// How far behind the latest moment the clock may be before that is said, in microseconds: it is set right by less all the time.
const CLOCK_SLACK: i64 = 5_000_000;

/// The clock; tests bring their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// See the module.
pub struct Portfolio {
    /// What is remembered.
    pub store: Store,
    pub(crate) clock: Clock,
    pub(crate) indexes: Indexes,
    /// What the writer keeps at hand. Who holds it is the only writer of this process.
    writer: Mutex<Option<Writer>>,
    /// The documents in force as readers last saw them.
    read: std::sync::Mutex<Option<Arc<Documents>>>,
    told: watch::Sender<i64>,
    /// The latest moment that was seen, and whether it was said that the clock is behind it.
    latest: AtomicI64,
    is_behind: AtomicBool,
}

impl std::fmt::Debug for Portfolio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Portfolio").field("store", &self.store).finish_non_exhaustive()
    }
}

/// What a writer works with. It is dropped when a write fails, and read again.
pub(crate) struct Writer {
    pub(crate) memory: Memory,
    pub(crate) knowledge: Knowledge,
    pub(crate) documents: Arc<Documents>,
}

/// What became of a claim.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Ingested {
    /// What identifies the image.
    pub image: String,
    /// It was not known before.
    pub new: bool,
    /// The same claim was there already; nothing changed.
    pub known: bool,
    /// Another inventory was claimed for the same digest before, and stays in force; an incident was written.
    pub conflict: bool,
    /// What the server concludes: `passed`, `failed`, `unknown`.
    pub outcome: String,
    /// How many findings it has.
    pub findings: i64,
    /// How many violations keep it from passing.
    pub violations: i64,
}

/// Where a claim was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeenAt {
    /// By a build.
    Build,
    /// In a registry.
    Registry,
    /// While it ran.
    Running,
}

impl SeenAt {
    /// As it is stored and told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Registry => "registry",
            Self::Running => "running",
        }
    }
}

impl Portfolio {
    /// Over a store; indexes are kept in a directory.
    pub async fn open(store: Store, indexes: Indexes, clock: Clock) -> Result<Self, ServerError> {
        let (newest, latest) = (store.newest_change().await?, store.newest().await?);
        Ok(Self {
            store,
            clock,
            indexes,
            writer: Mutex::new(None),
            read: Default::default(),
            told: watch::Sender::new(newest),
            latest: AtomicI64::new(latest),
            is_behind: AtomicBool::new(false),
        })
    }

    /// Who wants to be woken when the feed grows.
    pub fn told(&self) -> watch::Receiver<i64> {
        self.told.subscribe()
    }

    pub(crate) fn now(&self) -> i64 {
        let now = (self.clock)().as_microsecond();
        let latest = self.latest.fetch_max(now, Ordering::Relaxed);
        let is_behind = now < latest - CLOCK_SLACK;
        if is_behind && !self.is_behind.swap(true, Ordering::Relaxed) {
            let seconds = (latest - now) / 1_000_000;
            tracing::warn!(
                seconds,
                "the clock went back; moments go on a microsecond after one another until it has caught up, tokens and exceptions end by it"
            );
        } else if now >= latest {
            self.is_behind.store(false, Ordering::Relaxed);
        }
        now
    }

    /// Begins a write with everything at hand, up to date with what other servers wrote.
    pub(crate) async fn begin(&self) -> Result<(Turn<'_>, Write), ServerError> {
        let mut guard = self.writer.lock().await;
        let write = self.store.write(self.now()).await?;
        // Whatever fails from here on leaves nothing at hand that was not committed.
        let mut writer = match guard.take() {
            Some(writer) => writer,
            None => {
                let documents = Arc::new(Documents::load(&self.store).await?);
                let knowledge = self.knowledge(&documents).await?;
                Writer { memory: Memory::load(&self.store).await?, knowledge, documents }
            }
        };
        let index = self.store.setting(crate::renew::INDEX, i64::MAX).await?.map(|setting| setting.body);
        let is_behind = self.store.newest_setting().await? != writer.documents.revision;
        if is_behind || index.as_deref() != Some(&*writer.knowledge.index.digest()) {
            writer.documents = Arc::new(Documents::load(&self.store).await?);
            writer.knowledge = self.knowledge(&writer.documents).await?;
        }
        writer.memory.catch_up(&self.store).await?;
        Ok((Turn { guard, writer, told: &self.told }, write))
    }

    /// Takes in a claim, and judges what it is about.
    pub async fn ingest(&self, mut claim: Claim, actor: &str, seen: SeenAt) -> Result<Ingested, ServerError> {
        let (mut turn, mut write) = self.begin().await?;
        turn.add_named_digests(&mut claim)?;
        let (digest, inventory_digest) = (claim.identity(), claim.inventory_digest());
        let known = write.known(&digest).await?;
        let same = known.as_ref().is_some_and(|known| known.inventory_digest == inventory_digest);
        let replaces = known.as_ref().is_none_or(|known| !same && is_newer(&claim.tool, &known.cataloged_by));
        let conflict = known.as_ref().is_some_and(|known| !same && known.cataloged_by == claim.tool);
        let id = match known.as_ref().filter(|_| !replaces) {
            Some(known) => known.id,
            None => {
                self.put(&mut turn, &mut write, &claim, &inventory_digest, seen, known.as_ref().map(|k| k.id)).await?
            }
        };
        let (outcome, outcome_at) = claim.verdict.clone().unwrap_or_default();
        let row = ClaimRow {
            digest: claim.digest.clone(),
            image: id,
            claimed_by: actor.to_owned(),
            claimed_at: write.at,
            tool: claim.tool.clone(),
            inventory_digest: inventory_digest.clone(),
            outcome,
            outcome_at,
        };
        let is_new_claim = write.claim(&row).await?;
        let mut changes = Vec::new();
        for name in claim.artifact.names.iter().take(100) {
            if let Some(before) = write.tag(name, id).await? {
                let image = digest.clone();
                let change = match before {
                    Some(before) => {
                        let from = write.images(&[before]).await?.pop().map(|image| image.digest).unwrap_or_default();
                        Change::ImageMoved { name: name.clone(), from, to: image }
                    }
                    None => Change::ImageTagged { name: name.clone(), image },
                };
                changes.push((id, change));
            }
        }
        let before = write.images(&[id]).await?.pop();
        let mut state = before.as_ref().map(|image| image.state.clone()).unwrap_or_default();
        if let Some(before) = before.filter(|_| replaces) {
            let (summary, judged) = self.judge_image(&mut turn, &mut write, &before.summary, id).await?;
            let running = reported(&write.running_images(&[&before.digest]).await?);
            let judged = (summary, judged, running);
            let documents = turn.writer.documents.clone();
            let patterns = documents.catalog.image_patterns();
            let concluded = self.conclude(&mut turn, &mut write, &before, &judged, &patterns, &mut changes).await?;
            state = concluded.0;
            write.judged(&[(before, state.clone())]).await?;
        }
        if conflict && is_new_claim {
            let change =
                Change::InventoryConflict { image: digest.clone(), claimed_by: actor.to_owned(), tool: claim.tool };
            changes.push((id, change));
        }
        let owner = state.owner.clone();
        let changes: Vec<StoredChange> = changes.into_iter().map(|(id, change)| stored(id, &owner, &change)).collect();
        write.changes(&changes).await?;
        turn.commit(write).await?;
        Ok(Ingested {
            image: digest,
            new: known.is_none(),
            known: same && !is_new_claim,
            conflict,
            outcome: state.outcome,
            findings: state.findings,
            violations: state.violations,
        })
    }

    /// Remembers what an image is made of.
    pub(crate) async fn put(
        &self,
        turn: &mut Turn<'_>,
        write: &mut Write,
        claim: &Claim,
        inventory_digest: &str,
        seen: SeenAt,
        known: Option<u32>,
    ) -> Result<u32, ServerError> {
        let packages = claim.packages();
        let (numbers, new) = write.packages(&packages).await?;
        let new: std::collections::HashSet<u32> = new.into_iter().collect();
        let fresh: std::collections::BTreeMap<u32, &str> = numbers
            .iter()
            .zip(&packages)
            .filter(|(number, _)| new.contains(number))
            .map(|(number, package)| (*number, package.body.as_str()))
            .collect();
        let fresh = read_matched(fresh.into_iter())?;
        let knowledge = turn.writer.knowledge.clone();
        let found = knowledge.findings(&fresh)?;
        let mut updates = Vec::new();
        let mut scores = crate::tell::Scores::new();
        for (package, findings) in found {
            let findings: Vec<_> = findings.into_iter().map(Arc::new).collect();
            for finding in &findings {
                if turn.writer.memory.packages_with(&finding.id).next().is_none() {
                    crate::tell::score_changes(None, Some(finding), &mut scores);
                }
                updates.push(FindingUpdate {
                    package,
                    vulnerability: finding.id.clone(),
                    now: Some(crate::tell::told(finding)?),
                    was_there: false,
                });
            }
            turn.writer.memory.learn(package, findings, write.at);
        }
        write.update_findings(&updates).await?;
        write.update_scores(&crate::tell::score_rows(scores)).await?;
        turn.writer.memory.keep_packages(fresh.into_iter().filter(|(id, _)| new.contains(id)));
        let mut layers = Vec::new();
        for (layer, members) in claim.by_layer() {
            let mut ids: Vec<u32> = members.iter().map(|&at| numbers[at]).collect();
            ids.sort_unstable();
            ids.dedup();
            let text: Vec<String> = ids.iter().map(u32::to_string).collect();
            let digest = crate::claim::hex_digest(text.join(" ").as_bytes());
            let (set, is_new) = write.package_set(&digest, &ids).await?;
            if is_new {
                turn.writer.memory.add_members(set, &ids);
            }
            layers.push(claim.layer(layer, set));
        }
        let base = claim.artifact.base.as_ref();
        let summary = Summary::of(claim);
        let image = NewImage {
            digest: claim.identity(),
            image_id: claim.artifact.image_id.as_ref().map(ToString::to_string).unwrap_or_default(),
            kind: serde_json::to_value(claim.artifact.kind)
                .ok()
                .and_then(|kind| kind.as_str().map(str::to_owned))
                .unwrap_or_default(),
            name: claim.name().to_owned(),
            base: base.map(|base| base.name.clone()).unwrap_or_default(),
            base_digest: base.and_then(|base| base.digest.as_ref()).map(ToString::to_string).unwrap_or_default(),
            summary: serde_json::to_string(&summary).unwrap_or_default(),
            inventory: claim.kept(),
            inventory_digest: inventory_digest.to_owned(),
            cataloged_by: claim.tool.clone(),
            first_stage: seen.as_str().into(),
            layers,
        };
        if let Some(known) = known {
            let sets: Vec<u32> = write.sets_of(&[known]).await?.into_iter().map(|(_, _, set)| set).collect();
            turn.writer.memory.postings.remove_image(known, sets);
        }
        let id = write.put_image(&image, known).await?;
        // It may run already.
        if !image.image_id.is_empty() && image.image_id != image.digest {
            write.adopt_workloads(&image.image_id, &image.digest).await?;
        }
        write.count_running(&image.digest).await?;
        let sets: Vec<u32> = image.layers.iter().map(|layer| layer.set).collect();
        turn.writer.memory.add_image(id, &sets);
        Ok(id)
    }

    /// Judges one image from what is stored.
    pub(crate) async fn judge_image(
        &self,
        turn: &mut Turn<'_>,
        write: &mut Write,
        summary: &str,
        id: u32,
    ) -> Result<(Summary, Judged), ServerError> {
        let sets: Vec<(u32, u32)> =
            write.sets_of(&[id]).await?.into_iter().map(|(_, position, set)| (position, set)).collect();
        self.load_packages(turn, &sets).await?;
        let summary = Summary::read(summary)?;
        let judged = judge(&summary, &sets, &turn.writer.memory, &turn.writer.knowledge, (self.clock)())?;
        Ok((summary, judged))
    }

    /// Has the packages at hand that these sets hold and that have findings.
    pub(crate) async fn load_packages(&self, turn: &mut Turn<'_>, sets: &[(u32, u32)]) -> Result<(), ServerError> {
        let memory = &turn.writer.memory;
        let with_findings = sets
            .iter()
            .flat_map(|(_, set)| memory.members(*set).iter().copied())
            .filter(|package| !memory.findings(*package).is_empty());
        let unknown = memory.unknown_packages(with_findings);
        if unknown.is_empty() {
            return Ok(());
        }
        let rows = self.store.package_bodies(&unknown).await?;
        let matched = read_matched(rows.iter().map(|row| (row.id, row.body.as_str())))?;
        turn.writer.memory.keep_packages(matched);
        Ok(())
    }

    /// Turns a judgement into the image's state, and says what changed.
    pub(crate) async fn conclude(
        &self,
        turn: &mut Turn<'_>,
        write: &mut Write,
        before: &store::ImageRow,
        (summary, judged, running): &(Summary, Judged, Vec<(String, Workload)>),
        patterns: &ImagePatterns<'_>,
        changes: &mut Vec<(u32, Change)>,
    ) -> Result<(ImageState, Option<f64>), ServerError> {
        let documents = turn.writer.documents.clone();
        let workloads: Vec<_> = running.iter().map(|(_, workload)| workload.clone()).collect();
        let owner = documents.owner_of(&summary.artifact, &before.name, &workloads, patterns);
        let place = documents.place(&summary.artifact, &owner, running);
        let state = documents.state(judged, &place, owner, &turn.writer.knowledge);
        let is_first = before.state.outcome.is_empty();
        if is_first {
            changes.push((
                before.id,
                Change::found(&before.digest, &before.name, judged.outcome(), judged.denied(), state.findings),
            ));
        } else {
            let old = &before.state.owner;
            if (&old.team, &old.system) != (&state.owner.team, &state.owner.system) {
                changes.push((
                    before.id,
                    Change::OwnerChanged {
                        image: before.digest.clone(),
                        from: old.team.clone(),
                        to: state.owner.team.clone(),
                        how: state.owner.how.clone(),
                    },
                ));
            }
            self.verdict_change(before, judged, &state, changes).await?;
        }
        // Whose layers are follows from documents and the image's own owner.
        if is_first || !before.state.judged_with.contains(&crate::tell::moment(documents.revision)) {
            self.own_layers(turn, write, before, summary, &state.owner).await?;
        }
        Ok((state, documents.threshold(&place)))
    }

    /// The verdict's own change; and, for an image that its builder saw pass, that it would not pass any more.
    async fn verdict_change(
        &self,
        before: &store::ImageRow,
        judged: &Judged,
        state: &ImageState,
        changes: &mut Vec<(u32, Change)>,
    ) -> Result<(), ServerError> {
        if before.state.outcome == state.outcome {
            return Ok(());
        }
        changes.push((
            before.id,
            Change::VerdictChanged {
                image: before.digest.clone(),
                name: before.name.clone(),
                from: before.state.outcome.clone(),
                to: state.outcome.clone(),
                denied: judged.denied(),
                judged_before: before.state.judged_with.clone(),
                judged_now: state.judged_with.clone(),
            },
        ));
        if state.outcome == "failed" {
            let claims = self.store.claims(before.id).await?;
            if let Some(passed) = claims.iter().rev().find(|claim| claim.outcome == "passed") {
                changes.push((
                    before.id,
                    Change::ComplianceLost {
                        image: before.digest.clone(),
                        name: before.name.clone(),
                        passed_at: crate::tell::moment(passed.outcome_at),
                        passed_by: passed.claimed_by.clone(),
                        denied: judged.denied(),
                    },
                ));
            }
        }
        Ok(())
    }

    /// Says whose an image's layers are: a rule's word first, else the owner of the image with the fewest layers that has it, which
    /// is the one that made it.
    async fn own_layers(
        &self,
        turn: &mut Turn<'_>,
        write: &mut Write,
        image: &store::ImageRow,
        summary: &Summary,
        owner: &Ownership,
    ) -> Result<(), ServerError> {
        let artifact = &summary.artifact;
        let base = artifact.base.as_ref();
        let base_layers = base.and_then(|base| base.layer_count).unwrap_or(0) as usize;
        let count = artifact.layers.len();
        for (layer, diff_id, team, how) in write.layers_of(&[image.id]).await? {
            let at = artifact.layers.iter().position(|layer| layer.diff_id.to_string() == diff_id);
            let base = base.filter(|_| at.is_some_and(|at| at < base_layers)).map(|base| base.name.as_str());
            let now = match turn.writer.documents.owner_of_layer(&diff_id, base) {
                Some(stated) => stated,
                None => {
                    let made: Option<Made> = serde_json::from_str(&how).ok();
                    let is_mine = made.as_ref().is_none_or(|made| count <= made.layers);
                    if !is_mine || owner.team.is_empty() {
                        continue;
                    }
                    let made = Made { made_by: image.digest.clone(), layers: count };
                    let how = serde_json::to_string(&made).unwrap_or_default();
                    Ownership { team: owner.team.clone(), system: owner.system.clone(), how, ..nobody() }
                }
            };
            if now.team != team {
                write.own(&format!("layer:{layer}"), &now).await?;
            }
        }
        Ok(())
    }

    /// What weighs the findings of an image, as it belongs and runs now.
    pub async fn weigher(
        &self,
        image: &store::ListedImage,
    ) -> Result<impl Fn(&model::finding::Finding) -> portfolio::risk::Risk, ServerError> {
        let documents = self.documents().await?;
        let running = reported(&self.store.workloads_of(&image.digest).await?);
        let summary = self.store.summary(image.id).await?;
        let summary = Summary::read(&summary)?;
        let place = documents.place(&summary.artifact, &image.state.owner, &running);
        Ok(move |finding: &model::finding::Finding| place.weigh(finding))
    }

    /// The documents in force, for who only reads.
    async fn documents(&self) -> Result<Arc<Documents>, ServerError> {
        let newest = self.store.newest_setting().await?;
        let known = self.read.lock().ok().and_then(|read| read.clone());
        if let Some(known) = known.filter(|known| known.revision == newest) {
            return Ok(known);
        }
        let fresh = Arc::new(Documents::load(&self.store).await?);
        if let Ok(mut read) = self.read.lock() {
            *read = Some(fresh.clone());
        }
        Ok(fresh)
    }

    /// The catalog in force.
    pub async fn catalog(&self) -> Result<portfolio::catalog::Catalog, ServerError> {
        Ok(self.documents().await?.catalog.clone())
    }

    /// Whether this server can judge: the advisories in force are here.
    pub async fn ready(&self) -> Result<(), ServerError> {
        let documents = self.documents().await?;
        self.knowledge(&documents).await.map(drop)
    }

    /// Refuses a bound caller who asks who depends on what is not his.
    pub async fn owns(&self, scope: &str, what: &str, value: &str) -> Result<(), Problem> {
        let page = store::Page { at: i64::MAX, scope, after: "", count: 1 };
        let is_his = match what {
            "image" => {
                let digest = self.store.tagged(value, i64::MAX).await?.unwrap_or_else(|| value.to_owned());
                self.store.find_image(page, &digest).await?.is_some()
            }
            "layer" => match self.store.layer(value).await? {
                Some(layer) => self.store.owner(&format!("layer:{layer}"), i64::MAX).await?.is_some_and(|owner| {
                    scope == format!("team:{}", owner.team) || scope == format!("system:{}", owner.system)
                }),
                None => false,
            },
            _ => false,
        };
        if is_his { Ok(()) } else { Err(Problem::missing("image or layer of yours")) }
    }
}

/// Why a layer is somebody's where no rule says so.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Made {
    made_by: String,
    layers: usize,
}

/// The right to write, with everything at hand.
pub(crate) struct Turn<'a> {
    guard: MutexGuard<'a, Option<Writer>>,
    pub(crate) writer: Writer,
    told: &'a watch::Sender<i64>,
}

impl Turn<'_> {
    /// Adds the image and those of its layers that advisories in force name by a digest.
    pub(crate) fn add_named_digests(&self, claim: &mut Claim) -> Result<(), ServerError> {
        let advisories = self.writer.knowledge.advisories();
        let named = assessment::subject::with_named_digests(&claim.artifact, &claim.inventory, &advisories)?;
        claim.inventory = named.into_owned();
        Ok(())
    }

    /// Makes the write last, and lets go. Dropped instead, what is at hand is read again by the next.
    pub(crate) async fn commit(mut self, write: Write) -> Result<(), ServerError> {
        let newest = write.commit().await?;
        *self.guard = Some(self.writer);
        self.told.send_if_modified(|told| std::mem::replace(told, newest) != newest);
        Ok(())
    }

    /// Lets go without having written anything.
    pub(crate) fn keep(mut self) {
        *self.guard = Some(self.writer);
    }
}

/// Whether an inventory may take the place of another for the same digest: ours that of others, a newer version that of an older one.
fn is_newer(tool: &str, than: &str) -> bool {
    let version = |tool: &str| -> Option<Vec<u64>> {
        let version = tool.strip_prefix("dogwatch ")?;
        version.split('.').map(|part| part.parse().ok()).collect()
    };
    match (version(tool), version(than)) {
        (Some(new), Some(old)) => new > old,
        (new, None) => new.is_some(),
        (None, Some(_)) => false,
    }
}

/// Packages as they are stored.
pub(crate) fn read_matched<'a>(rows: impl Iterator<Item = (u32, &'a str)>) -> Result<Vec<(u32, Matched)>, ServerError> {
    rows.map(|(id, body)| {
        let matched = serde_json::from_str(body).map_err(|source| ServerError::Stored { what: "package", source })?;
        Ok((id, matched))
    })
    .collect()
}

/// Nobody's.
pub(crate) fn nobody() -> Ownership {
    Ownership::default()
}
