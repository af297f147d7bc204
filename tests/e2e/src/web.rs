//! A web server that can do what good servers do (conditions, ranges) and what broken and hostile ones do.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The path, without query and without what a proxy is told (`http://host`).
    pub path: String,
    /// As it stands in the request line.
    pub target: String,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
}

/// What is answered.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Headers; a length is added where none is given.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The connection breaks after so many bytes of the body.
    pub breaks_after: Option<usize>,
    /// The body is repeated for ever.
    pub endless: bool,
}

impl Reply {
    /// A body with this status.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }

    /// With a header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// A running server.
#[derive(Debug)]
pub struct Web {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Web {
    /// Starts one that answers as `answer` says. It ends with the test.
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen) = (Arc::new(answer), requests.clone());
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (answer, seen) = (answer.clone(), seen.clone());
                std::thread::spawn(move || {
                    let Some(request) = read(&connection) else { return };
                    seen.lock().expect("no test panicked here").push(request.clone());
                    let _ = send(connection, &answer(&request));
                });
            }
        });
        Self { port, requests }
    }

    /// `http://127.0.0.1:PORT`
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What was asked for since the last time.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().expect("no test panicked here"))
    }
}

/// Answers as a sound server does for this content: `304` to a met condition, `206` for a range of this very state.
pub fn content(request: &Request, bytes: &[u8], etag: &str) -> Reply {
    if request.headers.get("if-none-match").is_some_and(|known| known == etag) {
        return Reply::new(304, "").with("ETag", etag);
    }
    let range = request.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
    let from = range.and_then(|from| from.parse::<usize>().ok());
    match from.filter(|_| request.headers.get("if-range").is_none_or(|known| known == etag)) {
        Some(from) if from < bytes.len() => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            Reply::new(206, &bytes[from..]).with("ETag", etag).with("Content-Range", &range)
        }
        Some(_) => Reply::new(416, ""),
        None => Reply::new(200, bytes).with("ETag", etag),
    }
}

fn read(connection: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(connection).lines().map_while(Result::ok);
    let target = lines.next()?.split(' ').nth(1)?.to_owned();
    let path = target.strip_prefix("http://").map_or(target.as_str(), |rest| &rest[rest.find('/').unwrap_or(0)..]);
    let path = path.split('?').next()?.to_owned();
    let headers = lines.take_while(|line| !line.is_empty());
    let header = |line: String| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Some(Request { path, target: target.clone(), headers: headers.filter_map(header).collect() })
}

fn send(mut connection: TcpStream, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let has_length = reply.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    if !reply.endless && !has_length {
        head += &format!("Content-Length: {}\r\n", reply.body.len());
    }
    connection.write_all(head.as_bytes())?;
    connection.write_all(b"\r\n")?;
    connection.write_all(&reply.body[..reply.breaks_after.unwrap_or(reply.body.len())])?;
    if reply.endless {
        loop {
            connection.write_all(&reply.body)?;
        }
    }
    connection.flush()
}
