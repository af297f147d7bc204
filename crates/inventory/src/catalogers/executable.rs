//! Reads just enough of an ELF, PE or Mach-O file to find a section or a data segment: headers and tables, never the
//! code.

use std::io::{self, Read};

use object::Endianness;
use object::pod::{from_bytes, slice_from_all_bytes};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};
use object::read::macho::{MachHeader, Section as _, Segment as _};
use object::read::pe::ImageNtHeaders;
use object::{elf, macho, pe};

use crate::cataloger::FileHead;
use crate::content::{Cursor, Part, ReadAt};

/// ELF counts sections and segments in 16 bits; 65,535 headers of 64 bytes are just below 4 MiB.
const TABLE_BYTES_MAX: u64 = 4 << 20;
/// PE and Mach-O keep all their headers at the front; those of real programs are below 8 KiB.
const FRONT_BYTES: u64 = 64 << 10;

/// Where the parts of a program lie in its file.
#[derive(Debug, Default)]
pub(crate) struct Executable {
    sections: Vec<Section>,
    /// The parts that are loaded into memory.
    pub(crate) segments: Vec<Segment>,
    /// Whether it is an ELF file without a section table.
    pub(crate) sections_stripped: bool,
    pub(crate) is_pe: bool,
}

#[derive(Debug)]
struct Section {
    name: Vec<u8>,
    range: FileRange,
}

/// A loaded part of a program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    /// The address it is loaded at.
    pub(crate) address: u64,
    /// Where its bytes are.
    pub(crate) range: FileRange,
    /// Whether the program may write to it: it holds data.
    pub(crate) writable: bool,
}

/// Some bytes of the file, as stated by its headers; they may lie beyond its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileRange {
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// Whether a file can be a program (or a library marked executable) that carries build information.
///
/// Libraries are left out where they are not marked executable and object files always: an image holds thousands of
/// them, each would have to be kept for reading, and Go and Rust build programs.
pub(crate) fn may_be_program(file: &FileHead<'_>) -> bool {
    let name = file.file_name();
    let marked_executable = file.mode & 0o111 != 0;
    match file.head {
        // `e_type` tells programs and libraries (position-independent programs are libraries to it) from objects.
        [0x7f, b'E', b'L', b'F', _, data, ..] => {
            let kind = match (file.head.get(16..18), data) {
                (Some(&[high, low]), 2) => u16::from_be_bytes([high, low]),
                (Some(&[low, high]), _) => u16::from_le_bytes([low, high]),
                _ => 0,
            };
            let library = name.ends_with(".so") || name.contains(".so.");
            matches!(elf::FileType(kind), elf::ET_EXEC | elf::ET_DYN) && (marked_executable || !library)
        }
        [b'M', b'Z', ..] => !name.to_ascii_lowercase().ends_with(".dll"),
        [0xcf, 0xfa, 0xed, 0xfe, ..] => true,
        _ => false,
    }
}

impl Executable {
    /// Reads the headers; sections not named in `wanted` are left out. None when they are damaged or of another format:
    /// many files that begin like a program are none, and a program that cannot be loaded cannot run.
    pub(crate) fn read(content: &dyn ReadAt, wanted: &[&[u8]]) -> Option<Self> {
        let mut magic = [0; 5];
        Cursor::new(content).read_exact(&mut magic).ok()?;
        match magic {
            [0x7f, b'E', b'L', b'F', 1] => read_elf::<elf::FileHeader32<Endianness>>(content, wanted),
            [0x7f, b'E', b'L', b'F', 2] => read_elf::<elf::FileHeader64<Endianness>>(content, wanted),
            [b'M', b'Z', ..] => read_pe(content, wanted),
            [0xcf, 0xfa, 0xed, 0xfe, ..] => read_macho(content, wanted),
            _ => None,
        }
    }

    /// Where the section with this name lies.
    pub(crate) fn section(&self, name: &[u8]) -> Option<FileRange> {
        self.sections.iter().find(|section| section.name == name).map(|section| section.range)
    }

    /// Where the byte that is loaded at `address` lies in the file.
    pub(crate) fn file_offset(&self, address: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let distance = address.checked_sub(segment.address)?;
            if distance < segment.range.size { segment.range.offset.checked_add(distance) } else { None }
        })
    }

    fn add_section(&mut self, name: &[u8], wanted: &[&[u8]], offset: u64, size: u64) {
        if wanted.contains(&name) {
            self.sections.push(Section { name: name.to_vec(), range: FileRange { offset, size } });
        }
    }
}

/// Source: System V ABI, "Object files" (ELF header, section header, program header).
fn read_elf<H: FileHeader<Endian = Endianness>>(content: &dyn ReadAt, wanted: &[&[u8]]) -> Option<Executable> {
    let front = bytes(content, FileRange { offset: 0, size: size_of::<H>() as u64 }).ok()?;
    let header = H::parse(front.as_slice()).ok()?;
    let endian = header.endian().ok()?;
    let mut executable = Executable::default();

    let sections = table::<H::SectionHeader>(header.e_shoff(endian).into(), header.e_shnum(endian));
    let sections = bytes(content, sections).unwrap_or_default();
    let sections: &[H::SectionHeader] = slice_from_all_bytes(&sections).unwrap_or_default();
    executable.sections_stripped = sections.is_empty();
    if let Some(names) = sections.get(usize::from(header.e_shstrndx(endian).0)) {
        let range = FileRange { offset: names.sh_offset(endian).into(), size: names.sh_size(endian).into() };
        let names = bytes(content, range).unwrap_or_default();
        for section in sections {
            let name = names.get(section.sh_name(endian) as usize..).unwrap_or_default();
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            if section.sh_type(endian) != elf::SHT_NOBITS {
                executable.add_section(name, wanted, section.sh_offset(endian).into(), section.sh_size(endian).into());
            }
        }
    }

    let segments = table::<H::ProgramHeader>(header.e_phoff(endian).into(), header.e_phnum(endian));
    let segments = bytes(content, segments).unwrap_or_default();
    for segment in slice_from_all_bytes::<H::ProgramHeader>(&segments).unwrap_or_default() {
        if segment.p_type(endian) == elf::PT_LOAD {
            executable.segments.push(Segment {
                address: segment.p_vaddr(endian).into(),
                range: FileRange { offset: segment.p_offset(endian).into(), size: segment.p_filesz(endian).into() },
                writable: segment.p_flags(endian).contains(elf::PF_W),
            });
        }
    }
    Some(executable)
}

/// Source: Microsoft "PE Format" (optional header, section table).
fn read_pe(content: &dyn ReadAt, wanted: &[&[u8]]) -> Option<Executable> {
    let front = front(content)?;
    read_pe_headers::<pe::ImageNtHeaders64>(&front, wanted)
        .or_else(|| read_pe_headers::<pe::ImageNtHeaders32>(&front, wanted))
}

fn read_pe_headers<H: ImageNtHeaders>(front: &[u8], wanted: &[&[u8]]) -> Option<Executable> {
    let mut offset = pe::ImageDosHeader::parse(front).ok()?.nt_headers_offset().into();
    let (headers, _) = H::parse(front, &mut offset).ok()?;
    let image_base = object::read::pe::ImageOptionalHeader::image_base(headers.optional_header());
    let mut executable = Executable { is_pe: true, ..Executable::default() };
    for section in headers.sections(front, offset).ok()?.iter() {
        let (offset, size) = section.pe_file_range();
        let range = FileRange { offset: offset.into(), size: size.into() };
        executable.add_section(section.raw_name(), wanted, range.offset, range.size);
        executable.segments.push(Segment {
            address: image_base.wrapping_add(section.virtual_address.get(object::LittleEndian).into()),
            range,
            writable: section.characteristics.get(object::LittleEndian).contains(pe::IMAGE_SCN_MEM_WRITE),
        });
    }
    Some(executable)
}

/// Source: Apple `mach-o/loader.h` (`LC_SEGMENT_64`). Only 64-bit little-endian programs, the only ones still built.
fn read_macho(content: &dyn ReadAt, wanted: &[&[u8]]) -> Option<Executable> {
    let front = front(content)?;
    let header: &macho::MachHeader64<Endianness> = from_bytes(&front).ok()?.0;
    let endian = header.endian().ok()?;
    let mut executable = Executable::default();
    let mut commands = header.load_commands(endian, front.as_slice(), 0).ok()?;
    while let Ok(Some(command)) = commands.next() {
        let Ok(Some((segment, data))) = command.segment_64() else { continue };
        let (offset, size) = segment.file_range(endian);
        executable.segments.push(Segment {
            address: segment.vmaddr(endian),
            range: FileRange { offset, size },
            writable: segment.initprot(endian).contains(macho::VM_PROT_WRITE),
        });
        for section in segment.sections(endian, data).unwrap_or_default() {
            if let Some((offset, size)) = section.file_range(endian, section.offset(endian).into()) {
                executable.add_section(section.name(), wanted, offset, size);
            }
        }
    }
    Some(executable)
}

fn front(content: &dyn ReadAt) -> Option<Vec<u8>> {
    bytes(content, FileRange { offset: 0, size: content.size().min(FRONT_BYTES) }).ok()
}

fn table<T>(offset: u64, count: u16) -> FileRange {
    FileRange { offset, size: u64::from(count) * size_of::<T>() as u64 }
}

/// A whole table; an error when it is longer than any real one or than the file.
fn bytes(content: &dyn ReadAt, range: FileRange) -> io::Result<Vec<u8>> {
    let part = Part::new(content, range.offset, range.size);
    if range.size > TABLE_BYTES_MAX || part.size() < range.size {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; range.size as usize];
    Cursor::new(&part).read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_from_libraries_and_objects() {
        let elf = |kind: u8| [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 9], &[kind, 0]].concat();
        let wanted = |path, mode, head: &[u8]| may_be_program(&FileHead { path, mode, size: 100, head });
        assert!(wanted("usr/bin/kubectl", 0o755, &elf(2)));
        assert!(wanted("usr/bin/kubectl", 0o644, &elf(3)), "who copies it may mark it later");
        assert!(wanted("site-packages/_rust.abi3.so", 0o755, &elf(3)));
        assert!(!wanted("usr/lib/libssl.so.3", 0o644, &elf(3)));
        assert!(!wanted("usr/lib/modules/x.ko", 0o755, &elf(1)));
        assert!(!wanted("usr/bin/script", 0o755, b"#!/bin/sh"));
        assert!(!wanted("app/System.Text.Json.DLL", 0o755, b"MZ\x90"));
        assert!(!wanted("usr/bin/short", 0o755, b"\x7fELF"));
    }
}
