//! The reading process: takes a job, gives up everything else, reads, says what it found.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;

use crate::cache::Cache;
use crate::error::ScanError;
use crate::exclude::Exclude;
use crate::inspect::{InspectOptions, Inspection, image_catalogers, look};
use crate::progress::Progress;
use crate::source::{Outside, RegistryOptions, SourceOptions};

use super::Sandboxing;
use super::confine::confine;
use super::link::Link;
use super::told::Told;
use super::wire::{self, Job, Word};

/// The argument that makes a program a reading process.
pub const READER: &str = "--read-for-parent";

/// Becomes a reading process if this program was started as one. A program that scans in a sandbox calls it first of all,
/// before it has threads, and ends with what it returns.
pub fn run_if_called() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != READER || arguments.next().is_some() {
        return None;
    }
    // Whoever waits hears of a failure by the end of the socket.
    Some(run().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}

fn run() -> io::Result<()> {
    close_inherited();
    let link = Link::new(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?));
    let (job, contents, _): (Job, _, _) = link.hear()?;
    if let Err(why) = confine(&job.kept) {
        return link.say(&Word::NotConfined(why), &[]);
    }
    link.say(&Word::Confined, &[])?;
    let listed = (!contents.is_empty()).then(|| wire::decode(&contents)).transpose()?;
    let options = options(&job, &link);
    let looked = catch_unwind(AssertUnwindSafe(|| look(&job.target, listed.as_ref(), &options)));
    match looked {
        Ok(Ok(inspection)) => found(&link, &inspection),
        Ok(Err(error)) => link.say(&Word::Failed(Told::from(&error)), &[]),
        Err(_) => link.say(&Word::Failed(Told::from(&ScanError::Internal)), &[]),
    }
}

fn found(link: &Link, inspection: &Inspection) -> io::Result<()> {
    let body = wire::encode(inspection)?;
    let said = match wire::has_room(&body) {
        true => link.say(&Word::Found, &body),
        false => Err(wire::too_much()),
    };
    said.or_else(|error| link.say(&Word::Failed(Told::of(&error, None)), &[]))
}

fn options(job: &Job, link: &Arc<Link>) -> InspectOptions {
    let catalogers = image_catalogers();
    let cache = job.cache.as_ref().map(|root| Cache::new(root, &catalogers).kept_by(link.clone(), &job.kept.spool));
    let listener = link.clone();
    InspectOptions {
        source: SourceOptions {
            platform: job.platform.clone(),
            spool_dir: Some(job.kept.spool.clone()),
            offline: job.offline,
            registry: RegistryOptions::default(),
            outside: Some(Outside(link.clone())),
        },
        cache,
        bases: job.bases.clone(),
        exclude: Exclude::default(),
        progress: Progress::to(move |event| listener.tell(event)),
        sandbox: Sandboxing::Off,
    }
}

/// Closes what a careless caller left open for all its descendants.
fn close_inherited() {
    // SAFETY: nothing of this process is open yet beyond the standard streams, so nobody loses a descriptor. An old kernel
    // that does not know the call leaves them open.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
}
