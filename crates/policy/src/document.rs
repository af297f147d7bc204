//! The policy file: one YAML document per policy.

use condition::{Condition, Diagnostic};
use model::finding::Severity;
use model::verdict::{Action, Stage};

use crate::policy::{Each, Policy};
use condition::yaml::{Fields, Node, Reader, Yaml, place_of};

/// The version of the file format; it rises when a reader of the old one could misread the new one.
pub(crate) const VERSION: f64 = 1.0;

/// A key of the file, for the checker, the reference page and the schema.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) doc: &'static str,
}

const fn key(name: &'static str, required: bool, doc: &'static str) -> Key {
    Key { name, required, doc }
}

/// The keys of a policy.
pub(crate) const KEYS: &[Key] = &[
    key("version", true, "`1`, the version of the format; once per file, in its first document."),
    key("name", true, "Unique in the set; exceptions and reports refer to it."),
    key("stages", true, "Where it applies: `build`, `admission`, `runtime`."),
    key("scope", false, "`images`: patterns (`*`, `?`) of image names; without it, every image."),
    key(
        "each",
        false,
        "`finding`, `package` or `image`: what the condition is asked about. The finest level that its facts need, unless stated finer.",
    ),
    key("condition", true, "A CEL expression; where it holds, the policy is violated."),
    key(
        "severity",
        false,
        "How bad a violation is. As bad as the finding where it is not stated; `medium` where there is no finding.",
    ),
    key("rationale", true, "Why the policy exists, shown with each violation."),
    key("remediation", false, "What to do, shown with each violation."),
    key("action", true, "`audit`, `warn`, `deny`; and `quarantine` at runtime."),
];

const STAGES: &[(&str, Stage)] =
    &[("build", Stage::Build), ("admission", Stage::Admission), ("runtime", Stage::Runtime)];
const ACTIONS: &[(&str, Action)] =
    &[("audit", Action::Audit), ("warn", Action::Warn), ("deny", Action::Deny), ("quarantine", Action::Quarantine)];
const LEVELS: &[(&str, Each)] = &[("finding", Each::Finding), ("package", Each::Package), ("image", Each::Image)];
/// The severities that documents may name.
pub(crate) const SEVERITIES: &[(&str, Severity)] = &[
    ("unknown", Severity::Unknown),
    ("negligible", Severity::Negligible),
    ("low", Severity::Low),
    ("medium", Severity::Medium),
    ("high", Severity::High),
    ("critical", Severity::Critical),
];

/// Reads one file and adds what it holds.
pub(crate) fn read(file: &str, text: &str, policies: &mut Vec<Policy>, errors: &mut Vec<Diagnostic>) {
    let mut reader = Reader::new(file, text);
    let documents = reader.documents();
    if documents.is_empty() && reader.is_content() {
        reader.report(
            "empty",
            "the file holds no policy",
            (1, 1, 1),
            Some("see docs/policy-facts.md for an example".into()),
        );
    }
    for (index, document) in documents.iter().enumerate() {
        if reader.is_full() {
            break;
        }
        let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
        let Some(fields) = reader.fields(document, "a policy", &names) else { continue };
        check_version(&mut reader, &fields, index == 0);
        let Some(policy) = policy(&mut reader, &fields) else { continue };
        if policies.iter().any(|other| other.name == policy.name) {
            let node = fields.get("name").unwrap_or(document);
            let message = format!("there is already a policy `{}`", policy.name);
            reader.reject(node, "duplicate-name", message, "exceptions refer to names, so each must be unique");
        }
        policies.push(policy);
    }
    errors.extend(reader.into_errors());
}

/// The first document must say which version of the format the file is written in.
pub(crate) fn check_version(reader: &mut Reader<'_>, fields: &Fields<'_>, first: bool) {
    match fields.get("version") {
        Some(Node { value: Yaml::Number(version), .. }) if *version == VERSION => {}
        Some(node) => {
            reader.reject(node, "unknown-version", "this version of the format is not known", "write `version: 1`")
        }
        None if first => reader.reject(fields.node, "missing-key", "`version` is missing", "begin with `version: 1`"),
        None => {}
    }
}

fn policy(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Policy> {
    let name = reader.required(fields, "name", "give it a short name, such as `no-known-exploited`");
    let stages = stages(reader, fields);
    let images = scope(reader, fields);
    let severity = match fields.get("severity") {
        Some(node) => reader.word(node, "severity", SEVERITIES),
        None => None,
    };
    let rationale = reader.required(fields, "rationale", "say in a sentence why the policy exists; violations show it");
    let remediation = reader.optional(fields, "remediation");
    let action = action(reader, fields, &stages);
    let condition = condition(reader, fields, &stages);
    let each = condition.as_ref().and_then(|condition| level(reader, fields, condition));
    Some(Policy {
        name: name?.to_owned(),
        stages,
        images,
        each: each?,
        condition: condition?,
        severity,
        rationale: rationale?.trim().to_owned(),
        remediation: remediation.map(|text| text.trim().to_owned()),
        action: action?,
    })
}

fn stages(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<Stage> {
    let nodes = reader.texts(fields, "stages");
    let mut stages: Vec<Stage> = nodes.into_iter().filter_map(|node| reader.word(node, "stages", STAGES)).collect();
    if fields.get("stages").is_none_or(|node| matches!(&node.value, Yaml::List(items) if items.is_empty())) {
        let remedy = "say where it applies: `stages: [build]`, also `admission` and `runtime`";
        reader.reject(fields.get("stages").unwrap_or(fields.node), "missing-key", "`stages` is missing", remedy);
    }
    stages.sort_unstable();
    stages.dedup();
    stages
}

fn scope(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<String> {
    let Some(node) = fields.get("scope") else { return Vec::new() };
    match reader.fields(node, "a policy's `scope`", &["images"]) {
        Some(scope) => reader.strings(&scope, "images"),
        None => Vec::new(),
    }
}

fn action(reader: &mut Reader<'_>, fields: &Fields<'_>, stages: &[Stage]) -> Option<Action> {
    let Some(node) = fields.get("action") else {
        reader.reject(fields.node, "missing-key", "`action` is missing", "one of: audit, warn, deny, quarantine");
        return None;
    };
    let action = reader.word(node, "action", ACTIONS)?;
    if action == Action::Quarantine && stages.iter().any(|stage| *stage != Stage::Runtime) {
        let message = "only what runs can be quarantined";
        reader.reject(node, "wrong-action", message, "use `deny`, or apply the policy at `runtime` alone");
    }
    Some(action)
}

fn condition(reader: &mut Reader<'_>, fields: &Fields<'_>, stages: &[Stage]) -> Option<Condition> {
    let text = reader.required(fields, "condition", "say when it is violated, such as `finding.kev`")?;
    let node = fields.get("condition")?;
    match Condition::compile(text, crate::facts::table(), stages) {
        Ok(condition) => Some(condition),
        Err(error) => {
            let (line, column) = place_of(reader.source, node, error.span.start);
            let end = place_of(reader.source, node, error.span.end.saturating_sub(1));
            let width = if end.0 == line { (end.1 + 1).saturating_sub(column) } else { 1 };
            reader.report(error.code.as_str(), error.message, (line, column, width), error.remedy);
            None
        }
    }
}

/// The level that the condition's facts need, or the finer one that the document states.
fn level(reader: &mut Reader<'_>, fields: &Fields<'_>, condition: &Condition) -> Option<Each> {
    let finest = condition.facts().max_by_key(|fact| Each::of_fact(fact.name));
    let needed = finest.map_or(Each::Image, |fact| Each::of_fact(fact.name));
    let Some(node) = fields.get("each") else { return Some(needed) };
    let stated = reader.word(node, "each", LEVELS)?;
    if stated < needed {
        let fact = finest.map_or("", |fact| fact.name);
        let message = format!("the condition reads `{fact}`, which this level does not have");
        reader.reject(node, "wrong-level", message, "leave `each` out, and it follows from the condition");
        return None;
    }
    Some(stated)
}

/// One policy as a document that reads to the same policy.
pub(crate) fn write(policy: &Policy) -> String {
    let word = |words: &[(&'static str, Stage)], stage: &Stage| {
        words.iter().find(|(_, value)| value == stage).map_or("", |(word, _)| word)
    };
    let stages: Vec<&str> = policy.stages.iter().map(|stage| word(STAGES, stage)).collect();
    let mut lines = vec!["version: 1".to_owned(), format!("name: {}", quoted(&policy.name))];
    lines.push(format!("stages: [{}]", stages.join(", ")));
    if !policy.images.is_empty() {
        let images: Vec<String> = policy.images.iter().map(|image| quoted(image)).collect();
        lines.push(format!("scope: {{ images: [{}] }}", images.join(", ")));
    }
    let level = LEVELS.iter().find(|(_, each)| *each == policy.each).map_or("", |(word, _)| word);
    lines.push(format!("each: {level}"));
    lines.push(format!("condition: {}", quoted(policy.condition.text())));
    if let Some(severity) = policy.severity {
        lines.push(format!("severity: {}", severity.as_str()));
    }
    lines.push(format!("rationale: {}", quoted(&policy.rationale)));
    if let Some(remediation) = &policy.remediation {
        lines.push(format!("remediation: {}", quoted(remediation)));
    }
    let action = ACTIONS.iter().find(|(_, action)| *action == policy.action).map_or("", |(word, _)| word);
    lines.push(format!("action: {action}\n"));
    lines.join("\n")
}

/// A text in YAML's double quotes, which read JSON's escapes; plain where nothing can be misread.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.contains('-') && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}') => {
                out.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
