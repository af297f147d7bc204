//! An error in a user's own document, shown with its line and a caret.

use std::fmt;

/// What is wrong with a document, where, and what to do.
///
/// [`fmt::Display`] renders it over several lines, fit for a terminal: control characters of the document are replaced,
/// and long lines are cut around the caret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable code, such as `unknown-fact`.
    pub code: &'static str,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What to do about it, where we know.
    pub remedy: Option<String>,
}

/// A place in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The document's name, usually its path.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// How many characters are meant; at least 1 is marked.
    pub width: usize,
    /// The text of the line.
    pub text: String,
}

impl Place {
    /// The place of `width` characters from a line and column (both counted from 1) of `source`.
    pub fn new(file: &str, source: &str, line: usize, column: usize, width: usize) -> Self {
        let text = source.lines().nth(line.saturating_sub(1)).unwrap_or_default().to_owned();
        Self { file: file.to_owned(), line, column, width, text }
    }
}

/// How many characters of a line are shown: it fits a usual terminal with the line number beside it.
const WINDOW_CHARS: usize = 110;

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line, column, width, text } = &self.place;
        writeln!(f, "error[{}]: {}", self.code, printable(&self.message))?;
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, "{margin}--> {}:{line}:{column}", printable(file))?;
        writeln!(f, "{margin} |")?;
        let start = if *column > WINDOW_CHARS { column - WINDOW_CHARS / 2 } else { 0 };
        let shown: String = text.chars().skip(start).take(WINDOW_CHARS).collect();
        writeln!(f, "{number} | {}", printable(&shown))?;
        let indent = column.saturating_sub(1).saturating_sub(start);
        let marks = (*width).clamp(1, WINDOW_CHARS.saturating_sub(indent).max(1));
        write!(f, "{margin} | {}{}", " ".repeat(indent), "^".repeat(marks))?;
        if let Some(remedy) = &self.remedy {
            write!(f, "\n{margin} = help: {}", printable(remedy))?;
        }
        Ok(())
    }
}

/// The text with every control character replaced, so that a document cannot steer the terminal it is shown on.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '\t' {
                ' '
            } else if c.is_control() {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}
