//! The two small texts in a jar: the manifest and `pom.properties`.

use std::collections::HashMap;

/// Names (of a manifest in lower case, because they compare so) and values.
pub(super) type Attributes = HashMap<String, String>;

/// The main section of a manifest. Source: JAR File Specification, "Manifest Specification": a line that begins with a
/// space continues the one before, an empty line ends the section.
pub(super) fn parse(bytes: &[u8]) -> Attributes {
    // Lines are broken after 72 bytes, also within a character, so they are joined before they are decoded.
    let mut joined: Vec<Vec<u8>> = Vec::new();
    for line in bytes.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match (line.split_first(), joined.last_mut()) {
            (None, None) => {}
            (None, Some(_)) => break,
            (Some((b' ', rest)), Some(last)) => last.extend_from_slice(rest),
            _ => joined.push(line.to_vec()),
        }
    }
    let lines = joined.iter().map(|line| String::from_utf8_lossy(line));
    lines.filter_map(|line| Some(attribute(line.split_once(':')?, str::to_ascii_lowercase))).collect()
}

/// Java properties, as Maven writes them: `name=value` or `name: value`, `#` and `!` begin remarks. Escapes do not occur
/// in coordinates.
pub(super) fn parse_properties(bytes: &[u8]) -> Attributes {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().filter(|line| !line.trim_start().starts_with(['#', '!']));
    lines.filter_map(|line| Some(attribute(line.split_once(['=', ':'])?, str::to_owned))).collect()
}

fn attribute((name, value): (&str, &str), name_as: fn(&str) -> String) -> (String, String) {
    (name_as(name.trim()), value.trim().to_owned())
}

/// The names in a manifest list such as `Bundle-License: "Apache License, 2.0";link="…", MIT`: parted by commas outside
/// quotation marks, without parameters.
pub(super) fn list(value: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let (mut quoted, mut in_parameters) = (false, false);
    for c in value.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => {
                names.push(String::new());
                in_parameters = false;
            }
            ';' if !quoted => in_parameters = true,
            _ if in_parameters => {}
            c => names.last_mut().expect("one is always there").push(c),
        }
    }
    let names = names.into_iter().map(|name| name.trim().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}
