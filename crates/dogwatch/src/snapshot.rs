//! The advisory snapshot that ships with this program, so that the first scan works without a network.

use std::path::{Path, PathBuf};

use advisories::{BuildOptions, build};
use anyhow::Context;

use crate::console::{Failure, progress};
use crate::paths;

/// The snapshot's files, as `data/advisories` has them, with the manifest that says how much they cover.
const FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/snapshot.rs"));

/// What the compiled snapshot is called: other files make another index.
const DIGEST: &str = env!("DOGWATCH_SNAPSHOT_DIGEST");

/// The compiled snapshot; compiled now if this is its first use on this machine.
pub(crate) fn compiled() -> Result<PathBuf, Failure> {
    let directory =
        paths::cache().context("no home directory for the advisory index; set DOGWATCH_CACHE_DIR, or use --index")?;
    let index = directory.join(format!("snapshot-{DIGEST}.index"));
    // One that another version wrote, or that lost bytes, is compiled again rather than complained about.
    if index.exists() && advisories::Index::open(&index).is_ok() {
        return Ok(index);
    }
    std::fs::create_dir_all(&directory).with_context(|| format!("`{}` cannot be made", directory.display()))?;
    let bar = progress("compiling the advisory snapshot (first use)".into());
    let unpacked = tempfile::tempdir_in(&directory).context("the advisory snapshot cannot be unpacked")?;
    for (name, bytes) in FILES {
        unpack(&unpacked.path().join(name), bytes).context("the advisory snapshot cannot be unpacked")?;
    }
    let result = build(&[unpacked.path().to_owned()], &index, &BuildOptions::default());
    bar.finish_and_clear();
    result.map_err(|error| Failure { hint: error.hint(), error: error.into() })?;
    Ok(index)
}

fn unpack(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    std::fs::write(path, bytes)
}
