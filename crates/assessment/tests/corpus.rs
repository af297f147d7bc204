//! Labelled matches: real records through the real index, against what the advisories' own words say about a package.
//!
//! `cases.tsv` was labelled by reading the records; `agreed.tsv` holds what another scanner found with the same records
//! (see the fixtures' README).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use advisories::{BuildOptions, Index, build};
use dogwatch_assessment::vulnerability::{AssessOptions, assess};
use model::finding::Finding;
use model::inventory::Inventory;
use model::purl;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/assessment").join(name)
}

fn index(records: &str) -> Index {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("index");
    build(&[fixture(records)], &out, &BuildOptions::default()).unwrap();
    Index::open(&out).unwrap()
}

/// The findings of one package, alone on a host of the distribution that its URL names.
fn findings(index: &Index, text: &str) -> Vec<Finding> {
    let parsed = purl::parse(text).unwrap();
    let package = parsed.package(text);
    let inventory = Inventory { distro: parsed.distro, packages: vec![package], ..Inventory::default() };
    assess(&inventory, index, &AssessOptions::default()).unwrap().findings
}

fn words(words: BTreeSet<String>) -> String {
    if words.is_empty() { "none".to_owned() } else { words.into_iter().collect::<Vec<_>>().join(" ") }
}

/// `CVE-1<DSA-1`, `GHSA-2`: the id, and the advisories that say so where they are not it.
fn by_id(found: &[Finding]) -> String {
    let word = |finding: &Finding| {
        let says: BTreeSet<&str> =
            finding.matches.iter().map(|found| found.advisory.as_str()).filter(|id| *id != finding.id).collect();
        says.into_iter().fold(finding.id.clone(), |word, advisory| format!("{word}<{advisory}"))
    };
    words(found.iter().map(word).collect())
}

fn by_advisory(found: &[Finding]) -> String {
    words(found.iter().flat_map(|finding| &finding.matches).map(|found| found.advisory.clone()).collect())
}

fn check(table: &str, records: &str, render: fn(&[Finding]) -> String, at_least: usize) {
    let (index, table) = (index(records), std::fs::read_to_string(fixture(table)).unwrap());
    let mut wrong = String::new();
    let mut cases = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.split('\t');
        let (package, expected) = (columns.next().unwrap(), columns.next().unwrap());
        let expected = words(expected.split(' ').filter(|word| *word != "none").map(str::to_owned).collect());
        let found = render(&findings(&index, package));
        if found != expected {
            let why = columns.next().unwrap_or_default();
            wrong += &format!("{package}\n  expected {expected}\n  found    {found}\n  {why}\n");
        }
        cases += 1;
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(cases >= at_least, "{cases} cases");
}

#[test]
fn every_labelled_case_is_matched_as_its_records_say() {
    check("cases.tsv", "records.jsonl", by_id, 150);
}

#[test]
fn another_scanner_finds_the_same() {
    check("agreed.tsv", "agreed-records.jsonl", by_advisory, 300);
}
