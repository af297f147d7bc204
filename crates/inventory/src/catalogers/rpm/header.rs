//! An rpm header: tagged values in one blob.
//!
//! Two numbers (how many index entries, how many data bytes), the entries (tag, type, offset, count; 16 bytes each), the
//! data; all big-endian. In the database the blob has neither the magic nor the padding of a package file.
//! Source: rpm's documentation, "RPM v4 header format" and "Tags".

use model::package::SourcePackage;

use super::window::{be16, be32};
use super::{PathBudget, malformed, too_many_paths};
use crate::fact::Problem;

/// The tags that are read, by rpm's numbers.
pub(super) mod tag {
    pub(in super::super) const NAME: u32 = 1000;
    pub(in super::super) const VERSION: u32 = 1001;
    pub(in super::super) const RELEASE: u32 = 1002;
    pub(in super::super) const EPOCH: u32 = 1003;
    pub(in super::super) const LICENSE: u32 = 1014;
    pub(in super::super) const ARCH: u32 = 1022;
    /// Whole paths, as rpm 3 wrote them.
    pub(super) const OLDFILENAMES: u32 = 1027;
    pub(super) const FILEMODES: u32 = 1030;
    pub(in super::super) const SOURCERPM: u32 = 1044;
    pub(super) const DIRINDEXES: u32 = 1116;
    pub(super) const BASENAMES: u32 = 1117;
    pub(super) const DIRNAMES: u32 = 1118;
    pub(in super::super) const MODULARITYLABEL: u32 = 5096;
}

const TYPE_INT16: u32 = 3;
const TYPE_INT32: u32 = 4;
const TYPE_STRING: u32 = 6;
const TYPE_STRING_ARRAY: u32 = 8;
const TYPE_I18N_STRING: u32 = 9;

const ENTRY_BYTES: usize = 16;
/// The most entries that rpm itself accepts.
const ENTRIES_MAX: usize = 0xffff;

/// A header whose two parts lie inside the blob. Values are only looked at when asked for.
pub(super) struct Header<'a> {
    index: &'a [u8],
    data: &'a [u8],
}

/// The value of a tag: its data up to the end of the header, and how many values there should be.
struct Values<'a> {
    kind: u32,
    data: &'a [u8],
    count: usize,
}

impl<'a> Header<'a> {
    pub(super) fn parse(blob: &'a [u8]) -> Result<Self, Problem> {
        let parts = || {
            let entries = be32(blob, 0)? as usize;
            let data_bytes = be32(blob, 4)? as usize;
            let index_bytes = (entries <= ENTRIES_MAX).then_some(entries * ENTRY_BYTES)?;
            let (index, rest) = blob.get(8..)?.split_at_checked(index_bytes)?;
            Some(Self { index, data: rest.get(..data_bytes)? })
        };
        parts().ok_or_else(|| malformed(format!("a package header of {} bytes is cut short or damaged", blob.len())))
    }

    fn values(&self, tag: u32) -> Option<Values<'a>> {
        let entry = self.index.chunks_exact(ENTRY_BYTES).find(|entry| be32(entry, 0) == Some(tag))?;
        Some(Values {
            kind: be32(entry, 4)?,
            data: self.data.get(be32(entry, 8)? as usize..)?,
            count: be32(entry, 12)? as usize,
        })
    }

    /// The (first) text of a tag.
    pub(super) fn text(&self, tag: u32) -> Option<String> {
        self.texts(tag).next().map(|text| String::from_utf8_lossy(text).into_owned())
    }

    /// The texts of a tag; ends early where the data does.
    fn texts(&self, tag: u32) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let values = self.values(tag);
        let values = values.filter(|v| matches!(v.kind, TYPE_STRING | TYPE_STRING_ARRAY | TYPE_I18N_STRING));
        let (data, count) = values.map_or((&[][..], 0), |v| (v.data, if v.kind == TYPE_STRING { 1 } else { v.count }));
        let mut rest = data;
        std::iter::from_fn(move || {
            let end = memchr::memchr(0, rest)?;
            let (text, after) = rest.split_at(end);
            rest = &after[1..];
            Some(text)
        })
        .take(count)
    }

    /// The numbers of a tag, of two or four bytes; ends early where the data does.
    pub(super) fn numbers(&self, tag: u32) -> impl Iterator<Item = u32> + use<'a> {
        let values = self.values(tag);
        let width = match values.as_ref().map(|v| v.kind) {
            Some(TYPE_INT16) => 2,
            Some(TYPE_INT32) => 4,
            _ => 0,
        };
        let (data, count) = values.filter(|_| width > 0).map_or((&[][..], 0), |v| (v.data, v.count));
        data.chunks_exact(width.max(1)).take(count).filter_map(move |number| match width {
            2 => be16(number, 0).map(u32::from),
            _ => be32(number, 0),
        })
    }

    /// Adds the paths of everything but directories, which packages share.
    pub(super) fn files(&self, files: &mut Vec<String>, budget: &mut PathBudget) -> Result<(), Problem> {
        let damaged = || malformed("the list is cut short or damaged");
        let mut modes = self.numbers(tag::FILEMODES);
        let mut add = |directory: &[u8], name: &[u8]| {
            if modes.next().is_some_and(is_directory)
                || budget.join(&String::from_utf8_lossy(directory), &String::from_utf8_lossy(name), files)
            {
                return Ok(());
            }
            Err(too_many_paths())
        };
        let listed = |tag| self.values(tag).map_or(0, |values| values.count);
        let mut added = 0;
        if listed(tag::BASENAMES) > 0 {
            let directories: Vec<&[u8]> = self.texts(tag::DIRNAMES).collect();
            for (name, directory) in self.texts(tag::BASENAMES).zip(self.numbers(tag::DIRINDEXES)) {
                add(directories.get(directory as usize).ok_or_else(damaged)?, name)?;
                added += 1;
            }
            return if added == listed(tag::BASENAMES) { Ok(()) } else { Err(damaged()) };
        }
        for path in self.texts(tag::OLDFILENAMES) {
            add(b"", path.strip_prefix(b"/").unwrap_or(path))?;
            added += 1;
        }
        if added == listed(tag::OLDFILENAMES) { Ok(()) } else { Err(damaged()) }
    }
}

fn is_directory(mode: u32) -> bool {
    mode & 0o170000 == 0o040000
}

/// `[epoch:]version-release`. rpm takes a missing epoch for 0.
pub(super) fn with_epoch(epoch: u32, version: &str) -> String {
    if epoch == 0 { version.to_owned() } else { format!("{epoch}:{version}") }
}

/// Reads `openssl-libs`' `SOURCERPM`, `openssl-3.0.7-25.el9.src.rpm`.
///
/// The file name has no epoch. A binary of the same version and release shares its source's; another one (`perl-libs` of
/// `perl`) may have its own, so then none is claimed.
pub(super) fn source_package(file: &str, epoch: u32, binary_version: &str) -> Option<SourcePackage> {
    let stem = file.strip_suffix(".src.rpm").or_else(|| file.strip_suffix(".nosrc.rpm"))?;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    let version = format!("{version}-{release}");
    let epoch = if version == binary_version { epoch } else { 0 };
    (!name.is_empty()).then(|| SourcePackage { name: name.to_owned(), version: with_epoch(epoch, &version) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_file_name_is_split_from_the_right() {
        let check =
            |file, epoch, binary| source_package(file, epoch, binary).map(|s| format!("{} {}", s.name, s.version));
        assert_eq!(check("openssl-3.0.7-25.el9.src.rpm", 1, "3.0.7-25.el9").as_deref(), Some("openssl 1:3.0.7-25.el9"));
        assert_eq!(check("gcc-c-x-4.1-2.src.rpm", 0, "4.1-2").as_deref(), Some("gcc-c-x 4.1-2"));
        assert_eq!(check("perl-5.26.3-422.el8.src.rpm", 1, "1.30-422.el8").as_deref(), Some("perl 5.26.3-422.el8"));
        assert_eq!(check("jdk-1-2.nosrc.rpm", 0, "1-2").as_deref(), Some("jdk 1-2"));
        assert_eq!(check("(none)", 0, "1-2"), None);
        assert_eq!(check("-1-2.src.rpm", 0, "1-2"), None);
    }
}
