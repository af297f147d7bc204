//! The lines of a generated, YAML-like lock file.
//!
//! Yarn and pnpm write block mappings by indentation, with values on one line. Reading just that is many times faster
//! than a YAML parser and knows no anchors, so no alias can multiply anything. What a value spells over several lines
//! (a deprecation notice) appears as lines below its key, which callers do not ask for.

/// One `key: value` (or Yarn 1's `key value`) line.
pub(super) struct Line<'a, 'p> {
    /// The keys from the outermost to this line's own.
    pub(super) path: &'p [&'a str],
    /// What follows the key, without quotes; empty when a mapping follows.
    pub(super) value: &'a str,
    /// The whole line without indentation.
    pub(super) raw: &'a str,
}

/// The deepest mapping that is followed; lock files need 5 levels, and each line could name its whole path.
const DEPTH_MAX: usize = 16;

/// Calls `visit` for every line.
pub(super) fn for_each<'a>(text: &'a str, mut visit: impl FnMut(Line<'a, '_>)) {
    let mut indents: Vec<usize> = Vec::new();
    let mut path: Vec<&'a str> = Vec::new();
    for line in text.lines() {
        let mut content = line.trim_start_matches(' ');
        let mut indent = line.len() - content.len();
        content = content.trim_end();
        // A key too long for one line stands alone after `? `; its value follows after `:`.
        if let Some(rest) = content.strip_prefix(": ") {
            content = rest;
            indent += 2;
        }
        let explicit = content.strip_prefix("? ");
        content = explicit.unwrap_or(content);
        if content.is_empty() || content == ":" || content.starts_with('#') || content.starts_with('-') {
            continue;
        }
        while indents.last().is_some_and(|&last| last >= indent) {
            indents.pop();
            path.pop();
        }
        if path.len() >= DEPTH_MAX {
            continue;
        }
        let (key, value) = if explicit.is_some() { (unquoted(content), "") } else { split(content) };
        indents.push(indent);
        path.push(key);
        visit(Line { path: &path, value, raw: content });
    }
}

fn split(content: &str) -> (&str, &str) {
    let (key, rest) = match content.chars().next() {
        Some(quote @ ('"' | '\'')) => content[1..].split_once(quote).unwrap_or((content, "")),
        _ => {
            let (key, rest) = content.split_once(' ').unwrap_or((content, ""));
            (key.strip_suffix(':').unwrap_or(key), rest)
        }
    };
    (key, unquoted(rest.strip_prefix(':').unwrap_or(rest).trim_start()))
}

/// The text without the quotes around it.
pub(super) fn unquoted(text: &str) -> &str {
    ['"', '\''].iter().find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(text)
}
