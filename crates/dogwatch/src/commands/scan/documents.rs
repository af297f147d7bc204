//! The documents of one target, as the outputs of the command line ask for them.

use std::path::Path;

use anyhow::Context;
use formats::cyclonedx::Vulnerabilities;
use formats::format::WriteOptions;
use formats::table::TableOptions;
use formats::template::{TEMPLATE_BYTES_MAX, Template, TemplateError};
use model::report::ScanReport;

use crate::cli::{Output, ScanArguments};
use crate::commands::targets::{Named, has_name};
use crate::console::{Failure, Hint, columns, write};
use crate::output;

/// What is to be written, and how.
pub(super) struct Documents {
    pub(super) outputs: Vec<Output>,
    template: Option<Template>,
    table: TableOptions,
    vulnerabilities: Vulnerabilities,
}

impl Documents {
    /// The table when nothing was asked for. A template is read now, so that its mistakes cost no scan.
    pub(super) fn load(arguments: &ScanArguments) -> Result<Self, Failure> {
        let mut outputs = output::named(arguments.output.clone(), &arguments.foreign_output, "table")?;
        let asked = outputs.iter().any(|output| output.is("template"));
        if outputs.is_empty() || arguments.template.is_some() && !asked {
            outputs.push(Output::stdout(if arguments.template.is_some() { "template" } else { "table" }));
        }
        one_on_stdout(&outputs)?;
        let template = arguments.template.as_deref().map(template).transpose()?;
        if asked && template.is_none() {
            return Err(wrong(TemplateError::Missing));
        }
        let vulnerabilities = match arguments.inventory_only {
            true => Vulnerabilities::LeftOut,
            false => Vulnerabilities::Included,
        };
        let table = TableOptions { columns: columns(), all: arguments.all };
        Ok(Self { outputs, template, table, vulnerabilities })
    }

    /// What writers need.
    pub(super) fn options(&self) -> WriteOptions<'_> {
        WriteOptions { table: self.table, vulnerabilities: self.vulnerabilities, template: self.template.as_ref() }
    }

    /// Writes everything that was asked for about one target.
    pub(super) fn write_all(&self, report: &ScanReport, named: &Named) -> Result<(), Failure> {
        self.outputs.iter().try_for_each(|output| self.write_one(report, output, named))
    }

    /// Writes only what goes into files of this target's own.
    pub(super) fn write_named(&self, report: &ScanReport, named: &Named) -> Result<(), Failure> {
        let own = |output: &&Output| output.file.as_deref().is_some_and(has_name);
        self.outputs.iter().filter(own).try_for_each(|output| self.write_one(report, output, named))
    }

    fn write_one(&self, report: &ScanReport, output: &Output, named: &Named) -> Result<(), Failure> {
        let document = output.format.write(report, &self.options()).map_err(wrong)?;
        match &output.file {
            None => write(&document, None),
            Some(path) => write_file(&document, path, named),
        }
    }
}

/// A template that gives no document.
pub(super) fn wrong(error: TemplateError) -> Failure {
    Failure { hint: error.hint(), error: error.into() }
}

fn template(path: &Path) -> Result<Template, Failure> {
    use std::io::Read;
    let name = path.display().to_string();
    let mut source = String::new();
    let read = std::fs::File::open(path)
        // One byte more than is taken, so that what is too large is seen to be.
        .and_then(|file| file.take(TEMPLATE_BYTES_MAX as u64 + 1).read_to_string(&mut source));
    read.with_context(|| format!("the template `{name}` cannot be read"))?;
    Template::new(name, source).map_err(wrong)
}

/// Writes a file that may have the target's name in its own, in a directory that may have to be made for it.
pub(super) fn write_file(document: &str, template: &Path, named: &Named) -> Result<(), Failure> {
    let path = named.file(template);
    if has_name(template) {
        // Where it cannot be made, writing says so.
        path.parent().map(std::fs::create_dir_all);
    }
    write(document, Some(&path))
}

/// Refuses two documents on stdout, where nobody could tell them apart.
fn one_on_stdout(outputs: &[Output]) -> Result<(), Failure> {
    if outputs.iter().filter(|output| output.file.is_none()).count() > 1 {
        let hint = "give the others a file, as in `-o json=report.json`".to_owned();
        return Err(anyhow::anyhow!("only one document can go to stdout")).hint(Some(hint));
    }
    Ok(())
}
