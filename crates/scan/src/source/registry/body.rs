//! Bodies, read with a bound on their length and on the time they may take.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use reqwest::blocking::Response;

use super::error::RegistryError;

/// The longest time a document may take, so that one byte per stall time is no way to hold a scan.
const DOCUMENT_TIME_MAX: Duration = Duration::from_secs(120);

/// The least speed of a blob, in bytes per second of waiting, after a time of grace. Slower than a bad phone line.
const BLOB_RATE_MIN: u64 = 8 << 10;

const BLOB_TIME_OF_GRACE: Duration = Duration::from_secs(120);

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
    response: Response,
    what: String,
    size: u64,
    done: u64,
    waited: Duration,
}

impl BlobReader {
    pub(super) fn new(response: Response, what: String, size: u64) -> Self {
        Self { response, what, size, done: 0, waited: Duration::ZERO }
    }

    fn wrong_length(&self, actual: u64) -> io::Error {
        let kind = if actual < self.size { io::ErrorKind::UnexpectedEof } else { io::ErrorKind::InvalidData };
        io::Error::new(kind, RegistryError::Length { what: self.what.clone(), expected: self.size, actual })
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let started = Instant::now();
        let count = self.response.read(buffer).map_err(without_url)?;
        // Only time spent waiting counts: the one who reads may be slow for reasons of his own.
        self.waited += started.elapsed();
        self.done += count as u64;
        if (count == 0 && self.done < self.size) || self.done > self.size {
            return Err(self.wrong_length(self.done));
        }
        if self.waited > BLOB_TIME_OF_GRACE + Duration::from_secs(self.done / BLOB_RATE_MIN) {
            return Err(too_slow());
        }
        Ok(count)
    }
}
