//! Ignore files of other scanners as exceptions: Trivy's, Grype's and OSV-Scanner's.
//!
//! Each rule becomes an exception that covers no more than the rule did. What has no equivalent becomes none, because an
//! exception without it would cover more, and is said with its line. Those files name nobody and seldom an end, so whoever
//! moves says who accepts the risks and until when.
//!
//! Start at [`import`]. One file per format below `import/`, and one line in `FORMATS`.

mod grype;
mod osv_scanner;
mod trivy;

use condition::Diagnostic;
use condition::yaml::{Node, Reader, Yaml};
use model::Timestamp;

use crate::exception::{AcceptedAt, Exception, Exceptions, Scope};

/// What those files do not say.
#[derive(Debug, Clone, Copy)]
pub struct ImportOptions<'a> {
    /// Who accepts the risks.
    pub owner: &'a str,
    /// When exceptions end for which the file names no end.
    pub until: Option<Timestamp>,
}

/// What a file became.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// One per rule, in the order of the file.
    pub exceptions: Exceptions,
    /// What of the file did not become an exception, by line.
    pub left_out: Vec<Diagnostic>,
}

/// Why a file cannot be taken over at all.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Not one of the files that are known, by its name.
    #[error("`{file}` is no ignore file that Dogwatch knows: {}", names())]
    Unknown {
        /// Its name.
        file: String,
    },
    /// Some rule names no end, and none was given.
    #[error("`{file}` names no end for some of its rules, the first in line {line}")]
    Endless {
        /// Its name.
        file: String,
        /// The line of the first such rule.
        line: usize,
    },
    /// It cannot be read.
    #[error("`{file}` is malformed")]
    Malformed {
        /// Its name.
        file: String,
        /// Where and why.
        mistakes: Vec<Diagnostic>,
    },
}

/// Gathers what a file becomes.
struct Import<'a> {
    reader: Reader<'a>,
    rules: Vec<Rule>,
}

/// One rule that has an equivalent.
struct Rule {
    line: usize,
    vulnerabilities: Vec<String>,
    packages: Vec<String>,
    why: Option<String>,
    until: Option<Timestamp>,
}

type Read = fn(&mut Import<'_>);

/// File names' ends, the scanner, and what reads its files.
const FORMATS: &[(&[&str], &str, Read)] = &[
    (&[".trivyignore.yaml", ".trivyignore.yml"], "Trivy", trivy::read_yaml),
    (&[".trivyignore"], "Trivy", trivy::read),
    (&["grype.yaml", "grype.yml"], "Grype", grype::read),
    (&["osv-scanner.toml"], "OSV-Scanner", osv_scanner::read),
];

fn names() -> String {
    FORMATS.iter().flat_map(|(names, ..)| *names).copied().collect::<Vec<_>>().join(", ")
}

/// Takes over one file, known by its name.
pub fn import(file: &str, text: &str, options: ImportOptions<'_>) -> Result<Imported, ImportError> {
    let known = FORMATS.iter().find(|(names, ..)| names.iter().any(|name| file.ends_with(name)));
    let Some((_, scanner, read)) = known else { return Err(ImportError::Unknown { file: file.to_owned() }) };
    let mut import = Import { reader: Reader::new(file, text), rules: Vec::new() };
    read(&mut import);
    let Import { reader, rules } = import;
    let left_out = reader.into_errors();
    if left_out.iter().any(|diagnostic| matches!(diagnostic.code, "yaml" | "toml" | "too-large")) {
        return Err(ImportError::Malformed { file: file.to_owned(), mistakes: left_out });
    }
    let mut exceptions: Vec<Exception> = Vec::new();
    for rule in rules {
        let until = rule.until.or(options.until);
        let Some(until) = until else { return Err(ImportError::Endless { file: file.to_owned(), line: rule.line }) };
        let about = rule.vulnerabilities.first().or(rule.packages.first()).map_or("rule", String::as_str);
        exceptions.push(Exception {
            // The line makes it unique within the file.
            id: format!("{}-{}-{about}", scanner.to_lowercase(), rule.line),
            who: options.owner.to_owned(),
            why: rule.why.unwrap_or_else(|| format!("taken over from {file}, line {}, without a reason", rule.line)),
            until,
            scope: Scope { vulnerabilities: rule.vulnerabilities, packages: rule.packages, ..Scope::default() },
            accepted_at: AcceptedAt::default(),
        });
    }
    Ok(Imported { exceptions: Exceptions { exceptions }, left_out })
}

impl Import<'_> {
    /// Says that something has no equivalent.
    fn leave(&mut self, node: &Node, message: impl Into<String>, remedy: &str) {
        self.reader.reject(node, "no-equivalent", message, remedy);
    }

    /// Says so of each key that is not among these. True when there was none.
    fn has_only(&mut self, node: &Node, known: &[&str], what: &str) -> bool {
        let mut only = true;
        for (key, value) in entries(node) {
            let name = key.text().unwrap_or_default();
            if !known.contains(&name) && !matches!(value.value, Yaml::Null) {
                let message = format!("{what} with `{name}` has no equivalent, and without it would cover more");
                self.leave(key, message, "");
                only = false;
            }
        }
        only
    }
}

/// A mapping's entries; none for anything else.
fn entries(node: &Node) -> &[(Node, Node)] {
    if let Yaml::Map(entries) = &node.value { entries } else { &[] }
}

/// A list's items; none for anything else.
fn items(node: &Node) -> &[Node] {
    if let Yaml::List(items) = &node.value { items } else { &[] }
}

/// What a key has.
fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    entries(node).iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
}

/// The text that a key has, if it says something.
fn text(node: &Node, key: &str) -> Option<String> {
    let text = get(node, key)?.text()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The moment at which those scanners stop to ignore: a date means its beginning in UTC.
fn moment(text: &str) -> Option<Timestamp> {
    text.parse().or_else(|_| format!("{text}T00:00:00Z").parse()).ok()
}

/// What may follow a version in package URLs of a type: nothing, or the first of its qualifiers. A bare `?*` would not do: to
/// a pattern `?` is any character, so `1.5.1?*` would cover 1.5.10.
fn ends(kind: Option<&str>) -> impl Iterator<Item = &'static str> + use<> {
    const QUALIFIED: &[&str] = &["?arch=*", "?distro=*", "?epoch=*", "?platform=*", "?rpmmod=*", "?upstream=*"];
    let has_some = kind.is_none_or(|kind| matches!(kind, "apk" | "deb" | "gem" | "rpm"));
    std::iter::once("").chain(QUALIFIED.iter().copied().filter(move |_| has_some))
}

/// Patterns for a package of this type, name and version, where they are stated. Names in package URLs come after a
/// slash, and a namespace may stand before them.
fn package_patterns(kind: Option<&str>, name: &str, version: Option<&str>) -> Vec<String> {
    let rests = match version {
        Some(version) => ends(kind).map(|end| format!("@{version}{end}")).collect(),
        None => vec![String::new(), "@*".to_owned()],
    };
    let kind = kind.unwrap_or("*");
    let name = name.replace('@', "%40");
    let places = if name.contains('/') { vec![""] } else { vec!["", "*/"] };
    let pattern = |place: &str, rest: &String| format!("pkg:{kind}/{place}{name}{rest}");
    places.iter().flat_map(|place| rests.iter().map(move |rest| pattern(place, rest))).collect()
}
