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
    /// The text of the line; of a long line the part around the place.
    pub text: String,
    /// How many characters of the line stand before `text`.
    pub skipped: usize,
}

impl Place {
    /// The place of `width` characters from a line and column (both counted from 1) of `source`.
    pub fn new(file: &str, source: &str, line: usize, column: usize, width: usize) -> Self {
        let mut place = Self { file: file.to_owned(), line, column, width, text: String::new(), skipped: 0 };
        Cursor::new(source).show(&mut place);
        place
    }
}

/// How many characters of a line are shown: it fits a usual terminal with the line number beside it.
const WINDOW_CHARS: usize = 110;
/// So much of a line is kept with a place: all of a line that people write, and what is shown of any other. A file may be
/// one line of MiB, and each of its mistakes has a place.
const TEXT_CHARS: usize = 500;

/// Walks forward through a document and takes out what places show, so that the places of one document cost one walk.
#[derive(Debug)]
pub(crate) struct Cursor<'s> {
    lines: std::str::Lines<'s>,
    /// The line that `rest` ends, counted from 1.
    line: usize,
    rest: &'s str,
    /// How many characters of the line stand before `rest`.
    skipped: usize,
}

impl<'s> Cursor<'s> {
    /// A cursor before the first line.
    pub(crate) fn new(source: &'s str) -> Self {
        Self { lines: source.lines(), line: 0, rest: "", skipped: 0 }
    }

    /// Fills in the text of a place, which must not be before the last one that was filled in.
    pub(crate) fn show(&mut self, place: &mut Place) {
        let line = place.line.max(1);
        if line > self.line {
            self.rest = self.lines.nth(line - self.line - 1).unwrap_or_default();
            (self.line, self.skipped) = (line, 0);
        }
        let start = if place.column > TEXT_CHARS { place.column - TEXT_CHARS / 2 } else { 0 };
        let over = start.saturating_sub(self.skipped);
        if over > 0 {
            let (count, bytes) =
                self.rest.char_indices().take(over).fold((0, 0), |(count, _), (at, c)| (count + 1, at + c.len_utf8()));
            self.rest = &self.rest[bytes..];
            self.skipped += count;
        }
        place.text = self.rest.chars().take(TEXT_CHARS).collect();
        place.skipped = self.skipped;
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line, column, width, text, skipped } = &self.place;
        writeln!(f, "error[{}]: {}", self.code, printable(&self.message))?;
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, "{margin}--> {}:{line}:{column}", printable(file))?;
        writeln!(f, "{margin} |")?;
        let start = if *column > WINDOW_CHARS { column - WINDOW_CHARS / 2 } else { 0 };
        let shown: String = text.chars().skip(start.saturating_sub(*skipped)).take(WINDOW_CHARS).collect();
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
