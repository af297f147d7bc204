//! One line per finding, as spreadsheets read it: RFC 4180 with a header line.
//!
//! A cell that begins with `=`, `+`, `-`, `@`, a tab or a line end would be a formula to a spreadsheet (OWASP, "CSV
//! injection"), and package names are strangers' text, so an apostrophe is put before it: `'@babel/core`. Whoever reads
//! the file by program takes that one character off again, or takes `-o json`.

use model::finding::Finding;
use model::report::ScanReport;

use crate::marks::Marks;
use crate::printable::spelled_out;
use crate::words;

/// A column: its heading and what stands in it.
type Column = (&'static str, fn(&Row<'_>) -> String);

/// What a line is made from.
struct Row<'a> {
    report: &'a ScanReport,
    marks: &'a Marks,
    index: usize,
    finding: &'a Finding,
    package: &'a model::package::Package,
}

/// New columns go to the end: readers count.
const COLUMNS: &[Column] = &[
    ("target", |row| words::name(row.report).to_owned()),
    ("id", |row| row.finding.id.clone()),
    ("severity", |row| row.finding.severity.as_str().to_owned()),
    ("package", |row| row.package.name.clone()),
    ("version", |row| row.package.version.clone()),
    ("type", |row| row.package.kind.to_string()),
    ("fix", |row| words::fix_state(&row.finding.fix).to_owned()),
    ("fixed_version", |row| row.finding.fix.version().unwrap_or_default().to_owned()),
    ("policy", |row| row.marks.status(row.index).to_owned()),
    ("new", |row| if row.marks.is_new(row.index) { "new" } else { "" }.to_owned()),
    ("exploited", |row| if row.finding.kev.is_some() { "yes" } else { "" }.to_owned()),
    ("epss", |row| row.finding.epss.map(|epss| format!("{:.5}", epss.score)).unwrap_or_default()),
    ("cvss", |row| words::highest_score(row.finding).map(|score| format!("{score:.1}")).unwrap_or_default()),
    ("layer", |row| row.package.layer.map(|layer| (u64::from(layer) + 1).to_string()).unwrap_or_default()),
    ("origin", |row| words::origin(row.package.origin).to_owned()),
    ("path", |row| row.package.evidence.first().map(|evidence| evidence.path.clone()).unwrap_or_default()),
    ("purl", |row| row.package.purl.clone()),
    ("ids", |row| row.finding.ids.join(" ")),
    ("published", |row| row.finding.published.clone().unwrap_or_default()),
    ("url", |row| words::page(row.finding)),
    ("summary", |row| row.finding.summary.clone().unwrap_or_default()),
];

/// The findings as comma-separated values with a heading, lines ended by CRLF.
pub fn write(report: &ScanReport) -> String {
    head() + &write_rows(report)
}

/// The line of headings.
pub fn head() -> String {
    let mut text = String::new();
    line(&mut text, COLUMNS.iter().map(|(heading, _)| (*heading).to_owned()));
    text
}

/// The findings without the headings.
pub fn write_rows(report: &ScanReport) -> String {
    let marks = Marks::of(report);
    let mut text = String::new();
    for (index, finding) in report.findings.iter().enumerate() {
        let package = report.inventory.package(finding.package);
        let row = Row { report, marks: &marks, index, finding, package };
        line(&mut text, COLUMNS.iter().map(|(_, cell)| cell(&row)));
    }
    text
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    for (number, content) in cells.enumerate() {
        if number > 0 {
            text.push(',');
        }
        text.push_str(&cell(&content));
    }
    text.push_str("\r\n");
}

/// A cell that is text to every spreadsheet, quoted where RFC 4180, section 2, asks for it.
pub(crate) fn cell(content: &str) -> String {
    let formula = content.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let content = spelled_out(content);
    let content = if formula { format!("'{content}") } else { content.into_owned() };
    match content.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", content.replace('"', "\"\"")),
        false => content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_text() {
        for (content, expected) in [
            ("libc6", "libc6"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""),
            ("@babel/core", "'@babel/core"),
            ("-1+1", "'-1+1"),
            ("+1", "'+1"),
            ("\t=1", r"'\t=1"),
            ("two\nlines", r"two\nlines"),
            ("", ""),
        ] {
            assert_eq!(cell(content), expected);
        }
    }
}
