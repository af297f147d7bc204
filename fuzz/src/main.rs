//! Feeds every parser of a stranger's bytes with bytes that nobody would send on purpose.
//!
//! [`targets`] names the parsers and their seeds, [`mutate`] bends the seeds, [`supervise`] runs each target in a process
//! of its own, so that whatever it does (panic, overflow its stack, take all memory, never end) the input is kept. Built
//! with coverage instrumentation (`cargo xtask fuzz --coverage`) inputs that reach new code become seeds, see [`coverage`].
//! Why not cargo-fuzz: `docs/adr/0007-fuzzing.md`.

mod coverage;
mod mutate;
mod supervise;
mod targets;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Fuzzes the parsers of strangers' bytes.
#[derive(Parser)]
struct Arguments {
    /// The targets; all when none is named.
    targets: Vec<String>,
    /// How long each is run.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Where randomness begins. The same number gives the same inputs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Lists the targets.
    #[arg(long)]
    list: bool,
    /// Runs one input of an earlier failure.
    #[arg(long, value_name = "FILE", requires = "targets")]
    reproduce: Option<PathBuf>,
    /// The process that runs one target; its argument is the file that holds the input being tried.
    #[arg(long, hide = true)]
    worker: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let all = targets::all();
    if arguments.list {
        all.iter().for_each(|target| println!("{}", target.name));
        return Ok(ExitCode::SUCCESS);
    }
    let unknown = arguments.targets.iter().find(|name| all.iter().all(|target| target.name != **name));
    if let Some(name) = unknown {
        anyhow::bail!("there is no target `{name}`; `--list` shows them");
    }
    let chosen =
        || all.iter().filter(|target| arguments.targets.is_empty() || arguments.targets.contains(&target.name));
    if let Some(file) = &arguments.reproduce {
        let input = std::fs::read(file)?;
        chosen().for_each(|target| (target.run)(&input));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(current) = &arguments.worker {
        for target in chosen() {
            supervise::work(target, arguments.seconds, arguments.seed, current)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut failed = 0;
    for target in chosen() {
        failed += usize::from(!supervise::watch(target, arguments.seconds, arguments.seed)?);
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
