//! Reads what this machine says of itself: package databases, programs in the usual places, its kernel.
//!
//! A machine is no image. Most of it belongs to nobody's build (data, homes, containers' layers, file systems of others), it
//! changes while it is read, and nobody waits for all of it to be hashed. So only [`PLACES`] are read, no digest is computed,
//! and [`describe`] says what was left out. Links are never followed, and nothing below another mount is entered.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use inventory::cataloger::{Cataloger, FileHead, HEAD_BYTES};
use inventory::content::Spool;
use inventory::entry::{Entry, EntryKind};
use inventory::fact::{PackageFact, Parsed};
use inventory::layer::{FileContent, FileFacts, LayerFacts, LayerReader, display};
use model::gap::{Gap, GapKind};
use model::host::{ContainerRuntime, Host};
use model::inventory::Inventory;
use model::package::PackageType;
use rustix::fs::OFlags;

use super::directory::{DirectoryError, OnDisk};

/// Somewhere that packages or programs are.
struct Place {
    /// A directory; the last component may end in `*`.
    path: &'static str,
    /// How many levels of directories below it are entered.
    depth: usize,
    /// Whether every file is opened, or only those that some cataloger wants by their path.
    opened: bool,
}

const fn named(path: &'static str, depth: usize) -> Place {
    Place { path, depth, opened: false }
}

const fn opened(path: &'static str, depth: usize) -> Place {
    Place { path, depth, opened: true }
}

#[rustfmt::skip] // One sort of place a line.
const PLACES: &[Place] = &[
    // The distribution.
    named("etc", 0), named("usr/lib", 0),
    // Package databases.
    named("var/lib/dpkg", 1), named("lib/apk/db", 0), named("usr/lib/apk/db", 0),
    named("var/lib/rpm", 0), named("usr/lib/sysimage/rpm", 0), named("usr/share/rpm", 0),
    named("var/lib/pacman/local", 1), named("var/db/pkg", 2),
    named("usr/lib/opkg", 1), named("var/lib/opkg", 1), named("opt/lib/opkg", 1),
    named("var/lib/chisel", 0), named("usr/share/bottlerocket", 0),
    // Packages of languages, where they are installed for the whole machine.
    named("usr/lib/python*", 2), named("usr/local/lib/python*", 2), named("usr/lib64/python*", 2),
    named("usr/lib/node_modules", 12), named("usr/local/lib/node_modules", 12), named("usr/share/nodejs", 12),
    named("var/lib/gems", 3), named("usr/lib/ruby", 4), named("usr/share/rubygems-integration", 3), named("usr/local/lib/ruby", 4),
    named("usr/lib/jvm", 2), named("usr/lib/erlang/releases", 1), named("usr/local/go", 0),
    // Programs.
    opened("usr/bin", 0), opened("usr/sbin", 0), opened("bin", 0), opened("sbin", 0),
    opened("usr/local/bin", 0), opened("usr/local/sbin", 0), opened("usr/local/lib", 0),
    opened("usr/libexec", 2), opened("opt", 3),
];

/// What is not looked at, for the report.
const LEFT_OUT: [&str; 5] = [
    "home directories, /srv, /var and other places of data: scan what runs from there with `dir:`",
    "images and containers: scan them by name",
    "other file systems that are mounted below the places that were read",
    "the licenses of the distribution's packages",
    "the integrity of files: no digest was computed",
];

/// The most entries that are looked at. A machine with everything of Debian installed has some 100,000 in the places read.
const ENTRIES_MAX: usize = 500_000;
/// The most gaps that are listed.
const GAPS_MAX: usize = 200;

/// Programs that run containers.
const CONTAINER_RUNTIMES: [&str; 16] = [
    "buildkitd",
    "conmon",
    "containerd",
    "cri-dockerd",
    "crio",
    "crun",
    "dockerd",
    "kata-runtime",
    "k3s",
    "kubelet",
    "lxc-start",
    "nerdctl",
    "podman",
    "runc",
    "runsc",
    "youki",
];

/// What was read of a machine.
pub struct HostReading {
    /// Everything in its places, as one layer.
    pub facts: LayerFacts,
    /// What else was seen.
    pub seen: Seen,
}

/// What was seen beside packages.
pub struct Seen {
    release: Option<String>,
    installed: BTreeSet<String>,
    runtimes: Vec<(String, String)>,
    kernel_path: Option<String>,
}

/// Reads the machine whose root file system is at `root`.
pub fn read_host(root: &Path, catalogers: &[Cataloger], spool: &dyn Spool) -> Result<HostReading, DirectoryError> {
    let unreadable = |source| DirectoryError::Unreadable { path: root.to_owned(), source };
    fs::read_dir(root).map_err(unreadable)?;
    let reader = LayerReader::new(catalogers, spool).without_digests();
    let mut walk = Walk { root, catalogers, reader, gaps: Vec::new(), runtimes: Vec::new(), entries: 0 };
    walk.top_links().map_err(unreadable)?;
    for place in PLACES {
        for path in expand(root, place.path) {
            walk.place(&path, place).map_err(unreadable)?;
        }
    }
    let Walk { reader, mut gaps, runtimes, .. } = walk;
    let mut facts = reader.finish();
    facts.gaps.append(&mut gaps);
    let release = first_line(root, "proc/sys/kernel/osrelease");
    let installed = installed_kernels(root);
    let kernel_path = release.as_deref().map(|release| kernel(root, release, &mut facts));
    Ok(HostReading { facts, seen: Seen { release, installed, runtimes, kernel_path } })
}

/// What is said of the machine, now that its packages are known.
pub fn describe(seen: Seen, inventory: &Inventory) -> Host {
    // A package that owns the file has it among its evidence.
    let package_at = |path: &str| {
        let mut packages = inventory.packages.iter();
        packages.find(|package| package.evidence.iter().any(|evidence| evidence.path == path)).map(|it| it.purl.clone())
    };
    let runtime = |(name, path): (String, String)| ContainerRuntime { package: package_at(&path), name, path };
    Host {
        kernel_package: seen.kernel_path.as_deref().and_then(package_at),
        kernel_release: seen.release,
        installed_kernels: seen.installed.into_iter().collect(),
        container_runtimes: seen.runtimes.into_iter().map(runtime).collect(),
        left_out: LEFT_OUT.map(str::to_owned).into(),
    }
}

struct Walk<'a> {
    root: &'a Path,
    catalogers: &'a [Cataloger],
    reader: LayerReader<'a>,
    gaps: Vec<Gap>,
    /// Name and path.
    runtimes: Vec<(String, String)>,
    entries: usize,
}

impl Walk<'_> {
    /// Links at the top (`/lib` to `usr/lib`), through which package databases write paths.
    fn top_links(&mut self) -> io::Result<()> {
        for entry in fs::read_dir(self.root)?.filter_map(Result::ok) {
            if let Ok(target) = fs::read_link(entry.path()) {
                self.reader.symlink(entry.file_name().as_bytes(), target.as_os_str().as_bytes())?;
            }
        }
        Ok(())
    }

    /// Reads a place, if it is one and no link leads to it.
    fn place(&mut self, path: &Path, place: &Place) -> io::Result<()> {
        let mut metadata = None;
        for part in path.ancestors().filter(|part| !part.as_os_str().is_empty()) {
            let Ok(found) = fs::symlink_metadata(self.root.join(part)) else { return Ok(()) };
            if !found.is_dir() {
                return Ok(());
            }
            metadata.get_or_insert(found);
        }
        let Some(metadata) = metadata else { return Ok(()) };
        self.directory(path, place, place.depth, metadata.dev())
    }

    fn directory(&mut self, path: &Path, place: &Place, levels: usize, device: u64) -> io::Result<()> {
        let mut names: Vec<_> = match fs::read_dir(self.root.join(path)) {
            Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.file_name()).collect(),
            Err(error) => {
                self.gap(GapKind::Unreadable, path, &error.to_string());
                return Ok(());
            }
        };
        // The order of a directory is the file system's accident; documents must not depend on it.
        names.sort();
        for name in names {
            if self.entries >= ENTRIES_MAX {
                self.gap(
                    GapKind::LimitExceeded,
                    path,
                    &format!("more than {ENTRIES_MAX} entries; the rest is not read"),
                );
                return Ok(());
            }
            self.entries += 1;
            let path = path.join(&name);
            match fs::symlink_metadata(self.root.join(&path)) {
                Ok(metadata) if metadata.is_dir() => {
                    if levels > 0 && metadata.dev() == device {
                        self.directory(&path, place, levels - 1, device)?;
                    }
                }
                Ok(metadata) => self.entry(&path, &metadata, place)?,
                // It went while we looked.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.gap(GapKind::Unreadable, &path, &error.to_string()),
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, metadata: &Metadata, place: &Place) -> io::Result<()> {
        let bytes = path.as_os_str().as_bytes();
        let mode = metadata.mode() & 0o7777;
        let text = display(bytes);
        if metadata.is_symlink() {
            if let Ok(target) = fs::read_link(self.root.join(path)) {
                self.reader.symlink(bytes, target.as_os_str().as_bytes())?;
            }
            return Ok(());
        }
        if !metadata.is_file() {
            return Ok(());
        }
        if place.opened
            && let Some(name) =
                CONTAINER_RUNTIMES.iter().find(|name| path.file_name().is_some_and(|file| file == **name))
        {
            self.runtimes.push(((*name).to_owned(), text.clone()));
        }
        let head = FileHead { path: &text, mode, size: metadata.len(), head: &[] };
        if !place.opened && !self.catalogers.iter().any(|cataloger| (cataloger.wants)(&head)) {
            return Ok(());
        }
        match give(&mut self.reader, self.root, path, mode) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.gap(GapKind::Unreadable, path, &error.to_string());
            }
            _ => {}
        }
        Ok(())
    }

    fn gap(&mut self, kind: GapKind, path: &Path, detail: &str) {
        if self.gaps.len() < GAPS_MAX {
            self.gaps.push(Gap::new(kind, display(path.as_os_str().as_bytes()), detail));
        }
    }
}

/// Gives the regular file at `path` below `root` to `reader`.
fn give(reader: &mut LayerReader<'_>, root: &Path, path: &Path, mode: u32) -> io::Result<()> {
    // Not through a link that took the file's place since it was looked at, and never waiting for a fifo.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::options().read(true).custom_flags(flags.bits() as i32).open(root.join(path))?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(());
    }
    let size = metadata.len();
    let on_disk = OnDisk { file: &file, size };
    // Catalogers ask for what they want, so most files are read no further than their first bytes.
    let mut stream = BufReader::with_capacity(HEAD_BYTES, io::Read::take(&file, size));
    let content = FileContent { stream: &mut stream, random: Some(&on_disk) };
    reader.file(path.as_os_str().as_bytes(), mode, size, content)
}

/// The directories that a place means: itself, or those whose names begin like its last component.
fn expand(root: &Path, path: &str) -> Vec<PathBuf> {
    let Some(prefix) = path.strip_suffix('*') else { return vec![path.into()] };
    let (parent, prefix) = prefix.rsplit_once('/').unwrap_or(("", prefix));
    let names =
        fs::read_dir(root.join(parent)).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.file_name());
    let mut paths: Vec<_> = names
        .filter(|name| name.as_bytes().starts_with(prefix.as_bytes()))
        .map(|name| Path::new(parent).join(name))
        .collect();
    paths.sort();
    paths
}

/// The first line of one of the kernel's own files; none when there is none.
fn first_line(root: &Path, path: &str) -> Option<String> {
    const LINE_BYTES_MAX: u64 = 4096;
    let mut bytes = Vec::new();
    fs::File::open(root.join(path)).ok()?.take(LINE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}

/// Kernels in `/boot` and module directories, by release.
fn installed_kernels(root: &Path) -> BTreeSet<String> {
    let names = |path: &str| {
        let entries = fs::read_dir(root.join(path)).into_iter().flatten().filter_map(Result::ok);
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect::<Vec<_>>()
    };
    let is_release = |name: &str| name.starts_with(|c: char| c.is_ascii_digit());
    let images = names("boot").into_iter().filter_map(|name| {
        ["vmlinuz-", "vmlinux-"].iter().find_map(|prefix| name.strip_prefix(prefix)).map(str::to_owned)
    });
    let modules = ["lib/modules", "usr/lib/modules"].into_iter().flat_map(names);
    images.chain(modules).filter(|name| is_release(name)).collect()
}

/// Adds the running kernel to what was found, and returns the file that stands for it. Where a package owns the file, the
/// kernel is that package.
fn kernel(root: &Path, release: &str, facts: &mut LayerFacts) -> String {
    let images = [
        format!("boot/vmlinuz-{release}"),
        format!("usr/lib/modules/{release}/vmlinuz"),
        format!("lib/modules/{release}/vmlinuz"),
    ];
    let image = images.into_iter().find(|path| root.join(path).is_file());
    let path = image.unwrap_or_else(|| "proc/version".to_owned());
    let said = first_line(root, "proc/version").unwrap_or_else(|| release.to_owned());
    let fact =
        PackageFact { said: Some(said), ..PackageFact::new(PackageType::Other("generic".into()), "linux", release) };
    let entry = facts.entries.len();
    let kind = EntryKind::File { size: 0, pinned: None };
    facts.entries.push(&Entry { path: path.clone().into_bytes(), kind, mode: 0o644 });
    let parsed = Parsed::packages([fact]);
    facts.files.push(FileFacts { entry, path: path.clone(), cataloger: "kernel".into(), parsed });
    path
}

#[cfg(test)]
mod tests;
