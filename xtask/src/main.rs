//! Developer tasks: `cargo xtask TASK`.

mod bench;
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
    /// Build the image that the benchmarks measure: real packages, about 1 GB, kept for the next time.
    BenchImage {
        /// Where to keep it.
        #[arg(long, default_value = ".cache/bench")]
        root: PathBuf,
    },
    /// Measure the release binary, and Syft beside it.
    Bench {
        /// Where the image is kept.
        #[arg(long, default_value = ".cache/bench")]
        root: PathBuf,
        /// Only one part: floors, scan, again, concurrent, small-files, index or syft.
        #[arg(long)]
        only: Option<String>,
    },
    /// Hash a file, or inflate and hash a directory of layers, with the product's libraries: a floor of the benchmarks.
    #[command(hide = true)]
    Sha256 {
        /// What to hash.
        path: PathBuf,
        /// The path is a directory of gzip layers.
        #[arg(long)]
        inflate: bool,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Snapshot { from, out } => snapshot::run(&from, &out),
        Task::BenchImage { root } => bench::image(&root),
        Task::Bench { root, only } => bench::run(&root, only.as_deref()),
        Task::Sha256 { path, inflate } => bench::sha256(&path, inflate),
    }
}
