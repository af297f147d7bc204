//! Everything that is known, and the one place where it changes.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use model::Timestamp;
use model::base::Bases;
use portfolio::change::Change;
use serde::Serialize;
use store::{ClaimRow, FindingUpdate, ImageRow, ImageState, NewPackage, Ownership, Store, StoredChange, Write};
use tokio::sync::{Mutex, MutexGuard, watch};
use tracing::Instrument;

use crate::ServerError;
use crate::claim::{Claim, Matched};
use crate::documents::{Documents, reported};
use crate::judge::Summary;
use crate::knowledge::{Indexes, Knowledge};
use crate::memory::Memory;
use crate::prepare::{Brought, Prepared};
use crate::problem::Problem;
use crate::tell::stored;
use crate::workloads::Workload;

/// How far behind the latest moment the clock may be before that is said, in microseconds: it is set right by less all the time.
const CLOCK_SLACK: i64 = 5_000_000;

/// The clock; tests bring their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Names of one image that are kept. More are no names but noise.
const NAMES_MAX: usize = 100;

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
    /// The moment of its last write.
    seen: i64,
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
                Writer { memory: Memory::load(&self.store).await?, knowledge, documents, seen: 0 }
            }
        };
        if writer.seen != write.before {
            self.catch_up(&mut writer).await?;
        }
        Ok((Turn { guard, writer, told: &self.told, at: write.at }, write))
    }

    /// Reads what others wrote since this writer's last turn.
    async fn catch_up(&self, writer: &mut Writer) -> Result<(), ServerError> {
        let index = self.store.setting(crate::renew::INDEX, i64::MAX).await?.map(|setting| setting.body);
        let is_behind = self.store.newest_setting().await? != writer.documents.revision;
        if is_behind || index.as_deref() != Some(&*writer.knowledge.index.digest()) {
            writer.documents = Arc::new(Documents::load(&self.store).await?);
            writer.knowledge = self.knowledge(&writer.documents).await?;
        }
        writer.memory.catch_up(&self.store).await
    }

    /// Takes in a claim, and judges what it is about.
    pub async fn ingest(&self, claim: Claim, actor: &str, seen: SeenAt) -> Result<Ingested, ServerError> {
        // What needs nobody's turn is done before it, beside others.
        let prepared = tokio::task::spawn_blocking(move || Prepared::of(claim)).await;
        let mut prepared = prepared.map_err(|_| ServerError::BrokeOff)?;
        let (mut turn, mut write) = self.begin().instrument(tracing::info_span!("wait for a turn")).await?;
        turn.add_named_digests(&mut prepared)?;
        prepared.recognise(&turn.writer.documents.bases);
        let (claim, digest) = (&prepared.claim, &prepared.identity);
        let known = write.known(digest).await?;
        let same = known.as_ref().is_some_and(|known| known.inventory_digest == prepared.inventory_digest);
        let replaces = known.as_ref().is_none_or(|known| !same && is_newer(&claim.tool, &known.cataloged_by));
        let conflict = known.as_ref().is_some_and(|known| !same && known.cataloged_by == claim.tool);
        let put = match &known {
            Some(known) if !replaces => None,
            known => {
                Some(self.put(&mut turn, &mut write, &prepared, seen, known.as_ref().map(|known| known.id)).await?)
            }
        };
        let id = put.as_ref().map(|put| put.image.id).or(known.as_ref().map(|known| known.id));
        let id = id.ok_or(ServerError::BrokeOff)?;
        let is_new_claim = write.claim(&claim_row(&prepared, id, actor, write.at)).await?;
        let moved = self.move_tags(&mut write, claim, id).await?;
        let mut changes: Vec<Change> = moved.iter().map(|tag| tag.change(digest)).collect();
        if conflict && is_new_claim {
            let (claimed_by, tool) = (actor.to_owned(), claim.tool.clone());
            changes.push(Change::InventoryConflict { image: digest.clone(), claimed_by, tool });
        }
        let (before, state) = match put {
            None => {
                let image = write.images(&[id]).await?.pop().ok_or(ServerError::BrokeOff)?;
                let state = image.state.clone();
                (image, state)
            }
            Some(put) => {
                let (state, judged) = self.judge_one(&mut turn, &mut write, &put).await?;
                changes.extend(judged);
                (put.image, state)
            }
        };
        let mut changes: Vec<StoredChange> = changes.iter().map(|change| stored(id, &state.owner, change)).collect();
        for tag in &moved {
            if let Some(from) = &tag.before {
                changes.extend(self.base_fixed(&turn, &mut write, &tag.name, (from, &before)).await?);
            }
        }
        write.changes(&changes).await?;
        turn.commit(write).await?;
        Ok(Ingested {
            image: digest.clone(),
            new: known.is_none(),
            known: same && !is_new_claim,
            conflict,
            outcome: state.outcome,
            findings: state.findings,
            violations: state.violations,
        })
    }

    /// Lets the names of a claim stand for its image from now on; those that did not before.
    async fn move_tags(&self, write: &mut Write, claim: &Claim, id: u32) -> Result<Vec<Moved>, ServerError> {
        let mut moved = Vec::new();
        for name in claim.artifact.names.iter().take(NAMES_MAX) {
            if let Some(before) = write.tag(name, id).await? {
                let before = write.images(&before.into_iter().collect::<Vec<_>>()).await?.pop();
                moved.push(Moved { name: name.clone(), before });
            }
        }
        Ok(moved)
    }

    /// Judges an image that was just remembered, and writes that down.
    async fn judge_one(
        &self,
        turn: &mut Turn<'_>,
        write: &mut Write,
        put: &Put,
    ) -> Result<(ImageState, Vec<Change>), ServerError> {
        self.load_packages(turn, &put.sets).await?;
        let concluded = turn.writer.conclude(&put.image, &put.sets, &put.running, (self.clock)())?;
        let changes = self.changes_of(&put.image, &concluded).await?;
        let state = concluded.state.clone();
        self.write_conclusions(turn, write, vec![(put.image.clone(), concluded)]).await?;
        Ok((state, changes))
    }

    /// Remembers what an image is made of.
    pub(crate) async fn put(
        &self,
        turn: &mut Turn<'_>,
        write: &mut Write,
        prepared: &Prepared,
        seen: SeenAt,
        known: Option<u32>,
    ) -> Result<Put, ServerError> {
        let sets = self.put_sets(turn, write, prepared).await?;
        let image = prepared.image(seen, &sets);
        if let Some(known) = known {
            let sets: Vec<u32> = write.sets_of(&[known]).await?.into_iter().map(|(_, _, set)| set).collect();
            turn.writer.memory.postings.remove_image(known, sets);
        }
        let id = write.put_image(&image, known).await?;
        // It may run already.
        if !image.image_id.is_empty() && image.image_id != image.digest {
            write.adopt_workloads(&image.image_id, &image.digest).await?;
        }
        let running = reported(&write.running_images(&[&image.digest]).await?);
        if !running.is_empty() {
            write.count_running(&image.digest).await?;
        }
        turn.writer.memory.add_image(id, &sets);
        let image = match known {
            Some(id) => write.images(&[id]).await?.pop().ok_or(ServerError::BrokeOff)?,
            None => image.row(id),
        };
        Ok(Put { image, sets: (0..).zip(sets).collect(), running })
    }

    /// Remembers what each layer brings; the sets' numbers. Only packages of sets that are not known are looked up.
    async fn put_sets(
        &self,
        turn: &mut Turn<'_>,
        write: &mut Write,
        prepared: &Prepared,
    ) -> Result<Vec<u32>, ServerError> {
        let digests: Vec<&str> = prepared.brought.iter().map(|brought| brought.set.as_str()).collect();
        let mut numbers = write.known_sets(&digests).await?;
        let new: BTreeMap<&str, &Brought> = prepared
            .brought
            .iter()
            .filter(|brought| !numbers.contains_key(&brought.set))
            .map(|brought| (brought.set.as_str(), brought))
            .collect();
        let mut places: Vec<usize> = new.values().flat_map(|brought| &brought.members).copied().collect();
        places.sort_unstable();
        let packages: Vec<&NewPackage> = places.iter().map(|&at| &prepared.packages[at]).collect();
        let (ids, fresh) = write.packages(&packages).await?;
        self.match_new(turn, write, &packages, &ids, &fresh).await?;
        let by_place: HashMap<usize, u32> = places.into_iter().zip(ids).collect();
        let members: Vec<(&str, Vec<u32>)> = new
            .into_iter()
            .map(|(digest, brought)| {
                let mut ids: Vec<u32> = brought.members.iter().filter_map(|at| by_place.get(at).copied()).collect();
                ids.sort_unstable();
                ids.dedup();
                (digest, ids)
            })
            .collect();
        let rows: Vec<(&str, &[u32])> = members.iter().map(|(digest, ids)| (*digest, ids.as_slice())).collect();
        for ((digest, ids), set) in members.iter().zip(write.put_sets(&rows).await?) {
            turn.writer.memory.add_members(set, ids);
            numbers.insert((*digest).to_owned(), set);
        }
        Ok(digests.into_iter().filter_map(|digest| numbers.get(digest).copied()).collect())
    }

    /// Matches packages that were never seen before.
    async fn match_new(
        &self,
        turn: &mut Turn<'_>,
        write: &mut Write,
        packages: &[&NewPackage],
        ids: &[u32],
        fresh: &[u32],
    ) -> Result<(), ServerError> {
        let fresh: HashSet<u32> = fresh.iter().copied().collect();
        let fresh: BTreeMap<u32, &str> = ids
            .iter()
            .zip(packages)
            .filter(|(id, _)| fresh.contains(id))
            .map(|(id, package)| (*id, package.body.as_str()))
            .collect();
        let fresh = read_matched(fresh.into_iter())?;
        let found = turn.writer.knowledge.findings(&fresh)?;
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
        turn.writer.memory.keep_packages(fresh);
        Ok(())
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

    /// The registered base images.
    pub async fn bases(&self) -> Result<Bases, ServerError> {
        Ok(self.documents().await?.bases.clone())
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

/// An image that was just remembered.
pub(crate) struct Put {
    /// As it was judged last.
    pub(crate) image: ImageRow,
    /// Places and sets.
    sets: Vec<(u32, u32)>,
    /// What runs it where.
    running: Vec<(String, Workload)>,
}

/// A name that stands for another image than before.
struct Moved {
    name: String,
    /// The image that it stood for; none where it is new.
    before: Option<ImageRow>,
}

impl Moved {
    fn change(&self, to: &str) -> Change {
        let (name, to) = (self.name.clone(), to.to_owned());
        match &self.before {
            None => Change::ImageTagged { name, image: to },
            Some(before) => Change::ImageMoved { name, from: before.digest.clone(), to },
        }
    }
}

/// The right to write, with everything at hand.
pub(crate) struct Turn<'a> {
    guard: MutexGuard<'a, Option<Writer>>,
    pub(crate) writer: Writer,
    told: &'a watch::Sender<i64>,
    at: i64,
}

impl Turn<'_> {
    /// Adds the image and those of its layers that advisories in force name by a digest.
    pub(crate) fn add_named_digests(&self, prepared: &mut Prepared) -> Result<(), ServerError> {
        let advisories = self.writer.knowledge.advisories();
        let claim = &prepared.claim;
        let named = assessment::subject::with_named_digests(&claim.artifact, &claim.inventory, &advisories)?;
        if let Cow::Owned(inventory) = named {
            prepared.add(inventory);
        }
        Ok(())
    }

    /// Makes the write last, and lets go. Dropped instead, what is at hand is read again by the next.
    pub(crate) async fn commit(mut self, write: Write) -> Result<(), ServerError> {
        let newest = write.commit().await?;
        self.writer.seen = self.at;
        *self.guard = Some(self.writer);
        self.told.send_if_modified(|told| std::mem::replace(told, newest) != newest);
        Ok(())
    }

    /// Lets go without having written anything.
    pub(crate) fn keep(mut self) {
        *self.guard = Some(self.writer);
    }
}

/// What is kept of who said it.
fn claim_row(prepared: &Prepared, image: u32, actor: &str, at: i64) -> ClaimRow {
    let (outcome, outcome_at) = prepared.claim.verdict.clone().unwrap_or_default();
    ClaimRow {
        digest: prepared.claim.digest.clone(),
        image,
        claimed_by: actor.to_owned(),
        claimed_at: at,
        tool: prepared.claim.tool.clone(),
        inventory_digest: prepared.inventory_digest.clone(),
        outcome,
        outcome_at,
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
