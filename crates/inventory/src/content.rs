//! Bytes of one file, readable at any place, without saying where they come from.

use std::io::{self, Read, Seek, SeekFrom};

/// Random access to the bytes of one file: a slice, a file on disk, a range inside an archive.
pub trait ReadAt: Send + Sync {
    /// How many bytes there are.
    fn size(&self) -> u64;

    /// Reads into `buffer` from `offset`; returns how many bytes were read, 0 only at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(offset, buffer)
    }
}

impl ReadAt for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let count = buffer.len().min(self.len() - start);
        buffer[..count].copy_from_slice(&self[start..start + count]);
        Ok(count)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Box<T> {
    fn size(&self) -> u64 {
        (**self).size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, buffer)
    }
}

/// A part of other content, such as a stored member of an archive.
pub struct Part<'a> {
    whole: &'a dyn ReadAt,
    start: u64,
    size: u64,
}

impl<'a> Part<'a> {
    /// `size` bytes of `whole` from `start`; cut at the end of `whole`.
    pub fn new(whole: &'a dyn ReadAt, start: u64, size: u64) -> Self {
        let start = start.min(whole.size());
        Self { whole, start, size: size.min(whole.size() - start) }
    }
}

impl ReadAt for Part<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.size.saturating_sub(offset);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        self.whole.read_at(self.start + offset.min(self.size), &mut buffer[..count])
    }
}

/// Reads content in order and seeks in it, for parsers that want [`Read`] and [`Seek`]. Unbuffered.
pub struct Cursor<'a> {
    content: &'a dyn ReadAt,
    position: u64,
}

impl<'a> Cursor<'a> {
    /// A cursor at the beginning.
    pub fn new(content: &'a dyn ReadAt) -> Self {
        Self { content, position: 0 }
    }
}

impl Read for Cursor<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read_at(self.position, buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Cursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.content.size().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position =
            target.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the beginning"))?;
        Ok(self.position)
    }
}

/// Keeps bytes that can only be read once so that they can be read at any place: in memory while small, in an unnamed
/// temporary file beyond. The edge provides it, because this crate touches no disk.
pub trait Spool: Send + Sync {
    /// Reads `reader` to its end; fails with [`io::ErrorKind::FileTooLarge`] past `size_max` bytes.
    fn spool(&self, reader: &mut dyn Read, size_max: u64) -> io::Result<Box<dyn ReadAt>>;
}

/// A spool that keeps everything in memory: for tests, fuzzing, and callers that bound their input otherwise.
pub struct MemorySpool;

impl Spool for MemorySpool {
    fn spool(&self, reader: &mut dyn Read, size_max: u64) -> io::Result<Box<dyn ReadAt>> {
        let mut bytes = Vec::new();
        reader.take(size_max.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > size_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Box::new(bytes))
    }
}
