//! Reads a tree on disk as one layer. Links are never followed, so nothing outside the tree is read.

use std::fs::{self, File, Metadata};
use std::io::{self, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use inventory::cataloger::Cataloger;
use inventory::content::{ReadAt, Spool};
use inventory::layer::{FileContent, LayerFacts, LayerReader, display};
use model::gap::{Gap, GapKind};

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

/// Reads a tree. What inside it cannot be read becomes a gap; only the root itself must be readable.
pub fn read_directory(root: &Path, catalogers: &[Cataloger], spool: &dyn Spool) -> Result<LayerFacts, DirectoryError> {
    let unreadable = |source| DirectoryError::Unreadable { path: root.to_owned(), source };
    fs::read_dir(root).map_err(unreadable)?;
    let mut walk = Walk { root, reader: LayerReader::new(catalogers, spool), gaps: Vec::new() };
    walk.directory(Path::new(""), 0).map_err(unreadable)?;
    let mut facts = walk.reader.finish();
    facts.gaps.append(&mut walk.gaps);
    Ok(facts)
}

struct Walk<'a> {
    root: &'a Path,
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
        let mut names: Vec<_> = match fs::read_dir(self.root.join(relative)) {
            Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.file_name()).collect(),
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

    fn entry(&mut self, path: &Path, metadata: &Metadata, depth: usize) -> io::Result<()> {
        let bytes = path.as_os_str().as_bytes();
        let mode = metadata.mode() & 0o7777;
        let kind = metadata.file_type();
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
        if let Err(error) = self.file(path, mode) {
            self.gap(GapKind::Unreadable, path, &error.to_string());
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        // Not through a link that took the file's place since it was looked at, and never waiting for a fifo.
        let file =
            File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(self.root.join(path))?;
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

struct OnDisk<'a> {
    file: &'a File,
    size: u64,
}

impl ReadAt for OnDisk<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
}
