//! The table of documents that a report can be written as.
//!
//! Adding a format is one file with a writer and one line here; the command's help, its completions and the user guide
//! are made from this table. Reading documents is [`crate::sbom`]'s work.

use model::report::ScanReport;

use crate::cyclonedx::Vulnerabilities;
use crate::several::Unscanned;
use crate::table::TableOptions;
use crate::template::{Template, TemplateError};
use crate::{
    cosign_vuln, csaf, csv, cyclonedx, github_annotations, github_summary, gitlab, html, json, junit, openvex, sarif,
    spdx, table,
};

/// One way to write a report.
#[derive(Debug)]
pub struct Format {
    /// What users type.
    pub name: &'static str,
    /// What Trivy, Grype, Syft and OSV-Scanner call the same thing.
    pub aliases: &'static [&'static str],
    /// What its files end in, without the first dot.
    pub extension: &'static str,
    /// What it describes.
    pub describes: Describes,
    /// One line for people who choose.
    pub doc: &'static str,
    /// How several targets share a text; none where a document is about one target only.
    pub several: Option<Several>,
    write: Writer,
}

/// How the texts of several targets make one.
#[derive(Debug)]
pub struct Several {
    /// What comes before them.
    pub head: fn() -> String,
    /// What stands between two.
    pub between: &'static str,
    /// What comes after them.
    pub tail: &'static str,
    /// What stands in the place of a target that could not be scanned; none says nothing here.
    pub unscanned: Option<fn(&Unscanned) -> String>,
    write: Writer,
}

type Writer = fn(&ScanReport, &WriteOptions<'_>) -> Result<String, TemplateError>;

/// What a format can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Describes {
    /// Findings and the verdict; of little use without them.
    Findings,
    /// What is inside, so that it also serves as a bill of materials.
    Inventory,
}

/// What writers may need besides the report.
#[derive(Debug, Clone, Copy)]
pub struct WriteOptions<'a> {
    /// How the table is laid out.
    pub table: TableOptions,
    /// Whether bills of materials list vulnerabilities.
    pub vulnerabilities: Vulnerabilities,
    /// The user's own template.
    pub template: Option<&'a Template>,
}

impl Default for WriteOptions<'_> {
    fn default() -> Self {
        Self { table: TableOptions::default(), vulnerabilities: Vulnerabilities::Included, template: None }
    }
}

/// Every format, in the order that help shows.
pub const ALL: &[Format] = &[
    findings("table", "txt", "for people, in a terminal", |report, options| Ok(table::render(report, options.table)))
        .also(&["syft-table", "vertical"])
        .several(Several {
            between: "\n\n",
            ..Several::of(|report, options| Ok(table::render(report, options.table)))
        }),
    inventory("json", "json", "everything, with a schema (`schemas/`)", |report, _| Ok(json::write(report))).several(
        Several { unscanned: Some(json::write_unscanned), ..Several::of(|report, _| Ok(json::write_line(report))) },
    ),
    findings("html", "html", "one page to read, filter and print, without a network", |report, _| {
        Ok(html::write(report))
    }),
    findings("csv", "csv", "one line per finding, for spreadsheets", |report, _| Ok(csv::write(report)))
        .several(Several { head: csv::head, ..Several::of(|report, _| Ok(csv::write_rows(report))) }),
    findings("sarif", "sarif", "SARIF 2.1.0, for code scanning", |report, _| Ok(sarif::write(report))).several(
        Several {
            head: || sarif::LOG_HEAD.to_owned(),
            between: ",\n",
            tail: sarif::LOG_TAIL,
            unscanned: Some(sarif::write_unscanned),
            write: |report, _| Ok(sarif::write_run(report)),
        },
    ),
    findings("junit", "xml", "JUnit XML, for test reports", |report, _| Ok(junit::write(report))).several(Several {
        head: || junit::HEAD.to_owned(),
        between: "",
        tail: junit::TAIL,
        unscanned: Some(junit::write_unscanned),
        write: |report, _| Ok(junit::write_suites(report)),
    }),
    findings("gitlab", "json", "GitLab container scanning report, schema 15", |report, _| Ok(gitlab::write(report))),
    findings("github-summary", "md", "Markdown for a GitHub job summary", |report, _| {
        Ok(github_summary::write(report))
    })
    .also(&["markdown"])
    .several(Several {
        between: "\n",
        unscanned: Some(github_summary::write_unscanned),
        ..Several::of(|report, _| Ok(github_summary::write(report)))
    }),
    findings("github-annotations", "txt", "GitHub workflow commands (`::error …`)", |report, _| {
        Ok(github_annotations::write(report))
    })
    .also(&["gh-annotations"])
    .several(Several {
        unscanned: Some(github_annotations::write_unscanned),
        ..Several::of(|report, _| Ok(github_annotations::write(report)))
    }),
    inventory("cyclonedx", "cdx.json", "CycloneDX 1.6 bill of materials", |report, options| {
        Ok(cyclonedx::write(report, options.vulnerabilities))
    })
    .also(&["cyclonedx-json", "cyclonedx-json@1.6"]),
    inventory("spdx", "spdx.json", "SPDX 2.3 bill of materials", |report, options| {
        Ok(spdx::write(report, options.vulnerabilities))
    })
    .also(&["spdx-json", "spdx-json@2.3", "spdx-2-3"]),
    findings("openvex", "json", "OpenVEX 0.2.0 statements, to start your own from", |report, _| {
        Ok(openvex::write(report))
    }),
    findings("csaf", "csaf.json", "CSAF 2.0 document of the profile VEX, to start your own from", |report, _| {
        Ok(csaf::write(report))
    }),
    findings("cosign-vuln", "json", "predicate for `cosign attest --type vuln`", |report, _| {
        Ok(cosign_vuln::write(report))
    }),
    findings("template", "txt", "your own, with `--template FILE` (Jinja syntax)", |report, options| {
        options.template.ok_or(TemplateError::Missing)?.render(report)
    }),
];

const fn findings(name: &'static str, extension: &'static str, doc: &'static str, write: Writer) -> Format {
    Format { name, aliases: &[], extension, describes: Describes::Findings, doc, several: None, write }
}

const fn inventory(name: &'static str, extension: &'static str, doc: &'static str, write: Writer) -> Format {
    Format { name, aliases: &[], extension, describes: Describes::Inventory, doc, several: None, write }
}

impl Format {
    const fn several(self, several: Several) -> Self {
        Self { several: Some(several), ..self }
    }

    const fn also(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// The format that users call this.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|format| format.is_called(name))
    }

    /// Whether this is one of its names.
    pub fn is_called(&self, name: &str) -> bool {
        std::iter::once(&self.name).chain(self.aliases).any(|own| own.eq_ignore_ascii_case(name))
    }

    /// The report in this format. Only a template can fail.
    pub fn write(&self, report: &ScanReport, options: &WriteOptions<'_>) -> Result<String, TemplateError> {
        (self.write)(report, options)
    }
}

impl Several {
    /// One after the other.
    const fn of(write: Writer) -> Self {
        Self { head: String::new, between: "", tail: "", unscanned: None, write }
    }

    /// The report as a part of a text of several targets.
    pub fn write(&self, report: &ScanReport, options: &WriteOptions<'_>) -> Result<String, TemplateError> {
        (self.write)(report, options)
    }
}

impl PartialEq for Format {
    /// Names are unique.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Format {}
