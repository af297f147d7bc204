//! Debian's docker-registry on a free port, stopped when dropped.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a registry may take to answer after its start, on a busy machine.
const START_MAX: Duration = Duration::from_secs(30);

/// A running registry.
#[derive(Debug)]
pub struct Registry {
    process: Child,
    /// Where it listens, on localhost.
    pub port: u16,
}

impl Registry {
    /// Starts one that keeps its images in `directory`.
    pub fn start(directory: &Path) -> Self {
        Self::start_with(directory, "")
    }

    /// Starts one that speaks TLS, with the certificate `registry.pem` in its directory, and wants to know this name and
    /// password.
    pub fn start_guarded(directory: &Path, name: &str, password: &str) -> Self {
        let output = Command::new("htpasswd").args(["-nbB", name, password]).output().expect("htpasswd starts");
        let file = |name: &str| directory.join(name).display().to_string();
        std::fs::write(file("htpasswd"), output.stdout).expect("a password file");
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
        openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        openssl.args(["-keyout", &file("registry.key"), "-out", &file("registry.pem")]);
        let output = openssl.output().expect("openssl starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let tls = format!("  tls:\n    certificate: {}\n    key: {}\n", file("registry.pem"), file("registry.key"));
        let auth = format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", file("htpasswd"));
        Self::start_with(directory, &(tls + &auth))
    }

    fn start_with(directory: &Path, more: &str) -> Self {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        let config = directory.join("registry.yml");
        let root = directory.join("registry");
        let text = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n{more}",
            root.display()
        );
        std::fs::write(&config, text).expect("a configuration file");
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let registry = Self { process: command.spawn().expect("docker-registry starts"), port };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < START_MAX, "docker-registry does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        registry
    }

    /// `localhost:PORT/NAME`
    pub fn reference(&self, name: &str) -> String {
        format!("localhost:{}/{name}", self.port)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
