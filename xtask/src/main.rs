//! Developer tasks: `cargo xtask TASK`.

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
        Task::Snapshot { from, out } => snapshot::run(&from, &out),
    }
}
