//! `dogwatch scan`: the main command.

use std::fs;
use std::path::Path;

use ::policy::{Exceptions, Flags, PolicySet};
use ::scan::ScanError;
use ::scan::inspect::{InspectOptions, Inspection, inspect};
use ::scan::pipeline::{JudgeOptions, inventory_report, scan};
use ::scan::target::Target;
use anyhow::{Context, bail};
use assessment::vulnerability::AssessOptions;
use formats::{cyclonedx, explain, json, sarif, spdx, table};
use model::Timestamp;
use model::report::ScanReport;
use model::verdict::Outcome;

use crate::cli::{Format, Output, ScanArguments};
use crate::console::{COULD_NOT_TELL, Failure, Hint, columns, progress, write};

/// Scans, prints, and returns the exit code.
pub(crate) fn run(arguments: Box<ScanArguments>) -> Result<u8, Failure> {
    let target = super::target(&arguments.target, &arguments.source)?;
    let options = super::inspect_options(&arguments.source)?;
    one_document_on_stdout(&arguments.output)?;
    let (report, inspection, failed_exit_code) = if arguments.inventory_only {
        let inspection = look(&target, &options)?;
        (inventory_report(&inspection, Timestamp::now()), inspection, 1)
    } else {
        judged(&arguments, &target, &options)?
    };
    if let Some(path) = &arguments.integrity_model {
        let model = inspection.integrity_model(&options).map_err(failed(&target))?;
        write(&json::write_integrity_model(&model), Some(path))?;
    }
    if let Some(id) = &arguments.explain {
        explain(&report, id)?;
    } else {
        print(&report, &arguments)?;
    }
    super::note_hidden(&report);
    Ok(exit_code(&report, failed_exit_code))
}

/// Inspects without judging.
fn look(target: &Target, options: &InspectOptions) -> Result<Inspection, Failure> {
    let bar = progress(format!("looking into {target}"));
    let inspection = inspect(target, options).map_err(failed(target));
    bar.finish_and_clear();
    inspection
}

fn judged(
    arguments: &ScanArguments,
    target: &Target,
    options: &InspectOptions,
) -> Result<(ScanReport, Inspection, u8), Failure> {
    let index = super::index(arguments.index.as_deref())?;
    let policy_files = super::texts(&arguments.policy)?;
    let exception_files = super::texts(&arguments.exceptions)?;
    let named = (!policy_files.is_empty())
        .then(|| PolicySet::load(borrowed(&policy_files)))
        .transpose()
        .map_err(|errors| super::mistakes(&errors))?;
    let exceptions = Exceptions::load(borrowed(&exception_files)).map_err(|errors| super::mistakes(&errors))?;
    let flags = Flags {
        severity: arguments.severity.clone(),
        only_fixed: arguments.ignore_unfixed,
        fail_on: arguments.fail_on,
        exit_code: arguments.exit_code.map(i32::from),
    };
    let shorthand = PolicySet::from_flags(&flags, named)?;
    let mut judge = JudgeOptions {
        index: &index,
        assess: AssessOptions { scorers: arguments.scorer.clone() },
        policies: &shorthand.policies,
        exceptions: &exceptions,
        filter: &shorthand.filter,
        compare_to: None,
        now: Timestamp::now(),
    };
    let before = arguments.compare_to.as_deref().map(|text| earlier(text, arguments, options, &judge)).transpose()?;
    judge.compare_to = before.as_ref();
    let bar = progress(format!("scanning {target}"));
    let result = scan(target, options, &judge).map_err(failed(target));
    bar.finish_and_clear();
    let (report, inspection) = result?;
    Ok((report, inspection, shorthand.failed_exit_code.try_into().unwrap_or(1)))
}

/// The report to compare with: a file written by `-o json`, or another target, scanned now.
fn earlier(
    text: &str,
    arguments: &ScanArguments,
    options: &InspectOptions,
    judge: &JudgeOptions<'_>,
) -> Result<ScanReport, Failure> {
    if Path::new(text).is_file() {
        let bytes = fs::read(text).with_context(|| format!("`{text}` cannot be read"))?;
        return json::read(&bytes).map_err(|error| {
            let hint = error.hint().map(str::to_owned);
            Failure { error: anyhow::Error::new(error).context(format!("`{text}` cannot be compared with")), hint }
        });
    }
    let target = super::target(text, &arguments.source)?;
    Ok(scan(&target, options, judge).map_err(failed(&target))?.0)
}

fn explain(report: &ScanReport, id: &str) -> Result<(), Failure> {
    match explain::render(report, id, columns()) {
        Some(text) => write(&text, None),
        None => {
            let hint = format!("`dogwatch advisories show {id}` says what the index knows about it");
            Err(anyhow::anyhow!("`{id}` was not found in {}", report.artifact.target)).hint(Some(hint))
        }
    }
}

fn print(report: &ScanReport, arguments: &ScanArguments) -> Result<(), Failure> {
    if arguments.output.is_empty() {
        return write(&document(report, Format::Table, arguments), None);
    }
    arguments
        .output
        .iter()
        .try_for_each(|output| write(&document(report, output.format, arguments), output.file.as_deref()))
}

fn document(report: &ScanReport, format: Format, arguments: &ScanArguments) -> String {
    let vulnerabilities = if arguments.inventory_only {
        cyclonedx::Vulnerabilities::LeftOut
    } else {
        cyclonedx::Vulnerabilities::Included
    };
    match format {
        Format::Table => table::render(report, table::TableOptions { columns: columns(), all: arguments.all }),
        Format::Json => json::write(report),
        Format::Sarif => sarif::write(report),
        Format::Cyclonedx => cyclonedx::write(report, vulnerabilities),
        Format::Spdx => spdx::write(report, vulnerabilities),
    }
}

fn one_document_on_stdout(outputs: &[Output]) -> anyhow::Result<()> {
    if outputs.iter().filter(|output| output.file.is_none()).count() > 1 {
        bail!("only one document can go to stdout: give the others a file, as in `-o json=report.json`");
    }
    Ok(())
}

fn exit_code(report: &ScanReport, failed: u8) -> u8 {
    match report.verdict.as_ref().map(|verdict| verdict.outcome) {
        None | Some(Outcome::Passed) => 0,
        Some(Outcome::Failed) => failed,
        Some(Outcome::Unknown) => COULD_NOT_TELL,
    }
}

/// A failed scan of a target with its hint.
pub(super) fn failed(target: &Target) -> impl Fn(ScanError) -> Failure {
    move |error| {
        let hint = error.hint();
        Failure { error: anyhow::Error::new(error).context(format!("could not scan `{target}`")), hint }
    }
}

/// Names and texts as loaders want them.
pub(super) fn borrowed(files: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    files.iter().map(|(name, text)| (name.as_str(), text.as_str()))
}
