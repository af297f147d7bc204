//! What a request asks: parameters, pages, moments.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use model::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{Filter, FilterFact, Page};

use super::{Answer, App, Parameter};
use crate::access::Caller;
use crate::problem::Problem;

/// Rows of a page where the caller does not say.
const ROWS: i64 = 100;
/// The most rows of a page.
const ROWS_MAX: i64 = 1_000;
/// Characters of a cursor's check.
const CHECK: usize = 8;
/// The longest value in a query.
const VALUE_BYTES_MAX: usize = 2_048;

/// One request, its caller known and allowed.
#[derive(Debug)]
pub struct Call {
    /// What all requests share.
    pub app: Arc<App>,
    /// Who asks.
    pub caller: Caller,
    /// The parts of the path.
    pub path: BTreeMap<String, String>,
    /// The query, without its filter.
    pub query: BTreeMap<String, String>,
    /// Which rows of the list are asked for.
    pub filter: Filter,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed<T> {
    /// The rows.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; none on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Reads a query. A parameter that the route does not know is refused: a misspelt filter must not list everything.
pub(super) fn query(text: &str, known: &[Parameter]) -> Result<BTreeMap<String, String>, Problem> {
    let mut query = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let Some(parameter) = known.iter().find(|parameter| parameter.name == name) else {
            let names: Vec<&str> = known.iter().map(|parameter| parameter.name).collect();
            let detail = format!("`{name}` is not known here; known are: {}", names.join(", "));
            return Err(Problem::bad("unknown parameter", &detail));
        };
        check(parameter, &value)?;
        if value.len() > VALUE_BYTES_MAX || value.contains('\0') {
            return Err(Problem::bad("bad parameter", &format!("`{name}` is too long, or no text")));
        }
        if query.insert(name.clone().into_owned(), value.into_owned()).is_some() {
            return Err(Problem::bad("bad parameter", &format!("`{name}` is given twice")));
        }
    }
    Ok(query)
}

/// Reads a filter of a list with these facts.
pub(super) fn filter(text: &str, facts: &[FilterFact]) -> Result<Filter, Problem> {
    Filter::compile(text, facts).map_err(|error| Problem::bad("bad filter", &error.diagnostic("filter").to_string()))
}

/// Refuses what the schema of a parameter does not allow, as far as words go; numbers and moments are read later.
fn check(parameter: &Parameter, value: &str) -> Result<(), Problem> {
    let schema: serde_json::Value = serde_json::from_str(parameter.schema).unwrap_or_default();
    let words: Vec<&str> = match schema["type"].as_str() {
        Some("boolean") => vec!["true", "false"],
        _ => schema["enum"].as_array().into_iter().flatten().filter_map(|word| word.as_str()).collect(),
    };
    let is_empty_moment = value.is_empty() && schema["type"] != "string";
    if is_empty_moment || (!words.is_empty() && !words.contains(&value)) {
        let expected = if words.is_empty() { "not empty".to_owned() } else { words.join(", ") };
        return Err(Problem::bad("bad parameter", &format!("`{}` is {expected}", parameter.name)));
    }
    Ok(())
}

impl Call {
    /// A parameter of the query; empty where it is not given.
    pub fn get(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// A part of the path.
    pub fn part(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// As of when: the end of the day for a date, `i64::MAX` for now.
    pub fn at(&self) -> Result<i64, Problem> {
        let text = self.get("as-of");
        if text.is_empty() {
            return Ok(i64::MAX);
        }
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(moment.as_microsecond());
        }
        let end = text.parse::<jiff::civil::Date>().ok().and_then(|date| date.tomorrow().ok());
        let end = end.and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok());
        end.map(|end| end.timestamp().as_microsecond() - 1)
            .ok_or_else(|| Problem::bad("bad parameter", "`as-of` is neither a date nor RFC 3339"))
    }

    /// How many rows.
    pub fn count(&self) -> Result<i64, Problem> {
        match self.get("limit") {
            "" => Ok(ROWS),
            text => text.parse().ok().filter(|count| (1..=ROWS_MAX).contains(count)).ok_or_else(|| {
                Problem::bad("bad parameter", &format!("`limit` is a whole number from 1 to {ROWS_MAX}"))
            }),
        }
    }

    /// A whole number that is not below 0; 0 where it is not given.
    pub fn number(&self, name: &str) -> Result<i64, Problem> {
        match self.get(name) {
            "" => Ok(0),
            text => text
                .parse()
                .ok()
                .filter(|number| *number >= 0)
                .ok_or_else(|| Problem::bad("bad parameter", &format!("`{name}` is a whole number from 0 on"))),
        }
    }

    /// The page that is asked for: one row more than is shown, so that its last tells whether there is another.
    pub fn page<'a>(&'a self, cursor: &'a str) -> Result<Page<'a>, Problem> {
        Ok(Page { at: self.at()?, scope: &self.caller.scope, after: cursor, count: self.count()? + 1 })
    }

    /// The cursor: hexadecimal, so that nobody builds on what is in it.
    pub fn cursor(&self) -> Result<String, Problem> {
        let text = self.get("cursor");
        let bytes = hex::decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let own = bytes.filter(|key| text.is_empty() || cursor_of(key.get(CHECK..).unwrap_or_default()) == text);
        own.map(|key| key.get(CHECK..).unwrap_or_default().to_owned())
            .ok_or_else(|| Problem::bad("bad parameter", "`cursor` is not one that was given out here"))
    }

    /// Answers with a page; `key` says where the next begins. `Accept: application/x-ndjson` gets one row a line.
    pub fn listed<T: Serialize>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> Answer {
        let count = self.count()? as usize;
        let more = items.len() > count;
        items.truncate(count);
        let next = items.last().filter(|_| more).map(|last| cursor_of(&key(last)));
        let lines = self
            .headers
            .get(header::ACCEPT)
            .is_some_and(|kind| kind.to_str().is_ok_and(|kind| kind.contains("application/x-ndjson")));
        if !lines {
            return Ok(json(&Listed { items, next }));
        }
        let text: String = items.iter().map(|item| serde_json::to_string(item).unwrap_or_default() + "\n").collect();
        let mut response = ([(header::CONTENT_TYPE, "application/x-ndjson")], text).into_response();
        if let Some(link) = next.and_then(|next| next.parse().ok()) {
            response.headers_mut().insert("dogwatch-next", link);
        }
        Ok(response)
    }

    /// The body as JSON.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.body).map_err(|error| Problem::bad("the body cannot be read", &error.to_string()))
    }
}

/// The cursor for a key: a check before it, so that a made-up one is told from ours before the database sees it.
pub fn cursor_of(key: &str) -> String {
    let check = &crate::claim::hex_digest(key.as_bytes())[..CHECK];
    hex::encode(format!("{check}{key}"))
}

/// Answers with JSON.
pub fn json(value: &impl Serialize) -> Response {
    let text = serde_json::to_vec(value).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
