//! The steps as edits of manifests, commands that make lock files follow, and what must be done by hand.

use std::collections::{BTreeMap, BTreeSet};

use assessment::edit::{Manifest, Refused, Upgrade};
use model::dependents::Dependents;
use model::inventory::Inventory;
use model::package::Package;

use super::plan::Step;
use super::tools::{self, Asked};
use super::tree::Tree;
use crate::console::note;

/// The most direct dependencies that are named for one package.
const PULLERS_SHOWN: usize = 5;

/// A package in one lock file or manifest.
struct Job<'a> {
    step: usize,
    package: &'a Package,
    to: &'a str,
    /// The file that says that the package is there.
    seen_in: &'a str,
    /// What became of it in each manifest that belongs to that file.
    became: Vec<(String, Result<(), Refused>)>,
}

/// Edits what can be edited, says the rest, and returns whether something is left to be done by hand.
pub(super) fn give(steps: &[Step], inventory: &Inventory, tree: &mut Tree) -> bool {
    let mut jobs: Vec<Job<'_>> = Vec::new();
    let mut by_manifest: BTreeMap<(String, Manifest), Vec<usize>> = BTreeMap::new();
    for (number, step) in steps.iter().enumerate() {
        let Some(to) = &step.to else { continue };
        let package = inventory.package(step.package);
        let places: BTreeSet<&str> =
            package.evidence.iter().map(|evidence| evidence.path.trim_start_matches('/')).collect();
        for seen_in in places {
            for manifest in manifests(seen_in, tree) {
                by_manifest.entry(manifest).or_default().push(jobs.len());
            }
            jobs.push(Job { step: number, package, to, seen_in, became: Vec::new() });
        }
    }
    for ((path, manifest), concerned) in by_manifest {
        let upgrades: Vec<Upgrade<'_>> = concerned.iter().map(|&job| jobs[job].upgrade()).collect();
        let mut became = Vec::new();
        let edited = tree.edit(&path, |text| {
            let (text, results) = manifest.edit(text, &upgrades);
            became = results;
            Ok::<_, anyhow::Error>(text)
        });
        if let Err(reason) = edited {
            note(&format!("{path} cannot be edited: {reason:#}"));
        }
        concerned.iter().zip(became).for_each(|(&job, became)| jobs[job].became.push((path.clone(), became)));
    }
    let mut by_hand = false;
    for (number, step) in steps.iter().enumerate() {
        say(step, inventory);
        let own = jobs.iter().filter(|job| job.step == number);
        by_hand |= own.map(|job| job.say(tree, inventory)).fold(false, |any, one| any | one);
    }
    by_hand
}

fn say(step: &Step, inventory: &Inventory) {
    let Package { name, version, direct, .. } = inventory.package(step.package);
    let Some(to) = &step.to else {
        note(&format!("{name} {version}: no version is known that policy accepts; replace it, or write an exception"));
        return;
    };
    note(&format!("{name} {version} -> {to}"));
    if !direct {
        let roots = Dependents::of(inventory).nearest_roots(step.package);
        let roots = roots.into_iter().filter(|root| *root != step.package).map(|root| inventory.package(root));
        let roots: Vec<String> =
            roots.take(PULLERS_SHOWN).map(|root| format!("{} {}", root.name, root.version)).collect();
        if !roots.is_empty() {
            note(&format!("  pulled in by {}: raising that may do as well", roots.join(", ")));
        }
    }
}

impl Job<'_> {
    fn upgrade(&self) -> Upgrade<'_> {
        Upgrade { name: &self.package.name, from: &self.package.version, to: self.to }
    }

    /// Says what is done and to do; whether by hand.
    fn say(&self, tree: &Tree, inventory: &Inventory) -> bool {
        let edited = self.became.iter().any(|(_, became)| became.is_ok());
        let refused = self.became.iter().filter_map(|(path, became)| Some((path, became.as_ref().err()?)));
        let refused: Vec<_> =
            refused.filter(|(path, why)| **why != Refused::NotNamed || *path == self.seen_in).collect();
        for (path, why) in &refused {
            note(&format!("  {path} stays as it is: {why}"));
        }
        let asked = Asked { package: self.package, to: self.to, edited, inventory, head: &tree.head(self.seen_in) };
        // What the manifest cannot say, no tool can put into the lock file.
        let is_own = refused.iter().any(|(path, _)| *path == self.seen_in);
        let command = if is_own { Err(None) } else { tools::command(self.seen_in, &asked) };
        match command {
            Ok(command) => note(&format!("  then run: {command}")),
            Err(None) if edited => {}
            Err(why) => {
                let why = why.unwrap_or("it is not written by a tool that is known here");
                note(&format!("  by hand, in {}: {}", self.seen_in, if is_own { "see above" } else { why }));
                return true;
            }
        }
        false
    }
}

/// The manifests that belong to a file: itself, or those that a lock file locks (of a workspace several).
fn manifests(seen_in: &str, tree: &Tree) -> Vec<(String, Manifest)> {
    let (directory, file) = seen_in.rsplit_once('/').unwrap_or(("", seen_in));
    let name = match file {
        "package-lock.json" | "npm-shrinkwrap.json" | "yarn.lock" | "pnpm-lock.yaml" | "bun.lock" => "package.json",
        "Cargo.lock" => "Cargo.toml",
        "uv.lock" | "pdm.lock" => "pyproject.toml",
        "go.sum" => "go.mod",
        own => own,
    };
    let Some(manifest) = Manifest::of(name) else { return Vec::new() };
    if name == file {
        return vec![(seen_in.to_owned(), manifest)];
    }
    tree.below(directory, name, file).into_iter().map(|path| (path, manifest)).collect()
}
