//! Requests to one repository, against a registry that may be slow, broken or hostile.
//!
//! Every wait and every length has a bound. Redirects are followed by hand: the `Authorization` header stays with the
//! registry, and a redirect never leaves TLS. Answers that say "later" (429, 5xx) are asked again a few times.

use std::net::IpAddr;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::blocking::{Client, ClientBuilder, RequestBuilder, Response};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use url::{Origin, Url};

use crate::target::Reference;

use super::body::read_whole;
use super::challenge::Challenge;
use super::error::{RegistryError, chain_has};
use super::{RegistryOptions, tls};

/// How often one thing is asked for while the answer is "later".
const ATTEMPTS_MAX: u32 = 4;

/// The longest pause between two attempts, whatever `Retry-After` wishes: a CI job waits behind it.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Registries redirect blobs once, to their storage; a mirror may add one.
const REDIRECTS_MAX: usize = 5;

/// The longest time a connection may take to stand.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How much of an error answer is read for its code.
const ERROR_BYTES_MAX: u64 = 8 << 10;

/// What sends requests to one repository.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) client: Client,
    pub(super) registry: String,
    pub(super) repository: String,
    /// Host and port that requests go to.
    host: String,
    plain_allowed: bool,
    /// `http` or `https`, once the registry was reached.
    pub(super) scheme: OnceLock<&'static str>,
    authorization: Mutex<Option<HeaderValue>>,
    /// What a token is bought for: `pull`, or `pull,push`.
    pub(super) actions: &'static str,
    pub(super) options: RegistryOptions,
}

/// An answer, and whether another host than the registry gave it.
pub(super) struct Answer {
    pub(super) response: Response,
    pub(super) strayed: bool,
}

/// A client for any host, with the proxies of the environment, the same trust as for registries, and no redirects of its
/// own.
pub fn http_client(options: &RegistryOptions) -> Result<Client, RegistryError> {
    built(builder(options)?)
}

fn builder(options: &RegistryOptions) -> Result<ClientBuilder, RegistryError> {
    Ok(Client::builder()
        .tls_backend_preconfigured(tls::config(options.ca_file.as_deref())?)
        .user_agent(concat!("dogwatch/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        // HTTP/2 is in the build for containerd alone.
        .http1_only()
        // For a blocking client this is no limit on the whole but on each wait: for the answer, for each read.
        .timeout(options.stall)
        .connect_timeout(options.stall.min(CONNECT_MAX)))
}

fn built(builder: ClientBuilder) -> Result<Client, RegistryError> {
    builder.build().map_err(|error| RegistryError::Tls { detail: error.without_url().to_string() })
}

impl Http {
    pub(super) fn new(reference: &Reference, options: &RegistryOptions) -> Result<Self, RegistryError> {
        let registry = reference.registry().to_owned();
        let host = if registry == "docker.io" { "registry-1.docker.io".to_owned() } else { registry.clone() };
        let mut builder = builder(options)?;
        if is_this_machine(&host) {
            builder = builder.no_proxy();
        }
        let client = built(builder)?;
        let plain_allowed = options.insecure_http || is_this_machine(&host);
        let scheme = OnceLock::new();
        if !plain_allowed {
            let _ = scheme.set("https");
        }
        Ok(Self {
            client,
            registry,
            repository: reference.repository().to_owned(),
            host,
            plain_allowed,
            scheme,
            authorization: Mutex::default(),
            actions: "pull",
            options: options.clone(),
        })
    }

    /// Asks for `path` below `/v2/`. Only success is `Ok`; the body is still to be read.
    pub(super) fn get(&self, path: &str, accept: &str, what: &str) -> Result<Response, RegistryError> {
        self.send(Method::GET, path, accept, what)
    }

    /// [`Http::get`] without the body.
    pub(super) fn head(&self, path: &str, accept: &str, what: &str) -> Result<Response, RegistryError> {
        self.send(Method::HEAD, path, accept, what)
    }

    fn send(&self, method: Method, path: &str, accept: &str, what: &str) -> Result<Response, RegistryError> {
        let (response, attempts) = self.patiently(|| self.send_authorized(&method, path, accept))?;
        let status = response.status();
        let (registry, what) = (self.registry.clone(), what.to_owned());
        match status {
            StatusCode::OK => match response.headers().get(CONTENT_ENCODING) {
                Some(encoding) if encoding != "identity" => Err(RegistryError::Status {
                    host: host_of(response.url()),
                    status: "with an encoding that was not asked for".into(),
                    what,
                    attempts,
                }),
                _ => Ok(response),
            },
            StatusCode::FORBIDDEN => Err(RegistryError::Denied { registry, what }),
            StatusCode::NOT_FOUND => Err(RegistryError::NotFound { registry, what }),
            _ => Err(self.unexpected(response, what, attempts)),
        }
    }

    /// Repeats a request while the answer is "later" or the connection breaks, with growing pauses.
    pub(super) fn patiently(
        &self,
        request: impl Fn() -> Result<Response, RegistryError>,
    ) -> Result<(Response, u32), RegistryError> {
        let mut pause = self.options.retry_pause;
        for attempt in 1..ATTEMPTS_MAX {
            let wished = match request() {
                Ok(response) if !is_transient(response.status()) => return Ok((response, attempt)),
                Ok(response) => retry_after(&response),
                Err(RegistryError::Connection { source, .. }) if !source.is_connect() && !source.is_builder() => None,
                Err(error) => return Err(error),
            };
            std::thread::sleep(wished.unwrap_or(pause).min(PAUSE_MAX));
            pause = pause.saturating_mul(2);
        }
        request().map(|response| (response, ATTEMPTS_MAX))
    }

    fn send_authorized(&self, method: &Method, path: &str, accept: &str) -> Result<Response, RegistryError> {
        self.authorized(|authorization| self.follow(method, path, accept, authorization))
    }

    /// Sends a request, and once more with authorization when the registry itself asks for it.
    pub(super) fn authorized(
        &self,
        send: impl Fn(Option<HeaderValue>) -> Result<Answer, RegistryError>,
    ) -> Result<Response, RegistryError> {
        let known = self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let first = send(known)?;
        if first.response.status() != StatusCode::UNAUTHORIZED || first.strayed {
            return Ok(first.response);
        }
        let challenge =
            Challenge::of(first.response.headers()).ok_or_else(|| self.challenge("neither Bearer nor Basic"))?;
        let (authorization, looked) = self.authorize(&challenge)?;
        let second = send(Some(authorization.clone()))?;
        if second.response.status() == StatusCode::UNAUTHORIZED && !second.strayed {
            return Err(self.unauthorized(looked));
        }
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(authorization);
        Ok(second.response)
    }

    fn follow(
        &self,
        method: &Method,
        path: &str,
        accept: &str,
        authorization: Option<HeaderValue>,
    ) -> Result<Answer, RegistryError> {
        let request = |url: Url, authorization: Option<&HeaderValue>| {
            let builder = self.client.request(method.clone(), url).header(ACCEPT, accept);
            let builder = builder.header(ACCEPT_ENCODING, "identity");
            authorization.iter().fold(builder, |builder, value| builder.header(AUTHORIZATION, (*value).clone()))
        };
        let mut response = self.reach(path, |url| request(url, authorization.as_ref()))?;
        let home = response.url().origin();
        let mut strayed = false;
        for _ in 0..REDIRECTS_MAX {
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(Answer { response, strayed });
            }
            let next = self.next_url(&response)?;
            strayed |= next.origin() != home;
            response = self.sent(request(next, authorization.as_ref().filter(|_| !strayed)))?;
        }
        Err(RegistryError::Redirect { host: host_of(response.url()), detail: "there are too many in a row" })
    }

    /// Sends the first request to the registry. Where plain HTTP is allowed it is used when TLS cannot be had, never
    /// when a certificate is refused.
    fn reach(&self, path: &str, request: impl Fn(Url) -> RequestBuilder) -> Result<Response, RegistryError> {
        if let Some(scheme) = self.scheme.get() {
            return self.sent(request(self.address(scheme, path)?));
        }
        let (scheme, response) = match self.sent(request(self.address("https", path)?)) {
            Err(RegistryError::Connection { source, .. })
                if source.is_connect() && !chain_has(&source, "certificate") =>
            {
                ("http", self.sent(request(self.address("http", path)?))?)
            }
            other => ("https", other?),
        };
        let _ = self.scheme.set(scheme);
        Ok(response)
    }

    /// The address of `path` below `/v2/`, once the registry was reached.
    pub(super) fn url(&self, path: &str) -> Result<Url, RegistryError> {
        self.address(self.scheme.get().copied().unwrap_or("https"), path)
    }

    fn address(&self, scheme: &str, path: &str) -> Result<Url, RegistryError> {
        Url::parse(&format!("{scheme}://{}/v2/{path}", self.host))
            .map_err(|_| RegistryError::Tls { detail: format!("`{}` is no host", self.host) })
    }

    pub(super) fn sent(&self, builder: RequestBuilder) -> Result<Response, RegistryError> {
        builder.send().map_err(|error| {
            let host = error.url().map_or_else(|| self.host.clone(), host_of);
            match error.is_timeout() && !error.is_connect() {
                true => RegistryError::Stalled { host, secs: self.options.stall.as_secs() },
                false => RegistryError::Connection { host, source: error.without_url() },
            }
        })
    }

    fn next_url(&self, response: &Response) -> Result<Url, RegistryError> {
        let refused = |detail| RegistryError::Redirect { host: host_of(response.url()), detail };
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.ok_or_else(|| refused("it names none"))?;
        let mut next = response.url().join(location).map_err(|_| refused("it is not an address"))?;
        match next.scheme() {
            "https" => {}
            "http" if response.url().scheme() == "http" && self.plain_allowed => {}
            "http" => return Err(refused("it leaves TLS")),
            _ => return Err(refused("it is neither HTTP nor HTTPS")),
        }
        // A name and password in an address would be sent as authorization.
        if next.set_username("").and_then(|()| next.set_password(None)).is_err() {
            return Err(refused("it is not an address"));
        }
        Ok(next)
    }

    /// An answer that nothing can be made of, with the registry's error code if that looks like one. Its message is
    /// left out: it may repeat what we sent.
    pub(super) fn unexpected(&self, response: Response, what: String, attempts: u32) -> RegistryError {
        #[derive(Deserialize)]
        struct Errors {
            errors: Vec<OneError>,
        }
        #[derive(Deserialize)]
        struct OneError {
            code: String,
        }
        let (host, status) = (host_of(response.url()), response.status());
        let body = read_whole(response, &what, ERROR_BYTES_MAX).unwrap_or_default();
        let code = serde_json::from_slice::<Errors>(&body).ok().and_then(|body| body.errors.into_iter().next());
        let is_code =
            |code: &OneError| code.code.len() < 40 && code.code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        let status = match code.filter(is_code) {
            Some(OneError { code }) => format!("{} {code}", status.as_u16()),
            None => status.as_u16().to_string(),
        };
        RegistryError::Status { host, status, what, attempts }
    }
}

fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

fn retry_after(response: &Response) -> Option<Duration> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// Host and port of an address: its query may hold a signature.
pub(super) fn host_of(url: &Url) -> String {
    match url.origin() {
        Origin::Tuple(_, host, port) => format!("{host}:{port}"),
        Origin::Opaque(_) => "an opaque address".into(),
    }
}

pub(super) fn is_this_machine(host: &str) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_be_spoken_to_without_tls() {
        for host in ["localhost", "localhost:5000", "127.0.0.1", "127.1.2.3:80", "[::1]", "[::1]:5000"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in
            ["localhost.example", "10.0.0.1", "registry:5000", "127.0.0.1.example:5000", "[2001:db8::1]", "0.0.0.0"]
        {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
