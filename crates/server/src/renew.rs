//! Puts other knowledge in force (advisories, policies, exceptions, catalog, owner rules), and says which images fall behind by it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use advisories::{Change as IndexChange, DiffOptions, Index, diff, private};
use model::finding::Finding;
use portfolio::change::Change;
use store::{FindingUpdate, Write};

use crate::ServerError;
use crate::access::Caller;
use crate::documents::{DOCUMENTS, Documents, Files, read_files};
use crate::knowledge::Knowledge;
use crate::memory::Event;
use crate::portfolio::{Portfolio, SeenAt, Turn, nobody, read_matched};
use crate::prepare::Prepared;
use crate::problem::Problem;
use crate::tell::{Scores, score_changes, score_rows, stored, told};

/// The name under which the digest of the public advisories is stored.
pub(crate) const INDEX: &str = "index";

impl Portfolio {
    /// What is in force, opened. Fails when the index in force is not on this machine.
    pub(crate) async fn knowledge(&self, documents: &Documents) -> Result<Knowledge, ServerError> {
        let digest = self.store.setting(INDEX, i64::MAX).await?.map(|setting| setting.body).unwrap_or_default();
        let index = self.indexes.get(&digest).ok_or(ServerError::NotHere { digest })?;
        Ok(Knowledge {
            index: Arc::new(index),
            private: self.private(documents)?.map(Arc::new),
            policies: documents.policies.clone(),
            exceptions: documents.exceptions.clone(),
            documents: documents.revision,
        })
    }

    /// The organisation's own advisories, compiled (once for each state of them).
    fn private(&self, documents: &Documents) -> Result<Option<Index>, ServerError> {
        if documents.advisories.is_empty() {
            return Ok(None);
        }
        let directory = self.indexes.scratch("private-advisories")?;
        let mut inputs = Vec::new();
        for (name, text) in &documents.advisories {
            // Their names are other people's; ours say nothing and lead nowhere.
            let path = directory.path().join(format!("{}.json", crate::claim::hex_digest(name.as_bytes())));
            std::fs::write(&path, text).map_err(|source| ServerError::File { path: path.clone(), source })?;
            inputs.push(path);
        }
        inputs.sort();
        let compiled = private::compile(&inputs, self.indexes.directory())?;
        compiled.map(|path| Index::open(&path).map_err(ServerError::Index)).transpose()
    }

    /// Puts public advisories in force: only what differs from those before is matched again, per package version. Returns how
    /// many images fell behind; none when they were in force already.
    pub async fn take_index(&self, path: &std::path::Path, actor: &str) -> Result<Option<u64>, ServerError> {
        let new = self.indexes.keep(path)?;
        let digest = new.digest();
        let before = self.store.setting(INDEX, i64::MAX).await?.map(|setting| setting.body);
        if before.as_deref() == Some(&digest) {
            return Ok(None);
        }
        let Some(before) = before else {
            // The first: there is nothing yet that was judged.
            let mut write = self.store.write(self.now()).await?;
            if write.setting(INDEX).await?.is_none() {
                write.set(INDEX, &digest, actor).await?;
                write.commit().await?;
            }
            return Ok(Some(0));
        };
        let (mut turn, mut write) = self.begin().await?;
        let packages = match self.indexes.get(&before) {
            Some(old) => self.concerned(&turn, &old, &new).await?,
            // What it said cannot be compared with, so everything is matched again.
            None => self.store.all_packages().await?.into_iter().collect(),
        };
        turn.writer.knowledge.index = Arc::new(new);
        let images = self.rematch(&mut turn, &mut write, packages, "advisories").await?;
        write.set(INDEX, &digest, actor).await?;
        self.tell(&mut write, "advisories", &before, &digest, images).await?;
        turn.commit(write).await?;
        self.indexes.keep_only(&[before, digest]);
        Ok(Some(images))
    }

    /// Matches every package again: after an import, or when nothing says what differs.
    pub async fn match_all(&self, because: &str) -> Result<u64, ServerError> {
        let (mut turn, mut write) = self.begin().await?;
        let packages = self.store.all_packages().await?.into_iter().collect();
        let images = self.rematch(&mut turn, &mut write, packages, because).await?;
        turn.commit(write).await?;
        Ok(images)
    }

    /// The packages that the difference between two indexes speaks of.
    async fn concerned(&self, turn: &Turn<'_>, old: &Index, new: &Index) -> Result<BTreeSet<u32>, ServerError> {
        let mut names = BTreeSet::new();
        let mut ids = BTreeSet::new();
        diff(old, new, DiffOptions::default(), &mut |change| match change {
            IndexChange::Package { ecosystem, name, .. } => {
                names.insert((ecosystem, name));
            }
            IndexChange::Severity { advisory, .. } => {
                ids.insert(advisory);
            }
            IndexChange::Score { cve, .. }
            | IndexChange::Ssvc { cve, .. }
            | IndexChange::Epss { cve, .. }
            | IndexChange::Kev { cve, .. } => {
                ids.insert(cve);
            }
        })?;
        let mut packages: BTreeSet<u32> = ids.iter().flat_map(|id| turn.writer.memory.packages_with(id)).collect();
        for (ecosystem, name) in names {
            packages.extend(self.store.packages_named(&ecosystem, &name).await?);
        }
        Ok(packages)
    }

    /// Matches packages again, writes what changed, and lets the images that hold them fall behind.
    async fn rematch(
        &self,
        turn: &mut Turn<'_>,
        write: &mut Write,
        packages: BTreeSet<u32>,
        because: &str,
    ) -> Result<u64, ServerError> {
        let packages: Vec<u32> = packages.into_iter().collect();
        let rows = self.store.package_bodies(&packages).await?;
        let matched = read_matched(rows.iter().map(|row| (row.id, row.body.as_str())))?;
        let found = turn.writer.knowledge.findings(&matched)?;
        let mut updates = Vec::new();
        let mut scores = Scores::new();
        let mut changed = BTreeSet::new();
        for (package, findings) in found {
            let before: BTreeMap<String, Arc<Finding>> = turn
                .writer
                .memory
                .findings(package)
                .iter()
                .map(|finding| (finding.id.clone(), finding.clone()))
                .collect();
            let after: BTreeMap<String, Arc<Finding>> =
                findings.into_iter().map(|finding| (finding.id.clone(), Arc::new(finding))).collect();
            let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for id in ids {
                let (old, new) = (before.get(id), after.get(id));
                if old == new {
                    continue;
                }
                score_changes(old, new, &mut scores);
                updates.push(FindingUpdate {
                    package,
                    vulnerability: id.clone(),
                    now: new.map(|finding| told(finding)).transpose()?,
                    was_there: old.is_some(),
                });
                let event =
                    Event { at: write.at, vulnerability: id.clone(), before: old.cloned(), after: new.cloned() };
                turn.writer.memory.change(package, event);
                changed.insert(package);
            }
        }
        write.update_findings(&updates).await?;
        write.update_scores(&score_rows(scores)).await?;
        let images: Vec<u32> = turn.writer.memory.postings.images_with(changed).iter().collect();
        write.fall_behind(&images, because).await?;
        Ok(images.len() as u64)
    }

    async fn tell(&self, write: &mut Write, what: &str, from: &str, to: &str, images: u64) -> Result<(), ServerError> {
        let change = Change::KnowledgeChanged { what: what.into(), from: from.into(), to: to.into(), images };
        Ok(write.changes(&[stored(0, &nobody(), &change)]).await?)
    }

    /// Publishes a private advisory in place of one of the same id, or withdraws it. A bound caller may only about images and layers
    /// of its own, by their digests: what a package has, it has everywhere.
    pub async fn put_advisory(&self, id: &str, record: Option<String>, caller: &Caller) -> Result<u64, Problem> {
        let before = self.advisory(id).await?;
        if record.is_none() && before.is_none() {
            return Err(Problem::missing("advisory of that id"));
        }
        if !caller.scope.is_empty() {
            for text in before.iter().chain(&record) {
                self.speaks_of_own(text, &caller.scope).await?;
            }
        }
        let change = |mut files: Files| {
            let is_same = files.iter().find(|(name, _)| name == id).map(|(_, text)| text) == before.as_ref();
            if !is_same {
                return Err(Problem::new(
                    409,
                    "somebody else was faster",
                    "the advisory is another by now; look again",
                ));
            }
            files.retain(|(name, _)| name != id);
            files.extend(record.map(|text| (id.to_owned(), text)));
            Ok(files)
        };
        self.change_document("advisories", change, &caller.name).await
    }

    /// The private advisory of this id.
    async fn advisory(&self, id: &str) -> Result<Option<String>, ServerError> {
        let Some(setting) = self.store.setting("advisories", i64::MAX).await? else { return Ok(None) };
        Ok(read_files(&setting.body)?.into_iter().find(|(name, _)| name == id).map(|(_, text)| text))
    }

    /// Refuses an advisory that speaks of anything but images and layers of a scope.
    async fn speaks_of_own(&self, text: &str, scope: &str) -> Result<(), Problem> {
        let refused = "a token that is bound to a team or system publishes only about images and layers of its own, by their digests";
        let affected = affected(text);
        for (_, digest) in &affected {
            let is_own = digest.starts_with("sha256:")
                && (self.owns(scope, "image", digest).await.is_ok() || self.owns(scope, "layer", digest).await.is_ok());
            if !is_own {
                return Err(Problem::new(403, "not allowed", &format!("`{digest}`: {refused}")));
            }
        }
        if affected.is_empty() { Err(Problem::new(403, "not allowed", refused)) } else { Ok(()) }
    }

    /// Puts a document in force: all its files, in place of those before. Nothing changes when it has mistakes.
    pub async fn put_document(&self, name: &str, files: Vec<(String, String)>, actor: &str) -> Result<u64, Problem> {
        self.change_document(name, |_| Ok(files), actor).await
    }

    /// Puts in force what `change` makes of a document's files, as they are when this write begins: two who change one document
    /// at once both have their way.
    pub(crate) async fn change_document(
        &self,
        name: &str,
        change: impl FnOnce(Files) -> Result<Files, Problem>,
        actor: &str,
    ) -> Result<u64, Problem> {
        let Some(name) = DOCUMENTS.iter().find(|known| **known == name) else {
            return Err(Problem::missing("document of that name"));
        };
        let (mut turn, mut write) = self.begin().await?;
        let mut all: BTreeMap<&str, Files> = BTreeMap::new();
        for other in DOCUMENTS {
            if let Some(setting) = write.setting(other).await? {
                all.insert(other, read_files(&setting.body)?);
            }
        }
        let before = all.get(name).cloned().unwrap_or_default();
        let files = change(before.clone())?;
        all.insert(name, files.clone());
        let documents = Documents::read(&all, write.at)
            .map_err(|(name, mistakes)| Problem::mistakes(&format!("the {name} cannot be put in force"), &mistakes))?;
        if before == files {
            return Ok(0);
        }
        let private = self.private(&documents).map_err(mistaken)?.map(Arc::new);
        let body = serde_json::to_string(&files).unwrap_or_default();
        write.set(name, &body, actor).await?;
        let old = turn.writer.documents.clone();
        turn.writer.knowledge = Knowledge {
            private,
            policies: documents.policies.clone(),
            exceptions: documents.exceptions.clone(),
            documents: write.at,
            ..turn.writer.knowledge.clone()
        };
        turn.writer.documents = Arc::new(documents);
        let images = match *name {
            "advisories" => self.own_advisories(&mut turn, &mut write, &before, &files).await?,
            "bases" => self.rebase(&turn, &mut write, &old).await?,
            _ => self.fall_behind_of(&turn, &mut write, name, &old).await?,
        };
        let (from, to) = (crate::tell::moment(old.revision), crate::tell::moment(write.at));
        self.tell(&mut write, name, &from, &to, images).await?;
        write
            .audit(actor, "document.put", name, &format!("{{\"files\":{}}}", files.len()), crate::claim::hex_digest)
            .await?;
        turn.commit(write).await?;
        Ok(images)
    }

    /// Matches again what the organisation's own advisories speak of, before or now.
    async fn own_advisories(
        &self,
        turn: &mut Turn<'_>,
        write: &mut Write,
        before: &Files,
        now: &Files,
    ) -> Result<u64, ServerError> {
        let mut packages = BTreeSet::new();
        let mut digests = BTreeSet::new();
        for (_, text) in before.iter().chain(now) {
            for (ecosystem, name) in affected(text) {
                if ecosystem == "OCI" || name.starts_with("sha256:") {
                    digests.insert(name);
                    continue;
                }
                let name = model::ecosystem::normalise_name(&ecosystem, &name);
                packages.extend(self.store.packages_named(&ecosystem, &name).await?);
            }
        }
        let mut images = self.rematch(turn, write, packages, "own advisories").await?;
        for digest in digests {
            for image in self.store.images_of_digest(&digest).await? {
                self.put_again(turn, write, &image).await?;
                images += 1;
            }
        }
        Ok(images)
    }

    /// Takes an image's kept claim in again: an advisory names it, or no longer does.
    async fn put_again(&self, turn: &mut Turn<'_>, write: &mut Write, digest: &str) -> Result<(), ServerError> {
        let Some(bytes) = self.store.inventory(digest).await? else { return Ok(()) };
        let Some(kept) = crate::claim::read_kept(&bytes) else { return Ok(()) };
        let Some(known) = write.known(digest).await? else { return Ok(()) };
        let mut claim = crate::claim::Claim {
            digest: String::new(),
            artifact: kept.artifact,
            inventory: kept.inventory,
            tool: known.cataloged_by.clone(),
            verdict: None,
        };
        // What was added for an advisory before is not inside.
        claim.inventory.packages.retain(|package| package.kind.as_str() != "oci");
        let mut prepared = Prepared::of(claim);
        prepared.inventory_digest = known.inventory_digest;
        turn.add_named_digests(&mut prepared)?;
        prepared.recognise(&turn.writer.documents.bases);
        self.put(turn, write, &prepared, SeenAt::Registry, Some(known.id)).await?;
        write.fall_behind(&[known.id], "own advisories").await?;
        Ok(())
    }
}

/// The packages and digests that OSV records speak of.
fn affected(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>().flatten();
    for record in values.flat_map(|value| match value {
        serde_json::Value::Array(records) => records,
        record => vec![record],
    }) {
        for affected in record["affected"].as_array().into_iter().flatten() {
            let package = &affected["package"];
            let (ecosystem, name) = (package["ecosystem"].as_str(), package["name"].as_str());
            if let (Some(ecosystem), Some(name)) = (ecosystem, name) {
                found.push((ecosystem.to_owned(), name.to_owned()));
            }
            let purl = package["purl"].as_str().and_then(|purl| model::purl::parse(purl).ok());
            let versions = affected["versions"].as_array().into_iter().flatten().filter_map(|version| version.as_str());
            let digests = versions.map(str::to_owned).chain(purl.map(|purl| purl.version));
            found.extend(digests.filter(|text| text.starts_with("sha256:")).map(|digest| ("OCI".to_owned(), digest)));
        }
    }
    found
}

/// Mistakes in the organisation's own advisories are the sender's; everything else is ours.
fn mistaken(error: ServerError) -> Problem {
    match error {
        ServerError::Private(private::PrivateError::Mistakes { first, .. }) => {
            let shown: Vec<String> =
                first.iter().map(|problem| format!("{}: {}", problem.record, problem.detail)).collect();
            Problem::mistakes("the advisories cannot be put in force", &shown)
        }
        error => error.into(),
    }
}
