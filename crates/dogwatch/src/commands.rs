//! One file per command. Each reads its inputs, calls the crates that do the work, prints, and returns the exit code.

mod advice;
pub(crate) mod advisories;
pub(crate) mod audit_log;
pub(crate) mod backup;
pub(crate) mod bases;
pub(crate) mod cache;
pub(crate) mod config;
pub(crate) mod fix;
mod judge;
pub(crate) mod manual;
pub(crate) mod policy;
pub(crate) mod portfolio;
pub(crate) mod sbom;
pub(crate) mod scan;
pub(crate) mod serve;
pub(crate) mod share;
pub(crate) mod status;
mod targets;
pub(crate) mod update;
pub(crate) mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::advisories::private;
use ::scan::bases::{self as base_list, Bases};
use ::scan::cache::Cache;
use ::scan::exclude::{Exclude, Fits};
use ::scan::inspect::{InspectOptions, Inspection, image_catalogers};
use ::scan::sandbox::Sandboxing;
use ::scan::source::{Mirror, Pace, Platform, RegistryOptions, Shared, SourceOptions};
use ::scan::target::Target;
use anyhow::Context;

use crate::cli::{ExcludeArguments, SourceArguments};
use crate::console::{Failure, Hint, note};
use crate::{paths, talk};

/// Reads the target from the command line.
fn target(text: &str, arguments: &SourceArguments) -> Result<Target, Failure> {
    let target: Target = text
        .parse()
        .map_err(|error: ::scan::target::TargetError| Failure { hint: error.hint(), error: error.into() })?;
    if arguments.offline && matches!(target, Target::GitUrl(_)) {
        let hint = "clone it yourself and scan the working tree: `git:PATH`".to_owned();
        return Err(anyhow::anyhow!("`{text}` is elsewhere, and `--offline` forbids the network")).hint(Some(hint));
    }
    if arguments.offline && matches!(target, Target::Registry(_)) {
        let hint = "save the image to a file and scan that: `docker-archive:FILE`, `oci-dir:DIR`".to_owned();
        return Err(anyhow::anyhow!("`{text}` is in a registry, and `--offline` forbids the network")).hint(Some(hint));
    }
    Ok(target)
}

/// What inspecting needs, from the command line and the user's directories.
fn inspect_options(arguments: &SourceArguments) -> Result<InspectOptions, Failure> {
    let platform = arguments.platform.as_deref().map(str::parse::<Platform>).transpose()?;
    let registry = RegistryOptions {
        ca_file: arguments.ca_file.clone(),
        insecure_http: arguments.insecure_http,
        mirrors: arguments.registry_mirror.iter().cloned().chain(Mirror::configured()).collect(),
        shared: Arc::new(Shared::new(arguments.rate.map_or_else(Pace::default, Pace::per_second))),
        ..RegistryOptions::default()
    };
    let cache = paths::cache().filter(|_| !arguments.no_cache).map(|root| Cache::new(root, &image_catalogers()));
    let spool_dir = cache.as_ref().and_then(|cache| cache.spool_directory().ok());
    Ok(InspectOptions {
        source: SourceOptions { platform, spool_dir, offline: arguments.offline, registry, outside: None },
        cache,
        bases: bases()?,
        exclude: Exclude::default(),
        progress: talk::layers(None),
        sandbox: sandboxing(arguments),
    })
}

/// Root's rights are not a stranger's files' to have; an ordinary user says when he wants a sandbox.
fn sandboxing(arguments: &SourceArguments) -> Sandboxing {
    match (arguments.sandbox, arguments.no_sandbox) {
        (true, _) => Sandboxing::Required,
        (_, true) => Sandboxing::Off,
        _ if ::scan::sandbox::is_root() => Sandboxing::WherePossible,
        _ => {
            talk::detail(1, "read without a sandbox: use `--sandbox` for strangers' images");
            Sandboxing::Off
        }
    }
}

/// What the user asked to leave out.
fn exclude(arguments: &ExcludeArguments) -> Result<Exclude, Failure> {
    let all = [
        (Fits::Anything, &arguments.exclude),
        (Fits::Directories, &arguments.skip_dirs),
        (Fits::Files, &arguments.skip_files),
    ];
    let patterns = all.into_iter().flat_map(|(fits, texts)| texts.iter().map(move |text| (fits, text.as_str())));
    let hint = "`*` and `?` stay within one name, `**` goes across; a `\\` before a sign takes its meaning";
    Exclude::new(patterns).hint(Some(hint.into()))
}

/// The registered base images.
fn bases() -> Result<Bases, Failure> {
    Ok(paths::data().map(|directory| base_list::load(&directory.join("bases.json"))).transpose()?.unwrap_or_default())
}

/// Opens the index that is to be asked: the one named, else the user's, else the snapshot that ships with this program.
fn index(named: Option<&Path>) -> Result<::advisories::Index, Failure> {
    let path = index_path(named)?;
    ::advisories::Index::open(&path).map_err(|error| Failure { hint: error.hint(), error: error.into() })
}

/// Where that index is.
fn index_path(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let users = || paths::index().filter(|path| path.exists());
    match named.map(Path::to_owned).or_else(users) {
        Some(path) => Ok(path),
        None => crate::snapshot::compiled(),
    }
}

/// The organisation's own advisories: those kept by `advisories update --private`, and those named. None when there are none.
fn private_index(named: &[PathBuf], no_cache: bool) -> Result<Option<::advisories::Index>, Failure> {
    let kept = paths::store().map(|store| store.private()).filter(|directory| directory.is_dir());
    let inputs: Vec<PathBuf> = kept.into_iter().chain(named.iter().cloned()).collect();
    if inputs.is_empty() {
        return Ok(None);
    }
    // A mapped file lives on after its directory is gone.
    let scratch = tempfile::tempdir().context("no temporary directory")?;
    let cache = paths::cache().filter(|_| !no_cache).unwrap_or_else(|| scratch.path().to_owned());
    let Some(path) = private::compile(&inputs, &cache).map_err(private_failure)? else { return Ok(None) };
    let index =
        ::advisories::Index::open(&path).map_err(|error| Failure { hint: error.hint(), error: error.into() })?;
    Ok(Some(index))
}

/// Shows every mistake in the user's own advisories.
fn private_failure(error: private::PrivateError) -> Failure {
    if let private::PrivateError::Mistakes { first, .. } = &error {
        for problem in first {
            note(&format!("{}: {}: {}", problem.file.display(), problem.record, problem.detail));
        }
    }
    Failure { hint: error.hint(), error: error.into() }
}

/// Reads text files with their names.
fn texts(paths: &[std::path::PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    let read = |path: &std::path::PathBuf| {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(|| format!("`{name}` cannot be read"))?;
        Ok((name, text))
    };
    paths.iter().map(read).collect()
}

/// All the mistakes in documents of the user's, each with its line and caret.
pub(crate) fn mistakes(diagnostics: &[::policy::Diagnostic]) -> Failure {
    let shown: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    eprintln!("{}", shown.join("\n\n"));
    let count = diagnostics.len();
    Failure::from(anyhow::anyhow!("{count} {} to mend", if count == 1 { "mistake" } else { "mistakes" }))
}

/// What to say of a report's hidden findings, so that a filter never looks like a clean image.
fn hidden(report: &model::report::ScanReport) -> Option<String> {
    let count = report.hidden_findings;
    (count > 0).then(|| format!("{count} findings are hidden by `--severity` or `--only-fixed`"))
}

/// Notes where an image was taken from that was given by its name alone.
fn note_taken_from(inspection: &Inspection) {
    inspection.taken_from.iter().for_each(|sentence| note(sentence));
}
