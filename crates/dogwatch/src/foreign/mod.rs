//! The words of Trivy, Grype, OSV-Scanner and Syft: those that mean the same are taken, others answered with a hint.
//!
//! A flag that has the same meaning here under another name is a hidden argument ([`ForeignOutput`], [`ForeignScan`]), which
//! [`adopt`] turns into ours. One that asks for what is so anyway is accepted and does nothing; one that means something
//! else is refused ([`table`]). **Never** is a flag taken and not done: whoever typed it would believe it was.

mod table;

use std::path::{Path, PathBuf};

use ::scan::source::{SourceError, SourceOptions, archive_target};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Args, Command};
use model::finding::Severity;

use crate::cli::ScanArguments;
use crate::console::{Failure, Hint};
use crate::output::{Asked, Output, OutputParser};
use table::{FORMATS, HINTS, SO_ANYWAY};

/// Where documents go, in others' words.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ForeignOutput {
    /// Trivy, OSV-Scanner: what to write.
    #[arg(long, hide = true, value_name = "FORMAT", value_parser = OutputParser { bills_only: false })]
    format: Option<Asked>,
    /// Grype, Syft, OSV-Scanner: where to write it.
    #[arg(long, hide = true, value_name = "FILE", alias = "output-file")]
    pub(crate) file: Option<PathBuf>,
}

impl ForeignOutput {
    /// What `--format` names.
    pub(crate) fn format(&self) -> Option<Output> {
        match &self.format {
            Some(Asked::Document(output)) => Some(output.clone()),
            _ => None,
        }
    }
}

/// What is scanned and what counts, in others' words.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ForeignScan {
    /// `--format` in Trivy, `--fail-on` in Grype. No format is called like a severity.
    #[arg(short = 'f', hide = true, value_name = "FORMAT|LEVEL")]
    f: Option<String>,
    /// `--severity` in Trivy, `--scope` in Grype and Syft.
    #[arg(short = 's', hide = true, value_name = "LEVEL|SCOPE", value_delimiter = ',')]
    s: Vec<String>,
    /// Trivy: an image in a file.
    #[arg(long, hide = true, value_name = "FILE")]
    input: Option<PathBuf>,
    /// OSV-Scanner: a lock file, `[FORMAT:]FILE`.
    #[arg(long, short = 'L', hide = true, value_name = "FILE")]
    lockfile: Vec<String>,
    /// OSV-Scanner: a bill of materials.
    #[arg(long = "sbom", short = 'S', hide = true, value_name = "FILE")]
    bill_of_materials: Vec<PathBuf>,
    /// Grype, Syft (`--from`) and Trivy (`--image-src`): where the image is.
    #[arg(long, hide = true, value_name = "SOURCE", alias = "image-src")]
    from: Option<String>,
    #[command(flatten)]
    so_anyway: SoAnyway,
}

/// The flags of [`SO_ANYWAY`].
#[derive(Debug, Clone, Default)]
struct SoAnyway;

impl Args for SoAnyway {
    fn augment_args(command: Command) -> Command {
        command.args(SO_ANYWAY.iter().map(|flag| {
            let long = flag.name.trim_start_matches('-');
            let argument = Arg::new(flag.name).long(long).hide(true);
            let argument = if long == "recursive" { argument.short('r') } else { argument };
            match flag.values {
                // `--skip-db-update=true` is how Go's programs are often called.
                [] => argument.action(ArgAction::Append).num_args(0..=1).require_equals(true).value_parser(["true"]),
                values => argument.action(ArgAction::Append).value_parser(values.to_vec()),
            }
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for SoAnyway {
    fn from_arg_matches(_: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self)
    }

    fn update_from_arg_matches(&mut self, _: &ArgMatches) -> Result<(), clap::Error> {
        Ok(())
    }
}

/// Puts what was said in others' words into ours.
pub(crate) fn adopt(scan: &mut ScanArguments) -> Result<(), Failure> {
    let foreign = std::mem::take(&mut scan.foreign);
    if let Some(text) = foreign.f {
        match Severity::parse(&text) {
            Some(level) => scan.judge.fail_on = Some(level),
            None => {
                let asked = OutputParser { bills_only: false }.read(&text);
                scan.foreign_output.format = Some(asked.map_err(anyhow::Error::msg)?);
            }
        }
    }
    for text in foreign.s.iter().filter(|text| *text != "squashed") {
        let level = Severity::parse(text).ok_or_else(|| anyhow::anyhow!("`-s {text}` is no severity"));
        scan.severity.push(level.hint(Some("only what is in the image is looked at: no scope but `squashed`".into()))?);
    }
    if let Some(from) = &foreign.from {
        scan.targets = scan.targets.iter().map(|text| from_source(from, text)).collect::<Result<_, _>>()?;
    }
    if let Some(path) = &foreign.input {
        scan.targets.push(image_in_file(path)?);
    }
    scan.targets.extend(foreign.lockfile.iter().map(|text| format!("file:{}", lock_file(text))));
    scan.targets.extend(foreign.bill_of_materials.iter().map(|path| format!("sbom:{}", path.display())));
    Ok(())
}

/// The target with the prefix that names this source.
fn from_source(from: &str, text: &str) -> Result<String, Failure> {
    let prefix = match from {
        "docker" | "podman" | "containerd" | "registry" | "docker-archive" | "oci-archive" | "oci-dir" | "dir" => from,
        "remote" | "oci-registry" => "registry",
        _ => {
            let hint = "use one of docker, podman, containerd, registry; without it they are asked in this order";
            return Err(anyhow::anyhow!("`{from}` is no source of images")).hint(Some(hint.into()));
        }
    };
    Ok(format!("{prefix}:{text}"))
}

/// OSV-Scanner lets a format stand before the path, or nothing. Here it follows from the name, so with another one
/// before it no such file is found, and the scan fails.
fn lock_file(text: &str) -> &str {
    text.strip_prefix(':').unwrap_or(text)
}

fn image_in_file(path: &Path) -> Result<String, Failure> {
    let target = archive_target(path, &SourceOptions::default());
    let target = target.map_err(|error: SourceError| Failure { hint: error.hint(), error: error.into() })?;
    Ok(target.to_string())
}

/// The targets with this prefix: Trivy has a command for each kind of target.
pub(crate) fn with_prefix(prefix: &str, mut scan: Box<ScanArguments>) -> Box<ScanArguments> {
    scan.targets.iter_mut().for_each(|target| *target = format!("{prefix}:{target}"));
    scan
}

/// What to use in place of a format that is not written.
pub(crate) fn format_hint(name: &str) -> Option<&'static str> {
    FORMATS.iter().find(|(format, _)| format.eq_ignore_ascii_case(name)).map(|(_, instead)| *instead)
}

/// What to use in place of an argument that nobody here knows, or of a value that is not taken.
pub(crate) fn hint(error: &clap::Error) -> Option<&'static str> {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else { return None };
    let flag = argument.split([' ', '=', '[']).next().unwrap_or_default();
    let table = match error.kind() {
        ErrorKind::UnknownArgument => HINTS,
        ErrorKind::InvalidValue => SO_ANYWAY,
        _ => return None,
    };
    table.iter().find(|known| known.name == flag).map(|known| known.here)
}

#[cfg(test)]
mod tests;
