//! Reports that come in parts, over connections that break.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dogwatch_e2e::images::upgraded;
use dogwatch_e2e::program::User;
use dogwatch_e2e::server::{Server, on_both};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A line to the server that breaks each connection after so many bytes were sent; counts those that it broke.
fn bad_line(to: &str, bytes: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (to, broken) = (to.trim_start_matches("http://").to_owned(), Arc::new(AtomicUsize::new(0)));
    let count = broken.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (to, count) = (to.clone(), count.clone());
            std::thread::spawn(move || {
                let Ok(server) = TcpStream::connect(&to) else { return };
                let (mut back, mut answers) =
                    (client.try_clone().expect("a clone"), server.try_clone().expect("a clone"));
                std::thread::spawn(move || std::io::copy(&mut answers, &mut back));
                let sent = std::io::copy(&mut (&client).take(bytes as u64), &mut &server);
                if sent.is_ok_and(|sent| sent == bytes as u64) {
                    count.fetch_add(1, Ordering::Relaxed);
                    let _ = (client.shutdown(std::net::Shutdown::Both), server.shutdown(std::net::Shutdown::Both));
                }
            });
        }
    });
    (url, broken)
}

#[test]
fn a_report_gets_through_a_line_that_breaks_again_and_again() {
    on_both(|database| {
        let Some(images) = upgraded() else { return };
        let user = User::new();
        let server = Server::start(&user, database, None, None);
        let user = user.with("DOGWATCH_TOKEN", &*server.token);
        let (url, broken) = bad_line(&server.url, 6_000);
        let target = format!("oci-dir:{}:upgraded", images.layout.display());
        let ran = user.run(&["scan", &target, "--server", &url, "-o", "json"]);
        assert!(ran.stderr.contains("uploaded to the server"), "{}", ran.stderr);
        assert!(broken.load(Ordering::Relaxed) > 1, "the line did not break");
        let known = server.list("/api/v1/images");
        assert_eq!((known.len(), &known[0]["digest"]), (1, &ran.json()["artifact"]["manifest_digest"]));
    });
}

#[test]
fn parts_are_kept_over_a_restart_and_refused_out_of_order() {
    on_both(|database| {
        let Some(images) = upgraded() else { return };
        let user = User::new();
        let server = Server::start(&user, database, None, None);
        let report = user.scan(&format!("oci-dir:{}:upgraded", images.layout.display()), &[]).to_string();
        let body = zstd::bulk::compress(report.as_bytes(), 3).expect("compressed");
        let name = hex::encode(Sha256::digest(&body));
        let put = |server: &Server, name: &str, offset: usize, part: &[u8]| -> (u16, Value) {
            let path = format!("/api/v1/uploads/{name}?offset={offset}&total={}", body.len());
            let bearer = format!("Bearer {}", server.token);
            let headers = [("Authorization", bearer.as_str()), ("Content-Encoding", "zstd")];
            let (status, answer) = server.raw("PUT", &path, &headers, part);
            (status, serde_json::from_slice(&answer).unwrap_or_default())
        };
        let half = body.len() / 2;
        let received = |server: &Server| {
            let path = format!("/api/v1/uploads/{name}");
            server.ask("GET", &path, &server.token, None).1["received"].as_u64().expect("a count") as usize
        };
        assert_eq!(put(&server, &name, 0, &body[..half]), (200, json!({ "received": half })));
        let token = server.token.clone();
        server.kill_now();
        drop(server);
        let server = Server::start(&user, database, None, Some(&token));
        assert_eq!(received(&server), half);
        for (offset, part) in
            [(0, &body[..10]), (half + 1, &body[half + 1..]), (half, &[][..]), (half, &body[half - 1..])]
        {
            let (status, problem) = put(&server, &name, offset, part);
            assert_eq!(status, 409, "{offset}: {problem}");
        }
        // Nobody else's parts are seen or mixed in.
        let asked = json!({ "name": "another", "role": "developer" }).to_string();
        let other = server.ask("POST", "/api/v1/tokens", &server.token, Some(&asked)).1["secret"].clone();
        let other = other.as_str().expect("a secret");
        assert_eq!(server.ask("GET", &format!("/api/v1/uploads/{name}"), other, None).1["received"], 0);
        let (status, answer) = put(&server, &name, half, &body[half..]);
        assert_eq!((status, &answer["report"]["new"]), (200, &json!(true)), "{answer}");
        assert_eq!(received(&server), 0, "what is complete is not kept");
        // What is another than its name says is refused, and forgotten.
        let wrong = "0".repeat(64);
        let (status, problem) = put(&server, &wrong, 0, &body);
        assert_eq!((status, &problem["title"]), (400, &json!("the upload is damaged")));
        assert_eq!(put(&server, "../x", 0, &body).0, 404);
        assert_eq!(put(&server, "ABC", 0, &body).0, 400);
    });
}
