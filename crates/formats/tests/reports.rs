//! The documents for CI servers and people: golden files, official schemas, strangers' text, size.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dogwatch_formats::format::{ALL, Describes, Format, WriteOptions};
use dogwatch_formats::json;
use dogwatch_formats::template::{FILTERS, Template, TemplateError};
use expect_test::expect_file;
use model::artifact::{Artifact, ArtifactKind};
use model::finding::Severity;
use model::package::PackageId;
use model::report::{Comparison, ScanReport};
use model::verdict::Outcome;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn fixture(path: &str) -> String {
    std::fs::read_to_string(root().join("tests/fixtures").join(path)).unwrap()
}

fn report() -> ScanReport {
    json::read(fixture("formats/report.json").as_bytes()).unwrap()
}

fn compared() -> ScanReport {
    let mut report = report();
    report.comparison = Some(Comparison {
        with: "shop:1.3".into(),
        new: vec![0, 9],
        unchanged: 13,
        gone: vec!["CVE-1 a 1".into()],
        new_surface: None,
    });
    report
}

fn bare() -> ScanReport {
    let mut report = report();
    report.artifact = Artifact::new("dir:.", ArtifactKind::Directory);
    report.inventory.packages.iter_mut().for_each(|package| package.depends_on.clear());
    (report.findings, report.gaps, report.remedies) = (Vec::new(), Vec::new(), Vec::new());
    (report.knowledge, report.verdict) = (None, None);
    report
}

/// Every text of the report is an attack on some format.
fn hostile() -> ScanReport {
    const EVIL: &str = "<script>alert(1)</script>\"'`&]]>--><img src=x onerror=alert(1)>|[a](javascript:alert(1))\r\n::error::x,=1+1\u{1b}[2J\u{202e}\u{fffe}{{7*7}}";
    let mut text: Value = serde_json::to_value(report()).unwrap();
    fn spoil(value: &mut Value, key: &str) {
        // Fields with a form of their own stay; all others are strangers' text.
        const KEPT: &[&str] = &[
            "schema_version",
            "judged_at",
            "kind",
            "state",
            "type",
            "outcome",
            "stage",
            "action",
            "severity",
            "origin",
            "manifest_digest",
            "image_id",
            "diff_id",
            "digest",
            "recognised_by",
            "excused_by",
        ];
        match value {
            Value::String(text) if key == "type" && text.len() > 9 => {}
            Value::String(text) if !KEPT.contains(&key) => *text = format!("=@{EVIL}{text}"),
            Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, key)),
            Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| spoil(value, key)),
            _ => {}
        }
    }
    spoil(&mut text, "");
    let mut report = json::read(text.to_string().as_bytes()).unwrap();
    // Ids of exceptions and their uses agree again.
    report.findings.iter_mut().for_each(|finding| finding.references = vec!["javascript:alert(1)".into()]);
    report
}

fn written(name: &str, report: &ScanReport) -> String {
    let template = Template::new("mail.html.j2", fixture("formats/templates/mail.html.j2")).unwrap();
    let options = WriteOptions { template: Some(&template), ..WriteOptions::default() };
    Format::named(name).unwrap().write(report, &options).unwrap()
}

fn golden(name: &str, actual: &str) {
    // Golden files have plain line ends; another test sees to CSV's.
    let actual = &actual.replace("\r\n", "\n");
    expect_file![root().join("tests/fixtures/formats/golden").join(name)].assert_eq(actual);
}

fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {why}");
}

// Proves: format csv; format github-summary; format github-annotations; format cosign-vuln.
#[test]
fn every_format_is_as_agreed() {
    let others = ["table", "json", "sarif", "cyclonedx", "spdx", "html", "cosign-vuln"];
    for format in ALL.iter().filter(|format| !others.contains(&format.name)) {
        golden(&format!("report.{}.{}", format.name, format.extension), &written(format.name, &report()));
    }
    golden("comparison.github-summary.md", &written("github-summary", &compared()));
    golden("inventory.github-summary.md", &written("github-summary", &bare()));
    // The whole report is inside; what is around it is what matters.
    let mut predicate: Value = serde_json::from_str(&written("cosign-vuln", &report())).unwrap();
    let result = predicate["scanner"]["result"].take();
    assert_eq!(json::read(result.to_string().as_bytes()).unwrap(), report());
    golden("report.cosign-vuln.json", &format!("{predicate:#}\n"));
}

#[test]
fn the_table_of_formats_is_fit_to_be_shown() {
    let mut names: Vec<&str> = ALL.iter().map(|format| format.name).collect();
    assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-')), "{names:?}");
    assert!(ALL.iter().all(|format| !format.doc.is_empty() && format.doc.len() < 70 && !format.extension.is_empty()));
    let bills: Vec<&str> =
        ALL.iter().filter(|format| format.describes == Describes::Inventory).map(|format| format.name).collect();
    assert_eq!(bills, ["json", "cyclonedx", "spdx"]);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ALL.len());
    assert_eq!(Format::named("SARIF"), Format::named("sarif"));
    assert_eq!(Format::named("pdf"), None);
}

// Proves: format gitlab.
#[test]
fn gitlab_accepts_the_container_scanning_report() {
    let schema: Value = serde_json::from_str(&fixture("schemas/gitlab-container-scanning-15.0.6.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for report in [report(), compared(), bare(), hostile()] {
        let document: Value = serde_json::from_str(&written("gitlab", &report)).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&document).take(5).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let mut ids: Vec<&str> =
            document["vulnerabilities"].as_array().unwrap().iter().map(|v| v["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), report.findings.len(), "ids differ");
    }
    // It is really at work.
    let mut wrong: Value = serde_json::from_str(&written("gitlab", &report())).unwrap();
    wrong["vulnerabilities"][0]["details"]["layer"]["type"] = "prose".into();
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn a_vulnerability_keeps_its_gitlab_id_from_build_to_build() {
    let ids = |report: &ScanReport| -> Vec<Value> {
        let document: Value = serde_json::from_str(&written("gitlab", report)).unwrap();
        document["vulnerabilities"].as_array().unwrap().iter().map(|v| v["id"].clone()).collect()
    };
    let mut later = report();
    later.judged_at = "2027-01-01T00:00:00Z".parse().unwrap();
    later.artifact.manifest_digest = None;
    later.inventory.packages.iter_mut().for_each(|package| package.version.push_str("+b1"));
    assert_eq!(ids(&report()), ids(&later));
}

// Proves: format junit.
#[test]
fn junit_is_valid_and_counts_right() {
    let mut unknown = report();
    unknown.verdict.as_mut().unwrap().outcome = Outcome::Unknown;
    for report in [report(), unknown, bare(), hostile()] {
        let text = written("junit", &report);
        let count = |needle: &str| text.matches(needle).count();
        assert_eq!(count("<failure "), sum(&text, "failures"), "{text}");
        assert_eq!(count("<skipped "), sum(&text, "skipped"));
        assert_eq!(count("<error "), sum(&text, "errors"));
        assert_eq!(count("<testcase "), sum(&text, "tests"));
        xmllint(&text);
    }
    assert!(written("junit", &report()).contains("excused by EX-7"));
}

/// The sum of an attribute over all suites.
fn sum(text: &str, attribute: &str) -> usize {
    let suites = text.lines().filter(|line| line.trim_start().starts_with("<testsuite "));
    let value = |line: &str| line.split(&format!(" {attribute}=\"")).nth(1)?.split('"').next()?.parse::<usize>().ok();
    suites.filter_map(value).sum()
}

/// The most used of all readers of JUnit XML is Jenkins; this is its schema.
fn xmllint(text: &str) {
    let schema = root().join("tests/fixtures/schemas/junit-10.xsd");
    let mut command = Command::new("xmllint");
    command.args(["--nonet", "--noout", "--schema"]).arg(schema).arg("-");
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = spawned else { return skip("xmllint not installed") };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

// Proves: format html.
#[test]
fn the_page_is_one_file_and_strangers_text_is_text() {
    for report in [report(), compared(), bare(), hostile()] {
        let page = written("html", &report);
        assert_eq!(page.matches("<script").count(), 1, "only our own script");
        assert!(!page.contains("<img") && !page.contains("\"javascript:"));
        assert!(!page.contains("src=\"") && !page.contains("<link") && !page.contains("@import"), "nothing is loaded");
        let links: Vec<&str> = page.split("href=\"").skip(1).collect();
        let web = |link: &&str| link.starts_with("https:&#x2f;&#x2f;") || link.starts_with("http:&#x2f;&#x2f;");
        assert!(links.iter().all(|link| web(link) || link.starts_with("#findings")));
        assert_eq!(page.matches("<tr data-severity").count(), report.findings.len());
        assert!(!page.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'));
        assert!(page.len() < 400_000, "{}", page.len());
    }
}

#[test]
fn strangers_text_stays_in_its_place() {
    let csv = written("csv", &hostile());
    let rows: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(rows.len(), hostile().findings.len() + 2, "one line per finding");
    assert!(rows[1].starts_with("\"'=@<script>"), "{}", &rows[1][..40]);
    let summary = written("github-summary", &hostile());
    assert!(!summary.contains("<script") && !summary.contains("<img"), "{summary}");
    assert_eq!(summary.matches("](javascript").count(), summary.matches("\\](javascript").count(), "{summary}");
    let annotations = written("github-annotations", &hostile());
    assert!(annotations.lines().all(|line| line.starts_with("::error ") || line.starts_with("::warning ")));
    for format in ALL {
        let text = written(format.name, &hostile());
        let plain = text.replace("\r\n", "\n");
        // The table's own styles are escapes; the command strips them from files.
        let acting = plain.chars().find(|c| c.is_control() && *c != '\n' && *c != '\u{1b}' || *c == '\u{202e}');
        assert_eq!(acting, None, "{}", format.name);
        assert!(format.name == "table" || !plain.contains('\u{1b}'), "{}", format.name);
    }
}

#[test]
fn annotations_name_files_of_a_scanned_directory_only() {
    assert!(!written("github-annotations", &report()).contains("file="));
    let mut report = report();
    report.artifact = Artifact::new("dir:./shop", ArtifactKind::Directory);
    let text = written("github-annotations", &report);
    assert!(text.contains("file=shop/opt/shop/shop.war,line=1,title="), "{text}");
    report.artifact = Artifact::new("dir:/srv", ArtifactKind::Directory);
    assert!(!written("github-annotations", &report).contains("file="));
    for index in 0..60u32 {
        let mut finding = report.findings[0].clone();
        finding.id = format!("CVE-2026-{index:04}");
        report.findings.push(finding);
        let mut violation = report.verdict.as_ref().unwrap().violations[0].clone();
        violation.finding = Some(report.findings.len() as u32 - 1);
        report.verdict.as_mut().unwrap().violations.push(violation);
    }
    let text = written("github-annotations", &report);
    assert_eq!(text.matches("::error ").count(), 10, "GitHub shows ten");
    assert!(text.contains("63 denied"), "{text}");
}

fn template(name: &str, source: &str) -> Result<String, TemplateError> {
    Template::new(name, source)?.render(&report())
}

// Proves: format template.
#[test]
fn templates_of_users_work() {
    let asff = Template::new("asff.json.j2", fixture("formats/templates/asff.json.j2")).unwrap();
    for report in [report(), hostile()] {
        let findings: Value = serde_json::from_str(&asff.render(&report).unwrap()).unwrap();
        let findings = findings.as_array().unwrap();
        assert_eq!(findings.len(), report.findings.len());
        assert!(findings.iter().all(|finding| finding["Severity"]["Label"].is_string()));
    }
    golden("report.asff.json", &asff.render(&report()).unwrap());
    let mail = Template::new("mail.html.j2", fixture("formats/templates/mail.html.j2")).unwrap();
    assert!(!mail.render(&hostile()).unwrap().contains("<script"));
}

#[test]
fn templates_see_the_report_and_our_filters() {
    assert_eq!(template("x.txt", "{{ artifact.target }}").unwrap(), "registry.example/team/shop:1.4");
    assert_eq!(template("x", "{{ nothing_here }}{{ knowledge.nothing }}").unwrap(), "");
    assert_eq!(template("x.json", "{{ nothing_here }}").unwrap(), "null");
    assert_eq!(template("x.txt", "{{ '<b>' }}").unwrap(), "<b>");
    assert_eq!(template("x.html.tpl", "{{ '<b>' }}").unwrap(), "&lt;b&gt;");
    assert_eq!(template("x", "{{ '=1,2'|csv }}").unwrap(), "\"'=1,2\"");
    assert_eq!(template("x", "{{ '[a]'|markdown }} {{ 'a\\x07'|printable }}").unwrap(), "\\[a\\] a\\u{7}");
    let counts = "{% for severity, count in findings|severity_counts %}{{ severity }}={{ count }} {% endfor %}";
    assert_eq!(template("x", counts).unwrap(), "critical=1 high=6 medium=3 low=2 unknown=3 ");
    let first = "{{ findings[0]|fix_text }} {{ (findings[0]|package_of).name }} {{ findings[0]|page_of }}";
    assert!(template("x", first).unwrap().starts_with("fixed in 2.15.0 org.apache.logging.log4j:log4j-core https://"));
    // All of them are there.
    for (filter, _) in FILTERS {
        let wrong = template("x", &format!("{{{{ 1|{filter} }}}}"));
        assert!(!format!("{wrong:?}").contains("unknown filter"), "{filter}");
    }
}

#[test]
fn templates_are_bounded_and_their_mistakes_have_a_line() {
    let error = |source: &str| template("mine.j2", source).unwrap_err().to_string();
    assert!(error("a\n{{ findings|nonsense }}").starts_with("`mine.j2`, line 2: unknown filter"));
    assert!(error("a\nb\n{% for %}").starts_with("`mine.j2`, line 3: syntax error"));
    assert!(error("{% include '/etc/passwd' %}").contains("line 1"));
    let loops = "{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}";
    assert!(matches!(template("x", loops), Err(TemplateError::TooManySteps { .. } | TemplateError::TooLong { .. })));
    assert!(error("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").contains("recursion"));
    assert!(matches!(Template::new("x", "x".repeat(2 << 20)), Err(TemplateError::TooLarge { .. })));
    assert!(matches!(Template::new("x", "{{".repeat(40_000)), Err(TemplateError::LongLine { .. })));
    let missing = Format::named("template").unwrap().write(&report(), &WriteOptions::default());
    assert!(matches!(missing, Err(TemplateError::Missing)));
}

/// 2,000 packages and 5,000 findings times `size`.
fn large(size: u32) -> ScanReport {
    let mut report = report();
    let (packages, findings) = (report.inventory.packages.clone(), report.findings.clone());
    let violations = report.verdict.as_ref().unwrap().violations.clone();
    report.inventory.packages = (0..2000 * size)
        .map(|number| {
            let mut package = packages[number as usize % packages.len()].clone();
            (package.id, package.name) = (PackageId(number), format!("{}-{number}", package.name));
            package.depends_on.clear();
            package
        })
        .collect();
    report.findings = (0..5000 * size)
        .map(|number| {
            let mut finding = findings[number as usize % findings.len()].clone();
            (finding.id, finding.package) = (format!("CVE-2026-{number:05}"), PackageId(number % (2000 * size)));
            finding.severity = [Severity::Low, Severity::High, Severity::Critical][number as usize % 3];
            finding
        })
        .collect();
    report.verdict.as_mut().unwrap().violations = (0..5000 * size)
        .map(|number| {
            let mut violation = violations[number as usize % violations.len()].clone();
            violation.finding = Some(number);
            violation
        })
        .collect();
    report.remedies.iter_mut().for_each(|remedy| remedy.removes = (0..5000 * size).collect());
    report
}

/// Time on the processor: other programs run on this machine. Wall-clock time where the system does not say.
fn cpu(begun: Instant) -> Duration {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = spent.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| begun.elapsed(), Duration::from_nanos)
}

/// `cargo test … -- --nocapture` shows the times.
#[test]
fn writing_takes_time_in_proportion_to_the_report() {
    let (small, big) = (large(1), large(4));
    for format in ALL {
        let timed = |report: &ScanReport| {
            let (started, begun) = (Instant::now(), cpu(Instant::now()));
            let length = written(format.name, report).len();
            (cpu(started).saturating_sub(begun), length)
        };
        let ((first, length), (four, _)) = (timed(&small), timed(&big));
        println!("{:<20} {first:>8.1?} {four:>8.1?} {length:>9} bytes", format.name);
        let grown = four.as_secs_f64() / first.as_secs_f64().max(0.010);
        assert!(grown < 9.0, "{}: four times the report takes {grown:.1} times as long", format.name);
    }
    assert!(written("github-summary", &big).len() < 1 << 20, "GitHub's bound");
}

#[test]
fn the_guide_lists_every_format_and_filter() {
    let guide = std::fs::read_to_string(root().join("docs/guide/outputs.md")).unwrap();
    for format in ALL {
        let row = format!("| `{}` | `{}` | {} |", format.name, format.extension, format.doc);
        assert!(guide.contains(&row), "docs/guide/outputs.md lacks: {row}");
    }
    for (filter, doc) in FILTERS {
        let row = format!("| `{filter}` | {doc} |");
        assert!(guide.contains(&row), "docs/guide/outputs.md lacks: {row}");
    }
}
