//! What a container changed: the difference between its image and itself.

use std::collections::{BTreeMap, BTreeSet};

use model::change::{ChangeKind, Changes, FileChange, PackageChange};
use model::integrity::IntegrityFile;
use model::package::{Package, PackageType};

use crate::assemble::Assembled;
use crate::entry::{EntryKind, EntryTable};

/// Compares what an image contains with what a container made from it does. `written` is the container's own layer.
///
/// A file that was merely touched is no change: only content and permissions count.
pub fn between(image: &Assembled, container: &Assembled, written: &EntryTable) -> Changes {
    let files = files(&image.integrity, &container.integrity);
    let shown: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let others = written.iter().filter(|entry| {
        let path = format!("/{}", crate::layer::display(&entry.path));
        !matches!(entry.kind, EntryKind::Directory) && !shown.contains(path.as_str())
    });
    let other_files = others.count() as u64;
    Changes { packages: packages(&image.inventory.packages, &container.inventory.packages), files, other_files }
}

fn files(before: &[IntegrityFile], after: &[IntegrityFile]) -> Vec<FileChange> {
    let mut paths: BTreeMap<&str, (Option<&IntegrityFile>, Option<&IntegrityFile>)> = BTreeMap::new();
    before.iter().for_each(|file| paths.entry(&file.path).or_default().0 = Some(file));
    after.iter().for_each(|file| paths.entry(&file.path).or_default().1 = Some(file));
    let same = |was: &IntegrityFile, is: &IntegrityFile| (&was.sha256, &was.mode) == (&is.sha256, &is.mode);
    let changed = paths.into_values().filter_map(|(was, is)| {
        let (change, about) = match (was, is) {
            (Some(was), Some(is)) if same(was, is) => return None,
            (Some(_), Some(is)) => (ChangeKind::Modified, is),
            (None, Some(is)) => (ChangeKind::Added, is),
            (Some(was), None) => (ChangeKind::Deleted, was),
            (None, None) => return None,
        };
        Some(FileChange {
            path: about.path.clone(),
            change,
            kind: about.kind,
            sha256: is.map(|file| file.sha256.clone()),
            mode: is.map(|file| file.mode.clone()),
            was_sha256: was.map(|file| file.sha256.clone()),
            was_mode: was.map(|file| file.mode.clone()),
            package: about.package.clone(),
        })
    });
    changed.collect()
}

/// What one package is called, and the versions of it that only one side has.
type Versions<'a> = BTreeMap<(&'a PackageType, &'a str, Option<&'a str>), [BTreeSet<&'a str>; 2]>;

fn packages(before: &[Package], after: &[Package]) -> Vec<PackageChange> {
    let mut versions: Versions<'_> = BTreeMap::new();
    for (side, packages) in [before, after].into_iter().enumerate() {
        for package in packages {
            let key = (&package.kind, package.name.as_str(), package.arch.as_deref());
            versions.entry(key).or_default()[side].insert(&package.version);
        }
    }
    let mut changes = Vec::new();
    for ((kind, name, _), [was, is]) in versions {
        let gone: Vec<&str> = was.difference(&is).copied().collect();
        let new: Vec<&str> = is.difference(&was).copied().collect();
        let change = |change, version: Option<&str>, was_version: Option<&str>| PackageChange {
            change,
            kind: kind.clone(),
            name: name.to_owned(),
            version: version.map(str::to_owned),
            was_version: was_version.map(str::to_owned),
        };
        match (gone.as_slice(), new.as_slice()) {
            // Several versions of one package are installed side by side in some ecosystems; then nobody can say which
            // became which.
            ([gone], [new]) => changes.push(change(ChangeKind::Modified, Some(new), Some(gone))),
            _ => {
                changes.extend(gone.iter().map(|version| change(ChangeKind::Deleted, None, Some(version))));
                changes.extend(new.iter().map(|version| change(ChangeKind::Added, Some(version), None)));
            }
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use model::digest::Digest;
    use model::integrity::FileKind;

    use super::*;
    use crate::entry::Entry;

    fn file(path: &str, content: u8, mode: &str) -> IntegrityFile {
        IntegrityFile {
            path: path.into(),
            kind: FileKind::Script,
            sha256: Digest::from_bytes([content; 32]),
            size: 1,
            mode: mode.into(),
            package: None,
            layer: None,
        }
    }

    #[test]
    fn content_and_permissions_count_and_a_touch_does_not() {
        let image = [file("/a", 1, "0755"), file("/b", 1, "0755"), file("/c", 1, "0755"), file("/d", 1, "0755")];
        let container = [file("/a", 1, "0755"), file("/b", 2, "0755"), file("/c", 1, "4755"), file("/e", 1, "0755")];
        let image = Assembled { integrity: image.to_vec(), ..Assembled::default() };
        let container = Assembled { integrity: container.to_vec(), ..Assembled::default() };
        let mut written = EntryTable::default();
        for (path, kind) in [
            ("a", EntryKind::File { size: 1, pinned: None }),
            ("b", EntryKind::File { size: 1, pinned: None }),
            ("d", EntryKind::Whiteout),
            ("tmp", EntryKind::Directory),
            ("tmp/log", EntryKind::File { size: 9, pinned: None }),
        ] {
            written.push(&Entry { path: path.into(), kind, mode: 0o755 });
        }
        let changes = between(&image, &container, &written);
        let found: Vec<_> = changes.files.iter().map(|file| (file.path.as_str(), file.change)).collect();
        let (added, modified, deleted) = (ChangeKind::Added, ChangeKind::Modified, ChangeKind::Deleted);
        assert_eq!(found, [("/b", modified), ("/c", modified), ("/d", deleted), ("/e", added)]);
        assert_eq!(changes.other_files, 2, "`/a` and `/tmp/log`");
        assert_eq!(changes.files[1].was_mode.as_deref(), Some("0755"));
    }
}
