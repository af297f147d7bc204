//! Documents in force: catalog, owner rules, policies, exceptions, thresholds, private advisories.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::requests::json;
use super::{Answer, Call};
use crate::problem::Problem;
use crate::tell::moment;

/// A document's files.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Each with its name, for messages, and its text.
    pub files: Vec<(String, String)>,
}

/// A document in force.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Document {
    /// Its files.
    pub files: Vec<(String, String)>,
    /// Since when, RFC 3339.
    pub since: String,
    /// Who put it in force.
    pub actor: String,
}

/// What a change of documents leads to.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Taken {
    /// How many images are judged again.
    pub images: u64,
}

/// `GET /documents/{name}`
pub(super) async fn get(call: Call) -> Answer {
    let name = call.part("name");
    let setting = match crate::documents::DOCUMENTS.contains(&name) {
        true => call.app.portfolio.store.setting(name, call.at()?).await?,
        false => None,
    };
    let setting = setting.ok_or_else(|| Problem::missing("such document"))?;
    let files = crate::documents::read_files(&setting.body)?;
    Ok(json(&Document { files, since: moment(setting.since), actor: setting.actor }))
}

/// `PUT /documents/{name}`
pub(super) async fn put(call: Call) -> Answer {
    let Files { files } = call.read()?;
    let images = call.app.portfolio.put_document(call.part("name"), files, &call.caller.name).await?;
    Ok(json(&Taken { images }))
}

/// `PUT /advisories/{id}`
pub(super) async fn advise(call: Call) -> Answer {
    let id = call.part("id");
    let record: serde_json::Value = call.read()?;
    if record["id"].as_str() != Some(id) {
        let detail = format!("the record's `id` is not `{id}`, as the path says");
        return Err(Problem::bad("the advisory cannot be published", &detail));
    }
    let images = call.app.portfolio.put_advisory(id, Some(record.to_string()), &call.caller).await?;
    Ok(json(&Taken { images }))
}

/// `DELETE /advisories/{id}`
pub(super) async fn withdraw(call: Call) -> Answer {
    let images = call.app.portfolio.put_advisory(call.part("id"), None, &call.caller).await?;
    Ok(json(&Taken { images }))
}

/// `GET /catalog`
pub(super) async fn catalog(call: Call) -> Answer {
    Ok(json(&call.app.portfolio.catalog().await?))
}

/// An image to register as a base.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBase {
    /// What people call it.
    pub name: String,
    /// The image, known here: its digest, or a name that stands for it.
    pub image: String,
}

/// `GET /bases`
pub(super) async fn bases(call: Call) -> Answer {
    Ok(json(&call.app.portfolio.bases().await?))
}

/// `POST /bases`
pub(super) async fn add_base(call: Call) -> Answer {
    let NewBase { name, image } = call.read()?;
    if !call.caller.scope.is_empty() {
        call.app.portfolio.owns(&call.caller.scope, "image", &image).await?;
    }
    let images = call.app.portfolio.add_base(&name, &image, &call.caller.name).await?;
    Ok(json(&Taken { images }))
}
