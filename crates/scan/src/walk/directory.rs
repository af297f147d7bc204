//! Reads a tree on disk as one layer. Links are never followed, so nothing outside the tree is read, also when the tree
//! changes meanwhile: the kernel itself refuses a path in which a link has taken a directory's place.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use inventory::cataloger::Cataloger;
use inventory::content::{ReadAt, Spool};
use inventory::layer::{FileContent, LayerFacts, LayerReader, display};
use model::gap::{Gap, GapKind};
use rustix::fs::{Dir, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use super::listing::Listing;
use super::overlay::{self, Marks};

/// How deep directories may nest below the root. Linux paths end at 4,096 bytes, so 2,048 is as deep as names go.
const DEPTH_MAX: usize = 2048;

/// Kernel file systems that hold no files but views of the system; a root file system in use has them mounted.
const KERNEL_TREES: [&str; 2] = ["proc", "sys"];

/// Why a directory cannot be scanned.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It is not there, or not a directory, or may not be read.
    #[error("`{path}` cannot be read as a directory")]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Which tree it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort<'a> {
    /// A tree that means what it shows.
    Plain,
    /// A tree of which only some files are wanted.
    Listed(&'a Listing),
    /// One directory of an overlay, with marks for what it hides of those below.
    Overlay,
    /// A root file system in use, without what is mounted into it.
    WithoutMounts,
}

/// Reads only the files of a tree that are listed, as [`read_directory`] reads all of them.
pub(crate) fn read_listed(
    root: &Path,
    listing: &Listing,
    catalogers: &[Cataloger],
    spool: &dyn Spool,
) -> Result<LayerFacts, DirectoryError> {
    read(root, Sort::Listed(listing), catalogers, spool)
}

/// Reads a tree. What inside it cannot be read becomes a gap; only the root itself must be readable.
pub fn read_directory(root: &Path, catalogers: &[Cataloger], spool: &dyn Spool) -> Result<LayerFacts, DirectoryError> {
    read(root, Sort::Plain, catalogers, spool)
}

/// Reads one directory of an overlay (see [`super::overlay`]) in the same way.
pub fn read_overlay(root: &Path, catalogers: &[Cataloger], spool: &dyn Spool) -> Result<LayerFacts, DirectoryError> {
    read(root, Sort::Overlay, catalogers, spool)
}

/// Reads a root file system in use, without what is mounted into it.
pub fn read_mounted(root: &Path, catalogers: &[Cataloger], spool: &dyn Spool) -> Result<LayerFacts, DirectoryError> {
    read(root, Sort::WithoutMounts, catalogers, spool)
}

fn read(
    root: &Path,
    sort: Sort<'_>,
    catalogers: &[Cataloger],
    spool: &dyn Spool,
) -> Result<LayerFacts, DirectoryError> {
    let unreadable = |source| DirectoryError::Unreadable { path: root.to_owned(), source };
    let top = fs::read_dir(root).and_then(|_| File::open(root)).map_err(unreadable)?;
    let mut walk = Walk { root, top, sort, reader: LayerReader::new(catalogers, spool), gaps: Vec::new() };
    walk.directory(Path::new(""), 0).map_err(unreadable)?;
    let mut facts = walk.reader.finish();
    facts.gaps.append(&mut walk.gaps);
    Ok(facts)
}

struct Walk<'a> {
    root: &'a Path,
    /// The root, opened.
    top: File,
    sort: Sort<'a>,
    reader: LayerReader<'a>,
    gaps: Vec<Gap>,
}

impl Walk<'_> {
    /// `relative` is the directory's path below the root.
    fn directory(&mut self, relative: &Path, depth: usize) -> io::Result<()> {
        if depth > DEPTH_MAX {
            self.gap(GapKind::LimitExceeded, relative, "directories nest too deeply here");
            return Ok(());
        }
        let mut names = match self.names(relative) {
            Ok(names) => names,
            Err(error) if self.is_mounted(&error) => return Ok(()),
            Err(error) => {
                self.gap(GapKind::Unreadable, relative, &error.to_string());
                return Ok(());
            }
        };
        // The order of a directory is the file system's accident; documents must not depend on it.
        names.sort();
        for name in names {
            let path = relative.join(&name);
            match fs::symlink_metadata(self.root.join(&path)) {
                Ok(metadata) => self.entry(&path, &metadata, depth)?,
                Err(error) => self.gap(GapKind::Unreadable, &path, &error.to_string()),
            }
        }
        Ok(())
    }

    fn names(&self, relative: &Path) -> io::Result<Vec<OsString>> {
        let directory = self.open(relative, OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(&directory)? {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Opens what is at a path below the root, following no link on the way.
    fn open(&self, relative: &Path, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let path = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        // A device number would not tell a directory that is mounted from the same disk.
        resolve.set(ResolveFlags::NO_XDEV, self.sort == Sort::WithoutMounts);
        match openat2(&self.top, path, flags, Mode::empty(), resolve) {
            Ok(opened) => Ok(opened.into()),
            // Before Linux 5.6, and in sandboxes older than it, there is only the weaker promise of the last component.
            Err(Errno::NOSYS | Errno::PERM) if matches!(self.sort, Sort::Plain | Sort::Listed(_)) => {
                Ok(rustix::fs::openat(&self.top, path, flags, Mode::empty())?.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn entry(&mut self, path: &Path, metadata: &Metadata, depth: usize) -> io::Result<()> {
        let bytes = path.as_os_str().as_bytes();
        let mode = metadata.mode() & 0o7777;
        let kind = metadata.file_type();
        if let Sort::Listed(listing) = self.sort
            && !(if kind.is_dir() { listing.has_directory(bytes) } else { listing.has_file(bytes) })
        {
            return Ok(());
        }
        if self.sort == Sort::Overlay && !self.shows(path, metadata)? {
            return Ok(());
        }
        if kind.is_dir() {
            self.reader.directory(bytes, mode)?;
            let kernel_tree =
                depth == 0 && KERNEL_TREES.iter().any(|tree| path == Path::new(tree)) && self.root == Path::new("/");
            return if kernel_tree { Ok(()) } else { self.directory(path, depth + 1) };
        }
        if kind.is_symlink() {
            return match fs::read_link(self.root.join(path)) {
                Ok(target) => self.reader.symlink(bytes, target.as_os_str().as_bytes()),
                Err(error) => {
                    self.gap(GapKind::Unreadable, path, &error.to_string());
                    Ok(())
                }
            };
        }
        if kind.is_block_device() || kind.is_char_device() || kind.is_fifo() || kind.is_socket() {
            return self.reader.special(bytes, mode);
        }
        if let Err(error) = self.file(path, mode)
            && !self.is_mounted(&error)
        {
            self.gap(GapKind::Unreadable, path, &error.to_string());
        }
        Ok(())
    }

    /// Whether something was not opened because it is mounted into a tree that is read without such things.
    fn is_mounted(&self, error: &io::Error) -> bool {
        self.sort == Sort::WithoutMounts && error.kind() == io::ErrorKind::CrossesDevices
    }

    /// Whether an entry of an overlay's directory is there to be seen. Notes what it hides of the directories below.
    fn shows(&mut self, path: &Path, metadata: &Metadata) -> io::Result<bool> {
        match overlay::marks(&self.root.join(path), metadata) {
            Marks::None => Ok(true),
            Marks::Whiteout => {
                self.reader.whiteout(overlay::whiteout(path).as_os_str().as_bytes())?;
                Ok(false)
            }
            Marks::Opaque => {
                self.reader.whiteout(path.join(".wh..wh..opq").as_os_str().as_bytes())?;
                Ok(true)
            }
            Marks::Moved => {
                self.gap(
                    GapKind::Unsupported,
                    path,
                    "a directory that was renamed; what came with it was not looked at",
                );
                Ok(true)
            }
            // The file below stays in force.
            Marks::MetadataOnly => {
                self.gap(
                    GapKind::Unsupported,
                    path,
                    "only its owner or permissions changed, and how was not looked at",
                );
                Ok(false)
            }
        }
    }

    fn file(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        let file = self.open(path, OFlags::empty())?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(());
        }
        let size = metadata.len();
        let on_disk = OnDisk { file: &file, size };
        let mut stream = BufReader::with_capacity(64 << 10, io::Read::take(&file, size));
        self.reader.file(
            path.as_os_str().as_bytes(),
            mode,
            size,
            FileContent { stream: &mut stream, random: Some(&on_disk) },
        )
    }

    fn gap(&mut self, kind: GapKind, path: &Path, detail: &str) {
        const GAPS_MAX: usize = 200;
        if self.gaps.len() < GAPS_MAX {
            self.gaps.push(Gap::new(kind, display(path.as_os_str().as_bytes()), detail));
        }
    }
}

/// A file's bytes where they lie.
pub(super) struct OnDisk<'a> {
    pub(super) file: &'a File,
    pub(super) size: u64,
}

impl ReadAt for OnDisk<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
}
