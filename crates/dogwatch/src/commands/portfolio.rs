//! `dogwatch portfolio`: asks a server, and tells it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use formats::printable::printable;
use serde_json::{Value, json};

use crate::cli::portfolio::{Document, Of, PortfolioCommand, ServerArguments};
use crate::client::{Client, escaped};
use crate::console::{Failure, Hint, note, write};

/// Asks or tells, prints, and returns the exit code.
pub(crate) fn run(command: PortfolioCommand) -> Result<u8, Failure> {
    match command {
        PortfolioCommand::Images { team, system, outcome, filter, as_of, json, server } => {
            let filter = filter_of(&[("team", team), ("system", system), ("outcome", outcome)], filter);
            let query = [("filter", &*filter), ("as-of", as_of.as_deref().unwrap_or_default())];
            let images = every(&Client::new(&server)?, "/api/v1/images", &query)?;
            write(&if json { lines(&images) } else { table(&images) }, None)?;
        }
        PortfolioCommand::Dependents { what, of, filter, as_of, json, server } => {
            let query =
                [("filter", filter.as_deref().unwrap_or_default()), ("as-of", as_of.as_deref().unwrap_or_default())];
            dependents(&what, of, &query, json, &server)?;
        }
        PortfolioCommand::Explain { image, vulnerability, server } => {
            let path = format!("/api/v1/images/{}/risk/{}", escaped(&image), escaped(&vulnerability));
            let risk = Client::new(&server)?.get(&path, &[])?;
            write(&explained(&risk), None)?;
        }
        PortfolioCommand::Put { document, files, server } => put(document, &files, &server)?,
        PortfolioCommand::Running { environment, file, server } => {
            let text =
                std::fs::read_to_string(&file).with_context(|| format!("`{}` cannot be read", file.display()))?;
            let workloads: Value =
                serde_json::from_str(&text).with_context(|| format!("`{}` is no JSON", file.display()))?;
            let path = format!("/api/v1/environments/{}/workloads", escaped(&environment));
            let taken = Client::new(&server)?.send("PUT", &path, &workloads)?;
            note(&format!("{environment}: {} started, {} stopped", taken["started"], taken["stopped"]));
        }
        PortfolioCommand::Changes { after, kind, filter, server } => {
            let client = Client::new(&server)?;
            let filter = filter_of(&[("type", kind.map(|kind| format!("dev.dogwatch.{kind}")))], filter);
            let mut after = after.to_string();
            loop {
                let query = [("after", &*after), ("filter", &*filter), ("limit", "1000")];
                let page = client.get("/api/v1/changes", &query)?;
                let Some(changes) = page["items"].as_array().filter(|changes| !changes.is_empty()) else { break };
                write(&lines(changes), None)?;
                after = changes.last().and_then(|change| change["id"].as_str()).unwrap_or_default().to_owned();
            }
        }
        PortfolioCommand::Token { name, role, scope, days, server } => {
            let asked = json!({ "name": name, "role": role, "scope": scope, "days": days });
            let made = Client::new(&server)?.send("POST", "/api/v1/tokens", &asked)?;
            write(&format!("{}\n", made["secret"].as_str().unwrap_or_default()), None)?;
        }
    }
    Ok(0)
}

/// The filter that asks for all of this: these facts with these values, and the user's own filter.
fn filter_of(values: &[(&str, Option<String>)], filter: Option<String>) -> String {
    let given = values.iter().filter_map(|(fact, value)| Some((fact, value.as_ref()?)));
    // Quoted as in JSON, which CEL reads alike.
    let mut parts: Vec<String> = given.map(|(fact, value)| format!("{fact} == {}", json!(value))).collect();
    // The line ends before the bracket: the user's filter may end in a comment.
    parts.extend(filter.map(|filter| if parts.is_empty() { filter } else { format!("({filter}\n)") }));
    parts.join(" && ")
}

/// All pages of a list.
fn every(client: &Client, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, Failure> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let mut query = query.to_vec();
        query.extend([("cursor", &*cursor), ("limit", "1000")]);
        let mut page = client.get(path, &query)?;
        all.extend(page["items"].as_array_mut().map(std::mem::take).unwrap_or_default());
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return Ok(all),
        }
    }
}

pub(super) fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

/// Columns, each as wide as its widest cell.
fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len)).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "-".into(),
        Value::String(text) => printable(text).into_owned(),
        other => other.to_string(),
    }
}

fn table(images: &[Value]) -> String {
    const SHOWN: [(&str, &str); 9] = [
        ("IMAGE", "name"),
        ("OUTCOME", "outcome"),
        ("RISK", "risk"),
        ("FINDINGS", "findings"),
        ("CRITICAL", "critical"),
        ("RUNNING", "running"),
        ("TEAM", "team"),
        ("SYSTEM", "system"),
        ("BASE", "base"),
    ];
    let mut rows = vec![SHOWN.map(|(title, _)| title.to_owned()).to_vec()];
    rows.extend(images.iter().map(|image| SHOWN.map(|(_, key)| cell(&image[key])).to_vec()));
    columns(&rows)
}

fn dependents(
    what: &str,
    of: Option<Of>,
    query: &[(&str, &str)],
    json: bool,
    server: &ServerArguments,
) -> Result<(), Failure> {
    let client = Client::new(server)?;
    let kinds = match of {
        Some(of) => vec![of],
        None => guesses(what),
    };
    let mut answer = Value::Null;
    for kind in kinds {
        let kind = match kind {
            Of::Image => "image",
            Of::Layer => "layer",
            Of::Package => "package",
            Of::Vulnerability => "vulnerability",
        };
        let query = [query, &[("of", kind), ("value", what), ("limit", "1000")]].concat();
        answer = client.get("/api/v1/dependents", &query)?;
        if answer["images"].as_array().is_some_and(|images| !images.is_empty()) {
            break;
        }
    }
    if json {
        return write(&format!("{answer}\n"), None);
    }
    let list = |key: &str| answer[key].as_array().cloned().unwrap_or_default();
    let shown = |rows: &[Value], columns_shown: &[(&str, &str)]| {
        let mut all = vec![columns_shown.iter().map(|(title, _)| (*title).to_owned()).collect::<Vec<_>>()];
        all.extend(rows.iter().map(|row| columns_shown.iter().map(|(_, key)| cell(&row[key])).collect()));
        columns(&all)
    };
    let (teams, environments, images) = (list("teams"), list("environments"), list("images"));
    if images.is_empty() {
        return write(&format!("nothing that is known stands on {}\n", printable(what)), None);
    }
    let teams = shown(&teams, &[("TEAM", "team"), ("SYSTEM", "system"), ("IMAGES", "images"), ("RUNNING", "running")]);
    let environments = shown(
        &environments,
        &[("ENVIRONMENT", "environment"), ("PRODUCTION", "production"), ("WORKLOADS", "workloads")],
    );
    let images = shown(&images, &[("IMAGE", "name"), ("TEAM", "team"), ("SYSTEM", "system"), ("RUNNING", "running")]);
    if answer["next"].is_string() {
        note("only the first 1000 images are listed");
    }
    write(&format!("{teams}\n{environments}\n{images}"), None)
}

/// What a text most likely is.
fn guesses(what: &str) -> Vec<Of> {
    let is_id = what.split_once('-').is_some_and(|(start, rest)| {
        start.chars().all(|c| c.is_ascii_uppercase()) && rest.contains(|c: char| c.is_ascii_digit())
    });
    match what {
        _ if what.starts_with("pkg:") => vec![Of::Package],
        _ if what.starts_with("sha256:") => vec![Of::Image, Of::Layer],
        _ if is_id => vec![Of::Vulnerability],
        _ => vec![Of::Image, Of::Package],
    }
}

fn explained(risk: &Value) -> String {
    let mut rows = vec![["", "FACTOR", "VALUE", "WHY"].map(str::to_owned).to_vec()];
    for factor in risk["factors"].as_array().into_iter().flatten() {
        let effect = &factor["effect"];
        let shown = match (effect["points"].as_f64(), effect["times"].as_f64()) {
            (Some(points), _) => format!("{points}"),
            (_, Some(times)) => format!("x {times}"),
            _ => String::new(),
        };
        rows.push(vec![shown, cell(&factor["name"]), cell(&factor["value"]), cell(&factor["because"])]);
    }
    format!("{}risk {} of 100 (product {})\n", columns(&rows), risk["score"], risk["product"])
}

fn put(document: Document, files: &[PathBuf], server: &ServerArguments) -> Result<(), Failure> {
    let (name, endings): (&str, &[&str]) = match document {
        Document::Catalog => ("catalog", &["yaml", "yml"]),
        Document::OwnerRules => ("owner-rules", &[]),
        Document::Policies => ("policies", &["yaml", "yml"]),
        Document::Exceptions => ("exceptions", &["yaml", "yml"]),
        Document::Thresholds => ("thresholds", &["yaml", "yml"]),
        Document::Advisories => ("advisories", &["json"]),
    };
    let mut found = Vec::new();
    for path in files {
        collect(path, endings, &mut found)?;
    }
    if found.is_empty() {
        return Err(anyhow::anyhow!("no file of the {name} was found")).hint(Some(format!(
            "in directories, files are looked for that end in {}",
            endings.iter().map(|ending| format!("`.{ending}`")).collect::<Vec<_>>().join(", ")
        )));
    }
    let texts = super::texts(&found)?;
    let taken = Client::new(server)?.send("PUT", &format!("/api/v1/documents/{name}"), &json!({ "files": texts }))?;
    note(&format!("{name}: {} files in force; {} images are judged again", found.len(), taken["images"]));
    Ok(())
}

/// A file, or the files with these endings in a directory and below, sorted.
fn collect(path: &Path, endings: &[&str], found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if !path.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    let read = || -> std::io::Result<Vec<PathBuf>> {
        let mut inside: Vec<PathBuf> =
            std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        inside.sort();
        Ok(inside)
    };
    for inside in read().with_context(|| format!("`{}` cannot be read", path.display()))? {
        let ending = inside.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        // Links could lead around in circles.
        let is_directory = inside.is_dir() && !inside.is_symlink();
        if is_directory || (inside.is_file() && endings.contains(&ending)) {
            collect(&inside, endings, found)?;
        }
    }
    Ok(())
}
