//! Requests to one repository, against a registry that may be slow, broken or hostile.
//!
//! Every wait and every length has a bound; [`super::pace`] keeps requests apart. Redirects are followed by hand: the `Authorization` header stays with the
//! registry, and a redirect never leaves TLS. Answers that say "later" (429, 5xx) are asked again a few times.

use std::net::IpAddr;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::blocking::{Client, ClientBuilder, RequestBuilder, Response};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HeaderValue, LOCATION, RANGE, RETRY_AFTER,
};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use url::{Origin, Url};

use super::body::read_whole;
use super::challenge::Challenge;
use super::error::{RegistryError, chain_has};
use super::{RegistryOptions, tls};

/// How often one thing is asked for while the answer is "later".
const ATTEMPTS_MAX: u32 = 4;

/// The longest pause of our own between two attempts.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The longest pause that a registry may wish for with `Retry-After`: registries that count by the minute mean it, and a CI
/// job waits behind it.
const WISHED_PAUSE_MAX: Duration = Duration::from_secs(90);

/// Registries redirect blobs once, to their storage; a mirror may add one.
const REDIRECTS_MAX: usize = 5;

/// The longest time a connection may take to stand.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How much of an error answer is read for its code.
const ERROR_BYTES_MAX: u64 = 8 << 10;

/// What is asked for, and so what a token must be good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// One repository.
    Repository {
        /// Its name.
        name: String,
        /// What a token is bought for: `pull`, or `pull,push`.
        actions: &'static str,
    },
    /// Listing all repositories.
    Catalog,
}

impl Scope {
    /// Source: the distribution project's "Token Scope Documentation".
    pub(super) fn token(&self) -> String {
        match self {
            Self::Repository { name, actions } => format!("repository:{name}:{actions}"),
            Self::Catalog => "registry:catalog:*".into(),
        }
    }

    /// For messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Repository { name, .. } => name.clone(),
            Self::Catalog => "_catalog".into(),
        }
    }
}

/// What sends requests about one repository to one host.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) client: Client,
    pub(super) registry: String,
    pub(super) scope: Scope,
    /// Host and port that requests go to.
    host: String,
    plain_allowed: bool,
    /// `http` or `https`, once the registry was reached.
    pub(super) scheme: OnceLock<&'static str>,
    authorization: Mutex<Option<HeaderValue>>,
    pub(super) options: RegistryOptions,
}

/// One request.
struct Asked<'a> {
    method: Method,
    /// Below `/v2/`.
    path: &'a str,
    accept: &'a str,
    /// How many first bytes are not wanted.
    from: u64,
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

pub(super) fn builder(options: &RegistryOptions) -> Result<ClientBuilder, RegistryError> {
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

pub(super) fn built(builder: ClientBuilder) -> Result<Client, RegistryError> {
    builder.build().map_err(|error| RegistryError::Tls { detail: error.without_url().to_string() })
}

impl Http {
    /// For a registry by the name users write, or for a mirror by its host.
    pub(super) fn new(
        registry: &str,
        scope: Scope,
        plain: bool,
        options: &RegistryOptions,
    ) -> Result<Self, RegistryError> {
        let host = if registry == "docker.io" { "registry-1.docker.io" } else { registry };
        let plain_allowed = plain || options.insecure_http || is_this_machine(host);
        let scheme = OnceLock::new();
        if !plain_allowed {
            let _ = scheme.set("https");
        }
        Ok(Self {
            client: options.shared.client(is_this_machine(host), options)?,
            registry: registry.to_owned(),
            scope,
            host: host.to_owned(),
            plain_allowed,
            scheme,
            authorization: Mutex::default(),
            options: options.clone(),
        })
    }

    /// Asks for `path` below `/v2/`. Only success is `Ok`; the body is still to be read.
    pub(super) fn get(&self, path: &str, accept: &str, what: &str) -> Result<Response, RegistryError> {
        self.send(Method::GET, path, accept, 0, what)
    }

    /// [`Http::get`] without the first `from` bytes, if the registry can leave them out: then the answer's status is 206.
    pub(super) fn get_from(&self, path: &str, from: u64, what: &str) -> Result<Response, RegistryError> {
        self.send(Method::GET, path, "*/*", from, what)
    }

    /// [`Http::get`] without the body.
    pub(super) fn head(&self, path: &str, accept: &str, what: &str) -> Result<Response, RegistryError> {
        self.send(Method::HEAD, path, accept, 0, what)
    }

    fn send(&self, method: Method, path: &str, accept: &str, from: u64, what: &str) -> Result<Response, RegistryError> {
        let asked = Asked { method, path, accept, from };
        let (response, attempts) = self.patiently(|| self.send_authorized(&asked))?;
        let status = response.status();
        let (registry, what) = (self.registry.clone(), what.to_owned());
        match status {
            StatusCode::PARTIAL_CONTENT if from > 0 => Ok(response),
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
                Ok(response) => {
                    let wished = retry_after(&response);
                    // All threads leave the registry in peace, not only this one.
                    wished.iter().for_each(|pause| self.options.shared.pace.rest(&host_of(response.url()), *pause));
                    wished
                }
                Err(RegistryError::Connection { source, .. }) if !source.is_connect() && !source.is_builder() => None,
                Err(error) => return Err(error),
            };
            std::thread::sleep(wished.unwrap_or_else(|| pause.min(PAUSE_MAX)));
            pause = pause.saturating_mul(2);
        }
        request().map(|response| (response, ATTEMPTS_MAX))
    }

    fn send_authorized(&self, asked: &Asked<'_>) -> Result<Response, RegistryError> {
        self.authorized(|authorization| self.follow(asked, authorization))
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

    fn follow(&self, asked: &Asked<'_>, authorization: Option<HeaderValue>) -> Result<Answer, RegistryError> {
        let request = |url: Url, authorization: Option<&HeaderValue>| {
            let builder = self.client.request(asked.method.clone(), url).header(ACCEPT, asked.accept);
            let builder = builder.header(ACCEPT_ENCODING, "identity");
            let builder = match asked.from {
                0 => builder,
                from => builder.header(RANGE, format!("bytes={from}-")),
            };
            authorization.iter().fold(builder, |builder, value| builder.header(AUTHORIZATION, (*value).clone()))
        };
        let mut response = self.reach(asked.path, |url| request(url, authorization.as_ref()))?;
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
        let request = builder.build();
        request.iter().for_each(|request| self.options.shared.pace.turn(&host_of(request.url())));
        request.and_then(|request| self.client.execute(request)).map_err(|error| {
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

/// Source: RFC 9110, section 10.2.3: seconds, or a date.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let pause = match text.parse() {
        Ok(secs) => Duration::from_secs(secs),
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(date.duration_since(jiff::Timestamp::now())).unwrap_or_default()
        }
    };
    Some(pause.min(WISHED_PAUSE_MAX))
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
