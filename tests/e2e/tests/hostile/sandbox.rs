//! Runs the binary with bounds, and looks at what it left behind.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The most processor time that one run may take.
const TIME_MAX: Duration = Duration::from_secs(120);

/// How much longer than its processor time a run may last: machines that run tests are busy, and a run that waits for
/// something that never comes uses no time.
const WALL_FACTOR: u32 = 5;

/// The most memory that one run may touch. The promise for usual images is 150 MB; hostile ones may cost more, not
/// without bound. Tests with tighter bounds state them.
const RSS_MIB_MAX: u64 = 700;

/// A cache, a data directory and a working directory of our own, below one directory that must hold nothing else.
pub(crate) struct Sandbox {
    root: tempfile::TempDir,
    limits: Limits,
}

/// What a run may use at most.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Processor time.
    pub(crate) time: Duration,
    pub(crate) rss_mib: u64,
    /// `RLIMIT_FSIZE`: writing beyond fails, as on a full disk.
    pub(crate) file_bytes: Option<u64>,
    /// Runs as this user, for what root may read anyway.
    pub(crate) user: Option<u32>,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        for name in ["cache", "data", "home", "tmp", "work"] {
            fs::create_dir(root.path().join(name)).expect("can be made");
        }
        let limits = Limits { time: TIME_MAX, rss_mib: RSS_MIB_MAX, file_bytes: None, user: None };
        Self { root, limits }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.root().join("cache")
    }

    /// Writes an input beside the working directory.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root().join("work").join(name);
        fs::create_dir_all(path.parent().expect("below the sandbox")).expect("can be made");
        fs::write(&path, bytes).expect("can be written");
        path
    }

    /// Runs `dogwatch` and checks what holds for any input.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let before = self.outside();
        let mut child = self.command(arguments).spawn().expect("the binary starts");
        let stdout = collect(child.stdout.take().expect("piped"));
        let stderr = collect(child.stderr.take().expect("piped"));
        let (status, rss_mib) = wait(&mut child, self.limits.time);
        let stdout = stdout.join().expect("reads");
        let stderr = stderr.join().expect("reads");
        assert!(rss_mib <= self.limits.rss_mib, "{arguments:?} took {rss_mib} MiB of memory");
        assert!(status.signal().is_none(), "{arguments:?} was killed by {status}: {stderr}");
        let code = status.code().unwrap_or(-1);
        assert!((0..=2).contains(&code), "{arguments:?} ended with {code}: {stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains("internal error"), "{arguments:?}: {stderr}");
        assert!(code != 2 || !stderr.is_empty() || !stdout.is_empty(), "{arguments:?} failed silently");
        assert_eq!(before, self.outside(), "{arguments:?} wrote outside the cache");
        assert_harmless(&stderr);
        Outcome { code, stdout, stderr }
    }

    /// The inventory of a target as the JSON report has it, or the error.
    pub(crate) fn inventory(&self, target: &str) -> Result<Value, String> {
        let outcome = self.run(&["scan", target, "--inventory-only", "-o", "json"]);
        match outcome.code {
            0 => Ok(serde_json::from_str(&outcome.stdout).expect("a JSON report")),
            _ => Err(outcome.stderr),
        }
    }

    /// The command with everything around it, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        let Limits { file_bytes, user, time, .. } = self.limits;
        command
            .args(arguments)
            .current_dir(self.root().join("work"))
            .env_clear()
            .env("DOGWATCH_CACHE_DIR", self.cache())
            .env("DOGWATCH_DATA_DIR", self.root().join("data"))
            .env("HOME", self.root().join("home"))
            .env("TMPDIR", self.root().join("tmp"))
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(user) = user {
            command.uid(user);
        }
        // SAFETY: only calls async-signal-safe functions between fork and exec.
        unsafe {
            command.pre_exec(move || {
                // Address space, so that a runaway allocation fails here and not in the machine.
                limit(libc::RLIMIT_AS, 8 << 30)?;
                limit(libc::RLIMIT_CORE, 0)?;
                // Ends with SIGXCPU.
                limit(libc::RLIMIT_CPU, time.as_secs())?;
                if let Some(bytes) = file_bytes {
                    limit(libc::RLIMIT_FSIZE, bytes)?;
                    // A write beyond then fails instead of killing, as it does on a full disk.
                    libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
                }
                Ok(())
            });
        }
        command
    }

    /// Everything in the sandbox but the cache and what temporary files leave: it must not change.
    fn outside(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        list(self.root(), &self.cache(), 0, &mut found);
        found
    }
}

/// Panics when a text could act on a terminal.
pub(crate) fn assert_harmless(text: &str) {
    let acts =
        |c: &char| (c.is_control() && *c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let found = text.chars().find(acts);
    assert!(found.is_none(), "{found:?} reaches the terminal: {text:?}");
}

/// Subjects and details of all gaps of a report, a line each.
pub(crate) fn gaps(report: &Value) -> String {
    let of = |list: &Value| -> Vec<String> {
        let gaps = list.as_array().map_or(&[][..], Vec::as_slice);
        gaps.iter().map(|gap| format!("{} {}: {}", gap["kind"], gap["subject"], gap["detail"])).collect()
    };
    [of(&report["inventory"]["gaps"]), of(&report["gaps"])].concat().join("\n")
}

/// `name version` of all packages of a report.
pub(crate) fn packages(report: &Value) -> Vec<String> {
    let packages = report["inventory"]["packages"].as_array().expect("packages");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    packages.iter().map(|package| format!("{} {}", text(&package["name"]), text(&package["version"]))).collect()
}

/// Where the fixtures of the workspace are.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

/// The binary beside which these tests were built.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "-p", "dogwatch"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.is_ok_and(|status| status.success()), "`cargo build -p dogwatch` failed");
        let test = std::env::current_exe().expect("a test has a path");
        let profile = test.ancestors().nth(2).expect("`target/<profile>/deps/<test>`");
        profile.join("dogwatch")
    })
}

fn collect(mut stream: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("a pipe");
        String::from_utf8(bytes).expect("output is UTF-8")
    })
}

/// Waits, and says how much memory was touched at most.
fn wait(child: &mut Child, time: Duration) -> (ExitStatus, u64) {
    let started = Instant::now();
    let mut most = 0;
    loop {
        // Not `wait4`: its figure includes what this process had when it forked.
        most = most.max(high_water_mib(child.id()));
        if let Some(status) = child.try_wait().expect("it is our child") {
            return (status, most);
        }
        if started.elapsed() > WALL_FACTOR * time {
            child.kill().ok();
            panic!("a run lasts longer than {WALL_FACTOR} times {time:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// `VmHWM` of `/proc/PID/status`, see `proc(5)`; 0 when the process is gone.
fn high_water_mib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).map_or(0, |kib: u64| kib / 1024)
}

fn limit(resource: libc::__rlimit_resource_t, value: u64) -> std::io::Result<()> {
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: the pointer is to a local that lives through the call.
    match unsafe { libc::setrlimit(resource, &limit) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

fn list(directory: &Path, except: &Path, depth: u32, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path == except {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && depth < 6 {
            list(&path, except, depth + 1, found);
        }
        found.insert(path);
    }
}
