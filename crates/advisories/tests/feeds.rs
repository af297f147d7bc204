//! Every feed on real records: what is understood of them, and what they say of versions.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use dogwatch_advisories::feeds::{Form, Item, Parsed, read};
use dogwatch_advisories::{BuildOptions, Index, build};
use expect_test::expect_file;
use model::advisory::RangeEnd;
use model::ecosystem::Query;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/feeds")
}

/// Every fixture of a feed, without those that say how it was read.
fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file() && !path.ends_with("README.md")).collect();
    files.sort();
    files
}

#[test]
fn what_a_feed_says_is_what_was_read_before() {
    for file in files() {
        let mut text = String::new();
        let form = read(&file, &mut |item| render(&item, &mut text));
        let form = form.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let form = match form {
            Form::Single => "one record",
            Form::Collection => "some records",
            Form::Catalogue => "a whole list",
            Form::Archive => "an archive",
        };
        let golden = fixtures().join("golden").join(format!("{name}.txt"));
        expect_file![golden].assert_eq(&format!("{form}\n\n{text}"));
    }
}

fn render(item: &Item, text: &mut String) {
    match item {
        Item::Advisory(parsed) => advisory(parsed, text),
        Item::Kev(entry) => writeln!(text, "KEV {} {:?}", entry.cve, entry.date_added).unwrap(),
        Item::Facts(facts) => {
            writeln!(text, "facts of {} by {:?}, modified {}", facts.cve, facts.provider, facts.modified).unwrap();
            for score in &facts.scores {
                writeln!(text, "  {} {} {}", score.scorer, score.score, score.vector).unwrap();
            }
            facts.ssvc.iter().for_each(|ssvc| writeln!(text, "  {ssvc:?}").unwrap());
        }
        Item::Epss(_) => text.push_str("EPSS\n"),
        Item::EpssDate(date) => write!(text, "{date} ").unwrap(),
        Item::KevDate(date) => writeln!(text, "KEV of {date}").unwrap(),
        Item::Part { ecosystem, part, of } => writeln!(text, "{part} of {of:?} for {ecosystem}").unwrap(),
        Item::Problem { record, detail } => writeln!(text, "PROBLEM {record}: {detail}").unwrap(),
    }
}

fn advisory(parsed: &Parsed, text: &mut String) {
    let advisory = &parsed.advisory;
    writeln!(text, "{} by {}{}", advisory.id, advisory.source, if advisory.malicious { ", malicious" } else { "" })
        .unwrap();
    if !advisory.summary.is_empty() {
        writeln!(text, "  {}", advisory.summary).unwrap();
    }
    for (word, list) in [
        ("aliases", &advisory.aliases),
        ("upstream", &advisory.upstream),
        ("related", &advisory.related),
        ("see", &advisory.references),
    ] {
        if !list.is_empty() {
            writeln!(text, "  {word} {}", list.join(" ")).unwrap();
        }
    }
    if !advisory.published.is_empty() || !advisory.modified.is_empty() {
        writeln!(text, "  published {}, modified {}", advisory.published, advisory.modified).unwrap();
    }
    advisory.withdrawn.iter().for_each(|date| writeln!(text, "  withdrawn {date}").unwrap());
    for severity in &advisory.severities {
        writeln!(text, "  severity {} by {}", severity.value, severity.scorer).unwrap();
    }
    for affected in &advisory.affected {
        write!(text, "  {} {}", affected.ecosystem, affected.name).unwrap();
        for range in &affected.ranges {
            let from = range.introduced.as_deref().unwrap_or("*");
            match &range.end {
                RangeEnd::Open => write!(text, " [{from}, )"),
                RangeEnd::Fixed(version) => write!(text, " [{from}, {version})"),
                RangeEnd::LastAffected(version) => write!(text, " [{from}, {version}]"),
                RangeEnd::Exactly => write!(text, " ={from}"),
            }
            .unwrap();
        }
        if !affected.versions.is_empty() {
            write!(text, " one of {}", affected.versions.join(" ")).unwrap();
        }
        for (word, value) in [("status", &affected.status), ("module", &affected.module)] {
            value.iter().for_each(|value| write!(text, ", {word} {value:?}").unwrap());
        }
        for severity in &affected.severities {
            write!(text, ", {} by {}", severity.value, severity.scorer).unwrap();
        }
        if !affected.symbols.is_empty() {
            write!(text, ", in {}", affected.symbols.join(" ")).unwrap();
        }
        text.push('\n');
    }
    parsed.partial.iter().for_each(|why| writeln!(text, "  never all: {why}").unwrap());
    parsed.problems.iter().for_each(|problem| writeln!(text, "  PROBLEM {problem}").unwrap());
}

/// Packages and what the records say of them, each judged by hand from the record; the last column says why.
#[test]
fn versions_are_judged_as_a_reader_of_the_record_would() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("index");
    build(&files(), &out, &BuildOptions::default()).unwrap();
    let index = Index::open(&out).unwrap();
    let labels = std::fs::read_to_string(fixtures().join("golden/labels.tsv")).unwrap();
    let mut wrong = Vec::new();
    for line in labels.lines().skip(1) {
        let mut fields = line.split('\t');
        let mut field = || fields.next().unwrap_or_else(|| panic!("too few fields: {line}"));
        let (ecosystem, name, version, id, expected) = (field(), field(), field(), field(), field());
        let query = Query { ecosystem: ecosystem.into(), name: name.into(), version: version.into() };
        let hits = index.search(&query).unwrap();
        let hit = hits.iter().filter(|hit| hit.comparable).find(|hit| {
            let advisory = &hit.advisory;
            [&advisory.aliases, &advisory.upstream].into_iter().flatten().chain([&advisory.id]).any(|other| other == id)
        });
        let status = hit.and_then(|hit| hit.affected.status.as_deref());
        let found = match (hit, status) {
            (None, _) => "no".to_owned(),
            (Some(_), None) => "yes".to_owned(),
            (Some(_), Some(status)) => format!("yes: {status}"),
        };
        if found != expected {
            wrong.push(format!("{line}: found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
