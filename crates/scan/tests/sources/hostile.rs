//! Registries that stall, lie about lengths and digests, redirect elsewhere, and ask for credentials they may not have.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dogwatch_scan::source::{self, Credentials, RegistryOptions, SourceOptions};

use super::tools::*;

/// A server on a free port of this machine. It lives as long as the test process.
struct Server {
    port: u16,
    /// The heads of all requests.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each request (method and path) by writing to the connection, which is closed afterwards.
    fn start(answer: impl Fn(&str, &str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::start_seeing(move |head, path, connection| answer(head.split(' ').next().unwrap(), path, connection))
    }

    /// The same for answers that depend on the whole head.
    fn start_seeing(answer: impl Fn(&str, &str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, answer) = (requests.clone(), Arc::new(answer));
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (seen, answer) = (seen.clone(), answer.clone());
                thread::spawn(move || {
                    let mut connection = connection;
                    let Some(head) = read_head(&mut connection) else { return };
                    let path = head.split(' ').nth(1).unwrap().to_owned();
                    seen.lock().unwrap().push(head.clone());
                    answer(&head, &path, &mut connection);
                });
            }
        });
        Self { port, requests }
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// All requests so far, for assertions about what was sent.
    fn seen(&self) -> String {
        self.requests.lock().unwrap().join("\n").to_lowercase()
    }
}

/// A request's head and body; none for an attempt at TLS, which this server does not speak.
fn read_head(connection: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if connection.read(&mut byte).ok()? == 0 || byte[0] == 0x16 {
            return None;
        }
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).ok()?;
    let length =
        head.to_lowercase().split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    connection.read_exact(&mut body).ok()?;
    Some(head + &String::from_utf8_lossy(&body))
}

fn send(connection: &mut TcpStream, status: &str, headers: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body));
}

/// Every place of it can be told from those around it.
const LAYER: &[u8] = &{
    let mut bytes = [0; 100_000];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = (at % 251) as u8 ^ (at / 251) as u8;
        at += 1;
    }
    bytes
};

fn config() -> Vec<u8> {
    let rootfs = serde_json::json!({"type": "layers", "diff_ids": [digest_of(LAYER)]});
    serde_json::json!({"os": "linux", "architecture": "amd64", "rootfs": rootfs}).to_string().into_bytes()
}

fn manifest() -> Vec<u8> {
    let config = config();
    let kind = "application/vnd.oci.image";
    let layer = serde_json::json!({"mediaType": format!("{kind}.layer.v1.tar"), "digest": digest_of(LAYER), "size": LAYER.len()});
    let config = serde_json::json!({"mediaType": format!("{kind}.config.v1+json"), "digest": digest_of(&config), "size": config.len()});
    serde_json::json!({"schemaVersion": 2, "config": config, "layers": [layer]}).to_string().into_bytes()
}

/// Serves the image honestly.
fn honest(path: &str, connection: &mut TcpStream) {
    match path.split('?').next().unwrap() {
        path if path.contains("/manifests/") => send(connection, "200 OK", "", &manifest()),
        path if path.ends_with(&digest_of(LAYER).hex()) => send(connection, "200 OK", "", LAYER),
        path if path.contains("/blobs/") => send(connection, "200 OK", "", &config()),
        _ => send(connection, "404 Not Found", "", b"{}"),
    }
}

fn options() -> SourceOptions {
    SourceOptions {
        registry: RegistryOptions {
            credentials: Some(Credentials::Password { username: "alice".into(), password: "hunter2".into() }),
            stall: Duration::from_millis(700),
            retry_pause: Duration::from_millis(5),
            ..RegistryOptions::default()
        },
        ..SourceOptions::default()
    }
}

/// `alice:hunter2` as an `Authorization` header has it, in lower case as [`Server::seen`] gives it.
const BASIC: &str = "basic ywxpy2u6ahvudgvymg==";

/// Opens the image of a server that answers requests for the layer with `answer`, and reads the layer.
fn read_layer(answer: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> std::io::Result<Vec<u8>> {
    let server = Server::start(move |_, path, connection| match path.ends_with(&digest_of(LAYER).hex()) {
        true => answer(connection),
        false => honest(path, connection),
    });
    let image = open(&format!("{}/app", server.host()), &options()).unwrap();
    let mut bytes = Vec::new();
    image.layers[0].open()?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[test]
fn an_honest_server_is_understood() {
    assert_eq!(read_layer(|connection| send(connection, "200 OK", "", LAYER)).unwrap(), LAYER);
    let server = Server::start(|_, path, connection| honest(path, connection));
    check(&format!("{}/app", server.host()), &options());
    assert!(!server.seen().contains("authorization"), "nobody asked");
}

#[test]
fn layers_of_another_length_are_errors() {
    let chunked = "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = |head: &'static str, body: usize, tail: &'static str| {
        read_layer(move |connection| {
            let _ = connection.write_all(&[head.as_bytes(), &vec![7; body], tail.as_bytes()].concat());
        })
    };
    let check = |result: std::io::Result<Vec<u8>>, expected: &str| {
        let error = result.expect_err(expected);
        assert!(format!("{error:?} {error}").contains(expected), "{error:?}");
    };
    check(answer("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", 10, ""), "");
    check(
        answer("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", 99_999, ""),
        "should have 100000 bytes, and the registry sends 99999",
    );
    check(answer("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", 10, ""), "");
    // No length at all: 10 bytes and the end; 100001 bytes.
    check(
        answer("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", 10, ""),
        "should have 100000 bytes, and the registry sends 10",
    );
    check(
        answer("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", 100_001, ""),
        "should have 100000 bytes, and the registry sends 100001",
    );
    let short = format!("{chunked}5\r\n12345\r\n0\r\n\r\n");
    check(read_layer(move |connection| drop(connection.write_all(short.as_bytes()))), "and the registry sends 5");
    check(
        answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n", 100_000, ""),
        "an encoding that was not asked for",
    );
}

/// Reads the layer from a server that sends at most `cut` bytes of it at once and then breaks the connection. Returns the
/// ranges that were asked for, too.
fn read_broken(
    cut: usize,
    head: impl Fn(Option<usize>) -> (usize, String) + Send + Sync + 'static,
) -> (std::io::Result<Vec<u8>>, Vec<String>) {
    let server = Server::start_seeing(move |request, path, connection| {
        if !path.ends_with(&digest_of(LAYER).hex()) {
            return honest(path, connection);
        }
        let range =
            request.to_lowercase().split("range: bytes=").nth(1).map(|rest| rest.split('-').next().unwrap().to_owned());
        let (from, head) = head(range.map(|from| from.parse().unwrap()));
        let end = LAYER.len().min(from + cut);
        let _ = connection.write_all(&[head.as_bytes(), &LAYER[from..end]].concat());
    });
    let image = open(&format!("{}/app", server.host()), &options()).unwrap();
    let mut bytes = Vec::new();
    let result = image.layers[0].open().and_then(|mut layer| layer.read_to_end(&mut bytes));
    let seen = server.seen();
    let ranges = seen.lines().filter_map(|line| line.strip_prefix("range: ")).map(str::to_owned).collect();
    (result.map(|_| bytes), ranges)
}

#[test]
fn a_transfer_that_breaks_is_resumed_where_it_broke() {
    let honours = |from: Option<usize>| {
        let from = from.unwrap_or(0);
        let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
        let (last, size, left) = (LAYER.len() - 1, LAYER.len(), LAYER.len() - from);
        (
            from,
            format!("HTTP/1.1 {status}\r\nContent-Length: {left}\r\nContent-Range: bytes {from}-{last}/{size}\r\n\r\n"),
        )
    };
    let (bytes, ranges) = read_broken(30_000, honours);
    assert_eq!(bytes.unwrap(), LAYER);
    assert_eq!(ranges, ["bytes=30000-", "bytes=60000-", "bytes=90000-"]);
    // One that sends nothing any more is asked a few times, and not for ever.
    let (error, ranges) = read_broken(0, honours);
    let error = error.unwrap_err();
    assert!(format!("{error}").contains("broke too often, the last time after 0 of 100000 bytes"), "{error}");
    assert_eq!(ranges, Vec::<String>::new(), "the beginning needs no range");
}

#[test]
fn a_registry_without_ranges_sends_the_layer_again_and_one_with_wrong_ranges_is_left() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let sent = AtomicUsize::new(0);
    let whole = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", LAYER.len());
    let deaf = Server::start(move |_, path, connection| match path.ends_with(&digest_of(LAYER).hex()) {
        true => {
            // Each time a little more arrives.
            let end = LAYER.len().min(35_000 * (1 + sent.fetch_add(1, Ordering::Relaxed)));
            let _ = connection.write_all(&[whole.as_bytes(), &LAYER[..end]].concat());
        }
        false => honest(path, connection),
    });
    let image = open(&format!("{}/app", deaf.host()), &options()).unwrap();
    let mut bytes = Vec::new();
    image.layers[0].open().unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, LAYER);

    let (error, _) = read_broken(30_000, |from| match from {
        None => (0, format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", LAYER.len())),
        Some(from) => (
            from,
            format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes 5-9/10\r\n\r\n",
                LAYER.len() - from
            ),
        ),
    });
    let error = error.unwrap_err();
    assert!(format!("{error}").contains("with another part of it"), "{error}");
}

#[test]
fn a_server_that_stalls_is_left() {
    let started = Instant::now();
    let error = read_layer(|connection| {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc");
        thread::sleep(Duration::from_secs(60));
    })
    .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{error:?}");
    let silent = Server::start(|_, _, _| thread::sleep(Duration::from_secs(60)));
    let error = error_of(&format!("{}/app", silent.host()), &options());
    assert!(error.contains("sent nothing for"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_reader_that_is_dropped_closes_its_connection() {
    let (sender, receiver) = mpsc::channel();
    let server = Server::start(move |_, path, connection| match path.ends_with(&digest_of(LAYER).hex()) {
        false => honest(path, connection),
        true => {
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc");
            let closed = connection.read(&mut [0]).is_ok_and(|count| count == 0);
            let _ = sender.send(closed);
        }
    });
    let image = open(&format!("{}/app", server.host()), &SourceOptions::default()).unwrap();
    let mut reader = image.layers[0].open().unwrap();
    reader.read_exact(&mut [0; 3]).unwrap();
    drop(reader);
    assert!(receiver.recv_timeout(Duration::from_secs(10)).unwrap());
}

#[test]
fn wrong_digests_and_endless_documents_are_errors() {
    let claimed = Server::start(|_, path, connection| match path.contains("/manifests/") {
        true => send(connection, "200 OK", &format!("Docker-Content-Digest: {}\r\n", digest_of(b"other")), &manifest()),
        false => honest(path, connection),
    });
    let error = error_of(&format!("{}/app", claimed.host()), &options());
    assert!(
        error.contains(&format!("should have the digest {}, but has {}", digest_of(b"other"), digest_of(&manifest()))),
        "{error}"
    );

    let honest_server = Server::start(|_, path, connection| honest(path, connection));
    let error = error_of(&format!("{}/app@{}", honest_server.host(), digest_of(b"asked")), &options());
    assert!(error.contains(&format!("should have the digest {}", digest_of(b"asked"))), "{error}");

    let other_config = Server::start(|_, path, connection| match path.contains("/blobs/") {
        true => send(connection, "200 OK", "", &vec![b' '; config().len()]),
        false => honest(path, connection),
    });
    let error = error_of(&format!("{}/app", other_config.host()), &options());
    assert!(error.contains("the configuration of") && error.contains("should have the digest"), "{error}");

    let endless = Server::start(|_, _, connection| {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while connection.write_all(&[b' '; 65536]).is_ok() {}
    });
    let error = error_of(&format!("{}/app", endless.host()), &options());
    assert!(error.contains("has more than 4194304 bytes"), "{error}");
}

#[test]
fn credentials_do_not_follow_a_redirect() {
    // The other host even asks for them, and names a token server.
    let asks = Arc::new(Mutex::new(false));
    let asking = asks.clone();
    let elsewhere = Server::start(move |_, path, connection| match *asking.lock().unwrap() {
        true => send(connection, "401 Unauthorized", "WWW-Authenticate: Basic realm=\"gimme\"\r\n", b""),
        false => honest(path, connection),
    });
    let target = elsewhere.host();
    let registry = Server::start(move |_, path, connection| match path.contains("/blobs/") {
        true => send(
            connection,
            "307 Temporary Redirect",
            &format!("Location: http://bob:secret@{target}{path}?signature=s3cr3t\r\n"),
            b"",
        ),
        false => authorized(path, connection, honest),
    });
    check(&format!("{}/app", registry.host()), &options());
    assert!(registry.seen().contains(BASIC), "the registry asked and got them");
    assert!(elsewhere.seen().contains("/blobs/"), "{}", elsewhere.seen());
    assert!(!elsewhere.seen().contains("authorization"), "{}", elsewhere.seen());

    *asks.lock().unwrap() = true;
    let error = error_of(&format!("{}/app", registry.host()), &options());
    assert!(error.contains(&format!("`{}` answered 401", elsewhere.host())) && !error.contains("s3cr3t"), "{error}");
    assert!(!elsewhere.seen().contains("authorization"), "{}", elsewhere.seen());
}

/// Asks for a password first. The connection's request was read already, so the header is looked for by its effect:
/// the first request of a path is refused.
fn authorized(path: &str, connection: &mut TcpStream, then: fn(&str, &mut TcpStream)) {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let key = format!("{} {path}", connection.local_addr().unwrap());
    let mut seen = SEEN.lock().unwrap();
    if seen.contains(&key) {
        return then(path, connection);
    }
    seen.push(key);
    send(connection, "401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", b"");
}

#[test]
fn redirects_in_a_circle_or_to_other_schemes_end() {
    let circle = Server::start(|_, path, connection| {
        send(connection, "302 Found", &format!("Location: {path}\r\n"), b"");
    });
    let error = error_of(&format!("{}/app", circle.host()), &options());
    assert!(error.contains("redirects to an address that is not followed: there are too many in a row"), "{error}");
    assert!(circle.requests.lock().unwrap().len() <= 6);
    let file = Server::start(|_, _, connection| send(connection, "302 Found", "Location: file:///etc/passwd\r\n", b""));
    let error = error_of(&format!("{}/app", file.host()), &options());
    assert!(error.contains("neither HTTP nor HTTPS"), "{error}");
}

#[test]
fn tokens_are_bought_where_the_registry_says_and_for_reading_only() {
    let bought = Server::start(|method, path, connection| {
        assert!(method == "POST" || path.contains("scope=repository%3Aapp%3Apull"), "{path}");
        send(connection, "200 OK", "", br#"{"token":"t0ken"}"#);
    });
    let realm = bought.host();
    let registry = Server::start(move |_, path, connection| {
        static ASKED: Mutex<u32> = Mutex::new(0);
        let mut asked = ASKED.lock().unwrap();
        *asked += 1;
        // The token expires once, in the middle.
        match *asked {
            1 | 3 => {
                let challenge = format!(
                    "WWW-Authenticate: Bearer realm=\"http://{realm}/token\",service=\"s\",scope=\"repository:other:push\"\r\n"
                );
                send(connection, "401 Unauthorized", &challenge, b"");
            }
            _ => honest(path, connection),
        }
    });
    check(&format!("{}/app", registry.host()), &options());
    assert!(bought.seen().contains(BASIC) && !bought.seen().contains("push"), "{}", bought.seen());
    assert!(registry.seen().contains("authorization: bearer t0ken"), "{}", registry.seen());
    assert!(!registry.seen().contains(BASIC), "the password is the token server's business");

    let identity = SourceOptions {
        registry: RegistryOptions {
            credentials: Some(Credentials::IdentityToken("refresh&me".into())),
            ..options().registry
        },
        ..options()
    };
    let realm = bought.host();
    let registry = Server::start(move |_, _, connection| {
        send(
            connection,
            "401 Unauthorized",
            &format!("WWW-Authenticate: Bearer realm=\"http://{realm}/token\"\r\n"),
            b"",
        );
    });
    let error = error_of(&format!("{}/app", registry.host()), &identity);
    assert!(error.contains("refused the credentials") && !error.contains("t0ken"), "{error}");
    assert!(
        bought.seen().contains("grant_type=refresh_token") && bought.seen().contains("refresh_token=refresh%26me"),
        "{}",
        bought.seen()
    );
}

#[test]
fn later_is_asked_again_and_never_is_named() {
    let server = Server::start(|_, path, connection| {
        static ASKED: Mutex<u32> = Mutex::new(0);
        let mut asked = ASKED.lock().unwrap();
        *asked += 1;
        match *asked {
            1 => send(connection, "429 Too Many Requests", "Retry-After: 0\r\n", b""),
            2 => send(connection, "503 Service Unavailable", "", b""),
            _ => honest(path, connection),
        }
    });
    check(&format!("{}/app", server.host()), &options());

    // Until then nobody asks, also not for something else.
    let busy = Server::start(|_, path, connection| {
        static ASKED: Mutex<Option<Instant>> = Mutex::new(None);
        match *ASKED.lock().unwrap().get_or_insert_with(Instant::now) {
            first if first.elapsed() < Duration::from_millis(900) => {
                send(connection, "429 Too Many Requests", "Retry-After: 1\r\n", b"")
            }
            _ => honest(path, connection),
        }
    });
    let (started, options_of_both) = (Instant::now(), options());
    let other = format!("{}/other", busy.host());
    open(&format!("{}/app", busy.host()), &options_of_both).unwrap();
    open(&other, &options_of_both).unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(busy.requests.lock().unwrap().len(), 5, "{}", busy.seen());

    let never = Server::start(|_, _, connection| {
        let body = br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"you sent Basic YWxpY2U6aHVudGVyMg=="}]}"#;
        send(connection, "429 Too Many Requests", "", body);
    });
    let error = error_of(&format!("{}/app", never.host()), &options());
    assert!(
        error.contains("answered 429 TOOMANYREQUESTS to the request for the manifest `latest`")
            && error.contains(", 4 times | hint: the registry limits"),
        "{error}"
    );
    assert!(!error.contains("YWxp"), "{error}");
    assert_eq!(never.requests.lock().unwrap().len(), 4);
}

#[test]
fn a_tag_is_resolved_by_one_request_and_without_the_header_by_its_content() {
    let server = Server::start(|method, path, connection| match method {
        "HEAD" => drop(connection.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n")),
        _ => honest(path, connection),
    });
    let target = format!("{}/app", server.host()).parse().unwrap();
    let identity = source::identify(&target, &options()).unwrap().identity;
    assert_eq!(identity, source::open(&target, &options()).unwrap().identity);

    let claims = Server::start(|_, _, connection| {
        send(connection, "200 OK", &format!("Docker-Content-Digest: {}\r\n", digest_of(b"x")), b"");
    });
    source::identify(&format!("{}/app", claims.host()).parse().unwrap(), &options()).unwrap();
    assert_eq!(claims.requests.lock().unwrap().len(), 1);
    assert!(claims.seen().starts_with("head "));
}

#[test]
fn lists_are_read_page_by_page_and_end() {
    use dogwatch_scan::source::{ListBounds, list};
    let bounds = ListBounds { images_max: 4, tags_max: 3 };
    let listed = |server: &Server, pattern: &str| {
        let text = format!("{}/{pattern}", server.host());
        list(&dogwatch_scan::target::Pattern::parse(&text).unwrap().unwrap(), bounds, &options())
    };
    let pages = Server::start(|_, path, connection| match path {
        "/v2/_catalog" => send(
            connection,
            "200 OK",
            "Link: </v2/_catalog?last=b&n=2>; rel=\"next\"\r\n",
            br#"{"repositories":["team/a","x"]}"#,
        ),
        "/v2/_catalog?last=b&n=2" => {
            send(connection, "200 OK", "", br#"{"repositories":["team/b","team/../c","team/d"]}"#)
        }
        "/v2/team/a/tags/list" => send(
            connection,
            "200 OK",
            "Link: <?n=2&last=1.9>; rel=\"next\"\r\n",
            br#"{"name":"team/a","tags":["1.10","1.9"]}"#,
        ),
        "/v2/team/a/tags/list?n=2&last=1.9" => {
            let attached = "0a".repeat(32);
            let tags = format!(r#"{{"tags":["2.0","1.8","sha256-{attached}.sig","not a tag"]}}"#);
            send(connection, "200 OK", "", tags.as_bytes())
        }
        "/v2/team/b/tags/list" => send(connection, "200 OK", "", br#"{"name":"team/b","tags":null}"#),
        "/v2/team/d/tags/list" => send(connection, "200 OK", "", br#"{"tags":["latest","edge"]}"#),
        _ => send(connection, "404 Not Found", "", b"{}"),
    });
    let found = listed(&pages, "team/*:*").unwrap();
    let names: Vec<&str> = found.references.iter().map(|found| found.repository()).collect();
    let tags: Vec<&str> = found.references.iter().filter_map(|found| found.tag()).collect();
    assert_eq!(names, ["team/a", "team/a", "team/a", "team/d"]);
    assert_eq!(tags, ["2.0", "1.10", "1.9", "edge"]);
    assert_eq!((found.beyond_tags_max, found.beyond_images_max, found.attachments), (2, 1, 1));
    assert_eq!(found.unusable, 0, "what `*` does not match is nobody's business");
    assert_eq!(listed(&pages, "**:*").unwrap().unusable, 1);

    let error = |server: &Server| {
        let error = listed(server, "**:*").unwrap_err();
        format!("{error} | {}", error.hint().unwrap_or_default())
    };
    let closed = Server::start(|_, _, connection| send(connection, "404 Not Found", "", b""));
    assert!(
        error(&closed).contains("does not list its repositories | name the repository, as in"),
        "{}",
        error(&closed)
    );
    let garbage = Server::start(|_, _, connection| send(connection, "200 OK", "", b"<html>"));
    assert!(
        error(&garbage).contains("the list of repositories of") && error(&garbage).contains("cannot be understood")
    );
    let circle = Server::start(|_, _, connection| {
        let names: Vec<String> = (0..5000).map(|number| format!("a{number}")).collect();
        let body = serde_json::json!({ "repositories": names }).to_string();
        send(connection, "200 OK", "Link: </v2/_catalog?again>; rel=\"next\"\r\n", body.as_bytes());
    });
    assert!(error(&circle).contains("has more than 200000 entries"), "{}", error(&circle));
}
