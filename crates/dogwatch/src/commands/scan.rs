//! `dogwatch scan`: the main command.

mod documents;
mod in_order;
mod patterns;
mod several;

use std::fs;
use std::path::Path;

use ::scan::ScanError;
use ::scan::inspect::{InspectOptions, inspect};
use ::scan::pipeline::{inventory_report, scan};
use ::scan::target::Target;
use anyhow::Context;
use formats::{explain, json, why};
use indicatif::ProgressBar;
use model::Timestamp;
use model::report::ScanReport;
use model::verdict::Outcome;

use crate::cli::ScanArguments;
use crate::client::Client;
use crate::commands::judge::Judge;
use crate::commands::targets::{self, Named, Targets};
use crate::console::{COULD_NOT_TELL, Failure, Hint, columns, note, progress, write};
use crate::{foreign, talk};
use documents::Documents;

/// Scans, prints, and returns the exit code.
pub(crate) fn run(mut arguments: Box<ScanArguments>) -> Result<u8, Failure> {
    foreign::adopt(&mut arguments)?;
    let documents = Documents::load(&arguments)?;
    let mut options = super::inspect_options(&arguments.source)?;
    if let Some(url) = &arguments.server {
        let client = Client::at(url, None, arguments.source.ca_file.as_deref())?;
        super::bases::of_server(&client, url)?.bases.into_iter().for_each(|base| options.bases.add(base));
    }
    options.exclude = super::exclude(&arguments.exclude)?;
    let expand = |text: &str| patterns::expand(text, &arguments, &options);
    let targets = targets::named(&arguments.targets, arguments.targets_from.as_deref(), expand)?;
    if let Targets::One(named) = &targets {
        // A target that cannot be meant is refused before anything is opened.
        super::target(&named.text, &arguments.source)?;
    }
    let judge = (!arguments.inventory_only).then(|| Judge::of_scan(&arguments)).transpose()?;
    if let Some(judge) = &judge {
        talk::advisories(judge.as_of()?);
    }
    let bar = match &targets {
        Targets::One(named) => progress(format!("scanning {}", named.text)),
        Targets::Several { targets, .. } => progress(format!("scanning {} targets", targets.len())),
    };
    // Of several targets the bar counts those, not their layers.
    options.progress = talk::layers(matches!(targets, Targets::One(_)).then(|| bar.clone()));
    let scan = Scan { arguments: &arguments, documents, options, judge };
    match targets {
        Targets::One(named) => one(&scan, &named, &bar),
        Targets::Several { targets, refused } => several::run(&scan, &targets, refused, &bar),
    }
}

fn one(scan: &Scan<'_>, named: &Named, bar: &ProgressBar) -> Result<u8, Failure> {
    let scanned = scan.target(named);
    bar.finish_and_clear();
    let Scanned { report, notes } = scanned?;
    notes.iter().for_each(|sentence| note(sentence));
    match (&scan.arguments.explain, &scan.arguments.why) {
        (Some(id), _) => explain(&report, id)?,
        (None, Some(package)) => why(&report, package)?,
        (None, None) => scan.documents.write_all(&report, named)?,
    }
    super::hidden(&report).iter().for_each(|hidden| note(hidden));
    Ok(scan.exit_code(&report))
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

fn why(report: &ScanReport, package: &str) -> Result<(), Failure> {
    match why::render(report, package, columns()) {
        Some(text) => write(&text, None),
        None => {
            let hint = "name it as the report does: `lodash`, `lodash@4.17.20` or `pkg:npm/lodash@4.17.20`; \
                        `-o cyclonedx` lists every package";
            let target = &report.artifact.target;
            Err(anyhow::anyhow!("no package `{package}` was found in {target}")).hint(Some(hint.into()))
        }
    }
}

/// How targets are scanned: the same for all of a call.
struct Scan<'a> {
    arguments: &'a ScanArguments,
    documents: Documents,
    options: InspectOptions,
    /// None stops after the inventory.
    judge: Option<Judge>,
}

/// What one target came to, and what else there is to say about it.
struct Scanned {
    report: ScanReport,
    notes: Vec<String>,
}

impl Scan<'_> {
    /// Scans a target, and writes its integrity model if that was asked for.
    fn target(&self, named: &Named) -> Result<Scanned, Failure> {
        talk::started(&named.text);
        let mut notes = Vec::new();
        let target = super::target(&named.text, &self.arguments.source)?;
        let (report, inspection) = match &self.judge {
            None => {
                let inspection = inspect(&target, &self.options).map_err(failed(&target))?;
                (inventory_report(&inspection, Timestamp::now()), inspection)
            }
            Some(judge) => {
                let compare_to = self.arguments.compare_to.as_deref();
                let before = compare_to.map(|text| self.earlier(text, named, judge, &mut notes)).transpose()?;
                scan(&target, &self.options, &judge.options(before.as_ref())).map_err(failed(&target))?
            }
        };
        if let Some(path) = &self.arguments.integrity_model {
            let model = inspection.integrity_model(&self.options).map_err(failed(&target))?;
            documents::write_file(&json::write_integrity_model(&model), path, named)?;
        }
        if let Some(url) = &self.arguments.server {
            let client = Client::at(url, None, self.arguments.source.ca_file.as_deref())?;
            let answer = client.upload(&json::write_line(&report), "build")?;
            notes.push(uploaded(&answer));
        }
        notes.extend(inspection.taken_from);
        talk::done(&named.text, &report, self.exit_code(&report));
        Ok(Scanned { report, notes })
    }

    /// The report to compare with: a file written by `-o json`, or another target, scanned now.
    fn earlier(
        &self,
        text: &str,
        named: &Named,
        judge: &Judge,
        notes: &mut Vec<String>,
    ) -> Result<ScanReport, Failure> {
        let path = named.file(Path::new(text));
        if path.is_file() || targets::has_name(Path::new(text)) {
            let bytes = fs::read(&path).with_context(|| format!("`{}` cannot be read", path.display()))?;
            let path = path.display();
            return json::read(&bytes).map_err(|error| {
                let hint = error.hint().map(str::to_owned);
                Failure { error: anyhow::Error::new(error).context(format!("`{path}` cannot be compared with")), hint }
            });
        }
        let target = super::target(text, &self.arguments.source)?;
        let (report, inspection) = scan(&target, &self.options, &judge.options(None)).map_err(failed(&target))?;
        notes.extend(inspection.taken_from);
        Ok(report)
    }

    fn exit_code(&self, report: &ScanReport) -> u8 {
        match report.verdict.as_ref().map(|verdict| verdict.outcome) {
            None | Some(Outcome::Passed) => 0,
            Some(Outcome::Failed) => self.judge.as_ref().map_or(1, Judge::failed_exit_code),
            Some(Outcome::Unknown) => COULD_NOT_TELL,
        }
    }
}

/// What a server made of a report.
fn uploaded(answer: &serde_json::Value) -> String {
    let text = |key: &str| answer[key].as_str().unwrap_or("?").to_owned();
    let known = match (answer["conflict"].as_bool(), answer["new"].as_bool()) {
        (Some(true), _) => ", which knows another inventory of it: an incident was noted",
        (_, Some(false)) => ", which knew the image",
        _ => "",
    };
    format!("uploaded to the server{known}: it says {}, {} findings", text("outcome"), answer["findings"])
}

/// A failed scan of a target with its hint.
pub(super) fn failed(target: &Target) -> impl Fn(ScanError) -> Failure {
    move |error| {
        let hint = error.hint();
        Failure { error: anyhow::Error::new(error).context(format!("could not scan `{target}`")), hint }
    }
}
