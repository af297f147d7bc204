//! `-o FORMAT[=FILE]`: one document to write.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use formats::format::{ALL, Describes, Format};

/// One document to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) format: &'static Format,
    /// None writes to stdout.
    pub(crate) file: Option<PathBuf>,
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

    fn read(&self, text: &str) -> Result<Output, String> {
        let (name, file) = text.split_once('=').map_or((text, None), |(name, file)| (name, Some(file)));
        let Some(format) = self.formats().find(|format| format.name.eq_ignore_ascii_case(name)) else {
            let names: Vec<&str> = self.formats().map(|format| format.name).collect();
            let near = condition::nearest(name, names.iter().copied());
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(format!("`{name}` is no format here: use {}{near}", names.join(", ")));
        };
        match file {
            Some("") => Err(format!("`{text}` names no file: `{name}` alone writes to stdout")),
            file => Ok(Output { format, file: file.map(PathBuf::from) }),
        }
    }
}

impl TypedValueParser for OutputParser {
    type Value = Output;

    fn parse_ref(&self, command: &clap::Command, _: Option<&clap::Arg>, value: &OsStr) -> Result<Output, clap::Error> {
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
        assert_eq!(read("table"), Ok(Output::stdout("table")));
        assert_eq!(read("JSON=a=b.json").map(|output| output.file), Ok(Some("a=b.json".into())));
        assert!(read("serif").unwrap_err().ends_with("did you mean `sarif`?"));
        assert!(read("json=").unwrap_err().contains("names no file"));
        assert!(OutputParser { bills_only: true }.read("sarif").unwrap_err().contains("use json, cyclonedx, spdx"));
    }
}
