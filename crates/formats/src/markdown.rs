//! Strangers' text inside Markdown.

/// Text that Markdown shows as it is: no emphasis, links, images, tables or HTML (CommonMark 0.31, sections 2.4 and 2.5). It
/// must be one line. What could begin HTML becomes an entity, which also holds inside of HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '`' | '*' | '_' | '#' | '|' | '!' | '~' | '[' | ']' | '\\' => escaped.extend(['\\', c]),
            _ => escaped.push(c),
        }
    }
    escaped
}
