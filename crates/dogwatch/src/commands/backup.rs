//! `dogwatch backup` and `dogwatch restore`: all that a server remembers, in a file and back.

use anyhow::Context;
use server::backup::{Backup, BackupError};
use server::knowledge::Indexes;

use super::serve::Kept;
use crate::cli::portfolio::BackupArguments;
use crate::console::{Failure, note, write};

/// Writes the file.
pub(crate) fn backup(arguments: BackupArguments) -> Result<u8, Failure> {
    let kept = Kept::of(arguments.kept)?;
    let indexes = Indexes::of(&kept.directory);
    let made = wait(server::backup::backup(&kept.database_url, &indexes, &arguments.file))?;
    if !made.has_index {
        note("the advisories in force are not in this data directory, so they are not in the backup");
    }
    said("backed up", &made)
}

/// Reads the file.
pub(crate) fn restore(arguments: BackupArguments) -> Result<u8, Failure> {
    let kept = Kept::of(arguments.kept)?;
    kept.make()?;
    let indexes = Indexes::of(&kept.directory);
    said("restored", &wait(server::backup::restore(&arguments.file, &kept.database_url, &indexes))?)
}

fn said(what: &str, backup: &Backup) -> Result<u8, Failure> {
    write(&format!("{what} {} rows, as of {}\n", backup.rows, backup.at), None)?;
    Ok(0)
}

fn wait(work: impl Future<Output = Result<Backup, BackupError>>) -> Result<Backup, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no threads")?;
    runtime.block_on(work).map_err(|error| Failure { hint: error.hint(), error: error.into() })
}
