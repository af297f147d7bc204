//! One layer's stored bytes, wherever they are.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::SystemTime;

use engines::Content;
use model::digest::Digest;

use super::provide::{Outside, Question};
use super::registry::{BlobReader, Repository};
use super::{FileStamp, machine};

/// One layer as it is stored, and what the image's documents promise about it. The promises are not verified here.
#[derive(Debug, Clone)]
pub struct LayerBlob {
    /// Its place in the image, counted from 0 at the bottom.
    pub index: u32,
    /// Digest of the stored bytes, as the manifest says; none where only the configuration describes the layer.
    pub expected_digest: Option<Digest>,
    /// Digest of the uncompressed bytes, as the configuration says.
    pub expected_diff_id: Digest,
    /// How many bytes are stored.
    pub size: Option<u64>,
    /// What the manifest calls it. A hint, nothing more: what it is, its first bytes say.
    pub media_type: Option<String>,
    /// How it is compressed, as its first bytes say; none where they were not looked at or are not supported.
    pub compression: Option<Compression>,
    /// The build step that made it.
    pub created_by: Option<String>,
    pub(super) stored: Stored,
}

/// Where stored bytes are.
#[derive(Debug, Clone)]
pub(super) enum Stored {
    /// A range of a local file.
    File { file: Arc<File>, offset: u64, size: u64 },
    /// A blob in a registry.
    Remote { repository: Arc<Repository>, digest: Digest, size: u64 },
    /// A blob in containerd's content store.
    Content { content: Content, digest: Digest, size: u64 },
    /// The same, to be asked for outside.
    Outside { outside: Outside, digest: Digest, size: u64 },
}

impl LayerBlob {
    /// Reads the stored bytes from the beginning, compressed as they are. May be called often and from any thread.
    ///
    /// The reader fails when bytes end before or go on after the promised size, and when a registry stalls. What was
    /// read may still be wrong: the caller compares digests at the end.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match &self.stored {
            Stored::File { file, offset, size } => {
                Ok(Box::new(RangeReader { file: file.clone(), offset: *offset, left: *size }))
            }
            Stored::Remote { repository, digest, size } => {
                let reader = BlobReader::open(repository.clone(), digest.clone(), *size);
                Ok(Box::new(reader.map_err(io::Error::other)?))
            }
            Stored::Content { content, digest, size } => {
                let what = format!("the layer {digest}");
                Ok(Box::new(content.read(digest, *size, &what).map_err(io::Error::other)?))
            }
            Stored::Outside { outside, digest, size } => {
                outside.stream(&Question::Blob { digest: digest.clone(), size: *size })
            }
        }
    }

    /// The file, offset and size of the layer's bytes, when they are local and not compressed: then members can be
    /// read at random, without the layer being read as a whole.
    pub fn file_range(&self) -> Option<(Arc<File>, u64, u64)> {
        match &self.stored {
            Stored::File { file, offset, size } if self.compression == Some(Compression::None) => {
                Some((file.clone(), *offset, *size))
            }
            _ => None,
        }
    }

    /// What the stored bytes are recognised by as long as nobody touches them: the file they lie in and where, or the
    /// digest a registry serves them under, which pins them by itself. None when the file cannot be asked, or was written
    /// so recently that another write would leave its times as they are.
    pub fn stamp(&self) -> Option<String> {
        match &self.stored {
            Stored::File { file, offset, size } => {
                let now = SystemTime::now();
                let stamp = FileStamp::of(file).ok().filter(|stamp| stamp.is_settled_at(now))?;
                let FileStamp { device, inode, size: whole, modified_ns, changed_ns } = stamp;
                let place = format!("{device} {inode} {whole} {modified_ns} {changed_ns} {offset} {size}");
                Some(format!("file {place} {}", machine()))
            }
            Stored::Remote { digest, .. } | Stored::Content { digest, .. } | Stored::Outside { digest, .. } => {
                Some(format!("blob {digest}"))
            }
        }
    }

    /// Whether the manifest says that the layer is encrypted (media types that end in `+encrypted`).
    pub fn is_encrypted(&self) -> bool {
        self.media_type.as_ref().is_some_and(|media_type| media_type.ends_with("+encrypted"))
    }
}

impl Stored {
    /// Looks at the first bytes where that costs nothing.
    pub(super) fn compression(&self) -> Option<Compression> {
        let Self::File { file, offset, size } = self else { return None };
        let mut head = [0; Compression::MAGIC_BYTES];
        let wanted = usize::try_from(*size).map_or(head.len(), |size| size.min(head.len()));
        file.read_exact_at(&mut head[..wanted], *offset).ok()?;
        Compression::detect(&head[..wanted]).ok()
    }

    pub(super) fn size(&self) -> u64 {
        match self {
            Self::File { size, .. }
            | Self::Remote { size, .. }
            | Self::Content { size, .. }
            | Self::Outside { size, .. } => *size,
        }
    }
}

/// How a layer or an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878, also the seekable variant `zstd:chunked`.
    Zstd,
}

/// A compression that images do not use and that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("compression with {name} is not supported, only gzip and zstd")]
pub struct UnsupportedCompression {
    /// Its name.
    pub name: &'static str,
}

impl Compression {
    /// How many first bytes [`Compression::detect`] needs.
    pub const MAGIC_BYTES: usize = 10;

    /// Recognises a compression by the first [`Compression::MAGIC_BYTES`] bytes, or fewer where there are no more.
    ///
    /// Whatever has no known magic is taken to be not compressed. The media type is not asked: registries and tools
    /// disagree with their own bytes there too often.
    pub fn detect(head: &[u8]) -> Result<Self, UnsupportedCompression> {
        match head {
            [0x1f, 0x8b, 8, ..] => Ok(Self::Gzip),
            // A frame, or a skippable frame before it.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Self::Zstd),
            // The first block's magic (or the end's, when there is none) too: a tar may begin with a file `BZh1`.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => {
                Err(UnsupportedCompression { name: "bzip2" })
            }
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Err(UnsupportedCompression { name: "xz" }),
            [0x04, 0x22, 0x4d, 0x18, ..] => Err(UnsupportedCompression { name: "lz4" }),
            _ => Ok(Self::None),
        }
    }
}

/// Reads a range of a shared file without moving its position.
struct RangeReader {
    file: Arc<File>,
    offset: u64,
    left: u64,
}

impl Read for RangeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.file.read_at(&mut buffer[..wanted], self.offset)?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read"));
        }
        self.offset += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressions_are_told_by_their_first_bytes() {
        assert_eq!(Compression::detect(b"\x1f\x8b\x08\0\0\0\0\0\0\x03"), Ok(Compression::Gzip));
        assert_eq!(Compression::detect(b"\x28\xb5\x2f\xfd"), Ok(Compression::Zstd));
        assert_eq!(Compression::detect(b"\x50\x2a\x4d\x18"), Ok(Compression::Zstd));
        assert_eq!(Compression::detect(b"BZh91AY&SY").map_err(|e| e.name), Err("bzip2"));
        assert_eq!(Compression::detect(b"BZh9file\0\0"), Ok(Compression::None));
        assert_eq!(Compression::detect(b"\xfd7zXZ\0").map_err(|e| e.name), Err("xz"));
        assert_eq!(Compression::detect(b""), Ok(Compression::None));
        assert_eq!(Compression::detect(b"etc/"), Ok(Compression::None));
    }
}
