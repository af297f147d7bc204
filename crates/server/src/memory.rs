//! What the writer keeps at hand: postings, the findings in force, and what changed of them since images were judged.
//!
//! All of it is in the database too. It is rebuilt at start and caught up with what other servers wrote, by moments.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;

use futures_util::TryStreamExt;
use model::finding::Finding;
use portfolio::postings::Postings;
use store::{FindingRow, Store};

use crate::ServerError;
use crate::claim::Matched;

/// How one finding of a package changed at a moment.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// When.
    pub at: i64,
    /// The vulnerability.
    pub vulnerability: String,
    /// How it was told before; none when it is new.
    pub before: Option<Arc<Finding>>,
    /// How it is told since; none when it is gone.
    pub after: Option<Arc<Finding>>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Package → sets → images.
    pub postings: Postings,
    /// By set: its packages.
    members: Vec<Box<[u32]>>,
    /// By package: its findings in force, by vulnerability.
    findings: HashMap<u32, Vec<Arc<Finding>>>,
    /// By any of a vulnerability's ids: the packages that have it.
    ids: HashMap<String, BTreeSet<u32>>,
    /// By package: what changed since the oldest judgement that is behind.
    events: HashMap<u32, Vec<Event>>,
    /// The packages that have findings, as they were matched.
    packages: HashMap<u32, Arc<Matched>>,
    last_set: u32,
    last_image: u32,
    last_at: i64,
}

impl Memory {
    /// Reads everything up to the newest write.
    pub(crate) async fn load(store: &Store) -> Result<Self, ServerError> {
        let mut memory = Self::default();
        let at = store.newest().await?;
        let mut findings = pin!(store.findings());
        while let Some(row) = findings.try_next().await? {
            let finding = Arc::new(read(&row.body)?);
            memory.put(row.package, &row.vulnerability, Some(finding));
        }
        // Events that images which are behind have not seen.
        let oldest = store.oldest_behind().await?;
        if let Some(oldest) = oldest {
            memory.remember_events(&store.findings_after(oldest).await?, oldest)?;
        }
        memory.last_at = at;
        memory.catch_up(store).await?;
        Ok(memory)
    }

    /// Reads what other servers wrote since. The caller holds the write that keeps them from writing more.
    pub(crate) async fn catch_up(&mut self, store: &Store) -> Result<(), ServerError> {
        let mut sets = pin!(store.sets_after(self.last_set));
        while let Some((set, members)) = sets.try_next().await? {
            self.add_members(set, &members);
        }
        let mut images = pin!(store.image_sets_after(self.last_image));
        while let Some((image, set)) = images.try_next().await? {
            self.last_image = self.last_image.max(image);
            self.postings.add_image(image, [set]);
        }
        let rows = store.findings_after(self.last_at).await?;
        if !rows.is_empty() {
            self.remember_events(&rows, self.last_at)?;
            for row in &rows {
                self.last_at = self.last_at.max(row.since).max(row.until.unwrap_or(row.since));
            }
            // Ended ones first: one that is told otherwise ends and begins in the same moment.
            for row in rows.iter().filter(|row| row.until.is_some()) {
                self.put(row.package, &row.vulnerability, None);
            }
            for row in rows.iter().filter(|row| row.until.is_none()) {
                self.put(row.package, &row.vulnerability, Some(Arc::new(read(&row.body)?)));
            }
        }
        Ok(())
    }

    /// Turns rows that began or ended after a moment into events.
    fn remember_events(&mut self, rows: &[FindingRow], after: i64) -> Result<(), ServerError> {
        let mut pairs: HashMap<(u32, &str, i64), Event> = HashMap::new();
        for row in rows {
            let finding = Arc::new(read(&row.body)?);
            let event = |at| Event { at, vulnerability: row.vulnerability.clone(), before: None, after: None };
            if row.since > after {
                pairs.entry((row.package, &row.vulnerability, row.since)).or_insert_with(|| event(row.since)).after =
                    Some(finding.clone());
            }
            if let Some(until) = row.until.filter(|until| *until > after) {
                pairs.entry((row.package, &row.vulnerability, until)).or_insert_with(|| event(until)).before =
                    Some(finding);
            }
        }
        for ((package, _, _), event) in pairs {
            self.events.entry(package).or_default().push(event);
        }
        Ok(())
    }

    /// A set's packages, new.
    pub(crate) fn add_members(&mut self, set: u32, packages: &[u32]) {
        let at = set as usize;
        if self.members.len() <= at {
            self.members.resize_with(at + 1, Box::default);
        }
        self.members[at] = packages.into();
        self.postings.add_set(set, packages.iter().copied());
        self.last_set = self.last_set.max(set);
    }

    /// An image's sets, new.
    pub(crate) fn add_image(&mut self, image: u32, sets: &[u32]) {
        self.postings.add_image(image, sets.iter().copied());
        self.last_image = self.last_image.max(image);
    }

    /// A finding changed at a moment: an event, and the state that follows.
    pub(crate) fn change(&mut self, package: u32, event: Event) {
        self.last_at = self.last_at.max(event.at);
        let (vulnerability, after) = (event.vulnerability.clone(), event.after.clone());
        self.events.entry(package).or_default().push(event);
        self.put(package, &vulnerability, after);
    }

    /// The findings of new packages: no events, since no image was judged without them.
    pub(crate) fn learn(&mut self, package: u32, findings: Vec<Arc<Finding>>, at: i64) {
        self.last_at = self.last_at.max(at);
        for finding in findings {
            self.put(package, &finding.id.clone(), Some(finding));
        }
    }

    fn put(&mut self, package: u32, vulnerability: &str, finding: Option<Arc<Finding>>) {
        let own = self.findings.entry(package).or_default();
        if let Some(at) = own.iter().position(|finding| finding.id == vulnerability) {
            let old = own.remove(at);
            for id in &old.ids {
                if let Some(packages) = self.ids.get_mut(id) {
                    packages.remove(&package);
                }
            }
        }
        if let Some(finding) = finding {
            for id in &finding.ids {
                self.ids.entry(id.clone()).or_default().insert(package);
            }
            own.push(finding);
        }
        if own.is_empty() {
            self.findings.remove(&package);
        }
    }

    /// The findings of a package that are in force.
    pub(crate) fn findings(&self, package: u32) -> &[Arc<Finding>] {
        self.findings.get(&package).map_or(&[], Vec::as_slice)
    }

    /// The packages that have a vulnerability, by any of its ids.
    pub(crate) fn packages_with(&self, id: &str) -> impl Iterator<Item = u32> + '_ {
        self.ids.get(id).into_iter().flatten().copied()
    }

    /// The packages of a set.
    pub(crate) fn members(&self, set: u32) -> &[u32] {
        self.members.get(set as usize).map_or(&[], |members| members)
    }

    /// What changed of a package's findings after a moment, oldest first.
    pub(crate) fn events(&self, package: u32, after: i64) -> impl Iterator<Item = &Event> {
        self.events.get(&package).into_iter().flatten().filter(move |event| event.at > after)
    }

    /// No image is behind, so nobody will ask what changed.
    pub(crate) fn forget_events(&mut self) {
        self.events.clear();
    }

    /// The matched packages that are not at hand yet.
    pub(crate) fn unknown_packages(&self, packages: impl IntoIterator<Item = u32>) -> Vec<u32> {
        let unknown: HashSet<u32> =
            packages.into_iter().filter(|package| !self.packages.contains_key(package)).collect();
        unknown.into_iter().collect()
    }

    /// Keeps matched packages at hand.
    pub(crate) fn keep_packages(&mut self, packages: impl IntoIterator<Item = (u32, Matched)>) {
        self.packages.extend(packages.into_iter().map(|(id, matched)| (id, Arc::new(matched))));
    }

    /// A matched package that is at hand.
    pub(crate) fn package(&self, id: u32) -> Option<&Arc<Matched>> {
        self.packages.get(&id)
    }
}

fn read(body: &str) -> Result<Finding, ServerError> {
    serde_json::from_str(body).map_err(|source| ServerError::Stored { what: "finding", source })
}
