//! Builds the program so that where and when it was built cannot be seen in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::image::Moment;
use crate::machine::{self, has, say};

use super::audit;

/// One sort of machine to build for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    /// Rust's name for it.
    pub(super) target: &'static str,
    /// Debian's name for the processor.
    architecture: &'static str,
    /// The C compiler, which also links.
    cc: Option<&'static str>,
}

/// In order of preference for each processor.
const KINDS: &[Kind] = &[
    Kind { target: "x86_64-unknown-linux-musl", architecture: "amd64", cc: Some("musl-gcc") },
    Kind { target: "x86_64-unknown-linux-gnu", architecture: "amd64", cc: None },
    Kind { target: "aarch64-unknown-linux-musl", architecture: "arm64", cc: Some("aarch64-linux-musl-gcc") },
    Kind { target: "aarch64-unknown-linux-gnu", architecture: "arm64", cc: Some("aarch64-linux-gnu-gcc") },
];

impl Kind {
    /// The best kind for each processor that this machine can build for. What is missing for the others is said.
    pub(super) fn possible() -> Result<Vec<Self>> {
        let mut possible: Vec<Self> = Vec::new();
        for kind in KINDS {
            if possible.iter().any(|better| better.architecture == kind.architecture) {
                continue;
            }
            match kind.missing()? {
                Some(what) => say(&format!("not building for {}: {what}", kind.target)),
                None => possible.push(kind.clone()),
            }
        }
        if possible.is_empty() {
            bail!("this machine can build for nothing that is released");
        }
        Ok(possible)
    }

    fn missing(&self) -> Result<Option<String>> {
        let libraries =
            machine::output(Command::new("rustc").args(["--print", "target-libdir", "--target", self.target]))?;
        let is_there = fs::read_dir(libraries.trim()).is_ok_and(|mut files| files.next().is_some());
        if !is_there {
            return Ok(Some(format!("`rustup target add {}` would bring its standard library", self.target)));
        }
        let compiler = if self.is_native() { self.cc.filter(|_| self.target.ends_with("musl")) } else { self.cc };
        Ok(compiler.filter(|cc| !has(cc)).map(|cc| format!("its C compiler `{cc}` is missing")))
    }

    /// Whether its programs run here.
    pub(super) fn is_native(&self) -> bool {
        self.target.starts_with(std::env::consts::ARCH)
    }

    /// The processor in Debian's words, which are OCI's.
    pub(super) fn package(&self) -> &'static str {
        self.architecture
    }
}

/// Builds, and puts the list of dependencies into the program.
pub(super) fn build(root: &Path, kind: &Kind, made: &Moment) -> Result<PathBuf> {
    let target = root.join("target/dist-build");
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let cargo_home = cargo_home.context("neither CARGO_HOME nor HOME is set")?;
    let places = [(root, "/dogwatch"), (cargo_home.as_path(), "/cargo")];
    let rust: Vec<String> =
        places.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).collect();
    let c: Vec<String> = places.iter().map(|(from, to)| format!("-ffile-prefix-map={}={to}", from.display())).collect();
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["build", "--release", "--locked", "-p", "dogwatch", "--target", kind.target]);
    cargo.arg("--target-dir").arg(&target);
    // Separated so that directories may have spaces in their names.
    let rust: Vec<String> = rust.into_iter().chain(["-Ctarget-feature=+crt-static".into()]).collect();
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rust.join("\u{1f}"));
    cargo.env("CFLAGS", c.join(" ")).env("SOURCE_DATE_EPOCH", made.seconds.to_string()).env("CARGO_INCREMENTAL", "0");
    if let Some(cc) = kind.cc {
        let name = kind.target.replace('-', "_");
        cargo.env(format!("CC_{name}"), cc).env(format!("CARGO_TARGET_{}_LINKER", name.to_uppercase()), cc);
    }
    let status = cargo.status().context("cargo cannot be started")?;
    if !status.success() {
        bail!("the build for {} failed", kind.target);
    }
    let built = target.join(kind.target).join("release/dogwatch");
    let finished = target.join(kind.target).join("dogwatch");
    audit::put_into(&built, &finished, &audit::list(root, kind.target)?)?;
    Ok(finished)
}
