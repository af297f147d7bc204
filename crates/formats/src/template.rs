//! Documents by the user's own template, in Jinja's syntax.
//!
//! A template sees the scan report as its JSON schema describes it, field by field (`artifact`, `findings`, …), and a few
//! filters ([`FILTERS`]). What it prints is escaped by the template's name: HTML and XML in `*.html` and `*.xml`, JSON in
//! `*.json`, nothing in others; a further `.j2`, `.jinja` or `.tpl` does not count. It reads no file, also no other template.
//!
//! The user wrote the template, but strangers wrote the names in the report: a template that loops over them is stopped
//! after [`STEPS_MAX`] steps and [`BYTES_MAX`] bytes.

use std::collections::BTreeMap;
use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, Value};
use model::finding::{Finding, Severity};
use model::report::ScanReport;
use serde::Deserialize;

use crate::printable::{acts, spelled_out};
use crate::{csv, markdown, words};

/// Steps one rendering may take: a few hundred for each of the findings of the largest images.
pub const STEPS_MAX: u64 = 50_000_000;
/// How long the result may get.
pub const BYTES_MAX: usize = 256 << 20;
/// How long a template may be.
pub const TEMPLATE_BYTES_MAX: usize = 1 << 20;
/// How long one of its lines may be: the template engine counts columns in 16 bits, and overflows near their end.
const LINE_BYTES_MAX: usize = 60_000;
/// How deep macros and blocks may call each other.
const DEPTH_MAX: usize = 64;

/// The filters beyond Jinja's own, with what they do; the user guide is checked against this list.
pub const FILTERS: &[(&str, &str)] = &[
    ("severity_counts", "findings → pairs of severity and number, worst first, only those that occur"),
    ("package_of", "a finding (or violation) → its package"),
    ("fix_text", "a finding → `fixed in 3.0.11`, `no fix known`"),
    ("page_of", "a finding → a web page about it"),
    ("csv", "a text → a CSV cell, quoted, never a formula"),
    ("markdown", "a text → Markdown that shows it as it is"),
    ("printable", "a text → the same without what acts on a terminal"),
];

/// A template that has been checked for form.
#[derive(Debug)]
pub struct Template {
    name: String,
    source: String,
}

/// Why a template gives no document.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The format was asked for without a template.
    #[error("the format `template` needs a template")]
    Missing,
    /// Longer than [`TEMPLATE_BYTES_MAX`].
    #[error("the template `{name}` is larger than {} MiB", TEMPLATE_BYTES_MAX >> 20)]
    TooLarge {
        /// The template's name.
        name: String,
    },
    /// It has a line longer than [`LINE_BYTES_MAX`].
    #[error("the template `{name}` has a line of more than {LINE_BYTES_MAX} bytes")]
    LongLine {
        /// The template's name.
        name: String,
    },
    /// It is no template, or asks for what is not there.
    #[error("`{name}`, line {line}: {what}")]
    Wrong {
        /// The template's name.
        name: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// It would take too long.
    #[error("the template `{name}` takes more than {STEPS_MAX} steps")]
    TooManySteps {
        /// The template's name.
        name: String,
    },
    /// Its result is too long.
    #[error("the template `{name}` writes more than {} MiB", BYTES_MAX >> 20)]
    TooLong {
        /// The template's name.
        name: String,
    },
}

impl TemplateError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing => Some("name it: `-o template --template FILE`".into()),
            Self::Wrong { .. } => Some("templates see the fields of the scan report; `-o json` shows them".into()),
            Self::TooManySteps { .. } | Self::TooLong { .. } => {
                Some("loop over less, for example over `findings`".into())
            }
            Self::TooLarge { .. } | Self::LongLine { .. } => None,
        }
    }
}

impl Template {
    /// Reads a template; its name says how its output is escaped.
    pub fn new(name: impl Into<String>, source: impl Into<String>) -> Result<Self, TemplateError> {
        let (name, source) = (name.into(), source.into());
        if source.len() > TEMPLATE_BYTES_MAX {
            return Err(TemplateError::TooLarge { name });
        }
        if source.split('\n').any(|line| line.len() > LINE_BYTES_MAX) {
            return Err(TemplateError::LongLine { name });
        }
        let mut environment = Environment::empty();
        environment.set_syntax(syntax());
        environment.template_from_named_str(&name, &source).map_err(|error| wrong(&name, &error))?;
        Ok(Self { name, source })
    }

    /// The report by this template.
    pub fn render(&self, report: &ScanReport) -> Result<String, TemplateError> {
        let environment = environment(report);
        let mut written = Bounded { bytes: Vec::new(), full: false };
        let template =
            environment.template_from_named_str(&self.name, &self.source).map_err(|error| wrong(&self.name, &error))?;
        let rendered = template.render_captured_to(Serde(report), &mut written);
        match rendered {
            Ok(captured) => {
                drop(captured);
                Ok(String::from_utf8_lossy(&written.bytes).into_owned())
            }
            Err(_) if written.full => Err(TemplateError::TooLong { name: self.name.clone() }),
            Err(error) => Err(wrong(&self.name, &error)),
        }
    }
}

fn wrong(name: &str, error: &minijinja::Error) -> TemplateError {
    let name = name.to_owned();
    if error.kind() == ErrorKind::OutOfFuel {
        return TemplateError::TooManySteps { name };
    }
    let what = error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    TemplateError::Wrong { name, line: error.line().unwrap_or(1), what }
}

fn environment(report: &ScanReport) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(STEPS_MAX));
    environment.set_recursion_limit(DEPTH_MAX);
    environment.set_syntax(syntax());
    environment.set_auto_escape_callback(escape_of);
    environment.set_formatter(safely);
    environment.add_filter("severity_counts", severity_counts);
    let packages: Vec<Value> = report.inventory.packages.iter().map(|package| Serde(package).into()).collect();
    environment.add_filter("package_of", move |finding: &Value| -> Result<Value, minijinja::Error> {
        let id = usize::try_from(finding.get_attr("package")?).unwrap_or(usize::MAX);
        Ok(packages.get(id).cloned().unwrap_or_default())
    });
    environment.add_filter("fix_text", |finding: &Value| of_finding(finding, |finding| words::fix(&finding.fix)));
    environment.add_filter("page_of", |finding: &Value| of_finding(finding, words::page));
    environment.add_filter("csv", |text: String| csv::cell(&text));
    environment.add_filter("markdown", |text: String| markdown::escape(&spelled_out(&text)));
    environment.add_filter("printable", |text: String| spelled_out(&text).into_owned());
    environment
}

/// Jinja's syntax; a block alone in its line leaves no empty line.
pub(crate) fn syntax() -> SyntaxConfig {
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    // Only delimiters can be wrong, and they are Jinja's own.
    syntax.unwrap_or_else(|error| unreachable!("{error}"))
}

/// How a template of this name is escaped. Exactly one of the usual suffixes of templates is looked past.
fn escape_of(name: &str) -> AutoEscape {
    let inner =
        [".j2", ".jinja", ".jinja2", ".tpl"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    match inner.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).as_deref() {
        Some("html" | "htm" | "xhtml" | "xml" | "svg") => AutoEscape::Html,
        Some("json" | "yaml" | "yml") => AutoEscape::Json,
        _ => AutoEscape::None,
    }
}

/// Prints a value as the name of the template asks: an absent one as nothing, and none that acts on a terminal.
fn safely(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), minijinja::Error> {
    if matches!(state.auto_escape(), AutoEscape::Json) {
        // JSON has no "nothing": an absent field of the report is null there.
        let value = if value.is_undefined() { &Value::from(()) } else { value };
        return minijinja::escape_formatter(out, state, value);
    }
    if value.is_undefined() || value.is_none() {
        return Ok(());
    }
    let acting = |text: &&str| text.chars().any(|c| acts(c) && !matches!(c, '\n' | '\t'));
    match value.as_str().filter(acting) {
        Some(text) => {
            let lines: Vec<_> = text.split('\n').map(spelled_out).collect();
            minijinja::escape_formatter(out, state, &Value::from(lines.join("\n")))
        }
        None => minijinja::escape_formatter(out, state, value),
    }
}

fn severity_counts(findings: Vec<Value>) -> Result<Value, minijinja::Error> {
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    for finding in findings {
        let severity = finding.get_attr("severity")?;
        *counts.entry(severity.as_str().and_then(Severity::parse).unwrap_or_default()).or_default() += 1;
    }
    // Pairs, since a map would not keep the order.
    Ok(counts
        .into_iter()
        .rev()
        .map(|(severity, count)| Value::from(vec![Value::from(severity.as_str()), Value::from(count)]))
        .collect())
}

/// What one of our own words says of a finding.
fn of_finding(finding: &Value, say: impl Fn(&Finding) -> String) -> Result<String, minijinja::Error> {
    let parsed = Finding::deserialize(finding.clone());
    parsed
        .map(|finding| say(&finding))
        .map_err(|_| minijinja::Error::new(ErrorKind::InvalidOperation, "this filter wants a finding of the report"))
}

/// Bytes up to a bound.
struct Bounded {
    bytes: Vec<u8>,
    full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > BYTES_MAX {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
