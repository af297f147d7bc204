//! Talking to a server: requests with a token, answers as JSON, problems as failures with hints.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use ::scan::source::{HttpError, HttpRequest, RegistryOptions, http_client};
use anyhow::Context;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::cli::portfolio::ServerArguments;
use crate::console::{Failure, Hint};

/// Bytes of a part; each part that fails halves it.
const PART_BYTES: usize = 256 << 10;
const PART_BYTES_MIN: usize = 4 << 10;
/// So many failures one after the other mean that the server is away.
const PART_FAILURES_MAX: u32 = 6;

/// Why a part did not get through.
enum PartFailure {
    /// The connection.
    Broken(HttpError),
    /// The server's own word.
    Refused(Failure),
}

/// One server.
pub(crate) struct Client {
    client: ::scan::source::HttpClient,
    url: String,
    token: String,
}

impl Client {
    /// From the command line; the token never stands there, where everybody on the machine can read it.
    pub(crate) fn new(arguments: &ServerArguments) -> Result<Self, Failure> {
        Self::at(&arguments.server, arguments.token_file.as_deref(), arguments.ca_file.as_deref())
    }

    /// The server at a URL.
    pub(crate) fn at(url: &str, token_file: Option<&Path>, ca_file: Option<&Path>) -> Result<Self, Failure> {
        let token = match token_file {
            Some(path) => {
                std::fs::read_to_string(path).with_context(|| format!("`{}` cannot be read", path.display()))?
            }
            None => std::env::var("DOGWATCH_TOKEN").unwrap_or_default(),
        };
        let token = token.trim().to_owned();
        if token.is_empty() {
            let hint = "put it into the variable DOGWATCH_TOKEN, or name a file that holds it with `--token-file`; \
                        `dogwatch serve` prints the first one, `dogwatch portfolio token` makes others";
            return Err(anyhow::anyhow!("the server asks for a token, and none is given")).hint(Some(hint.into()));
        }
        let options = RegistryOptions { ca_file: ca_file.map(Path::to_owned), ..RegistryOptions::default() };
        let client = http_client(&options).map_err(|error| Failure { hint: error.hint(), error: error.into() })?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned(), token })
    }

    /// `GET`, with a query.
    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let given = query.iter().filter(|(_, value)| !value.is_empty());
        let query: Vec<String> = given.map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        self.answer(self.client.get(format!("{}{path}?{}", self.url, query.join("&"))))
    }

    /// `GET`, unless the answer is what an `ETag` names: then none. Else the answer with its own.
    pub(crate) fn get_unless(&self, path: &str, etag: Option<&str>) -> Result<Option<(String, Value)>, Failure> {
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let request = etag.into_iter().fold(request, |request, etag| request.header("if-none-match", etag));
        let response = request.send().map_err(|error| self.away(error))?;
        if response.status().as_u16() == 304 {
            return Ok(None);
        }
        let etag = response.headers().get("etag").and_then(|etag| etag.to_str().ok()).unwrap_or_default().to_owned();
        let status = response.status().as_u16();
        let bytes = response.bytes().map_err(|error| self.away(error))?.to_vec();
        Ok(Some((etag, read(&(status, bytes))?)))
    }

    /// Sends a JSON body.
    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, Failure> {
        let method = method.parse().context("a method")?;
        let request = self.client.request(method, format!("{}{path}", self.url));
        self.answer(request.header("content-type", "application/json").body(body.to_string()))
    }

    /// Uploads a report, compressed: at once, and when the connection breaks, in parts that go on where it broke.
    pub(crate) fn upload(&self, report: &str, stage: &str) -> Result<Value, Failure> {
        let body = zstd::bulk::compress(report.as_bytes(), 3).context("the report cannot be compressed")?;
        let request = self.client.post(format!("{}/api/v1/reports?stage={stage}", self.url)).body(body.clone());
        match send(self.document(request)) {
            Ok(answer) => read(&answer),
            Err(error) if error.is_connect() => Err(self.away(error)),
            Err(_) => self.upload_in_parts(&body, stage),
        }
    }

    fn upload_in_parts(&self, body: &[u8], stage: &str) -> Result<Value, Failure> {
        let path = format!("/api/v1/uploads/{}", hex::encode(Sha256::digest(body)));
        let (mut part_bytes, mut failures) = (PART_BYTES.min(body.len()), 0);
        loop {
            let sent = self.next_part(&path, body, part_bytes, stage);
            match sent {
                Ok(answer) if answer.get("report").is_some() => return Ok(answer["report"].clone()),
                Ok(_) => failures = 0,
                Err(PartFailure::Refused(failure)) => return Err(failure),
                Err(PartFailure::Broken(error)) => {
                    failures += 1;
                    if failures > PART_FAILURES_MAX {
                        return Err(self.away(error));
                    }
                    part_bytes = (part_bytes / 2).max(PART_BYTES_MIN);
                    std::thread::sleep(Duration::from_millis(100 << failures));
                }
            }
        }
    }

    /// Asks how much has come, and sends what follows.
    fn next_part(&self, path: &str, body: &[u8], part_bytes: usize, stage: &str) -> Result<Value, PartFailure> {
        let state = send(self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token));
        let state = read(&state.map_err(PartFailure::Broken)?).map_err(PartFailure::Refused)?;
        let at = state["received"].as_u64().and_then(|at| usize::try_from(at).ok()).unwrap_or(0).min(body.len());
        let part = &body[at..body.len().min(at + part_bytes)];
        let url = format!("{}{path}?offset={at}&total={}&stage={stage}", self.url, body.len());
        let sent = send(self.document(self.client.put(url).body(part.to_vec())));
        read(&sent.map_err(PartFailure::Broken)?).map_err(PartFailure::Refused)
    }

    fn document(&self, request: HttpRequest) -> HttpRequest {
        let request = request.header("content-type", "application/json").header("content-encoding", "zstd");
        request.bearer_auth(&self.token)
    }

    fn away(&self, error: HttpError) -> Failure {
        let error = anyhow::Error::new(error);
        Failure { hint: Some(advice(&error)), error: error.context(format!("`{}` does not answer", self.url)) }
    }

    fn answer(&self, request: HttpRequest) -> Result<Value, Failure> {
        read(&send(request.bearer_auth(&self.token)).map_err(|error| self.away(error))?)
    }
}

/// An answer: its status, and all of its body.
type Received = (u16, Vec<u8>);

fn send(request: HttpRequest) -> Result<Received, HttpError> {
    let response = request.send()?;
    Ok((response.status().as_u16(), response.bytes()?.to_vec()))
}

/// What an answer says.
fn read((status, bytes): &Received) -> Result<Value, Failure> {
    let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
    if (200..300).contains(status) {
        return Ok(body);
    }
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let mistakes: Vec<&str> = body["mistakes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !mistakes.is_empty() {
        eprintln!("{}", formats::printable::printable(&mistakes.join("\n\n")));
    }
    let title = if text("title").is_empty() { format!("status {status}") } else { text("title") };
    let hint = Some(text("detail")).filter(|detail| !detail.is_empty());
    Err(anyhow::anyhow!("the server says: {}", formats::printable::printable(&title))).hint(hint)
}

/// What to do when a server does not answer.
fn advice(error: &anyhow::Error) -> String {
    // The TLS library's errors come as texts here; these are its names for them.
    let causes = format!("{error:?}");
    let advice = [
        (
            "CaUsedAsEndEntity",
            "the server's certificate is an authority's own; let that authority sign one for the server \
                               (with `basicConstraints=CA:FALSE` and its name in `subjectAltName`) and serve that",
        ),
        ("UnknownIssuer", "name the file with its authority's certificate with `--ca-file`"),
        (
            "NotValidForName",
            "the server's certificate is for another name; use that in `--server`, or let one be made for this",
        ),
        (
            "Expired",
            "the server's certificate has ended; replace it (`dogwatch serve --tls-cert` takes it up while it runs)",
        ),
    ];
    let known = advice.iter().find(|(name, _)| causes.contains(name));
    known.map_or("start one with `dogwatch serve`, or name another with `--server`", |(_, advice)| advice).to_owned()
}

/// A text as it stands in a path or query.
pub(crate) fn escaped(part: &str) -> String {
    let mut text = String::new();
    for byte in part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':' => text.push(char::from(byte)),
            other => {
                let _ = write!(text, "%{other:02X}");
            }
        }
    }
    text
}
