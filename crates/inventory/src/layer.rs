//! Reads one layer (or one directory tree): keeps the table of its entries and parses the files catalogers want.

use std::collections::HashSet;
use std::io::{self, BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use model::digest::Digest;
use model::gap::{Gap, GapKind};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::cataloger::{Cataloger, File, FileHead, HEAD_BYTES};
use crate::content::{ReadAt, Spool};
use crate::entry::{Entry, EntryKind, EntryTable, normalise};
use crate::fact::Parsed;
use crate::pinned;

/// Everything kept of one layer. It depends on the layer's bytes and the catalogers' versions alone, so it can be cached
/// under the layer's digest for good.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LayerFacts {
    /// Every entry, in archive order.
    pub entries: EntryTable,
    /// What catalogers learned, by file.
    pub files: Vec<FileFacts>,
    /// Entries that are hard links under names some cataloger wants: what is known of their content holds for them.
    pub links: Vec<u64>,
    /// What could not be read; no layer number yet.
    pub gaps: Vec<Gap>,
}

/// What one cataloger learned from one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// The entry's number in the layer's table.
    pub entry: u64,
    /// The path as text.
    pub path: String,
    /// The cataloger's name.
    pub cataloger: String,
    /// What it said.
    pub parsed: Parsed,
}

/// Files up to this size are parsed from memory; larger ones from where they lie or from the spool.
const MEMORY_BYTES_MAX: u64 = 4 << 20;

/// The largest file a cataloger is given. Go binaries of 500 MB exist; beyond this the file is a gap.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// The most files of one layer that are parsed: three times the largest `node_modules` we know of. What is learned of each
/// stays in memory.
const PARSED_FILES_MAX: usize = 300_000;

/// More gaps than this say nothing more; the last one says how many are left out.
const GAPS_MAX: usize = 200;

/// More hard links than this to unseen content are not followed: each costs a look-up during the second reading.
const MISSED_LINKS_MAX: usize = 100_000;

/// The most entries one layer may have: five times the largest image we know of, and within 500 MB of table.
const ENTRIES_MAX: u64 = 16_000_000;

/// The most bytes its table may take, so that long names cannot fill the memory.
const TABLE_BYTES_MAX: u64 = 1 << 30;

/// The content of one file entry: read once in order, or, where the bytes lie on disk, at any place.
pub struct FileContent<'a> {
    /// The bytes in order.
    pub stream: &'a mut dyn BufRead,
    /// The same bytes at any place, where that costs nothing.
    pub random: Option<&'a dyn ReadAt>,
}

/// A hard link that some cataloger wants, to content that had passed when the link came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissedLink {
    /// The normalised path the content is stored under.
    pub target: Vec<u8>,
    path: Vec<u8>,
    entry: u64,
}

/// Takes in one layer, entry by entry.
pub struct LayerReader<'a> {
    catalogers: &'a [Cataloger],
    spool: &'a dyn Spool,
    facts: LayerFacts,
    gaps_left_out: u64,
    buffer: Vec<u8>,
    pins: bool,
    missed: Vec<MissedLink>,
    /// Paths of the files that a cataloger has read, so that each link costs one look-up.
    parsed: HashSet<String>,
}

impl<'a> LayerReader<'a> {
    /// A reader that has seen nothing yet. `spool` keeps large wanted files that can only be read once.
    pub fn new(catalogers: &'a [Cataloger], spool: &'a dyn Spool) -> Self {
        Self {
            catalogers,
            spool,
            facts: LayerFacts::default(),
            gaps_left_out: 0,
            buffer: Vec::new(),
            pins: true,
            missed: Vec::new(),
            parsed: HashSet::new(),
        }
    }

    /// The same reader, but for no integrity model: files are not hashed, and of those that lie on disk only what a
    /// parser asks for is read.
    pub fn without_digests(self) -> Self {
        Self { pins: false, ..self }
    }

    /// Takes a directory.
    pub fn directory(&mut self, path: &[u8], mode: u32) -> io::Result<()> {
        self.entry(path, EntryKind::Directory, mode)
    }

    /// Takes a symbolic link with its target as written. The target is only ever resolved inside the tree.
    pub fn symlink(&mut self, path: &[u8], target: &[u8]) -> io::Result<()> {
        self.entry(path, EntryKind::Symlink(target.to_vec()), 0o777)
    }

    /// Takes another name of an earlier entry.
    pub fn hardlink(&mut self, path: &[u8], target: &[u8], mode: u32) -> io::Result<()> {
        let Some(target) = normalise(target) else {
            self.gap(GapKind::Malformed, path, "a hard link that leads outside the tree; ignored");
            return Ok(());
        };
        if let Some(path) = normalise(path) {
            self.want_link(path, &target, mode);
        }
        self.entry(path, EntryKind::Hardlink(target), mode)
    }

    /// Takes a device, fifo or socket, or whatever else has no content to read.
    pub fn special(&mut self, path: &[u8], mode: u32) -> io::Result<()> {
        self.entry(path, EntryKind::Special, mode)
    }

    /// Takes a whiteout, named as OCI layers name it (`.wh.NAME`, `.wh..wh..opq`), if `path` is one.
    ///
    /// Source: OCI image specification, "Image Layer Filesystem Changeset", "Representing Changes".
    pub fn whiteout(&mut self, path: &[u8]) -> io::Result<bool> {
        let split = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let (parent, name) = path.split_at(split);
        let Some(hidden) = name.strip_prefix(b".wh.") else { return Ok(false) };
        match hidden {
            b".wh..opq" => self.entry(parent, EntryKind::Opaque, 0)?,
            // Other names with the double prefix are the storage driver's own (AUFS) and mean nothing in a layer.
            _ if hidden.starts_with(b".wh.") || hidden.is_empty() => {}
            _ => self.entry(&[parent, hidden].concat(), EntryKind::Whiteout, 0)?,
        }
        Ok(true)
    }

    /// Takes a file whose stored bytes are not its content (sparse archives).
    pub fn sparse(&mut self, path: &[u8], mode: u32, size: u64) -> io::Result<()> {
        self.gap(GapKind::Unsupported, path, "stored as a sparse file; its content was not looked at");
        self.entry(path, EntryKind::File { size, pinned: None }, mode)
    }

    /// Takes a regular file of `size` bytes.
    ///
    /// Fails only when the bytes cannot be read; what a parser cannot understand becomes a gap.
    pub fn file(&mut self, path: &[u8], mode: u32, size: u64, content: FileContent<'_>) -> io::Result<()> {
        let Some(path) = normalise(path) else {
            self.refuse(path);
            return Ok(());
        };
        let text = display(&path);
        let mut head = [0; HEAD_BYTES];
        let head_size = read_up_to(content.stream, &mut head)?;
        let head = &head[..head_size];
        let about = FileHead { path: &text, mode, size, head };
        let kind = pinned::kind_of(&about).filter(|_| self.pins);
        let wanted: Vec<&Cataloger> = self.catalogers.iter().filter(|cataloger| (cataloger.wants)(&about)).collect();
        let entry = self.facts.entries.len();
        let mut hasher = kind.is_some().then(Sha256::new);
        if let Some(hasher) = &mut hasher {
            hasher.update(head);
        }
        if !wanted.is_empty() && self.fits(&path, size) {
            self.parse(&wanted, &text, mode, size, head, content, &mut hasher, entry)?;
        } else if let Some(hasher) = &mut hasher {
            hash_rest(content.stream, hasher)?;
        }
        let pinned = kind.zip(hasher.map(|hasher| Digest::from_bytes(hasher.finalize().into())));
        self.push(Entry { path, kind: EntryKind::File { size, pinned }, mode })
    }

    /// What was learned. Call after the last entry.
    pub fn finish(mut self) -> LayerFacts {
        if self.gaps_left_out > 0 {
            let detail = format!("{} more gaps of this layer are left out", self.gaps_left_out);
            self.facts.gaps.push(Gap::new(GapKind::LimitExceeded, "gaps", detail));
        }
        self.facts
    }

    /// Hard links whose content some cataloger wants, but under a name that nobody wanted when it passed. Read the layer
    /// again and give the content at each [`MissedLink::target`] to [`LayerReader::linked_file`].
    pub fn missed(&self) -> &[MissedLink] {
        &self.missed
    }

    /// Takes the content of missed links to one target, met while reading the layer a second time.
    pub fn linked_file(
        &mut self,
        links: &[MissedLink],
        mode: u32,
        size: u64,
        content: FileContent<'_>,
    ) -> io::Result<()> {
        let Some((first, others)) = links.split_first() else { return Ok(()) };
        let path = display(&first.path);
        let wanted = self.wanting(&path, mode, size);
        if wanted.is_empty() || !self.fits(&first.path, size) {
            return Ok(());
        }
        let before = self.facts.files.len();
        self.parse(&wanted, &path, mode, size, &[], content, &mut None, first.entry)?;
        let learned = self.facts.files[before..].to_vec();
        for link in others {
            let same = |facts: &FileFacts| FileFacts { entry: link.entry, path: display(&link.path), ..facts.clone() };
            self.facts.files.extend(learned.iter().map(same));
        }
        Ok(())
    }

    /// The catalogers that want a file of which only this is known.
    fn wanting(&self, path: &str, mode: u32, size: u64) -> Vec<&'a Cataloger> {
        let about = FileHead { path, mode, size, head: &[] };
        self.catalogers.iter().filter(|cataloger| (cataloger.wants)(&about)).collect()
    }

    fn want_link(&mut self, path: Vec<u8>, target: &[u8], mode: u32) {
        // How large the content is, only its own entry says.
        if self.wanting(&display(&path), mode, 1).is_empty() {
            return;
        }
        let entry = self.facts.entries.len();
        self.facts.links.push(entry);
        if self.missed.len() < MISSED_LINKS_MAX && !self.parsed.contains(&display(target)) {
            self.missed.push(MissedLink { target: target.to_vec(), path, entry });
        }
    }

    /// Whether a wanted file is within the bounds of what is parsed; a gap when not.
    fn fits(&mut self, path: &[u8], size: u64) -> bool {
        let reason = if size > FILE_BYTES_MAX {
            format!("{size} bytes are more than the {FILE_BYTES_MAX} that are read")
        } else if self.facts.files.len() >= PARSED_FILES_MAX {
            format!("the layer has more than {PARSED_FILES_MAX} files to parse")
        } else {
            return true;
        };
        self.gap(GapKind::LimitExceeded, path, &reason);
        false
    }

    #[expect(clippy::too_many_arguments, reason = "one step of `file`, split off for its length")]
    fn parse(
        &mut self,
        wanted: &[&Cataloger],
        path: &str,
        mode: u32,
        size: u64,
        head: &[u8],
        content: FileContent<'_>,
        hasher: &mut Option<Sha256>,
        entry: u64,
    ) -> io::Result<()> {
        let spooled: Box<dyn ReadAt>;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let memory: &[u8];
        let bytes: &dyn ReadAt = match content.random {
            Some(random) if size > MEMORY_BYTES_MAX || !self.pins => {
                if let Some(hasher) = hasher {
                    hash_rest(content.stream, hasher)?;
                }
                random
            }
            _ if size > MEMORY_BYTES_MAX => {
                let mut tee = Tee { head, stream: content.stream, hasher: hasher.as_mut() };
                match self.spool.spool(&mut tee, size) {
                    Ok(kept) => {
                        spooled = kept;
                        &*spooled
                    }
                    Err(error) => {
                        self.gap(
                            GapKind::Unreadable,
                            path.as_bytes(),
                            &format!("could not be kept for parsing: {error}"),
                        );
                        hash_what_is_left(content.stream, hasher)?;
                        self.buffer = buffer;
                        return Ok(());
                    }
                }
            }
            _ => {
                buffer.extend_from_slice(head);
                content.stream.read_to_end(&mut buffer)?;
                if let Some(hasher) = hasher {
                    hasher.update(&buffer[head.len()..]);
                }
                memory = &buffer;
                &memory
            }
        };
        let file = File { path, mode, content: bytes, spool: self.spool };
        for cataloger in wanted {
            // A parser must not panic, but one image must not be able to stop the scan where one does.
            let parsed = catch_unwind(AssertUnwindSafe(|| (cataloger.parse)(&file)))
                .unwrap_or_else(|_| Parsed::malformed(format!("the {} parser failed on it", cataloger.name)));
            self.keep(entry, path, cataloger.name, parsed);
        }
        self.buffer = buffer;
        Ok(())
    }

    fn keep(&mut self, entry: u64, path: &str, cataloger: &str, mut parsed: Parsed) {
        for problem in std::mem::take(&mut parsed.problems) {
            let subject = match problem.inside {
                Some(inside) => format!("{path}!/{inside}"),
                None => path.to_owned(),
            };
            self.gap(problem.kind, subject.as_bytes(), &problem.detail);
        }
        self.parsed.insert(path.to_owned());
        self.facts.files.push(FileFacts { entry, path: path.to_owned(), cataloger: cataloger.to_owned(), parsed });
    }

    fn entry(&mut self, path: &[u8], kind: EntryKind, mode: u32) -> io::Result<()> {
        match normalise(path) {
            Some(path) => self.push(Entry { path, kind, mode }),
            None => {
                self.refuse(path);
                Ok(())
            }
        }
    }

    fn push(&mut self, entry: Entry) -> io::Result<()> {
        let table = &self.facts.entries;
        if table.len() >= ENTRIES_MAX || table.size() > TABLE_BYTES_MAX {
            let detail = format!("it has more than {ENTRIES_MAX} entries or {TABLE_BYTES_MAX} bytes of paths");
            return Err(io::Error::new(io::ErrorKind::InvalidData, detail));
        }
        self.facts.entries.push(&entry);
        Ok(())
    }

    fn refuse(&mut self, path: &[u8]) {
        let shown = &path[..path.len().min(200)];
        self.gap(
            GapKind::Malformed,
            shown,
            "a path that climbs out of the tree or is longer than Linux allows; ignored",
        );
    }

    fn gap(&mut self, kind: GapKind, path: &[u8], detail: &str) {
        if self.facts.gaps.len() < GAPS_MAX {
            self.facts.gaps.push(Gap::new(kind, display(path), detail));
        } else {
            self.gaps_left_out += 1;
        }
    }
}

/// A path for people and documents: bytes that are not UTF-8 are written `\xNN`.
pub fn display(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

/// Hands the head and then the rest of a file to the spool, hashing the rest on its way.
struct Tee<'a> {
    head: &'a [u8],
    stream: &'a mut dyn BufRead,
    hasher: Option<&'a mut Sha256>,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.head.is_empty() {
            return self.head.read(buffer);
        }
        let count = self.stream.read(buffer)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        Ok(count)
    }
}

fn read_up_to(stream: &mut dyn BufRead, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

fn hash_rest(stream: &mut dyn BufRead, hasher: &mut Sha256) -> io::Result<()> {
    loop {
        let available = stream.fill_buf()?;
        if available.is_empty() {
            return Ok(());
        }
        hasher.update(available);
        let count = available.len();
        stream.consume(count);
    }
}

/// After a failed spool nobody knows how much was hashed, so the digest is given up rather than wrong.
fn hash_what_is_left(stream: &mut dyn BufRead, hasher: &mut Option<Sha256>) -> io::Result<()> {
    *hasher = None;
    io::copy(stream, &mut io::sink()).map(|_| ())
}
