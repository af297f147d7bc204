//! Header blobs in an SQLite database (`rpmdb.sqlite`), table `Packages(hnum INTEGER PRIMARY KEY, blob BLOB)`.
//!
//! Only what that table needs of the file format: table b-trees, overflow chains and records. Source: "Database File
//! Format", sections 1.3 (header), 1.6 (b-tree pages), 1.7 (schema) and 2 (records); section numbers as of SQLite 3.50.

use model::gap::GapKind;

use super::window::{Window, be16, be32};
use super::{Blob, HEADER_BYTES_MAX, malformed, problem};
use crate::content::ReadAt;
use crate::fact::Problem;

const FILE_HEADER_BYTES: usize = 100;
const PAGE_TABLE_INTERIOR: u8 = 5;
const PAGE_TABLE_LEAF: u8 = 13;
/// What a record's header may add to a blob.
const RECORD_OVERHEAD_BYTES: usize = 1 << 10;

/// Hands every header blob of the file to `found`, and every problem.
pub(super) fn read(content: &dyn ReadAt, found: &mut dyn FnMut(Blob)) {
    let mut database = match Database::open(content) {
        Ok(database) => database,
        Err(problem) => return found(Err(problem)),
    };
    let mut root = None;
    database.rows(1, &mut |row| match row {
        Ok(record) => root = root.or(packages_root(&record)),
        Err(problem) => found(Err(problem)),
    });
    match root {
        Some(root) => database.rows(root, &mut |row| {
            found(row.and_then(|record| {
                let blob = columns(&record).and_then(|columns| columns.get(1).copied());
                let blob = blob.filter(|column| column.kind >= 12 && column.kind % 2 == 0);
                blob.map(|column| column.bytes.to_vec()).ok_or_else(|| malformed("a row of `Packages` without a blob"))
            }));
        }),
        None => found(Err(malformed("the SQLite database has no table `Packages`"))),
    }
}

/// The first page of the table `Packages`, if this row of the schema (type, name, table, root page, SQL) is about it.
fn packages_root(record: &[u8]) -> Option<u32> {
    let columns = columns(record)?;
    if columns.first()?.bytes != b"table" || columns.get(1)?.bytes != b"Packages" {
        return None;
    }
    let root = columns.get(3)?.bytes;
    // Integers are big-endian and as short as they can be.
    (root.len() <= 4).then(|| root.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

struct Database<'a> {
    pages: Window<'a>,
    page_size: usize,
    /// The page without the bytes that extensions reserve at its end.
    usable: usize,
    /// Pages that may still be read. Each is part of one b-tree or one overflow chain, so this ends circles and bounds
    /// the work; it starts as the number of pages in the file.
    pages_left: u64,
    /// Bytes of rows that may still be copied: cells that overlap could otherwise make gigabytes of one page.
    bytes_left: u64,
}

impl<'a> Database<'a> {
    fn open(content: &'a dyn ReadAt) -> Result<Self, Problem> {
        let mut pages = Window::new(content);
        let header = pages.get(0, FILE_HEADER_BYTES)?;
        let page_size = match be16(header, 16) {
            Some(1) => 64 << 10,
            size => size.map_or(0, usize::from),
        };
        let reserved = header.get(20).copied().map_or(0, usize::from);
        // The format guarantees 480 usable bytes, which keeps the payload arithmetic below above zero.
        if !page_size.is_power_of_two() || page_size < 512 || page_size - reserved < 480 {
            return Err(malformed(format!("{page_size} bytes is no page size of SQLite")));
        }
        let (usable, pages_left) = (page_size - reserved, content.size() / page_size as u64);
        Ok(Self { pages, page_size, usable, pages_left, bytes_left: content.size() })
    }

    fn page(&mut self, number: u32) -> Result<&[u8], Problem> {
        self.pages_left = self
            .pages_left
            .checked_sub(1)
            .ok_or_else(|| malformed("pages of the SQLite database are linked in a circle or used twice"))?;
        let index = number.checked_sub(1).ok_or_else(|| malformed("a link to page 0"))?;
        self.pages.get(u64::from(index) * self.page_size as u64, self.page_size)
    }

    /// Hands the record of every row of the table b-tree below page `root` to `found`.
    fn rows(&mut self, root: u32, found: &mut dyn FnMut(Blob)) {
        let mut waiting = vec![root];
        while let Some(number) = waiting.pop() {
            let page = match self.page(number) {
                Ok(page) => page.to_vec(),
                Err(problem) => {
                    found(Err(problem));
                    // The budget is spent only once: every page still waiting would say the same.
                    if self.pages_left == 0 {
                        return;
                    }
                    continue;
                }
            };
            // Page 1 begins with the file's header, but its offsets count from the page's beginning all the same.
            let start = if number == 1 { FILE_HEADER_BYTES } else { 0 };
            match page.get(start) {
                Some(&PAGE_TABLE_LEAF) => cells(&page, start, 8).for_each(|cell| found(self.record(cell))),
                Some(&PAGE_TABLE_INTERIOR) => {
                    waiting.extend(be32(&page, start + 8));
                    waiting.extend(cells(&page, start, 12).filter_map(|cell| be32(cell, 0)));
                }
                _ => found(Err(malformed(format!("page {number} is not part of a table")))),
            }
        }
    }

    /// The record of one leaf cell: its size, the row's number, as much as fits, and the first overflow page.
    fn record(&mut self, cell: &[u8]) -> Blob {
        let cut = || malformed("a table cell lies outside of its page");
        let (size, rest) = varint(cell).ok_or_else(cut)?;
        let (_row, rest) = varint(rest).ok_or_else(cut)?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > HEADER_BYTES_MAX + RECORD_OVERHEAD_BYTES {
            let detail = format!("a row of {size} bytes is longer than the {HEADER_BYTES_MAX} that are read");
            return Err(problem(GapKind::LimitExceeded, detail));
        }
        let local = self.local_bytes(size);
        self.bytes_left = self
            .bytes_left
            .checked_sub(size as u64)
            .ok_or_else(|| malformed("the rows together are longer than the file: cells share them"))?;
        let mut record = rest.get(..local).ok_or_else(cut)?.to_vec();
        let mut next = be32(rest, local);
        while record.len() < size {
            let number = next
                .filter(|number| *number != 0)
                .ok_or_else(|| malformed("a chain of overflow pages ends before its row does"))?;
            let usable = self.usable;
            let page = self.page(number)?;
            let piece = (size - record.len()).min(usable - 4);
            record.extend_from_slice(page.get(4..4 + piece).unwrap_or_default());
            next = be32(page, 0);
        }
        Ok(record)
    }

    /// How much of a record of `size` bytes lies in the leaf page itself (file format, section 1.6, "payload").
    fn local_bytes(&self, size: usize) -> usize {
        let most = self.usable - 35;
        let least = (self.usable - 12) * 32 / 255 - 23;
        if size <= most {
            return size;
        }
        let preferred = least + (size - least) % (self.usable - 4);
        if preferred <= most { preferred } else { least }
    }
}

/// The cells of the b-tree page whose header of `header_bytes` begins at `start`: from each one's beginning to the
/// page's end.
fn cells(page: &[u8], start: usize, header_bytes: usize) -> impl Iterator<Item = &[u8]> {
    let count = be16(page, start + 3).map_or(0, usize::from);
    let pointers = page.get(start + header_bytes..).unwrap_or_default().chunks_exact(2).take(count);
    pointers.map(|pointer| {
        let offset = be16(pointer, 0).map_or(0, usize::from);
        page.get(offset..).unwrap_or_default()
    })
}

/// One value of a record.
#[derive(Clone, Copy)]
struct Column<'a> {
    /// SQLite's serial type.
    kind: u64,
    bytes: &'a [u8],
}

/// The columns of a record; none when it is damaged. No table that is read has more than a few.
fn columns(record: &[u8]) -> Option<Vec<Column<'_>>> {
    const COLUMNS_MAX: usize = 8;
    let (header_bytes, _) = varint(record)?;
    let header_bytes = usize::try_from(header_bytes).ok()?;
    let (header, mut values) = record.split_at_checked(header_bytes)?;
    let (_, mut header) = varint(header)?;
    let mut columns = Vec::with_capacity(COLUMNS_MAX);
    while !header.is_empty() && columns.len() < COLUMNS_MAX {
        let (kind, rest) = varint(header)?;
        header = rest;
        let size = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return None,
            _ => (kind - 12) / 2,
        };
        let (bytes, rest) = values.split_at_checked(usize::try_from(size).ok()?)?;
        values = rest;
        columns.push(Column { kind, bytes });
    }
    Some(columns)
}

/// A number of one to nine bytes: seven bits each, eight in the ninth.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (position, byte) in bytes.iter().take(9).enumerate() {
        if position == 8 {
            return Some((number << 8 | u64::from(*byte), &bytes[9..]));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[position + 1..]));
        }
    }
    None
}
