//! The configuration file: YAML, one key per flag. Every mistake is shown with its line.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use condition::yaml::{FILE_BYTES_MAX, Node, Reader, Yaml};

use super::Setting;
use crate::commands;
use crate::console::Failure;

/// What the file says of one setting.
pub(super) struct Found {
    /// The setting's id.
    pub(super) id: String,
    pub(super) values: Vec<String>,
    pub(super) file: String,
    pub(super) line: usize,
}

/// Reads the file; an empty one sets nothing.
pub(super) fn read(path: &Path, settings: &[Setting]) -> Result<Vec<Found>, Failure> {
    let mut text = String::new();
    let opened = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text));
    opened.map_err(|error| super::unreadable(path, error))?;
    parse(&path.display().to_string(), &text, settings).map_err(|mistakes| commands::mistakes(&mistakes))
}

fn parse(name: &str, text: &str, settings: &[Setting]) -> Result<Vec<Found>, Vec<condition::Diagnostic>> {
    let mut reader = Reader::new(name, text);
    let documents = reader.documents();
    if let Some(second) = documents.get(1) {
        reader.reject(second, "wrong-shape", "a configuration file is one document", "take out the `---`");
    }
    let found = documents.first().map(|document| settings_of(&mut reader, document, settings)).unwrap_or_default();
    if reader.is_content() { Ok(found) } else { Err(reader.into_errors()) }
}

fn settings_of(reader: &mut Reader<'_>, document: &Node, settings: &[Setting]) -> Vec<Found> {
    let known: Vec<&str> =
        settings.iter().flat_map(|setting| std::iter::once(setting.long()).chain(setting.aliases())).collect();
    let Some(fields) = reader.fields(document, "the configuration", &known) else { return Vec::new() };
    let mut found = Vec::new();
    for setting in settings {
        let names = std::iter::once(setting.long()).chain(setting.aliases());
        let Some(node) = names.into_iter().find_map(|name| fields.get(name)) else { continue };
        let checked = values(setting, node).and_then(|values| setting.check(&values).map(|()| values));
        match checked {
            Ok(values) => {
                found.push(Found { id: setting.id().into(), values, file: reader.file.to_owned(), line: node.line });
            }
            Err(why) => reader.reject(
                node,
                "unknown-value",
                why,
                &format!("`dogwatch scan --help` explains `--{}`", setting.long()),
            ),
        }
    }
    found
}

/// The values of a node as the command line would have them.
fn values(setting: &Setting, node: &Node) -> Result<Vec<String>, String> {
    let scalar = |node: &Node| match &node.value {
        Yaml::Text(text) => Ok(text.clone()),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(value) if setting.is_switch() => Ok(value.to_string()),
        _ => Err(format!("`{}` is a text or a number", setting.long())),
    };
    match &node.value {
        Yaml::List(items) if setting.is_list() => items.iter().map(scalar).collect(),
        Yaml::Bool(_) | Yaml::Text(_) | Yaml::Number(_)
            if setting.is_switch() && !matches!(node.value, Yaml::Bool(_)) =>
        {
            Err(format!("`{}` is true or false", setting.long()))
        }
        _ => scalar(node).map(|value| vec![value]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::setting;

    fn check(text: &str, expected: &str) {
        let shown = match parse("config.yaml", text, &setting::all()) {
            Ok(found) => {
                let lines = found.iter().map(|found| format!("{}:{} {}", found.line, found.id, found.values.join(" ")));
                lines.collect::<Vec<_>>().join("\n")
            }
            Err(mistakes) => mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        };
        assert!(shown.contains(expected), "{text}\n got: {shown}\nwant: {expected}");
    }

    #[test]
    fn flags_are_keys() {
        check("fail-on: high\n", "1:fail_on high");
        check("policy: [a.yaml, b.yaml]\n", "1:policy a.yaml b.yaml");
        check("policy: a.yaml\n", "1:policy a.yaml");
        check("offline: true\nexit-code: 3\n", "1:offline true\n");
        check("only-fixed: false\n", "ignore_unfixed false");
        check("severity: critical,high\n", "severity critical,high");
        check("verbose: 2\n", "verbose 2");
        check("", "");
        check("# nothing\n", "");
    }

    #[test]
    fn mistakes_have_a_line_and_a_way_out() {
        check("fail-on: high\nseverty: high\n", "--> config.yaml:2:1");
        check("severty: high\n", "did you mean `severity`?");
        check("fail-on: hihg\n", "--> config.yaml:1:10");
        check("offline: maybe\n", "`offline` is true or false");
        check("exit-code: [1]\n", "`exit-code` is a text or a number");
        check("output: serif\n", "did you mean `sarif`?");
        check("config: other.yaml\n", "no key `config`");
        check("target: x\n", "no key `target`");
        check("- a\n", "is a mapping");
        check("fail-on: [\n", "error[yaml]");
        check("offline: true\noffline: false\n", "error[");
        check("a: 1\n---\nb: 1\n", "one document");
    }
}
