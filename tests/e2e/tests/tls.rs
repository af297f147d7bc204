//! The server over TLS: a certificate that a test's own authority signed, replaced while it serves, broken while it serves.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dogwatch_e2e::have;
use dogwatch_e2e::images::{small, upgraded};
use dogwatch_e2e::program::{Ran, User};
use dogwatch_e2e::server::Server;

const PATIENCE: Duration = Duration::from_secs(60);

fn openssl(user: &User, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(user.path("")).output();
    let output = output.expect("openssl starts");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// A certificate for this machine, signed by the authority in `ca.pem`.
fn certificate(user: &User, name: &str) {
    user.file("extensions", "basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1\n");
    openssl(user, &format!("req {NEW_KEY} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
    let sign = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions";
    openssl(user, &format!("x509 -req -in {name}.csr {sign} -out {name}.pem"));
}

fn serve(user: &User, certificate: &str, key: &str, token: Option<&str>) -> Server {
    let path = |name: &str| user.path(name).display().to_string();
    let index = dogwatch_e2e::program::index().display().to_string();
    let arguments = ["serve", "--data-dir", &path("server"), "--listen", "127.0.0.1:0", "--index", &index];
    let tls = ["--tls-cert", &path(certificate), "--tls-key", &path(key)];
    Server::of(user.start(&[], &[&arguments[..], &tls[..]].concat()), token)
}

/// The start of a session with the server, as the authority's user.
fn session(user: &User, server: &Server, more: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-connect", server.url.trim_start_matches("https://"), "-CAfile"])
        .arg(user.path("ca.pem"));
    command.args(["-verify_return_error"]).args(more);
    command
}

/// Whose certificate is served.
fn served(user: &User, server: &Server) -> String {
    let output = session(user, server, &[]).stdin(Stdio::null()).output().expect("openssl starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("subject=")).unwrap_or_default().replace(' ', "")
}

fn wait(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Puts files in the place of others as whoever renews certificates does.
fn replace(user: &User, from: [&str; 2], to: [&str; 2]) {
    for (from, to) in from.into_iter().zip(to) {
        std::fs::copy(user.path(from), user.path("next")).expect("copied");
        std::fs::rename(user.path("next"), user.path(to)).expect("renamed");
    }
}

/// The event stream, followed in a process of its own; what came of it so far.
fn follow(user: &User, server: &Server) -> (Child, Arc<Mutex<Vec<String>>>) {
    let mut child = session(user, server, &["-quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl starts");
    let head =
        format!("GET /api/v1/changes/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", server.token);
    child.stdin.as_mut().expect("stdin").write_all(head.as_bytes()).expect("asked");
    let (stdout, events) = (child.stdout.take().expect("stdout"), Arc::new(Mutex::new(Vec::new())));
    let kept = events.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok).filter(|line| line.starts_with("data:")) {
            kept.lock().expect("the events").push(line);
        }
    });
    (child, events)
}

#[test]
fn a_certificate_is_replaced_while_it_serves_and_a_broken_one_is_not_taken() {
    if !have(&["openssl"]) {
        return;
    }
    let (Some(small), Some(images)) = (small(), upgraded()) else { return };
    let user = User::new();
    openssl(&user, &format!("req -x509 {NEW_KEY} -keyout ca.key -out ca.pem -subj /CN=authority -days 2"));
    certificate(&user, "first");
    certificate(&user, "second");
    replace(&user, ["first.pem", "first.key"], ["tls.pem", "tls.key"]);
    let server = serve(&user, "tls.pem", "tls.key", None);
    let user = user.with("DOGWATCH_TOKEN", &*server.token);
    let authority = user.path("ca.pem").display().to_string();
    let upload = |target: &str, more: &[&str]| -> Ran {
        user.run(&[&["scan", target, "--server", &server.url, "-o", "json"], more].concat())
    };
    let trusting = ["--ca-file", &authority];
    let target = |name: &str| format!("oci-dir:{}:{name}", images.layout.display());
    let sent = upload(&target("base"), &trusting);
    assert!(sent.stderr.contains("uploaded to the server"), "{}", sent.stderr);
    let stranger = upload(&target("base"), &[]).stderr;
    assert!(stranger.contains("UnknownIssuer") && stranger.contains("`--ca-file`"), "{stranger}");
    assert_eq!(served(&user, &server), "CN=first");

    let (mut stream, events) = follow(&user, &server);
    let count = || events.lock().expect("the events").len();
    wait("the stream tells of the first image", || count() > 0);
    replace(&user, ["second.pem", "second.key"], ["tls.pem", "tls.key"]);
    wait("the new certificate is served", || served(&user, &server) == "CN=second");
    let before = count();
    assert!(upload(&target("upgraded"), &trusting).stderr.contains("uploaded to the server"));
    wait("the stream goes on", || count() > before);

    user.file("tls.pem", "no certificate\n");
    wait("the log says so", || server.log().contains("the new certificate is not used"));
    assert_eq!(served(&user, &server), "CN=second");
    let before = count();
    let sent = upload(&format!("oci-dir:{}:small", small.display()), &trusting);
    assert!(sent.stderr.contains("uploaded to the server"), "{}", sent.stderr);
    wait("the stream goes on", || count() > before);
    assert!(stream.try_wait().expect("it is ours").is_none(), "one stream all along");
    let _ = stream.kill();
    let _ = stream.wait();
    let said = server.log().matches("the new certificate is not used").count();
    assert_eq!(said, 1, "said once, not every few seconds");
}

#[test]
fn an_authority_as_its_own_server_is_refused_and_the_message_says_what_to_do() {
    if !have(&["openssl"]) {
        return;
    }
    let Some(small) = small() else { return };
    let user = User::new();
    let own = "-addext subjectAltName=IP:127.0.0.1 -days 2";
    openssl(&user, &format!("req -x509 {NEW_KEY} -keyout ca.key -out ca.pem -subj /CN=self {own}"));
    let server = serve(&user, "ca.pem", "ca.key", None);
    let user = user.with("DOGWATCH_TOKEN", &*server.token);
    let authority = user.path("ca.pem").display().to_string();
    let target = format!("oci-dir:{}:small", small.display());
    let said = user.run(&["scan", &target, "--server", &server.url, "--ca-file", &authority, "-o", "json"]).stderr;
    assert!(said.contains("is an authority's own") && said.contains("basicConstraints=CA:FALSE"), "{said}");
}
