//! Finds the members of a tar archive without reading them.
//!
//! Only what image archives need: regular files, links, long names (GNU and PAX). Layers have every other sort of
//! member; they are walked elsewhere. A name that stands for two files is refused when it is asked for: tools disagree
//! about which one counts (extraction takes the last, streaming readers the first), so either choice could scan
//! another image than the one that runs.
//!
//! Source: POSIX.1-2017, `pax`, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Basic Tar Format".

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::document::printable;
use super::error::SourceError;

const BLOCK: u64 = 512;

/// The most members. An image has a handful per layer, so this is room for thousands of images in one archive.
const MEMBERS_MAX: usize = 100_000;

/// The most bytes of all names together, so that long names fill no memory.
const NAMES_BYTES_MAX: usize = 16 << 20;

/// The longest extended header (it holds a name, and whatever else a tool likes to note).
const EXTENDED_BYTES_MAX: u64 = 1 << 20;

/// How many links are followed. `docker save` made chains of one.
const LINK_HOPS_MAX: usize = 8;

/// Why an archive cannot be indexed.
#[derive(Debug, thiserror::Error)]
pub(super) enum TarError {
    #[error("could not be read at byte {offset}: {source}")]
    Read { offset: u64, source: io::Error },
    #[error("it ends in the middle, at byte {offset}")]
    Truncated { offset: u64 },
    #[error("there is no tar header at byte {offset}")]
    Header { offset: u64 },
    #[error("the extended header at byte {offset} is malformed")]
    Extended { offset: u64 },
    #[error("it has more than {MEMBERS_MAX} members, or names of more than {} MiB", NAMES_BYTES_MAX >> 20)]
    TooMany,
}

/// Why a member cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FindError {
    Missing,
    Twice,
    Link,
}

impl FindError {
    pub(super) fn into_source_error(self, place: &str, name: &str) -> SourceError {
        let (place, name) = (place.to_owned(), printable(name));
        let detail = match self {
            Self::Missing => return SourceError::Missing { place, what: format!("the file `{name}`") },
            Self::Twice => "two members have this name, and tools disagree about which one counts",
            Self::Link => "its links go in a circle or out of the archive",
        };
        SourceError::Malformed { place, what: format!("the member `{name}`"), detail: detail.into() }
    }
}

/// Where the members of an archive are, by normalised name.
pub(super) struct TarIndex {
    members: HashMap<String, Member>,
}

enum Member {
    File { offset: u64, size: u64 },
    Link(String),
    Twice,
}

/// What extended headers say about the next member.
#[derive(Default)]
struct Extended {
    name: Option<String>,
    link: Option<String>,
    size: Option<u64>,
    sparse: bool,
}

impl TarIndex {
    /// Walks the headers of `file`.
    pub(super) fn read(file: &File) -> Result<Self, TarError> {
        let length = file.metadata().map_err(|source| TarError::Read { offset: 0, source })?.len();
        let mut index = Self { members: HashMap::new() };
        let (mut offset, mut names_bytes, mut extended) = (0, 0, Extended::default());
        // Headers without a name (extended ones) count too, or there could be any number of them.
        for _ in 0..2 * MEMBERS_MAX {
            let Some(header) = Header::read(file, offset, length)? else { return Ok(index) };
            let body = offset + BLOCK;
            let size = extended.size.filter(|_| !header.is_extended()).unwrap_or(header.size);
            let size = if header.has_body() { size } else { 0 };
            let end = size.checked_next_multiple_of(BLOCK).and_then(|padded| padded.checked_add(body));
            if body.checked_add(size).is_none_or(|end| end > length) {
                return Err(TarError::Truncated { offset: length });
            }
            if header.is_extended() {
                extended.read(file, &header, body)?;
            } else {
                let extended = std::mem::take(&mut extended);
                let name = extended.name.unwrap_or(header.name);
                names_bytes += name.len() + extended.link.as_ref().map_or(100, String::len);
                if names_bytes > NAMES_BYTES_MAX || index.members.len() >= MEMBERS_MAX {
                    return Err(TarError::TooMany);
                }
                let link = extended.link.unwrap_or(header.link);
                match header.kind {
                    b'0' | 0 | b'7' if !extended.sparse && !name.ends_with('/') => {
                        index.insert(&name, Some(Member::File { offset: body, size }));
                    }
                    b'1' => index.insert(&name, normalise("", &link).map(Member::Link)),
                    b'2' => index.insert(&name, normalise(parent(&name), &link).map(Member::Link)),
                    _ => {}
                }
            }
            offset = end.ok_or(TarError::Truncated { offset: length })?;
        }
        Err(TarError::TooMany)
    }

    fn insert(&mut self, name: &str, member: Option<Member>) {
        let (Some(name), Some(member)) = (normalise("", name), member) else { return };
        match self.members.entry(name) {
            Entry::Vacant(entry) => drop(entry.insert(member)),
            Entry::Occupied(mut entry) => drop(entry.insert(Member::Twice)),
        }
    }

    /// The offset and size of the file with this name, following links.
    pub(super) fn find(&self, name: &str) -> Result<(u64, u64), FindError> {
        let mut name = normalise("", name).ok_or(FindError::Missing)?;
        for _ in 0..=LINK_HOPS_MAX {
            match self.members.get(&name) {
                None => return Err(FindError::Missing),
                Some(Member::Twice) => return Err(FindError::Twice),
                Some(Member::File { offset, size }) => return Ok((*offset, *size)),
                Some(Member::Link(target)) => name.clone_from(target),
            }
        }
        Err(FindError::Link)
    }
}

fn parent(name: &str) -> &str {
    name.trim_end_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Joins and cleans a path; none when it leaves the archive.
fn normalise(base: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let base = if path.starts_with('/') { "" } else { base };
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// One header block.
struct Header {
    name: String,
    link: String,
    size: u64,
    kind: u8,
}

impl Header {
    /// The header at `offset`; none at the end of the archive.
    fn read(file: &File, offset: u64, length: u64) -> Result<Option<Self>, TarError> {
        let mut block = [0; BLOCK as usize];
        match file.read_exact_at(&mut block, offset) {
            Ok(()) => {}
            Err(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(TarError::Truncated { offset: length });
            }
            Err(source) => return Err(TarError::Read { offset, source }),
        }
        // One zero block ends the archive; the standard asks for two, and not every tool writes them.
        if block == [0; BLOCK as usize] {
            return Ok(None);
        }
        let wrong = || TarError::Header { offset };
        let blank = |(at, byte): (usize, &u8)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) };
        let sum: u64 = block.iter().enumerate().map(blank).sum();
        if octal(&block[148..156]) != Some(sum) {
            return Err(wrong());
        }
        let mut name = text(&block[..100]);
        if &block[257..263] == b"ustar\0" && block[345] != 0 {
            name = format!("{}/{name}", text(&block[345..500]));
        }
        let size = number(&block[124..136]).ok_or_else(wrong)?;
        Ok(Some(Self { name, link: text(&block[157..257]), size, kind: block[156] }))
    }

    fn is_extended(&self) -> bool {
        matches!(self.kind, b'L' | b'K' | b'x' | b'g')
    }

    /// Links, devices and directories have no body, whatever their size says.
    fn has_body(&self) -> bool {
        !matches!(self.kind, b'1'..=b'6')
    }
}

impl Extended {
    /// Takes in one extended header.
    fn read(&mut self, file: &File, header: &Header, body: u64) -> Result<(), TarError> {
        let wrong = || TarError::Extended { offset: body };
        if header.kind == b'g' {
            // It speaks for all members that follow; names and sizes of single members cannot be in it.
            return Ok(());
        }
        if header.size > EXTENDED_BYTES_MAX {
            return Err(wrong());
        }
        let mut bytes = vec![0; header.size as usize];
        file.read_exact_at(&mut bytes, body).map_err(|source| TarError::Read { offset: body, source })?;
        match header.kind {
            b'L' => self.name = Some(text(&bytes)),
            b'K' => self.link = Some(text(&bytes)),
            _ => self.read_pax(&bytes).ok_or_else(wrong)?,
        }
        Ok(())
    }

    /// Reads records `LENGTH KEY=VALUE\n`.
    fn read_pax(&mut self, mut bytes: &[u8]) -> Option<()> {
        while !bytes.is_empty() {
            let space = bytes.iter().position(|b| *b == b' ')?;
            let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
            let record = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
            let equals = record.iter().position(|b| *b == b'=')?;
            let (key, value) = (&record[..equals], String::from_utf8_lossy(&record[equals + 1..]));
            match key {
                b"path" => self.name = Some(value.into_owned()),
                b"linkpath" => self.link = Some(value.into_owned()),
                b"size" => self.size = Some(value.parse().ok()?),
                key if key.starts_with(b"GNU.sparse") => self.sparse = true,
                _ => {}
            }
            bytes = &bytes[length..];
        }
        Some(())
    }
}

/// Text up to the first NUL. Names in image archives are ASCII; anything else is only ever compared.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

/// Octal digits, or GNU's binary number when the first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    match field {
        [0x80, rest @ ..] => rest.iter().try_fold(0u64, |sum, b| sum.checked_mul(256)?.checked_add(u64::from(*b))),
        field => octal(field),
    }
}

fn octal(field: &[u8]) -> Option<u64> {
    let digits = field.split(|b| matches!(b, 0 | b' ')).find(|part| !part.is_empty()).unwrap_or(b"0");
    digits.iter().try_fold(0u64, |sum, b| match b {
        b'0'..=b'7' => sum.checked_mul(8)?.checked_add(u64::from(b - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn member(name: &str, kind: u8, link: &str, body: &[u8]) -> Vec<u8> {
        let mut block = vec![0; 512];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..136].copy_from_slice(format!("{:011o}\0", body.len()).as_bytes());
        block[148..156].fill(b' ');
        block[156] = kind;
        block[157..157 + link.len()].copy_from_slice(link.as_bytes());
        let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block.extend(body);
        block.resize(block.len().next_multiple_of(512), 0);
        block
    }

    fn index(members: &[Vec<u8>]) -> Result<TarIndex, TarError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&members.concat()).unwrap();
        file.write_all(&[0; 1024]).unwrap();
        TarIndex::read(&file)
    }

    #[test]
    fn links_are_followed_inside_and_refused_outside() {
        let index = index(&[
            member("a/layer.tar", b'0', "", b"body"),
            member("b/layer.tar", b'2', "../a/layer.tar", b""),
            member("c/layer.tar", b'1', "a/layer.tar", b""),
            member("d", b'2', "../../etc/passwd", b""),
            member("e", b'2', "f", b""),
            member("f", b'2', "e", b""),
        ])
        .unwrap();
        assert_eq!(index.find("a/layer.tar"), Ok((512, 4)));
        assert_eq!(index.find("./b//layer.tar"), Ok((512, 4)));
        assert_eq!(index.find("c/layer.tar"), Ok((512, 4)));
        assert_eq!(index.find("d"), Err(FindError::Missing));
        assert_eq!(index.find("e"), Err(FindError::Link));
    }

    #[test]
    fn a_name_used_twice_counts_for_nothing() {
        let index = index(&[member("a", b'0', "", b"1"), member("./a", b'0', "", b"2")]).unwrap();
        assert_eq!(index.find("a"), Err(FindError::Twice));
    }

    #[test]
    fn long_names_come_from_gnu_and_pax_headers() {
        let long = format!("{}/x", "d".repeat(150));
        let record = |text: &str| format!("{} {text}\n", text.len() + 5);
        let index = index(&[
            member("././@LongLink", b'L', "", format!("{long}\0").as_bytes()),
            member("cut", b'0', "", b"1"),
            member("pax", b'x', "", record(&format!("path={long}/pax")).as_bytes()),
            member("cut", b'0', "", b"22"),
        ])
        .unwrap();
        assert_eq!(index.find(&long).map(|found| found.1), Ok(1));
        assert_eq!(index.find(&format!("{long}/pax")).map(|found| found.1), Ok(2));
        assert_eq!(index.find("cut"), Err(FindError::Missing));
    }

    #[test]
    fn sizes_that_lie_and_headers_that_are_none_are_errors() {
        let mut huge = member("a", b'0', "", b"");
        huge[124] = 0x80;
        huge[125..136].fill(0xff);
        assert!(matches!(index(&[huge.clone()]), Err(TarError::Header { .. })));
        let bomb = member("pax", b'x', "", b"30 size=18446744073709551615\n\n");
        assert!(index(&[bomb, member("a", b'0', "", b"")]).is_err());
        assert!(matches!(index(&[vec![7; 512]]), Err(TarError::Header { offset: 0 })));
    }

    #[test]
    fn members_and_names_have_bounds() {
        let members: Vec<_> = (0..MEMBERS_MAX + 1).map(|at| member(&at.to_string(), b'0', "", b"")).collect();
        assert!(matches!(index(&members), Err(TarError::TooMany)));
        assert!(index(&members[1..]).is_ok());
        let name = |at: usize| format!("{at}{}\0", "/d".repeat(400_000));
        let long = (0..24).flat_map(|at| [member("L", b'L', "", name(at).as_bytes()), member("x", b'0', "", b"")]);
        assert!(matches!(index(&long.collect::<Vec<_>>()), Err(TarError::TooMany)));
        let headers = vec![member("pax", b'x', "", b""); 2 * MEMBERS_MAX];
        assert!(matches!(index(&headers), Err(TarError::TooMany)));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_an_index_or_an_error(damage: Vec<(usize, u8)>, cut in 0usize..3000) {
            let mut bytes = [member("a", b'0', "", b"1"), member("p", b'x', "", b"9 path=b\n"), member("c", b'2', "a", b"")].concat();
            for (at, byte) in damage {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            bytes.truncate(cut);
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            let _ = TarIndex::read(&file);
        }

        #[test]
        fn any_extended_header_gives_records_or_none(bytes: Vec<u8>) {
            let _ = Extended::default().read_pax(&bytes);
        }
    }
}
