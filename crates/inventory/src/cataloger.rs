//! A cataloger: which files it wants and how it reads one.

use crate::content::{ReadAt, Spool};
use crate::fact::Parsed;
use model::gap::GapKind;

/// How one ecosystem is recognised and read: a name, the files it wants and a parser. No state, no other files.
#[derive(Clone, Copy)]
pub struct Cataloger {
    /// Shown with every package it finds: `dpkg`, `npm`, `go-binary`.
    pub name: &'static str,
    /// Raise it whenever the same bytes give other facts than before: cached facts of older versions are not used.
    pub version: u32,
    /// Which trees it reads.
    pub scope: Scope,
    /// Whether it wants a file, by path, mode, size and first bytes. Called for every regular file, so it must be cheap.
    pub wants: fn(&FileHead<'_>) -> bool,
    /// Reads one wanted file. Must return in bounded time and memory whatever the bytes are, and must not panic.
    pub parse: fn(&File<'_>) -> Parsed,
}

/// Which trees a cataloger reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// What is installed: in images and directories.
    Installed,
    /// What an image is made to run: in images only. In a source directory the same files describe the project itself.
    Shipped,
    /// What is declared (lock files, manifests): in source directories only. A lock file in an image says what was
    /// once built from, not what is there.
    Declared,
}

/// What is known of a file before its content is read.
#[derive(Debug, Clone, Copy)]
pub struct FileHead<'a> {
    /// Path inside the artifact without a leading slash.
    pub path: &'a str,
    /// Unix mode bits.
    pub mode: u32,
    /// Size in bytes.
    pub size: u64,
    /// The first bytes, up to [`HEAD_BYTES`]; shorter for shorter files.
    pub head: &'a [u8],
}

/// How many first bytes a cataloger may look at before it decides: enough for every magic and an ELF header.
pub const HEAD_BYTES: usize = 64;

impl<'a> FileHead<'a> {
    /// The last component of the path.
    pub fn file_name(&self) -> &'a str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }
}

/// One wanted file.
pub struct File<'a> {
    /// Path inside the artifact without a leading slash.
    pub path: &'a str,
    /// Unix mode bits.
    pub mode: u32,
    /// Its bytes.
    pub content: &'a dyn ReadAt,
    /// Where members that must be inflated can be kept.
    pub spool: &'a dyn Spool,
}

/// The largest text (manifest, lock file, database) that is read whole. The largest dpkg status and package-lock files
/// seen in the wild are below 30 MiB.
pub const TEXT_BYTES_MAX: u64 = 64 << 20;

impl File<'_> {
    /// The whole content, or the problem to report when it is longer than `size_max` or unreadable.
    pub fn bytes(&self, size_max: u64) -> Result<Vec<u8>, Parsed> {
        let size = self.content.size();
        if size > size_max {
            let detail = format!("{size} bytes are more than the {size_max} that are read");
            return Err(Parsed::problem(GapKind::LimitExceeded, detail));
        }
        let mut bytes = vec![0; size as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.content.read_at(filled as u64, &mut bytes[filled..]) {
                Ok(0) => return Err(Parsed::problem(GapKind::Unreadable, "the file is shorter than its size says")),
                Ok(count) => filled += count,
                Err(error) => return Err(Parsed::problem(GapKind::Unreadable, error.to_string())),
            }
        }
        Ok(bytes)
    }

    /// The whole content as text, with bytes that are not UTF-8 replaced; at most [`TEXT_BYTES_MAX`].
    pub fn text(&self) -> Result<String, Parsed> {
        let bytes = self.bytes(TEXT_BYTES_MAX)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }
}
