//! Bodies, read with a bound on their length and on the time they may take. A blob whose transfer breaks is resumed.
//!
//! Source: RFC 9110, section 14 ("Range Requests"), which the OCI distribution specification ("Pulling blobs") lets
//! registries answer. One that does not sends the blob from its beginning, and what was delivered already is skipped.
//! Nothing is taken on trust: whoever reads the blob hashes all of it.

use std::io::{self, Read};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use model::digest::Digest;
use reqwest::blocking::Response;

use super::Repository;
use super::error::RegistryError;
use super::http::PAUSE_MAX;

/// The longest time a document may take, so that one byte per stall time is no way to hold a scan.
const DOCUMENT_TIME_MAX: Duration = Duration::from_secs(120);

/// The least speed of a blob, in bytes per second of waiting, after a time of grace. Slower than a bad phone line.
const BLOB_RATE_MIN: u64 = 8 << 10;

const BLOB_TIME_OF_GRACE: Duration = Duration::from_secs(120);

/// How often a blob is resumed that makes no progress.
const RESUMES_MAX: u32 = 4;

/// What counts as progress: a registry that breaks after less is as good as one that sends nothing.
const PROGRESS_BYTES: u64 = 256 << 10;

/// How often a blob is read again from its beginning, which costs everybody what was read before.
const RESTARTS_MAX: u32 = 4;

/// Reads a whole body of at most `bytes_max` bytes.
pub(super) fn read_whole(mut response: Response, what: &str, bytes_max: u64) -> Result<Vec<u8>, RegistryError> {
    let started = Instant::now();
    let (mut bytes, mut chunk) = (Vec::new(), [0; 8192]);
    loop {
        let failed = |source| RegistryError::Body { what: what.into(), source };
        let count = response.read(&mut chunk).map_err(|error| failed(without_url(error)))?;
        if count == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&chunk[..count]);
        if bytes.len() as u64 > bytes_max {
            return Err(RegistryError::TooLarge { what: what.into(), limit: bytes_max });
        }
        if started.elapsed() > DOCUMENT_TIME_MAX {
            return Err(failed(too_slow()));
        }
    }
}

fn without_url(error: io::Error) -> io::Error {
    let kind = error.kind();
    match error.into_inner().map(|inner| inner.downcast::<reqwest::Error>()) {
        Some(Ok(inner)) if inner.is_timeout() => {
            io::Error::new(io::ErrorKind::TimedOut, "the registry stopped sending")
        }
        Some(Ok(inner)) => io::Error::new(kind, inner.without_url()),
        Some(Err(inner)) => io::Error::new(kind, inner),
        None => kind.into(),
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the registry sends too slowly")
}

/// Reads a blob of known size. Dropping it closes the connection.
pub(in super::super) struct BlobReader {
    repository: Arc<Repository>,
    digest: Digest,
    size: u64,
    response: Response,
    /// How much was delivered.
    done: u64,
    /// How much of what comes next was delivered before.
    skip: u64,
    /// How much was delivered when the transfer broke last.
    broke_at: u64,
    resumes: u32,
    restarts: u32,
    waited: Duration,
}

impl BlobReader {
    /// Begins to read. The reader fails unless it gives exactly `size` bytes.
    pub(in super::super) fn open(
        repository: Arc<Repository>,
        digest: Digest,
        size: u64,
    ) -> Result<Self, RegistryError> {
        let (response, _) = repository.blob(&digest, size, 0)?;
        let waited = Duration::ZERO;
        Ok(Self { repository, digest, size, response, done: 0, skip: 0, broke_at: 0, resumes: 0, restarts: 0, waited })
    }

    /// Receives bytes that were not delivered before.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.skip > 0 {
            let wanted = usize::try_from(self.skip).map_or(buffer.len(), |skip| skip.min(buffer.len()));
            match self.response.read(&mut buffer[..wanted]).map_err(without_url)? {
                0 => return Err(self.wrong_length(self.done - self.skip)),
                count => self.skip -= count as u64,
            }
        }
        match self.response.read(buffer).map_err(without_url)? {
            0 if self.done < self.size => Err(self.wrong_length(self.done)),
            count => Ok(count),
        }
    }

    fn wrong_length(&self, actual: u64) -> io::Error {
        let kind = if actual < self.size { io::ErrorKind::UnexpectedEof } else { io::ErrorKind::InvalidData };
        let what = self.repository.blob_name(&self.digest);
        io::Error::new(kind, RegistryError::Length { what, expected: self.size, actual })
    }

    /// Asks for the rest after the transfer broke, unless that happened too often.
    fn resume(&mut self, mut broken: io::Error) -> io::Result<()> {
        if self.done - self.broke_at >= PROGRESS_BYTES {
            self.resumes = 0;
        }
        self.broke_at = self.done;
        loop {
            self.resumes += 1;
            if self.resumes > RESUMES_MAX || self.restarts > RESTARTS_MAX {
                return Err(self.given_up(broken));
            }
            let pause = self.repository.retry_pause().saturating_mul(1 << (self.resumes - 1));
            thread::sleep(pause.min(PAUSE_MAX));
            match self.repository.blob(&self.digest, self.size, self.done) {
                Ok((response, start)) => {
                    self.restarts += u32::from(start < self.done);
                    self.skip = self.done - start;
                    self.response = response;
                    return Ok(());
                }
                // The network is still away.
                Err(error @ (RegistryError::Connection { .. } | RegistryError::Stalled { .. })) => {
                    broken = io::Error::other(error);
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    fn given_up(&self, broken: io::Error) -> io::Error {
        // A length that is wrong each time is no matter of the network, and says enough by itself.
        if broken.get_ref().is_some_and(|inner| inner.is::<RegistryError>()) {
            return broken;
        }
        let what = self.repository.blob_name(&self.digest);
        io::Error::new(broken.kind(), RegistryError::Broken { what, done: self.done, size: self.size, source: broken })
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let started = Instant::now();
            let received = self.receive(buffer);
            // Only time spent waiting counts: the one who reads may be slow for reasons of his own.
            self.waited += started.elapsed();
            if self.waited > BLOB_TIME_OF_GRACE + Duration::from_secs(self.done / BLOB_RATE_MIN) {
                return Err(too_slow());
            }
            match received {
                Ok(count) => {
                    self.done += count as u64;
                    return if self.done > self.size { Err(self.wrong_length(self.done)) } else { Ok(count) };
                }
                // All of it came, and then the connection broke: nothing is missing.
                Err(_) if self.done == self.size => return Ok(0),
                Err(broken) => self.resume(broken)?,
            }
        }
    }
}
