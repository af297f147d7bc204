//! Every feed on real records: what is understood of them, and what they say of versions.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use dogwatch_advisories::feeds::{Form, Item, Parsed, read};
use dogwatch_advisories::{BuildOptions, Index, build};
use expect_test::expect_file;
use model::advisory::{Advisories, RangeEnd};
use model::ecosystem::Query;
use model::finding::{Exploitation, TechnicalImpact};
use model::report::CoverageState;

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

// Proves: feed OSV (YAML); feed Arch Linux tracker; feed CSAF; feed CVE record; feed Debian security tracker.
// Proves: feed Debian advisory list; feed EPSS history; feed FriendsOfPHP; feed GitHub advisory (REST); feed GLSA.
// Proves: feed compromised packages; feed NVD 2.0; feed OpenVEX; feed OVAL; feed Photon OS list; feed RubySec.
// Proves: feed RustSec; feed Alpine secdb; feed updateinfo; feed Wolfi advisories.
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

/// What `read` makes of some text; nothing when it is no feed.
fn items(name: &str, content: &[u8]) -> (Vec<String>, Option<String>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, content).unwrap();
    let mut found = Vec::new();
    let outcome = read(&path, &mut |item| {
        let mut text = String::new();
        render(&item, &mut text);
        found.push(text);
    });
    (found, outcome.err().map(|error| error.to_string()))
}

#[test]
fn an_entity_that_grows_is_refused_and_not_expanded() {
    let bomb = r#"<?xml version="1.0"?><!DOCTYPE updates [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;">]>
        <updates><update type="security"><id>RLSA-1</id><title>&b;</title></update></updates>"#;
    let (found, error) = items("bomb.xml", bomb.as_bytes());
    assert!(found.is_empty(), "{found:?}");
    assert!(error.unwrap().contains("an entity of its own"));
    let aliases = "schema-version: &a [x,x,x,x,x,x,x,x,x]\npackage: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nadvisories: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n";
    let more: String = ('d'..'k')
        .map(|c| format!("{c}: &{c} [{}]\n", vec![format!("*{}", (c as u8 - 1) as char); 9].join(",")))
        .collect();
    let (found, error) = items("bomb.yaml", format!("{aliases}{more}").as_bytes());
    assert!(found.is_empty() && error.is_some(), "{found:?}");
}

#[test]
fn depth_and_size_are_bounded_and_said() {
    for (start, nest) in [
        (
            r#"{"document":{"csaf_version":"2.0","tracking":{"id":"X"},"publisher":{}},"product_tree":{"branches":["#,
            r#"{"branches":["#,
        ),
        (r#"{"cveMetadata":{"cveId":"CVE-2024-1"},"containers":{"cna":{"metrics":["#, "["),
        (r#"{"ghsa_id":"GHSA-1","vulnerabilities":["#, r#"{"package":["#),
    ] {
        let (found, error) = items("deep.json", format!("{start}{}", nest.repeat(50_000)).as_bytes());
        assert!(found.is_empty(), "{found:?}");
        assert!(error.unwrap().len() < 300);
    }
    let deep = format!("<oval_definitions><definitions>{}", "<criteria>".repeat(50_000));
    assert!(items("deep.xml", deep.as_bytes()).1.unwrap().contains("elements more than"));
    let deep = format!("id: x\naffected: {}", "[".repeat(50_000));
    assert!(items("deep.yaml", deep.as_bytes()).1.is_some());
}

#[test]
fn an_archive_s_member_that_explodes_is_a_problem_and_the_others_are_read() {
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("big.json", options).unwrap();
    let zeros = vec![b' '; 1 << 20];
    (0..65).for_each(|_| zip.write_all(&zeros).unwrap());
    zip.start_file("README.md", options).unwrap();
    zip.write_all(b"# not a feed").unwrap();
    zip.start_file("RUSTSEC-2020-0071.md", options).unwrap();
    zip.write_all(&std::fs::read(fixtures().join("RUSTSEC-2020-0071.md")).unwrap()).unwrap();
    let (found, error) = items("all.zip", &zip.finish().unwrap().into_inner());
    assert_eq!(error, None);
    assert!(found[0].starts_with("PROBLEM big.json: is longer than any record"), "{found:?}");
    assert!(found[1].starts_with("RUSTSEC-2020-0071"), "{found:?}");
}

#[test]
fn a_tar_of_records_is_read_compressed_or_not() {
    let mut tar = tar::Builder::new(Vec::new());
    for name in ["redhat-vex-CVE-2024-24786.json", "suse-vex-CVE-2023-47627.json"] {
        tar.append_path_with_name(fixtures().join(name), format!("vex/{name}")).unwrap();
    }
    let tar = tar.into_inner().unwrap();
    let plain = items("vex.tar", &tar);
    assert_eq!(plain.0.len(), 2, "{plain:?}");
    assert_eq!(items("vex.tar.zst", &zstd::encode_all(tar.as_slice(), 3).unwrap()), plain);
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    std::io::Write::write_all(&mut bzip2, &tar).unwrap();
    assert_eq!(items("vex.tar.bz2", &bzip2.finish().unwrap()), plain);
    assert!(items("cut.tar", &tar[..700]).1.is_some());
}

#[test]
fn products_that_are_components_of_each_other_end() {
    let related = |id: &str, a: &str, b: &str| {
        format!(
            r#"{{"full_product_name":{{"product_id":"{id}","name":""}},"product_reference":"{a}","relates_to_product_reference":"{b}"}}"#
        )
    };
    let text = format!(
        r#"{{"document":{{"csaf_version":"2.0","publisher":{{"name":"x"}},"tracking":{{"id":"CVE-2024-1"}}}},
        "product_tree":{{"relationships":[{},{}]}},"vulnerabilities":[{{"product_status":{{"fixed":["a","b"]}}}}]}}"#,
        related("a", "b", "b"),
        related("b", "a", "a")
    );
    let (found, error) = items("circle.json", text.as_bytes());
    assert_eq!((found.len(), error), (1, None));
}

#[test]
fn the_same_words_in_another_format_are_not_taken_for_it() {
    for text in [
        r#"{"vulnerabilities":[]}"#,
        r#"{"statements":[]}"#,
        "packages:\n- x\n",
        "<html><body/></html>",
        "[1,2]",
        "# a text",
    ] {
        assert_eq!(items("x", text.as_bytes()).1.as_deref(), Some("is no feed of a known format"), "{text}");
    }
    // Neither a picture nor a long text is read to its end to find that out.
    assert!(items("picture", &[b"\x89PNG\r\n".as_slice(), &[0; 100]].concat()).1.is_some());
    assert!(items("novel.txt", "It was a dark night.\n".repeat(50_000).as_bytes()).1.is_some());
    let vex = r#"{"@context":"https://openvex.dev/ns/v0.2.0","author":"somebody","statements":[{"vulnerability":"CVE-2024-1","products":["pkg:oci/shop@1"],"status":"fixed"}]}"#;
    assert!(items("vex.json", vex.as_bytes()).1.unwrap().contains("of a distribution"));
}

/// An index of some fixtures and of texts.
fn index(scene: &tempfile::TempDir, files: &[PathBuf]) -> Index {
    let out = scene.path().join("index");
    build(files, &out, &BuildOptions::default()).unwrap();
    Index::open(&out).unwrap()
}

#[test]
fn both_repositories_of_a_release_are_all_of_it_and_one_is_not() {
    let scene = tempfile::tempdir().unwrap();
    let repository = |name: &str, prefix: &str| {
        let package =
            |n: u32| format!(r#"{{"pkg":{{"name":"{prefix}{n}","secfixes":{{"1.0-r{n}":["CVE-2024-0001"]}}}}}}"#);
        let packages = (0..60).map(package).collect::<Vec<_>>().join(",");
        let path = scene.path().join(format!("{name}.json"));
        std::fs::write(&path, format!(r#"{{"reponame":"{name}","distroversion":"v3.20","urlprefix":"https://dl-cdn.alpinelinux.org/alpine","packages":[{packages}]}}"#)).unwrap();
        path
    };
    let (main, community) = (repository("main", "a"), repository("community", "b"));
    let coverage = |files: &[PathBuf]| index(&scene, files).coverage("Alpine:v3.20").unwrap();
    let part = coverage(std::slice::from_ref(&main));
    assert_eq!((part.state, part.note.as_deref()), (CoverageState::Partial, Some("community was not read")));
    assert_eq!(coverage(&[main.clone(), community.clone()]).state, CoverageState::Complete);
    // Both speak of one CVE under one id, without a date: neither replaces the other.
    let both = index(&scene, &[main, community]);
    for name in ["a7", "b7"] {
        assert_eq!(both.candidates("Alpine:v3.20", name).unwrap().len(), 1, "{name}");
    }
}

#[test]
fn estimates_of_earlier_days_are_a_history_and_a_change() {
    let scene = tempfile::tempdir().unwrap();
    let epss = |date: &str, score: &str| {
        let path = scene.path().join(format!("epss-{date}.csv"));
        std::fs::write(
            &path,
            format!(
                "#model_version:v1,score_date:{date}T00:00:00+0000\ncve,epss,percentile\nCVE-2024-3094,{score},0.5\n"
            ),
        )
        .unwrap();
        path
    };
    let days = [epss("2026-08-16", "0.85974"), epss("2026-07-17", "0.70000"), epss("2026-01-01", "0.10000")];
    let facts = index(&scene, &days).vulnerability("CVE-2024-3094").unwrap();
    let now = facts.epss.unwrap();
    assert_eq!((now.score, now.change), (0.85974, Some(0.15974)));
    let history: Vec<(&str, f64)> = facts.epss_history.iter().map(|point| (point.date.as_str(), point.score)).collect();
    assert_eq!(history, [("2026-01-01", 0.1), ("2026-07-17", 0.7)]);
    // FIRST's own collection of years, monthly: the newest is in force.
    let facts = index(&scene, &[fixtures().join("epss-history.jsonl")]).vulnerability("CVE-1999-0003").unwrap();
    assert_eq!(facts.epss_history.first().unwrap().date, "2024-04-01");
    assert!(facts.epss_history.len() >= 20 && facts.epss.is_some());
}

#[test]
fn each_provider_of_facts_keeps_its_word() {
    let scene = tempfile::tempdir().unwrap();
    let record = scene.path().join("record.json");
    let text = std::fs::read_to_string(fixtures().join("cve5-CVE-2024-3018.json")).unwrap();
    std::fs::write(&record, text.replace("CVE-2024-3018", "CVE-2024-3400")).unwrap();
    let facts =
        index(&scene, &[record, fixtures().join("nvd-CVE-2024-3400.json")]).vulnerability("CVE-2024-3400").unwrap();
    let scorers: Vec<&str> = facts.scores.iter().map(|score| score.scorer.as_str()).collect();
    assert_eq!(scorers, ["Wordfence", "psirt@paloaltonetworks.com", "NVD"]);
    let ssvc = facts.ssvc.unwrap();
    assert_eq!((ssvc.exploitation, ssvc.technical_impact), (Exploitation::None, TechnicalImpact::Partial));
    assert_eq!(facts.kev.unwrap().date_added.as_deref(), Some("2024-04-12"));
}

#[test]
fn symbols_and_malice_are_kept() {
    let scene = tempfile::tempdir().unwrap();
    let index =
        index(&scene, &[fixtures().join("RUSTSEC-2020-0071.md"), fixtures().join("compromised-packages.jsonl")]);
    let row = index.candidates("crates.io", "time").unwrap()[0];
    let advisory = index.advisory(row.advisory, "crates.io", "time").unwrap();
    assert!(advisory.affected[0].symbols.contains(&"time::now".to_owned()) && !advisory.malicious);
    let row = index.candidates("npm", "@oku-ui/slot").unwrap()[0];
    assert!(index.advisory(row.advisory, "npm", "@oku-ui/slot").unwrap().malicious);
}
