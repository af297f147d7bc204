//! `cargo xtask compare-syft`: our list of packages beside Syft's, and every difference explained or an error.
//!
//! Both programs scan the same target. A difference is a package that only one of them names, or names somewhere else; it is
//! explained when a rule of `benches/syft-differences.json` covers it, and each rule belongs to a section of
//! `docs/syft-comparison.md` that says who is right and why.
//!
//! **Never:** nothing of the product reads the lists here. A mistake in our package URLs should show, not cancel itself out.

mod explained;
mod list;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::machine::{self, say};
use crate::{parts, test};
use explained::Explained;
use list::{Key, List};

/// One difference: who names it, what and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    only: Tool,
    key: Key,
    path: String,
    found_by: String,
}

/// Whose list it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Tool {
    Syft,
    Dogwatch,
}

/// What two lists have in common, and what not.
#[derive(Debug, Default)]
pub struct Comparison {
    /// For each package type: named by both, by Syft alone, by us alone.
    counts: BTreeMap<String, [usize; 3]>,
    /// How many differences each section of the document explains.
    explained: BTreeMap<String, usize>,
    /// What nothing explains.
    unexplained: Vec<Difference>,
}

/// Scans each target with both and prints the comparison. Fails when a difference is not explained.
pub fn run(targets: &[String], dogwatch: Option<&Path>) -> Result<()> {
    let dogwatch = match dogwatch {
        Some(dogwatch) => dogwatch.to_owned(),
        None => test::build_dogwatch()?,
    };
    let mut unexplained = 0;
    for target in targets {
        say(target);
        let comparison = compare(target, &dogwatch)?;
        print!("{comparison}");
        unexplained += comparison.unexplained();
    }
    if unexplained > 0 {
        bail!("{unexplained} differences are not explained in `{}`", explained::FILE);
    }
    Ok(())
}

/// Scans a target with Syft and with this build of ours.
pub fn compare(target: &str, dogwatch: &Path) -> Result<Comparison> {
    let mut ours = Command::new(dogwatch);
    ours.args(["scan", target, "--inventory-only", "--no-cache", "--offline", "--quiet", "-o", "json"]);
    let ours = list::ours(&json(&mut ours)?);
    let mut theirs = parts::syft()?;
    theirs.args(["scan", "-q", "-o", "json", target]);
    let theirs = list::theirs(&json(&mut theirs)?);
    Ok(Comparison::of(&theirs, &ours, &Explained::read(&crate::root().join(explained::FILE))?))
}

fn json(command: &mut Command) -> Result<Value> {
    let text = machine::output(command)?;
    serde_json::from_str(&text).with_context(|| format!("`{}` printed no JSON", machine::shown(command)))
}

impl Comparison {
    fn of(theirs: &List, ours: &List, explained: &Explained) -> Self {
        let mut comparison = Self::default();
        let keys: BTreeSet<&Key> = theirs.keys().chain(ours.keys()).collect();
        for key in keys {
            let column = match (theirs.contains(key), ours.contains(key)) {
                (true, true) => 0,
                (true, false) => 1,
                _ => 2,
            };
            comparison.counts.entry(key.kind.clone()).or_default()[column] += 1;
        }
        let mut differences = theirs.missing_in(ours, Tool::Syft);
        differences.extend(ours.missing_in(theirs, Tool::Dogwatch));
        for difference in differences {
            match explained.section(&difference) {
                Some(section) => *comparison.explained.entry(section.to_owned()).or_default() += 1,
                None => comparison.unexplained.push(difference),
            }
        }
        comparison
    }

    /// How many differences nothing explains.
    pub fn unexplained(&self) -> usize {
        self.unexplained.len()
    }

    /// How many packages both name.
    pub fn in_common(&self) -> usize {
        self.counts.values().map(|counts| counts[0]).sum()
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:<16} {:>6} {:>10} {:>14}", "type", "both", "only Syft", "only Dogwatch")?;
        for (kind, [both, syft, dogwatch]) in &self.counts {
            writeln!(f, "{kind:<16} {both:>6} {syft:>10} {dogwatch:>14}")?;
        }
        for (section, count) in &self.explained {
            writeln!(f, "explained: {count:>5}  {section}")?;
        }
        for Difference { only, key, path, found_by } in &self.unexplained {
            writeln!(f, "NOT EXPLAINED: only {only:?}  {key}  {path}  ({found_by})")?;
        }
        Ok(())
    }
}
