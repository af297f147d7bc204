//! Reads zip archives (jars, wheels, eggs) without holding their directory: one pass over the central directory hands
//! each member to a visitor, and only the members asked for are read.
//!
//! Source: PKWARE APPNOTE 6.3.10, sections 4.3 (records) and 4.5.3 (zip64). What a Java or Python run time would accept
//! is accepted: data before the archive (launch scripts), comments after it. **Never:** a count or a length that the
//! archive states decides how much memory is taken.

use std::io::{self, BufRead, BufReader, Read};

use flate2::read::DeflateDecoder;

use crate::content::{Cursor, Part, ReadAt};
use model::gap::GapKind;

/// The end record and the longest comment it can carry.
const TAIL_BYTES_MAX: u64 = 22 + 65_535;
/// More members than the largest real jars have (about 200,000), few enough to be walked in a tenth of a second.
pub(crate) const MEMBERS_MAX: u64 = 1_000_000;
const DIRECTORY_BUFFER_BYTES: usize = 64 << 10;
const SAYS_ZIP64: u64 = u32::MAX as u64;

/// A zip archive whose end record was found.
pub(crate) struct ZipDirectory<'a> {
    content: &'a dyn ReadAt,
    /// Where the central directory begins.
    start: u64,
    size: u64,
    /// How many bytes precede the archive; offsets do not count them.
    prefix: u64,
}

/// One member as the central directory describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    method: u16,
    flags: u16,
    stored_bytes: u64,
    /// Inflated size, as stated: nothing may rely on it.
    pub(crate) size: u64,
    header_offset: u64,
}

/// Why an archive or a member cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ZipError {
    #[error("not a zip archive: it has no end record")]
    NoEndRecord,
    #[error("the zip directory is damaged: {0}")]
    Directory(&'static str),
    #[error("the archive has more than {MEMBERS_MAX} members")]
    TooManyMembers,
    #[error("the member is encrypted")]
    Encrypted,
    #[error("compression method {0} is not read")]
    Method(u16),
    #[error("the member's header is damaged")]
    MemberHeader,
    #[error("could not be read: {0}")]
    Io(#[from] io::Error),
}

impl ZipError {
    /// The gap it makes.
    pub(crate) fn kind(&self) -> GapKind {
        match self {
            Self::NoEndRecord | Self::Directory(_) | Self::MemberHeader => GapKind::Malformed,
            Self::TooManyMembers => GapKind::LimitExceeded,
            Self::Encrypted => GapKind::Encrypted,
            Self::Method(_) => GapKind::Unsupported,
            Self::Io(error) => match error.kind() {
                io::ErrorKind::FileTooLarge => GapKind::LimitExceeded,
                io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                    GapKind::Malformed
                }
                _ => GapKind::Unreadable,
            },
        }
    }
}

impl<'a> ZipDirectory<'a> {
    /// Finds the end record and with it the central directory.
    pub(crate) fn open(content: &'a dyn ReadAt) -> Result<Self, ZipError> {
        let tail_start = content.size().saturating_sub(TAIL_BYTES_MAX);
        let mut tail = Vec::new();
        Cursor::new(&Part::new(content, tail_start, TAIL_BYTES_MAX)).read_to_end(&mut tail)?;
        let position = memchr::memmem::rfind_iter(&tail, b"PK\x05\x06")
            .find(|&at| {
                // The signature may also stand in the comment; the true record's comment ends with the file. Bytes
                // after that are tolerated, as run times do, when no better record is found.
                field(&tail, at + 20, 2).is_some_and(|comment| at as u64 + 22 + comment == tail.len() as u64)
            })
            .or_else(|| memchr::memmem::rfind(&tail, b"PK\x05\x06"))
            .ok_or(ZipError::NoEndRecord)?;
        let short = ZipError::Directory("its end record is cut off");
        let end = tail.get(position..position + 22).ok_or(short)?;
        let mut size = number(end, 12, 4);
        let mut offset = number(end, 16, 4);
        let mut end_of_directory = tail_start + position as u64;
        let narrow = size != SAYS_ZIP64 && offset != SAYS_ZIP64 && number(end, 10, 2) != 0xffff;
        if !narrow && let Some(zip64) = Zip64End::find(content, end_of_directory)? {
            (size, offset, end_of_directory) = (zip64.size, zip64.offset, zip64.position);
        }
        let start = end_of_directory.checked_sub(size).ok_or(ZipError::Directory("it is larger than the file"))?;
        let prefix = start.checked_sub(offset).ok_or(ZipError::Directory("it does not begin where it should"))?;
        Ok(Self { content, start, size, prefix })
    }

    /// Whether the file begins with the member of another archive. Then it is cut off and what was read is an archive
    /// inside it, or two were joined; either way more was packed than its directory tells. (A launch script begins with
    /// something else, and an archive whose offsets are off by it begins with its own members.)
    pub(crate) fn follows_another(&self) -> Result<bool, ZipError> {
        let mut head = Vec::new();
        Cursor::new(&Part::new(self.content, 0, 4)).read_to_end(&mut head)?;
        Ok(self.prefix > 0 && head.starts_with(b"PK\x03\x04"))
    }

    /// Calls `visit` with the name and description of every member, in the directory's order, until it returns false.
    ///
    /// Names are bytes, as stored: UTF-8 or the packer's code page. Returns how many members were seen.
    pub(crate) fn visit(&self, mut visit: impl FnMut(&[u8], Member) -> bool) -> Result<u64, ZipError> {
        let directory = Part::new(self.content, self.start, self.size);
        let mut reader = BufReader::with_capacity(DIRECTORY_BUFFER_BYTES, Cursor::new(&directory));
        let mut count = 0;
        let mut record = Vec::new();
        while !reader.fill_buf()?.is_empty() {
            let mut header = [0; 46];
            read_record(&mut reader, &mut header)?;
            if !header.starts_with(b"PK\x01\x02") {
                // A digital signature (4.3.13) may follow the last member.
                return if header.starts_with(b"PK\x05\x05") { Ok(count) } else { Err(BAD_RECORD) };
            }
            count += 1;
            if count > MEMBERS_MAX {
                return Err(ZipError::TooManyMembers);
            }
            let name_bytes = number(&header, 28, 2) as usize;
            let extra_bytes = number(&header, 30, 2) as usize;
            // Three 16-bit lengths: at most 192 KiB, and the buffer is used again.
            record.resize(name_bytes + extra_bytes + number(&header, 32, 2) as usize, 0);
            read_record(&mut reader, &mut record)?;
            let (name, rest) = record.split_at(name_bytes);
            if !visit(name, Member::new(&header, &rest[..extra_bytes])) {
                return Ok(count);
            }
        }
        Ok(count)
    }

    /// The member's bytes where they lie, compressed or not.
    fn raw(&self, member: &Member) -> Result<Part<'a>, ZipError> {
        if member.is_encrypted() {
            return Err(ZipError::Encrypted);
        }
        let start = self.prefix.checked_add(member.header_offset).ok_or(ZipError::MemberHeader)?;
        let mut header = [0; 30];
        let part = Part::new(self.content, start, 30);
        Cursor::new(&part).read_exact(&mut header).map_err(|_| ZipError::MemberHeader)?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err(ZipError::MemberHeader);
        }
        // No overflow: `start` lies in the file, because a header was read there.
        let data = start + 30 + number(&header, 26, 2) + number(&header, 28, 2);
        let part = Part::new(self.content, data, member.stored_bytes);
        if part.size() < member.stored_bytes { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(part) }
    }

    /// A stored member in place; none when it must be inflated.
    pub(crate) fn in_place(&self, member: &Member) -> Result<Option<Part<'a>>, ZipError> {
        if member.method == STORED { self.raw(member).map(Some) } else { Ok(None) }
    }

    /// Hands a reader of the member's inflated bytes to `read`.
    pub(crate) fn read<T>(
        &self,
        member: &Member,
        read: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> Result<T, ZipError> {
        let raw = self.raw(member)?;
        match member.method {
            STORED => Ok(read(&mut Cursor::new(&raw))?),
            DEFLATED => Ok(read(&mut DeflateDecoder::new(Cursor::new(&raw)))?),
            method => Err(ZipError::Method(method)),
        }
    }

    /// The first `size_max` inflated bytes of a member: for texts of which only the beginning matters.
    pub(crate) fn beginning(&self, member: &Member, size_max: u64) -> Result<Vec<u8>, ZipError> {
        self.read(member, |reader| {
            let mut bytes = Vec::new();
            reader.take(size_max).read_to_end(&mut bytes)?;
            Ok(bytes)
        })
    }
}

impl From<io::ErrorKind> for ZipError {
    fn from(kind: io::ErrorKind) -> Self {
        Self::Io(kind.into())
    }
}

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const BAD_RECORD: ZipError = ZipError::Directory("a member's record is not one");

impl Member {
    fn new(header: &[u8; 46], extra: &[u8]) -> Self {
        let mut wide = Zip64Extra::find(extra);
        // The extra field holds only those of the three values that did not fit, in this order (4.5.3).
        let size = wide.replace(number(header, 24, 4));
        let stored_bytes = wide.replace(number(header, 20, 4));
        let header_offset = wide.replace(number(header, 42, 4));
        let (flags, method) = (number(header, 8, 2) as u16, number(header, 10, 2) as u16);
        Self { method, flags, stored_bytes, size, header_offset }
    }

    /// Whether its content is encrypted (bit 0), whatever the scheme.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.flags & 1 != 0
    }

    /// How many bytes it takes in the archive, as stated.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }
}

/// The zip64 end record (4.3.14).
struct Zip64End {
    position: u64,
    size: u64,
    offset: u64,
}

impl Zip64End {
    /// Follows the locator that stands before the end record; none when there is no locator, so that the narrow values,
    /// which then happen to be their largest, hold.
    fn find(content: &dyn ReadAt, end_record: u64) -> Result<Option<Self>, ZipError> {
        let Some(locator_start) = end_record.checked_sub(20) else { return Ok(None) };
        let mut locator = [0; 20];
        Cursor::new(&Part::new(content, locator_start, 20)).read_exact(&mut locator)?;
        if !locator.starts_with(b"PK\x06\x07") {
            return Ok(None);
        }
        let mut record = [0; 56];
        // Its stated offset is wrong when data precedes the archive; then the record without extensions, just before
        // the locator, is tried.
        let candidates = [Some(number(&locator, 8, 8)), locator_start.checked_sub(56)];
        for position in candidates.into_iter().flatten() {
            let read = Cursor::new(&Part::new(content, position, 56)).read_exact(&mut record);
            if read.is_ok() && record.starts_with(b"PK\x06\x06") {
                return Ok(Some(Self { position, size: number(&record, 40, 8), offset: number(&record, 48, 8) }));
            }
        }
        Err(ZipError::Directory("its zip64 end record is missing"))
    }
}

/// The values of the zip64 extra field that are still to be taken.
struct Zip64Extra<'a>(&'a [u8]);

impl<'a> Zip64Extra<'a> {
    fn find(mut extra: &'a [u8]) -> Self {
        while let (Some(id), Some(length)) = (field(extra, 0, 2), field(extra, 2, 2)) {
            let end = (4 + length as usize).min(extra.len());
            if id == 1 {
                return Self(&extra[4..end]);
            }
            extra = &extra[end..];
        }
        Self(&[])
    }

    /// `narrow`, or the wide value in its stead when `narrow` says that there is one.
    fn replace(&mut self, narrow: u64) -> u64 {
        if narrow != SAYS_ZIP64 {
            return narrow;
        }
        let wide = field(self.0, 0, 8);
        self.0 = self.0.get(8..).unwrap_or_default();
        wide.unwrap_or(narrow)
    }
}

fn read_record(reader: &mut impl Read, record: &mut [u8]) -> Result<(), ZipError> {
    reader.read_exact(record).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ZipError::Directory("it is cut off"),
        _ => error.into(),
    })
}

/// The little-endian number of `count` bytes at `at`, when there are as many.
fn field(bytes: &[u8], at: usize, count: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(count)?)?;
    Some(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

/// [`field`] of a record whose length is fixed.
fn number(record: &[u8], at: usize, count: usize) -> u64 {
    field(record, at, count).unwrap_or_default()
}
