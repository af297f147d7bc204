//! `cargo xtask bench`: measures the release binary on the benchmark image, beside Syft and beside what hashing and inflating
//! alone cost, and prints the table that docs/PERFORMANCE.md quotes.
//!
//! CPU seconds are those of the kernel's account of each child process, user and system together; of several runs the
//! least counts, because whatever else the machine does can only add.

mod image;
mod write;

use std::fs;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use image::Paths;

const RUNS: usize = 3;

/// Builds the image, unless it is there.
pub fn image(root: &Path) -> Result<()> {
    image::build(&Paths::new(root))
}

/// Measures everything and prints it.
pub fn run(root: &Path, only: Option<&str>) -> Result<()> {
    if only == Some("portfolio") {
        return portfolio();
    }
    let paths = Paths::new(root);
    image::build(&paths)?;
    image::run(Command::new("cargo").args([
        "build",
        "--release",
        "-p",
        "dogwatch",
        "-p",
        "dogwatch-advisories",
        "--bin",
        "dogwatch",
        "--example",
        "measure",
    ]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let bench = Bench {
        dogwatch: target.join("release/dogwatch"),
        measure: target.join("release/examples/measure"),
        scratch: root.join("scratch"),
        paths,
    };
    fs::create_dir_all(&bench.scratch)?;
    type Part = fn(&Bench) -> Result<()>;
    let parts: [(&str, Part); 9] = [
        ("floors", Bench::floors),
        ("scan", Bench::first_scan),
        ("again", Bench::again),
        ("concurrent", Bench::concurrent),
        ("small-files", Bench::small_files),
        ("host", Bench::host),
        ("sandbox", Bench::sandbox),
        ("index", Bench::index),
        ("syft", Bench::syft),
    ];
    for (name, part) in parts.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        println!("{name}");
        part(&bench)?;
    }
    Ok(())
}

/// Portfolios of growing size over SQLite, and over the PostgreSQL that `DOGWATCH_BENCH_DATABASE` names, with an empty database; a JSON
/// object each. It needs no image, and takes minutes, so it is asked for by name.
fn portfolio() -> Result<()> {
    image::run(Command::new("cargo").args(["build", "--release", "-p", "dogwatch-server", "--example", "portfolio"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let program = target.join("release/examples/portfolio");
    for images in ["1000", "10000"] {
        image::run(Command::new(&program).arg(images))?;
    }
    if let Ok(url) = std::env::var("DOGWATCH_BENCH_DATABASE") {
        image::run(Command::new(&program).args(["10000", &url]))?;
    }
    Ok(())
}

struct Bench {
    dogwatch: PathBuf,
    measure: PathBuf,
    scratch: PathBuf,
    paths: Paths,
}

impl Bench {
    fn floors(&self) -> Result<()> {
        let archive = self.paths.docker_archive();
        let this = std::env::current_exe()?;
        report(
            "SHA-256 of the archive, this program's",
            least(|| child(Command::new(&this).arg("sha256").arg(&archive)))?,
        );
        report("SHA-256 of the archive, sha256sum", least(|| child(Command::new("sha256sum").arg(&archive)))?);
        let layers = format!("{}/blobs/sha256", self.paths.oci().display());
        report(
            "inflating and hashing the layers, this program's",
            least(|| child(Command::new(&this).arg("sha256").arg("--inflate").arg(&layers)))?,
        );
        let script = format!(
            "find {layers} -size +1M | while read -r layer; do sha256sum < $layer; gzip -dc < $layer | sha256sum; done"
        );
        report(
            "inflating and hashing the layers, gzip and sha256sum",
            least(|| child(Command::new("sh").arg("-c").arg(&script)))?,
        );
        Ok(())
    }

    fn first_scan(&self) -> Result<()> {
        for (name, target) in self.targets() {
            report(&format!("{name}: first scan, no cache"), least(|| child(self.scan(&target).arg("--no-cache")))?);
            report(
                &format!("{name}: inventory only, no cache"),
                least(|| child(self.scan(&target).args(["--no-cache", "--inventory-only"])))?,
            );
            let cold = least(|| {
                self.forget()?;
                child(&mut self.scan(&target))
            })?;
            report(&format!("{name}: first scan, filling the cache"), cold);
        }
        Ok(())
    }

    fn again(&self) -> Result<()> {
        let changed = [self.paths.docker_archive_changed(), self.paths.oci_changed()];
        for ((name, target), changed) in self.targets().into_iter().zip(changed) {
            self.forget()?;
            child(&mut self.scan(&target))?;
            report(&format!("{name}: second scan"), least(|| child(&mut self.scan(&target)))?);
            let (scheme, _) = target.split_once(':').context("a target with its scheme")?;
            let changed = format!("{scheme}:{}", changed.display());
            // Only the first scan of the changed image is new, so there is one measurement.
            report(&format!("{name}: only the top layer changed"), child(&mut self.scan(&changed))?);
        }
        Ok(())
    }

    fn concurrent(&self) -> Result<()> {
        self.forget()?;
        let (_, target) = self.targets().into_iter().next().context("there are targets")?;
        for name in ["two at once, cold cache", "two at once, warm cache"] {
            let started = Instant::now();
            let both = [start(&mut self.scan(&target))?, start(&mut self.scan(&target))?];
            let mut usage = both.into_iter().map(finish).collect::<Result<Vec<_>>>()?;
            let (second, first) = (usage.pop().context("two")?, usage.pop().context("two")?);
            let wall = started.elapsed();
            report(name, Usage { wall, cpu: first.cpu + second.cpu, memory: first.memory.max(second.memory) });
        }
        Ok(())
    }

    fn small_files(&self) -> Result<()> {
        let target = format!("oci-dir:{}", self.paths.small_files().display());
        self.forget()?;
        report("3 million small files: first scan", child(&mut self.scan(&target))?);
        report("3 million small files: second scan", child(&mut self.scan(&target))?);
        Ok(())
    }

    /// This machine itself: other machines have more or less on them.
    fn host(&self) -> Result<()> {
        report("host: first scan, no cache", least(|| child(self.scan("host:").arg("--no-cache")))?);
        Ok(())
    }

    /// The same scans in the sandbox and without it.
    fn sandbox(&self) -> Result<()> {
        for how in ["--no-sandbox", "--sandbox"] {
            for (name, target) in self.targets() {
                let cold = least(|| child(self.scan(&target).args(["--no-cache", how])))?;
                report(&format!("{name}: no cache, {how}"), cold);
                self.forget()?;
                child(self.scan(&target).arg(how))?;
                report(&format!("{name}: second scan, {how}"), least(|| child(self.scan(&target).arg(how)))?);
            }
        }
        Ok(())
    }

    fn index(&self) -> Result<()> {
        println!("  release binary: {:.1} MB", fs::metadata(&self.dogwatch)?.len() as f64 / 1e6);
        let status = Command::new(&self.measure)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/advisories"))
            .status()?;
        if !status.success() {
            bail!("`{}` failed", self.measure.display());
        }
        Ok(())
    }

    fn syft(&self) -> Result<()> {
        for (name, target) in self.targets() {
            let mut command = crate::parts::syft()?;
            command.args(["scan", "-q", "-o", "json", &target]);
            report(&format!("{name}: Syft"), least(|| child(&mut command))?);
        }
        Ok(())
    }

    fn targets(&self) -> [(&'static str, String); 2] {
        [
            ("docker-archive", format!("docker-archive:{}", self.paths.docker_archive().display())),
            ("gzip OCI", format!("oci-dir:{}", self.paths.oci().display())),
        ]
    }

    fn cache(&self) -> PathBuf {
        self.scratch.join("cache")
    }

    /// Empties the cache.
    fn forget(&self) -> Result<()> {
        if self.cache().exists() {
            fs::remove_dir_all(self.cache())?;
        }
        Ok(())
    }

    fn scan(&self, target: &str) -> Command {
        let mut command = Command::new(&self.dogwatch);
        command.args(["scan", target, "--offline", "-o", "json"]);
        command.env("DOGWATCH_CACHE_DIR", self.cache()).env("DOGWATCH_INDEX", self.index_file());
        command
    }

    fn index_file(&self) -> PathBuf {
        let index = self.scratch.join("index");
        if !index.exists() {
            let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/advisories");
            let mut build = Command::new(&self.dogwatch);
            // A failure shows when the index is opened.
            build.args(["advisories", "build", "--from"]).arg(data).arg("--out").arg(&index).output().ok();
        }
        index
    }
}

/// What one run cost.
#[derive(Debug, Clone, Copy)]
struct Usage {
    cpu: Duration,
    wall: Duration,
    /// Peak resident bytes.
    memory: u64,
}

struct Running {
    child: Child,
    started: Instant,
}

fn child(command: &mut Command) -> Result<Usage> {
    finish(start(command)?)
}

fn start(command: &mut Command) -> Result<Running> {
    let started = Instant::now();
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    Ok(Running { child, started })
}

/// Waits for a child. Exit code 1 is a verdict, not a failure.
fn finish(mut running: Running) -> Result<Usage> {
    let mut said = String::new();
    if let Some(stderr) = &mut running.child.stderr {
        std::io::Read::read_to_string(stderr, &mut said).ok();
    }
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to live values of the types that wait4 fills, and all bytes zero are a valid `rusage`.
    let usage = unsafe {
        libc::wait4(running.child.id() as libc::pid_t, &mut status, 0, usage.as_mut_ptr());
        usage.assume_init()
    };
    if !libc::WIFEXITED(status) || libc::WEXITSTATUS(status) > 1 {
        bail!("a measured program failed with status {status}: {said}");
    }
    let time =
        |time: libc::timeval| Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64);
    Ok(Usage {
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        wall: running.started.elapsed(),
        memory: usage.ru_maxrss as u64 * 1024,
    })
}

fn least(mut measure: impl FnMut() -> Result<Usage>) -> Result<Usage> {
    let mut best = measure()?;
    for _ in 1..RUNS {
        let next = measure()?;
        best =
            Usage { cpu: best.cpu.min(next.cpu), wall: best.wall.min(next.wall), memory: best.memory.max(next.memory) };
    }
    Ok(best)
}

fn report(what: &str, usage: Usage) {
    println!(
        "  {what:<55} {:7.3} CPU s {:7.3} s wall {:6.0} MB",
        usage.cpu.as_secs_f64(),
        usage.wall.as_secs_f64(),
        usage.memory as f64 / 1e6
    );
}

/// The floor: what reading, hashing and (for gzip) inflating cost with the libraries the product uses, and nothing else.
pub fn sha256(path: &Path, inflate: bool) -> Result<()> {
    if !inflate {
        println!("{}", write::file_digest(path)?);
        return Ok(());
    }
    for (layer, _) in image::listing(path)? {
        println!("{}", write::inflated_digest(&layer)?);
    }
    Ok(())
}
