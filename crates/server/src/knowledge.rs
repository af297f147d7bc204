//! What is judged with: advisories, policies, exceptions.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use advisories::{Combined, Index};
use assessment::vulnerability::{AssessOptions, assess};
use model::finding::Finding;
use model::inventory::Inventory;
use model::package::PackageId;
use policy::{Exceptions, PolicySet};

use crate::ServerError;
use crate::claim::Matched;

/// Everything that a judgement rests on beside the inventory.
#[derive(Debug, Clone)]
pub struct Knowledge {
    /// Public advisories.
    pub index: Arc<Index>,
    /// The organisation's own.
    pub private: Option<Arc<Index>>,
    /// The policies in force.
    pub policies: Arc<PolicySet>,
    /// What they are excused from.
    pub exceptions: Arc<Exceptions>,
    /// Which versions of the documents these are: changes whenever one is replaced.
    pub documents: i64,
}

impl Knowledge {
    /// The public and the private index, as one.
    pub fn advisories(&self) -> Combined<'_> {
        Combined::new(&self.index, self.private.as_deref())
    }

    /// What identifies the advisories: public digest, and private digest if there are any.
    pub fn advisories_digest(&self) -> String {
        match &self.private {
            Some(private) => format!("{} {}", self.index.digest(), private.digest()),
            None => self.index.digest(),
        }
    }

    /// The findings of package versions, each with its number. Their `package` is 0.
    pub fn findings(&self, packages: &[(u32, Matched)]) -> Result<Vec<(u32, Vec<Finding>)>, ServerError> {
        let mut found: Vec<(u32, Vec<Finding>)> = packages.iter().map(|(id, _)| (*id, Vec::new())).collect();
        let mut at = 0;
        // Neighbours are mostly of one distribution, so they are assessed together.
        while at < packages.len() {
            let distro = &packages[at].1.distro;
            let count = packages[at..].iter().take_while(|(_, other)| other.distro == *distro).count();
            let numbered = (0u32..).zip(&packages[at..at + count]);
            let inventory = Inventory {
                distro: distro.clone(),
                packages: numbered
                    .map(|(number, (_, matched))| {
                        let mut package = matched.package.clone();
                        package.id = PackageId(number);
                        package
                    })
                    .collect(),
                ..Inventory::default()
            };
            let assessment = assess(&inventory, &self.advisories(), &AssessOptions::default())?;
            for mut finding in assessment.findings {
                let place = at + finding.package.0 as usize;
                finding.package = PackageId(0);
                found[place].1.push(finding);
            }
            at += count;
        }
        for (_, findings) in &mut found {
            findings.sort_by(|a, b| a.id.cmp(&b.id));
            findings.dedup_by(|a, b| a.id == b.id);
        }
        Ok(found)
    }
}

/// Where indexes are kept, so that two can be compared after a restart.
#[derive(Debug, Clone)]
pub struct Indexes {
    directory: PathBuf,
}

impl Indexes {
    /// Those of a server whose data is in this directory.
    pub fn of(data: &Path) -> Self {
        Self::new(data.join("indexes"))
    }

    /// Kept in this directory.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Where they are kept.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A directory for passing files, gone with its guard.
    pub fn scratch(&self, prefix: &str) -> Result<tempfile::TempDir, ServerError> {
        fs::create_dir_all(&self.directory).map_err(|source| io(&self.directory, source))?;
        tempfile::Builder::new()
            .prefix(prefix)
            .tempdir_in(&self.directory)
            .map_err(|source| io(&self.directory, source))
    }

    /// Where the index with this digest is, if it was kept.
    pub(crate) fn path(&self, digest: &str) -> PathBuf {
        self.directory.join(format!("{}.index", digest.replace(':', "-")))
    }

    /// Opens an index and keeps a copy of it.
    pub fn keep(&self, path: &Path) -> Result<Index, ServerError> {
        let digest = open(path)?.digest();
        let own = self.path(&digest);
        if !own.exists() {
            fs::create_dir_all(&self.directory).map_err(|source| io(&self.directory, source))?;
            let partial = own.with_extension("partial");
            fs::copy(path, &partial).map_err(|source| io(&partial, source))?;
            fs::rename(&partial, &own).map_err(|source| io(&own, source))?;
        }
        open(&own)
    }

    /// The index with this digest, if it was kept.
    pub fn get(&self, digest: &str) -> Option<Index> {
        open(&self.path(digest)).ok()
    }

    /// Removes all but these.
    pub fn keep_only(&self, digests: &[String]) {
        let kept: Vec<PathBuf> = digests.iter().map(|digest| self.path(digest)).collect();
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            if !kept.contains(&entry.path()) {
                // One that stays only takes room.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn open(path: &Path) -> Result<Index, ServerError> {
    Index::open(path).map_err(ServerError::Index)
}

fn io(path: &Path, source: std::io::Error) -> ServerError {
    ServerError::File { path: path.to_owned(), source }
}
