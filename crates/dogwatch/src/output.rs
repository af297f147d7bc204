//! `-o FORMAT[=FILE]`: one document to write.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use formats::format::{ALL, Describes, Format};

use crate::console::{Failure, Hint};
use crate::foreign::{self, ForeignOutput};

/// One document to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) format: &'static Format,
    /// None writes to stdout.
    pub(crate) file: Option<PathBuf>,
}

/// What `-o` may be followed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A format, and perhaps a file.
    Document(Output),
    /// A file alone, as Trivy and OSV-Scanner have it; the format then stands with `--format`.
    File(PathBuf),
}

impl Output {
    /// This format on stdout.
    pub(crate) fn stdout(format: &str) -> Self {
        let format = Format::named(format).unwrap_or_else(|| unreachable!("the table has no `{format}`"));
        Self { format, file: None }
    }

    /// Whether it is the format of this name.
    pub(crate) fn is(&self, format: &str) -> bool {
        self.format.name == format
    }
}

/// What is to be written: what `-o` asks for, and what other scanners' `--format FORMAT --output FILE` and
/// `-o FORMAT --file FILE` do. `default` is the format of a file for which nobody names one.
pub(crate) fn named(asked: Vec<Asked>, foreign: &ForeignOutput, default: &str) -> Result<Vec<Output>, Failure> {
    let mut documents: Vec<Output> = foreign.format().into_iter().collect();
    let mut files: Vec<PathBuf> = foreign.file.iter().cloned().collect();
    for one in asked {
        match one {
            Asked::Document(output) => documents.push(output),
            Asked::File(file) if foreign.format().is_some() => files.push(file),
            Asked::File(file) => {
                let file = file.display();
                let hint = format!("say what to write into it, as in `-o json={file}`");
                return Err(anyhow::anyhow!("`-o {file}` names a file and no format")).hint(Some(hint));
            }
        }
    }
    if documents.is_empty() && !files.is_empty() {
        documents.push(Output::stdout(default));
    }
    let mut without_file = documents.iter_mut().filter(|output| output.file.is_none());
    match (files.as_slice(), without_file.next(), without_file.next()) {
        ([], ..) => {}
        ([file], Some(output), None) => output.file = Some(file.clone()),
        ([file, ..], ..) => {
            let hint = "give each format its own, as in `-o json=report.json -o sarif=report.sarif`".to_owned();
            return Err(anyhow::anyhow!("it is not clear what goes into `{}`", file.display())).hint(Some(hint));
        }
    }
    Ok(documents)
}

/// Reads outputs by the table of formats, from which help and completions come, too.
#[derive(Debug, Clone)]
pub(crate) struct OutputParser {
    /// Only formats that are bills of materials.
    pub(crate) bills_only: bool,
}

impl OutputParser {
    fn formats(&self) -> impl Iterator<Item = &'static Format> + use<> {
        let bills_only = self.bills_only;
        ALL.iter().filter(move |format| !bills_only || format.describes == Describes::Inventory)
    }

    /// Reads one output, else says in words why it is none.
    pub(crate) fn read(&self, text: &str) -> Result<Asked, String> {
        let (name, file) = text.split_once('=').map_or((text, None), |(name, file)| (name, Some(file)));
        let Some(format) = self.formats().find(|format| format.is_called(name)) else {
            // Names of formats have neither, except where a version stands with them (`cyclonedx-json@1.5`).
            if file.is_none() && text.contains(['.', '/']) && !text.contains('@') {
                return Ok(Asked::File(text.into()));
            }
            return Err(self.unknown(name));
        };
        match file {
            Some("") => Err(format!("`{text}` names no file: `{name}` alone writes to stdout")),
            file => Ok(Asked::Document(Output { format, file: file.map(PathBuf::from) })),
        }
    }

    fn unknown(&self, name: &str) -> String {
        if let Some(instead) = foreign::format_hint(name) {
            return format!("`{name}` is not written: {instead}");
        }
        let names: Vec<&str> = self.formats().map(|format| format.name).collect();
        let near = condition::nearest(name, names.iter().copied());
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        format!("`{name}` is no format here: use {}{near}", names.join(", "))
    }
}

impl TypedValueParser for OutputParser {
    type Value = Asked;

    fn parse_ref(&self, command: &clap::Command, _: Option<&clap::Arg>, value: &OsStr) -> Result<Asked, clap::Error> {
        let text = value.to_str().ok_or_else(|| "a file's name must be UTF-8".to_owned());
        text.and_then(|text| self.read(text))
            .map_err(|message| clap::Error::raw(ErrorKind::ValueValidation, message + "\n").with_cmd(command))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.formats().map(|format| PossibleValue::new(format.name).help(format.doc))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_and_perhaps_a_file() {
        let read = |text| OutputParser { bills_only: false }.read(text);
        let file = |text| match read(text) {
            Ok(Asked::Document(output)) => output.file,
            other => panic!("{other:?}"),
        };
        assert_eq!(read("table"), Ok(Asked::Document(Output::stdout("table"))));
        assert_eq!(read("cyclonedx-json"), Ok(Asked::Document(Output::stdout("cyclonedx"))));
        assert_eq!(file("JSON=a=b.json"), Some("a=b.json".into()));
        assert_eq!(read("report.json"), Ok(Asked::File("report.json".into())));
        assert!(read("serif").unwrap_err().ends_with("did you mean `sarif`?"));
        assert!(read("serif=x.json").unwrap_err().ends_with("did you mean `sarif`?"));
        assert!(read("cyclonedx-json@1.5").unwrap_err().contains("`cyclonedx-json@1.5` is no format here"));
        assert!(read("cyclonedx-xml").unwrap_err().contains("is not written: "));
        assert!(read("json=").unwrap_err().contains("names no file"));
        assert!(OutputParser { bills_only: true }.read("sarif").unwrap_err().contains("use json, cyclonedx, spdx"));
    }
}
