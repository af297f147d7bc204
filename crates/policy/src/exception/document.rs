//! The exceptions file: one YAML document per exception.

use condition::Diagnostic;
use jiff::ToSpan;
use jiff::tz::TimeZone;
use model::Timestamp;

use super::{AcceptedAt, Exception, Scope};
use crate::document::{SEVERITIES, check_version, quoted};
use condition::yaml::{Fields, Node, Reader, Yaml};

const KEYS: &[&str] = &["version", "id", "who", "why", "until", "scope", "accepted_at"];
const SCOPE_KEYS: &[&str] = &["vulnerabilities", "packages", "images", "bases", "layers", "policies"];
const ACCEPTED_KEYS: &[&str] = &["severity", "score", "epss", "kev"];

/// Reads one file and adds what it holds.
pub(super) fn read(file: &str, text: &str, exceptions: &mut Vec<Exception>, errors: &mut Vec<Diagnostic>) {
    let mut reader = Reader::new(file, text);
    for (index, document) in reader.documents().iter().enumerate() {
        if reader.is_full() {
            break;
        }
        let Some(fields) = reader.fields(document, "an exception", KEYS) else { continue };
        check_version(&mut reader, &fields, index == 0);
        let Some(exception) = exception(&mut reader, &fields) else { continue };
        if exceptions.iter().any(|other| other.id == exception.id) {
            let message = format!("there is already an exception `{}`", exception.id);
            reader.reject(fields.get("id").unwrap_or(document), "duplicate-name", message, "give it an id of its own");
        }
        exceptions.push(exception);
    }
    errors.extend(reader.into_errors());
}

fn exception(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Exception> {
    let id = reader.required(fields, "id", "give it a short id, such as `EX-17`; reports refer to it");
    let who = reader.required(fields, "who", "name the person who accepts the risk");
    let why = reader.required(fields, "why", "say why the risk is acceptable");
    let until = until(reader, fields);
    let scope = scope(reader, fields);
    let accepted_at = accepted_at(reader, fields);
    Some(Exception {
        id: id?.to_owned(),
        who: who?.to_owned(),
        why: why?.trim().to_owned(),
        until: until?,
        scope: scope?,
        accepted_at,
    })
}

fn until(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Timestamp> {
    let text =
        reader.required(fields, "until", "say when it ends, such as `2027-03-31`; nothing is accepted for ever")?;
    let until = text.parse::<Timestamp>().ok().or_else(|| end_of_day(text));
    if until.is_none() {
        let remedy = "write `2027-03-31`, or `2027-03-31T12:00:00Z`";
        reader.reject(fields.get("until")?, "wrong-date", format!("`{text}` is not a date"), remedy);
    }
    until
}

/// The end of a day in UTC.
fn end_of_day(date: &str) -> Option<Timestamp> {
    let day: jiff::civil::Date = date.parse().ok()?;
    Some(day.checked_add(1.day()).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn scope(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Scope> {
    let remedy = "say what it covers: `scope: { vulnerabilities: [CVE-2024-3094] }`; also packages, images, bases, layers, policies";
    let Some(node) = fields.get("scope") else {
        reader.reject(fields.node, "missing-key", "`scope` is missing", remedy);
        return None;
    };
    let keys = reader.fields(node, "an exception's `scope`", SCOPE_KEYS)?;
    let scope = Scope {
        vulnerabilities: reader.strings(&keys, "vulnerabilities"),
        packages: reader.strings(&keys, "packages"),
        images: reader.strings(&keys, "images"),
        bases: reader.strings(&keys, "bases"),
        layers: reader.strings(&keys, "layers"),
        policies: reader.strings(&keys, "policies"),
    };
    if scope == Scope::default() {
        reader.reject(node, "empty-scope", "the scope names nothing, so it would cover everything", remedy);
        return None;
    }
    Some(scope)
}

fn accepted_at(reader: &mut Reader<'_>, fields: &Fields<'_>) -> AcceptedAt {
    let Some(node) = fields.get("accepted_at") else { return AcceptedAt::default() };
    let Some(keys) = reader.fields(node, "`accepted_at`", ACCEPTED_KEYS) else { return AcceptedAt::default() };
    AcceptedAt {
        severity: keys.get("severity").and_then(|node| reader.word(node, "severity", SEVERITIES)),
        score: number(reader, &keys, "score", 10.0),
        epss: number(reader, &keys, "epss", 1.0),
        kev: match keys.get("kev") {
            Some(Node { value: Yaml::Bool(kev), .. }) => Some(*kev),
            Some(node) => {
                reader.reject(node, "wrong-shape", "`kev` is true or false", "");
                None
            }
            None => None,
        },
    }
}

fn number(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str, max: f64) -> Option<f64> {
    match fields.get(key)? {
        Node { value: Yaml::Number(number), .. } if (0.0..=max).contains(number) => Some(*number),
        node => {
            reader.reject(node, "wrong-shape", format!("`{key}` is a number from 0 to {max}"), "");
            None
        }
    }
}

/// One exception as a document.
pub(super) fn write(exception: &Exception) -> String {
    let Exception { id, who, why, until, scope, accepted_at } = exception;
    let mut lines = vec!["version: 1".to_owned(), format!("id: {}", quoted(id)), format!("who: {}", quoted(who))];
    lines.push(format!("why: {}", quoted(why)));
    lines.push(format!("until: {}", quoted(&until.to_string())));
    let mut parts = Vec::new();
    let lists = [
        ("vulnerabilities", &scope.vulnerabilities),
        ("packages", &scope.packages),
        ("images", &scope.images),
        ("bases", &scope.bases),
        ("layers", &scope.layers),
        ("policies", &scope.policies),
    ];
    for (key, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
        let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
        parts.push(format!("  {key}: [{}]", names.join(", ")));
    }
    lines.push(format!("scope:\n{}", parts.join("\n")));
    let accepted = [
        accepted_at.severity.map(|severity| format!("severity: {}", severity.as_str())),
        accepted_at.score.map(|score| format!("score: {score}")),
        accepted_at.epss.map(|epss| format!("epss: {epss}")),
        accepted_at.kev.map(|kev| format!("kev: {kev}")),
    ];
    let accepted: Vec<String> = accepted.into_iter().flatten().collect();
    if !accepted.is_empty() {
        lines.push(format!("accepted_at: {{ {} }}", accepted.join(", ")));
    }
    lines.join("\n") + "\n"
}
