//! `cargo xtask tidy`: the rules of the house that no compiler holds. Also runs as a test.
//!
//! Who may use whom, who may touch the world, words and paths that do not belong here; and, without failing, which files
//! have grown long.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::machine;

/// A crate and what it may use of the workspace.
struct Rule {
    name: &'static str,
    may_use: &'static [&'static str],
    /// It takes values and returns values: no clock, network, disk or environment of its own.
    thinks: bool,
}

const fn thinks(name: &'static str, may_use: &'static [&'static str]) -> Rule {
    Rule { name, may_use, thinks: true }
}

const fn touches(name: &'static str, may_use: &'static [&'static str]) -> Rule {
    Rule { name, may_use, thinks: false }
}

/// The table of the design: facts flow one way.
const RULES: &[Rule] = &[
    thinks("model", &[]),
    thinks("condition", &["model"]),
    thinks("inventory", &["model"]),
    thinks("assessment", &["model", "condition", "inventory"]),
    thinks("policy", &["model", "condition"]),
    thinks("detection", &["model", "condition"]),
    thinks("portfolio", &["model", "condition"]),
    thinks("formats", &["model"]),
    touches("engines", &["model"]),
    touches("advisories", &["model", "formats"]),
    touches("scan", &["model", "inventory", "assessment", "policy", "advisories", "engines", "formats"]),
    touches("sensor", &["model", "detection", "policy", "engines", "formats"]),
    touches("store", &["model", "condition", "portfolio"]),
    touches(
        "server",
        &[
            "model",
            "condition",
            "inventory",
            "assessment",
            "policy",
            "detection",
            "portfolio",
            "formats",
            "engines",
            "advisories",
            "scan",
            "store",
        ],
    ),
    touches(
        "dogwatch",
        &[
            "model",
            "condition",
            "inventory",
            "assessment",
            "policy",
            "detection",
            "portfolio",
            "formats",
            "engines",
            "advisories",
            "scan",
            "store",
            "server",
        ],
    ),
];

/// Crates that only the edge may use.
const EDGE_CRATES: &[&str] = &["tokio", "reqwest", "hyper", "ureq", "sqlx", "rusqlite", "memmap2", "rand", "getrandom"];

/// What only the edge may call.
const EDGE_CALLS: &[&str] =
    &["std::fs", "std::net", "std::env::", "std::process", "SystemTime::now", "Instant::now", "Timestamp::now"];

/// Names that say nothing about what is inside.
const GRAB_BAGS: &[&str] = &["utils", "util", "common", "helpers", "helper", "misc", "types"];

/// Longer than this is worth a look. Nobody counts; reviewers squint.
const LONG_FILE: usize = 400;

/// Checks everything and prints what is wrong.
pub fn run() -> Result<()> {
    let problems = problems()?;
    for (lines, path) in long_files()? {
        println!("long: {path} has {lines} lines without its tests");
    }
    for problem in &problems {
        eprintln!("{problem}");
    }
    if !problems.is_empty() {
        bail!("{} things to tidy", problems.len());
    }
    Ok(())
}

/// Everything that breaks a rule, one line each.
pub fn problems() -> Result<Vec<String>> {
    let mut problems = dependencies()?;
    for path in tracked()? {
        problems.extend(check_file(&path));
    }
    Ok(problems)
}

fn dependencies() -> Result<Vec<String>> {
    let mut command = crate::test::cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&machine::output(command.current_dir(crate::root()))?)?;
    let mut problems = Vec::new();
    for package in metadata["packages"].as_array().context("cargo lists no packages")? {
        let name = package["name"].as_str().unwrap_or_default();
        if matches!(name, "xtask" | "dogwatch-e2e" | "dogwatch-fuzz") {
            continue; // They serve the developers and may use everything.
        }
        let short = name.strip_prefix("dogwatch-").unwrap_or(name);
        let Some(rule) = RULES.iter().find(|rule| rule.name == short) else {
            problems.push(format!("{name}: the table of crates does not know it"));
            continue;
        };
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        // A test may use what it likes.
        let normal = dependencies.filter(|dependency| dependency["kind"].is_null());
        let names: Vec<&str> = normal.filter_map(|dependency| dependency["name"].as_str()).collect();
        problems.extend(broken_rules(rule, &names).map(|what| format!("{name}: {what}")));
    }
    Ok(problems)
}

fn broken_rules<'a>(rule: &'a Rule, dependencies: &'a [&str]) -> impl Iterator<Item = String> + 'a {
    dependencies.iter().filter_map(|name| {
        let ours = name.strip_prefix("dogwatch-");
        if let Some(ours) = ours.filter(|ours| !rule.may_use.contains(ours)) {
            return Some(format!("may not use `{ours}`"));
        }
        let edge = rule.thinks && EDGE_CRATES.contains(name);
        edge.then(|| format!("thinks, and may not use `{name}`"))
    })
}

/// The files that git knows or would take.
fn tracked() -> Result<Vec<String>> {
    let mut command = Command::new("git");
    command.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(crate::root());
    Ok(machine::output(&mut command)?.lines().map(str::to_owned).collect())
}

/// Text of our own: not data that others wrote.
fn is_ours(path: &str) -> bool {
    let foreign = path.starts_with("data/") || path.starts_with("tests/fixtures/") || path == "Cargo.lock";
    let suffixes = ["rs", "md", "toml", "yaml", "yml", "json", "sh"];
    let text = suffixes.iter().any(|suffix| Path::new(path).extension().is_some_and(|end| end == *suffix));
    !foreign && (text || path == "Makefile" || path == ".ci/run")
}

fn check_file(path: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let stem = Path::new(path).with_extension("");
    let mut names = stem.iter().filter_map(|name| name.to_str());
    if path.ends_with(".rs") && names.any(|name| GRAB_BAGS.contains(&name)) {
        problems.push(format!("{path}: a module is named for an idea"));
    }
    if !is_ours(path) {
        return problems;
    }
    let Ok(text) = fs::read_to_string(crate::root().join(path)) else { return problems };
    for (number, line) in (1..).zip(text.lines()) {
        for word in out_of_place() {
            if line.to_lowercase().contains(word) {
                problems.push(format!("{path}:{number}: `{word}` does not belong here"));
            }
        }
    }
    problems.extend(edge_calls(path, &text));
    problems
}

/// Paths of one machine, and words about how the text came to be. Put together here so that this file passes.
fn out_of_place() -> &'static [&'static str] {
    &[
        concat!("/wo", "rk/"),
        concat!("/tmp/", "wt"),
        concat!("/us", "ers/"),
        concat!("clau", "de"),
        concat!("anthro", "pic"),
        concat!("chat", "gpt"),
        concat!("generated", " by ai"),
        concat!("language", " model"),
    ]
}

fn edge_calls(path: &str, text: &str) -> Vec<String> {
    let crate_name = path.strip_prefix("crates/").and_then(|rest| rest.split_once("/src/")).map(|(name, _)| name);
    let thinks = RULES.iter().any(|rule| rule.thinks && Some(rule.name) == crate_name);
    if !thinks || !path.ends_with(".rs") || path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for (number, line) in (1..).zip(without_tests(text).lines()) {
        let code = line.split("//").next().unwrap_or_default();
        for call in EDGE_CALLS {
            if code.contains(call) {
                problems.push(format!("{path}:{number}: this crate thinks, and may not use `{call}`"));
            }
        }
    }
    problems
}

fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

fn long_files() -> Result<Vec<(usize, String)>> {
    let mut long = Vec::new();
    for path in tracked()?.into_iter().filter(|path| path.ends_with(".rs") && !path.contains("tests")) {
        let text = fs::read_to_string(crate::root().join(&path)).unwrap_or_default();
        let lines = without_tests(&text).lines().count();
        if lines > LONG_FILE {
            long.push((lines, path));
        }
    }
    long.sort();
    Ok(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_tidy() {
        assert_eq!(problems().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_crate_that_thinks_may_not_touch() {
        let policy = RULES.iter().find(|rule| rule.name == "policy").unwrap();
        let broken: Vec<String> =
            broken_rules(policy, &["dogwatch-model", "dogwatch-scan", "reqwest", "serde"]).collect();
        assert_eq!(broken, ["may not use `scan`", "thinks, and may not use `reqwest`"]);
        let text =
            "let a = std::fs::read(p);\n// std::net is for others\n#[cfg(test)]\nmod tests {\nstd::env::vars()\n}";
        let found = edge_calls("crates/policy/src/x.rs", text);
        assert_eq!(found, ["crates/policy/src/x.rs:1: this crate thinks, and may not use `std::fs`"]);
        assert_eq!(edge_calls("crates/scan/src/x.rs", text), Vec::<String>::new());
    }

    #[test]
    fn a_path_of_one_machine_is_seen() {
        let line = concat!("see /wo", "rk/main/notes");
        assert!(out_of_place().iter().any(|word| line.contains(word)));
    }
}
