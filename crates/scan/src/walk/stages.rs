//! The stages before the walk: read and inflate on one thread, hash on the next.

use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use flate2::read::MultiGzDecoder;
use model::digest::Digest;
use sha2::{Digest as _, Sha256};

use crate::source::Compression;

/// Bytes handed from stage to stage at a time: large enough that the hand-over costs nothing, small enough that what is in
/// flight stays within a core's cache.
const CHUNK_BYTES: usize = 256 << 10;

/// Chunks waiting between two stages.
const QUEUE_CHUNKS: usize = 4;

/// The most bytes one layer may expand to.
const LAYER_BYTES_MAX: u64 = 64 << 30;

/// From [`EXPANSION_CHECKED_FROM`] bytes on, a layer that has expanded more than this is taken for a bomb: layers of real
/// images reach 20, a preallocated empty database perhaps 200.
const EXPANSION_MAX: u64 = 250;
const EXPANSION_CHECKED_FROM: u64 = 4 << 30;

/// The most bytes all layers of one image may expand to, so that many layers, each within its own bound, cannot keep a scan
/// busy for days. The largest images in use are a tenth of it.
const IMAGE_BYTES_MAX: u64 = 512 << 30;

/// How many bytes the layers of one image may still expand to, together.
#[derive(Debug)]
pub struct Budget(AtomicU64);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU64::new(IMAGE_BYTES_MAX))
    }
}

impl Budget {
    /// Takes bytes off; false when there are not that many left.
    fn spend(&self, bytes: u64) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

type Chunk = io::Result<Vec<u8>>;

/// What the stages found out about one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sums {
    /// Digest of the bytes as stored.
    pub(super) digest: Digest,
    /// Digest of the bytes inflated.
    pub(super) diff_id: Digest,
    /// How many bytes inflated.
    pub(super) size: u64,
}

/// A running set of stages: the inflated bytes come out of `bytes`, and `sums` are known once those have been read to the end.
pub(super) struct Stages<'scope> {
    pub(super) bytes: ChunkReader,
    inflate: ScopedJoinHandle<'scope, Option<Digest>>,
    hash: ScopedJoinHandle<'scope, (Digest, u64)>,
}

/// Starts the stages for one stored layer.
pub(super) fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    stored: Box<dyn Read + Send>,
    budget: &'scope Budget,
) -> Stages<'scope> {
    let (inflated, to_hash) = bounded(QUEUE_CHUNKS);
    let (hashed, to_walk) = bounded(QUEUE_CHUNKS);
    let (spent, fresh) = bounded(2 * QUEUE_CHUNKS + 2);
    let inflate = scope.spawn(move || inflate(stored, budget, &inflated, &fresh));
    let hash = scope.spawn(move || hash(&to_hash, &hashed));
    Stages { bytes: ChunkReader { chunks: to_walk, spent, chunk: Vec::new(), position: 0 }, inflate, hash }
}

impl Stages<'_> {
    /// Reads what is left (padding after the end of the archive belongs to the digest) and returns the sums.
    pub(super) fn finish(mut self) -> io::Result<Sums> {
        loop {
            let count = self.bytes.fill_buf()?.len();
            if count == 0 {
                break;
            }
            self.bytes.consume(count);
        }
        drop(self.bytes);
        let panicked = |_| io::Error::other("a reading thread failed");
        let (diff_id, size) = self.hash.join().map_err(panicked)?;
        let digest = self.inflate.join().map_err(panicked)?;
        // Bytes stored as they are have one digest; it is not computed twice.
        Ok(Sums { digest: digest.unwrap_or_else(|| diff_id.clone()), diff_id, size })
    }
}

/// First stage. Returns the digest of the stored bytes, or none when they are not compressed.
fn inflate(
    mut stored: Box<dyn Read + Send>,
    budget: &Budget,
    out: &Sender<Chunk>,
    fresh: &Receiver<Vec<u8>>,
) -> Option<Digest> {
    let mut head = [0; Compression::MAGIC_BYTES];
    let head_size = match fill(&mut stored, &mut head) {
        Ok(size) => size,
        Err(error) => {
            let _ = out.send(Err(error));
            return None;
        }
    };
    let compression = match Compression::detect(&head[..head_size]) {
        Ok(compression) => compression,
        Err(unsupported) => {
            let _ = out.send(Err(io::Error::new(io::ErrorKind::Unsupported, unsupported)));
            return None;
        }
    };
    let mut whole = io::Cursor::new(head[..head_size].to_vec()).chain(stored);
    if compression == Compression::None {
        pump(&mut whole, |_| u64::MAX, budget, out, fresh);
        return None;
    }
    let hashing = Hashing { inner: whole, hasher: Sha256::new(), count: 0 };
    let buffered = io::BufReader::with_capacity(CHUNK_BYTES, hashing);
    let mut hashing = match compression {
        Compression::Zstd => match zstd::stream::read::Decoder::with_buffer(buffered) {
            Ok(mut decoder) => {
                if !pump(&mut decoder, |decoder| decoder.get_ref().get_ref().count, budget, out, fresh) {
                    return None;
                }
                decoder.finish().into_inner()
            }
            Err(error) => {
                let _ = out.send(Err(error));
                return None;
            }
        },
        _ => {
            let mut decoder = MultiGzDecoder::new(buffered.into_inner());
            if !pump(&mut decoder, |decoder| decoder.get_ref().count, budget, out, fresh) {
                return None;
            }
            decoder.into_inner()
        }
    };
    // The decoder stops at the end of its stream; what a registry appended still counts for the stored digest.
    io::copy(&mut hashing, &mut io::sink()).ok();
    Some(Digest::from_bytes(hashing.hasher.finalize().into()))
}

/// Moves everything from `reader` to `out` in chunks, watching how far it expands. False when it did not come to the end:
/// reading failed (`out` knows why), or nobody listens any more.
fn pump<R: Read>(
    reader: &mut R,
    stored_bytes: impl Fn(&R) -> u64,
    budget: &Budget,
    out: &Sender<Chunk>,
    fresh: &Receiver<Vec<u8>>,
) -> bool {
    let mut total = 0u64;
    loop {
        let mut chunk = fresh.try_recv().unwrap_or_default();
        chunk.resize(CHUNK_BYTES, 0);
        let result = fill(reader, &mut chunk).and_then(|count| {
            total += count as u64;
            let stored = stored_bytes(reader).max(1);
            if total > LAYER_BYTES_MAX || (total > EXPANSION_CHECKED_FROM && total / stored > EXPANSION_MAX) {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    format!("it expands to more than {total} bytes, {} times what is stored", total / stored),
                ));
            }
            if !budget.spend(count as u64) {
                let detail = format!("the layers of the image expand to more than {IMAGE_BYTES_MAX} bytes together");
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, detail));
            }
            Ok(count)
        });
        match result {
            Ok(0) => return true,
            Ok(count) => {
                chunk.truncate(count);
                if out.send(Ok(chunk)).is_err() {
                    return false;
                }
            }
            Err(error) => {
                let _ = out.send(Err(error));
                return false;
            }
        }
    }
}

/// Second stage.
fn hash(chunks: &Receiver<Chunk>, out: &Sender<Chunk>) -> (Digest, u64) {
    let mut hasher = Sha256::new();
    let mut size = 0;
    for chunk in chunks {
        if let Ok(bytes) = &chunk {
            hasher.update(bytes);
            size += bytes.len() as u64;
        }
        if out.send(chunk).is_err() {
            break;
        }
    }
    (Digest::from_bytes(hasher.finalize().into()), size)
}

/// The last stage's input: the inflated bytes as a buffered reader that copies nothing.
pub(super) struct ChunkReader {
    chunks: Receiver<Chunk>,
    spent: Sender<Vec<u8>>,
    chunk: Vec<u8>,
    position: usize,
}

impl BufRead for ChunkReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.position == self.chunk.len() {
            let Ok(next) = self.chunks.recv() else { break };
            let spent = std::mem::replace(&mut self.chunk, next?);
            self.position = 0;
            // Reused where there is room; dropped where there is not.
            let _ = self.spent.try_send(spent);
        }
        Ok(&self.chunk[self.position..])
    }

    fn consume(&mut self, count: usize) {
        self.position += count;
    }
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

/// Hashes and counts what passes.
struct Hashing<R> {
    inner: R,
    hasher: Sha256,
    count: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.count += count as u64;
        Ok(count)
    }
}

fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
