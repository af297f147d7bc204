//! `dogwatch completions` and `dogwatch man`: made from the definition of the command line, so they cannot disagree with it.

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::console::{Failure, write};

/// Prints the completions of one shell.
pub(crate) fn completions(shell: Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dogwatch", &mut script);
    write(&String::from_utf8(script)?, None)?;
    Ok(0)
}

/// Writes a page for the command and one for each command below it.
pub(crate) fn pages(directory: &Path) -> Result<u8, Failure> {
    fs::create_dir_all(directory).with_context(|| format!("`{}` cannot be made", directory.display()))?;
    let mut command = Cli::command();
    command.build();
    page(&command, directory)?;
    Ok(0)
}

fn page(command: &clap::Command, directory: &Path) -> Result<(), Failure> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let path = directory.join(format!("{name}.1"));
    let mut text = Vec::new();
    // Without a date, so that the same program writes the same pages.
    clap_mangen::Man::new(command.clone()).title(&name).render(&mut text)?;
    fs::write(&path, text).with_context(|| format!("`{}` cannot be written", path.display()))?;
    let own = command.get_subcommands().filter(|command| command.get_name() != "help" && !command.is_hide_set());
    own.into_iter().try_for_each(|command| page(command, directory))
}
