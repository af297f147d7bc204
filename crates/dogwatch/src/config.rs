//! Settings from a file and from variables, under the names of the flags.
//!
//! A flag on the command line wins over its variable, the variable over the file, the file over the default. There is no list
//! of settings: every flag of `scan` is one, `--fail-on` is `DOGWATCH_FAIL_ON` and `fail-on:`. Other commands take those that
//! they share with it.
//!
//! The file is the one that `--config` or `DOGWATCH_CONFIG` names, else the user's own. **Never** one that merely lies in the
//! current directory or in what is scanned: in a pipeline both are in the hands of whoever wrote the change, and a line
//! `exit-code: 0` would let it pass.
//!
//! What a setting says is put into the argument list as if it had been typed, so one parser checks everything.

mod file;
mod setting;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory};

use crate::cli::Cli;
use crate::console::Failure;
use crate::{paths, talk};
pub(crate) use setting::Setting;

/// The variable that names the file.
const CONFIG: &str = "DOGWATCH_CONFIG";
/// Names under which users would expect a file here to be read.
const NOT_READ: &[&str] = &["dogwatch.yaml", ".dogwatch.yaml", "dogwatch.yml", ".dogwatch.yml"];
/// Variables that are no flags.
const OTHERS: &[&str] = &["DOGWATCH_DATA_DIR", "DOGWATCH_MIRROR", CONFIG];

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nobody set it.
    Default,
    /// A line of the configuration file.
    File { name: String, line: usize },
    /// A variable.
    Variable(String),
}

/// A setting with what it is set to.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    pub(crate) setting: Setting,
    /// As on the command line, without the flag's name.
    pub(crate) values: Vec<String>,
    pub(crate) source: Source,
}

/// The arguments as given, with what file and variables add for the command that is called.
pub(crate) fn layered(given: Vec<OsString>) -> Result<Vec<OsString>, Failure> {
    let mut command = Cli::command();
    command.build();
    let Ok(matches) = command.clone().ignore_errors(true).try_get_matches_from(&given) else {
        return Ok(given); // help or version
    };
    let (called, called_with) = called(&command, &matches);
    let shared = |in_force: &InForce| in_force.setting.is_of(called);
    let scan = command.find_subcommand("scan");
    let settles = called.get_arguments().any(|argument| {
        !argument.is_global_set() && scan.is_some_and(|scan| Setting::of(argument).is_some_and(|own| own.is_of(scan)))
    });
    // `cache` has no flag of its own; it is about the directory that `scan` would use.
    if !settles && matches.subcommand_name() != Some("cache") {
        return Ok(given);
    }
    let named = called_with.get_one::<PathBuf>("config").map(PathBuf::as_path);
    let typed = |in_force: &InForce| called_with.value_source(in_force.setting.id()) == Some(ValueSource::CommandLine);
    let in_force = in_force(named)?;
    let more = in_force.iter().filter(|in_force| in_force.source != Source::Default && shared(in_force));
    let tokens: Vec<OsString> = more
        .filter(|in_force| !typed(in_force))
        .flat_map(|in_force| in_force.setting.tokens(&in_force.values))
        .map(OsString::from)
        .collect();
    // What follows `--` is no flag.
    let at = given.iter().position(|argument| argument == "--").unwrap_or(given.len());
    let (before, after) = given.split_at(at);
    Ok([before, &tokens, after].concat())
}

/// The innermost command that is called.
fn called<'a>(command: &'a Command, matches: &'a ArgMatches) -> (&'a Command, &'a ArgMatches) {
    match matches.subcommand().and_then(|(name, inner)| Some((command.find_subcommand(name)?, inner))) {
        Some((command, inner)) => called(command, inner),
        None => (command, matches),
    }
}

/// Every setting with its value and where that comes from. `named` is the file of `--config`.
pub(crate) fn in_force(named: Option<&Path>) -> Result<Vec<InForce>, Failure> {
    let settings = setting::all();
    let from_file = match path(named) {
        Some(path) => file::read(&path, &settings)?,
        None => Vec::new(),
    };
    settings
        .into_iter()
        .map(|setting| {
            let variable = setting.variable();
            if let Some(text) = env::var(&variable).ok().filter(|text| !text.is_empty()) {
                let values = setting.values_of_text(&text).and_then(|values| setting.check(&values).map(|()| values));
                let values = values.map_err(|why| anyhow::anyhow!("the variable `{variable}`: {why}"))?;
                return Ok(InForce { setting, values, source: Source::Variable(variable) });
            }
            let of_file = from_file.iter().find(|found| found.id == setting.id());
            Ok(match of_file {
                Some(found) => {
                    let source = Source::File { name: found.file.clone(), line: found.line };
                    InForce { setting, values: found.values.clone(), source }
                }
                None => InForce { values: setting.default(), setting, source: Source::Default },
            })
        })
        .collect()
}

/// The file to read: the one named, else the user's if there is one. An empty name means none.
pub(crate) fn path(named: Option<&Path>) -> Option<PathBuf> {
    let named = named.map(Path::to_owned).or_else(|| env::var_os(CONFIG).map(PathBuf::from));
    match named {
        Some(path) => Some(path).filter(|path| !path.as_os_str().is_empty()),
        None => paths::config().map(|directory| directory.join("config.yaml")).filter(|path| path.exists()),
    }
}

/// Says that a file in the current directory is not read, to somebody who may think it is.
pub(crate) fn note_not_read(named: Option<&Path>) {
    let here = NOT_READ.iter().find(|name| Path::new(name).is_file());
    if let Some(name) = here.filter(|_| named.is_none() && env::var_os(CONFIG).is_none()) {
        talk::note(&format!("`{name}` in this directory is not read; if you trust it, name it: `--config {name}`"));
    }
}

/// A variable that is nearly one of ours does not do what its author thinks.
pub(crate) fn note_misspelt() {
    let settings = setting::all();
    let known: Vec<String> =
        settings.iter().map(Setting::variable).chain(OTHERS.iter().map(|name| (*name).to_owned())).collect();
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with("DOGWATCH_")) else { continue };
        if known.iter().any(|known| known == name) {
            continue;
        }
        let short = |name: &str| name.trim_start_matches("DOGWATCH_").to_owned();
        let candidates: Vec<String> = known.iter().map(|known| short(known)).collect();
        if let Some(near) = condition::nearest(&short(name), candidates.iter().map(String::as_str)) {
            talk::note(&format!("nothing reads the variable `{name}`; did you mean `DOGWATCH_{near}`?"));
        }
    }
}

/// A file that was asked for and cannot be read.
fn unreadable(path: &Path, error: std::io::Error) -> Failure {
    let error = anyhow::Error::new(error).context(format!("`{}` cannot be read", path.display()));
    Failure { error, hint: Some(format!("it is the configuration file; `{CONFIG}=` (empty) reads none")) }
}
