//! Container engines with directories of their own, started by hand and stopped when dropped. The machine's own engines,
//! if it has any, are left alone.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{have, skip};

/// How long an engine may take to answer after its start, on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);

/// How long it may take to stop.
const STOP_MAX: Duration = Duration::from_secs(20);

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    process: Child,
    directory: TempDir,
    client: Client,
}

/// The engine's own command line.
#[derive(Debug)]
struct Client {
    program: &'static str,
    arguments: Vec<String>,
}

impl Engine {
    /// Docker: `dockerd` with the storage driver it chooses, no network, and every request in its log.
    pub fn docker() -> Option<Self> {
        Self::docker_with(&[])
    }

    /// [`Engine::docker`] with more arguments for its daemon.
    pub fn docker_with(more: &[&str]) -> Option<Self> {
        if !have(&["dockerd", "docker"]) {
            return None;
        }
        let directory = directory();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let mut daemon = Command::new(find("dockerd"));
        daemon.args(["--debug", "--bridge=none", "--iptables=false", "--ip6tables=false"]);
        daemon.args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")]);
        daemon.args(["--host", &format!("unix://{}", path("socket"))]).args(more);
        let arguments = vec!["--host".into(), format!("unix://{}", path("socket"))];
        Self::start(daemon, directory, Client { program: "docker", arguments })
    }

    /// Podman: `podman system service`.
    pub fn podman() -> Option<Self> {
        if !have(&["podman", "runc"]) {
            return None;
        }
        let directory = directory();
        let path = |name: &str| directory.path().join(name).display().to_string();
        // Without the right to raise limits the container gets lower ones than Podman wishes.
        let config = format!(
            "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n\
            [engine]\ncgroup_manager = \"cgroupfs\"\nruntime = \"runc\"\nevents_logger = \"file\"\n\
            events_logfile_path = \"{}\"\n",
            path("events")
        );
        fs::write(path("containers.conf"), config).expect("a configuration file");
        let arguments = ["--root".into(), path("data"), "--runroot".into(), path("run")].to_vec();
        let mut daemon = Command::new(find("podman"));
        daemon.args(&arguments).args(["system", "service", "--time", "0", &format!("unix://{}", path("socket"))]);
        daemon.env("CONTAINERS_CONF", path("containers.conf"));
        Self::start(daemon, directory, Client { program: "podman", arguments })
    }

    /// containerd without Kubernetes' part.
    pub fn containerd() -> Option<Self> {
        if !have(&["containerd", "ctr"]) {
            return None;
        }
        let directory = directory();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let config = format!(
            "version = 2\nroot = \"{}\"\nstate = \"{}\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = \"{}\"\n",
            path("data"),
            path("run"),
            path("socket")
        );
        fs::write(path("config.toml"), config).expect("a configuration file");
        let mut daemon = Command::new(find("containerd"));
        daemon.args(["--config", &path("config.toml")]);
        let arguments = vec!["--address".into(), path("socket")];
        Self::start(daemon, directory, Client { program: "ctr", arguments })
    }

    fn start(mut daemon: Command, directory: TempDir, client: Client) -> Option<Self> {
        if !xtask::machine::is_root() {
            skip(&format!("{} needs root to run its daemon", client.program));
            return None;
        }
        let log = File::create(directory.path().join("log")).expect("a log file");
        daemon.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut engine = Self { process: daemon.spawn().expect("the daemon starts"), directory, client };
        let started = Instant::now();
        while UnixStream::connect(engine.socket()).is_err() {
            let ended = engine.process.try_wait().expect("a child of ours").is_some();
            if ended || started.elapsed() > START_MAX {
                let log = engine.log();
                let last: Vec<&str> = log.lines().rev().take(3).collect();
                skip(&format!("{} does not run here: {last:?}", engine.client.program));
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(engine)
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// What it noted since its start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Runs the engine's own command line and returns what it prints.
    pub fn run(&self, arguments: &[&str]) -> String {
        self.try_run(arguments).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// [`Engine::run`], where failing is an answer.
    pub fn try_run(&self, arguments: &[&str]) -> Result<String, xtask::Error> {
        let mut command = Command::new(find(self.client.program));
        command.args(&self.client.arguments).args(arguments);
        // Only Podman reads it.
        command.env("CONTAINERS_CONF", self.directory.path().join("containers.conf"));
        Ok(xtask::machine::output(&mut command)?.trim().to_owned())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Nothing of a container may outlive its engine.
        let all = self.try_run(&["ps", "--all", "--quiet"]).unwrap_or_default();
        for id in all.split_whitespace() {
            let _ = self.try_run(&["rm", "--force", id]);
        }
        // A daemon that is killed outright leaves its helpers and mounts behind.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let asked = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) && asked.elapsed() < STOP_MAX {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        // Podman mounts this directory on itself, which would keep it from being removed.
        let mounted = self.directory.path().join("data/overlay");
        let _ = Command::new("umount").arg(mounted).stderr(Stdio::null()).status();
    }
}

/// Sockets have short paths, so not below the repository.
fn directory() -> TempDir {
    TempDir::new().expect("a temporary directory")
}

fn find(program: &str) -> PathBuf {
    xtask::machine::find(program).unwrap_or_else(|| Path::new(program).to_owned())
}
