//! The compact table of everything one layer contains.
//!
//! A layer may hold millions of files, so the table is one buffer of front-coded paths (about 20 bytes an entry) that is
//! written once, read in order, and stored in the cache as it is.

use model::digest::Digest;
use model::integrity::FileKind;
use serde::{Deserialize, Serialize};

/// One entry of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path inside the artifact: no leading slash, no `.` or `..` components, not necessarily UTF-8. Empty is the root.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Size in bytes.
        size: u64,
        /// What it is to the integrity model, with its digest; none for everything that is not run or loaded.
        pinned: Option<(FileKind, Digest)>,
    },
    /// A symbolic link and its target as written.
    Symlink(Vec<u8>),
    /// Another name of the file at this (normalised) path.
    Hardlink(Vec<u8>),
    /// Hides what lower layers have at this path.
    Whiteout,
    /// Hides everything that lower layers have below this path.
    Opaque,
    /// A device, fifo or socket.
    Special,
}

/// All entries of one layer in archive order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EntryTable {
    #[serde(with = "bytes")]
    encoded: Vec<u8>,
    count: u64,
    whiteouts: bool,
    #[serde(skip)]
    last_path: Vec<u8>,
}

const DIRECTORY: u8 = 0;
const FILE: u8 = 1;
const SYMLINK: u8 = 2;
const HARDLINK: u8 = 3;
const WHITEOUT: u8 = 4;
const OPAQUE: u8 = 5;
const SPECIAL: u8 = 6;
/// Added to [`FILE`] with 16 × the file kind for pinned files.
const PINNED: u8 = 8;

const FILE_KINDS: [FileKind; 5] =
    [FileKind::Executable, FileKind::Library, FileKind::Script, FileKind::Jar, FileKind::PackageDatabase];

impl EntryTable {
    /// How many entries there are.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// How many bytes the table takes.
    pub fn size(&self) -> u64 {
        self.encoded.len() as u64
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds one entry at the end.
    pub fn push(&mut self, entry: &Entry) {
        let shared = entry.path.iter().zip(&self.last_path).take_while(|(a, b)| a == b).count();
        self.varint(shared as u64);
        self.text(&entry.path[shared..]);
        self.last_path.truncate(shared);
        self.last_path.extend_from_slice(&entry.path[shared..]);
        let tag = match &entry.kind {
            EntryKind::Directory => DIRECTORY,
            EntryKind::File { pinned: None, .. } => FILE,
            EntryKind::File { pinned: Some((kind, _)), .. } => FILE | PINNED | (*kind as u8) << 4,
            EntryKind::Symlink(_) => SYMLINK,
            EntryKind::Hardlink(_) => HARDLINK,
            EntryKind::Whiteout => WHITEOUT,
            EntryKind::Opaque => OPAQUE,
            EntryKind::Special => SPECIAL,
        };
        self.encoded.push(tag);
        self.varint(u64::from(entry.mode));
        match &entry.kind {
            EntryKind::File { size, pinned } => {
                self.varint(*size);
                if let Some((_, digest)) = pinned {
                    self.encoded.extend_from_slice(digest.bytes());
                }
            }
            EntryKind::Symlink(target) | EntryKind::Hardlink(target) => self.text(target),
            _ => {}
        }
        self.count += 1;
        self.whiteouts |= matches!(entry.kind, EntryKind::Whiteout | EntryKind::Opaque);
    }

    /// Whether any entry hides something of lower layers.
    pub fn has_whiteouts(&self) -> bool {
        self.whiteouts
    }

    /// The entries in order. Stops early where a stored table is damaged.
    pub fn iter(&self) -> Entries<'_> {
        Entries { rest: &self.encoded, path: Vec::new() }
    }

    fn text(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.encoded.extend_from_slice(bytes);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.encoded.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.encoded.push(value as u8);
    }
}

/// Iterates over an [`EntryTable`].
pub struct Entries<'a> {
    rest: &'a [u8],
    path: Vec<u8>,
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let shared = self.varint()? as usize;
        let suffix = self.text()?;
        self.path.truncate(shared);
        self.path.extend_from_slice(suffix);
        let tag = *self.take(1)?.first()?;
        let mode = self.varint()? as u32;
        let kind = match tag & 7 {
            DIRECTORY => EntryKind::Directory,
            FILE => {
                let size = self.varint()?;
                let pinned = if tag & PINNED != 0 {
                    let digest = Digest::from_bytes(self.take(32)?.try_into().ok()?);
                    Some((*FILE_KINDS.get(usize::from(tag >> 4))?, digest))
                } else {
                    None
                };
                EntryKind::File { size, pinned }
            }
            SYMLINK => EntryKind::Symlink(self.text()?.to_vec()),
            HARDLINK => EntryKind::Hardlink(self.text()?.to_vec()),
            WHITEOUT => EntryKind::Whiteout,
            OPAQUE => EntryKind::Opaque,
            _ => EntryKind::Special,
        };
        Some(Entry { path: self.path.clone(), kind, mode })
    }
}

impl<'a> Entries<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.take(length)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

/// Stored as one run of bytes rather than as a sequence of numbers.
mod bytes {
    use serde::{Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl de::Visitor<'_> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}

/// A path without leading slash, empty, `.` or repeated components; none when it climbs with `..` or is longer than
/// [`PATH_BYTES_MAX`].
pub fn normalise(path: &[u8]) -> Option<Vec<u8>> {
    if path.len() > PATH_BYTES_MAX {
        return None;
    }
    let mut normal = Vec::with_capacity(path.len());
    for component in path.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => return None,
            _ => {
                if !normal.is_empty() {
                    normal.push(b'/');
                }
                normal.extend_from_slice(component);
            }
        }
    }
    Some(normal)
}

/// Linux opens no longer path (`PATH_MAX`), so no container can have one.
pub const PATH_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry() -> impl Strategy<Value = Entry> {
        let path = proptest::collection::vec("[a-c./]{0,6}", 0..4).prop_map(|parts| parts.join("/").into_bytes());
        let digest = any::<[u8; 32]>().prop_map(Digest::from_bytes);
        let pinned = proptest::option::of((proptest::sample::select(&FILE_KINDS[..]), digest));
        let kind = prop_oneof![
            Just(EntryKind::Directory),
            (any::<u64>(), pinned).prop_map(|(size, pinned)| EntryKind::File { size, pinned }),
            any::<Vec<u8>>().prop_map(EntryKind::Symlink),
            any::<Vec<u8>>().prop_map(EntryKind::Hardlink),
            Just(EntryKind::Whiteout),
            Just(EntryKind::Opaque),
            Just(EntryKind::Special),
        ];
        (path, kind, 0u32..0o10000).prop_map(|(path, kind, mode)| Entry { path, kind, mode })
    }

    proptest! {
        #[test]
        fn what_is_pushed_is_read_back(entries in proptest::collection::vec(entry(), 0..30)) {
            let mut table = EntryTable::default();
            entries.iter().for_each(|entry| table.push(entry));
            prop_assert_eq!(table.iter().collect::<Vec<_>>(), entries);
        }

        #[test]
        fn a_damaged_table_ends_early_and_does_not_panic(encoded: Vec<u8>) {
            let table = EntryTable { encoded, ..EntryTable::default() };
            let _ = table.iter().take(1000).count();
        }
    }

    #[test]
    fn paths_are_normalised_and_climbing_is_refused() {
        for (path, expected) in [
            ("./usr//bin/", Some("usr/bin")),
            ("/etc/./passwd", Some("etc/passwd")),
            (".", Some("")),
            ("a/../b", None),
            ("../../etc/passwd", None),
            ("a..b/..c", Some("a..b/..c")),
        ] {
            assert_eq!(normalise(path.as_bytes()).as_deref(), expected.map(str::as_bytes), "{path}");
        }
        assert_eq!(normalise(&[b'a'; 65536]), None);
    }
}
