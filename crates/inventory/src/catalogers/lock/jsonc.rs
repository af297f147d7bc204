//! JSON with comments and commas before a closing bracket, as Bun and Deno write it, turned into plain JSON.

/// The text with comments and trailing commas blanked out, so that the JSON reader's lines and columns stay right.
pub(super) fn plain(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut comma: Option<usize> = None;
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'"' => string_end(&bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'/') => blank(&mut bytes, at, b"\n"),
            b'/' if bytes.get(at + 1) == Some(&b'*') => blank(&mut bytes, at, b"*/"),
            _ => at + 1,
        };
        match bytes[at] {
            b',' => comma = Some(at),
            b']' | b'}' => comma.take().into_iter().for_each(|comma| bytes[comma] = b' '),
            byte if byte.is_ascii_whitespace() => {}
            _ => comma = None,
        }
        at = end;
    }
    // Only whole comments and ASCII commas were replaced.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Behind the string that begins at `start`; the end of the text when it is not closed.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Overwrites a comment up to and with `last` by spaces; line breaks stay. Returns where it ends.
fn blank(bytes: &mut [u8], start: usize, last: &[u8]) -> usize {
    let body = bytes.get(start + 2..).unwrap_or_default();
    let end = body.windows(last.len()).position(|window| window == last).map(|at| start + 2 + at + last.len());
    let end = end.unwrap_or(bytes.len());
    bytes[start..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_last_commas_go_and_strings_stay() {
        let text = "{ // é\n \"a,}\": [1, 2,\n], /* , */ \"b\\\"//\": {\"c\": \"/*\" , /* x */ },\n}";
        let value: serde_json::Value = serde_json::from_str(&plain(text)).expect("plain JSON");
        assert_eq!(value, serde_json::json!({"a,}": [1, 2], "b\"//": {"c": "/*"}}));
        for broken in ["\"", "\"\\", "/*", "//", ",", "/", "/*/"] {
            assert_eq!(plain(broken).len(), broken.len());
        }
        assert!(serde_json::from_str::<serde_json::Value>(&plain("[,]")).is_ok(), "an extra comma is forgiven");
    }
}
