//! Reads tar archives in one pass, in bounded memory, from bytes that may be hostile.
//!
//! Why not a library: layers are most of what is ever read, so members must be handed out without copying, and the
//! sizes of extension headers must be bounded before they are believed. Sources: POSIX.1-2017 `pax`, "ustar Interchange
//! Format" and "pax Extended Header"; the GNU tar manual, "Basic Tar Format".

use std::io::{self, BufRead, Read};

/// Archive block size; headers and padded members are multiples of it.
const BLOCK: usize = 512;

/// The largest extension header (pax records, GNU long name) that is believed. Real ones hold paths and a few extended
/// attributes; Linux bounds an attribute value to 64 KiB.
const EXTENSION_BYTES_MAX: u64 = 1 << 20;

/// A member cannot be larger than files can be, and its padding must be countable.
const MEMBER_BYTES_MAX: u64 = i64::MAX as u64 - BLOCK as u64;

/// One member's header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// The path as written.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Bytes of content that follow (0 for everything but files).
    pub size: u64,
    /// Target of a symbolic or hard link, as written.
    pub link: Vec<u8>,
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// A regular file.
    #[default]
    File,
    /// A file whose content is stored with holes, in one of GNU's ways; the stored bytes are not the file's bytes.
    SparseFile,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Another name of an earlier member.
    Hardlink,
    /// A device, a fifo, or a type we do not know.
    Special,
}

/// Reads members one after the other. After [`TarReader::next`], [`TarReader::content`] is that member's content;
/// whatever of it is not read is skipped by the following `next`.
pub struct TarReader<R> {
    inner: R,
    /// Content bytes of the current member not yet read.
    left: u64,
    /// Padding after them.
    padding: u64,
    /// Bytes consumed so far: where the current content begins, when asked right after `next`.
    position: u64,
    /// Header defaults from pax global headers.
    global: Extension,
}

/// What extension headers say about the member that follows.
#[derive(Debug, Clone, Default)]
struct Extension {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

impl<R: BufRead> TarReader<R> {
    /// A reader at the beginning of an uncompressed archive.
    pub fn new(inner: R) -> Self {
        Self { inner, left: 0, padding: 0, position: 0, global: Extension::default() }
    }

    /// How many bytes of the archive come before what is read next.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next member, or none at the end of the archive.
    ///
    /// Fails when the archive is cut short, a header's checksum is wrong, or an extension header is unbelievably long.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend `content` between two steps")]
    pub fn next(&mut self) -> io::Result<Option<Header>> {
        self.skip_rest()?;
        let mut extension = self.global.clone();
        loop {
            let Some(block) = self.block()? else { return Ok(None) };
            if block.iter().all(|&byte| byte == 0) {
                return Ok(None);
            }
            check_sum(&block, self.position - BLOCK as u64)?;
            let size = number(&block[124..136]).ok_or_else(|| invalid("a size that is not a number"))?;
            match block[156] {
                b'L' => extension.path = Some(text_of(self.extension(size)?)),
                b'K' => extension.link = Some(text_of(self.extension(size)?)),
                b'x' => pax(&self.extension(size)?, &mut extension)?,
                b'g' => {
                    let records = self.extension(size)?;
                    pax(&records, &mut self.global)?;
                    pax(&records, &mut extension)?;
                }
                kind => return self.member(&block, kind, size, extension).map(Some),
            }
        }
    }

    /// The content of the current member.
    pub fn content(&mut self) -> Content<'_, R> {
        Content { tar: self }
    }

    fn member(&mut self, block: &[u8; BLOCK], kind: u8, size: u64, extension: Extension) -> io::Result<Header> {
        let size = extension.size.unwrap_or(size);
        if size > MEMBER_BYTES_MAX {
            return Err(invalid(&format!("a member of {size} bytes")));
        }
        let path = extension.path.unwrap_or_else(|| path_of(block));
        let kind = match kind {
            b'1' => Kind::Hardlink,
            b'2' => Kind::Symlink,
            b'3' | b'4' | b'6' => Kind::Special,
            b'5' => Kind::Directory,
            b'S' => Kind::SparseFile,
            // Before POSIX, a directory was a file whose name ends in a slash.
            0 if path.ends_with(b"/") => Kind::Directory,
            b'0' | 0 | b'7' if extension.sparse => Kind::SparseFile,
            b'0' | 0 | b'7' => Kind::File,
            _ => Kind::Special,
        };
        if kind == Kind::SparseFile && block[156] == b'S' {
            self.skip_old_sparse_map(block)?;
        }
        // POSIX lets links and directories state a size that no content follows; tar programs ignore it.
        let stored = if matches!(kind, Kind::File | Kind::SparseFile | Kind::Special) { size } else { 0 };
        self.left = stored;
        self.padding = (BLOCK as u64 - stored % BLOCK as u64) % BLOCK as u64;
        Ok(Header {
            path,
            kind,
            mode: number(&block[100..108]).unwrap_or(0) as u32 & 0o7777,
            size: stored,
            link: extension.link.unwrap_or_else(|| until_nul(&block[157..257]).to_vec()),
        })
    }

    /// Old GNU sparse members put further map blocks between header and content (GNU tar manual, "Sparse Formats").
    fn skip_old_sparse_map(&mut self, header: &[u8; BLOCK]) -> io::Result<()> {
        let mut more = header[482] != 0;
        while more {
            more = self.block()?.ok_or_else(cut)?[504] != 0;
        }
        Ok(())
    }

    /// One block, or none at a clean end of input.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.inner.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(cut()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.position += BLOCK as u64;
        Ok(Some(block))
    }

    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > EXTENSION_BYTES_MAX {
            return Err(invalid(&format!(
                "an extension header of {size} bytes (at most {EXTENSION_BYTES_MAX} are read)"
            )));
        }
        let mut bytes = vec![0; size as usize];
        self.inner
            .read_exact(&mut bytes)
            .map_err(|error| if error.kind() == io::ErrorKind::UnexpectedEof { cut() } else { error })?;
        self.position += size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        self.skip_rest()?;
        Ok(bytes)
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        let mut left = self.left + std::mem::take(&mut self.padding);
        self.left = 0;
        while left > 0 {
            let available = self.inner.fill_buf()?.len();
            if available == 0 {
                return Err(cut());
            }
            let count = available.min(usize::try_from(left).unwrap_or(usize::MAX));
            self.inner.consume(count);
            self.position += count as u64;
            left -= count as u64;
        }
        Ok(())
    }
}

/// The content of one member: reads end with the member; an archive cut short is an error.
pub struct Content<'a, R> {
    tar: &'a mut TarReader<R>,
}

impl<R: BufRead> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Content<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.tar.left == 0 {
            return Ok(&[]);
        }
        let available = self.tar.inner.fill_buf()?;
        if available.is_empty() {
            return Err(cut());
        }
        let count = available.len().min(usize::try_from(self.tar.left).unwrap_or(usize::MAX));
        Ok(&available[..count])
    }

    fn consume(&mut self, count: usize) {
        self.tar.inner.consume(count);
        self.tar.left -= count as u64;
        self.tar.position += count as u64;
    }
}

fn check_sum(block: &[u8; BLOCK], offset: u64) -> io::Result<()> {
    let stated = number(&block[148..156]);
    let unsigned = |range: std::ops::Range<usize>| block[range].iter().map(|&byte| u64::from(byte)).sum::<u64>();
    let signed = |range: std::ops::Range<usize>| block[range].iter().map(|&byte| i64::from(byte as i8)).sum::<i64>();
    let spaces = 8 * u64::from(b' ');
    // Some old programs summed signed bytes; every reader accepts both.
    let sum = unsigned(0..148) + spaces + unsigned(156..512);
    let old_sum = signed(0..148) + spaces as i64 + signed(156..512);
    if stated == Some(sum) || stated.and_then(|stated| i64::try_from(stated).ok()) == Some(old_sum) {
        return Ok(());
    }
    Err(invalid(&format!("no valid header at byte {offset}")))
}

/// An octal number with spaces and NULs around it, or GNU's base-256 when the first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let mut value = u64::from(field[0] & 0x7f);
        for &byte in &field[1..] {
            if value >> 56 != 0 {
                return None;
            }
            value = value << 8 | u64::from(byte);
        }
        return Some(value);
    }
    let digits = until_nul(field).trim_ascii();
    digits.iter().try_fold(0u64, |value, &digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

fn path_of(block: &[u8; BLOCK]) -> Vec<u8> {
    let name = until_nul(&block[..100]);
    let prefix = until_nul(&block[345..500]);
    // Only the POSIX magic has a prefix; GNU's keeps times in these bytes.
    if &block[257..263] == b"ustar\0" && !prefix.is_empty() {
        return [prefix, b"/", name].concat();
    }
    name.to_vec()
}

/// Applies pax records: `length key=value\n` each.
fn pax(mut records: &[u8], extension: &mut Extension) -> io::Result<()> {
    let bad = || invalid("a malformed pax header");
    while !records.is_empty() && records[0] != 0 {
        let space = records.iter().take(20).position(|&byte| byte == b' ').ok_or_else(bad)?;
        let length: usize =
            std::str::from_utf8(&records[..space]).ok().and_then(|text| text.parse().ok()).ok_or_else(bad)?;
        if length <= space + 1 || length > records.len() {
            return Err(bad());
        }
        let record = records[space + 1..length].strip_suffix(b"\n").ok_or_else(bad)?;
        let equals = record.iter().position(|&byte| byte == b'=').ok_or_else(bad)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"path" | b"GNU.sparse.name" => extension.path = Some(value.to_vec()),
            b"linkpath" => extension.link = Some(value.to_vec()),
            b"size" => {
                extension.size =
                    Some(std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or_else(bad)?)
            }
            _ if key.starts_with(b"GNU.sparse.") => extension.sparse = true,
            _ => {}
        }
        records = &records[length..];
    }
    Ok(())
}

fn text_of(bytes: Vec<u8>) -> Vec<u8> {
    until_nul(&bytes).to_vec()
}

fn until_nul(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|&byte| byte == 0).unwrap_or(field.len())]
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is cut short")
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not a tar archive: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn members(archive: &[u8]) -> io::Result<Vec<(Header, Vec<u8>)>> {
        let mut tar = TarReader::new(archive);
        let mut members = Vec::new();
        while let Some(header) = tar.next()? {
            let mut content = Vec::new();
            tar.content().read_to_end(&mut content)?;
            members.push((header, content));
        }
        Ok(members)
    }

    /// An archive by another author's writer.
    fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o640);
            builder.append_data(&mut header, path, content.as_slice()).expect("writes to memory");
        }
        builder.into_inner().expect("writes to memory")
    }

    proptest! {
        #[test]
        fn reads_what_another_program_wrote(files in proptest::collection::vec(("[a-z]{1,30}(/[a-z]{1,90}){0,3}", proptest::collection::vec(any::<u8>(), 0..1500)), 0..6)) {
            let read = members(&archive(&files)).expect("a whole archive");
            let read: Vec<(String, Vec<u8>)> = read.into_iter().map(|(header, content)| (String::from_utf8(header.path).expect("as written"), content)).collect();
            prop_assert_eq!(read, files);
        }

        #[test]
        fn a_cut_archive_is_an_error_or_a_shorter_one(cut in 0usize..4000) {
            let files = vec![("a".repeat(150), vec![1; 700]), ("b".into(), vec![2; 600])];
            let whole = archive(&files);
            let cut = cut.min(whole.len());
            if let Ok(read) = members(&whole[..cut]) {
                // Cut exactly between members: nothing that was read is wrong.
                for ((header, content), (path, expected)) in read.iter().zip(&files) {
                    prop_assert_eq!(&header.path, path.as_bytes());
                    prop_assert_eq!(content, expected);
                }
            }
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(bytes: Vec<u8>, at in 0usize..512, value: u8) {
            let _ = members(&bytes);
            let mut archive = archive(&[("x".repeat(120), vec![3; 20])]);
            archive[at] = value;
            let _ = members(&archive);
        }
    }

    #[test]
    fn an_extension_header_of_gigabytes_is_not_believed() {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_size(8 << 30);
        header.set_cksum();
        let error = members(header.as_bytes()).expect_err("too long");
        assert!(error.to_string().contains("8589934592 bytes"), "{error}");
    }

    #[test]
    fn sizes_beyond_what_can_be_counted_are_errors() {
        for (size, pax) in [
            (&[0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], None),
            (&[0xff; 12], None),
            (b"00000000005\0", Some(u64::MAX)),
            (b"00000000005\0", Some(u64::MAX - 510)),
        ] {
            let mut archive = Vec::new();
            if let Some(size) = pax {
                let mut builder = tar::Builder::new(&mut archive);
                builder.append_pax_extensions([("size", size.to_string().as_bytes())]).expect("writes to memory");
                drop(builder);
                archive.truncate(1024);
            }
            let mut header = tar::Header::new_gnu();
            header.as_mut_bytes()[124..136].copy_from_slice(size);
            header.set_cksum();
            archive.extend_from_slice(header.as_bytes());
            archive.resize(archive.len() + 2048, 0);
            members(&archive).expect_err("no file is that large");
        }
    }

    #[test]
    fn links_devices_and_directories_have_no_content() {
        let mut builder = tar::Builder::new(Vec::new());
        for (kind, path) in [
            (tar::EntryType::Directory, "etc/"),
            (tar::EntryType::Symlink, "l"),
            (tar::EntryType::Link, "h"),
            (tar::EntryType::Char, "null"),
        ] {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(kind);
            header.set_mode(0o755);
            header.set_size(0);
            header.set_path(path).expect("short");
            header.set_link_name("etc/target").expect("short");
            header.set_cksum();
            builder.append(&header, io::empty()).expect("writes to memory");
        }
        let kinds: Vec<_> = members(&builder.into_inner().expect("memory"))
            .expect("whole")
            .into_iter()
            .map(|(header, _)| (header.kind, header.link))
            .collect();
        let link = b"etc/target".to_vec();
        assert_eq!(kinds[0].0, Kind::Directory);
        assert_eq!(kinds[1], (Kind::Symlink, link.clone()));
        assert_eq!(kinds[2], (Kind::Hardlink, link));
        assert_eq!(kinds[3].0, Kind::Special);
    }
}
