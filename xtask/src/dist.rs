//! `make dist`: what is released, in `target/dist`. The same commit is to give the same bytes, wherever it is built with the
//! same toolchain; `--check` builds a second time, in a clone elsewhere, and compares.
//!
//! ```text
//! binary ── its dependencies inside ── SBOM (our own scan) ── archive, Debian package, image ── SHA256SUMS
//! build       audit                     package                 package                            package
//! ```
//!
//! Static binaries: musl's where `rustup target add` brings it and there is a C compiler for it, else glibc linked statically, which
//! looks names up by DNS and `/etc/hosts` only. Nothing here is signed: keys are not a build's to have.

pub mod audit;
mod build;
pub mod package;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::image::Moment;
use crate::machine::{self, say, tool};
use build::Kind;
use package::Release;

/// What packaging needs beside a Rust toolchain.
const TOOLS: &[machine::Tool] =
    &[tool("dpkg-deb", "dpkg"), tool("objcopy", "binutils"), tool("xz", "xz-utils"), tool("git", "git")];

/// Builds and packages this commit; with `check` twice.
pub fn run(check: bool) -> Result<()> {
    machine::install(TOOLS)?;
    let root = &crate::root();
    if !changed_files(root)?.is_empty() {
        say("there are changes that are not committed: what is built is no commit's, and nobody can build it again");
    }
    let first = release(root)?;
    if check {
        compare(root, &first)?;
    }
    Ok(())
}

/// Everything for each kind of machine that this one can build for; the directory it is in.
fn release(root: &Path) -> Result<PathBuf> {
    let out = root.join("target/dist");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir_all(&out)?;
    let made = moment(root)?;
    let mut programs = Vec::new();
    for kind in Kind::possible()? {
        say(&format!("building for {}", kind.target()));
        let binary = build::build(root, &kind, &made)?;
        starts_alone(&binary, &kind)?;
        programs.push((kind, binary));
    }
    // Another architecture's program cannot write its own pages and bills of materials.
    let native = programs.iter().find(|(kind, _)| kind.is_native());
    let speaker = &native.context("this machine cannot build for itself")?.1;
    for (kind, binary) in &programs {
        Release { kind: kind.package(), binary, speaker, made: &made, root }.write(&out)?;
    }
    package::sums(&out)?;
    let names = fs::read_dir(&out)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    say(&format!("in {}: {}", out.display(), names.join(", ")));
    Ok(out)
}

/// Starts the program where nothing else is, as in the image; for another processor in its emulator, where that is here.
fn starts_alone(binary: &Path, kind: &Kind) -> Result<()> {
    let empty = tempfile::tempdir()?;
    fs::copy(binary, empty.path().join("dogwatch"))?;
    let mut start = if kind.is_native() && machine::is_root() {
        let mut chroot = Command::new("chroot");
        chroot.arg(empty.path()).arg("/dogwatch");
        chroot
    } else if !kind.is_native() && machine::has(&kind.emulator()) {
        let mut emulator = Command::new(kind.emulator());
        emulator.arg(empty.path().join("dogwatch"));
        emulator
    } else {
        say(
            "not tried whether the program starts where nothing else is: that takes root, and a processor of its kind or qemu",
        );
        return Ok(());
    };
    let said = machine::output(start.arg("--version"))?;
    say(&format!("{} starts alone: {}", kind.target(), said.trim()));
    Ok(())
}

/// When the commit that is checked out was made.
fn moment(root: &Path) -> Result<Moment> {
    let mut git = Command::new("git");
    git.arg("-C").arg(root).args(["log", "-1", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "--format=%ct %cd"]);
    let said = machine::output(git.env("TZ", "UTC"))?;
    let (seconds, text) = said.trim().split_once(' ').context("git says no time")?;
    Ok(Moment { seconds: seconds.parse()?, text: text.to_owned() })
}

fn changed_files(root: &Path) -> Result<String> {
    machine::output(Command::new("git").arg("-C").arg(root).args(["status", "--porcelain", "--untracked-files=no"]))
}

/// Builds the same commit from a clone in another directory, and compares every file.
fn compare(root: &Path, first: &Path) -> Result<()> {
    let elsewhere = tempfile::Builder::new().prefix("dogwatch-dist-").tempdir()?;
    let clone = elsewhere.path().join("a/clone/somewhere/else");
    say(&format!("building once more, in {}", clone.display()));
    machine::output(Command::new("git").args(["clone", "--quiet", "--no-hardlinks"]).arg(root).arg(&clone))?;
    let second = release(&clone)?;
    let sums = |directory: &Path| fs::read_to_string(directory.join(package::SUMS));
    let (first, second) = (sums(first)?, sums(&second)?);
    ensure!(first == second, "the two builds differ:\n{first}\n{second}");
    say("both builds are the same, byte for byte");
    Ok(())
}
