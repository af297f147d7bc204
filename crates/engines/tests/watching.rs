//! What is said of containers that run and of what happens to them, by engines that are honest, broken and hostile.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use dogwatch_engines::{ContainerAction, Engine, EngineError, EngineKind};
use tempfile::TempDir;

const ID: &str = "4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f";
const OTHER: &str = "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e";
const HEAD: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
/// A chunk may be of any size; this one is never finished.
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n";

/// An engine that answers each request for a path by `answer`, in a thread of its own.
fn engine(kind: EngineKind, answer: impl Fn(&str, &mut UnixStream) + Send + 'static) -> (Engine, TempDir) {
    let directory = TempDir::new().expect("a directory");
    let socket = directory.path().join("socket");
    let listener = UnixListener::bind(&socket).expect("a socket");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
            let request = lines.next().and_then(Result::ok).unwrap_or_default();
            let _ = lines.find(|line| line.as_ref().is_ok_and(String::is_empty));
            answer(request.split(' ').nth(1).unwrap_or_default(), &mut stream);
        }
    });
    (Engine::at(kind, socket), directory)
}

fn send(stream: &mut UnixStream, head: &str, body: &str) {
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

/// The events of a stream that ends after these lines, one a line: what happened, or the error.
fn events(body: &'static str) -> Vec<String> {
    let (engine, _directory) = engine(EngineKind::Docker, move |_, stream| send(stream, HEAD, body));
    let events = engine.events(None).expect("a stream");
    events
        .map(|event| event.map_or_else(said, |event| format!("{} {:?} {}", event.at, event.action, event.name)))
        .collect()
}

fn said(error: EngineError) -> String {
    let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}

const END: &str = "could not read the events of containers from docker: the engine ended the connection";

#[test]
fn events_are_read_line_by_line() {
    let id = ID;
    let line = |action: &str, more: &str| {
        format!(
            r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"{id}","Attributes":{{"image":"shop:1","name":"web","team":"a"{more}}}}},"time":1700000000,"timeNano":1700000000123456789}}"#
        )
    };
    let body = [
        line("create", ""),
        line("start", ""),
        String::new(),
        line("exec_start: sh -c true", ""),
        line("die", r#","exitCode":"137""#),
        line("rename", r#","oldName":"/old""#),
        line("destroy", "").replace("1700000000123456789", "0"),
        r#"{"Type":"network","Action":"destroy","Actor":null}"#.into(),
    ];
    let body: &'static str = Box::leak((body.join("\n") + "\n").into_boxed_str());
    let at = "2023-11-14T22:13:20.123456789Z";
    assert_eq!(
        events(body),
        [
            format!("{at} Start web"),
            format!("{at} Die {{ exit_code: Some(137) }} web"),
            format!("{at} Rename {{ from: \"old\" }} web"),
            "2023-11-14T22:13:20Z Destroy web".into(),
            END.into()
        ]
    );
    let (engine, _directory) = engine(EngineKind::Podman, move |path, stream| {
        assert_eq!(path, "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D&since=1700000000.000000005");
        send(stream, HEAD, body);
    });
    let since = "2023-11-14T22:13:20.000000005Z".parse().expect("a time");
    let first = engine.events(Some(since)).expect("a stream").next().expect("an event").expect("no error");
    assert_eq!((first.action, first.id.as_str(), first.image_name.as_str()), (ContainerAction::Start, ID, "shop:1"));
    assert_eq!(first.labels.into_iter().collect::<Vec<_>>(), [("team".to_owned(), "a".to_owned())]);
}

#[test]
fn what_is_no_event_is_an_error_and_the_next_one_follows() {
    assert_eq!(events(""), [END]);
    let start = r#"{"Type":"container","Action":"start","Actor":{"ID":"ID"},"time":1}"#;
    let body = format!("\u{1b}[31m\n{start}\n{}\n{}", start.replace("\"ID\"}", &format!("\"{ID}\"}}")), &start[..20]);
    let all = events(Box::leak(body.into_boxed_str()));
    let malformed = "what docker sends for the events of containers is malformed: ";
    assert!(all[0].starts_with(malformed) && !all[0].contains('\u{1b}'), "{all:?}");
    assert_eq!(
        all[1..],
        [format!("{malformed}`ID` is no container id"), "1970-01-01T00:00:01Z Start ".into(), END.into()]
    );
    let far = r#"{"Type":"container","Action":"start","Actor":{"ID":"ID"},"time":9223372036854775807}"#;
    let all = events(Box::leak((far.replace("\"ID\"}", &format!("\"{ID}\"}}")) + "\n").into_boxed_str()));
    assert!(all[0].ends_with("000000000 is no time"), "{all:?}");
    let nonsense = "[[[[\n".repeat(1_000);
    let all = events(Box::leak(nonsense.into_boxed_str()));
    assert!(all.len() == 100 && all.iter().all(|error| error.starts_with(malformed)), "{}", all.len());
    let deep = "[".repeat(100_000) + "\n";
    assert_eq!(events(Box::leak(deep.into_boxed_str())).len(), 2);
}

#[test]
fn a_stream_that_never_ends_its_line_or_breaks_is_given_up() {
    let (endless, _directory) = engine(EngineKind::Docker, |_, stream| {
        send(stream, HEAD, "{\"Type\":\"");
        while stream.write_all(&[b'a'; 65536]).is_ok() {}
    });
    let all: Vec<String> = endless.events(None).expect("a stream").filter_map(Result::err).map(said).collect();
    assert_eq!(all, ["docker sends more than 16777216 bytes for the events of containers"]);
    let (broken, _directory) = engine(EngineKind::Docker, |_, stream| send(stream, CHUNKED, "{\"Type\":"));
    let all: Vec<String> = broken.events(None).expect("a stream").filter_map(Result::err).map(said).collect();
    assert_eq!(
        all,
        ["could not read the events of containers from docker: the connection ended before the answer did"]
    );
    let (refusing, _directory) = engine(EngineKind::Docker, |_, stream| {
        send(stream, "HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n", r#"{"message":"no"}"#);
    });
    let refused = said(refusing.events(None).expect_err("a refusal"));
    assert_eq!(refused, "docker answered 400 to the request for the events of containers: no");
    let (containerd, _directory) = engine(EngineKind::Containerd, |_, _| panic!("it is not asked"));
    assert_eq!(
        said(containerd.events(None).expect_err("a refusal")),
        "containerd is not asked for the events of containers"
    );
    assert_eq!(
        said(containerd.containers().expect_err("a refusal")),
        "containerd is not asked for the running containers"
    );
}

/// Longer than one wait of the client's.
#[test]
fn silence_is_no_end() {
    let silence = Duration::from_secs(33);
    let (quiet, _directory) = engine(EngineKind::Docker, move |_, stream| {
        send(stream, HEAD, "");
        std::thread::sleep(silence);
        let body = format!(r#"{{"Type":"container","Action":"stop","Actor":{{"ID":"{ID}"}},"time":7}}"#);
        send(stream, "", &(body + "\n"));
    });
    let started = Instant::now();
    let first = quiet.events(None).expect("a stream").next().expect("an event").expect("no error");
    assert_eq!(first.action, ContainerAction::Stop);
    assert!(started.elapsed() >= silence);
}

/// What an engine says of its only container, and of its image.
fn container(kind: EngineKind, described: String) -> Result<String, String> {
    let (engine, _directory) = engine(kind, move |path, stream| {
        let body = match path.trim_start_matches("/v4.0.0/libpod") {
            "/containers/json" => format!(r#"[{{"Id":"{ID}"}},{{"Id":"{OTHER}"}}]"#),
            path if path.starts_with(&format!("/containers/{ID}")) => described.clone(),
            path if path.starts_with("/images/") => {
                format!(
                    r#"{{"Id":"{ID}","RepoTags":["shop:1"],"RepoDigests":["registry.example/shop@sha256:{OTHER}"]}}"#
                )
            }
            _ => return send(stream, "HTTP/1.1 404 Gone\r\nConnection: close\r\n\r\n", "{}"),
        };
        send(stream, HEAD, &body);
    });
    let all = engine.containers().map_err(said)?;
    assert_eq!(engine.running(ID).map_err(said)?.as_ref(), all.first());
    Ok(all.iter().map(|container| format!("{container:?}\n")).collect())
}

#[test]
fn a_running_container_is_described_and_one_that_is_gone_is_left_out() {
    let docker = format!(
        r#"{{"Id":"{ID}","Name":"/web","Image":"sha256:{ID}","Config":{{"Image":"shop:1","Labels":{{"team":"a"}}}},
        "ImageManifestDescriptor":{{"digest":"sha256:{OTHER}"}},"State":{{"Running":true,"StartedAt":"2023-11-14T22:13:20.5Z"}},
        "HostConfig":{{"Privileged":true,"NetworkMode":"bridge"}},"NetworkSettings":{{"Ports":{{"443/tcp":null,
        "80/tcp":[{{"HostIp":"::","HostPort":"8080"}},{{"HostIp":"0.0.0.0","HostPort":"8080"}}]}}}}}}"#
    );
    let shown = container(EngineKind::Docker, docker.clone()).expect("a list");
    for expected in [
        "name: \"web\"",
        "image_name: \"shop:1\"",
        &format!("repo_digests: [\"registry.example/shop@sha256:{OTHER}\"]"),
        "labels: {\"team\": \"a\"}, privileged: true, network: \"bridge\"",
        "PublishedPort { host_address: \"0.0.0.0\", host_port: 8080, port: 80, protocol: \"tcp\" }, PublishedPort { host_address: \"::\"",
        "2023-11-14T22:13:20.5Z",
    ] {
        assert!(shown.contains(expected), "{expected}\n{shown}");
    }
    assert_eq!(shown.matches(OTHER).count(), 2, "{shown}");
    let podman = format!(
        r#"{{"Id":"{ID}","Name":"web","Image":"{ID}","ImageName":"shop:1","ImageDigest":"sha256:{OTHER}","State":{{"Paused":true}}}}"#
    );
    assert_eq!(container(EngineKind::Podman, podman).expect("a list").matches(OTHER).count(), 2);
    assert_eq!(container(EngineKind::Docker, docker.replace("true,\"Started", "false,\"Started")), Ok(String::new()));
}

#[test]
fn a_description_that_is_none_is_an_error() {
    let fails = |described: String, expected: &str| {
        let error = container(EngineKind::Docker, described).expect_err(expected);
        assert!(error.contains(expected) && error.len() < 500, "{expected}\n{error}");
    };
    let running = format!(r#"{{"Id":"{ID}","State":{{"Running":true,"StartedAt":""}}"#);
    fails("{}".into(), "missing field `Id`");
    fails(r#"{"Id":"../\u0007","State":{"Running":true}}"#.into(), "`../\u{fffd}` is no container id");
    fails(running.replace("\"\"", "\"yesterday\"") + "}", "`yesterday` is no time");
    let ports = |inside: &str, host: &str| {
        format!(r#"{running},"NetworkSettings":{{"Ports":{{"{inside}":[{{"HostPort":"{host}"}}]}}}}}}"#)
    };
    fails(ports("80/tcp", "65536"), "`65536` is no port");
    fails(ports("/tcp", "1"), "`` is no port");
    fails("[".repeat(100_000), "is malformed");
    let (engine, _directory) = engine(EngineKind::Docker, |_, stream| send(stream, HEAD, r#"[{"Id":"../version"}]"#));
    assert!(said(engine.containers().expect_err("no id")).contains("`../version` is no container id"));
}
