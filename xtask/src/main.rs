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
    /// Run the fuzz targets: `cargo xtask fuzz [--coverage] [--seconds N] [TARGET]...`.
    Fuzz(xtask::fuzz::Arguments),
    /// Cut the advisory snapshot that ships with the product from a data pack.
    Snapshot {
        /// The data pack.
        #[arg(long)]
        from: PathBuf,
        /// Where to write it.
        #[arg(long, default_value = "data/advisories")]
        out: PathBuf,
    },
    /// Build what is released, into target/dist: `make dist`.
    Dist {
        /// Build a second time elsewhere, and compare every byte.
        #[arg(long)]
        check: bool,
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
        /// Only one part: floors, scan, again, concurrent, small-files, host, sandbox, index or syft.
        #[arg(long)]
        only: Option<String>,
    },
    /// Compare our list of packages with Syft's; fails when a difference is not explained in docs/syft-comparison.md.
    CompareSyft {
        /// What to scan, as both programs call it.
        #[arg(default_value = "docker-archive:.cache/bench/image.tar")]
        targets: Vec<String>,
        /// The program to compare; built when not given.
        #[arg(long)]
        dogwatch: Option<PathBuf>,
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

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().task {
        Task::Demo { image } => xtask::demo::run(image.as_deref())?,
        Task::DemoImage => println!("oci-dir:{}", xtask::demo::image()?.display()),
        Task::Test => return xtask::test::run(),
        Task::Tidy => xtask::tidy::run()?,
        Task::Snapshot { from, out } => xtask::snapshot::run(&from, &out)?,
        Task::Dist { check } => xtask::dist::run(check)?,
        Task::BenchImage { root } => xtask::bench::image(&root)?,
        Task::Bench { root, only } => xtask::bench::run(&root, only.as_deref())?,
        Task::CompareSyft { targets, dogwatch } => xtask::compare::run(&targets, dogwatch.as_deref())?,
        Task::Sha256 { path, inflate } => xtask::bench::sha256(&path, inflate)?,
        Task::Fuzz(arguments) => xtask::fuzz::run(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}
