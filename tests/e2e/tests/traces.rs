//! Traces for a collector, as OpenTelemetry's protocol has them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use dogwatch_e2e::images::small;
use dogwatch_e2e::program::User;
use dogwatch_e2e::server::Server;

/// A collector that takes whatever is sent; what it was sent: path and body.
fn collector() -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut reader = BufReader::new(connection.try_clone().expect("a clone"));
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                    let lower = line.to_lowercase();
                    length = lower
                        .strip_prefix("content-length:")
                        .and_then(|text| text.trim().parse().ok())
                        .unwrap_or(length);
                    head.push_str(&line);
                    continue;
                }
                break;
            }
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_ok() {
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = tell.send((path, body));
            }
        }
    });
    (url, told)
}

#[test]
fn requests_and_judgements_are_traced_when_a_collector_is_named() {
    let Some(small) = small() else { return };
    let (url, told) = collector();
    let user = User::new().with("OTEL_EXPORTER_OTLP_ENDPOINT", &*url);
    let server = Server::start(&user, None, None, None);
    let user = user.with("DOGWATCH_TOKEN", &*server.token);
    user.run(&["scan", &format!("oci-dir:{}:small", small.display()), "--server", &server.url, "-o", "json"]);
    let (status, _) = server.ask("POST", "/api/v1/reports", "no token", Some("{}"));
    assert_eq!(status, 401);
    let token = server.token.clone();
    // What is left is sent at the end.
    server.stop();
    let mut all = Vec::new();
    while let Ok((path, body)) = told.recv_timeout(Duration::from_secs(1)) {
        assert_eq!(path, "/v1/traces");
        all.extend(body);
    }
    // Protocol buffers hold texts as they are.
    let all = String::from_utf8_lossy(&all);
    for text in ["service.name", "dogwatch", "request", "/api/v1/reports", "wait for a turn"] {
        assert!(all.contains(text), "`{text}` is not traced");
    }
    assert!(!all.contains(&token), "no secret leaves");
}

#[test]
fn a_collector_that_is_away_keeps_nobody_waiting() {
    let Some(small) = small() else { return };
    let user = User::new().with("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    let server = Server::start(&user, None, None, None);
    let user = user.with("DOGWATCH_TOKEN", &*server.token);
    let ran = user.run(&["scan", &format!("oci-dir:{}:small", small.display()), "--server", &server.url]);
    assert!(ran.stderr.contains("uploaded to the server"), "{}", ran.stderr);
    let began = std::time::Instant::now();
    server.stop();
    assert!(began.elapsed() < Duration::from_secs(20));
}
