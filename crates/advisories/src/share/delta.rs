//! The change from one index to the next, small.
//!
//! Both are flattened ([`crate::build::flatten`]), so that they differ only where they say something else, and the new one
//! is compressed with the old one before it as if it had just been read (zstd's prefix, as `zstd --patch-from` has it).

use std::io::{self, Read, Write};
use std::path::Path;

use super::ShareError;
use crate::build::{flatten, rebuild};
use crate::index::Index;

/// Thorough, since it is done once and sent to many; beyond it time grows and the file hardly shrinks.
const LEVEL: i32 = 12;
/// The largest window that decompression allows: 2 GiB, the format's end on 64-bit machines.
const WINDOW_LOG_MAX: u32 = 31;

/// Writes the change from `old` to `new`; returns the length of the new one's flat form.
pub(super) fn write(old: &Index, new: &Index, to: &mut dyn Write) -> Result<u64, ShareError> {
    let (old, new) = (flatten(old)?, flatten(new)?);
    let failed = |source| ShareError::Delta { source };
    let mut encoder = zstd::stream::write::Encoder::with_ref_prefix(to, LEVEL, &old).map_err(failed)?;
    let window = (old.len() + new.len()).max(1 << 20).ilog2() + 1;
    encoder.window_log(window.min(WINDOW_LOG_MAX)).map_err(failed)?;
    encoder.long_distance_matching(true).map_err(failed)?;
    encoder.set_pledged_src_size(Some(new.len() as u64)).map_err(failed)?;
    encoder.write_all(&new).and_then(|()| encoder.finish().map(drop)).map_err(failed)?;
    Ok(new.len() as u64)
}

/// Makes the new index at `out` from the old one and the change; returns its content digest.
pub(super) fn apply(old: &Index, change: &mut dyn Read, flat_bytes: u64, out: &Path) -> Result<String, ShareError> {
    let old = flatten(old)?;
    let failed = |source| ShareError::Delta { source };
    let mut decoder = zstd::stream::read::Decoder::with_ref_prefix(io::BufReader::new(change), &old).map_err(failed)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(failed)?;
    let mut flat = Vec::new();
    decoder.take(flat_bytes.saturating_add(1)).read_to_end(&mut flat).map_err(failed)?;
    if flat.len() as u64 != flat_bytes {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidData, "it does not have the length it states")));
    }
    Ok(rebuild(&flat, out)?)
}
