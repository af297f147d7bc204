//! The index file, byte by byte. All numbers are little-endian.
//!
//! ```text
//! header    4 KiB   magic, version, sizes, digest of the data, section table, CRC-32 of all that
//! data              the sections, one after the other
//! checksums         CRC-32 of each 64 KiB block of the data
//! ```
//!
//! A string is stored once, as a varint length and UTF-8 bytes; a *reference* is its offset in its section, 0 being the
//! empty string. `Words` holds what matching reads (ecosystems, names, versions), `Texts` what reporting reads.

/// The first bytes of every index.
pub(crate) const MAGIC: [u8; 8] = *b"DOGWIDX\n";
/// Rises whenever an old reader could misread a new file; a reader refuses any but its own.
pub(crate) const FORMAT_VERSION: u32 = 2;
/// Size of the header, a page, so that the data is aligned to one.
pub(crate) const HEADER_BYTES: usize = 4096;
/// Data is checked in blocks of this size at first touch: small enough to cost microseconds, and 16 bits of checksum
/// bookkeeping per megabyte.
pub(crate) const BLOCK_BYTES: usize = 64 << 10;

/// The sections, in file order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Section {
    /// u32 per bucket of key hashes, and one more: the first key whose hash begins with the bucket's bits.
    Buckets,
    /// [`KEY_BYTES`] each: hash u64, ecosystem and name (word references), first row; sorted by hash. One more at the end.
    Keys,
    /// [`ROW_BYTES`] each: advisory, introduced (word reference, 0 none), end (likewise), tag.
    Rows,
    /// [`QUALIFIER_BYTES`] each: status and module (word references, [`NONE`] none).
    Qualifiers,
    /// Strings that matching reads.
    Words,
    /// u32 per advisory: where its record begins.
    Advisories,
    /// Varints per advisory, see `record.rs`.
    Records,
    /// [`ID_BYTES`] each: hash u64 of an id or alias, the id (text reference), advisory; sorted.
    Ids,
    /// [`FACT_BYTES`] each: CVE key, offset of its facts; sorted.
    Facts,
    /// Varints per CVE with facts.
    FactRecords,
    /// u64 each, see `feeds::cve::pack_epss`; sorted.
    Epss,
    /// Strings that reporting reads.
    Texts,
    /// JSON: coverage, dates, attributions.
    Meta,
}

/// All sections, in file order.
pub(crate) const SECTIONS: [Section; 13] = [
    Section::Buckets,
    Section::Keys,
    Section::Rows,
    Section::Qualifiers,
    Section::Words,
    Section::Advisories,
    Section::Records,
    Section::Ids,
    Section::Facts,
    Section::FactRecords,
    Section::Epss,
    Section::Texts,
    Section::Meta,
];

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 20;
/// Bytes of a row.
pub(crate) const ROW_BYTES: usize = 16;
/// Bytes of a qualifier.
pub(crate) const QUALIFIER_BYTES: usize = 8;
/// Bytes of an id.
pub(crate) const ID_BYTES: usize = 16;
/// Bytes of a fact.
pub(crate) const FACT_BYTES: usize = 8;
/// No reference, where the empty string means something else.
pub(crate) const NONE: u32 = u32::MAX;

/// How a row ends, in the top two bits of its tag; the rest numbers its qualifier.
pub(crate) const END_OPEN: u32 = 0;
/// See [`END_OPEN`].
pub(crate) const END_FIXED: u32 = 1;
/// See [`END_OPEN`].
pub(crate) const END_LAST_AFFECTED: u32 = 2;
/// See [`END_OPEN`].
pub(crate) const END_EXACTLY: u32 = 3;
/// Where the end's kind begins in a tag.
pub(crate) const TAG_SHIFT: u32 = 30;

/// FNV-1a over the parts, a zero byte between them, then mixed so that the top bits, which choose the bucket, depend on all.
pub(crate) fn hash(parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for part in parts {
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash = (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ hash >> 32
}

/// How many top bits of a hash choose the bucket: about four keys each.
pub(crate) fn bucket_bits(keys: usize) -> u32 {
    (keys / 4).max(1).ilog2() + 1
}

/// Appends a varint (LEB128).
pub(crate) fn put_varint(to: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Takes a varint off the front; none when it is cut short or longer than 32 bits.
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0u32;
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if shift == 28 && byte > 0x0f {
            return None;
        }
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// The little-endian u32 at an offset; none beyond the end.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// The little-endian u64 at an offset; none beyond the end.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}
