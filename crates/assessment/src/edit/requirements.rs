//! pip's requirements files. Source: pip documentation, "Requirements File Format"; PEP 503 for names, PEP 440 for `==`.

use model::ecosystem::normalise_name;

use super::{Changes, Refused, Upgrade, lines, outcome};

pub(super) fn changes(text: &str, upgrade: &Upgrade<'_>) -> Result<Changes, Refused> {
    let (mut changes, mut is_named) = (Changes::new(), false);
    let mut all = lines(text);
    while let Some((start, line)) = all.next() {
        let mut has_hash = line.contains("--hash=");
        // A backslash continues the requirement; pip's tools write one hash on each of the lines that follow.
        let mut last = line;
        while last.ends_with('\\') {
            let Some((_, next)) = all.next() else { break };
            has_hash |= next.contains("--hash=");
            last = next;
        }
        if !is_of(line, upgrade.name) {
            continue;
        }
        is_named = true;
        if has_hash {
            return Err(Refused::Hashes);
        }
        if let Some(range) = pinned(line).filter(|range| &line[range.clone()] == upgrade.from) {
            changes.push((start + range.start..start + range.end, upgrade.to.to_owned()));
        }
    }
    outcome(changes, is_named)
}

pub(super) fn is_of(line: &str, name: &str) -> bool {
    let line = line.trim_start();
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c))).unwrap_or(line.len());
    end > 0 && !line.starts_with('-') && normalise_name("PyPI", &line[..end]) == normalise_name("PyPI", name)
}

/// The only `==` of a line that stands before its comment and marker, and has no second clause beside it.
pub(super) fn pinned(line: &str) -> Option<std::ops::Range<usize>> {
    let end = line.find([';', '#']).unwrap_or(line.len());
    let requirement = &line[..end];
    let operator = requirement.find("==")?;
    if requirement.contains([',', '<', '>', '~', '!', '@', '*']) || requirement[operator..].starts_with("===") {
        return None;
    }
    let from = operator + 2 + requirement[operator + 2..].len() - requirement[operator + 2..].trim_start().len();
    let length = requirement[from..].find(|c: char| c.is_whitespace() || c == '\\').unwrap_or(end - from);
    Some(from..from + length)
}
