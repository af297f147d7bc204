//! Opening a feed file: compression, archives, lines, and which format each document in it has.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use serde::Deserializer;
use serde::de::{SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::shape::{Shape, Syntax};
use super::{Extent, FORMATS, Form, Format, Item, cve};

/// Longest line or single document. The longest known (Oracle's OVAL definitions, a year of the NVD) have some 200 MB.
const DOCUMENT_BYTES_MAX: u64 = 512 << 20;
/// How much of a text that is no JSON is looked at to tell its format.
const HEAD_BYTES: u64 = 256 << 10;
/// Longest archive member: one record.
const MEMBER_BYTES_MAX: u64 = 64 << 20;
/// Most that one compressed file may expand to: some three times the largest feed, Red Hat's, yet an end to a bomb.
const EXPANDED_BYTES_MAX: u64 = 64 << 30;
/// Nor may it expand to more than this many times its size ...
const EXPANSION_MAX: u64 = 400;
/// ... and this. Feeds shrink to a tenth or a hundredth; what shrinks to a thousandth is a bomb.
const EXPANSION_GRACE_BYTES: u64 = 64 << 20;
/// Where a tar archive says that it is one, and what (POSIX `pax`, "ustar Interchange Format").
const TAR_MAGIC: (usize, &[u8]) = (257, b"ustar");

/// Why a file gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotAFeed {
    /// It could not be read.
    #[error("could not be read")]
    Unreadable(#[from] io::Error),
    /// The archive is broken.
    #[error("is not a sound zip archive")]
    Archive(#[from] zip::result::ZipError),
    /// It looks like JSON and is not, or is cut short.
    #[error("is not sound JSON: {0}")]
    Json(String),
    /// It has the marks of a format and gives nothing.
    #[error("looks like {format} and cannot be read: {detail}")]
    Broken {
        /// Which format.
        format: &'static str,
        /// Why.
        detail: String,
    },
    /// It is something else.
    #[error("is no feed of a known format")]
    Unknown,
}

/// Reads one file and hands each thing it says to `sink`.
///
/// # Errors
///
/// When the file as a whole is unreadable or no feed. What was understood before that has been handed over.
pub fn read(path: &Path, sink: &mut dyn FnMut(Item)) -> Result<Form, NotAFeed> {
    let mut file = File::open(path)?;
    let mut magic = Vec::with_capacity(4);
    (&mut file).take(4).read_to_end(&mut magic)?;
    file.rewind()?;
    let max = file.metadata()?.len().saturating_mul(EXPANSION_MAX).saturating_add(EXPANSION_GRACE_BYTES);
    let max = max.min(EXPANDED_BYTES_MAX);
    match magic.as_slice() {
        [b'P', b'K', 3 | 5, 4 | 6] => read_zip(file, max, sink),
        [0x28, 0xb5, 0x2f, 0xfd] => read_stream(zstd::stream::read::Decoder::new(file)?, max, sink),
        [b'B', b'Z', b'h', b'1'..=b'9'] => {
            read_stream(bzip2::read::MultiBzDecoder::new(BufReader::new(file)), max, sink)
        }
        [0x1f, 0x8b, ..] => read_stream(flate2::read::MultiGzDecoder::new(BufReader::new(file)), max, sink),
        _ => read_stream(file, max, sink),
    }
}

/// A reader that fails, rather than ends, beyond its bound: a feed must never look whole because it was cut.
struct Expanding<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Expanding<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(too_expansive)?;
        Ok(count)
    }
}

fn too_expansive() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it expands to more than any feed of its size")
}

/// A tar archive or a text.
fn read_stream(stream: impl Read, expanded_max: u64, sink: &mut dyn FnMut(Item)) -> Result<Form, NotAFeed> {
    let mut stream = Expanding { reader: stream, left: expanded_max };
    let mut head = Vec::with_capacity(512);
    (&mut stream).take(512).read_to_end(&mut head)?;
    let (at, magic) = TAR_MAGIC;
    let is_tar = head.get(at..).is_some_and(|rest| rest.starts_with(magic));
    let mut whole = BufReader::with_capacity(1 << 18, head.as_slice().chain(stream));
    if is_tar { read_tar(&mut whole, sink) } else { read_text(&mut whole, sink) }
}

/// Reads text that has been unpacked already. Public for tests and fuzzing.
///
/// # Errors
///
/// As [`read`].
pub fn read_text(reader: &mut dyn BufRead, sink: &mut dyn FnMut(Item)) -> Result<Form, NotAFeed> {
    // No text has a zero byte; a file of gigabytes that is none need not be read.
    if reader.fill_buf()?.contains(&0) {
        return Err(NotAFeed::Unknown);
    }
    let mut line = Vec::new();
    while read_line(reader, &mut line)? && line.trim_ascii().is_empty() {}
    let mut text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).to_vec();
    if text.starts_with(b"cve,epss") {
        return read_epss("", reader, sink);
    }
    if text.starts_with(b"#") && read_line(reader, &mut line)? {
        if line.starts_with(b"cve,epss") {
            return read_epss(&String::from_utf8_lossy(&text), reader, sink);
        }
        text.extend_from_slice(&line);
    }
    if text.trim_ascii_start().starts_with(b"{") && Shape::of(&text).ended {
        return read_lines(&text, reader, sink);
    }
    // Nor need a text that has no format's marks where they would be.
    (&mut *reader).take(HEAD_BYTES).read_to_end(&mut text)?;
    if Shape::of(&text).syntax != Syntax::Json && format_of(&text).is_none() {
        return Err(NotAFeed::Unknown);
    }
    let mut limited = reader.take(DOCUMENT_BYTES_MAX);
    limited.read_to_end(&mut text)?;
    if limited.limit() == 0 {
        return Err(NotAFeed::Unreadable(io::Error::new(
            io::ErrorKind::InvalidData,
            "longer than any feed's document",
        )));
    }
    let form = if text.trim_ascii_start().starts_with(b"[") && Shape::of(&text).syntax == Syntax::Json {
        read_array(&text, sink)?
    } else {
        of_extent(document(&text, sink)?)
    };
    Ok(form)
}

fn of_extent(extent: Extent) -> Form {
    match extent {
        Extent::Record => Form::Single,
        Extent::Some => Form::Collection,
        Extent::Whole => Form::Catalogue,
    }
}

/// Reads a line with its end; false at the end of the text.
fn read_line(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut limited = reader.take(DOCUMENT_BYTES_MAX);
    limited.read_until(b'\n', line)?;
    if limited.limit() == 0 && line.last() != Some(&b'\n') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than any record"));
    }
    Ok(!line.is_empty())
}

/// The format whose marks a document has.
fn format_of(text: &[u8]) -> Option<&'static Format> {
    let shape = Shape::of(text);
    FORMATS.iter().find(|format| (format.marks)(&shape))
}

/// One document. An error means that it gave nothing.
fn document(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Extent, NotAFeed> {
    let Some(format) = format_of(text) else {
        // What is cut short or damaged early may lack the marks; that is worth another word than "unknown".
        return match Shape::of(text).syntax {
            Syntax::Json => Err(match serde_json::from_slice::<serde::de::IgnoredAny>(text) {
                Err(error) => NotAFeed::Json(error.to_string()),
                Ok(_) => NotAFeed::Unknown,
            }),
            _ => Err(NotAFeed::Unknown),
        };
    };
    let Format { name, read, .. } = format;
    read(text, sink).map_err(|detail| NotAFeed::Broken { format: name, detail })
}

/// One of several documents: it becomes items or a problem, never nothing.
fn one(text: &[u8], place: impl Fn() -> String, sink: &mut dyn FnMut(Item)) -> bool {
    let outcome = document(text, sink);
    if let Err(error) = &outcome {
        sink(Item::Problem { record: place(), detail: error.to_string() });
    }
    outcome.is_ok()
}

/// JSON lines. The first has been read and decides whether this is a feed at all.
fn read_lines(first: &[u8], reader: &mut dyn BufRead, sink: &mut dyn FnMut(Item)) -> Result<Form, NotAFeed> {
    let extent = document(first, sink)?;
    let mut line = Vec::new();
    let mut number = 1u64;
    while read_line(reader, &mut line)? {
        number += 1;
        let text = line.trim_ascii();
        if !text.is_empty() {
            one(text, || format!("line {number}"), sink);
        }
    }
    Ok(if number == 1 { of_extent(extent) } else { Form::Collection })
}

/// An array of documents, one at a time.
fn read_array(text: &[u8], sink: &mut dyn FnMut(Item)) -> Result<Form, NotAFeed> {
    struct Documents<'a> {
        sink: &'a mut dyn FnMut(Item),
        count: u64,
        understood: bool,
    }
    impl<'de> Visitor<'de> for &mut Documents<'_> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of records")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
            while let Some(document) = seq.next_element::<&RawValue>()? {
                self.count += 1;
                let number = self.count;
                self.understood |= one(document.get().as_bytes(), || format!("entry {number}"), self.sink);
            }
            Ok(())
        }
    }
    // An array of what is no feed at all is no problem of a feed.
    let mut problems = Vec::new();
    let mut understood = false;
    let mut hold = |item: Item| match item {
        Item::Problem { .. } if !understood => problems.push(item),
        item => {
            understood = true;
            sink(item);
        }
    };
    let mut documents = Documents { sink: &mut hold, count: 0, understood: false };
    let outcome = serde_json::Deserializer::from_slice(text).deserialize_seq(&mut documents);
    let any = documents.understood;
    if any {
        problems.into_iter().for_each(sink);
    }
    match (outcome, any) {
        (Ok(()), true) => Ok(Form::Collection),
        (Ok(()), false) => Err(NotAFeed::Unknown),
        (Err(error), _) => Err(NotAFeed::Json(error.to_string())),
    }
}

/// One file of an archive. What is no document of a record is passed over: publishers add a licence or a list.
fn member(name: &str, content: impl Read, text: &mut Vec<u8>, sink: &mut dyn FnMut(Item)) -> bool {
    let ends = |ending: &str| name.ends_with(ending);
    if ![".json", ".yaml", ".yml", ".xml", ".md", ".toml"].into_iter().any(ends) {
        return false;
    }
    text.clear();
    let mut limited = content.take(MEMBER_BYTES_MAX);
    let detail = match limited.read_to_end(text) {
        Ok(_) if limited.limit() == 0 => "is longer than any record".to_owned(),
        Ok(_) => match document(text, sink) {
            Ok(_) => return true,
            Err(NotAFeed::Unknown) if !ends(".json") => return false,
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    sink(Item::Problem { record: name.to_owned(), detail });
    true
}

fn read_zip(file: File, expanded_max: u64, sink: &mut dyn FnMut(Item)) -> Result<Form, NotAFeed> {
    let mut archive = zip::ZipArchive::new(BufReader::new(file))?;
    let mut text = Vec::new();
    let (mut members, mut expanded) = (0u64, 0u64);
    for index in 0..archive.len() {
        let opened = archive.by_index(index).and_then(|file| Ok((file.name()?.into_owned(), file)));
        match opened {
            Ok((name, file)) if file.is_file() => {
                members += u64::from(member(&name, file, &mut text, sink));
                expanded += text.len() as u64;
            }
            Ok(_) => {}
            Err(error) => sink(Item::Problem { record: format!("member {index}"), detail: error.to_string() }),
        }
        if expanded > expanded_max {
            return Err(too_expansive().into());
        }
    }
    if members == 0 { Err(NotAFeed::Unknown) } else { Ok(Form::Archive) }
}

fn read_tar(reader: &mut dyn BufRead, sink: &mut dyn FnMut(Item)) -> Result<Form, NotAFeed> {
    let mut archive = tar::Archive::new(reader);
    let mut text = Vec::new();
    let mut members = 0u64;
    for file in archive.entries()? {
        let file = file?;
        if file.header().entry_type().is_file() {
            let name = String::from_utf8_lossy(&file.path_bytes()).into_owned();
            members += u64::from(member(&name, file, &mut text, sink));
        }
    }
    if members == 0 { Err(NotAFeed::Unknown) } else { Ok(Form::Archive) }
}

/// EPSS: a comment with the day and a header, which have been read, then one line per CVE.
fn read_epss(comment: &str, reader: &mut dyn BufRead, sink: &mut dyn FnMut(Item)) -> Result<Form, NotAFeed> {
    sink(Item::EpssDate(cve::epss_date(comment).unwrap_or_default().to_owned()));
    let mut line = Vec::new();
    let mut number = 2u64;
    while read_line(reader, &mut line)? {
        number += 1;
        match str::from_utf8(&line).ok().and_then(cve::epss_line) {
            Some(word) => sink(Item::Epss(word)),
            None if line.trim_ascii().is_empty() => {}
            None => sink(Item::Problem { record: format!("line {number}"), detail: "is no EPSS estimate".into() }),
        }
    }
    Ok(Form::Collection)
}
