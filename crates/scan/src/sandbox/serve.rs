//! The parent's side of the socket: answers what the reading process needs, and takes its findings.
//!
//! What is on the other side may be in the hands of whoever made the image. It can get what is public about that image, the
//! image itself, and entries into the cache under keys of its choice; it can be wrong. It cannot name a file, an address or
//! another image, make this process wait or grow without bound, or act on a terminal.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::cache::{Cache, Kind};
use crate::inspect::{InspectOptions, Inspection};
use crate::progress::Event;
use crate::source::SourceError;
use crate::source::git::Contents;
use crate::source::provide::{Answer, Provider, Question};

use super::told::Told;
use super::wire::{self, Job, Piece, Reply, Word};

/// The most that is said for one target: each of 500 layers is told, locked, asked for and cached once or twice.
const WORDS_MAX: usize = 20_000;

/// The most streams and locks at once: a machine has fewer cores, and each core reads one layer.
const STREAMS_MAX: usize = 1024;

/// The most bytes that one target adds to the cache before they are compressed. The cache itself keeps 2 GiB.
const KEPT_BYTES_MAX: u64 = 8 << 30;

/// How long the other side may take for the next bytes of a message that it has begun, or of one it is to take.
const MESSAGE_TIME_MAX: Duration = Duration::from_secs(300);

/// Bytes handed over at a time.
const PIECE_BYTES: usize = 256 << 10;

/// How long the other side is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// While it says nothing and takes nothing.
    pub(super) silence: Duration,
    /// In all, whatever it says.
    pub(super) whole: Duration,
}

/// Why there are no findings.
#[derive(Debug)]
pub(super) enum Served {
    /// The target could not be read; this says why.
    Failed(Told),
    /// It could not be confined.
    Refused(String),
    Silent(Duration),
    Slow(Duration),
    Untrusted(String),
    /// It closed the socket.
    Gone,
}

/// Gives out the job, and answers until there are findings or none can come any more.
pub(super) fn serve(
    socket: &UnixStream,
    job: &Job,
    contents: Option<&Contents>,
    options: &InspectOptions,
    patience: Patience,
) -> Result<Inspection, Served> {
    thread::scope(|scope| {
        let (done, waiting) = channel::<()>();
        // A byte or a word now and then would end every other wait; a socket that is shut ends them all.
        let watch = scope.spawn(move || {
            let slow = waiting.recv_timeout(patience.whole) == Err(RecvTimeoutError::Timeout);
            if slow {
                socket.shutdown(Shutdown::Both).ok();
            }
            slow
        });
        let served = converse(socket, job, contents, options, patience.silence);
        drop(done);
        match (served, watch.join()) {
            (Err(_), Ok(true)) => Err(Served::Slow(patience.whole)),
            (served, _) => served,
        }
    })
}

fn converse(
    socket: &UnixStream,
    job: &Job,
    contents: Option<&Contents>,
    options: &InspectOptions,
    silence: Duration,
) -> Result<Inspection, Served> {
    let provider = Arc::new(Provider::new(&job.target, &options.source));
    let moved = Arc::new(AtomicU64::new(0));
    let target = job.target.to_string();
    let mut desk = Desk { socket, target, options, provider, moved, kept: 0, confined: false };
    let timeouts =
        socket.set_read_timeout(Some(MESSAGE_TIME_MAX)).and_then(|()| socket.set_write_timeout(Some(MESSAGE_TIME_MAX)));
    timeouts.map_err(|error| Served::Refused(error.to_string()))?;
    let listed = contents.map(wire::encode).transpose().map_err(|error| Served::Refused(error.to_string()))?;
    wire::send(socket, job, &listed.unwrap_or_default(), None).map_err(|_| Served::Gone)?;
    for _ in 0..WORDS_MAX {
        desk.wait(silence)?;
        let received = wire::receive(socket, false).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Served::Gone,
            _ => Served::Untrusted(error.to_string()),
        })?;
        let (word, body, _) = received.ok_or(Served::Gone)?;
        if let Some(inspection) = desk.hear(word, body)? {
            return Ok(inspection);
        }
    }
    Err(Served::Untrusted(format!("it said more than {WORDS_MAX} things")))
}

struct Desk<'a> {
    socket: &'a UnixStream,
    target: String,
    options: &'a InspectOptions,
    provider: Arc<Provider>,
    /// Bytes that streams have handed over: whoever takes them is not silent. Each stream and lock holds a copy.
    moved: Arc<AtomicU64>,
    kept: u64,
    confined: bool,
}

impl Desk<'_> {
    /// Waits for a word as long as something goes on.
    fn wait(&self, silence: Duration) -> Result<(), Served> {
        loop {
            let before = self.moved.load(Ordering::Relaxed);
            let limit = Timespec { tv_sec: silence.as_secs() as i64, tv_nsec: i64::from(silence.subsec_nanos()) };
            match poll(&mut [PollFd::new(self.socket, PollFlags::IN)], Some(&limit)) {
                Ok(0) if self.moved.load(Ordering::Relaxed) == before => return Err(Served::Silent(silence)),
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(Served::Untrusted(error.to_string())),
            }
        }
    }

    fn hear(&mut self, word: Word, body: Vec<u8>) -> Result<Option<Inspection>, Served> {
        match word {
            Word::NotConfined(why) if !self.confined => return Err(Served::Refused(why)),
            Word::Confined => self.confined = true,
            // Nothing counts that was read by somebody who was free.
            _ if !self.confined => return Err(Served::Untrusted("it read before it was confined".into())),
            Word::NotConfined(_) => return Err(Served::Untrusted("it says twice whether it is confined".into())),
            Word::Progress(event) => self.progress(event)?,
            Word::Ask(question) => self.answer(&question)?,
            Word::Keep { kind, key } => {
                let reply = self.keep(kind, &key, &body)?;
                self.reply(&reply, &[])?;
            }
            Word::Alone(key) => self.alone(key)?,
            Word::Found => return self.found(&body).map(Some),
            Word::Failed(told) => return Err(Served::Failed(told)),
        }
        Ok(None)
    }

    /// Passes on how it goes on with its own target; other targets and sandboxes are not its to speak of.
    fn progress(&self, event: Event) -> Result<(), Served> {
        let target = self.target.clone();
        let event = match event {
            Event::Layers { of, bytes, .. } => Event::Layers { target, of, bytes },
            Event::Layer { layer, done, of, bytes, cached, .. } => {
                Event::Layer { target, layer, done, of, bytes, cached }
            }
            Event::Unconfined { .. } => return Err(Served::Untrusted("it says that it is not confined".into())),
        };
        self.options.progress.tell(|| event);
        Ok(())
    }

    fn reply(&self, reply: &Reply, body: &[u8]) -> Result<(), Served> {
        wire::send(self.socket, reply, body, None).map_err(|_| Served::Gone)
    }

    fn stream(&self, theirs: &impl AsFd) -> Result<(), Served> {
        wire::send(self.socket, &Reply::Stream, &[], Some(theirs.as_fd())).map_err(|_| Served::Gone)
    }

    fn answer(&self, question: &Question) -> Result<(), Served> {
        if !matches!(question, Question::Blob { .. } | Question::Save) {
            return match self.provider.answer(question) {
                Ok(Answer::Given(given, bytes)) => self.reply(&Reply::Given(given), &bytes),
                Ok(Answer::Stream(_)) => Err(Served::Untrusted("it asks for a stream that is none".into())),
                Err(error) => self.reply(&Reply::Failed(Told::from(&error)), &[]),
            };
        }
        self.room()?;
        let (theirs, ours) = rustix::pipe::pipe().map_err(|error| Served::Untrusted(error.to_string()))?;
        // More at a time, fewer changes between the processes; a smaller pipe does it, too.
        rustix::pipe::fcntl_setpipe_size(&ours, PIECE_BYTES).ok();
        self.stream(&theirs)?;
        let (provider, moved, question) = (self.provider.clone(), self.moved.clone(), question.clone());
        // Ends with its source, or when nobody reads it any more.
        thread::spawn(move || pump(&provider, &question, &mut std::fs::File::from(ours), &moved));
        Ok(())
    }

    fn room(&self) -> Result<(), Served> {
        match Arc::strong_count(&self.moved) > STREAMS_MAX {
            true => Err(Served::Untrusted(format!("it reads more than {STREAMS_MAX} things at once"))),
            false => Ok(()),
        }
    }

    /// Writes an entry. A refusal costs the next scan time.
    fn keep(&mut self, kind: Kind, key: &str, entry: &[u8]) -> Result<Reply, Served> {
        if !wire::is_key(key) {
            return Err(Served::Untrusted("it wants to cache something under a key that is none".into()));
        }
        self.kept += entry.len() as u64;
        let Some(cache) = self.options.cache.as_ref().filter(|_| self.kept <= KEPT_BYTES_MAX && wire::has_room(entry))
        else {
            let full = io::Error::from(io::ErrorKind::QuotaExceeded);
            return Ok(Reply::Failed(Told::of(&full, None)));
        };
        let written = cache.put_encoded(kind, key, entry);
        if kind == Kind::Inventory {
            cache.prune().ok();
        }
        Ok(written.map_or_else(|error| Reply::Failed(Told::of(&error, None)), |()| Reply::Done))
    }

    /// Lets it be the only one to work on a layer, until it closes its end.
    fn alone(&self, key: String) -> Result<(), Served> {
        let Some(cache) = self.options.cache.clone().filter(|_| wire::is_key(&key)) else {
            return Err(Served::Untrusted("it wants to be alone with nothing".into()));
        };
        self.room()?;
        let (ours, theirs) = UnixStream::pair().map_err(|error| Served::Untrusted(error.to_string()))?;
        self.stream(&theirs)?;
        drop(theirs);
        let moved = self.moved.clone();
        thread::spawn(move || wait_for_end(&cache, &key, ours, &moved));
        Ok(())
    }

    fn found(&self, body: &[u8]) -> Result<Inspection, Served> {
        let inspection: Inspection = wire::decode(body).map_err(|error| Served::Untrusted(error.to_string()))?;
        match inspection.cached_key().is_none_or(wire::is_key) {
            true => Ok(inspection),
            false => Err(Served::Untrusted("it names an entry of the cache by a key that is none".into())),
        }
    }
}

fn wait_for_end(cache: &Cache, key: &str, mut lock: UnixStream, moved: &AtomicU64) {
    let _alone = cache.alone(key);
    moved.fetch_add(1, Ordering::Relaxed);
    if lock.write_all(&[1]).is_ok() {
        // Nothing comes; it ends.
        lock.read_exact(&mut [0]).ok();
    }
}

/// Hands over a stream in pieces.
fn pump(provider: &Provider, question: &Question, out: &mut impl Write, moved: &AtomicU64) {
    let told = match provider.answer(question) {
        Ok(Answer::Stream(mut stream)) => match copy(&mut stream, out, moved) {
            Ok(()) => return,
            // Its words are those that a reader in this process would have had.
            Err(error) => Told::of(error.get_ref().map_or(&error as &dyn std::error::Error, |inner| inner), None),
        },
        Ok(Answer::Given(..)) => Told::from(&SourceError::NoLayers { target: "this".into() }),
        Err(error) => Told::from(&error),
    };
    if let Ok(reason) = wire::encode(&told) {
        // Who is gone needs no reason.
        out.write_all(&Piece::Broken.header()).and_then(|()| out.write_all(&reason)).ok();
    }
}

fn copy(stream: &mut dyn Read, out: &mut impl Write, moved: &AtomicU64) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return out.write_all(&Piece::End.header()),
            Ok(count) => {
                out.write_all(&Piece::Bytes(count as u32).header())?;
                out.write_all(&piece[..count])?;
                moved.fetch_add(count as u64, Ordering::Relaxed);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
