//! The documents of one target, as the outputs of the command line ask for them.

use std::path::Path;

use anyhow::bail;
use formats::{cyclonedx, json, sarif, spdx, table};
use model::report::ScanReport;

use crate::cli::{Format, Output, ScanArguments};
use crate::commands::targets::{Named, has_name};
use crate::console::{Failure, columns, write};

/// Writes everything that was asked for about one target; the table when nothing was.
pub(super) fn write_all(report: &ScanReport, arguments: &ScanArguments, named: &Named) -> Result<(), Failure> {
    if arguments.output.is_empty() {
        return write(&document(report, Format::Table, arguments), None);
    }
    arguments.output.iter().try_for_each(|output| write_one(report, arguments, output, named))
}

/// Writes only what goes into files of this target's own.
pub(super) fn write_named(report: &ScanReport, arguments: &ScanArguments, named: &Named) -> Result<(), Failure> {
    let own = |output: &&Output| output.file.as_deref().is_some_and(has_name);
    arguments.output.iter().filter(own).try_for_each(|output| write_one(report, arguments, output, named))
}

fn write_one(report: &ScanReport, arguments: &ScanArguments, output: &Output, named: &Named) -> Result<(), Failure> {
    let document = document(report, output.format, arguments);
    match &output.file {
        None => write(&document, None),
        Some(path) => write_file(&document, path, named),
    }
}

/// Writes a file that may have the target's name in its own, in a directory that may have to be made for it.
pub(super) fn write_file(document: &str, template: &Path, named: &Named) -> Result<(), Failure> {
    let path = named.file(template);
    if has_name(template) {
        // Where it cannot be made, writing says so.
        path.parent().map(std::fs::create_dir_all);
    }
    write(document, Some(&path))
}

/// One document.
pub(super) fn document(report: &ScanReport, format: Format, arguments: &ScanArguments) -> String {
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

/// Refuses two documents on stdout, where nobody could tell them apart.
pub(super) fn one_on_stdout(outputs: &[Output]) -> anyhow::Result<()> {
    if outputs.iter().filter(|output| output.file.is_none()).count() > 1 {
        bail!("only one document can go to stdout: give the others a file, as in `-o json=report.json`");
    }
    Ok(())
}
