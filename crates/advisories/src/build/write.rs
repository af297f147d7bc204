//! Writing the file: beside the target, flushed, then renamed over it.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::tables::Sections;
use crate::index::layout::{BLOCK_BYTES, FORMAT_VERSION, HEADER_BYTES, MAGIC};

/// What was written.
pub(super) struct Written {
    pub(super) digest: String,
    pub(super) bytes: u64,
}

/// Writes an index whole or not at all.
pub(super) fn write(sections: &Sections, out: &Path) -> io::Result<Written> {
    let directory = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new().prefix(".dogwatch-index-").tempfile_in(directory)?;
    let mut summed = Summed { digest: Sha256::new(), block: crc32fast::Hasher::new(), filled: 0, sums: Vec::new() };
    for section in sections {
        summed.eat(section);
        summed.eat(&[0; 8][..padding(section.len())]);
    }
    let (digest, sums) = summed.finish();
    let header = header(sections, &digest, &sums);
    let mut to = BufWriter::with_capacity(1 << 20, file.as_file_mut());
    to.write_all(&header)?;
    for section in sections {
        to.write_all(section)?;
        to.write_all(&[0; 8][..padding(section.len())])?;
    }
    to.write_all(&sums)?;
    to.flush()?;
    drop(to);
    readable_by_all(file.as_file())?;
    file.as_file().sync_all()?;
    let bytes = file.as_file().metadata()?.len();
    file.persist(out).map_err(|error| error.error)?;
    // Without this a power cut can undo the rename. Some file systems cannot; the index is whole either way.
    let _ = std::fs::File::open(directory).and_then(|directory| directory.sync_all());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Written { digest: format!("sha256:{hex}"), bytes })
}

/// Temporary files are private; an index holds public facts, and other users on the machine scan with it.
fn readable_by_all(file: &std::fs::File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}

/// Sections begin at multiples of eight.
fn padding(len: usize) -> usize {
    len.next_multiple_of(8) - len
}

/// The digest of the data, and a checksum for each of its blocks.
struct Summed {
    digest: Sha256,
    block: crc32fast::Hasher,
    filled: usize,
    sums: Vec<u8>,
}

impl Summed {
    fn eat(&mut self, mut bytes: &[u8]) {
        self.digest.update(bytes);
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.filled));
            self.block.update(now);
            self.filled += now.len();
            bytes = rest;
            if self.filled == BLOCK_BYTES {
                self.end_block();
            }
        }
    }

    fn end_block(&mut self) {
        let sum = std::mem::replace(&mut self.block, crc32fast::Hasher::new()).finalize();
        self.sums.extend(sum.to_le_bytes());
        self.filled = 0;
    }

    fn finish(mut self) -> ([u8; 32], Vec<u8>) {
        if self.filled > 0 {
            self.end_block();
        }
        (self.digest.finalize().into(), self.sums)
    }
}

fn header(sections: &Sections, digest: &[u8; 32], sums: &[u8]) -> Vec<u8> {
    let data: usize = sections.iter().map(|section| section.len().next_multiple_of(8)).sum();
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend(MAGIC);
    header.extend(FORMAT_VERSION.to_le_bytes());
    header.extend((sections.len() as u32).to_le_bytes());
    header.extend(((HEADER_BYTES + data + sums.len()) as u64).to_le_bytes());
    header.extend((data as u64).to_le_bytes());
    header.extend(digest);
    header.extend(crc32fast::hash(sums).to_le_bytes());
    header.extend([0; 4]);
    let mut at = 0usize;
    for section in sections {
        header.extend((at as u64).to_le_bytes());
        header.extend((section.len() as u64).to_le_bytes());
        at += section.len().next_multiple_of(8);
    }
    header.resize(HEADER_BYTES - 4, 0);
    let sum = crc32fast::hash(&header);
    header.extend(sum.to_le_bytes());
    header
}
