//! Talking to a server: requests with a token, answers as JSON, problems as failures with hints.

use std::fmt::Write as _;
use std::path::Path;

use ::scan::source::{RegistryOptions, http_client};
use anyhow::Context;
use serde_json::Value;

use crate::cli::portfolio::ServerArguments;
use crate::console::{Failure, Hint};

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

    /// Sends a JSON body.
    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, Failure> {
        let method = method.parse().context("a method")?;
        let request = self.client.request(method, format!("{}{path}", self.url));
        self.answer(request.header("content-type", "application/json").body(body.to_string()))
    }

    /// Uploads a report, compressed.
    pub(crate) fn upload(&self, report: &str, stage: &str) -> Result<Value, Failure> {
        let body = zstd::bulk::compress(report.as_bytes(), 3).context("the report cannot be compressed")?;
        let request = self.client.post(format!("{}/api/v1/reports?stage={stage}", self.url));
        self.answer(request.header("content-type", "application/json").header("content-encoding", "zstd").body(body))
    }

    fn answer(&self, request: ::scan::source::HttpRequest) -> Result<Value, Failure> {
        let response = request.bearer_auth(&self.token).send().map_err(anyhow::Error::new).map_err(|error| {
            Failure { hint: Some(advice(&error)), error: error.context(format!("`{}` does not answer", self.url)) }
        })?;
        let status = response.status();
        let bytes = response.bytes().with_context(|| format!("`{}` broke off", self.url))?;
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let mistakes: Vec<&str> = body["mistakes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !mistakes.is_empty() {
            eprintln!("{}", formats::printable::printable(&mistakes.join("\n\n")));
        }
        let title = if text("title").is_empty() { status.to_string() } else { text("title") };
        let hint = Some(text("detail")).filter(|detail| !detail.is_empty());
        Err(anyhow::anyhow!("the server says: {}", formats::printable::printable(&title))).hint(hint)
    }
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
