//! Engines that lie, stall and never end. Each ends in a clear error, soon.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use dogwatch_e2e::program::{Ran, User};

/// An id for whatever the engine pretends to have.
const ID: &str = "sha256:4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f";

/// Listens where an engine would, and answers every request for a path by `answer`, in a thread of its own.
fn serve(user: &User, answer: impl Fn(&str, &mut UnixStream) + Send + Sync + 'static) -> String {
    let socket = user.path("socket");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let answer = std::sync::Arc::new(answer);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
                let mut request = String::new();
                let _ = reader.read_line(&mut request);
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
                    line.clear();
                }
                answer(request.split(' ').nth(1).unwrap_or_default(), &mut stream);
            });
        }
    });
    format!("unix://{}", socket.display())
}

/// What Docker would be asked, and the program's answer to what it says.
fn scan(target: &str, answer: impl Fn(&str, &mut UnixStream) + Send + Sync + 'static) -> Ran {
    let user = User::new();
    let host = serve(&user, answer);
    let user = user.with("DOCKER_HOST", host.clone()).with("CONTAINERD_ADDRESS", host);
    let started = Instant::now();
    let ran = user.run(&["scan", target, "--no-cache", "--inventory-only"]);
    assert!(started.elapsed() < Duration::from_secs(60), "{target}: {ran:?}");
    ran
}

fn fails(target: &str, expected: &str, answer: impl Fn(&str, &mut UnixStream) + Send + Sync + 'static) {
    let ran = scan(target, answer);
    assert!(ran.code == 2 && ran.stderr.contains(expected), "{target}: {expected}\n{ran:?}");
    assert!(ran.stderr.lines().all(|line| line.len() < 2000), "{ran:?}");
}

fn send(stream: &mut UnixStream, head: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

/// Sends a beginning and then the same block until nobody listens any more.
fn send_for_ever(stream: &mut UnixStream, begin: &[u8], block: &[u8]) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(begin);
    while stream.write_all(block).is_ok() {}
}

fn described(stream: &mut UnixStream) {
    let body = format!(r#"{{"Id":"{ID}","RepoTags":["shop:1"],"RepoDigests":null,"RootFS":{{"Layers":null}}}}"#);
    send(stream, "200 OK", body.as_bytes());
}

#[test]
fn a_description_that_is_none_or_never_ends() {
    let target = "docker:shop:1";
    fails(target, "sends more than 16777216 bytes for the image `shop:1`", |_, stream| {
        send_for_ever(stream, b"{\"Id\":\"", &[b'a'; 65536]);
    });
    fails(target, "what docker sends for the image `shop:1` is malformed", |_, stream| {
        send(stream, "200 OK", "[".repeat(100_000).as_bytes());
    });
    fails(target, "`../../etc\u{fffd}` is no image id", |_, stream| {
        send(stream, "200 OK", br#"{"Id":"../../etc\u0007"}"#);
    });
    fails(target, "answered 500 to the request for the image `shop:1`: no\u{fffd}[31mdisk", |_, stream| {
        send(stream, "500 Oh", br#"{"message":"no\u001b[31mdisk"}"#);
    });
    fails(target, "could not read the image `shop:1` from docker", |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{");
    });
    fails(target, "could not talk to docker", |_, stream| drop(stream.write_all(b"SSH-2.0-x\r\n\r\n")));
    fails(target, "could not talk to docker", |_, _| {});
    fails(target, "answered 307", |_, stream| send(stream, "307 There\r\nLocation: http://registry.example/", b""));
}

#[test]
fn an_archive_that_is_another_image_or_none() {
    let target = "docker:shop:1";
    let answer = |archive: &'static [u8]| {
        move |path: &str, stream: &mut UnixStream| match path.ends_with("/get") {
            true => send(stream, "200 OK", archive),
            false => described(stream),
        }
    };
    fails(target, "the archive of `docker:shop:1` is malformed: there is no tar header", answer(&[7; 1024]));
    fails(target, "the archive of `docker:shop:1` is malformed: it ends in the middle", answer(b""));
    fails(target, "`docker:shop:1` lacks", answer(&[0; 1024]));
    fails(target, "could not fetch `docker:shop:1`", |path, stream| match path.ends_with("/get") {
        true => drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n1234")),
        false => described(stream),
    });
    let other = archive_of_another_image();
    fails(target, "`docker:shop:1` lacks the image sha256:4f4f", move |path, stream| match path.ends_with("/get") {
        true => send(stream, "200 OK", &other),
        false => described(stream),
    });
}

/// What `docker save` writes for an image without layers, whose id is not [`ID`].
fn archive_of_another_image() -> Vec<u8> {
    let config = br#"{"os":"linux","architecture":"amd64","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#;
    let mut tar = tar::Builder::new(Vec::new());
    for (name, body) in [
        ("config.json", config.as_slice()),
        ("manifest.json", br#"[{"Config":"config.json","RepoTags":null,"Layers":[]}]"#),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(body.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, body).expect("a member");
    }
    tar.into_inner().expect("a tar file")
}

#[test]
fn a_container_whose_description_points_elsewhere() {
    let answer = |body: String| move |_: &str, stream: &mut UnixStream| send(stream, "200 OK", body.as_bytes());
    let id = ID.trim_start_matches("sha256:");
    fails("container:web", "is no container id", answer(r#"{"Id":"x"}"#.into()));
    let relative = r#"{"Name":"overlay2","Data":{"LowerDir":"../etc","UpperDir":"tmp"}}"#;
    let body = format!(r#"{{"Id":"{id}","Name":"/web","GraphDriver":{relative}}}"#);
    fails("container:web", "the files of container `web` cannot be found: it does not run", answer(body));
    // A process of this machine that is no container's.
    let body = format!(r#"{{"Id":"{id}","Name":"/web","State":{{"Pid":{}}}}}"#, std::process::id());
    fails("container:web", "its engine runs it on another machine", answer(body));
}

#[test]
fn containerd_that_speaks_something_else() {
    fails("containerd:shop:1", "could not talk to containerd", |_, stream| send(stream, "200 OK", b"{}"));
    fails("containerd:shop:1", "could not talk to containerd", |_, stream| {
        send_for_ever(stream, b"", &[0; 65536]);
    });
}

#[test]
fn an_engine_that_says_nothing_holds_a_bare_name_up_for_seconds_only() {
    let ran = scan("127.0.0.1:1/shop:1", |_, _| std::thread::sleep(Duration::from_secs(100)));
    assert!(ran.code == 2 && ran.stderr.contains("could not talk to `127.0.0.1:1`"), "{ran:?}");
}
