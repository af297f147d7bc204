//! Keeps bytes that can be read only once: in memory while small, in an unnamed temporary file beyond.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use inventory::content::{ReadAt, Spool};

/// Up to this size memory is cheaper than a file.
const MEMORY_BYTES_MAX: u64 = 4 << 20;

/// Spools into unnamed files of a directory: they are gone when closed, also after a crash.
#[derive(Debug, Clone)]
pub struct TempSpool {
    directory: PathBuf,
}

impl TempSpool {
    /// A spool that puts large content into unnamed files in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }
}

impl Spool for TempSpool {
    fn spool(&self, reader: &mut dyn Read, size_max: u64) -> io::Result<Box<dyn ReadAt>> {
        let mut memory = Vec::new();
        reader.take(MEMORY_BYTES_MAX.min(size_max) + 1).read_to_end(&mut memory)?;
        if memory.len() as u64 > size_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if memory.len() as u64 <= MEMORY_BYTES_MAX {
            return Ok(Box::new(memory));
        }
        let mut file = tempfile::tempfile_in(&self.directory)?;
        file.write_all(&memory)?;
        let rest = io::copy(&mut reader.take(size_max - memory.len() as u64 + 1), &mut file)?;
        let size = memory.len() as u64 + rest;
        if size > size_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Box::new(Spooled { file, size }))
    }
}

struct Spooled {
    file: File,
    size: u64,
}

impl ReadAt for Spooled {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
}
