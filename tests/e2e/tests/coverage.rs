//! `docs/coverage.md`: everything that Dogwatch reads and writes, each with the tests that prove it on input that their
//! author did not make.
//!
//! The names come from the lists that the code itself works with. The proofs are remarks above tests:
//! `// Proves: cataloger dpkg; feed OSV`. A name without a proof fails here, and so does a proof of something unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use inventory::cataloger::Scope;

const PAGE: &str = "docs/coverage.md";
const MARK: &str = "// Proves: ";

/// One thing that is read or written.
struct Row {
    kind: &'static str,
    name: String,
    says: String,
}

fn row(kind: &'static str, name: impl Into<String>, says: impl Into<String>) -> Row {
    Row { kind, name: name.into(), says: says.into() }
}

fn rows() -> Vec<Row> {
    let unprefixed = [
        row("source", "NAME", "an image by its name alone: an engine on this machine, else its registry"),
        row("source", "PATTERN", "whole repositories and registries: `registry.example/team/*:v1.*`"),
    ];
    let prefixes = scan::target::PREFIXES.iter().map(|prefix| row("source", format!("{}:", prefix.name), prefix.doc));
    let sources = unprefixed.into_iter().chain(prefixes);
    let catalogers = inventory::catalogers::ALL.iter().map(|cataloger| {
        let reads = match cataloger.scope {
            Scope::Installed => "installed: images, trees, hosts",
            Scope::Shipped => "shipped: images",
            Scope::Declared => "declared: source trees",
        };
        row("cataloger", cataloger.name, reads)
    });
    let feeds = advisories::feeds::names().map(|name| row("feed", name, ""));
    let formats = formats::format::ALL.iter().map(|format| row("format", format.name, format.doc));
    let mut rows: Vec<Row> = sources.chain(catalogers).chain(feeds).chain(formats).collect();
    // Formats and sources stand in the order in which people are shown them; the others in no order at all.
    rows.sort_by_key(|row| match row.kind {
        "cataloger" | "feed" => row.name.to_lowercase(),
        _ => String::new(),
    });
    rows
}

/// What nothing real was at hand for: read as its publisher documents it.
const FROM_DOCUMENTATION: &[&str] =
    &["cataloger bottlerocket", "feed Alpine secdb (YAML)", "feed GitHub advisory (GraphQL)"];

/// `kind name` to `path::test`, from the remarks above tests.
fn proofs() -> BTreeMap<String, BTreeSet<String>> {
    let mut proofs = BTreeMap::<String, BTreeSet<String>>::new();
    for root in ["crates", "tests/e2e", "xtask"] {
        each_source(&xtask::root().join(root), &mut |path| {
            let text = fs::read_to_string(path).unwrap();
            let place = path.strip_prefix(xtask::root()).unwrap().display().to_string();
            let mut claimed = Vec::new();
            for line in text.lines().map(str::trim) {
                if let Some(claims) = line.strip_prefix(MARK) {
                    claimed.extend(claims.trim_end_matches('.').split("; ").map(str::to_owned));
                } else if let Some(test) = line.strip_prefix("fn ").and_then(|rest| rest.split(['(', '<']).next()) {
                    for claim in claimed.drain(..) {
                        proofs.entry(claim).or_default().insert(format!("{place}::{test}"));
                    }
                }
            }
            assert!(claimed.is_empty(), "{place}: a proof without a test");
        });
    }
    proofs
}

fn each_source(directory: &Path, visit: &mut dyn FnMut(&Path)) {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            each_source(&path, visit);
        } else if path.extension().is_some_and(|end| end == "rs") {
            visit(&path);
        }
    }
}

fn page(rows: &[Row], proofs: &BTreeMap<String, BTreeSet<String>>) -> String {
    let mut page = "# Coverage\n\nEverything that Dogwatch reads and writes, with the tests that prove it on input that their author did not make.\n\
                    Made from the code by `tests/e2e/tests/coverage.rs` (`UPDATE_EXPECT=1` writes it anew).\n"
        .to_owned();
    for (kind, title) in
        [("source", "Sources"), ("cataloger", "Catalogers"), ("feed", "Feeds"), ("format", "Output formats")]
    {
        let _ = write!(page, "\n## {title}\n\n| name | what | proved by |\n| --- | --- | --- |\n");
        for row in rows.iter().filter(|row| row.kind == kind) {
            let proofs = proofs.get(&format!("{kind} {}", row.name)).into_iter().flatten();
            let mut proofs: Vec<String> = proofs.map(|proof| format!("`{proof}`")).collect();
            if proofs.is_empty() {
                proofs.push("none: read as its publisher documents it, nothing real was at hand".into());
            }
            let _ = writeln!(page, "| {} | {} | {} |", row.name, row.says, proofs.join("<br>"));
        }
    }
    page
}

#[test]
fn everything_has_a_proof_and_every_proof_is_of_something() {
    let (rows, proofs) = (rows(), proofs());
    let names: BTreeSet<String> = rows.iter().map(|row| format!("{} {}", row.kind, row.name)).collect();
    let excused = |name: &&String| FROM_DOCUMENTATION.contains(&name.as_str());
    let unproved: Vec<&String> = names.iter().filter(|name| proofs.contains_key(*name) == excused(name)).collect();
    let unknown: Vec<&String> = proofs.keys().filter(|name| !names.contains(*name)).collect();
    assert!(
        unproved.is_empty() && unknown.is_empty(),
        "without a proof, or proved and still excused: {unproved:#?}\nproved, yet unknown: {unknown:#?}"
    );
    let (path, page) = (xtask::root().join(PAGE), page(&rows, &proofs));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, page).unwrap();
    } else {
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), page, "run it with UPDATE_EXPECT=1");
    }
}
