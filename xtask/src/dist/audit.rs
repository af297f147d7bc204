//! The list of crates that a program is made of, inside the program: in the section where `cargo auditable` puts it, and
//! scanners (ours too) look for it.
//!
//! Source: github.com/rust-secure-code/cargo-auditable, `PARSING.md` and `cargo-auditable.schema.json`: JSON, compressed by zlib, in
//! `.dep-v0`.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::{Value, json};

use crate::machine;

/// What the program `dogwatch` is made of on a target: each crate with those it needs, as `cargo metadata` resolves them.
pub fn list(root: &Path, target: &str) -> Result<Value> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).args(["metadata", "--format-version=1", "--locked", "--filter-platform", target]);
    let metadata: Value = serde_json::from_str(&machine::output(&mut cargo)?)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages: HashMap<String, Value> =
        array(&metadata["packages"]).into_iter().map(|package| (text(&package["id"]), package)).collect();
    let needs: HashMap<String, Vec<String>> = array(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| {
            // What only building or testing needs is not in the program.
            let is_normal = |need: &Value| array(&need["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            let needs = array(&node["deps"]).into_iter().filter(is_normal).map(|need| text(&need["pkg"]));
            (text(&node["id"]), needs.collect())
        })
        .collect();
    let top =
        packages.values().find(|package| package["name"] == "dogwatch").context("there is no crate `dogwatch`")?;
    let (mut reached, mut waiting) = (BTreeSet::new(), vec![text(&top["id"])]);
    while let Some(id) = waiting.pop() {
        if !is_macro(&packages[&id])
            && reached.insert((text(&packages[&id]["name"]), text(&packages[&id]["version"]), id.clone()))
        {
            waiting.extend(needs[&id].iter().cloned());
        }
    }
    let numbers: HashMap<&str, usize> =
        reached.iter().enumerate().map(|(number, (.., id))| (id.as_str(), number)).collect();
    let listed = reached.iter().map(|(name, version, id)| {
        let mut dependencies: Vec<usize> =
            needs[id].iter().filter_map(|need| numbers.get(need.as_str()).copied()).collect();
        dependencies.sort_unstable();
        let mut package = json!({
            "name": name,
            "version": version,
            "source": if packages[id]["source"].is_null() { "local" } else { "crates.io" },
        });
        if !dependencies.is_empty() {
            package["dependencies"] = json!(dependencies);
        }
        if id == &text(&top["id"]) {
            package["root"] = json!(true);
        }
        package
    });
    Ok(json!({ "packages": listed.collect::<Vec<_>>() }))
}

/// Macros run in the compiler.
fn is_macro(package: &Value) -> bool {
    let targets = package["targets"].as_array();
    targets
        .into_iter()
        .flatten()
        .any(|target| target["kind"].as_array().is_some_and(|kind| kind.contains(&json!("proc-macro"))))
}

/// Writes a copy of a program with the list in it, and without the symbols that only debuggers read: they are a sixth of it.
/// `objcopy` is the one for the program's processor.
pub fn put_into(program: &Path, to: &Path, list: &Value, objcopy: &str) -> Result<()> {
    let mut compressed = ZlibEncoder::new(Vec::new(), Compression::best());
    compressed.write_all(&serde_json::to_vec(list)?)?;
    let section = to.with_extension("dep-v0");
    fs::write(&section, compressed.finish()?)?;
    let mut objcopy = Command::new(objcopy);
    objcopy.arg("--strip-all").arg(format!("--add-section=.dep-v0={}", section.display())).arg(program).arg(to);
    machine::run(objcopy)?;
    Ok(fs::remove_file(section)?)
}
