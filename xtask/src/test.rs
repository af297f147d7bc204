//! `make test`: everything the pipeline runs, and one honest summary.
//!
//! A test whose component is missing prints a line `SKIPPED: …` past the test harness, which calls it passed. Here those
//! lines are counted and taken off, so that nobody takes "could not try" for "works".

use std::io::{BufRead, BufReader, Read, Write};
use std::ops::AddAssign;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::machine::{self, say};

/// How many tests ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// What one step did: its tally, and the lines worth repeating in the summary.
#[derive(Debug, Default)]
struct Outcome {
    tally: Tally,
    remarks: Vec<String>,
}

/// Runs all steps, also after a failure, and prints the summary.
pub fn run() -> Result<ExitCode> {
    std::env::set_current_dir(crate::root()).context("the repository cannot be entered")?;
    let installed = machine::install(machine::DEMO).and_then(|()| machine::install(machine::TESTS));
    if let Err(error) = installed {
        say(&format!("not every test component is here; the tests that need one are skipped: {error:#}"));
    }
    let started = Instant::now();
    let mut total = Tally::default();
    let mut summary = Vec::new();
    for (name, step) in STEPS {
        say(name);
        let begun = Instant::now();
        let outcome = step().unwrap_or_else(|error| Outcome {
            tally: Tally { failed: 1, ..Tally::default() },
            remarks: vec![format!("{error:#}")],
        });
        total += outcome.tally;
        let Tally { passed, failed, skipped } = outcome.tally;
        let seconds = begun.elapsed().as_secs();
        summary.push(format!("{name:<10} {passed:>5} passed {failed:>3} failed {skipped:>3} skipped  {seconds:>4} s"));
        summary.extend(outcome.remarks.into_iter().map(|line| format!("    {line}")));
    }
    println!("\nsummary, after {} s\n{}", started.elapsed().as_secs(), summary.join("\n"));
    println!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

type Step = fn() -> Result<Outcome>;

const STEPS: &[(&str, Step)] =
    &[("format", format), ("licences", licences), ("lints", lints), ("tests", tests), ("fuzz", fuzz)];

fn format() -> Result<Outcome> {
    Ok(single(cargo(&["fmt", "--all", "--check"])))
}

fn lints() -> Result<Outcome> {
    Ok(single(cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])))
}

/// Licences, sources and banned crates of our dependencies. Advisories about them are the release's business: they
/// change from day to day, and a test of yesterday's commit must not.
fn licences() -> Result<Outcome> {
    let mut command = Command::new(cargo_deny()?);
    command.args(["--log-level", "error", "check", "licenses", "bans", "sources"]);
    Ok(single(command))
}

/// cargo-deny, built once into our own cache.
fn cargo_deny() -> Result<PathBuf> {
    let tools = crate::cache().join("tools");
    let program = tools.join("bin/cargo-deny");
    if !program.is_file() {
        say("building cargo-deny (once)");
        let mut install = cargo(&["install", "--quiet", "--debug", "--locked", "cargo-deny", "--root"]);
        install.arg(&tools);
        machine::run(install)?;
    }
    Ok(program)
}

fn tests() -> Result<Outcome> {
    // Programs and tests in one go, so that both are built with the same features of their dependencies.
    let build = ["build", "--workspace", "--bins", "--tests", "--locked"];
    if !succeeds(cargo(&build)) {
        anyhow::bail!("the tests do not compile");
    }
    let mut command = cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    counted(command.env("DOGWATCH_BIN", dogwatch()?))
}

/// Every fuzz target for a second: enough to notice a parser that breaks on what it met before. `make fuzz` runs longer.
fn fuzz() -> Result<Outcome> {
    Ok(single(cargo(&["run", "--quiet", "--locked", "--package", "dogwatch-fuzz", "--", "--seconds", "1"])))
}

/// Builds the program and says where it is.
pub fn build_dogwatch() -> Result<PathBuf> {
    if !succeeds(cargo(&["build", "--locked", "--package", "dogwatch"])) {
        anyhow::bail!("dogwatch does not build");
    }
    dogwatch()
}

/// Where cargo puts the program.
fn dogwatch() -> Result<PathBuf> {
    let text = machine::output(&mut cargo(&["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    let target = metadata["target_directory"].as_str().context("cargo names no target directory")?;
    Ok(PathBuf::from(target).join("debug/dogwatch"))
}

pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// A step that passes or fails as a whole.
fn single(command: Command) -> Outcome {
    let passed = u64::from(succeeds(command));
    Outcome { tally: Tally { passed, failed: 1 - passed, skipped: 0 }, remarks: Vec::new() }
}

pub(crate) fn succeeds(mut command: Command) -> bool {
    command.stdin(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs a test command, passes on what it prints, and counts.
fn counted(command: &mut Command) -> Result<Outcome> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().context("no stdout")?;
    let stderr = child.stderr.take().context("no stderr")?;
    let errors = thread::spawn(move || heed(stderr, &mut std::io::stderr()));
    let mut outcome = heed(stdout, &mut std::io::stdout());
    let more = errors.join().map_err(|_| anyhow::anyhow!("the reader of stderr failed"))?;
    outcome.tally += more.tally;
    outcome.remarks.extend(more.remarks);
    outcome.tally.passed = outcome.tally.passed.saturating_sub(loudly_skipped(&outcome.remarks));
    if !child.wait()?.success() && outcome.tally.failed == 0 {
        outcome.tally.failed = 1;
        outcome.remarks.push("a test program ended before it could say how".into());
    }
    Ok(outcome)
}

fn loudly_skipped(remarks: &[String]) -> u64 {
    remarks.iter().filter(|line| line.starts_with("SKIPPED:")).count() as u64
}

fn heed(from: impl Read, to: &mut impl Write) -> Outcome {
    let mut outcome = Outcome::default();
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        let _ = to.write_all(&line).and_then(|()| to.write_all(b"\n"));
        let line = String::from_utf8_lossy(&line);
        if let Some(tally) = result_line(&line) {
            outcome.tally += tally;
        } else if let Some(at) = line.find("SKIPPED: ") {
            outcome.tally.skipped += 1;
            outcome.remarks.push(line[at..].to_owned());
        } else if line.starts_with("test ") && line.ends_with(" FAILED") {
            outcome.remarks.push(line.into_owned());
        }
    }
    outcome
}

/// Reads `test result: ok. 12 passed; 0 failed; 1 ignored; …`.
fn result_line(line: &str) -> Option<Tally> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let mut tally = Tally::default();
    for (number, word) in counts.split("; ").filter_map(|part| part.split_once(' ')) {
        let Ok(number) = number.parse() else { continue };
        match word {
            "passed" => tally.passed = number,
            "failed" => tally.failed = number,
            "ignored" => tally.skipped = number,
            _ => {}
        }
    }
    Some(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_harness_says_how_many_and_the_tests_say_which_were_skipped() {
        let printed = "running 3 tests\ntest a ... ok\nSKIPPED: b: [\"umoci\"] not installed (1 skipped so far)\n\
                       test c ... FAILED\ntest result: FAILED. 2 passed; 1 failed; 4 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        let mut echoed = Vec::new();
        let outcome = heed(printed.as_bytes(), &mut echoed);
        assert_eq!(outcome.tally, Tally { passed: 2, failed: 1, skipped: 5 });
        assert_eq!(loudly_skipped(&outcome.remarks), 1);
        assert_eq!(outcome.remarks[1], "test c ... FAILED");
        assert_eq!(echoed, printed.as_bytes());
    }
}
