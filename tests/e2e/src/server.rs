//! The real server, over SQLite or a real PostgreSQL.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::User;
use crate::skip;

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: Arc<Mutex<String>>,
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// An administrator's token.
    pub token: String,
}

impl Server {
    /// Starts one with this database (`None`: SQLite in the user's own directory). With a token, it was started before.
    pub fn start(user: &User, database: Option<&str>, index: Option<&Path>, token: Option<&str>) -> Self {
        let directory = user.path("server").display().to_string();
        let mut arguments = vec!["serve", "--data-dir", &directory, "--listen", "127.0.0.1:0"];
        arguments.extend(database.iter().flat_map(|url| ["--database-url", url]));
        let index = index.unwrap_or_else(|| crate::program::index()).display().to_string();
        arguments.extend(["--index", &index]);
        Self::of(user.start(&[], &arguments), token)
    }

    /// One that was just started.
    pub fn of(mut child: Child, token: Option<&str>) -> Self {
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let first = lines.next().and_then(Result::ok);
        let Some(url) = first.as_deref().and_then(|line| line.strip_prefix("listening at ")) else {
            let _ = child.kill();
            let mut log = String::new();
            child.stderr.take().expect("stderr").read_to_string(&mut log).ok();
            panic!("the server does not start: {log}");
        };
        let token = match token {
            Some(token) => token.to_owned(),
            None => {
                let line = lines.next().and_then(Result::ok).unwrap_or_default();
                line.rsplit(' ').next().expect("a token").to_owned()
            }
        };
        // A full pipe would stop it.
        let (stderr, log) = (child.stderr.take().expect("stderr"), Arc::new(Mutex::new(String::new())));
        let kept = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                kept.lock().expect("the log").push_str(&format!("{line}\n"));
            }
        });
        Self { child, log, url: url.to_owned(), token }
    }

    /// What it said on stderr up to now.
    pub fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops it as the system does, and waits.
    pub fn stop(mut self) {
        // SAFETY: the process is our child and was not waited for, so the number is still its.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGTERM) };
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "the server ends with {status}");
    }

    /// Kills it at once, whatever it is doing.
    pub fn kill_now(&self) {
        // SAFETY: the process is our child and was not waited for, so the number is still its.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGKILL) };
    }

    /// A request, and the status and body of the answer.
    pub fn ask(&self, method: &str, path: &str, token: &str, body: Option<&str>) -> (u16, Value) {
        let (status, body) =
            self.raw(method, path, &[("Authorization", &format!("Bearer {token}"))], body.unwrap_or("").as_bytes());
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// A request with these headers, and the status and body of the answer.
    pub fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
        let address = self.url.trim_start_matches("http://");
        let mut connection = TcpStream::connect(address).expect("a connection");
        connection.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers.iter().filter(|(_, value)| *value != "Bearer ") {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        // It may answer, and close, before it has read everything.
        let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body));
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer);
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer");
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let body = answer[end + 4..].to_vec();
        let chunked = head.contains("transfer-encoding: chunked");
        (status, if chunked { unchunked(&body) } else { body })
    }

    /// What a list holds, all pages.
    pub fn list(&self, path: &str) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let asked = match cursor.is_empty() {
                true => path.to_owned(),
                false => format!("{path}{separator}cursor={cursor}"),
            };
            let (status, page) = self.ask("GET", &asked, &self.token, None);
            assert_eq!(status, 200, "{path}: {page}");
            all.extend(page["items"].as_array().expect("items").iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => return all,
            }
        }
    }

    /// The changes after a number, oldest first.
    pub fn changes(&self, after: u64) -> Vec<Value> {
        let (mut all, mut after): (Vec<Value>, u64) = (Vec::new(), after);
        loop {
            let (_, page) = self.ask("GET", &format!("/api/v1/changes?after={after}&limit=1000"), &self.token, None);
            let items = page["items"].as_array().expect("items").clone();
            let Some(last) = items.last() else { return all };
            after = last["id"].as_str().and_then(|id| id.parse().ok()).expect("a number");
            all.extend(items);
        }
    }

    /// Waits until nothing is behind.
    pub fn settle(&self) {
        let began = Instant::now();
        loop {
            let (_, text) = self.raw("GET", "/metrics", &[], b"");
            if String::from_utf8_lossy(&text).contains("\ndogwatch_images_behind 0\n") {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "images stay behind");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(&String::from_utf8_lossy(&body[..end]), 16).unwrap_or(0);
        if size == 0 || body.len() < end + 2 + size {
            break;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = body.get(end + 4 + size..).unwrap_or_default();
    }
    whole
}

/// A PostgreSQL of its own, gone with its directory.
#[derive(Debug)]
pub struct Postgres {
    directory: TempDir,
    bin: PathBuf,
    port: u16,
}

impl Postgres {
    /// Starts one; none (said loudly) where it is not installed.
    pub fn start() -> Option<Self> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let bin = versions.map(|entry| entry.path().join("bin")).filter(|bin| bin.join("initdb").exists()).max();
        let Some(bin) = bin else {
            skip("PostgreSQL is not installed");
            return None;
        };
        let directory = TempDir::new().expect("a temporary directory");
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        let server = Self { directory, bin, port };
        // It refuses to run as root.
        std::fs::set_permissions(server.directory.path(), std::fs::Permissions::from_mode(0o777)).expect("permissions");
        let data = server.data();
        // As on a person's machine, it sorts as a language does.
        let language = ["--encoding=UTF8", "--locale-provider=icu", "--icu-locale=en"];
        server.run("initdb", &[&["--auth=trust", "--username=postgres", "--pgdata", &data], &language[..]].concat());
        server.up();
        Some(server)
    }

    /// Starts it, and waits until it answers.
    pub fn up(&self) {
        let set =
            format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_wal_size=256MB", self.port);
        let log = format!("{}/log", self.directory.path().display());
        self.run("pg_ctl", &["start", "--wait", "--pgdata", &self.data(), "--log", &log, "--options", &set]);
    }

    /// Stops it, breaking all connections.
    pub fn down(&self) {
        self.run("pg_ctl", &["stop", "--wait", "--mode=immediate", "--pgdata", &self.data()]);
    }

    /// Another database in it, empty.
    pub fn another(&self, name: &str) -> String {
        let port = self.port.to_string();
        self.run("createdb", &["--host", "127.0.0.1", "--port", &port, "--username", "postgres", name]);
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Does something to its first database, past the server.
    pub fn sql(&self, text: &str) {
        self.run("psql", &["--quiet", "--set", "ON_ERROR_STOP=1", "--command", text, &self.url()]);
    }

    fn data(&self) -> String {
        self.directory.path().join("data").display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.bin.join(program);
        // SAFETY: it only asks who we are.
        let is_root = unsafe { libc::geteuid() } == 0;
        let mut command = match is_root {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(program);
                command
            }
            false => Command::new(program),
        };
        let status = command
            .args(arguments)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.expect("PostgreSQL's programs start").success(), "{arguments:?}");
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.directory.path().join("data/postmaster.pid").exists() {
            self.down();
        }
    }
}

/// Runs a test over SQLite, and over PostgreSQL where there is one.
pub fn on_both(test: impl Fn(Option<&str>)) {
    test(None);
    if let Some(postgres) = Postgres::start() {
        test(Some(&postgres.url()));
    }
}
