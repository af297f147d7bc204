//! How a registry asks who is there, and where the answer is bought.
//!
//! Source: the distribution project's "Token Authentication" and "OAuth2 Token Authentication".
//!
//! **Credentials go** to the registry itself (Basic), or to the token server that the registry names (Bearer). The
//! registry may name any host, as Docker Hub names `auth.docker.io`: it is trusted with these credentials anyway, and
//! was reached by its verified name. The token server must be reached by HTTPS, unless the registry itself is spoken to
//! without TLS and the token server is on this machine too (or plain HTTP was asked for). A host that was only reached
//! by a redirect can name no token server and is sent nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::body::read_whole;
use super::challenge::Challenge;
use super::credentials::{self, CredentialError, Credentials};
use super::error::RegistryError;
use super::http::{Http, is_this_machine};

/// The longest answer of a token server.
const TOKEN_BYTES_MAX: u64 = 1 << 20;

/// What came of looking for credentials.
pub(super) type Looked = Result<Option<Credentials>, CredentialError>;

impl Http {
    /// The header that meets a challenge, and what came of looking for credentials.
    pub(super) fn authorize(&self, challenge: &Challenge) -> Result<(HeaderValue, Looked), RegistryError> {
        // Docker's configuration is read only when a registry asks, and a broken helper only matters when the
        // registry refuses strangers.
        let looked = match &self.options.credentials {
            Some(given) => Ok(Some(given.clone())),
            None => credentials::find(&self.registry, self.options.docker_config.as_deref()),
        };
        let value = match (challenge, &looked) {
            (Challenge::Basic, Ok(Some(Credentials::Password { username, password }))) => basic(username, password),
            (Challenge::Basic, _) => return Err(self.unauthorized(looked)),
            (Challenge::Bearer { .. }, Ok(Some(Credentials::RegistryToken(token)))) => format!("Bearer {token}"),
            (Challenge::Bearer { realm, service }, _) => {
                let realm = self.realm(realm)?;
                let given = looked.as_ref().ok().and_then(Option::as_ref);
                match self.token(&realm, service.as_deref(), given)? {
                    Some(token) => format!("Bearer {token}"),
                    None => return Err(self.unauthorized(looked)),
                }
            }
        };
        let mut value =
            HeaderValue::try_from(value).map_err(|_| self.challenge("the token is not a header's value"))?;
        value.set_sensitive(true);
        Ok((value, looked))
    }

    fn realm(&self, realm: &str) -> Result<Url, RegistryError> {
        let url = Url::parse(realm).map_err(|_| self.challenge("the token server's address is not one"))?;
        let here = || url.host_str().is_some_and(is_this_machine);
        let plain = self.scheme.get() == Some(&"http") && (self.options.insecure_http || here());
        match url.scheme() {
            _ if !url.username().is_empty() || url.password().is_some() => {
                Err(self.challenge("the token server's address has a password"))
            }
            "https" => Ok(url),
            "http" if plain => Ok(url),
            _ => Err(self.challenge("the token server's address is not HTTPS")),
        }
    }

    /// Buys a token for what is asked for; none when the token server refuses.
    ///
    /// The scope is ours, not the registry's wish, so that the token is good for nothing else.
    fn token(
        &self,
        realm: &Url,
        service: Option<&str>,
        given: Option<&Credentials>,
    ) -> Result<Option<String>, RegistryError> {
        let scope = self.scope.token();
        let request = || match given {
            Some(Credentials::IdentityToken(token)) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.append_pair("grant_type", "refresh_token").append_pair("client_id", "dogwatch");
                form.append_pair("service", service.unwrap_or_default()).append_pair("scope", &scope);
                let body = form.append_pair("refresh_token", token).finish();
                let builder = self.client.post(realm.clone());
                builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
            }
            given => {
                let mut url = realm.clone();
                if let Some(service) = service {
                    url.query_pairs_mut().append_pair("service", service);
                }
                url.query_pairs_mut().append_pair("scope", &scope);
                let builder = self.client.get(url);
                match given {
                    Some(Credentials::Password { username, password }) => {
                        builder.header(AUTHORIZATION, sensitive(basic(username, password)))
                    }
                    _ => builder,
                }
            }
        };
        let what = "a token";
        let (response, attempts) = self.patiently(|| self.sent(request()))?;
        match response.status() {
            StatusCode::OK => {}
            // OAuth 2 answers 400 (`invalid_grant`) to a refresh token that it does not like.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => return Ok(None),
            _ => return Err(self.unexpected(response, what.into(), attempts)),
        }
        #[derive(Deserialize)]
        struct TokenAnswer {
            token: Option<String>,
            access_token: Option<String>,
        }
        let bytes = read_whole(response, what, TOKEN_BYTES_MAX)?;
        let answer: Option<TokenAnswer> = serde_json::from_slice(&bytes).ok();
        let token = answer.and_then(|answer| answer.token.or(answer.access_token)).filter(|token| !token.is_empty());
        token.map(Some).ok_or_else(|| self.challenge("the token server's answer has no token"))
    }

    pub(super) fn challenge(&self, detail: &str) -> RegistryError {
        RegistryError::Challenge { registry: self.registry.clone(), detail: detail.into() }
    }

    pub(super) fn unauthorized(&self, looked: Looked) -> RegistryError {
        let (who, source) = match looked {
            Ok(Some(_)) => ("the credentials", None),
            Ok(None) => ("a request without credentials", None),
            Err(error) => ("a request without credentials", Some(error)),
        };
        let (registry, repository) = (self.registry.clone(), self.scope.name());
        RegistryError::Unauthorized { registry, repository, who, source }
    }
}

fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

fn sensitive(text: String) -> HeaderValue {
    // Base64 and ASCII: always a header's value.
    let mut value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}
