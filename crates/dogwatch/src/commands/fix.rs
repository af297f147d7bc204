//! `dogwatch fix`: the least upgrades of a source tree that satisfy policy, as a patch.
//!
//! The patch goes to stdout, everything else to stderr, so that `dogwatch fix . | git apply` works. What text alone cannot
//! change (lock files with hashes) is left to the ecosystem's own tool, whose command is printed and never run.

mod advice;
mod plan;
mod tools;
mod tree;

use std::collections::BTreeSet;
use std::path::PathBuf;

use ::policy::Flags;
use ::scan::inspect::{Inspection, inspect};
use ::scan::pipeline::judge_inspection;
use ::scan::target::Target;
use assessment::edit::diff::unified;
use assessment::edit::dockerfile::replace_base;
use model::report::ScanReport;
use model::verdict::{Action, Outcome};

use crate::cli::FixArguments;
use crate::commands::judge::Judge;
use crate::commands::scan::failed;
use crate::console::{COULD_NOT_TELL, Failure, Hint, note, write};
use plan::{Step, plan};
use tree::Tree;

/// Something is left that neither the patch nor a printed command does.
const BY_HAND: u8 = 3;

/// Plans, prints or writes, and returns the exit code: 0 when the patch and the printed commands satisfy policy, 1 when
/// policy would still say no, 2 when it could not tell, 3 when something is to be done by hand.
pub(crate) fn run(arguments: &FixArguments) -> Result<u8, Failure> {
    let (target, directory) = source_tree(arguments)?;
    let flags = Flags { fail_on: arguments.judge.fail_on, ..Flags::default() };
    let judge = Judge::load(&arguments.judge, &flags, arguments.source.no_cache)?;
    let judge = judge.options(None);
    let options = super::inspect_options(&arguments.source)?;
    let mut tree = Tree::open(&directory)?;

    let inspection = inspect(&target, &options).map_err(failed(&target))?;
    let before = judge_inspection(&inspection, &judge).map_err(failed(&target))?;
    let steps = plan(&inspection, &before, &judge).map_err(failed(&target))?;
    let after = judge_inspection(&upgraded(&inspection, &steps), &judge).map_err(failed(&target))?;

    let mut by_hand = advice::give(&steps, &inspection.inventory, &mut tree);
    for pair in &arguments.base {
        by_hand |= base(&mut tree, pair)?;
    }
    let patch: String = tree.changed().map(|file| unified(&file.path, &file.old, &file.new)).collect();
    match (arguments.write, arguments.force) {
        (true, false) => {
            tree.refuse_uncommitted()?;
            tree.write()?;
        }
        (true, true) => tree.write()?,
        (false, _) => write(&patch, None)?,
    }
    summary(&before, &after, &steps);
    Ok(match after.verdict.as_ref().map(|verdict| verdict.outcome) {
        Some(Outcome::Failed) => 1,
        Some(Outcome::Unknown) => COULD_NOT_TELL,
        _ if by_hand => BY_HAND,
        _ => 0,
    })
}

/// The tree, as a target and as a place.
fn source_tree(arguments: &FixArguments) -> Result<(Target, PathBuf), Failure> {
    let text = arguments.target.as_str();
    let plain = PathBuf::from(text);
    if plain.is_dir() {
        return Ok((Target::Dir(plain.clone()), plain));
    }
    match super::target(text, &arguments.source)? {
        Target::Dir(path) => Ok((Target::Dir(path.clone()), path)),
        Target::Git(path) => Ok((Target::Git(path.clone()), path)),
        _ => Err(anyhow::anyhow!("`{text}` is no source tree"))
            .hint(Some("name a directory; for an image, `scan` says what helps most".into())),
    }
}

/// The same tree with the planned versions.
fn upgraded(inspection: &Inspection, steps: &[Step]) -> Inspection {
    let mut upgraded = inspection.clone();
    for (step, to) in steps.iter().filter_map(|step| Some((step, step.to.as_ref()?))) {
        let package = &mut upgraded.inventory.packages[step.package.0 as usize];
        plan::raise(package, to);
    }
    upgraded
}

/// The findings that keep a tree from passing.
fn denied(report: &ScanReport) -> BTreeSet<u32> {
    let violations = report.verdict.iter().flat_map(|verdict| &verdict.violations);
    let blocking = violations.filter(|violation| violation.excused_by.is_none() && violation.action >= Action::Deny);
    blocking.filter_map(|violation| violation.finding).collect()
}

/// Replaces a base image in every Dockerfile of the tree, and says whether one must be changed by hand.
fn base(tree: &mut Tree, pair: &str) -> Result<bool, Failure> {
    let Some((from, to)) = pair.split_once('=') else {
        return Err(
            anyhow::anyhow!("`--base {pair}` is not OLD=NEW, such as `debian:12.1-slim=debian:12.12-slim`").into()
        );
    };
    let (mut found, mut by_hand) = (false, false);
    for path in tree.dockerfiles() {
        match tree.edit(&path, |text| Ok::<_, anyhow::Error>(replace_base(text, from, to)?)) {
            Ok(()) => found = true,
            Err(reason) => {
                by_hand |= reason.downcast_ref() != Some(&assessment::edit::Refused::NotNamed);
                note(&format!("{path}: `{from}` is not replaced: {reason:#}"));
            }
        }
    }
    match found || by_hand {
        true => Ok(by_hand),
        false => Err(anyhow::anyhow!("no Dockerfile here is built on `{from}`").into()),
    }
}

fn summary(before: &ScanReport, after: &ScanReport, steps: &[Step]) {
    let raised = steps.iter().filter(|step| step.to.is_some()).count();
    let (was, is) = (denied(before).len(), denied(after).len());
    note(&format!(
        "{raised} {} to raise: findings {} -> {}, denied by policy {was} -> {is} (once lock files follow)",
        if raised == 1 { "package" } else { "packages" },
        before.findings.len(),
        after.findings.len(),
    ));
}
