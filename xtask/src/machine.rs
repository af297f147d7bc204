//! The machine we run on: which programs it has, and installing those it lacks.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A program and the Debian package that brings it.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// The program.
    pub program: &'static str,
    /// The package.
    pub package: &'static str,
}

/// A tool.
pub const fn tool(program: &'static str, package: &'static str) -> Tool {
    Tool { program, package }
}

/// What putting the demo's image together needs.
pub const DEMO: &[Tool] = &[tool("mmdebstrap", "mmdebstrap"), tool("python3", "python3")];

/// What putting the image of the benchmarks together needs beside what [`crate::parts`] fetches.
pub const BENCH: &[Tool] =
    &[tool("mmdebstrap", "mmdebstrap"), tool("python3", "python3"), tool("mvn", "maven"), tool("gzip", "gzip")];

/// What the tests run against.
pub const TESTS: &[Tool] = &[
    tool("containerd", "containerd"),
    tool("docker-registry", "docker-registry"),
    tool("dockerd", "docker.io"),
    tool("podman", "podman"),
    tool("runc", "runc"),
    tool("skopeo", "skopeo"),
    tool("umoci", "umoci"),
    tool("htpasswd", "apache2-utils"),
    tool("openssl", "openssl"),
    tool("tinyproxy", "tinyproxy-bin"),
    tool("git", "git"),
    tool("gzip", "gzip"),
    tool("xz", "xz-utils"),
    tool("zstd", "zstd"),
    tool("chromium", "chromium"),
    tool("mandoc", "mandoc"),
    tool("xmllint", "libxml2-utils"),
    tool("dpkg-deb", "dpkg"),
    tool("objcopy", "binutils"),
    tool("lintian", "lintian"),
    tool("pg_ctlcluster", "postgresql"),
    tool("runuser", "util-linux"),
];

/// Whether a program is here.
pub fn has(program: &str) -> bool {
    find(program).is_some()
}

/// Where a program is. Administrators' directories count, although an ordinary user's PATH may lack them.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|dir| dir.join(program)).find(|path| path.is_file())
}

/// Installs the packages of those tools that are missing. Does nothing when all are here.
pub fn install(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&str> = tools.iter().filter(|tool| !has(tool.program)).map(|tool| tool.package).collect();
    install_packages(&missing)
}

/// Installs Debian packages; nothing happens for an empty list.
pub fn install_packages(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if !has("apt-get") {
        bail!("`{list}` is missing and this is not Debian or Ubuntu: install what corresponds to it");
    }
    say(&format!("installing {list}"));
    let update = run(apt(&["update", "-qq"]));
    let mut install = apt(&["install", "-qq", "-y", "--no-install-recommends"]);
    install.args(packages);
    // An update that fails for one foreign source may still have what we need.
    run(install).or_else(|error| update.and(Err(error))).with_context(|| format!("`{list}` could not be installed"))
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = as_root("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// A command that runs as root: by itself when we are, else through sudo.
pub fn as_root(program: &str) -> Command {
    if is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["--preserve-env=DEBIAN_FRONTEND,SOURCE_DATE_EPOCH", program]);
    command
}

/// Whether this process may do everything.
pub fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Runs a command without input, quietly; what it printed is in the error when it fails.
pub fn run(mut command: Command) -> Result<()> {
    output(&mut command).map(drop)
}

/// Runs a command without input and returns what it wrote to stdout.
pub fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("`{shown}` cannot be started"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let tail: Vec<&str> = said.lines().rev().take(30).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        bail!("`{shown}` failed ({}):\n{}", output.status, tail.join("\n"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command as one line.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Tells the user what is going on.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "==> {text}");
}
