//! `dogwatch fix`: the least upgrades of a source tree that satisfy policy, as a patch.
//!
//! The patch goes to stdout, everything else to stderr, so that `dogwatch fix . | git apply` works. What text alone cannot
//! change (lock files with hashes) is left to the ecosystem's own tool, whose command is printed and never run.

mod advice;
mod bases;
mod plan;
mod tools;
mod tree;

use std::collections::BTreeSet;
use std::path::PathBuf;

use ::scan::inspect::{Inspection, inspect};
use ::scan::pipeline::judge_inspection;
use ::scan::target::Target;
use assessment::edit::diff::unified;
use model::report::ScanReport;
use model::verdict::{Outcome, Verdict};

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
    if let Some(file) = &arguments.dockerfile {
        return bases::of_image(file, arguments);
    }
    let (target, directory) = source_tree(arguments)?;
    let judge = Judge::of(&arguments.judge, arguments.source.no_cache)?;
    let judge = judge.options(None);
    let options = super::inspect_options(&arguments.source)?;
    let mut tree = Tree::open(&directory)?;

    let inspection = inspect(&target, &options).map_err(failed(&target))?;
    let before = judge_inspection(&inspection, &judge).map_err(failed(&target))?;
    let steps = plan(&inspection, &before, &judge).map_err(failed(&target))?;
    let after = judge_inspection(&upgraded(&inspection, &steps), &judge).map_err(failed(&target))?;

    let mut by_hand = advice::give(&steps, &inspection.inventory, &mut tree);
    by_hand |= bases::mend(&mut tree, arguments, &options, &judge)?;
    deliver(&tree, arguments)?;
    summary(&before, &after, &steps);
    Ok(match after.verdict.as_ref().map(|verdict| verdict.outcome) {
        Some(Outcome::Failed) => 1,
        Some(Outcome::Unknown) => COULD_NOT_TELL,
        _ if by_hand => BY_HAND,
        _ => 0,
    })
}

/// Prints the patch or writes the files.
fn deliver(tree: &Tree, arguments: &FixArguments) -> Result<(), Failure> {
    if !arguments.write {
        let patch: String = tree.changed().map(|file| unified(&file.path, &file.old, &file.new)).collect();
        return write(&patch, None);
    }
    if !arguments.force {
        tree.refuse_uncommitted()?;
    }
    Ok(tree.write()?)
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
            .hint(Some("name a directory; for an image, add `--dockerfile FILE`, the file that it is built by".into())),
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
    report.verdict.as_ref().map(Verdict::denied_findings).unwrap_or_default()
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
