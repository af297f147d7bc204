//! JUnit XML, the test report that every CI server shows.
//!
//! Nobody owns this format; this is what Jenkins' `junit-10.xsd`, GitLab and GitHub's reporters have in common. A finding is a
//! test case: it fails when a policy denies it, is skipped when an exception excuses it, and passes otherwise, so the
//! number of failures is the number of reasons not to ship. A gap is a skipped test: it was not looked at. A verdict that
//! could not be reached is an error.

use std::collections::BTreeSet;
use std::io;

use model::report::ScanReport;
use model::verdict::{Action, Outcome, Violation};
use quick_xml::Writer;
use quick_xml::events::BytesText;

use crate::marks::Marks;
use crate::printable::spelled_out;
use crate::several::Unscanned;
use crate::words;

/// What comes before the suites.
pub const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"dogwatch\">\n";
/// What comes after them.
pub const TAIL: &str = "</testsuites>\n";

/// The report as JUnit XML.
pub fn write(report: &ScanReport) -> String {
    format!("{HEAD}{}{TAIL}", write_suites(report))
}

/// The report's suites, to stand between [`HEAD`] and [`TAIL`].
pub fn write_suites(report: &ScanReport) -> String {
    let suites = [policies(report), vulnerabilities(report), gaps(report)];
    let moment = report.judged_at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    xml(&suites, words::name(report), Some(&moment))
}

/// A target that could not be scanned: a suite with one error.
pub fn write_unscanned(unscanned: &Unscanned) -> String {
    let case = Case {
        class: "policy".into(),
        name: "a verdict could be reached".into(),
        result: CaseResult::Error { message: unscanned.error.clone() },
        text: unscanned.hint.clone().unwrap_or_default(),
    };
    xml(&[Suite { name: "policies", cases: vec![case] }], &unscanned.target, None)
}

fn xml(suites: &[Suite], target: &str, moment: Option<&str>) -> String {
    let mut text = String::new();
    for suite in suites.iter().filter(|suite| !suite.cases.is_empty()) {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        // Writing into memory does not fail.
        let _ = self::suite(&mut writer, suite, target, moment);
        text.push_str(&String::from_utf8(writer.into_inner()).unwrap_or_default());
        text.push('\n');
    }
    text
}

struct Suite {
    name: &'static str,
    cases: Vec<Case>,
}

struct Case {
    class: String,
    name: String,
    result: CaseResult,
    /// Printed below the case.
    text: String,
}

enum CaseResult {
    Passed,
    Failed { kind: String, message: String },
    Skipped { message: String },
    Error { message: String },
}

impl Suite {
    fn count(&self, is: fn(&CaseResult) -> bool) -> String {
        self.cases.iter().filter(|case| is(&case.result)).count().to_string()
    }

    fn failures(&self) -> String {
        self.count(|result| matches!(result, CaseResult::Failed { .. }))
    }

    fn errors(&self) -> String {
        self.count(|result| matches!(result, CaseResult::Error { .. }))
    }

    fn skipped(&self) -> String {
        self.count(|result| matches!(result, CaseResult::Skipped { .. }))
    }
}

/// One case per policy, which fails for what it denies of the image as a whole; and one for the verdict.
fn policies(report: &ScanReport) -> Suite {
    let mut cases = Vec::new();
    let Some(verdict) = &report.verdict else { return Suite { name: "policies", cases } };
    let of_image =
        |policy: &str| verdict.denials().find(|violation| violation.finding.is_none() && violation.policy == policy);
    let mut seen = BTreeSet::new();
    for policy in verdict.policies.iter().filter(|policy| seen.insert(*policy)) {
        let result = match of_image(policy) {
            Some(v) => CaseResult::Failed { kind: words::action(v.action).into(), message: v.rationale.clone() },
            None => CaseResult::Passed,
        };
        cases.push(Case { class: "policy".into(), name: policy.clone(), result, text: String::new() });
    }
    let result = match verdict.outcome {
        Outcome::Unknown => CaseResult::Error { message: "could not tell: see the gaps".into() },
        Outcome::Passed | Outcome::Failed => CaseResult::Passed,
    };
    let text = format!("verdict: {}", words::outcome(verdict.outcome));
    cases.push(Case { class: "policy".into(), name: "a verdict could be reached".into(), result, text });
    Suite { name: "policies", cases }
}

fn vulnerabilities(report: &ScanReport) -> Suite {
    let marks = Marks::of(report);
    let mut reasons: Vec<Vec<&Violation>> = vec![Vec::new(); report.findings.len()];
    for violation in report.verdict.iter().flat_map(|verdict| &verdict.violations) {
        if let Some(of_finding) = violation.finding.and_then(|index| reasons.get_mut(index as usize)) {
            of_finding.push(violation);
        }
    }
    let case = |(index, finding): (usize, &model::finding::Finding)| {
        let package = report.inventory.package(finding.package);
        let fix = words::fix(&finding.fix);
        let policies = |excused: bool| {
            let reasons = reasons[index].iter().filter(move |violation| violation.excused_by.is_some() == excused);
            reasons.filter(|violation| violation.action >= Action::Deny).map(|violation| violation.policy.as_str())
        };
        let result = match () {
            () if marks.is_denied(index) => CaseResult::Failed {
                kind: policies(false).collect::<Vec<_>>().join(", "),
                message: format!("{}, {fix}", finding.severity.as_str()),
            },
            () if marks.is_excused(index) => {
                let by = reasons[index].iter().find_map(|violation| violation.excused_by.as_deref());
                CaseResult::Skipped { message: format!("excused by {}", by.unwrap_or_default()) }
            }
            () => CaseResult::Passed,
        };
        let path = package.evidence.first().map_or("", |evidence| evidence.path.as_str());
        let facts = [
            finding.summary.clone().unwrap_or_default(),
            words::recommendation(finding, package),
            words::layer(&report.artifact, package),
            path.to_owned(),
            words::page(finding),
        ];
        let text = facts.into_iter().filter(|fact| !fact.is_empty()).collect::<Vec<_>>().join("\n");
        let name = format!("{} ({})", finding.id, finding.severity.as_str());
        Case { class: words::name_and_version(package), name, result, text }
    };
    Suite { name: "vulnerabilities", cases: report.findings.iter().enumerate().map(case).collect() }
}

fn gaps(report: &ScanReport) -> Suite {
    let gaps = report.inventory.gaps.iter().chain(&report.gaps);
    let case = |gap: &model::gap::Gap| Case {
        class: gap.kind.as_str().to_owned(),
        name: gap.subject.clone(),
        result: CaseResult::Skipped { message: gap.detail.clone() },
        text: String::new(),
    };
    Suite { name: "gaps", cases: gaps.map(case).collect() }
}

type Xml = Writer<Vec<u8>>;

fn suite(writer: &mut Xml, suite: &Suite, target: &str, moment: Option<&str>) -> io::Result<()> {
    let (name, count) = (clean(&format!("{target}: {}", suite.name)), suite.cases.len().to_string());
    let (failures, errors, skipped) = (suite.failures(), suite.errors(), suite.skipped());
    let counts = [
        ("name", name.as_str()),
        ("tests", &count),
        ("failures", &failures),
        ("errors", &errors),
        ("skipped", &skipped),
    ];
    writer
        .create_element("testsuite")
        .with_attributes(counts)
        .with_attributes(moment.map(|moment| ("timestamp", moment)))
        .write_inner_content(|writer| suite.cases.iter().try_for_each(|case| self::case(writer, case)))?;
    Ok(())
}

fn case(writer: &mut Xml, case: &Case) -> io::Result<()> {
    let (class, name, text) = (clean(&case.class), clean(&case.name), lines(&case.text));
    let element =
        writer.create_element("testcase").with_attributes([("classname", class.as_str()), ("name", name.as_str())]);
    let with_message = |writer: &mut Xml, tag: &str, kind: Option<&str>, message: &str| -> io::Result<()> {
        let message = clean(message);
        let mut element = writer.create_element(tag).with_attribute(("message", message.as_str()));
        if let Some(kind) = kind {
            element = element.with_attribute(("type", clean(kind).as_str()));
        }
        match text.is_empty() {
            true => element.write_empty()?,
            false => element.write_text_content(BytesText::new(&text))?,
        };
        Ok(())
    };
    match &case.result {
        CaseResult::Passed if text.is_empty() => element.write_empty()?,
        CaseResult::Passed => element.write_inner_content(|writer| {
            writer.create_element("system-out").write_text_content(BytesText::new(&text)).map(drop)
        })?,
        CaseResult::Failed { kind, message } => {
            element.write_inner_content(|writer| with_message(writer, "failure", Some(kind), message))?
        }
        CaseResult::Skipped { message } => {
            element.write_inner_content(|writer| with_message(writer, "skipped", None, message))?
        }
        CaseResult::Error { message } => {
            element.write_inner_content(|writer| with_message(writer, "error", Some("unknown"), message))?
        }
    };
    Ok(())
}

/// Text without the characters that XML 1.0 (section 2.2) forbids even when escaped: what acts is written out.
fn clean(text: &str) -> String {
    spelled_out(text).into_owned()
}

/// The same, keeping our own line ends.
fn lines(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}
