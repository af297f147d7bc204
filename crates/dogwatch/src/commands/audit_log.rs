//! `dogwatch audit-log`: exports a server's audit log, and says whether an exported one is whole.

use std::path::Path;

use ::advisories::share::key::PublicKey;
use anyhow::Context;
use serde_json::Value;

use super::portfolio::lines;
use crate::cli::portfolio::AuditLogCommand;
use crate::client::Client;
use crate::console::{Failure, Hint, note, write};

/// Exports or verifies, and returns the exit code.
pub(crate) fn run(command: AuditLogCommand) -> Result<u8, Failure> {
    match command {
        AuditLogCommand::Export { server } => export(&Client::new(&server)?),
        AuditLogCommand::Verify { file, key, checkpoint } => {
            let keys: Vec<PublicKey> = key.iter().map(|key| keys(key)).collect::<Result<Vec<_>, _>>()?.concat();
            let kept = checkpoint.iter().map(|file| kept(file)).collect::<Result<Vec<_>, _>>()?;
            match server::verify_audit_log(&read(&file)?, &keys, &kept) {
                Ok(count) => {
                    if keys.is_empty() {
                        note("who signed it was not checked; name the server's public key with `--key`");
                    }
                    let signed = if keys.is_empty() { "" } else { ", signed" };
                    write(&format!("{count} entries, whole{signed}\n"), None)?;
                    Ok(0)
                }
                Err(broken) => {
                    write(&format!("{broken}\n"), None)?;
                    Ok(1)
                }
            }
        }
    }
}

/// All entries that a checkpoint covers, and the checkpoint.
fn export(client: &Client) -> Result<u8, Failure> {
    let signed = client.get("/api/v1/audit-log/checkpoint", &[])?;
    let (mut after, end) = (0, signed["entries"].as_i64().unwrap_or_default());
    while after < end {
        let limit = (end - after).min(1000).to_string();
        let page = client.get("/api/v1/audit-log", &[("after", &after.to_string()), ("limit", &limit)])?;
        let Some(entries) = page["items"].as_array().filter(|entries| !entries.is_empty()) else { break };
        write(&lines(entries), None)?;
        after = entries.last().and_then(|entry| entry["number"].as_i64()).unwrap_or(end);
    }
    write(&lines(&[serde_json::json!({ "checkpoint": signed["checkpoint"] })]), None)?;
    Ok(0)
}

/// A public key in one line, as `--key` takes it.
pub(crate) fn shown(key: &PublicKey) -> String {
    key.pem().lines().filter(|line| !line.starts_with('-')).collect()
}

/// The keys in a file, or the one in a text.
fn keys(text: &str) -> Result<Vec<PublicKey>, Failure> {
    let pem = match Path::new(text).exists() {
        true => read(Path::new(text))?,
        false => format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n"),
    };
    let hint = "name a PEM file, or give the text that `dogwatch serve` shows when it starts";
    PublicKey::parse_all(&pem).with_context(|| format!("`{text}` is no public key")).hint(Some(hint.into()))
}

/// A checkpoint: its text, or as the server answers it, or the last line of an export.
fn kept(file: &Path) -> Result<String, Failure> {
    let text = read(file)?;
    let last: Option<Value> = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
    Ok(last.as_ref().and_then(|answer| answer["checkpoint"].as_str()).map_or(text, str::to_owned))
}

fn read(file: &Path) -> Result<String, Failure> {
    Ok(std::fs::read_to_string(file).with_context(|| format!("`{}` cannot be read", file.display()))?)
}
