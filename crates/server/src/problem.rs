//! What is answered when something is wrong. Source: RFC 9457, "Problem Details for HTTP APIs".

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use store::StoreError;

/// No room is left. Source: RFC 4918, "Insufficient Storage".
pub const FULL: u16 = 507;

/// What went wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What happened, alike for all of its kind.
    pub title: String,
    /// What happened here, and what to do.
    pub detail: String,
    /// Each mistake in a document, with its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<String>,
}

impl Problem {
    /// A problem with this status.
    pub fn new(status: u16, title: &str, detail: &str) -> Self {
        Self { status, title: title.into(), detail: detail.into(), mistakes: Vec::new() }
    }

    /// The request is at fault.
    pub fn bad(title: &str, detail: &str) -> Self {
        Self::new(400, title, detail)
    }

    /// A document has mistakes.
    pub fn mistakes(title: &str, mistakes: &[impl ToString]) -> Self {
        Self {
            mistakes: mistakes.iter().map(ToString::to_string).collect(),
            ..Self::new(422, title, "nothing was changed; mend what `mistakes` lists and send it again")
        }
    }

    /// There is no room left.
    pub fn full() -> Self {
        let detail = "nothing was changed; free some space where the database and the server's data are, and send it again: \
                      the server goes on by itself";
        Self::new(FULL, "the disk is full", detail)
    }

    /// There is no such thing, or the caller may not know of it.
    pub fn missing(what: &str) -> Self {
        Self::new(404, "not found", &format!("there is no {what} here, or it is not for you to see"))
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_bad_text() {
            return Self::bad("a text cannot be kept", "a name or value holds a NUL character");
        }
        let causes = causes(&error);
        tracing::error!(error = causes, "the database failed");
        if error.is_full() {
            return Self::full();
        }
        if error.is_passing() {
            return Self::new(503, "the database does not answer", "nothing was changed; try again in a moment");
        }
        Self::new(500, "internal error", "nothing was changed; the server's log says why")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        match self.status {
            401 => {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            503 => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}

/// An error and what caused it, in one line.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
