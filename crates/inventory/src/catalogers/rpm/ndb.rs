//! Header blobs in rpm's own `ndb` file (`Packages.db`).
//!
//! A head of 32 bytes, then slots of 16 bytes up to the end of the slot pages, then blobs. A slot names a package's number
//! and the place of its blob in blocks of 16 bytes; a blob begins with its own head, which must agree. Little-endian.
//! Source: rpm's `lib/backend/ndb/rpmpkg.c`.

use model::gap::GapKind;

use super::window::{Window, le32};
use super::{Blob, HEADER_BYTES_MAX, malformed, problem};
use crate::content::ReadAt;
use crate::fact::Problem;

const BLOCK_BYTES: u64 = 16;
const HEAD_BYTES: u64 = 32;
const PAGE_BYTES: u64 = 4096;

/// Hands every header blob of the file to `found`, and every problem.
pub(super) fn read(content: &dyn ReadAt, found: &mut dyn FnMut(Blob)) {
    let mut slots = Window::new(content);
    let (version, slot_pages) = match slots.get(0, HEAD_BYTES as usize) {
        Ok(head) => (le32(head, 4).unwrap_or(0), le32(head, 12).unwrap_or(0)),
        Err(problem) => return found(Err(problem)),
    };
    if version != 0 {
        return found(Err(problem(GapKind::Unsupported, format!("version {version} of the ndb format"))));
    }
    // Blobs never overlap, so all of them together are not larger than the file. This bounds what slots that share a
    // blob can cost.
    let mut bytes_left = content.size();
    let mut blobs = Window::new(content);
    for offset in (HEAD_BYTES..u64::from(slot_pages) * PAGE_BYTES).step_by(BLOCK_BYTES as usize) {
        let slot = match slots.get(offset, BLOCK_BYTES as usize) {
            Ok(slot) => slot,
            Err(problem) => return found(Err(problem)),
        };
        if !slot.starts_with(b"Slot") {
            return found(Err(malformed(format!("no slot at byte {offset}, where one should be"))));
        }
        let field = |at| le32(slot, at).unwrap_or(0);
        let (package, block) = (field(4), field(8));
        if package != 0 {
            found(blob(&mut blobs, package, u64::from(block) * BLOCK_BYTES, &mut bytes_left));
        }
    }
}

fn blob(blobs: &mut Window<'_>, package: u32, offset: u64, bytes_left: &mut u64) -> Blob {
    let head = blobs.get(offset, BLOCK_BYTES as usize)?;
    if !head.starts_with(b"BlbS") || le32(head, 4) != Some(package) {
        let detail = format!("package number {package} is not at byte {offset}, where its slot says");
        return Err(malformed(detail));
    }
    let size = le32(head, 12).unwrap_or(0) as usize;
    if size > HEADER_BYTES_MAX {
        let detail = format!("a header of {size} bytes is longer than the {HEADER_BYTES_MAX} that are read");
        return Err(problem(GapKind::LimitExceeded, detail));
    }
    *bytes_left = bytes_left.checked_sub(size as u64).ok_or_else(overlapping)?;
    let mut value = Vec::new();
    while value.len() < size {
        let piece = (size - value.len()).min(PAGE_BYTES as usize);
        value.extend_from_slice(blobs.get(offset + BLOCK_BYTES + value.len() as u64, piece)?);
    }
    Ok(value)
}

fn overlapping() -> Problem {
    malformed("the headers together are longer than the file: slots share them")
}
