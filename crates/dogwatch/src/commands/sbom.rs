//! `dogwatch sbom`: the bill of materials of a target.

use ::scan::inspect::inspect;
use ::scan::pipeline::inventory_report;
use formats::cyclonedx::Vulnerabilities;
use formats::{cyclonedx, json, spdx};
use model::Timestamp;
use model::report::ScanReport;

use crate::cli::{Format, Output, SbomArguments};
use crate::console::{Failure, progress, write};

/// Writes the documents asked for.
pub(crate) fn run(arguments: SbomArguments) -> Result<u8, Failure> {
    let target = super::target(&arguments.target, &arguments.source)?;
    let options = super::inspect_options(&arguments.source)?;
    let bar = progress(format!("looking into {target}"));
    let inspection = inspect(&target, &options).map_err(super::scan::failed(&target));
    bar.finish_and_clear();
    let report = inventory_report(&inspection?, Timestamp::now());
    let default = vec![Output { format: Format::Cyclonedx, file: None }];
    let outputs = if arguments.output.is_empty() { default } else { arguments.output };
    for output in outputs {
        write(&document(&report, output.format)?, output.file.as_deref())?;
    }
    Ok(0)
}

fn document(report: &ScanReport, format: Format) -> anyhow::Result<String> {
    Ok(match format {
        Format::Cyclonedx => cyclonedx::write(report, Vulnerabilities::LeftOut),
        Format::Spdx => spdx::write(report, Vulnerabilities::LeftOut),
        Format::Json => json::write(report),
        Format::Table | Format::Sarif => anyhow::bail!("a bill of materials is written as cyclonedx, spdx or json"),
    })
}
