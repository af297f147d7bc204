//! The table of prefixes: what may stand before the colon of a target, and what then follows.
//!
//! Adding a kind of target is one line here, beside what reads it.

use std::path::PathBuf;

use engines::EngineKind;

use super::{GitUrl, Target, TargetError, container, engine, located, reference, registry};

/// One prefix of targets.
#[derive(Debug)]
pub struct Prefix {
    /// What stands before the colon.
    pub name: &'static str,
    /// One line for people who choose.
    pub doc: &'static str,
    /// Reads the whole argument and what follows the colon.
    pub(super) parse: fn(&str, &str) -> Result<Target, TargetError>,
}

/// Every prefix, in the order that people are shown them.
pub const PREFIXES: &[Prefix] = &[
    Prefix { name: "registry", doc: "an image in its registry, whatever engines have", parse: registry },
    Prefix {
        name: "docker",
        doc: "an image that Docker has",
        parse: |text, rest| engine(text, EngineKind::Docker, rest),
    },
    Prefix {
        name: "podman",
        doc: "an image that Podman has",
        parse: |text, rest| engine(text, EngineKind::Podman, rest),
    },
    Prefix {
        name: "containerd",
        doc: "an image that containerd has",
        parse: |text, rest| engine(text, EngineKind::Containerd, rest),
    },
    Prefix { name: "container", doc: "a container of Docker's or Podman's, and what it changed", parse: container },
    Prefix {
        name: "docker-archive",
        doc: "a file that `docker save` wrote",
        parse: |text, rest| Ok(Target::DockerArchive(located(text, rest, "file")?)),
    },
    Prefix {
        name: "oci-dir",
        doc: "a directory in OCI image layout",
        parse: |text, rest| Ok(Target::OciDir(located(text, rest, "directory")?)),
    },
    Prefix {
        name: "oci-archive",
        doc: "a tar file of an OCI image layout",
        parse: |text, rest| Ok(Target::OciArchive(located(text, rest, "file")?)),
    },
    Prefix {
        name: "dir",
        doc: "a root file system or a source tree",
        parse: |text, rest| path(text, rest, "directory").map(Target::Dir),
    },
    Prefix {
        name: "file",
        doc: "one file: a lock file, a program, a jar",
        parse: |text, rest| path(text, rest, "file").map(Target::File),
    },
    Prefix { name: "git", doc: "a git working tree, or the newest commit of a repository elsewhere", parse: git },
    Prefix { name: "host", doc: "this machine, as it runs", parse: host },
    Prefix {
        name: "sbom",
        doc: "a bill of materials: CycloneDX or SPDX",
        parse: |text, rest| path(text, rest, "file").map(Target::Sbom),
    },
];

fn path(text: &str, rest: &str, wanted: &'static str) -> Result<PathBuf, TargetError> {
    match rest {
        "" => Err(TargetError::Empty { text: text.into(), wanted }),
        rest => Ok(PathBuf::from(rest)),
    }
}

fn git(text: &str, rest: &str) -> Result<Target, TargetError> {
    if rest.contains("://") {
        let wrong = |detail| TargetError::GitUrl { text: text.into(), detail };
        return GitUrl::parse(rest).map(Target::GitUrl).map_err(wrong);
    }
    path(text, rest, "directory").map(Target::Git)
}

/// An image may be called `host`, but not have an empty tag.
fn host(text: &str, rest: &str) -> Result<Target, TargetError> {
    match rest {
        "" => Ok(Target::Host),
        _ => reference(text, text).map(Target::Image),
    }
}
