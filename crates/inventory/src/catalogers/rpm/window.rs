//! Reads database pages through a small buffer.

use model::gap::GapKind;

use super::problem;
use crate::content::ReadAt;
use crate::fact::Problem;

/// A moving window over content: neighbouring pages cost one read, and no length field decides how much is allocated.
pub(super) struct Window<'a> {
    content: &'a dyn ReadAt,
    start: u64,
    bytes: Vec<u8>,
}

/// How much is read at once: eight pages of the usual 4 KiB.
const WINDOW_BYTES: usize = 32 << 10;
/// The largest piece anyone may ask for: the largest page of Berkeley DB and SQLite.
const PIECE_BYTES_MAX: usize = 64 << 10;

impl<'a> Window<'a> {
    pub(super) fn new(content: &'a dyn ReadAt) -> Self {
        Self { content, start: 0, bytes: Vec::new() }
    }

    /// Exactly `size` bytes from `offset`.
    pub(super) fn get(&mut self, offset: u64, size: usize) -> Result<&[u8], Problem> {
        let held = offset.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        let held = held.filter(|at| at.checked_add(size).is_some_and(|end| end <= self.bytes.len()));
        let at = match held {
            Some(at) => at,
            None => {
                self.fill(offset, size)?;
                0
            }
        };
        self.bytes.get(at..at + size).ok_or_else(|| ends_early(offset))
    }

    fn fill(&mut self, offset: u64, size: usize) -> Result<(), Problem> {
        let left = self.content.size().saturating_sub(offset);
        if size > PIECE_BYTES_MAX || (size as u64) > left {
            self.bytes.clear();
            return Err(ends_early(offset));
        }
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(WINDOW_BYTES.max(size));
        self.bytes.resize(wanted, 0);
        self.start = offset;
        let mut filled = 0;
        while filled < self.bytes.len() {
            match self.content.read_at(offset + filled as u64, &mut self.bytes[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) => {
                    self.bytes.clear();
                    return Err(problem(GapKind::Unreadable, error.to_string()));
                }
            }
        }
        self.bytes.truncate(filled);
        Ok(())
    }
}

fn ends_early(offset: u64) -> Problem {
    problem(GapKind::Unreadable, format!("the database ends before what should be at byte {offset}"))
}

/// The big-endian number of four bytes at `at`.
pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    four.try_into().ok().map(u32::from_be_bytes)
}

/// The little-endian number of four bytes at `at`.
pub(super) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    be32(bytes, at).map(u32::swap_bytes)
}

/// The big-endian number of two bytes at `at`.
pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..at.checked_add(2)?)?;
    two.try_into().ok().map(u16::from_be_bytes)
}
