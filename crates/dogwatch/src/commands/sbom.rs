//! `dogwatch sbom`: the bill of materials of a target.

use ::scan::inspect::inspect;
use ::scan::pipeline::inventory_report;
use formats::cyclonedx::Vulnerabilities;
use formats::format::WriteOptions;
use model::Timestamp;

use crate::cli::{Output, SbomArguments};
use crate::console::{Failure, progress, write};
use crate::output;

/// Writes the documents asked for.
pub(crate) fn run(arguments: SbomArguments) -> Result<u8, Failure> {
    let mut outputs = output::named(arguments.output, &arguments.foreign_output, "cyclonedx")?;
    if outputs.is_empty() {
        outputs.push(Output::stdout("cyclonedx"));
    }
    let target = super::target(&arguments.target, &arguments.source)?;
    let mut options = super::inspect_options(&arguments.source)?;
    options.exclude = super::exclude(&arguments.exclude)?;
    let bar = progress(format!("looking into {target}"));
    let inspection = inspect(&target, &options).map_err(super::scan::failed(&target));
    bar.finish_and_clear();
    let inspection = inspection?;
    super::note_taken_from(&inspection);
    let report = inventory_report(&inspection, Timestamp::now());
    let options = WriteOptions { vulnerabilities: Vulnerabilities::LeftOut, ..WriteOptions::default() };
    for output in outputs {
        write(&output.format.write(&report, &options)?, output.file.as_deref())?;
    }
    Ok(0)
}
