//! Builds the program so that where and when it was built cannot be seen in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::image::Moment;
use crate::machine::{self, has, say};

use super::audit;

/// One sort of machine to build for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// The processor in Rust's word, which compilers for it also use.
    processor: &'static str,
    /// The same in Debian's word, which is OCI's.
    architecture: &'static str,
    /// The C library in Rust's word: `musl` or `gnu`.
    library: &'static str,
}

/// In order of preference for each processor.
const KINDS: &[Kind] = &[
    Kind { processor: "x86_64", architecture: "amd64", library: "musl" },
    Kind { processor: "x86_64", architecture: "amd64", library: "gnu" },
    Kind { processor: "aarch64", architecture: "arm64", library: "musl" },
    Kind { processor: "aarch64", architecture: "arm64", library: "gnu" },
];

/// Everything linked in; and no number made of what the linker saw, which has symbols that are stripped afterwards.
const FLAGS: &str = "-Ctarget-feature=+crt-static -Clink-arg=-Wl,--build-id=none";

impl Kind {
    /// The best kind for each processor that this machine can build for, after installing what can be had for it. Why the
    /// others are not built is said.
    pub(super) fn possible() -> Result<Vec<Self>> {
        let mut possible: Vec<Self> = Vec::new();
        for kind in KINDS {
            if possible.iter().any(|better| better.architecture == kind.architecture) {
                continue;
            }
            match kind.prepare() {
                Ok(()) => possible.push(*kind),
                Err(why) => say(&format!("not building for {}: {why:#}", kind.target())),
            }
        }
        if possible.is_empty() {
            bail!("this machine can build for nothing that is released");
        }
        Ok(possible)
    }

    /// Rust's name for it.
    pub(super) fn target(&self) -> String {
        format!("{}-unknown-linux-{}", self.processor, self.library)
    }

    /// Brings its standard library and C compiler where they are missing.
    fn prepare(&self) -> Result<()> {
        if !self.has_standard_library()? {
            let mut rustup = Command::new("rustup");
            rustup.args(["target", "add", &self.target()]);
            machine::run(rustup).context("its standard library is missing")?;
        }
        let Some(cc) = self.cc().filter(|cc| !has(cc)) else { return Ok(()) };
        match self.cc_packages() {
            Some(packages) => machine::install_packages(&packages.iter().map(String::as_str).collect::<Vec<_>>()),
            None => bail!("its C compiler `{cc}` is missing"),
        }
    }

    fn has_standard_library(&self) -> Result<bool> {
        let mut rustc = Command::new("rustc");
        let directory = machine::output(rustc.args(["--print", "target-libdir", "--target", &self.target()]))?;
        Ok(fs::read_dir(directory.trim()).is_ok_and(|mut files| files.next().is_some()))
    }

    /// The C compiler; none means the one that Rust uses anyway.
    fn cc(&self) -> Option<String> {
        match (self.is_native(), self.library) {
            (true, "gnu") => None,
            (true, _) => Some("musl-gcc".into()),
            (false, library) => Some(format!("{}-linux-{library}-gcc", self.processor)),
        }
    }

    /// The binary utilities know their own processor only.
    fn objcopy(&self) -> String {
        if self.is_native() { "objcopy".into() } else { format!("{}-linux-gnu-objcopy", self.processor) }
    }

    /// What brings the C compiler on Debian, which has no compiler for musl on other processors.
    fn cc_packages(&self) -> Option<Vec<String>> {
        match (self.is_native(), self.library) {
            (true, _) => Some(vec!["musl-tools".into()]),
            (false, "gnu") => Some(vec![
                format!("gcc-{}-linux-gnu", self.processor.replace('_', "-")),
                format!("libc6-dev-{}-cross", self.architecture),
            ]),
            (false, _) => None,
        }
    }

    /// Whether its programs run here.
    pub(super) fn is_native(&self) -> bool {
        self.processor == std::env::consts::ARCH
    }

    /// The program of qemu that runs its programs where the processor is another.
    pub(super) fn emulator(&self) -> String {
        format!("qemu-{}-static", self.processor)
    }

    /// The processor in Debian's words, which are OCI's.
    pub(super) fn package(&self) -> &'static str {
        self.architecture
    }
}

/// Builds, and puts the list of dependencies into the program.
pub(super) fn build(root: &Path, kind: &Kind, made: &Moment) -> Result<PathBuf> {
    let (target, triple) = (root.join("target/dist-build"), kind.target());
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let cargo_home = cargo_home.context("neither CARGO_HOME nor HOME is set")?;
    let places = [(root, "/dogwatch"), (cargo_home.as_path(), "/cargo")];
    let c: Vec<String> = places.iter().map(|(from, to)| format!("-ffile-prefix-map={}={to}", from.display())).collect();
    fs::create_dir_all(&target)?;
    let wrapper = wrapper(&target, &places)?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["build", "--release", "--locked", "-p", "dogwatch", "--target", &triple]);
    cargo.arg("--target-dir").arg(&target);
    cargo.env("RUSTC_WRAPPER", wrapper).env("RUSTFLAGS", FLAGS);
    cargo.env("CFLAGS", c.join(" ")).env("SOURCE_DATE_EPOCH", made.seconds.to_string()).env("CARGO_INCREMENTAL", "0");
    if let Some(cc) = kind.cc() {
        let name = triple.replace('-', "_");
        cargo.env(format!("CC_{name}"), &cc);
        // Not musl-gcc: Rust brings musl's start files itself, and with those of musl-gcc the program crashes at its start.
        if !kind.is_native() {
            cargo.env(format!("CARGO_TARGET_{}_LINKER", name.to_uppercase()), cc);
        }
    }
    let status = cargo.status().context("cargo cannot be started")?;
    if !status.success() {
        bail!("the build for {triple} failed");
    }
    let built = target.join(&triple).join("release/dogwatch");
    let finished = target.join(&triple).join("dogwatch");
    audit::put_into(&built, &finished, &audit::list(root, &triple)?, &kind.objcopy())?;
    Ok(finished)
}

/// A program that calls the compiler so that it writes other paths than it reads. Among cargo's own flags the paths would
/// become part of every crate's identity, and with it of the order of things in the program.
fn wrapper(target: &Path, places: &[(&Path, &str)]) -> Result<PathBuf> {
    let path = target.join("rustc-elsewhere");
    let quoted = |text: String| format!("'{}'", text.replace('\'', r"'\''"));
    let maps = places.iter().map(|(from, to)| quoted(format!("--remap-path-prefix={}={to}", from.display())));
    fs::write(&path, format!("#!/bin/sh\nexec \"$@\" {}\n", maps.collect::<Vec<_>>().join(" ")))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}
