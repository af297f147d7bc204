//! `dogwatch bases`: the base images that packages are attributed to, and which would be better.

use std::fmt::Write as _;

use ::scan::bases::{Bases, KnownBase};
use ::scan::inspect::inspect;
use anyhow::Context;

use crate::cli::{AdviceFormat, BasesCommand};
use crate::commands::judge::Judge;
use crate::console::{Failure, write};
use crate::paths;

/// Adds a base or lists them.
pub(crate) fn run(command: BasesCommand) -> Result<u8, Failure> {
    let path =
        paths::data().context("no home directory to keep the list in; set DOGWATCH_DATA_DIR")?.join("bases.json");
    let mut bases = Bases::load(&path)?;
    match command {
        BasesCommand::Add { name, target, source } => {
            let target = super::target(&target, &source)?;
            let inspection =
                inspect(&target, &super::inspect_options(&source)?).map_err(super::scan::failed(&target))?;
            super::note_taken_from(&inspection);
            let artifact = inspection.artifact;
            if artifact.layers.is_empty() {
                return Err(anyhow::anyhow!("`{target}` has no layers, so nothing can be built on it").into());
            }
            let diff_ids = artifact.layers.into_iter().map(|layer| layer.diff_id).collect();
            bases.add(KnownBase { name, digest: artifact.manifest_digest, diff_ids });
            bases.save(&path)?;
        }
        BasesCommand::Advise { target, output, advice, source, judge } => {
            let target = super::target(&target, &source)?;
            let judge = Judge::of(&judge, source.no_cache)?;
            let options = super::inspect_options(&source)?;
            let advice = super::advice::advise(&target, &advice, &source, &options, &judge.options(None))?;
            let text = match output {
                AdviceFormat::Table => super::advice::table(&advice),
                AdviceFormat::Json => format!("{}\n", serde_json::to_string_pretty(&advice)?),
            };
            write(&text, None)?;
        }
        BasesCommand::List => write(&list(&bases), None)?,
    }
    Ok(0)
}

/// One line per base: name, number of layers, the digest of its top layer.
fn list(bases: &Bases) -> String {
    let mut text = String::new();
    for base in &bases.bases {
        let top = base.diff_ids.last().map(ToString::to_string).unwrap_or_default();
        let _ =
            writeln!(text, "{}\t{} layers\ttop {top}", formats::printable::printable(&base.name), base.diff_ids.len());
    }
    text
}
