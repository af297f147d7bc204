//! Developer tasks: `cargo xtask TASK`.

mod fuzz;
mod snapshot;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Developer tasks.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run the fuzz targets: `cargo xtask fuzz [--coverage] [--seconds N] [TARGET]...`.
    Fuzz(fuzz::Arguments),
    /// Cut the advisory snapshot that ships with the product from a data pack.
    Snapshot {
        /// The data pack.
        #[arg(long)]
        from: PathBuf,
        /// Where to write it.
        #[arg(long, default_value = "data/advisories")]
        out: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Snapshot { from, out } => snapshot::run(&from, &out),
    }
}
