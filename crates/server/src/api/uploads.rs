//! Documents that come in parts: whoever is cut off asks how much has come, and goes on there.

use schemars::JsonSchema;
use serde::Serialize;

use super::requests::json;
use super::{Answer, Call};
use crate::claim::{CLAIM_BYTES_MAX, hex_digest};
use crate::portfolio::Ingested;
use crate::problem::Problem;

/// The largest part. A client chooses smaller ones on a bad line.
const PART_BYTES_MAX: usize = 8 << 20;
/// What one sender may have on the way: two of the largest documents.
const ON_THE_WAY_MAX: i64 = 2 * CLAIM_BYTES_MAX as i64;
/// How long parts are kept, in microseconds: a day.
const KEPT_MICROSECONDS: i64 = 24 * 3_600 * 1_000_000;

/// How far a document has come.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Upload {
    /// Bytes that have come: the `offset` of the next part.
    pub received: i64,
    /// What became of it, once it was complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Ingested>,
}

fn digest(call: &Call) -> Result<&str, Problem> {
    let digest = call.part("digest");
    let is_digest =
        digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if is_digest {
        Ok(digest)
    } else {
        Err(Problem::bad("bad path", "an upload is named by the SHA-256 of all its bytes, as 64 hexadecimal digits"))
    }
}

/// `GET /uploads/{digest}`
pub(super) async fn state(call: Call) -> Answer {
    let received = call.app.portfolio.store.received(digest(&call)?, &call.caller.name).await?;
    Ok(json(&Upload { received, report: None }))
}

/// `PUT /uploads/{digest}`
pub(super) async fn part(call: Call) -> Answer {
    let (digest, sender) = (digest(&call)?, call.caller.name.as_str());
    let seen = super::writes::stage(&call)?;
    let (offset, total) = (call.number("offset")?, call.number("total")?);
    let portfolio = &call.app.portfolio;
    if total > CLAIM_BYTES_MAX as i64 || call.body.len() > PART_BYTES_MAX {
        let detail = format!("a document has at most {CLAIM_BYTES_MAX} bytes, and a part {PART_BYTES_MAX}");
        return Err(Problem::new(413, "the upload is too large", &detail));
    }
    let received = portfolio.store.received(digest, sender).await?;
    let next = offset + call.body.len() as i64;
    if offset != received || next > total || (call.body.is_empty() && received < total) {
        let detail = format!("{received} bytes have come; send what follows, up to the {total} there are");
        return Err(Problem::new(409, "this is not the next part", &detail));
    }
    if portfolio.store.on_the_way(sender).await? + call.body.len() as i64 > ON_THE_WAY_MAX {
        let detail = "finish what was begun; what is not finished is forgotten after a day";
        return Err(Problem::new(429, "too much is on the way", detail));
    }
    let began = portfolio.now();
    let mut write = portfolio.store.write(began).await?;
    write.forget_uploads_before(began - KEPT_MICROSECONDS).await?;
    if !call.body.is_empty() && !write.put_part(digest, sender, offset, &call.body).await? {
        return Err(Problem::new(
            409,
            "this is not the next part",
            "somebody else sends the same; ask how much has come",
        ));
    }
    write.commit().await?;
    if next < total {
        return Ok(json(&Upload { received: next, report: None }));
    }
    let body = portfolio.store.upload(digest, sender).await?;
    let taken = match hex_digest(&body) == digest {
        true => super::writes::take(&call, body.into(), seen).await,
        false => Err(Problem::bad("the upload is damaged", "its bytes have another SHA-256; begin again")),
    };
    // What cannot be read does not get better by keeping it. When the database failed, the last part may come again.
    if taken.as_ref().map_or_else(|problem| problem.status < 500, |_| true) {
        let mut write = portfolio.store.write(portfolio.now()).await?;
        write.forget_upload(digest, sender).await?;
        write.commit().await?;
    }
    Ok(json(&Upload { received: next, report: Some(taken?) }))
}
