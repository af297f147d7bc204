//! Base images: which to replace, by what, and in which Dockerfiles.

use std::path::Path;

use ::scan::inspect::{InspectOptions, inspect};
use ::scan::pipeline::{JudgeOptions, judge_inspection};
use ::scan::target::Reference;
use assessment::edit::Refused;
use assessment::edit::dockerfile::{bases, composed, replace_base};
use model::report::RemedyAction;

use super::tree::Tree;
use crate::cli::FixArguments;
use crate::commands;
use crate::commands::advice::{advise, renamed, table};
use crate::commands::judge::Judge;
use crate::commands::scan::failed;
use crate::console::{Failure, Hint, note};

/// Replaces the bases that were named, or with `--bases` every one for which there is a better one; says whether one must be
/// changed by hand.
pub(super) fn mend(
    tree: &mut Tree,
    arguments: &FixArguments,
    options: &InspectOptions,
    judge: &JudgeOptions<'_>,
) -> Result<bool, Failure> {
    let mut by_hand = false;
    if arguments.bases {
        for text in all(tree, &mut by_hand)? {
            // One that cannot be compared keeps no other from its place.
            match successor(&text, arguments, options, judge) {
                Ok(Some(new)) => by_hand |= replace(tree, &text, &new)?,
                Ok(None) => {}
                Err(failure) => {
                    note(&format!("by hand: {:#}", failure.error));
                    by_hand = true;
                }
            }
        }
    }
    for text in &arguments.base {
        let (old, new) = match text.split_once('=') {
            Some((old, new)) if !old.is_empty() && !new.is_empty() => (old, Some(new.to_owned())),
            Some(_) => {
                let error = anyhow::anyhow!(
                    "`--base {text}` is neither OLD nor OLD=NEW, such as `debian:12.1-slim=debian:12.12-slim`"
                );
                return Err(error.into());
            }
            None => (text.as_str(), successor(text, arguments, options, judge)?),
        };
        if let Some(new) = new {
            by_hand |= replace(tree, old, &new)?;
        }
    }
    Ok(by_hand)
}

/// The bases that the tree's Dockerfiles name. Those put together from parts are only spoken of.
fn all(tree: &Tree, by_hand: &mut bool) -> Result<Vec<String>, Failure> {
    let mut named = Vec::new();
    for path in tree.dockerfiles() {
        let text = tree.text(&path)?;
        named.extend(bases(&text));
        for name in composed(&text) {
            note(&format!("by hand: {path}: `{name}` is put together from parts, so it is compared with nothing"));
            *by_hand = true;
        }
    }
    // What is pinned first: the plain name would take it along.
    named.sort_by_key(|name| (!name.contains('@'), name.clone()));
    named.dedup();
    Ok(named)
}

/// What a base is to be replaced by; none when nothing better is found.
fn successor(
    written: &str,
    arguments: &FixArguments,
    options: &InspectOptions,
    judge: &JudgeOptions<'_>,
) -> Result<Option<String>, Failure> {
    let target = commands::target(written, &arguments.source)?;
    let advice = advise(&target, &arguments.advice, &arguments.source, options, judge)?;
    table(&advice).lines().for_each(note);
    renamed(written, &advice)
}

/// Replaces a base image in every Dockerfile of the tree, and says whether one must be changed by hand.
pub(super) fn replace(tree: &mut Tree, from: &str, to: &str) -> Result<bool, Failure> {
    let (mut found, mut by_hand) = (false, false);
    for path in tree.dockerfiles() {
        match tree.edit(&path, |text| Ok::<_, anyhow::Error>(replace_base(text, from, to)?)) {
            Ok(()) => found = true,
            Err(reason) => {
                by_hand |= reason.downcast_ref() != Some(&Refused::NotNamed);
                note(&format!("{path}: `{from}` is not replaced: {reason:#}"));
            }
        }
    }
    match found || by_hand {
        true => Ok(by_hand),
        false => Err(anyhow::anyhow!("no Dockerfile here is built on `{from}`").into()),
    }
}

/// For an image: moves the file it is built by to a better base, and says what else its findings ask for.
pub(super) fn of_image(file: &Path, arguments: &FixArguments) -> Result<u8, Failure> {
    let target = commands::target(&arguments.target, &arguments.source)?;
    let judge = Judge::of(&arguments.judge, arguments.source.no_cache)?;
    let judge = judge.options(None);
    let options = commands::inspect_options(&arguments.source)?;
    let inspection = inspect(&target, &options).map_err(failed(&target))?;
    let report = judge_inspection(&inspection, &judge).map_err(failed(&target))?;
    let mut tree = Tree::of_file(file)?;
    let path = tree.dockerfiles().into_iter().next().unwrap_or_default();
    let text = tree.text(&path)?;
    let written = base_of(&text, report.artifact.base.as_ref().map(|base| base.name.as_str()), file)?;
    let successor = successor(&written, arguments, &options, &judge)?;
    let mut by_hand = false;
    if let Some(new) = &successor {
        by_hand |= replace(&mut tree, &written, new)?;
    }
    super::deliver(&tree, arguments)?;
    // What the base does not bring is mended where it is installed.
    let is_of_base = |action: &RemedyAction| matches!(action, RemedyAction::RebuildBase { .. });
    for remedy in report.remedies.iter().filter(|remedy| remedy.violations > 0 && !is_of_base(&remedy.action)) {
        note(&format!("by hand: {}", remedy.title));
        by_hand = true;
    }
    Ok(match (successor, by_hand, super::denied(&report).is_empty()) {
        (_, true, _) => super::BY_HAND,
        (None, _, false) => 1,
        _ => 0,
    })
}

/// The base of a Dockerfile's last stage, which is the image's; where the image names its base, the one that it means.
fn base_of(text: &str, stated: Option<&str>, file: &Path) -> Result<String, Failure> {
    let named = bases(text);
    let reference = |name: &str| name.split('@').next().and_then(|name| name.parse::<Reference>().ok());
    let stated = stated.and_then(reference);
    let same = named.iter().find(|name| stated.is_some() && reference(name) == stated);
    same.or(named.last()).cloned().ok_or_else(|| anyhow::anyhow!("`{}` names no base image", file.display())).hint(Some(
        "a base put together from parts (`node:${VERSION}`) cannot be compared; name it with `--base` for the source tree".into(),
    ))
}
