//! Several targets: scanned side by side, told in the order they were named, and none hides another.
//!
//! An output whose file has `{name}` in its name is one file per target. Any other takes all targets in one text: tables
//! one after the other and a summary, JSON lines, one SARIF log of several runs. Some documents are about one thing (a bill
//! of materials, a page), so they need `{name}`. The table of formats says which.

use std::fs::File;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::Context;
use formats::format::Several;
use formats::several::{Row, Unscanned};
use formats::{explain, several, why};
use indicatif::ProgressBar;
use model::report::ScanReport;

use super::in_order::in_order;
use super::{Scan, Scanned, documents};
use crate::cli::{Output, ScanArguments};
use crate::commands::targets::{Named, has_name, without_password};
use crate::console::{self, COULD_NOT_TELL, Failure, Hint, columns, write};

/// More than this at once and their memory, not the network, decides how fast it goes.
const JOBS_DEFAULT_MAX: usize = 4;

/// Scans all targets, prints, and returns the worst exit code: 2 when one of them could not be told, else that of a policy
/// that said no, else 0.
pub(super) fn run(
    scan: &Scan<'_>,
    targets: &[Named],
    refused: Vec<(String, Failure)>,
    bar: &ProgressBar,
) -> Result<u8, Failure> {
    let arguments = scan.arguments;
    needs_names(scan)?;
    let shared = shared_outputs(scan);
    let mut streams = shared.iter().map(Stream::open).collect::<Result<Vec<_>, _>>()?;
    let mut rows = Vec::new();
    let mut codes = Vec::new();
    let mut tell = |told: Told| -> Result<(), Failure> {
        rows.push(told.row);
        codes.push(told.code);
        bar.set_message(format!("scanned {} of {} targets", rows.len(), targets.len()));
        bar.suspend(|| {
            if let Some(failure) = &told.failure {
                console::failure(failure);
            }
            told.notes.iter().for_each(|note| console::note(note));
            streams.iter_mut().zip(told.texts).try_for_each(|(stream, text)| stream.add(text.as_deref()))
        })
    };
    refused.into_iter().try_for_each(|(text, failure)| tell(Told::unscanned(&text, failure, &shared)))?;
    in_order(targets, jobs(arguments), |named| one(scan, named, &shared), tell)?;
    bar.finish_and_clear();
    streams.into_iter().try_for_each(|stream| stream.finish(&rows))?;
    if !shared.iter().any(|output| output.is("table") && output.file.is_none()) {
        console::note(&several::counts(&rows));
    }
    Ok(worst(&codes))
}

fn jobs(arguments: &ScanArguments) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from).min(JOBS_DEFAULT_MAX);
    arguments.jobs.map_or_else(cores, usize::from)
}

/// Not to know is worse than to know that something is wrong: who only looks for a policy's no would miss it.
fn worst(codes: &[u8]) -> u8 {
    match codes.contains(&COULD_NOT_TELL) {
        true => COULD_NOT_TELL,
        false => codes.iter().copied().max().unwrap_or(0),
    }
}

/// Refuses what is about one target only.
fn needs_names(scan: &Scan<'_>) -> Result<(), Failure> {
    let arguments = scan.arguments;
    let refuse = |what: &str, example: &str| -> Result<(), Failure> {
        let hint =
            format!("write `{{name}}` into the file's name, as in `{example}`: it stands for each target's name");
        Err(anyhow::anyhow!("{what} is about one target, and there are several")).hint(Some(hint))
    };
    let unnamed = |path: Option<&std::path::Path>| !path.is_some_and(has_name);
    for output in &scan.documents.outputs {
        let name = output.format.name;
        if output.format.several.is_none() && unnamed(output.file.as_deref()) {
            return refuse(&format!("`{name}`"), &format!("-o {name}={{name}}.{}", output.format.extension));
        }
    }
    if arguments.integrity_model.as_deref().is_some_and(|path| unnamed(Some(path))) {
        return refuse("an integrity model", "--integrity-model {name}.integrity.json");
    }
    if arguments.compare_to.as_deref().is_some_and(|text| unnamed(Some(text.as_ref()))) {
        return refuse("what is compared with", "--compare-to main/{name}.json");
    }
    Ok(())
}

/// The outputs that take all targets.
fn shared_outputs(scan: &Scan<'_>) -> Vec<Output> {
    if scan.arguments.explain.is_some() || scan.arguments.why.is_some() {
        return vec![Output::stdout("table")];
    }
    let shared = |output: &&Output| !output.file.as_deref().is_some_and(has_name);
    scan.documents.outputs.iter().filter(shared).cloned().collect()
}

/// What one target came to.
struct Told {
    row: Row,
    code: u8,
    /// For each shared output what it says; none where it says nothing.
    texts: Vec<Option<String>>,
    failure: Option<Failure>,
    notes: Vec<String>,
}

/// Scans one target and writes its own files. A mistake of ours must not cost the user the other targets.
fn one(scan: &Scan<'_>, named: &Named, shared: &[Output]) -> Told {
    let result = catch_unwind(AssertUnwindSafe(|| -> Result<_, Failure> {
        let Scanned { report, notes } = scan.target(named)?;
        scan.documents.write_named(&report, named)?;
        let texts = shared.iter().map(|output| text(scan, &report, output)).collect::<Result<Vec<_>, _>>()?;
        Ok((report, texts, notes))
    }));
    let internal = || Err(anyhow::anyhow!("internal error: please report what was scanned: `{}`", named.text).into());
    match result.unwrap_or_else(|_| internal()) {
        Ok((report, texts, notes)) => Told {
            code: scan.exit_code(&report),
            texts,
            failure: None,
            notes: notes
                .into_iter()
                .chain(super::super::hidden(&report).map(|hidden| format!("{}: {hidden}", named.text)))
                .collect(),
            row: Row::of(&report),
        },
        Err(failure) => Told::unscanned(&named.text, failure, shared),
    }
}

impl Told {
    fn unscanned(target: &str, failure: Failure, shared: &[Output]) -> Self {
        let unscanned = Unscanned {
            target: without_password(target),
            error: failure.error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": "),
            hint: failure.hint.clone(),
        };
        Self {
            code: COULD_NOT_TELL,
            texts: shared.iter().map(|output| Some(output.format.several.as_ref()?.unscanned?(&unscanned))).collect(),
            row: Row::unscanned(&unscanned),
            failure: Some(failure),
            notes: Vec::new(),
        }
    }
}

fn text(scan: &Scan<'_>, report: &ScanReport, output: &Output) -> Result<Option<String>, Failure> {
    if let Some(package) = &scan.arguments.why {
        return Ok(why::render(report, package, columns()));
    }
    match (&scan.arguments.explain, &output.format.several) {
        (Some(id), _) => Ok(explain::render(report, id, columns())),
        (None, Some(several)) => several.write(report, &scan.documents.options()).map(Some).map_err(documents::wrong),
        (None, None) => Ok(None),
    }
}

/// A text about several targets, written as it grows.
struct Stream {
    together: &'static Several,
    /// Tables end in a summary.
    summary: bool,
    /// None is stdout.
    file: Option<(String, File)>,
    count: usize,
}

impl Stream {
    fn open(output: &Output) -> Result<Self, Failure> {
        let open = |path: &std::path::PathBuf| {
            let name = path.display().to_string();
            let file = File::create(path).with_context(|| format!("`{name}` cannot be written"))?;
            anyhow::Ok((name, file))
        };
        let together = output.format.several.as_ref().context("this format is about one target")?;
        let file = output.file.as_ref().map(open).transpose()?;
        let mut stream = Self { together, summary: output.is("table"), file, count: 0 };
        stream.write(&(together.head)())?;
        Ok(stream)
    }

    fn add(&mut self, text: Option<&str>) -> Result<(), Failure> {
        let Some(text) = text else { return Ok(()) };
        if self.count > 0 {
            self.write(self.together.between)?;
        }
        self.count += 1;
        self.write(text)
    }

    fn finish(mut self, rows: &[Row]) -> Result<(), Failure> {
        if self.summary {
            self.write(&several::render_summary(rows, columns()))?;
        }
        self.write(self.together.tail)
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        match &mut self.file {
            None => write(text, None),
            Some((name, file)) => {
                let plain = anstream::adapter::strip_str(text).to_string();
                Ok(file.write_all(plain.as_bytes()).with_context(|| format!("`{name}` cannot be written"))?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::worst;

    #[test]
    fn not_to_know_is_worse_than_a_no() {
        assert_eq!(worst(&[0, 0]), 0);
        assert_eq!(worst(&[0, 1, 0]), 1);
        assert_eq!(worst(&[0, 7, 2, 7]), 2);
        assert_eq!(worst(&[]), 0);
    }
}
