//! Real tools, and what every image must satisfy whatever it was opened from.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dogwatch_scan::source::{self, Compression, OpenImage, SourceError, SourceOptions};
use model::digest::Digest;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// Whether all tools are there. Says so loudly when not, because then nothing is tested.
pub(crate) fn have(tools: &[&str]) -> bool {
    let is_missing =
        |tool: &&&str| !std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|dir| dir.join(tool).exists());
    let missing: Vec<_> = tools.iter().filter(is_missing).collect();
    if !missing.is_empty() {
        static SKIPPED: AtomicU32 = AtomicU32::new(0);
        let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        // Written past the harness, which hides what passing tests print.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {missing:?} not installed ({count} skipped so far)");
    }
    missing.is_empty()
}

pub(crate) fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An OCI layout that umoci made: `base` and `other` (two layers each), `arm` (for `linux/arm64/v8`).
pub(crate) fn layout(scratch: &TempDir) -> PathBuf {
    let (layout, files) = (scratch.path().join("layout"), scratch.path().join("files"));
    std::fs::create_dir_all(files.join("app")).unwrap();
    std::fs::write(files.join("app/hello"), "hello\n".repeat(2000)).unwrap();
    // A real program and a real package database, when the machine has them.
    for real in ["/bin/true", "/var/lib/dpkg/status", "/etc/os-release"] {
        let _ = std::fs::copy(real, files.join("app").join(Path::new(real).file_name().unwrap()));
    }
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    run("umoci", &["init", "--layout", &text(&layout)]);
    for tag in ["base", "other", "arm"] {
        let image = format!("{}:{tag}", text(&layout));
        std::fs::write(files.join("app/tag"), tag).unwrap();
        run("umoci", &["new", "--image", &image]);
        run("umoci", &["insert", "--image", &image, &text(&files.join("app")), "/app"]);
        run("umoci", &["insert", "--image", &image, &text(&files.join("app/tag")), "/etc/tag"]);
        let config = [
            "config",
            "--image",
            &image,
            "--config.entrypoint",
            "/app/true",
            "--config.user",
            "1000",
            "--config.exposedports",
            "8080/tcp",
        ];
        run("umoci", &config);
    }
    run("umoci", &["config", "--image", &format!("{}:arm", text(&layout)), "--architecture", "arm64"]);
    layout
}

pub(crate) fn open(target: &str, options: &SourceOptions) -> Result<OpenImage, SourceError> {
    source::open(&target.parse().unwrap(), options)
}

/// Opens a target, reads all layers and compares all digests. Returns the image.
pub(crate) fn check(target: &str, options: &SourceOptions) -> OpenImage {
    let image = open(target, options).unwrap_or_else(|error| panic!("{target}: {error:?}"));
    assert!(!image.layers.is_empty(), "{target}");
    for layer in &image.layers {
        for _ in 0..2 {
            let mut stored = Vec::new();
            layer.open().unwrap().read_to_end(&mut stored).unwrap();
            assert_eq!(layer.size, Some(stored.len() as u64));
            assert!(layer.expected_digest.as_ref().is_none_or(|digest| *digest == digest_of(&stored)));
            assert_eq!(digest_of(&inflate(&stored)), layer.expected_diff_id);
        }
        if let Some((file, offset, size)) = layer.file_range() {
            let mut bytes = vec![0; size as usize];
            std::os::unix::fs::FileExt::read_exact_at(&*file, &mut bytes, offset).unwrap();
            assert_eq!(digest_of(&bytes), layer.expected_diff_id);
        }
    }
    assert_eq!(source::identify(&target.parse().unwrap(), options).unwrap().identity, image.identity, "{target}");
    image
}

/// What is the same wherever an image comes from.
pub(crate) fn essence(image: &OpenImage) -> String {
    let layers: Vec<_> = image.layers.iter().map(|layer| (&layer.expected_diff_id, &layer.created_by)).collect();
    let artifact = &image.artifact;
    format!("{:?} {:?} {:?} {:?} {layers:?}", artifact.image_id, artifact.platform, artifact.config, artifact.history)
}

pub(crate) fn error_of(target: &str, options: &SourceOptions) -> String {
    let error = match open(target, options) {
        Ok(image) => panic!("{target} opened: {:?}", image.artifact),
        Err(error) => error,
    };
    let hint = error.hint().map(|hint| format!(" | hint: {hint}")).unwrap_or_default();
    let mut text = error.to_string();
    let mut next = std::error::Error::source(&error);
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text + &hint
}

pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

fn inflate(stored: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    match Compression::detect(&stored[..stored.len().min(Compression::MAGIC_BYTES)]).unwrap() {
        Compression::None => bytes.extend(stored),
        Compression::Gzip => drop(flate2::read::MultiGzDecoder::new(stored).read_to_end(&mut bytes).unwrap()),
        Compression::Zstd => drop(zstd::Decoder::new(stored).unwrap().read_to_end(&mut bytes).unwrap()),
    }
    bytes
}

/// Debian's docker-registry on a free port, stopped when dropped.
pub(crate) struct Registry {
    process: Child,
    pub(crate) port: u16,
}

impl Registry {
    /// Starts it with more lines for its configuration (`http:` and its address come last).
    pub(crate) fn start(dir: &Path, before: &str, http: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let root = dir.join(format!("registry-{port}"));
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\n{before}http:\n  addr: 127.0.0.1:{port}\n{http}",
            root.display()
        );
        let file = dir.join(format!("registry-{port}.yml"));
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(file).stdout(Stdio::null()).stderr(Stdio::null());
        let registry = Self { process: command.spawn().unwrap(), port };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(20), "docker-registry does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        registry
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
