//! The reading process' side of the socket. Several threads ask; each waits for its own answer.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;

use crate::cache::{Keeper, Kind};
use crate::progress::Event;
use crate::source::SourceError;
use crate::source::provide::{Ask, Given, Question};

use super::told::Told;
use super::wire::{self, Heard, Piece, Reply, Word};

/// The way to the parent.
#[derive(Debug)]
pub(super) struct Link {
    socket: UnixStream,
    /// A question and its answer belong together.
    turn: Mutex<()>,
}

/// What the longest reason in a stream may have.
const REASON_BYTES_MAX: u64 = 1 << 20;

impl Link {
    pub(super) fn new(socket: UnixStream) -> Arc<Self> {
        Arc::new(Self { socket, turn: Mutex::default() })
    }

    pub(super) fn say(&self, word: &Word, body: &[u8]) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        wire::send(&self.socket, word, body, None)
    }

    /// Without a parent there is nothing to do any more.
    pub(super) fn hear<T: DeserializeOwned>(&self) -> io::Result<Heard<T>> {
        wire::receive(&self.socket, true)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn ask(&self, word: &Word, body: &[u8]) -> io::Result<Heard<Reply>> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        wire::send(&self.socket, word, body, None)?;
        self.hear()
    }

    pub(super) fn tell(&self, event: Event) {
        // A listener is not worth failing for; the next question shows that nobody is there.
        self.say(&Word::Progress(event), &[]).ok();
    }
}

fn unexpected() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the parent process answers something else")
}

impl Ask for Link {
    fn given(&self, question: &Question) -> Result<(Given, Vec<u8>), SourceError> {
        let failed = |error: io::Error| SourceError::Outside(Told::of(&error, None));
        match self.ask(&Word::Ask(question.clone()), &[]).map_err(failed)? {
            (Reply::Given(given), bytes, _) => Ok((given, bytes)),
            (Reply::Failed(told), ..) => Err(told.into()),
            _ => Err(failed(unexpected())),
        }
    }

    fn stream(&self, question: &Question) -> io::Result<Box<dyn Read + Send>> {
        match self.ask(&Word::Ask(question.clone()), &[])? {
            (Reply::Stream, _, Some(pipe)) => Ok(Box::new(Pieces { pipe: pipe.into(), left: 0, ended: false })),
            (Reply::Failed(told), ..) => Err(io::Error::other(told)),
            _ => Err(unexpected()),
        }
    }
}

impl Keeper for Link {
    fn keep(&self, kind: Kind, key: &str, entry: &[u8]) -> io::Result<()> {
        match self.ask(&Word::Keep { kind, key: key.to_owned() }, entry)?.0 {
            Reply::Done => Ok(()),
            Reply::Failed(told) => Err(io::Error::other(told)),
            _ => Err(unexpected()),
        }
    }

    fn alone(&self, key: &str) -> Option<Box<dyn std::fmt::Debug + Send>> {
        let (Reply::Stream, _, Some(lock)) = self.ask(&Word::Alone(key.to_owned()), &[]).ok()? else { return None };
        let mut lock = File::from(lock);
        // It comes when nobody else works on it; closing gives it back.
        lock.read_exact(&mut [0]).ok()?;
        Some(Box::new(lock))
    }
}

/// A stream that comes in pieces, so that its end is told from a break.
struct Pieces {
    pipe: File,
    left: u32,
    ended: bool,
}

impl Pieces {
    fn next_piece(&mut self) -> io::Result<()> {
        let mut header = [0; 4];
        self.pipe.read_exact(&mut header)?;
        match Piece::of(header) {
            Piece::Bytes(count) => self.left = count,
            Piece::End => self.ended = true,
            Piece::Broken => {
                let mut reason = Vec::new();
                (&mut self.pipe).take(REASON_BYTES_MAX).read_to_end(&mut reason)?;
                return Err(io::Error::other(wire::decode::<Told>(&reason)?));
            }
        }
        Ok(())
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.left == 0 && !self.ended {
            self.next_piece()?;
        }
        let wanted = buffer.len().min(self.left as usize);
        let count = self.pipe.read(&mut buffer[..wanted])?;
        if count == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u32;
        Ok(count)
    }
}
