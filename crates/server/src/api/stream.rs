//! The change feed: pages, and as it grows. Source: CloudEvents 1.0.2; HTML Living Standard, "Server-sent events".

use std::convert::Infallible;
use std::time::Duration;

use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use schemars::JsonSchema;
use serde::Serialize;
use store::{StoreError, StoredChange};

use super::{Answer, Call};
use crate::problem::Problem;
use crate::tell::moment;

/// How many changes are read at a time while following.
const AT_A_TIME: i64 = 500;

/// A change as a CloudEvent.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CloudEvent {
    /// `1.0`
    pub specversion: &'static str,
    /// Its place in the feed: later ones have higher numbers.
    pub id: String,
    /// `dogwatch`
    pub source: &'static str,
    /// `dev.dogwatch.risk.changed`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// When, RFC 3339.
    pub time: String,
    /// `application/json`
    pub datacontenttype: &'static str,
    /// The digest of the image it is about, where it is about one that is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// The team concerned, where there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub team: String,
    /// The system concerned, where there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub system: String,
    /// The change.
    pub data: serde_json::Value,
}

impl CloudEvent {
    fn of(change: StoredChange) -> Self {
        Self {
            specversion: "1.0",
            id: change.number.to_string(),
            source: "dogwatch",
            kind: format!("dev.dogwatch.{}", change.kind),
            time: moment(change.at),
            datacontenttype: "application/json",
            subject: change.subject,
            team: change.team,
            system: change.system,
            data: serde_json::from_str(&change.body).unwrap_or_default(),
        }
    }
}

/// `GET /changes`
pub(super) async fn changes(call: Call) -> Answer {
    let rows = call
        .app
        .portfolio
        .store
        .changes_after(call.number("after")?, &call.caller.scope, &call.filter, call.count()? + 1)
        .await?;
    call.listed(rows.into_iter().map(CloudEvent::of).collect(), |event: &CloudEvent| event.id.clone())
}

/// `GET /changes/stream`
pub(super) async fn follow(call: Call) -> Answer {
    let last = call.headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let after = match last {
        Some(id) => id.parse().map_err(|_| Problem::bad("bad header", "`Last-Event-ID` is no number of a change"))?,
        None => call.number("after")?,
    };
    let told = call.app.portfolio.told();
    let stream =
        futures_util::stream::unfold((call, told, after, Vec::new()), |(call, mut told, after, waiting)| async move {
            let (mut after, mut waiting): (i64, Vec<StoredChange>) = (after, waiting);
            loop {
                if let Some(change) = waiting.pop() {
                    after = change.number;
                    let event = CloudEvent::of(change);
                    let text = serde_json::to_string(&event).unwrap_or_default();
                    let event = Event::default().id(event.id).event(event.kind).data(text);
                    return Some((Ok::<_, Infallible>(event), (call, told, after, waiting)));
                }
                told.mark_unchanged();
                match next(&call, after).await {
                    Ok((rows, _)) if !rows.is_empty() => waiting = rows.into_iter().rev().collect(),
                    // Another server may have written: that wakes nobody here, so look now and then.
                    Ok((_, newest)) => {
                        after = after.max(newest);
                        if let Ok(Err(_)) = tokio::time::timeout(Duration::from_secs(2), told.changed()).await {
                            return None;
                        }
                    }
                    // The client comes back with the number of the last one it has.
                    Err(_) => return None,
                }
            }
        });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}

/// The next changes that the caller asks for, and up to where the feed was read where there are none.
async fn next(call: &Call, after: i64) -> Result<(Vec<StoredChange>, i64), StoreError> {
    let store = &call.app.portfolio.store;
    let newest = store.newest_change().await?;
    Ok((store.changes_after(after, &call.caller.scope, &call.filter, AT_A_TIME).await?, newest))
}
