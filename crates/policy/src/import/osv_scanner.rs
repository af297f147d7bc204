//! OSV-Scanner: `IgnoredVulns` and `PackageOverrides` of `osv-scanner.toml`.
//!
//! Source: OSV-Scanner's documentation, "Configure OSV-Scanner".

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Import, Rule, entries, get, items, moment, package_patterns, text};
use condition::yaml::{FILE_BYTES_MAX, Node, Yaml};

/// OSV's ecosystems, and the types of package URLs.
const TYPES: &[(&str, &str)] = &[
    ("Go", "golang"),
    ("Hex", "hex"),
    ("Maven", "maven"),
    ("NuGet", "nuget"),
    ("Packagist", "composer"),
    ("Pub", "pub"),
    ("PyPI", "pypi"),
    ("RubyGems", "gem"),
    ("crates.io", "cargo"),
    ("npm", "npm"),
];

pub(super) fn read(import: &mut Import<'_>) {
    let source = import.reader.source;
    if source.len() > FILE_BYTES_MAX {
        let message = format!("the file is larger than {} MiB", FILE_BYTES_MAX >> 20);
        return import.reader.report("too-large", message, (1, 1, 1), None);
    }
    let document = match DeTable::parse(source) {
        Ok(table) => Tree { source }.table(table.get_ref(), table.span().start),
        Err(error) => {
            let at = Tree { source }.place(error.span().map_or(0, |span| span.start));
            return import.reader.report("toml", error.message().to_owned(), (at.0, at.1, 1), None);
        }
    };
    for (key, list) in entries(&document) {
        match key.text().unwrap_or_default() {
            "IgnoredVulns" => items(list).iter().for_each(|rule| ignored(import, rule)),
            "PackageOverrides" => items(list).iter().for_each(|rule| overridden(import, rule)),
            other => import.leave(key, format!("the setting `{other}` is no exception"), ""),
        }
    }
}

fn ignored(import: &mut Import<'_>, rule: &Node) {
    let Some(id) = text(rule, "id") else {
        return import.leave(rule, "a rule without an `id` ignores nothing", "");
    };
    let understood = import.has_only(rule, &["id", "ignoreUntil", "reason"], "a rule");
    let Some(until) = end(import, rule, "ignoreUntil") else { return };
    if understood {
        let (vulnerabilities, packages) = (vec![id], Vec::new());
        import.rules.push(Rule { line: rule.line, vulnerabilities, packages, why: text(rule, "reason"), until });
    }
}

fn overridden(import: &mut Import<'_>, rule: &Node) {
    const KNOWN: &[&str] = &["name", "version", "ecosystem", "ignore", "vulnerability", "effectiveUntil", "reason"];
    let mut understood = import.has_only(rule, KNOWN, "an override");
    let is_true = |node: Option<&Node>| node.is_some_and(|node| matches!(node.value, Yaml::Bool(true)));
    let vulnerability = get(rule, "vulnerability").and_then(|vulnerability| get(vulnerability, "ignore"));
    if !is_true(vulnerability) && !is_true(get(rule, "ignore")) {
        import.leave(rule, "an override that ignores no vulnerabilities is no exception", "");
        understood = false;
    }
    let ecosystem = text(rule, "ecosystem");
    let kind = ecosystem.as_deref().map(|name| TYPES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind));
    let (Some(name), Some(kind)) = (text(rule, "name"), kind.map_or(Some(None), |kind| kind.map(Some))) else {
        let message = "an override without a `name`, or of an ecosystem without a package-URL type, has no equivalent";
        return import.leave(rule, message, "");
    };
    let Some(until) = end(import, rule, "effectiveUntil") else { return };
    if understood {
        let name = if kind == Some("maven") { name.replace(':', "/") } else { name };
        let packages = package_patterns(kind, &name, text(rule, "version").as_deref());
        let (vulnerabilities, why) = (Vec::new(), text(rule, "reason"));
        import.rules.push(Rule { line: rule.line, vulnerabilities, packages, why, until });
    }
}

/// The end that a rule states, if it states one; none at all where that is no date, which is then said.
fn end(import: &mut Import<'_>, rule: &Node, key: &str) -> Option<Option<model::Timestamp>> {
    let Some(stated) = get(rule, key) else { return Some(None) };
    let until = stated.text().and_then(moment);
    if until.is_none() {
        import.leave(stated, format!("`{key}` is no date"), "");
    }
    until.map(Some)
}

/// TOML as the tree that YAML is read into. Its depth is bounded by the TOML reader's own.
struct Tree<'a> {
    source: &'a str,
}

impl Tree<'_> {
    /// The line and column of a byte.
    fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.source.get(..offset).unwrap_or(self.source);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before.get(line_start..).unwrap_or_default().chars().count() + 1)
    }

    fn node(&self, value: Yaml, offset: usize) -> Node {
        let (line, column) = self.place(offset);
        Node { value, line, column, width: 1 }
    }

    fn table(&self, table: &DeTable<'_>, offset: usize) -> Node {
        let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
            let name = Yaml::Text(key.get_ref().clone().into_owned());
            (self.node(name, key.span().start), self.value(value))
        };
        self.node(Yaml::Map(table.iter().map(entry).collect()), offset)
    }

    fn value(&self, value: &Spanned<DeValue<'_>>) -> Node {
        let offset = value.span().start;
        let yaml = match value.get_ref() {
            DeValue::String(text) => Yaml::Text(text.clone().into_owned()),
            DeValue::Boolean(value) => Yaml::Bool(*value),
            DeValue::Datetime(time) => Yaml::Text(time.to_string()),
            DeValue::Array(items) => Yaml::List(items.iter().map(|item| self.value(item)).collect()),
            DeValue::Table(table) => return self.table(table, offset),
            DeValue::Integer(_) | DeValue::Float(_) => Yaml::Null,
        };
        self.node(yaml, offset)
    }
}
