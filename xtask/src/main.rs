//! Developer tasks: `cargo xtask TASK`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer tasks.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build, put together a real image, scan it: `make demo`.
    Demo {
        /// What to scan instead of that image.
        image: Option<String>,
    },
    /// Put the demo's image together and say where it is.
    DemoImage,
    /// Format, lints, licences, all tests: `make test`.
    Test,
    /// Hold the crates against the rules of the house.
    Tidy,
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

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().task {
        Task::Demo { image } => xtask::demo::run(image.as_deref())?,
        Task::DemoImage => println!("oci-dir:{}", xtask::demo::image()?.display()),
        Task::Test => return xtask::test::run(),
        Task::Tidy => xtask::tidy::run()?,
        Task::Snapshot { from, out } => xtask::snapshot::run(&from, &out)?,
    }
    Ok(ExitCode::SUCCESS)
}
