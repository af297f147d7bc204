//! The `dogwatch` command: parses, wires, prints, exits.
//!
//! Exit codes everywhere: 0 passed, 1 a policy said no, 2 could not tell; 3, of `fix` alone: something is left by hand. Data
//! goes to stdout, talk to stderr.

mod cli;
mod client;
mod commands;
mod config;
mod console;
mod foreign;
mod output;
mod paths;
mod snapshot;
mod talk;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command, ConfigCommand};

fn main() -> ExitCode {
    // A parser that fails on a stranger's file is reported as a gap; its panic message is nobody's business.
    std::panic::set_hook(Box::new(|_| {}));
    if let Some(code) = scan::sandbox::run_if_called() {
        return code;
    }
    let arguments = match config::layered(std::env::args_os().collect()) {
        Ok(arguments) => arguments,
        Err(error) => return console::failure(&error),
    };
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return console::usage(&error),
    };
    paths::use_cache(cli.cache_dir.clone());
    talk::begin(cli.talk.clone());
    match std::panic::catch_unwind(|| run(cli)) {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(error)) => console::failure(&error),
        // Not a verdict, and never silence: a pipeline must not take our mistake for a clean image.
        Err(_) => console::failure(&anyhow::anyhow!("internal error: please report what was scanned").into()),
    }
}

fn run(cli: Cli) -> Result<u8, console::Failure> {
    match cli.command {
        Command::Scan(arguments) | Command::Image(arguments) => {
            config::note_not_read(cli.config.as_deref());
            config::note_misspelt();
            commands::scan::run(arguments)
        }
        Command::Fs(arguments) => commands::scan::run(foreign::with_prefix("dir", arguments)),
        Command::Repo(arguments) => commands::scan::run(foreign::with_prefix("git", arguments)),
        Command::Fix(arguments) => commands::fix::run(&arguments),
        Command::Sbom(arguments) => commands::sbom::run(arguments),
        Command::Advisories(command) => commands::advisories::run(command),
        Command::Policy(command) => commands::policy::run(command),
        Command::Bases(command) => commands::bases::run(command),
        Command::Serve(arguments) => commands::serve::run(arguments),
        Command::Backup(arguments) => commands::backup::backup(arguments),
        Command::Restore(arguments) => commands::backup::restore(arguments),
        Command::Portfolio(command) => commands::portfolio::run(command),
        Command::Watch(arguments) => commands::watch::run(arguments),
        Command::AuditLog(command) => commands::audit_log::run(command),
        Command::Cache(command) => commands::cache::run(command),
        Command::Config(ConfigCommand::Show) => commands::config::show(cli.config.as_deref()),
        Command::Completions { shell } => commands::manual::completions(shell),
        Command::Man { directory } => commands::manual::pages(&directory),
    }
}
