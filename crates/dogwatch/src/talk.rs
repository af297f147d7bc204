//! What is said on stderr while work goes on: nothing, notes, a bar, or lines of JSON.
//!
//! `--progress json` makes every line of stderr one JSON object with `version` and `event`; `schemas/progress-v1.schema.json`
//! describes them. Fields and events may be added without a new version; a reader skips what it does not know.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;

use ::scan::progress::{Event, Progress};
use clap::{Args, ValueEnum};
use formats::json;
use formats::printable::printable;
use indicatif::ProgressBar;
use model::report::ScanReport;
use serde_json::{Map, Value, json};

/// The version of the lines; it rises when a reader of the old ones could misread the new ones.
const VERSION: u32 = 1;

/// How much is said, and how.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TalkArguments {
    /// Say nothing on stderr but errors.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Say more on stderr: what is read (-v), and what was known before (-vv).
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// How progress is shown on stderr.
    #[arg(long, global = true, value_name = "HOW", default_value = "auto")]
    pub(crate) progress: How,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum How {
    /// A bar where stderr is a terminal.
    #[default]
    Auto,
    /// Lines of JSON, for programs.
    Json,
    /// Nothing.
    None,
}

static TALK: OnceLock<TalkArguments> = OnceLock::new();

/// Sets, once, how this process talks.
pub(crate) fn begin(arguments: TalkArguments) {
    let _ = TALK.set(arguments);
}

fn talk() -> &'static TalkArguments {
    TALK.get_or_init(TalkArguments::default)
}

fn is_json() -> bool {
    talk().progress == How::Json
}

/// Something worth knowing that is not the answer.
pub(crate) fn note(text: &str) {
    if is_json() {
        line(json!({ "event": "note", "text": text }));
    } else if !talk().quiet {
        let _ = writeln!(anstream::stderr(), "note: {}", printable(text));
    }
}

/// Something that only who asks wants to know: at `-v`, or at `-vv`.
pub(crate) fn detail(level: u8, text: &str) {
    if !is_json() && !talk().quiet && talk().verbose >= level {
        let _ = writeln!(anstream::stderr(), "{}", printable(text));
    }
}

/// What went wrong; said even with `--quiet`. False when it is still to be said in words.
pub(crate) fn error(causes: &str, hint: Option<&str>) -> bool {
    if is_json() {
        line(json!({ "event": "error", "text": causes, "hint": hint }));
    }
    is_json()
}

/// A scan begins.
pub(crate) fn started(target: &str) {
    tell(json!({ "event": "started", "target": target }));
    detail(1, &format!("{target}: scanning"));
}

/// The advisories are at hand.
pub(crate) fn advisories(as_of: &str) {
    tell(json!({ "event": "advisories", "as_of": as_of }));
    detail(1, &format!("advisories as of {as_of}"));
}

/// A scan has its report.
pub(crate) fn done(target: &str, report: &ScanReport, exit_code: u8) {
    tell(json!({
        "event": "done",
        "target": target,
        "outcome": report.verdict.as_ref().map(|verdict| verdict.outcome),
        "packages": report.inventory.packages.len(),
        "findings": report.findings.len(),
        "gaps": report.inventory.gaps.len() + report.gaps.len(),
        "exit_code": exit_code,
    }));
    detail(1, &format!("{target}: {} packages, {} findings", report.inventory.packages.len(), report.findings.len()));
}

/// Where the layers of a scan are told: to the bar, in words or as JSON.
pub(crate) fn layers(bar: Option<ProgressBar>) -> Progress {
    Progress::to(move |event| {
        match &event {
            Event::Layers { target, of, .. } => detail(1, &format!("{target}: {of} layers")),
            Event::Layer { target, layer, done, of, bytes, cached } => {
                if let Some(bar) = &bar {
                    bar.set_message(format!("{target}: {done} of {of} layers"));
                }
                let (level, how) = if *cached { (2, "known before") } else { (1, "read") };
                let size = indicatif::HumanBytes(*bytes);
                detail(level, &format!("{target}: layer {layer} of {of}, {size}, {how}"));
            }
            Event::Unconfined { target, why } => detail(1, &format!("{target}: read without a sandbox: {why}")),
        }
        tell(serde_json::to_value(event).unwrap_or_default());
    })
}

/// A sign of life while something takes long; nothing where stderr is no terminal. Ends when dropped.
pub(crate) fn progress(what: String) -> ProgressBar {
    let wanted = talk().progress == How::Auto && !talk().quiet && talk().verbose == 0;
    if !wanted || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message(what);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A line for programs that asked for it.
fn tell(event: Value) {
    if is_json() {
        line(event);
    }
}

/// One line, written at once: several threads tell.
fn line(event: Value) {
    let _ = io::stderr().lock().write_all(text(event).as_bytes());
}

fn text(event: Value) -> String {
    let mut fields = Map::from_iter([("version".to_owned(), VERSION.into())]);
    if let Value::Object(more) = event {
        fields.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    }
    json::line(&fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_says_its_version() {
        let line = text(json!({ "event": "note", "text": "a\nb\u{9b}31m\u{7f}", "hint": null }));
        assert_eq!(line.trim_end(), r#"{"event":"note","text":"a\nb\u009b31m\u007f","version":1}"#);
        assert!(line.ends_with("}\n"), "{line}");
    }
}
