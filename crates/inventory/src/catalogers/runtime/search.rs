//! Finds a version in a program's bytes, chunk by chunk.

use std::collections::BTreeSet;
use std::io;

use crate::content::ReadAt;

/// Where a version stands in a program.
pub(super) enum Words {
    /// Right behind these bytes. A zero in front ends the string before.
    After(&'static [u8]),
    /// Right before these bytes, behind a zero.
    Before(&'static [u8]),
    /// Between zeros, beginning with the two numbers of the file's name: `3.11.2` in `libpython3.11.so.1.0`.
    AsFileName,
    /// Between zeros, three numbers, and the highest such version in the program: Redis and Valkey keep the version that
    /// each command came with, and Valkey that of Redis whose protocol it speaks, which are never above their own.
    Highest,
}

/// A version and the words it stands in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) version: String,
    pub(super) text: String,
}

/// How much of a program is searched. The largest of the table, an official `node`, has 120 MB.
const SEARCH_BYTES_MAX: u64 = 512 << 20;
const CHUNK_BYTES: usize = 1 << 20;
/// What a match may need on either side: the longest words and the longest version.
const MARGIN_BYTES: usize = 128;
/// A program with more versions in it than this is no server that keeps its commands' (Redis 7 has 40).
const LONELY_MAX: usize = 1000;
/// The longest version that is believed.
const VERSION_BYTES_MAX: usize = 32;

/// The version that stands where `words` say; none when none does.
pub(super) fn version(content: &dyn ReadAt, words: &Words, file_name: &str) -> io::Result<Option<Found>> {
    match words {
        Words::After(words) => first(content, words, |_, after| {
            let version = leading_version(after)?;
            Some(Found { text: shown(&[words, version.as_bytes()].concat()), version: version.to_owned() })
        }),
        Words::Before(words) => first(content, words, |before, _| {
            let start = before.iter().rposition(|&byte| byte == 0)? + 1;
            let version = whole_version(&before[start..])?;
            Some(Found { text: shown(&[version.as_bytes(), words].concat()), version: version.to_owned() })
        }),
        Words::AsFileName => {
            let Some(numbers) = numbers_of(file_name) else { return Ok(None) };
            first(content, format!("\0{numbers}.").as_bytes(), |_, after| {
                let rest = &after[..after.iter().position(|&byte| byte == 0)?];
                let version = format!("{numbers}.{}", std::str::from_utf8(rest).ok()?);
                whole_version(version.as_bytes())?;
                Some(Found { text: version.clone(), version })
            })
        }
        Words::Highest => highest(content),
    }
}

/// The answer to the first place of `words` that has one; it is given the bytes before and after.
fn first<T>(content: &dyn ReadAt, words: &[u8], answer: impl Fn(&[u8], &[u8]) -> Option<T>) -> io::Result<Option<T>> {
    let finder = memchr::memmem::Finder::new(words);
    let mut found = None;
    chunks(content, &mut |chunk, is_last| {
        // What begins so near to the end may be cut off there. The next chunk has it whole.
        let end = if is_last { chunk.len() } else { chunk.len() - MARGIN_BYTES };
        let mut places = finder.find_iter(chunk).take_while(|at| *at < end);
        found = places.find_map(|at| answer(&chunk[..at], &chunk[at + words.len()..]));
        found.is_none()
    })?;
    Ok(found)
}

/// The highest of all versions of three numbers that stand between zeros.
fn highest(content: &dyn ReadAt) -> io::Result<Option<Found>> {
    let mut versions: BTreeSet<String> = BTreeSet::new();
    chunks(content, &mut |chunk, _| {
        // Every version has a point in it, and points are rarer than zeros.
        for point in memchr::memchr_iter(b'.', chunk) {
            let (Some(start), Some(end)) = (
                chunk[..point]
                    .iter()
                    .rev()
                    .take(VERSION_BYTES_MAX)
                    .position(|&byte| byte == 0)
                    .map(|back| point - back),
                chunk[point..].iter().take(VERSION_BYTES_MAX).position(|&byte| byte == 0).map(|on| point + on),
            ) else {
                continue;
            };
            let word = whole_version(&chunk[start..end]).filter(|word| word.split('.').count() == 3);
            versions.extend(word.map(str::to_owned));
        }
        versions.len() <= LONELY_MAX
    })?;
    if versions.len() > LONELY_MAX {
        return Ok(None);
    }
    let numbers = |version: &String| version.split('.').map(|number| number.parse().unwrap_or(0)).collect::<Vec<u64>>();
    Ok(versions.into_iter().max_by_key(numbers).map(|version| Found { text: version.clone(), version }))
}

/// Gives `look` the content in chunks that overlap by two margins, and says which is the last, until it returns false or
/// [`SEARCH_BYTES_MAX`] are searched.
fn chunks(content: &dyn ReadAt, look: &mut dyn FnMut(&[u8], bool) -> bool) -> io::Result<()> {
    let end = content.size().min(SEARCH_BYTES_MAX);
    let mut chunk = vec![0; CHUNK_BYTES.min(end as usize)];
    let mut start = 0;
    while start < end {
        let wanted = chunk.len().min((end - start) as usize);
        let mut filled = 0;
        while filled < wanted {
            match content.read_at(start + filled as u64, &mut chunk[filled..wanted])? {
                0 => return Ok(()),
                count => filled += count,
            }
        }
        let is_last = start + filled as u64 >= end;
        if !look(&chunk[..filled], is_last) || is_last {
            return Ok(());
        }
        start += (CHUNK_BYTES - 2 * MARGIN_BYTES) as u64;
    }
    Ok(())
}

/// The version at the beginning: numbers with points, and perhaps a pre-release (`rc1`) or a letter (`1.1.1w`).
fn leading_version(bytes: &[u8]) -> Option<&str> {
    let bytes = &bytes[..bytes.len().min(VERSION_BYTES_MAX)];
    let count = |from: usize, class: fn(&u8) -> bool| bytes[from..].iter().take_while(|byte| class(byte)).count();
    let numbers = count(0, |byte| byte.is_ascii_digit() || *byte == b'.');
    let letters = count(numbers, u8::is_ascii_alphabetic);
    let text = |end: usize| std::str::from_utf8(&bytes[..end]).ok();
    let version = text(numbers).filter(|version| version.split('.').all(|part| !part.is_empty()))?;
    let found = match text(numbers + letters).map(|version| &version[numbers..]) {
        Some(tag @ ("a" | "b" | "alpha" | "beta" | "rc" | "RC")) => {
            let from = numbers + tag.len();
            text(from + count(from, u8::is_ascii_digit))?
        }
        // Ruby's patch level, `p20`, is no pre-release.
        Some(letter) if letter.len() == 1 && letter != "p" && version.contains('.') => text(numbers + 1)?,
        _ => version,
    };
    // `17beta1` has no point, and a number alone is no version.
    (found.len() > numbers || version.contains('.')).then_some(found)
}

/// The bytes, if they are a version and nothing else.
fn whole_version(bytes: &[u8]) -> Option<&str> {
    leading_version(bytes).filter(|version| version.len() == bytes.len())
}

/// The two numbers in a file's name: `3.11` of `python3.11` and of `libpython3.11.so.1.0`.
fn numbers_of(file_name: &str) -> Option<String> {
    let from = file_name.find(|c: char| c.is_ascii_digit())?;
    let mut numbers = file_name[from..].split(|c: char| !c.is_ascii_digit());
    let (major, minor) = (numbers.next()?, numbers.next().filter(|minor| !minor.is_empty())?);
    Some(format!("{major}.{minor}"))
}

/// Words of a program for people: without the zeros around them.
fn shown(words: &[u8]) -> String {
    String::from_utf8_lossy(words).trim_matches('\0').trim().to_owned()
}
