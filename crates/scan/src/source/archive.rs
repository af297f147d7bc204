//! Opens tar archives so that their members can be read at random.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::target::{Located, Selector};

use super::blob::{Compression, Stored};
use super::error::SourceError;
use super::platform::Platform;
use super::tar_index::{FindError, TarIndex};
use super::{FileStamp, SourceIdentity, SourceOptions};

/// The most bytes that an archive compressed as a whole may unpack to. Larger images exist, but whoever has one can
/// unpack it himself, and a bomb must not fill the disk.
pub(super) const SPOOL_BYTES_MAX: u64 = 32 << 30;

/// A tar archive with an index of its members.
pub(super) struct Archive {
    place: String,
    file: Arc<File>,
    index: TarIndex,
    stamp: FileStamp,
}

/// Opens a regular file. Pipes and devices are refused before they can block.
pub(super) fn open_file(path: &Path) -> Result<File, SourceError> {
    let failed = |source| SourceError::File { path: path.into(), source };
    let is_file = |metadata: &std::fs::Metadata| match metadata.is_file() {
        true => Ok(()),
        false => Err(SourceError::NotAFile { path: path.into() }),
    };
    is_file(&std::fs::metadata(path).map_err(failed)?)?;
    let file = File::open(path).map_err(failed)?;
    is_file(&file.metadata().map_err(failed)?)?;
    Ok(file)
}

/// What an archive is recognised by.
pub(super) fn identify(located: &Located, options: &SourceOptions) -> Result<SourceIdentity, SourceError> {
    let file = open_file(&located.path)?;
    let stamp = FileStamp::of(&file).map_err(|source| SourceError::File { path: located.path.clone(), source })?;
    let selection = selection(located.selector.as_ref(), options.platform.as_ref());
    Ok(SourceIdentity::Files { files: vec![stamp], selection })
}

/// Which image of several is meant, as a part of an identity.
pub(super) fn selection(selector: Option<&Selector>, platform: Option<&Platform>) -> String {
    let platform = match platform {
        Some(platform) => platform.to_string(),
        // Which image "this machine's" is depends on the machine, and a cache may be shared.
        None => format!("default {}", Platform::of_this_machine()),
    };
    match selector {
        Some(selector) => format!("{selector} {platform}"),
        None => platform,
    }
}

impl Archive {
    /// Opens an archive, unpacks it to an unnamed temporary file when it is compressed as a whole, and finds its members.
    pub(super) fn open(prefix: &str, path: &Path, options: &SourceOptions) -> Result<Self, SourceError> {
        let place = format!("{prefix}:{}", path.display());
        let failed = |source| SourceError::File { path: path.into(), source };
        let file = open_file(path)?;
        let stamp = FileStamp::of(&file).map_err(failed)?;
        let mut head = [0; Compression::MAGIC_BYTES];
        let count = file.read_at(&mut head, 0).map_err(failed)?;
        let compression = Compression::detect(&head[..count]).map_err(|error| SourceError::Unsupported {
            place: place.clone(),
            what: "the archive".into(),
            detail: error.to_string(),
            hint: "unpack it first",
        })?;
        let file = match compression {
            Compression::None => file,
            compression => spool(file, compression, options.spool_dir.as_deref(), SPOOL_BYTES_MAX)
                .map_err(|source| SourceError::Spool { path: path.into(), source })?,
        };
        Self::indexed(place, file, stamp)
    }

    /// Keeps an archive that can be read only once in an unnamed temporary file. Fails with
    /// [`io::ErrorKind::FileTooLarge`] when it has more than `bytes_max` bytes.
    pub(super) fn kept(
        place: String,
        stream: &mut dyn Read,
        bytes_max: u64,
        options: &SourceOptions,
    ) -> Result<Self, SourceError> {
        let failed = |source| SourceError::Fetch { place: place.clone(), source };
        let file = keep(stream, bytes_max, options.spool_dir.as_deref()).map_err(failed)?;
        let stamp = FileStamp::of(&file).map_err(failed)?;
        Self::indexed(place, file, stamp)
    }

    fn indexed(place: String, file: File, stamp: FileStamp) -> Result<Self, SourceError> {
        let index = TarIndex::read(&file).map_err(|error| SourceError::Malformed {
            place: place.clone(),
            what: "the archive".into(),
            detail: error.to_string(),
        })?;
        Ok(Self { place, file: Arc::new(file), index, stamp })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn stamp(&self) -> FileStamp {
        self.stamp
    }

    /// Whether there is a member with this name, usable or not.
    pub(super) fn has(&self, name: &str) -> bool {
        !matches!(self.index.find(name), Err(FindError::Missing))
    }

    /// Where the bytes of a member are.
    pub(super) fn member(&self, name: &str) -> Result<Stored, SourceError> {
        let (offset, size) = self.index.find(name).map_err(|error| error.into_source_error(&self.place, name))?;
        Ok(Stored::File { file: self.file.clone(), offset, size })
    }

    /// The bytes of a member that is a document.
    pub(super) fn document(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>, SourceError> {
        let (offset, size) = self.index.find(name).map_err(|error| error.into_source_error(&self.place, name))?;
        if size > bytes_max {
            return Err(SourceError::TooLarge {
                place: self.place.clone(),
                what: super::document::printable(name),
                limit: bytes_max,
            });
        }
        // The index checked that the file has these bytes.
        let mut bytes = vec![0; size as usize];
        self.file.read_exact_at(&mut bytes, offset).map_err(|error| SourceError::Malformed {
            place: self.place.clone(),
            what: super::document::printable(name),
            detail: error.to_string(),
        })?;
        Ok(bytes)
    }
}

fn spool(file: File, compression: Compression, dir: Option<&Path>, bytes_max: u64) -> io::Result<File> {
    let file = BufReader::with_capacity(1 << 16, file);
    let mut reader: Box<dyn Read> = match compression {
        Compression::Zstd => Box::new(zstd::Decoder::with_buffer(file)?),
        _ => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
    };
    keep(&mut reader, bytes_max, dir)
}

/// Copies a stream to an unnamed temporary file.
fn keep(stream: &mut dyn Read, bytes_max: u64, dir: Option<&Path>) -> io::Result<File> {
    let mut kept = match dir {
        Some(dir) => tempfile::tempfile_in(dir)?,
        None => tempfile::tempfile()?,
    };
    let count = io::copy(&mut stream.take(bytes_max + 1), &mut kept)?;
    if count > bytes_max {
        let limit = format!("it has more than {} MiB", bytes_max >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, limit));
    }
    kept.flush()?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use std::io::Seek;

    use super::*;

    fn compressed(compression: Compression, size: usize) -> File {
        let zeros = vec![0; size];
        let bytes = match compression {
            Compression::Zstd => zstd::encode_all(zeros.as_slice(), 1).unwrap(),
            _ => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(&zeros).unwrap();
                encoder.finish().unwrap()
            }
        };
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    #[test]
    fn a_bomb_stops_at_the_bound_and_a_cut_is_an_error() {
        for compression in [Compression::Gzip, Compression::Zstd] {
            let bound = 1 << 20;
            let fits = spool(compressed(compression, 1 << 20), compression, None, bound).unwrap();
            assert_eq!(fits.metadata().unwrap().len(), bound);
            let error = spool(compressed(compression, (1 << 20) + 1), compression, None, bound).unwrap_err();
            assert_eq!(error.to_string(), "it has more than 1 MiB");
            let cut = compressed(compression, 1 << 20);
            cut.set_len(cut.metadata().unwrap().len() - 5).unwrap();
            assert!(spool(cut, compression, None, bound).is_err(), "{compression:?}");
        }
    }
}
