//! The mapped file: sizes checked when opened, contents when touched.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use memmap2::Mmap;
use model::advisory::IndexDamage;

use super::layout::{BLOCK_BYTES, FORMAT_VERSION, HEADER_BYTES, MAGIC, SECTIONS, Section, take_varint, u32_at, u64_at};

/// Why an index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It could not be opened.
    #[error("could not open the advisory index `{path}`")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not a regular file, or anyone may write to it.
    #[error("`{path}` cannot be trusted as an advisory index: {detail}")]
    Untrusted {
        /// Which.
        path: PathBuf,
        /// Why.
        detail: &'static str,
    },
    /// It is no index, or a damaged one.
    #[error("`{path}` is not a sound advisory index: {detail}")]
    Unsound {
        /// Which.
        path: PathBuf,
        /// Why.
        detail: String,
    },
}

impl OpenError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("make one with `dogwatch advisories update`, or `build --from PATH --out FILE`".into())
            }
            Self::Untrusted { .. } => Some("let only its owner write to it".into()),
            Self::Unsound { .. } => Some("build it again with `dogwatch advisories build`".into()),
            Self::Unreadable { .. } => None,
        }
    }
}

/// What is known of a block.
const UNSEEN: u8 = 0;
const SOUND: u8 = 1;
const BROKEN: u8 = 2;

/// Strings up to about this long are fetched with their length in one go; most names and versions are.
const SHORT_TEXT_BYTES: usize = 48;

/// An index in memory. Every access is bounds-checked, and its blocks verified at first touch.
pub(super) struct IndexFile {
    map: Mmap,
    sections: [(usize, usize); SECTIONS.len()],
    data_len: usize,
    blocks: Vec<AtomicU8>,
    digest: [u8; 32],
}

impl IndexFile {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let unreadable = |source| OpenError::Unreadable { path: path.to_owned(), source };
        let untrusted = |detail| OpenError::Untrusted { path: path.to_owned(), detail };
        // Asked before opening: opening a pipe would wait for someone to write.
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(untrusted("it is not a regular file"));
        }
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            if metadata.permissions().mode() & 0o002 != 0 {
                return Err(untrusted("anyone may write to it"));
            }
        }
        if metadata.len() < HEADER_BYTES as u64 {
            return Err(OpenError::Unsound { path: path.to_owned(), detail: "it is too short".into() });
        }
        // SAFETY: the map is read-only. It stays sound as long as nobody shortens or rewrites the file in place: indexes
        // are only ever replaced by rename, and a file that anyone may write to was refused above. Nothing read from it
        // is trusted: numbers are bounds-checked and text is checked to be UTF-8 at each access.
        let map = unsafe { Mmap::map(&file) }.map_err(unreadable)?;
        Self::check(map).map_err(|detail| OpenError::Unsound { path: path.to_owned(), detail })
    }

    fn check(map: Mmap) -> Result<Self, String> {
        let header = map.get(..HEADER_BYTES).ok_or("it is too short")?;
        if !header.starts_with(&MAGIC) {
            return Err("it is some other file".into());
        }
        let version = u32_at(header, 8).unwrap_or_default();
        if version != FORMAT_VERSION {
            return Err(format!("it has format {version}, and this program reads {FORMAT_VERSION}"));
        }
        let (body, sum) = header.split_at(HEADER_BYTES - 4);
        if u32_at(sum, 0) != Some(crc32fast::hash(body)) {
            return Err("its header is damaged".into());
        }
        let at = |at: usize| u64_at(header, at).and_then(|value| usize::try_from(value).ok());
        let (file_len, data_len) = (at(16).ok_or("it is too large")?, at(24).ok_or("it is too large")?);
        if file_len != map.len() {
            return Err(format!("it has {} bytes and should have {file_len}", map.len()));
        }
        let block_count = data_len.div_ceil(BLOCK_BYTES);
        let sums_start = HEADER_BYTES.checked_add(data_len).ok_or("its sizes are impossible")?;
        let sums = map.get(sums_start..).ok_or("its sizes are impossible")?;
        if Some(sums.len()) != block_count.checked_mul(4) || u32_at(header, 64) != Some(crc32fast::hash(sums)) {
            return Err("its checksums are damaged".into());
        }
        if u32_at(header, 12) != Some(SECTIONS.len() as u32) {
            return Err("it has sections that this program does not know".into());
        }
        let mut sections = [(0, 0); SECTIONS.len()];
        for (number, section) in sections.iter_mut().enumerate() {
            let (start, len) = (at(72 + number * 16), at(80 + number * 16));
            let (start, len) = start.zip(len).ok_or("a section lies outside it")?;
            if start.checked_add(len).is_none_or(|end| end > data_len) {
                return Err("a section lies outside it".into());
            }
            *section = (start, len);
        }
        let digest = header.get(32..64).and_then(|digest| digest.try_into().ok()).ok_or("it is too short")?;
        let blocks = std::iter::repeat_with(|| AtomicU8::new(UNSEEN)).take(block_count).collect();
        Ok(Self { map, sections, data_len, blocks, digest })
    }

    /// `sha256:` of the data, as it was written.
    pub(super) fn digest(&self) -> String {
        let hex: String = self.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    }

    /// Size of the whole file in bytes.
    pub(super) fn len(&self) -> u64 {
        self.map.len() as u64
    }

    /// Size of a section in bytes.
    pub(super) fn section_len(&self, section: Section) -> usize {
        self.sections[section as usize].1
    }

    /// Bytes of a section, verified.
    pub(super) fn bytes(&self, section: Section, at: usize, len: usize) -> Result<&[u8], IndexDamage> {
        let (start, section_len) = self.sections[section as usize];
        let inside = at.checked_add(len).is_some_and(|end| end <= section_len);
        if !inside {
            return Err(damage(section, "a reference leads outside it"));
        }
        let (from, to) = (start + at, start + at + len);
        if len > 0 {
            for block in from / BLOCK_BYTES..=(to - 1) / BLOCK_BYTES {
                if !self.verify(block) {
                    return Err(damage(section, &format!("block {block} does not have its checksum")));
                }
            }
        }
        self.map.get(HEADER_BYTES + from..HEADER_BYTES + to).ok_or_else(|| damage(section, "it is cut short"))
    }

    /// Whether a block is what was written. Two threads may both find out; they find the same.
    fn verify(&self, block: usize) -> bool {
        let Some(state) = self.blocks.get(block) else { return false };
        match state.load(Ordering::Relaxed) {
            SOUND => return true,
            BROKEN => return false,
            _ => {}
        }
        let start = block * BLOCK_BYTES;
        let end = (start + BLOCK_BYTES).min(self.data_len);
        let data = self.map.get(HEADER_BYTES + start..HEADER_BYTES + end);
        let stated = u32_at(&self.map, HEADER_BYTES + self.data_len + block * 4);
        let sound = data.is_some_and(|data| stated == Some(crc32fast::hash(data)));
        state.store(if sound { SOUND } else { BROKEN }, Ordering::Relaxed);
        sound
    }

    /// One fixed-size entry of a table.
    pub(super) fn entry(&self, section: Section, number: usize, size: usize) -> Result<&[u8], IndexDamage> {
        let at = number.checked_mul(size).ok_or_else(|| damage(section, "a number is impossible"))?;
        self.bytes(section, at, size)
    }

    /// The string at a reference.
    pub(super) fn text(&self, section: Section, reference: u32) -> Result<&str, IndexDamage> {
        let at = reference as usize;
        let room = self.section_len(section).saturating_sub(at).min(SHORT_TEXT_BYTES);
        let seen = self.bytes(section, at, room)?;
        let mut rest = seen;
        let len = take_varint(&mut rest).ok_or_else(|| damage(section, "a string has no length"))? as usize;
        let text = match rest.get(..len) {
            Some(text) => text,
            None => self.bytes(section, at + room - rest.len(), len)?,
        };
        str::from_utf8(text).map_err(|_| damage(section, "a string is not text"))
    }

    /// A reader of varints from a place in a section.
    pub(super) fn varints(&self, section: Section, at: u32) -> Varints<'_> {
        Varints { file: self, section, at: at as usize }
    }

    /// Index of the first of `count` entries that is not `before`, by binary search.
    pub(super) fn first_not(
        &self,
        (mut low, mut high): (usize, usize),
        mut before: impl FnMut(usize) -> Result<bool, IndexDamage>,
    ) -> Result<usize, IndexDamage> {
        while low < high {
            let middle = low + (high - low) / 2;
            if before(middle)? { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}

/// Reads varints one after the other.
pub(super) struct Varints<'a> {
    file: &'a IndexFile,
    section: Section,
    at: usize,
}

impl Varints<'_> {
    pub(super) fn next(&mut self) -> Result<u32, IndexDamage> {
        let room = self.file.section_len(self.section).saturating_sub(self.at).min(5);
        let mut bytes = self.file.bytes(self.section, self.at, room)?;
        let value = take_varint(&mut bytes).ok_or_else(|| damage(self.section, "a number is cut short"))?;
        self.at += room - bytes.len();
        Ok(value)
    }
}

/// Damage in a section, in words.
pub(super) fn damage(section: Section, detail: &str) -> IndexDamage {
    IndexDamage { detail: format!("table {section:?}: {detail}") }
}
