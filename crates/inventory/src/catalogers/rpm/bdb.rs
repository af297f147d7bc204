//! Header blobs in a Berkeley DB hash file (`Packages`).
//!
//! Pages of one size. Page 0 describes the file; hash pages hold keys and values in turn; a value longer than a quarter
//! of a page lies in a chain of overflow pages. The file is in the byte order of the machine that made it.
//! Source: Berkeley DB's `db_page.h` (`DBMETA`, `PAGE`, `HOFFPAGE`), unchanged from version 3 to 6.

use model::gap::GapKind;

use super::window::{Window, be16, be32};
use super::{Blob, HEADER_BYTES_MAX, malformed, problem};
use crate::content::ReadAt;
use crate::fact::Problem;

const MAGIC: u32 = 0x0006_1561;
const PAGE_HEADER_BYTES: usize = 26;

const PAGE_HASH_UNSORTED: u8 = 2;
const PAGE_OVERFLOW: u8 = 7;
const PAGE_HASH_META: u8 = 8;
const PAGE_HASH: u8 = 13;

const ITEM_INLINE: u8 = 1;
const ITEM_OVERFLOW: u8 = 3;

/// Hands every header blob of the file to `found`, and every problem.
pub(super) fn read(content: &dyn ReadAt, found: &mut dyn FnMut(Blob)) {
    let mut database = match Database::open(content) {
        Ok(database) => database,
        Err(problem) => return found(Err(problem)),
    };
    let held = content.size() / database.page_size as u64;
    if database.pages > held {
        let detail = format!("the database has {} pages, but the file ends after {held}", database.pages);
        found(Err(problem(GapKind::Unreadable, detail)));
    }
    // Every page rather than bucket by bucket: free pages say so, and damaged bucket counts then hide nothing.
    let mut scan = Window::new(content);
    for number in 1..database.pages.min(held) {
        match scan.get(number * database.page_size as u64, database.page_size) {
            Ok(page) if matches!(page.get(25), Some(&(PAGE_HASH | PAGE_HASH_UNSORTED))) => {
                database.hash_page(page, found)
            }
            Ok(_) => {}
            Err(problem) => return found(Err(problem)),
        }
    }
}

struct Database<'a> {
    chains: Window<'a>,
    big_endian: bool,
    page_size: usize,
    pages: u64,
    /// Overflow pages that may still be followed. Each belongs to one value, so a file cannot have more than its pages;
    /// this ends chains in circles and bounds what all values together can cost.
    overflow_pages_left: u64,
}

impl<'a> Database<'a> {
    fn open(content: &'a dyn ReadAt) -> Result<Self, Problem> {
        let no_hash = || malformed("the first page is not that of a Berkeley DB hash");
        let mut chains = Window::new(content);
        let meta = chains.get(0, 72)?.to_vec();
        let big_endian = be32(&meta, 12) == Some(MAGIC);
        let number = |at| u32_at(&meta, at, big_endian).ok_or_else(no_hash);
        let page_size = number(20)? as usize;
        if number(12)? != MAGIC || meta.get(25) != Some(&PAGE_HASH_META) {
            return Err(no_hash());
        }
        if meta.get(24) != Some(&0) {
            return Err(problem(GapKind::Encrypted, "the Berkeley DB file is encrypted"));
        }
        if !page_size.is_power_of_two() || !(512..=64 << 10).contains(&page_size) {
            return Err(malformed(format!("{page_size} bytes is no page size of Berkeley DB")));
        }
        let pages = u64::from(number(32)?) + 1;
        let held = content.size() / page_size as u64;
        Ok(Self { chains, big_endian, page_size, pages, overflow_pages_left: pages.min(held) })
    }

    /// The values of one hash page. Its items are numbered from the page's end to its beginning: key, value, key, value.
    fn hash_page(&mut self, page: &[u8], found: &mut dyn FnMut(Blob)) {
        let items = self.u16(page, 20).unwrap_or(0);
        let mut end = page.len();
        let mut key: Option<&[u8]> = None;
        for item in 0..usize::from(items) {
            let start = self.u16(page, PAGE_HEADER_BYTES + 2 * item).map_or(0, usize::from);
            let Some(bytes) = page.get(start..end).filter(|b| !b.is_empty() && start >= PAGE_HEADER_BYTES) else {
                return found(Err(malformed("a hash page names an item outside of itself")));
            };
            end = start;
            match key.take() {
                None => key = Some(bytes),
                // Key 0 is the number of the last package, not a package.
                Some([ITEM_INLINE, 0, 0, 0, 0]) => {}
                Some(_) => found(self.value(bytes)),
            }
        }
        if key.is_some() {
            found(Err(malformed("a hash page ends with a key that has no value")));
        }
    }

    fn value(&mut self, item: &[u8]) -> Blob {
        match item.first() {
            Some(&ITEM_INLINE) => Ok(item.get(1..).unwrap_or_default().to_vec()),
            Some(&ITEM_OVERFLOW) => {
                let field = |at| u32_at(item, at, self.big_endian);
                match (field(4), field(8)) {
                    (Some(page), Some(size)) => self.chain(page, size as usize),
                    _ => Err(malformed("a value's reference to its overflow pages is cut short")),
                }
            }
            _ => Err(problem(GapKind::Unsupported, "a key with several values, which rpm never writes")),
        }
    }

    /// Collects a value of `size` bytes from the chain that begins at page `number`.
    fn chain(&mut self, mut number: u32, size: usize) -> Blob {
        if size > HEADER_BYTES_MAX {
            let detail = format!("a header of {size} bytes is longer than the {HEADER_BYTES_MAX} that are read");
            return Err(problem(GapKind::LimitExceeded, detail));
        }
        // Grows with what is really there: the size is only a claim.
        let mut value = Vec::new();
        while value.len() < size {
            if number == 0 {
                return Err(malformed("a chain of overflow pages ends before its value does"));
            }
            self.overflow_pages_left = self
                .overflow_pages_left
                .checked_sub(1)
                .ok_or_else(|| malformed("overflow pages are linked in a circle or used by several values"))?;
            let (big_endian, page_size) = (self.big_endian, self.page_size);
            let page = self.chains.get(u64::from(number) * page_size as u64, page_size)?;
            let held = u16_at(page, 22, big_endian).map_or(0, usize::from);
            let data = page.get(PAGE_HEADER_BYTES..).and_then(|data| data.get(..held));
            let (Some(&PAGE_OVERFLOW), Some(data)) = (page.get(25), data) else {
                return Err(problem(
                    GapKind::Malformed,
                    format!("page {number} is not the overflow page it should be"),
                ));
            };
            value.extend_from_slice(data);
            number = u32_at(page, 16, big_endian).unwrap_or(0);
        }
        value.truncate(size);
        Ok(value)
    }

    fn u16(&self, bytes: &[u8], at: usize) -> Option<u16> {
        u16_at(bytes, at, self.big_endian)
    }
}

fn u32_at(bytes: &[u8], at: usize, big_endian: bool) -> Option<u32> {
    be32(bytes, at).map(|number| if big_endian { number } else { number.swap_bytes() })
}

fn u16_at(bytes: &[u8], at: usize, big_endian: bool) -> Option<u16> {
    be16(bytes, at).map(|number| if big_endian { number } else { number.swap_bytes() })
}
