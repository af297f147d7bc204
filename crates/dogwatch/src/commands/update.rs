//! `dogwatch advisories update`: from the live feeds to the user's index.

use std::fmt::Write as _;
use std::time::Duration;

use ::advisories::private;
use ::advisories::update::{
    FeedStates, Origin, Outcome, SOURCES, Source, Store, UpdateOptions, Updated, Url, standing, update,
};
use ::scan::source::{RegistryOptions, http_client};
use anyhow::Context;
use formats::printable::printable;
use model::Timestamp;

use crate::cli::UpdateArguments;
use crate::console::{COULD_NOT_TELL, Failure, Hint, note, progress, write};
use crate::paths;

/// The pause before the first repeated request.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Updates, says what became of each feed, and returns the exit code: 2 when any feed is not up to date.
pub(crate) fn run(arguments: &UpdateArguments) -> Result<u8, Failure> {
    let store = paths::store().context(NO_HOME)?;
    let index = paths::index().context(NO_HOME)?;
    if arguments.list {
        write(&listed(&store.states()), None)?;
        return Ok(0);
    }
    if let Some(directory) = &arguments.private {
        let summary = private::keep(directory, &store).map_err(super::private_failure)?;
        write(&format!("private advisories: {} records from {} files\n", summary.advisories, summary.files), None)?;
        return Ok(0);
    }
    let mirror = arguments.mirror.as_deref().map(mirror).transpose()?;
    let registry = RegistryOptions { ca_file: arguments.ca_file.clone(), ..RegistryOptions::default() };
    let client = http_client(&registry).map_err(|error| Failure { hint: error.hint(), error: error.into() })?;
    let origin = match &arguments.from_dir {
        Some(directory) => Origin::Directory(directory),
        None => Origin::Network { client: &client, mirror: mirror.as_ref(), retry_pause: RETRY_PAUSE },
    };
    let options = UpdateOptions {
        store: &store,
        index: &index,
        origin,
        feeds: selected(&arguments.feeds, &store)?,
        named: !arguments.feeds.is_empty(),
        accept_shrunk: arguments.accept_shrunk,
        now: Timestamp::now(),
    };
    let bar = progress("updating advisories".into());
    let result = update(&options, &mut |source| bar.set_message(format!("fetching {}", source.name)));
    bar.finish_and_clear();
    let updated = result.map_err(|error| Failure { hint: error.hint(), error: error.into() })?;
    told(&updated)
}

const NO_HOME: &str = "no home directory for feeds and the index; set DOGWATCH_DATA_DIR";

fn mirror(text: &str) -> Result<Url, Failure> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let hint = "for a directory use `--from-dir DIR`".to_owned();
    url.with_context(|| format!("`{text}` is no HTTP address")).hint(Some(hint))
}

fn selected(names: &[String], store: &Store) -> Result<Vec<&'static Source>, Failure> {
    if names.is_empty() {
        return Ok(standing(store));
    }
    let named = |name: &String| {
        let hint = "`dogwatch advisories update --list` lists the feeds".to_owned();
        Source::named(name).with_context(|| format!("there is no feed `{name}`")).hint(Some(hint))
    };
    names.iter().map(named).collect()
}

fn told(updated: &Updated) -> Result<u8, Failure> {
    let mut text = String::new();
    let mut code = 0;
    let width = updated.feeds.iter().map(|(source, _)| source.name.len()).max().unwrap_or(0);
    for (source, outcome) in &updated.feeds {
        let said = match outcome {
            Ok(Outcome::Changed { records, before: None }) => format!("{records} records"),
            Ok(Outcome::Changed { records, before: Some(before) }) => format!("{records} records, {before} before"),
            Ok(Outcome::Unchanged) => "unchanged".into(),
            Ok(Outcome::NotThere) => "not there".into(),
            Err(error) => {
                code = COULD_NOT_TELL;
                let causes: Vec<String> = causes_of(error);
                let kept = "the copy in force, if any, stays";
                note(&format!("{}: {}; {kept}", source.name, causes.join(": ")));
                if error.is_quarantine() {
                    note(&format!("`--feed {} --accept-shrunk` takes it all the same", source.name));
                    "QUARANTINED".into()
                } else {
                    "FAILED".into()
                }
            }
        };
        let _ = writeln!(text, "{:<width$}  {said}", source.name);
    }
    match &updated.index {
        Some(summary) => {
            super::advisories::note_problems(summary);
            let _ = writeln!(text, "\n{}", super::advisories::summed_up(summary));
        }
        None => text.push_str("\nthe index is current\n"),
    }
    write(&text, None)?;
    Ok(code)
}

fn causes_of(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect()
}

/// The feeds by name: address, when fetched, from where.
fn listed(states: &FeedStates) -> String {
    let mut text = String::new();
    let width = SOURCES.iter().map(|source| source.name.len()).max().unwrap_or(0);
    for source in SOURCES {
        let fetched = states.feeds.get(source.name).and_then(|state| state.fetched_at);
        let never = if source.on_request { "fetched on request" } else { "never fetched" };
        let fetched = fetched.map_or(never.into(), |at| format!("fetched {at:.0}"));
        let what = match source.ecosystems {
            [] => source.content.words().to_owned(),
            ecosystems => ecosystems.join(", "),
        };
        let _ = writeln!(text, "{:<width$}  {what:<16}  {}  ({})", source.name, source.url, printable(&fetched));
    }
    text
}
