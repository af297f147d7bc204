//! Debian's docker-registry on a free port, stopped when dropped.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
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
        Self::start_with(directory, "", &[])
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
        Self::start_with(directory, &(tls + &auth), &[])
    }

    /// Starts one with some of its configuration as `REGISTRY_…` variables.
    pub fn start_set(directory: &Path, variables: &[(&str, &str)]) -> Self {
        std::fs::create_dir_all(directory).expect("a directory");
        Self::start_with(directory, "", variables)
    }

    fn start_with(directory: &Path, more: &str, variables: &[(&str, &str)]) -> Self {
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
        command.envs(variables.iter().copied());
        command.arg("serve").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let registry = Self { process: command.spawn().expect("docker-registry starts"), port };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < START_MAX, "docker-registry does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        registry
    }

    /// Gives the image `from:TAG` more names, in a repository that may be new.
    pub fn also(&self, from: (&str, &str), repository: &str, tags: &[&str]) {
        let manifest = &self.text(from.0, from.1);
        let parsed: serde_json::Value = serde_json::from_str(manifest).expect("a manifest");
        let layers = parsed["layers"].as_array().expect("layers").iter();
        for blob in layers.chain([&parsed["config"]]) {
            let digest = blob["digest"].as_str().expect("a digest");
            let path = format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={}", from.0);
            let answer = self.ask("POST", &path, "", "");
            assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        }
        for tag in tags {
            let kind = "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";
            let answer = self.ask("PUT", &format!("/v2/{repository}/manifests/{tag}"), kind, manifest);
            assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        }
    }

    /// The manifest of an image, as the registry has it.
    pub fn text(&self, repository: &str, tag: &str) -> String {
        let accept = "Accept: application/vnd.oci.image.manifest.v1+json\r\n";
        let answer = self.ask("GET", &format!("/v2/{repository}/manifests/{tag}"), accept, "");
        answer.split_once("\r\n\r\n").expect("an answer").1.to_owned()
    }

    /// Stores bytes in a repository, and returns their digest.
    pub fn blob(&self, repository: &str, bytes: &str) -> String {
        let answer = self.ask("POST", &format!("/v2/{repository}/blobs/uploads/"), "", "");
        let place = answer.lines().find_map(|line| line.strip_prefix("Location: ")).expect("a place to upload to");
        let path = place.split_once("/v2/").expect("a path").1;
        let digest = digest(bytes);
        let kind = "Content-Type: application/octet-stream\r\n";
        let answer = self.ask("PUT", &format!("/v2/{path}&digest={digest}"), kind, bytes);
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        digest
    }

    /// Stores a manifest or index under a tag, and returns its digest.
    pub fn manifest(&self, repository: &str, tag: &str, kind: &str, manifest: &str) -> String {
        let answer = self.ask(
            "PUT",
            &format!("/v2/{repository}/manifests/{tag}"),
            &format!("Content-Type: {kind}\r\n"),
            manifest,
        );
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        digest(manifest)
    }

    /// One request and its whole answer.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n");
        connection.write_all(format!("{head}{headers}\r\n{body}").as_bytes()).expect("a request");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// `localhost:PORT/NAME`
    pub fn reference(&self, name: &str) -> String {
        format!("localhost:{}/{name}", self.port)
    }
}

/// The SHA-256 of a text, as registries write it.
pub fn digest(bytes: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |hex, byte| format!("{hex}{byte:02x}"))
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Passes connections on to a port of this machine. It lives as long as the test process.
#[derive(Debug)]
pub struct Passage {
    /// Where it listens.
    pub port: u16,
    cuts: Arc<AtomicUsize>,
}

impl Passage {
    /// Listens at `address` and cuts each connection after so many bytes of answers.
    pub fn start(address: Ipv4Addr, to: u16, bytes_max: u64) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let cuts: Arc<AtomicUsize> = Arc::default();
        let counted = cuts.clone();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let counted = counted.clone();
                thread::spawn(move || {
                    let Ok(far) = TcpStream::connect(("127.0.0.1", to)) else { return };
                    let (mut asking, mut asked) =
                        (near.try_clone().expect("a socket"), far.try_clone().expect("a socket"));
                    thread::spawn(move || std::io::copy(&mut asking, &mut asked));
                    let passed = std::io::copy(&mut far.try_clone().expect("a socket").take(bytes_max), &mut &near);
                    if passed.is_ok_and(|passed| passed == bytes_max) {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                    let _ = (near.shutdown(Shutdown::Both), far.shutdown(Shutdown::Both));
                });
            }
        });
        Self { port, cuts }
    }

    /// How many connections it cut.
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::Relaxed)
    }
}

/// An address of this machine that is not `localhost`, as a registry elsewhere would have; none without a network.
pub fn address() -> Option<Ipv4Addr> {
    // Nothing is sent: connecting chooses the interface.
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    match socket.local_addr().ok()?.ip() {
        std::net::IpAddr::V4(address) if !address.is_loopback() => Some(address),
        _ => None,
    }
}
