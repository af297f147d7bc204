//! Reads strangers' files in a process that can do nothing else.
//!
//! ```text
//! this process                        the reading process
//! ────────────                        ───────────────────
//! asks registries and engines         is confined (`confine`), then reads the target
//! runs git                    socket  documents, archives, layers, packages
//! writes the cache          ◀───────▶ asks for what is elsewhere, says what to cache
//! judges and reports        (`wire`)  says what it found
//! ```
//!
//! This process hands over what registries and engines send and reads nothing of it. It starts its own program again, so
//! that the reading process shares no memory, no credentials, no environment and no open file with it, and believes nothing
//! that comes back: [`wire`] has the bounds, [`serve`] the rules.
//!
//! **Not here:** a container's files are read by this process, because only root itself sees what an overlay hides. The
//! program git runs outside, too; `source::git` says what it is kept from. What a captured reader could still do is lie
//! about what it was to read: docs/adr/ has the consequence for the cache.

pub mod confine;
mod link;
mod reader;
mod serve;
mod told;
mod wire;

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::error::ScanError;
use crate::inspect::{InspectOptions, Inspection, Prepared, spool_directory};
use crate::progress::Event;
use crate::target::Target;

use confine::{Confinement, NOBODY};
pub use reader::{READER, run_if_called};
use serve::{Patience, Served};
pub use told::Told;
use wire::Job;

/// Whether a target is read in a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sandboxing {
    /// By this process itself.
    #[default]
    Off,
    /// In a sandbox where the kernel and the target allow it; else by this process, which tells
    /// [`Event::Unconfined`].
    WherePossible,
    /// In a sandbox, or not at all.
    Required,
}

/// Whether this process is root's.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// How long the reading process may say nothing and get nothing. Its longest silence is one layer of 64 GiB from disk.
const SILENCE_MAX: Duration = Duration::from_secs(30 * 60);

/// How long it may take in all. An image of 64 GiB from a slow registry (1 MB in a second) takes 19 hours.
const WHOLE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Why nothing was read in a sandbox, or what became of the reading process.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It cannot be confined here.
    #[error("no sandbox is possible here: {why}")]
    Impossible {
        /// Why not.
        why: String,
    },
    /// The target is one that only this process can read.
    #[error("`{target}` cannot be read in a sandbox: {why}")]
    Target {
        /// The target.
        target: String,
        /// Why not.
        why: &'static str,
    },
    /// It ended before it had an answer.
    #[error("the sandboxed process that read the target {how}")]
    Ended {
        /// How it ended.
        how: String,
    },
    /// It said and got nothing for a long time, and was ended.
    #[error("the sandboxed process that read the target did nothing for {} minutes", silence.as_secs() / 60)]
    Silent {
        /// How long.
        silence: Duration,
    },
    /// It took too long, whatever it said, and was ended.
    #[error("the sandboxed process that read the target took more than {} hours", limit.as_secs() / 3600)]
    Slow {
        /// How long it may take.
        limit: Duration,
    },
    /// It said what a reading process never says, and was ended.
    #[error("the sandboxed process that read the target is not to be trusted: {detail}")]
    Untrusted {
        /// What it said.
        detail: String,
    },
}

impl SandboxError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Impossible { .. } | Self::Target { .. } => {
                "leave `--sandbox` out if you trust what is scanned".into()
            }
            Self::Ended { .. } | Self::Silent { .. } | Self::Slow { .. } | Self::Untrusted { .. } => {
                "do not run this image; if you trust where it is from, please report it, and scan with `--no-sandbox`"
                    .into()
            }
        })
    }
}

/// Why a container is no target for a sandbox.
const CONTAINER: &str = "only root itself sees what its overlay hides";

/// Looks into a target in a sandbox. None when that is not possible and not required.
pub(crate) fn look(prepared: &Prepared<'_>, options: &InspectOptions) -> Result<Option<Inspection>, ScanError> {
    let looked = match prepared.target {
        Target::Container(name) => {
            Err(SandboxError::Target { target: format!("container:{name}"), why: CONTAINER }.into())
        }
        _ => start(prepared, options),
    };
    match looked {
        Ok(inspection) => Ok(Some(inspection)),
        Err(ScanError::Sandbox(error @ (SandboxError::Impossible { .. } | SandboxError::Target { .. })))
            if options.sandbox == Sandboxing::WherePossible =>
        {
            options.progress.tell(|| Event::Unconfined { target: prepared.named.clone(), why: error.to_string() });
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn start(prepared: &Prepared<'_>, options: &InspectOptions) -> Result<Inspection, ScanError> {
    let impossible = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| SandboxError::Impossible { why: format!("{what}: {error}") }
    };
    let from_root = is_root();
    let spool = tempfile::tempdir_in(spool_directory(options)).map_err(impossible("a directory for it"))?;
    if from_root {
        chown(spool.path(), Some(NOBODY), Some(NOBODY)).map_err(impossible("a directory for it"))?;
    }
    let cache = options.cache.as_ref().map(|cache| cache.root().to_owned());
    let mut readable = local_files(prepared.target);
    readable.extend(cache.clone());
    let job = Job {
        target: prepared.target.clone(),
        platform: options.source.platform.clone(),
        offline: options.source.offline,
        cache,
        bases: options.bases.clone(),
        kept: Confinement { readable, spool: spool.path().to_owned(), from_root },
    };
    let (ours, theirs) = UnixStream::pair().map_err(impossible("a socket"))?;
    let mut reader = Reader(command(theirs.into(), spool.path().into()).spawn().map_err(impossible("a process"))?);
    let patience = Patience { silence: SILENCE_MAX, whole: WHOLE_MAX };
    let served = serve::serve(&ours, &job, prepared.contents.as_ref(), options, patience);
    let status = reader.end();
    match served {
        Ok(found) => Ok(found),
        Err(Served::Failed(told)) => Err(told.into()),
        Err(Served::Refused(why)) => Err(SandboxError::Impossible { why }.into()),
        Err(Served::Silent(silence)) => Err(SandboxError::Silent { silence }.into()),
        Err(Served::Slow(limit)) => Err(SandboxError::Slow { limit }.into()),
        Err(Served::Untrusted(detail)) => Err(SandboxError::Untrusted { detail }.into()),
        Err(Served::Gone) => Err(SandboxError::Ended { how: ended(status) }.into()),
    }
}

/// Whether some bytes are what a reading process says. For those who try strange ones.
pub fn understands(bytes: &[u8]) -> bool {
    wire::decode::<wire::Word>(bytes).is_ok() || wire::decode::<Inspection>(bytes).is_ok()
}

/// What of this machine's files belongs to a target.
fn local_files(target: &Target) -> Vec<PathBuf> {
    match target {
        Target::DockerArchive(located) | Target::OciArchive(located) | Target::OciDir(located) => {
            vec![located.path.clone()]
        }
        Target::Dir(path) | Target::Git(path) | Target::Sbom(path) => vec![path.clone()],
        // A file is reached through its directory. One that is not there is the reading process' to report.
        Target::File(path) => {
            path.canonicalize().ok().and_then(|real| Some(real.parent()?.to_owned())).into_iter().collect()
        }
        Target::Host => vec!["/".into()],
        Target::Image(_) | Target::Registry(_) | Target::Engine(..) | Target::GitUrl(_) | Target::Container(_) => {
            Vec::new()
        }
    }
}

/// This program again, with nothing of ours but one end of a socket.
fn command(socket: OwnedFd, spool: OsString) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("dogwatch").arg(READER).env_clear().env("TMPDIR", spool);
    command.stdin(Stdio::from(socket)).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Ends with what started it.
struct Reader(Child);

impl Reader {
    /// Ends it, unless it has ended by itself.
    fn end(&mut self) -> Option<ExitStatus> {
        // One that closed its socket is about to end.
        for _ in 0..50 {
            match self.0.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) => std::thread::sleep(Duration::from_millis(1)),
                Err(_) => break,
            }
        }
        self.0.kill().ok();
        self.0.wait().ok()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// How it ended, in words that say which bound it may have run into.
fn ended(status: Option<ExitStatus>) -> String {
    match status.and_then(|status| status.signal()) {
        // What Rust does when there is no memory.
        Some(6) => "was out of memory, or failed".into(),
        Some(9 | 24) => "was ended: it took too much memory or processor time".into(),
        Some(signal) => format!("was ended by signal {signal}"),
        None => "ended without an answer".into(),
    }
}
