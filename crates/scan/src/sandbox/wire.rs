//! What the two processes say to each other over one socket: a head in MessagePack and, after it, bytes that only some heads
//! have. The lengths of both come first, and both have bounds. A file descriptor may come with a reply.
//!
//! The parent believes nothing it reads here: a length beyond its bound, an unknown word, a key that is none ends the scan.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use model::digest::Digest;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::bases::Bases;
use crate::cache::Kind;
use crate::progress::Event;
use crate::source::Platform;
use crate::source::provide::{Given, Question};
use crate::target::Target;

use super::confine::Confinement;
use super::told::Told;

/// The longest head: a few names of layers and images; the lists of base images and of a working tree's files are bodies.
const HEAD_BYTES_MAX: u32 = 4 << 20;

/// The longest body: what is in an image of some millions of files. What does not fit is not cached, or ends the scan.
pub(super) const BODY_BYTES_MAX: u64 = 1 << 30;

/// The most values that one message has: a value of one byte may become a structure of some hundred, so that bytes alone are
/// no bound on memory. An image with 100,000 packages has some six million.
const VALUES_MAX: usize = 32 << 20;

/// How deep values lie in each other: findings some ten, an error with all its causes less than fifty.
const DEPTH_MAX: usize = 128;

/// What is to be read, and how. Only the parent writes it; the body is what git says of a working tree.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) target: Target,
    pub(super) platform: Option<Platform>,
    pub(super) offline: bool,
    pub(super) cache: Option<PathBuf>,
    pub(super) bases: Bases,
    pub(super) kept: Confinement,
}

/// What the reading process says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Word {
    /// It is confined, and begins.
    Confined,
    /// It could not be confined, and has read nothing.
    NotConfined(String),
    /// How it goes on.
    Progress(Event),
    /// It needs something from elsewhere.
    Ask(Question),
    /// Something worth caching: the body is the entry.
    Keep { kind: Kind, key: String },
    /// It wants to be the only one to work on a layer.
    Alone(String),
    /// What it found: the body is an [`crate::inspect::Inspection`].
    Found,
    /// Why it found nothing.
    Failed(Told),
}

/// What the parent answers to [`Word::Ask`], [`Word::Keep`] and [`Word::Alone`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// It is done.
    Done,
    /// Here it is; documents are in the body.
    Given(Given),
    /// It comes through the descriptor that comes with this.
    Stream,
    /// It cannot be had.
    Failed(Told),
}

/// What is in a stream: pieces with their length before them, and at the end an empty one or a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Bytes(u32),
    End,
    Broken,
}

impl Piece {
    pub(super) fn header(self) -> [u8; 4] {
        match self {
            Self::Bytes(count) => count.to_le_bytes(),
            Self::End => [0; 4],
            Self::Broken => [0xff; 4],
        }
    }

    pub(super) fn of(header: [u8; 4]) -> Self {
        match u32::from_le_bytes(header) {
            0 => Self::End,
            u32::MAX => Self::Broken,
            count => Self::Bytes(count),
        }
    }
}

pub(super) fn encode<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    rmp_serde::to_vec_named(value).map_err(io::Error::other)
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    let invalid = |error: rmp_serde::decode::Error| io::Error::new(io::ErrorKind::InvalidData, error);
    if !has_room(bytes) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it says more than {VALUES_MAX} values")));
    }
    let mut decoder = rmp_serde::Deserializer::from_read_ref(bytes);
    decoder.set_max_depth(DEPTH_MAX);
    T::deserialize(&mut decoder).map_err(invalid)
}

/// Whether a message has few enough values to be kept in memory.
pub(super) fn has_room(bytes: &[u8]) -> bool {
    values(bytes).nth(VALUES_MAX).is_none()
}

/// The first byte of each value, those inside others after what they are in. Nothing recurses, and nothing is kept.
///
/// Source: MessagePack specification, "Formats".
fn values(mut rest: &[u8]) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let (&first, after) = rest.split_first()?;
        let number = |size: usize| after.iter().take(size).fold(0, |number, byte| number << 8 | usize::from(*byte));
        let length = match first {
            0xa0..=0xbf => usize::from(first & 0x1f),
            0xc4 | 0xd9 => 1 + number(1),
            0xc5 | 0xda => 2 + number(2),
            0xc6 | 0xdb => 4 + number(4),
            0xc7 => 2 + number(1),
            0xc8 => 3 + number(2),
            0xc9 => 5 + number(4),
            0xcc | 0xd0 => 1,
            0xcd | 0xd1 | 0xdc | 0xde => 2,
            0xca | 0xce | 0xd2 | 0xdd | 0xdf => 4,
            0xcb | 0xcf | 0xd3 => 8,
            0xd4..=0xd8 => 1 + (1 << (first - 0xd4)),
            // Numbers, and beginnings of lists and maps, that are one byte.
            _ => 0,
        };
        rest = after.get(length..).unwrap_or_default();
        Some(first)
    })
}

/// One thing that was heard: head, body, and the descriptor that came with them.
pub(super) type Heard<T> = (T, Vec<u8>, Option<OwnedFd>);

pub(super) fn too_much() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "it is too much to be handed over")
}

/// Says one thing.
pub(super) fn send<T: Serialize>(
    socket: &UnixStream,
    head: &T,
    body: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let head = encode(head)?;
    if head.len() > HEAD_BYTES_MAX as usize || body.len() as u64 > BODY_BYTES_MAX {
        return Err(too_much());
    }
    let mut message = Vec::with_capacity(12 + head.len());
    message.extend((head.len() as u32).to_le_bytes());
    message.extend((body.len() as u64).to_le_bytes());
    message.extend(head);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut with = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<BorrowedFd<'_>> = descriptor.into_iter().collect();
    if !descriptors.is_empty() {
        with.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    let sent = sendmsg(socket, &[IoSlice::new(&message)], &mut with, SendFlags::NOSIGNAL)?;
    let mut writer = socket;
    writer.write_all(&message[sent..])?;
    writer.write_all(body)
}

/// Hears one thing; none when the other side is gone. `descriptors` are taken only by the reading process.
pub(super) fn receive<T: DeserializeOwned>(socket: &UnixStream, descriptors: bool) -> io::Result<Option<Heard<T>>> {
    let (mut lengths, mut filled, mut descriptor) = ([0; 12], 0, None);
    while filled < lengths.len() {
        let count = match descriptors {
            true => with_descriptor(socket, &mut lengths[filled..], &mut descriptor)?,
            false => (&mut &*socket).read(&mut lengths[filled..])?,
        };
        match count {
            0 if filled == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    let (head, body) = lengths.split_at(4);
    let head = u32::from_le_bytes(head.try_into().expect("four bytes"));
    let body = u64::from_le_bytes(body.try_into().expect("eight bytes"));
    if head > HEAD_BYTES_MAX || body > BODY_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it wants to say {head} and {body} bytes")));
    }
    let head = decode(&exactly(socket, head.into())?)?;
    Ok(Some((head, exactly(socket, body)?, descriptor)))
}

/// Grows with what comes, not with what was promised.
fn exactly(socket: &UnixStream, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    socket.take(count).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < count {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

fn with_descriptor(socket: &UnixStream, buffer: &mut [u8], descriptor: &mut Option<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut with = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut with, RecvFlags::CMSG_CLOEXEC)?;
    for message in with.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            *descriptor = descriptors.last().or(descriptor.take());
        }
    }
    Ok(received.bytes)
}

/// Whether a key is what [`crate::cache::key`] or a digest gives. A path would lead out of the cache.
pub(super) fn is_key(key: &str) -> bool {
    Digest::parse(&format!("sha256:{key}")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted() {
        let long = "x".repeat(70_000);
        let said = (1u8, -3i64, u64::MAX, 1.5f64, "short", "x".repeat(200), long, vec![Some(true), None], [("k", 1)]);
        let bytes = rmp_serde::to_vec_named(&said).unwrap();
        // The tuple, seven values, a list of two, a list of a pair of two.
        assert_eq!(values(&bytes).count(), 1 + 7 + 3 + 4);
        let blobs = [&[0xc4, 2, 0, 0], &[0xd4, 0, 0, 0xc0][..], &[0xc7, 1, 0, 0]].concat();
        assert_eq!(values(&blobs).count(), 4);
        assert_eq!(values(&[0xdb, 0xff, 0xff, 0xff, 0xff, 0]).count(), 1, "it is cut");
    }

    #[test]
    fn few_bytes_do_not_become_much_memory() {
        // A list that promises as many empty texts as it has.
        let count = VALUES_MAX as u32;
        let bytes = [&[0xdd], &count.to_be_bytes()[..], &vec![0xa0; VALUES_MAX]].concat();
        let error = decode::<Vec<String>>(&bytes).unwrap_err();
        assert_eq!(error.to_string(), "it says more than 33554432 values");
    }

    /// An error within an error without end would need as much stack.
    #[test]
    fn nothing_lies_too_deep() {
        let mut bytes = Vec::new();
        for _ in 0..1000 {
            bytes.extend(b"\x83\xa4text\xa1x\xa4hint\xc0\xa5cause");
        }
        bytes.push(0xc0);
        assert_eq!(decode::<Told>(&bytes).unwrap_err().to_string(), "depth limit exceeded");
    }

    #[test]
    fn our_longest_chain_of_causes_is_understood() {
        let mut error: Box<dyn std::error::Error + Send + Sync> = "the last".into();
        for _ in 0..40 {
            error = Box::new(Told::of(&Because(error), None));
        }
        let told = Told::of(&*error, None);
        assert_eq!(decode::<Told>(&encode(&told).unwrap()).unwrap(), told);
    }

    #[derive(Debug, thiserror::Error)]
    #[error("because")]
    struct Because(#[source] Box<dyn std::error::Error + Send + Sync>);
}
