//! The files of a source tree that change.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use ::scan::source::uncommitted;
use anyhow::Context;
use assessment::edit::Manifest;

use crate::console::{Failure, Hint, note};

/// A manifest that is larger was not written by people.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Directories that are not a project's own.
const NOT_OWN: [&str; 7] = [".git", ".hg", ".venv", "node_modules", "target", "vendor", "venv"];

/// More entries and deeper directories than these are not looked through for manifests.
const ENTRIES_MAX: usize = 200_000;
const DEPTH_MAX: usize = 16;

/// As much of a lock file as tells which tool wrote it.
const HEAD_BYTES_MAX: u64 = 1024;

/// A source tree, and what its files become.
pub(super) struct Tree {
    root: PathBuf,
    /// Manifests and Dockerfiles of the tree, sorted.
    names: Vec<String>,
    files: BTreeMap<String, Changed>,
}

/// A file that was read.
pub(super) struct Changed {
    /// Below the root.
    pub(super) path: String,
    /// What is there.
    pub(super) old: String,
    /// What it becomes.
    pub(super) new: String,
}

impl Tree {
    pub(super) fn open(root: &Path) -> anyhow::Result<Self> {
        let root = root.canonicalize().with_context(|| format!("`{}` cannot be read", root.display()))?;
        let mut tree = Self { root, names: Vec::new(), files: BTreeMap::new() };
        tree.names = tree.look();
        Ok(tree)
    }

    /// A tree of one Dockerfile, whatever it is called.
    pub(super) fn of_file(file: &Path) -> anyhow::Result<Self> {
        let whole = file.canonicalize().with_context(|| format!("`{}` cannot be read", file.display()))?;
        let name = whole.file_name().and_then(|name| name.to_str()).context("its name is no text")?.to_owned();
        let root = whole.parent().context("it is no file")?.to_owned();
        Ok(Self { root, names: vec![name], files: BTreeMap::new() })
    }

    /// A file as it is now.
    pub(super) fn text(&self, path: &str) -> anyhow::Result<String> {
        let place = self.file(path).with_context(|| format!("`{path}` is no plain file of this tree"))?;
        fs::read_to_string(place).with_context(|| format!("`{path}` is no text"))
    }

    /// Finds manifests and Dockerfiles; what cannot be read has none.
    fn look(&self) -> Vec<String> {
        let (mut names, mut left, mut waiting) = (Vec::new(), ENTRIES_MAX, vec![(String::new(), 0)]);
        while let Some((directory, depth)) = waiting.pop() {
            let entries = fs::read_dir(self.root.join(&directory)).into_iter().flatten().flatten();
            for entry in entries {
                let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else { continue };
                if left == 0 {
                    note("the tree has too many files: not all its manifests are looked at");
                    return names;
                }
                left -= 1;
                let path = if directory.is_empty() { name.clone() } else { format!("{directory}/{name}") };
                if kind.is_dir() && depth < DEPTH_MAX && !NOT_OWN.contains(&name.as_str()) {
                    waiting.push((path, depth + 1));
                } else if kind.is_file() && (Manifest::of(&name).is_some() || is_dockerfile(&name)) {
                    names.push(path);
                }
            }
        }
        names.sort();
        names
    }

    /// The files of this name in a directory and below, without those that have such a lock file of their own.
    pub(super) fn below(&self, directory: &str, name: &str, lock: &str) -> Vec<String> {
        let is_ours = |path: &&String| {
            let (own, file) = path.rsplit_once('/').unwrap_or(("", path));
            let is_below = directory.is_empty() || own == directory || own.starts_with(&format!("{directory}/"));
            file == name && is_below && (own == directory || !self.root.join(own).join(lock).exists())
        };
        self.names.iter().filter(is_ours).cloned().collect()
    }

    /// The beginning of a file; empty when it cannot be read.
    pub(super) fn head(&self, path: &str) -> String {
        let mut head = Vec::new();
        if let Some(place) = self.plain(path).filter(|place| is_inside(place)) {
            let _ = File::open(place).and_then(|file| file.take(HEAD_BYTES_MAX).read_to_end(&mut head));
        }
        String::from_utf8_lossy(&head).into_owned()
    }

    /// Changes a file in memory; several changes add up.
    pub(super) fn edit(&mut self, path: &str, edit: impl FnOnce(&str) -> anyhow::Result<String>) -> anyhow::Result<()> {
        let old = match self.files.get(path) {
            Some(file) => file.old.clone(),
            None => {
                let place = self.file(path).context("it is no plain file of this tree")?;
                fs::read_to_string(place).context("it is no text")?
            }
        };
        let now = self.files.get(path).map_or(old.as_str(), |file| file.new.as_str());
        let new = edit(now)?;
        self.files.insert(path.to_owned(), Changed { path: path.to_owned(), old, new });
        Ok(())
    }

    /// The files that differ, by path.
    pub(super) fn changed(&self) -> impl Iterator<Item = &Changed> {
        self.files.values().filter(|file| file.old != file.new)
    }

    /// Dockerfiles and Containerfiles, by path.
    pub(super) fn dockerfiles(&self) -> Vec<String> {
        // What is no manifest is one, also when it was named under another name.
        let is_ours = |path: &&String| Manifest::of(path.rsplit('/').next().unwrap_or_default()).is_none();
        self.names.iter().filter(is_ours).cloned().collect()
    }

    /// An error when git has uncommitted changes of a file that is to be written: nobody could take them apart afterwards.
    pub(super) fn refuse_uncommitted(&self) -> Result<(), Failure> {
        let found = uncommitted(&self.root, self.changed().map(|file| file.path.as_str()));
        match found.map_err(|error| Failure { hint: error.hint(), error: error.into() })?.unwrap_or_default().as_slice()
        {
            [] => Ok(()),
            [first, ..] => Err(anyhow::anyhow!("`{first}` has changes that are not committed; nothing is written"))
                .hint(Some("commit or stash them first, print the patch without `--write`, or add `--force`".into())),
        }
    }

    /// Writes each file by rename, its mode kept. A file that changed since it was read stops it.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        for file in self.changed() {
            let place = self.root.join(&file.path);
            let name = || format!("`{}`", place.display());
            anyhow::ensure!(
                fs::read_to_string(&place).is_ok_and(|now| now == file.old),
                "{} changed while the fix was worked out; nothing more is written, run it again",
                name()
            );
            let directory = place.parent().unwrap_or(&self.root);
            let mut written = tempfile::NamedTempFile::new_in(directory).with_context(name)?;
            written.write_all(file.new.as_bytes()).with_context(name)?;
            written
                .as_file()
                .set_permissions(fs::metadata(&place).with_context(name)?.permissions())
                .with_context(name)?;
            written.persist(&place).with_context(name)?;
        }
        Ok(())
    }

    /// A regular file below the root that no link leads out of, under a name that a patch can carry.
    fn file(&self, path: &str) -> Option<PathBuf> {
        let place = self.plain(path)?;
        let about = fs::symlink_metadata(&place).ok()?;
        (about.is_file() && about.len() <= FILE_BYTES_MAX && is_inside(&place)).then_some(place)
    }

    fn plain(&self, path: &str) -> Option<PathBuf> {
        let is_plain = path.chars().all(|c| !c.is_control() && !"\"\\!".contains(c)) && !path.starts_with('/');
        is_plain.then(|| self.root.join(path))
    }
}

/// Whether a place below the root is where its path says: no link, no `..` on the way.
fn is_inside(place: &Path) -> bool {
    place.canonicalize().is_ok_and(|real| real == place)
}

fn is_dockerfile(name: &str) -> bool {
    let is_one = |name: &str| {
        ["Dockerfile", "Containerfile"].iter().any(|start| name == *start || name.starts_with(&format!("{start}.")))
    };
    is_one(name) || name.ends_with(".Dockerfile") || name.ends_with(".dockerfile")
}
