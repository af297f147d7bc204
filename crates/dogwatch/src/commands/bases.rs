//! `dogwatch bases`: the base images that packages are attributed to, and which would be better.

use std::fmt::Write as _;

use ::scan::bases::{Bases, KnownBase, load, save};
use ::scan::inspect::inspect;
use anyhow::Context;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::cli::{AdviceFormat, BasesCommand};
use crate::client::Client;
use crate::commands::judge::Judge;
use crate::console::{Failure, write};
use crate::paths;

/// Adds a base or lists them.
pub(crate) fn run(command: BasesCommand) -> Result<u8, Failure> {
    let path =
        paths::data().context("no home directory to keep the list in; set DOGWATCH_DATA_DIR")?.join("bases.json");
    match command {
        BasesCommand::Add { name, target, server: Some(url), source } => {
            let client = Client::at(&url, None, source.ca_file.as_deref())?;
            let taken = client.send("POST", "/api/v1/bases", &json!({ "name": name, "image": target }))?;
            write(&format!("registered; {} images are judged again\n", taken["images"]), None)?;
        }
        BasesCommand::Add { name, target, server: None, source } => {
            let target = super::target(&target, &source)?;
            let inspection =
                inspect(&target, &super::inspect_options(&source)?).map_err(super::scan::failed(&target))?;
            super::note_taken_from(&inspection);
            let artifact = inspection.artifact;
            if artifact.layers.is_empty() {
                return Err(anyhow::anyhow!("`{target}` has no layers, so nothing can be built on it").into());
            }
            let diff_ids = artifact.layers.into_iter().map(|layer| layer.diff_id).collect();
            let mut bases = load(&path)?;
            bases.add(KnownBase { name, digest: artifact.manifest_digest, diff_ids });
            save(&bases, &path)?;
        }
        BasesCommand::Advise { target, output, advice, source, judge } => {
            let target = super::target(&target, &source)?;
            let judge = Judge::of(&judge, source.no_cache)?;
            let options = super::inspect_options(&source)?;
            let advice = super::advice::advise(&target, &advice, &source, &options, &judge.options(None))?;
            let text = match output {
                AdviceFormat::Table => super::advice::table(&advice),
                AdviceFormat::Json => format!("{}\n", serde_json::to_string_pretty(&advice)?),
            };
            write(&text, None)?;
        }
        BasesCommand::List { server: Some(url), ca_file } => {
            let client = Client::at(&url, None, ca_file.as_deref())?;
            write(&list(&of_server(&client, &url)?), None)?;
        }
        BasesCommand::List { server: None, .. } => write(&list(&load(&path)?), None)?,
    }
    Ok(0)
}

/// The base images that are registered with a server. The list travels only when it is another than last time.
pub(crate) fn of_server(client: &Client, url: &str) -> Result<Bases, Failure> {
    let file = format!("bases-{}.json", &hex::encode(Sha256::digest(url))[..16]);
    let path = paths::cache().map(|directory| directory.join(file));
    // The list as it was when it was last asked for, after its ETag.
    let known: Option<(String, Bases)> =
        path.as_ref().and_then(|path| std::fs::read(path).ok()).and_then(|text| serde_json::from_slice(&text).ok());
    let etag = known.as_ref().map(|(etag, _)| etag.as_str());
    let Some((etag, body)) = client.get_unless("/api/v1/bases", etag)? else {
        return Ok(known.map(|(_, bases)| bases).unwrap_or_default());
    };
    let bases: Bases = serde_json::from_value(body).context("the server's list of base images cannot be read")?;
    if let Some(path) = path {
        // It only saves a transfer.
        let _ = std::fs::create_dir_all(path.parent().unwrap_or(&path));
        let _ = std::fs::write(&path, serde_json::to_vec(&(etag, &bases))?);
    }
    Ok(bases)
}

/// One line per base: name, number of layers, the digest of its top layer.
fn list(bases: &Bases) -> String {
    let mut text = String::new();
    for base in &bases.bases {
        let top = base.diff_ids.last().map(ToString::to_string).unwrap_or_default();
        let _ =
            writeln!(text, "{}\t{} layers\ttop {top}", formats::printable::printable(&base.name), base.diff_ids.len());
    }
    text
}
