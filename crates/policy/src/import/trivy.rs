//! Trivy: `.trivyignore` and `.trivyignore.yaml`.
//!
//! Source: Trivy's documentation, "Filtering", sections "By Finding IDs" and ".trivyignore.yaml".

use super::{Import, Rule, entries, get, items, moment, text};
use condition::yaml::{Node, Yaml};

/// One id a line, with `exp:DATE` where it ends; a comment before or after it is the reason.
pub(super) fn read(import: &mut Import<'_>) {
    let mut comment: Vec<&str> = Vec::new();
    for (index, line) in import.reader.source.lines().enumerate() {
        let (rule, remark) = line.split_once('#').map_or((line, None), |(rule, remark)| (rule, Some(remark.trim())));
        let mut words = rule.split_whitespace();
        let Some(id) = words.next() else {
            match remark {
                Some(remark) => comment.push(remark),
                None => comment.clear(),
            }
            continue;
        };
        let mut left = |message: String| {
            let width = rule.trim_end().len().max(1);
            import.reader.report("no-equivalent", message, (index + 1, 1, width), None);
        };
        let mut until = None;
        let mut understood = is_vulnerability(id);
        if !understood {
            left(format!("`{id}` is no vulnerability; misconfigurations and secrets are not looked for"));
        }
        for word in words {
            match word.strip_prefix("exp:").and_then(moment) {
                Some(end) => until = Some(end),
                None => {
                    left(format!("`{word}` is no `exp:` with a date"));
                    understood = false;
                }
            }
        }
        if understood {
            let why = remark.map(str::to_owned).or_else(|| (!comment.is_empty()).then(|| comment.join(" ")));
            let why = why.filter(|why| !why.is_empty());
            import.rules.push(Rule {
                line: index + 1,
                vulnerabilities: vec![id.to_owned()],
                packages: Vec::new(),
                why,
                until,
            });
        }
    }
}

/// Lists of rules by what they are about; only vulnerabilities are known here.
pub(super) fn read_yaml(import: &mut Import<'_>) {
    for document in import.reader.documents() {
        for (key, list) in entries(&document) {
            if key.text() == Some("vulnerabilities") {
                items(list).iter().for_each(|rule| yaml_rule(import, rule));
                continue;
            }
            let name = key.text().unwrap_or_default().to_owned();
            for rule in items(list) {
                import.leave(rule, format!("a rule of `{name}` has no equivalent: they are not looked for"), "");
            }
        }
    }
}

fn yaml_rule(import: &mut Import<'_>, rule: &Node) {
    let Some(id) = text(rule, "id") else {
        import.leave(rule, "a rule without an `id` ignores nothing", "");
        return;
    };
    let mut understood = true;
    for (key, value) in entries(rule) {
        match key.text().unwrap_or_default() {
            "id" | "purls" | "statement" | "expired_at" => {}
            "paths" if items(value).is_empty() => {}
            "paths" => {
                let message = format!("`{id}` is ignored at some paths only, and exceptions have no paths");
                import.leave(key, message, "name the packages there, in `purls` or in the exception's `packages`");
                understood = false;
            }
            other => {
                // Trivy itself passes over it.
                let message = format!("Trivy knows no `{other}`, so it has no effect there and none here");
                import.leave(key, message, "");
            }
        }
    }
    let end = get(rule, "expired_at");
    let until = end.and_then(Node::text).and_then(moment);
    if let Some(end) = end.filter(|end| until.is_none() && !matches!(end.value, Yaml::Null)) {
        import.leave(end, format!("the end of `{id}` is no date"), "");
        understood = false;
    }
    // A package URL without a version stands for every version, as it does there.
    let purls = get(rule, "purls").map(items).unwrap_or_default().iter().filter_map(Node::text);
    let packages = purls.flat_map(|purl| {
        let ends: Vec<&str> = match (purl.contains('@'), purl.contains('?')) {
            (_, true) => vec!["", "&*"],
            (true, false) => super::ends(None).collect(),
            (false, false) => vec!["", "@*"],
        };
        ends.into_iter().map(move |end| format!("{purl}{end}"))
    });
    if understood {
        import.rules.push(Rule {
            line: rule.line,
            vulnerabilities: vec![id],
            packages: packages.collect(),
            why: text(rule, "statement"),
            until,
        });
    }
}

/// Ids of misconfigurations are `AVD-…` and `DS002`, those of secrets are lower case.
fn is_vulnerability(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_uppercase()) && id.contains('-') && !id.starts_with("AVD-")
}
