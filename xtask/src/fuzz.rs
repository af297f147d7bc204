//! `cargo xtask fuzz`: runs the fuzz targets, plain (as built for the tests anyway) or with coverage.

use std::process::Command;

use anyhow::{Context, ensure};
use clap::Args;

/// What the compiler adds so that the fuzzer sees which code an input reached (`fuzz/src/coverage.rs`).
const INSTRUMENTATION: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters";

/// Options of the fuzzer.
#[derive(Args)]
pub struct Arguments {
    /// Build once more with instrumentation (minutes the first time), so that inputs which reach new code become seeds.
    #[arg(long)]
    coverage: bool,
    /// What the fuzzer itself takes: `--seconds N`, `--seed N`, `--list`, `--reproduce FILE`, names of targets.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds the fuzzer and runs it.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["run", "--quiet", "-p", "dogwatch-fuzz"]);
    if arguments.coverage {
        // With a target named, flags do not apply to build scripts and macros, which have no counters' registry to link to.
        let host = host()?;
        cargo.args(["--target", &host, "--target-dir", "target/fuzz"]).env("RUSTFLAGS", INSTRUMENTATION);
    }
    let status = cargo.arg("--").args(&arguments.rest).status().context("cargo does not start")?;
    ensure!(status.success(), "an input broke a target; it is kept in `fuzz/artifacts`");
    Ok(())
}

fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc does not start")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).context("`rustc -vV` names no host")?;
    Ok(host.to_owned())
}
