//! Lines of a bounded width, with colour that adds nothing the words lack.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};
use model::finding::Severity;

/// Ordinary text.
pub(crate) const PLAIN: Style = Style::new();
/// Headings and what matters most in a line.
pub(crate) const STRONG: Style = Style::new().bold();
/// What can be skipped.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// Passed, gone.
pub(crate) const GOOD: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
/// Failed, denied, exploited.
pub(crate) const BAD: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
/// Not known, partial, expired.
pub(crate) const CARE: Style = Style::new().bold().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));

/// The style of a severity's name.
pub(crate) fn of_severity(severity: Severity) -> Style {
    match severity {
        Severity::Critical => BAD,
        Severity::High => AnsiColor::Red.on_default(),
        Severity::Medium => AnsiColor::Yellow.on_default(),
        Severity::Low | Severity::Negligible => PLAIN,
        Severity::Unknown => CARE,
    }
}

/// A piece of a line that stays together where it can. Its text must be [`crate::printable`] already.
pub(crate) struct Piece<'a> {
    text: Cow<'a, str>,
    style: Style,
    width: usize,
}

/// A piece of a line.
pub(crate) fn piece<'a>(text: impl Into<Cow<'a, str>>, style: Style) -> Piece<'a> {
    Piece { text: text.into(), style, width: 0 }
}

impl Piece<'_> {
    /// The same piece, as wide as a column of this many characters.
    pub(crate) fn wide(self, width: usize) -> Self {
        Self { width, ..self }
    }
}

/// A text that grows line by line.
pub(crate) struct Page {
    text: String,
    columns: usize,
}

impl Page {
    pub(crate) fn new(columns: usize) -> Self {
        Self { text: String::new(), columns }
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }

    pub(crate) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A heading after an empty line.
    pub(crate) fn heading(&mut self, text: &str) {
        self.blank();
        self.line(0, &[piece(text, STRONG)]);
    }

    /// Pieces two spaces apart from column `indent`; what does not fit goes on four columns further in.
    pub(crate) fn line(&mut self, indent: usize, pieces: &[Piece<'_>]) {
        self.hanging(indent, indent + 4, pieces);
    }

    /// The same with the column where further lines begin.
    pub(crate) fn hanging(&mut self, indent: usize, hang: usize, pieces: &[Piece<'_>]) {
        self.text.extend(std::iter::repeat_n(' ', indent));
        let mut column = indent;
        let mut pad = 0;
        for piece in pieces.iter().filter(|piece| !piece.text.is_empty() || piece.width > 0) {
            let length = piece.text.chars().count();
            let fits_here = column + pad + length <= self.columns;
            // A piece that fits on no line is broken at its spaces; anything else stays together.
            let words = !fits_here && hang + length > self.columns;
            let parts: Vec<&str> =
                if words { piece.text.split(' ').filter(|word| !word.is_empty()).collect() } else { vec![&piece.text] };
            for part in parts {
                let length = part.chars().count();
                if column + pad + length > self.columns && column > hang {
                    self.text.push('\n');
                    self.text.extend(std::iter::repeat_n(' ', hang));
                    column = hang;
                } else {
                    self.text.extend(std::iter::repeat_n(' ', pad));
                    column += pad;
                }
                self.paint(part, piece.style);
                column += length;
                pad = 1;
            }
            pad = 2 + piece.width.saturating_sub(length);
        }
        self.text.push('\n');
    }

    fn paint(&mut self, text: &str, style: Style) {
        if style == PLAIN {
            self.text.push_str(text);
        } else {
            self.text.push_str(&format!("{style}{text}{style:#}"));
        }
    }
}
