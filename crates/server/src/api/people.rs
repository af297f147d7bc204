//! Health, figures, tokens, the audit log.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::header;
use axum::response::IntoResponse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::TokenRow;

use super::requests::{Listed, json};
use super::{Answer, Call};
use crate::access::{self, Role};
use crate::claim::hex_digest;
use crate::problem::Problem;
use crate::tell::moment;

/// Figures about requests: by path and status, how many and how long.
#[derive(Debug, Default)]
pub struct Counted(Mutex<BTreeMap<(String, u16), (u64, f64)>>);

impl Counted {
    /// One more.
    pub fn add(&self, path: &str, status: u16, took: Duration) {
        if let Ok(mut counts) = self.0.lock() {
            let (count, seconds) = counts.entry((path.to_owned(), status)).or_default();
            *count += 1;
            *seconds += took.as_secs_f64();
        }
    }
}

/// How long the disk is taken for full after it was.
const FULL_FOR: Duration = Duration::from_secs(10);

/// `GET /healthz`
pub(super) async fn healthy(_: Call) -> Answer {
    Ok(json(&serde_json::json!({ "status": "ok" })))
}

/// `GET /readyz`
pub(super) async fn ready(call: Call) -> Answer {
    let portfolio = &call.app.portfolio;
    portfolio.store.ping().await?;
    portfolio.ready().await?;
    let full_at = *call.app.full_at.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = full_at {
        // The smallest write may still fit where none of use does.
        if at.elapsed() < FULL_FOR {
            return Err(Problem::full());
        }
        portfolio.store.write(portfolio.now()).await?.commit().await?;
        *call.app.full_at.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
    Ok(json(&serde_json::json!({ "status": "ready" })))
}

/// `GET /metrics`. Source: Prometheus text exposition format 0.0.4.
pub(super) async fn metrics(call: Call) -> Answer {
    let store = &call.app.portfolio.store;
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, value: i64| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    };
    gauge("dogwatch_images_behind", "Images that must be judged again.", store.behind().await?);
    gauge("dogwatch_changes", "Changes in the feed.", store.newest_change().await?);
    text.push_str(
        "# HELP dogwatch_requests_total Requests by path and status.\n# TYPE dogwatch_requests_total counter\n",
    );
    let counts = call.app.counted.0.lock().map(|counts| counts.clone()).unwrap_or_default();
    for ((path, status), (count, _)) in &counts {
        let _ = writeln!(text, "dogwatch_requests_total{{path=\"{path}\",status=\"{status}\"}} {count}");
    }
    text.push_str("# HELP dogwatch_request_seconds_total Time spent on requests.\n# TYPE dogwatch_request_seconds_total counter\n");
    for ((path, status), (_, seconds)) in &counts {
        let _ = writeln!(text, "dogwatch_request_seconds_total{{path=\"{path}\",status=\"{status}\"}} {seconds:.6}");
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

/// `GET /openapi.json`
pub(super) async fn described(_: Call) -> Answer {
    Ok(json(&super::openapi()))
}

/// A token, without its secret.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// Whose or what for.
    pub name: String,
    /// What it may do.
    pub role: String,
    /// Empty for everything, `team:NAME`, `system:NAME`.
    pub scope: String,
    /// When it was made, RFC 3339.
    pub created: String,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<String>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revoked: Option<String>,
}

impl Token {
    fn of(row: TokenRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            role: row.role,
            scope: row.scope,
            created: moment(row.created_at),
            expires: row.expires_at.map(moment),
            revoked: row.revoked_at.map(moment),
        }
    }
}

/// `GET /tokens`
pub(super) async fn tokens(call: Call) -> Answer {
    let items: Vec<Token> = call.app.portfolio.store.tokens(&call.filter).await?.into_iter().map(Token::of).collect();
    Ok(json(&Listed { items, next: None }))
}

/// A token to make.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Whose or what for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Empty for everything, `team:NAME`, `system:NAME`.
    #[serde(default)]
    pub scope: String,
    /// After how many days it ends; never where it is not said.
    #[serde(default)]
    pub days: Option<u32>,
}

/// A token that was made.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct MadeToken {
    /// Its id.
    pub id: String,
    /// The secret. It is told once.
    pub secret: String,
}

/// `POST /tokens`
pub(super) async fn new_token(call: Call) -> Answer {
    let asked: NewToken = call.read()?;
    let is_name = !asked.name.trim().is_empty() && asked.name.len() <= 200 && !asked.name.contains(char::is_control);
    if !is_name || !access::is_scope(&asked.scope) || asked.scope.len() > 300 || asked.scope.contains('\0') {
        let detail = "`name` is a short text, `scope` is empty, `team:NAME` or `system:NAME`";
        return Err(Problem::bad("the token cannot be made", detail));
    }
    let portfolio = &call.app.portfolio;
    let day = 86_400_000_000;
    let expires = asked.days.map(|days| portfolio.now() + i64::from(days) * day);
    let (row, secret) = access::new_token(&asked.name, asked.role, &asked.scope, expires);
    let mut write = portfolio.store.write(portfolio.now()).await?;
    write.add_token(&row).await?;
    let body = serde_json::json!({ "name": row.name, "role": row.role, "scope": row.scope }).to_string();
    write.audit(&call.caller.name, "token.create", &row.id, &body, hex_digest).await?;
    write.commit().await?;
    Ok(json(&MadeToken { id: row.id, secret }))
}

/// `DELETE /tokens/{id}`
pub(super) async fn revoke(call: Call) -> Answer {
    let portfolio = &call.app.portfolio;
    let id = call.part("id");
    let mut write = portfolio.store.write(portfolio.now()).await?;
    if !write.revoke_token(id).await? {
        return Err(Problem::missing("token of that id"));
    }
    write.audit(&call.caller.name, "token.revoke", id, "{}", hex_digest).await?;
    write.commit().await?;
    Ok(json(&serde_json::json!({ "revoked": id })))
}

/// An entry of the audit log.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Entry {
    /// Its place, counted from 1 without gaps.
    pub number: i64,
    /// When, in microseconds since 1970: what the digest is over.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// The rest, as JSON in a text: what the digest is over.
    pub body: String,
    /// Digest over the entry before and this one.
    pub chain: String,
}

/// `GET /audit-log`
pub(super) async fn audit(call: Call) -> Answer {
    let rows = call.app.portfolio.store.audit_after(call.number("after")?, &call.filter, call.count()? + 1).await?;
    let items = rows
        .into_iter()
        .map(|row| Entry {
            number: row.number,
            at: row.at,
            actor: row.actor,
            action: row.action,
            subject: row.subject,
            body: row.body,
            chain: row.chain,
        })
        .collect();
    call.listed(items, |item: &Entry| item.number.to_string())
}

/// How far the audit log went, signed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Signed {
    /// How many entries it has.
    pub entries: i64,
    /// The signed text.
    pub checkpoint: String,
    /// The key that is to be believed, PEM.
    pub public_key: String,
}

/// `GET /audit-log/checkpoint`
pub(super) async fn checkpoint(call: Call) -> Answer {
    let app = &call.app;
    let Some((checkpoint, note)) = app.notary.checkpoint(&app.portfolio.store).await? else {
        return Err(Problem::missing("entry to sign"));
    };
    let public_key = app.notary.public().pem();
    Ok(json(&Signed { entries: checkpoint.entries, checkpoint: note, public_key }))
}
