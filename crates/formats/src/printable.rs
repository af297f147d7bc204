//! Strangers' strings, made safe for a terminal and for one line.

use std::borrow::Cow;

/// The most characters of one stranger's string that are shown: enough for the longest real paths, short enough that a
/// name of 64 KiB does not bury the report.
pub const SHOWN_CHARS_MAX: usize = 240;

/// The text with everything that could act on a terminal, reorder the line or hide in it written out as an escape
/// (`\u{1b}`, `\n`), and cut with `…` after [`SHOWN_CHARS_MAX`] characters.
///
/// The result holds no control characters, no line breaks, no bidirectional controls and no invisible characters.
///
/// ```
/// use dogwatch_formats::printable::printable;
/// assert_eq!(printable("lib\u{1b}[2Jc\n"), r"lib\u{1b}[2Jc\n");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.len() <= SHOWN_CHARS_MAX && is_plain(text) {
        return Cow::Borrowed(text);
    }
    let long = text.len() > SHOWN_CHARS_MAX && text.chars().nth(SHOWN_CHARS_MAX).is_some();
    if !long && !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len().min(2 * SHOWN_CHARS_MAX));
    for c in text.chars().take(SHOWN_CHARS_MAX) {
        if acts(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    if long {
        shown.push('…');
    }
    Cow::Owned(shown)
}

/// The whole text with everything that acts written out, as [`printable`] does, but never cut: for documents that
/// programs read.
pub(crate) fn spelled_out(text: &str) -> Cow<'_, str> {
    if is_plain(text) || !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Printable ASCII, as nearly every string is: nothing in it acts, and that is seen fast.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Whether a character does something other than show itself.
pub(crate) fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Bidirectional controls (Unicode Standard Annex 9) show a line in another order than it is written.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Line and paragraph separators.
            | '\u{2028}' | '\u{2029}'
            // Invisible: soft hyphen, joiners, fillers, variation selectors, tags. They make two names look alike.
            | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for text in ["libssl3", "@babel/core", "/usr/share/doc/größe", "1:2.3-4~deb12u1+b1", r"C:\windows", "日本語"]
        {
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn what_acts_on_a_terminal_is_written_out() {
        assert_eq!(printable("a\x1b]0;owned\x07b"), r"a\u{1b}]0;owned\u{7}b");
        assert_eq!(printable("evil\u{202e}gpj.exe"), r"evil\u{202e}gpj.exe");
        assert_eq!(printable("two\r\nlines\u{9b}1m"), r"two\r\nlines\u{9b}1m");
        assert_eq!(printable("lo\u{200b}dash"), r"lo\u{200b}dash");
    }

    #[test]
    fn a_name_of_64_kib_is_cut() {
        assert_eq!(printable(&"é".repeat(65536)).chars().count(), SHOWN_CHARS_MAX + 1);
        assert_eq!(printable(&"é".repeat(SHOWN_CHARS_MAX)).chars().count(), SHOWN_CHARS_MAX);
    }

    proptest! {
        #[test]
        fn nothing_printable_acts(text in any::<String>()) {
            let shown = printable(&text).into_owned();
            prop_assert!(!shown.chars().any(acts), "{shown:?}");
            prop_assert_eq!(printable(&shown).into_owned().is_empty(), text.is_empty());
        }
    }
}
