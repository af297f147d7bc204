//! npm's `package.json`: the ranges of its own dependencies. Source: npm documentation, "package.json".

use std::ops::Range;

use super::{Bare, Changes, Refused, Upgrade, outcome, raised};

const SECTIONS: [&str; 3] = ["dependencies", "devDependencies", "optionalDependencies"];

/// Deeper nesting than this is no manifest.
const DEPTH_MAX: usize = 64;

pub(super) fn changes(text: &str, upgrade: &Upgrade<'_>) -> Result<Changes, Refused> {
    let ranges = ranges(text, upgrade.name);
    let is_named = !ranges.is_empty();
    let change = |range: Range<usize>| {
        raised(&text[range.clone()], upgrade.from, upgrade.to, Bare::Exact).map(|new| (range, new))
    };
    let changes: Changes = ranges.into_iter().filter_map(change).collect();
    outcome(changes, is_named)
}

/// Where the texts stand that the sections give under this name.
fn ranges(text: &str, name: &str) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    // The key that leads into each open object or list; a list has none of its own.
    let mut keys: Vec<Option<&str>> = Vec::new();
    let mut is_value = false;
    while let Some(&byte) = text.as_bytes().get(at) {
        match byte {
            b'{' | b'[' if keys.len() >= DEPTH_MAX => return Vec::new(),
            b'{' | b'[' => {
                keys.push(None);
                is_value = byte == b'[';
            }
            b'}' | b']' => {
                keys.pop();
            }
            b':' => is_value = true,
            b',' => is_value = false,
            b'"' => {
                let Some(length) = string_length(&text[at + 1..]) else { return Vec::new() };
                let range = at + 1..at + 1 + length;
                let is_ours =
                    matches!(keys.as_slice(), [Some(section), Some(key)] if SECTIONS.contains(section) && *key == name);
                if is_value && is_ours {
                    found.push(range.clone());
                } else if !is_value && let Some(key) = keys.last_mut() {
                    *key = Some(&text[range.clone()]);
                }
                at = range.end;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// How long a string is, up to its closing quote.
fn string_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}
