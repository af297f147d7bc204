//! Answers, read with a bound on their length and on the time they may take.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use reqwest::blocking::Response;

/// The least speed of a stream, in bytes per second of waiting, after a time of grace. A socket on the same machine is
/// faster by orders of magnitude, so this only ends what would never end.
const RATE_MIN: u64 = 64 << 10;

const TIME_OF_GRACE: Duration = Duration::from_secs(120);

/// What an engine sends, of a length that it alone knows. Dropping it closes the connection.
#[derive(Debug)]
pub struct EngineBody {
    response: Response,
    done: u64,
    waited: Duration,
}

impl EngineBody {
    pub(crate) fn new(response: Response) -> Self {
        Self { response, done: 0, waited: Duration::ZERO }
    }

    /// Reads all of it; none when it has more than `bytes_max` bytes.
    pub(crate) fn read_whole(self, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        self.take(bytes_max + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= bytes_max).then_some(bytes))
    }
}

impl Read for EngineBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let started = Instant::now();
        let count = self.response.read(buffer).map_err(|error| plain(&error))?;
        // Only time spent waiting counts: the one who reads may be slow for reasons of his own.
        self.waited += started.elapsed();
        self.done += count as u64;
        if self.waited > TIME_OF_GRACE + Duration::from_secs(self.done / RATE_MIN) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the engine sends too slowly"));
        }
        Ok(count)
    }
}

/// The client names an address in its errors that nobody typed.
pub(crate) fn plain(error: &io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<reqwest::Error>());
    match inner {
        Some(inner) if inner.is_timeout() => io::Error::new(io::ErrorKind::TimedOut, "the engine stopped sending"),
        _ => io::Error::new(error.kind(), "the connection ended before the answer did"),
    }
}
