//! Bounds on a condition's text, held before a parser sees it.
//!
//! The parser recurses and backtracks, so a hostile text could exhaust the stack or the clock. One linear pass refuses
//! what no person writes.

use crate::error::{ConditionError, ErrorCode};

/// The longest condition in characters. The longest one we have seen used elsewhere is below a thousand.
pub(crate) const TEXT_CHARS_MAX: usize = 4_000;
/// How deep brackets may nest. The parser needs some twenty stack frames for each.
pub(crate) const DEPTH_MAX: usize = 24;
/// How many names, literals and signs there may be; the tree is never deeper than that.
pub(crate) const TOKENS_MAX: usize = 400;

/// A word that CEL reserves for languages that embed it. Conditions speak of packages, so it is a name here: it is given
/// to the parser as [`PACKAGE_NAME`], which has the same length, so places stay right.
const RESERVED_PACKAGE: &str = "package";
/// What the parser sees instead of `package`.
pub(crate) const PACKAGE_NAME: &str = "Package";

/// The text as the parser may see it, or why it may not.
pub(crate) fn admit(text: &str) -> Result<String, ConditionError> {
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        let shown: String = text.chars().take(TEXT_CHARS_MAX).collect();
        let message = format!("the condition is longer than {TEXT_CHARS_MAX} characters");
        return Err(too_large(message, 0, &shown));
    }
    let chars: Vec<char> = text.chars().collect();
    let mut admitted = String::with_capacity(text.len());
    let (mut at, mut depth, mut tokens) = (0, 0usize, 0);
    while let Some(&c) = chars.get(at) {
        let end = token_end(&chars, at);
        let token: String = chars[at..end].iter().collect();
        let after_dot = at > 0 && chars[at - 1] == '.';
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        tokens += usize::from(!c.is_whitespace());
        if depth > DEPTH_MAX {
            return Err(too_large(format!("brackets nest deeper than {DEPTH_MAX}"), at, text));
        }
        if tokens > TOKENS_MAX {
            return Err(too_large(format!("the condition has more than {TOKENS_MAX} parts"), at, text));
        }
        admitted.push_str(if token == RESERVED_PACKAGE && !after_dot { PACKAGE_NAME } else { &token });
        at = end;
    }
    Ok(admitted)
}

/// Where the token that starts at `at` ends: a word, a quoted text with its prefix, a comment, or one character.
fn token_end(chars: &[char], at: usize) -> usize {
    let ends = |from: usize, stop: &dyn Fn(char) -> bool| {
        chars[from..].iter().position(|c| stop(*c)).map_or(chars.len(), |length| from + length)
    };
    match chars[at] {
        c if c.is_alphanumeric() || c == '_' => {
            let end = ends(at, &|c| !(c.is_alphanumeric() || c == '_'));
            let raw = end - at <= 2 && chars[at..end].iter().any(|c| matches!(c, 'r' | 'R'));
            if raw && matches!(chars.get(end), Some('"' | '\'')) { quoted_end(chars, end, true) } else { end }
        }
        '/' if chars.get(at + 1) == Some(&'/') => ends(at, &|c| c == '\n'),
        '"' | '\'' => quoted_end(chars, at, false),
        _ => at + 1,
    }
}

/// Where the quoted text that starts at `at` ends; three quotes open what three quotes close.
fn quoted_end(chars: &[char], at: usize, raw: bool) -> usize {
    let quote = chars[at];
    let closes = |from: usize, count: usize| (from..from + count).all(|i| chars.get(i) == Some(&quote));
    let count = if closes(at, 3) { 3 } else { 1 };
    let mut end = at + count;
    while end < chars.len() {
        if closes(end, count) {
            return end + count;
        }
        end += if chars[end] == '\\' && !raw { 2 } else { 1 };
    }
    chars.len()
}

fn too_large(message: String, at: usize, text: &str) -> ConditionError {
    ConditionError {
        code: ErrorCode::TooLarge,
        message,
        remedy: Some("say it in fewer parts, or split it".into()),
        span: at..at + 1,
        text: text.to_owned(),
    }
}
