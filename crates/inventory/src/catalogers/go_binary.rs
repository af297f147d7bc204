//! Go programs: the build information that the linker leaves in them, also after `strip`.
//!
//! Source: Go, `debug/buildinfo` and `runtime/debug.BuildInfo`. A 32-byte header at a multiple of 16 begins with
//! [`MAGIC`]; since Go 1.18 two strings (tool chain, modules) follow it, before that it holds pointers to them.

use super::executable::{Executable, FileRange, may_be_program};
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::content::{Part, ReadAt};
use crate::fact::{PackageFact, Parsed};
use model::gap::GapKind;
use module_list::Modules;

mod module_list;

/// Go programs with build information (Go 1.13 and later).
pub(super) const CATALOGER: Cataloger =
    Cataloger { name: "go-binary", version: 1, scope: Scope::Installed, wants, parse };

const MAGIC: &[u8] = b"\xff Go buildinf:";
const HEADER_BYTES: usize = 32;
/// Where the linker puts the header: ELF, Mach-O. PE has no section for it.
const SECTIONS: [&[u8]; 2] = [b".go.buildinfo", b"__go_buildinfo"];
/// Sections that only Go's linker writes: the header is worth a search even when its own section was renamed.
const SIGNS_OF_GO: [&[u8]; 3] = [b".note.go.buildid", b".gopclntab", b"__gopclntab"];
/// How much data is searched for a header whose section is not known. Go's own linker puts it at the very beginning of
/// the data; a C linker puts other objects' data before it.
const SEARCH_BYTES_MAX: u64 = 16 << 20;
/// The tool chain's version with its experiments.
const TOOLCHAIN_BYTES_MAX: u64 = 4 << 10;
/// The largest module lists of real programs (Kubernetes distributions) are below 200 KiB.
const MODULES_BYTES_MAX: u64 = 8 << 20;

fn wants(file: &FileHead<'_>) -> bool {
    may_be_program(file)
}

fn parse(file: &File<'_>) -> Parsed {
    let wanted = [SECTIONS.as_slice(), SIGNS_OF_GO.as_slice()].concat();
    let Some(program) = Executable::read(file.content, &wanted) else { return Parsed::default() };
    match find_header(file.content, &program) {
        Some(header) => match BuildInfo::read(file.content, &program, header) {
            Some(info) => Parsed::packages(info.packages()),
            None => Parsed::malformed("the Go build information is cut off or damaged"),
        },
        None if has_sign_of_go(&program) => {
            let detail = "a Go program without build information (built before Go 1.13, or removed)";
            Parsed::problem(GapKind::Unsupported, detail)
        }
        None => Parsed::default(),
    }
}

fn has_sign_of_go(program: &Executable) -> bool {
    SIGNS_OF_GO.iter().any(|name| program.section(name).is_some())
}

/// The two strings of the build information.
struct BuildInfo {
    toolchain: String,
    modules: String,
}

impl BuildInfo {
    /// None when the strings are not where the header says.
    fn read(content: &dyn ReadAt, program: &Executable, header_offset: u64) -> Option<Self> {
        let header: [u8; HEADER_BYTES] = read(content, header_offset, HEADER_BYTES)?.try_into().ok()?;
        let (toolchain, modules) = if header[15] & 2 != 0 {
            inline_strings(content, header_offset + HEADER_BYTES as u64)?
        } else {
            pointed_strings(content, program, &header)?
        };
        Some(Self { toolchain: text(&toolchain), modules: text(without_sentinels(&modules)) })
    }

    fn packages(&self) -> Vec<PackageFact> {
        let mut packages = Modules::parse(&self.modules).packages();
        packages.extend(module_list::standard_library(&self.toolchain));
        packages
    }
}

/// Where the header is: in its section, or somewhere in the data of a program that shows signs of being Go's.
fn find_header(content: &dyn ReadAt, program: &Executable) -> Option<u64> {
    if let Some(section) = SECTIONS.iter().find_map(|name| program.section(name)) {
        return search(content, section);
    }
    let worth_a_search = program.is_pe || program.sections_stripped || has_sign_of_go(program);
    let data = program.segments.iter().filter(|segment| worth_a_search && segment.writable);
    // Go's linker sets aside one data segment; two are enough for a C linker's relocated data before it.
    data.take(2).find_map(|segment| search(content, segment.range))
}

/// The first place in `range` at a multiple of 16 where a header begins.
fn search(content: &dyn ReadAt, range: FileRange) -> Option<u64> {
    const CHUNK_BYTES: usize = 64 << 10;
    let part = Part::new(content, range.offset, range.size.min(SEARCH_BYTES_MAX));
    let mut chunk = vec![0; CHUNK_BYTES.min(part.size() as usize)];
    let mut start = 0;
    while start + HEADER_BYTES as u64 <= part.size() {
        let filled = fill(&part, start, &mut chunk)?;
        let found = memchr::memmem::find_iter(&chunk[..filled], MAGIC).find(|at| at % 16 == 0);
        if let Some(at) = found {
            return Some(range.offset + start + at as u64);
        }
        // One header's length is read again, because it may stand across the border.
        start += (CHUNK_BYTES - HEADER_BYTES) as u64;
    }
    None
}

/// Since Go 1.18: both strings follow the header, each after its length.
fn inline_strings(content: &dyn ReadAt, offset: u64) -> Option<(Vec<u8>, Vec<u8>)> {
    let (toolchain, after) = length_and_bytes(content, offset, TOOLCHAIN_BYTES_MAX)?;
    let (modules, _) = length_and_bytes(content, after, MODULES_BYTES_MAX)?;
    Some((toolchain, modules))
}

fn length_and_bytes(content: &dyn ReadAt, offset: u64, bytes_max: u64) -> Option<(Vec<u8>, u64)> {
    let mut prefix = [0; 10];
    let filled = fill(content, offset, &mut prefix)?;
    let (mut length, mut prefix_bytes) = (0_u64, 0_u64);
    for (index, byte) in prefix[..filled].iter().enumerate() {
        length |= u64::from(byte & 0x7f).checked_shl(7 * index as u32)?;
        if byte & 0x80 == 0 {
            prefix_bytes = index as u64 + 1;
            break;
        }
    }
    if prefix_bytes == 0 || length > bytes_max {
        return None;
    }
    let start = offset + prefix_bytes;
    Some((read(content, start, length as usize)?, start + length))
}

/// Before Go 1.18: the header holds addresses of two Go strings, which are an address and a length each.
fn pointed_strings(
    content: &dyn ReadAt,
    program: &Executable,
    header: &[u8; HEADER_BYTES],
) -> Option<(Vec<u8>, Vec<u8>)> {
    let pointer_bytes = usize::from(header[14]);
    if !matches!(pointer_bytes, 4 | 8) {
        return None;
    }
    let big_endian = header[15] & 1 != 0;
    let pointer = |bytes: &[u8]| -> u64 {
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        if big_endian { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) }
    };
    let string = |address: u64, bytes_max: u64| -> Option<Vec<u8>> {
        let string = read(content, program.file_offset(address)?, 2 * pointer_bytes)?;
        let (start, length) = string.split_at(pointer_bytes);
        let length = Some(pointer(length)).filter(|&length| length <= bytes_max)?;
        read(content, program.file_offset(pointer(start))?, length as usize)
    };
    let toolchain = string(pointer(&header[16..16 + pointer_bytes]), TOOLCHAIN_BYTES_MAX)?;
    let modules = string(pointer(&header[16 + pointer_bytes..16 + 2 * pointer_bytes]), MODULES_BYTES_MAX);
    Some((toolchain, modules.unwrap_or_default()))
}

/// The module list stands between two marks of 16 bytes by which a running program finds it.
fn without_sentinels(modules: &[u8]) -> &[u8] {
    match modules.len().checked_sub(17).and_then(|at| modules.get(at)) {
        Some(b'\n') => modules.get(16..modules.len() - 16).unwrap_or_default(),
        _ => &[],
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exactly `count` bytes; none when the file ends before.
fn read(content: &dyn ReadAt, offset: u64, count: usize) -> Option<Vec<u8>> {
    let part = Part::new(content, offset, count as u64);
    let mut bytes = vec![0; part.size() as usize];
    (bytes.len() == count && fill(&part, 0, &mut bytes)? == count).then_some(bytes)
}

/// Fills as much of `buffer` as there is; returns how much.
fn fill(content: &dyn ReadAt, offset: u64, buffer: &mut [u8]) -> Option<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match content.read_at(offset.checked_add(filled as u64)?, &mut buffer[filled..]).ok()? {
            0 => break,
            count => filled += count,
        }
    }
    Some(filled)
}
