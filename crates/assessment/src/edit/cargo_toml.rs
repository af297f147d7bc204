//! Cargo's `Cargo.toml`, read by lines: tables of dependencies with one dependency a line, or a table for each. Source: The
//! Cargo Book, "Specifying Dependencies".

use std::ops::Range;

use super::{Bare, Changes, Refused, Upgrade, lines, outcome, raised};

pub(super) fn changes(text: &str, upgrade: &Upgrade<'_>) -> Result<Changes, Refused> {
    let (mut changes, mut is_named, mut table) = (Changes::new(), false, Table::Other);
    for (start, line) in lines(text) {
        let trimmed = line.trim();
        if trimmed.starts_with('[') {
            table = table_of(trimmed, upgrade.name);
            is_named |= table == Table::One;
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let value_start = key.len() + 1;
        let key = key.trim().trim_matches('"');
        let found = match table {
            Table::Dependencies if key == upgrade.name => {
                is_named = true;
                version_of(value)
            }
            Table::One if key == "version" => quoted(value, 0),
            _ => continue,
        };
        if let Some(range) = found
            && let Some(new) = raised(&value[range.clone()], upgrade.from, upgrade.to, Bare::Caret)
        {
            let start = start + value_start;
            changes.push((start + range.start..start + range.end, new));
        }
    }
    outcome(changes, is_named)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    /// `[dependencies]`, `[workspace.dependencies]`, `[target.….dev-dependencies]`.
    Dependencies,
    /// `[dependencies.NAME]`.
    One,
    Other,
}

fn table_of(header: &str, name: &str) -> Table {
    let Some(header) = header.strip_prefix('[').and_then(|rest| rest.split(']').next()) else { return Table::Other };
    const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let last = |text: &str| text.rsplit('.').next().map(|part| part.trim().to_owned()).unwrap_or_default();
    if KINDS.contains(&last(header).as_str()) {
        return Table::Dependencies;
    }
    match header.rsplit_once('.') {
        Some((kind, own)) if own.trim().trim_matches('"') == name && KINDS.contains(&last(kind).as_str()) => Table::One,
        _ => Table::Other,
    }
}

/// `"1.2"`, or `{ version = "1.2", … }`.
fn version_of(value: &str) -> Option<Range<usize>> {
    if value.trim_start().starts_with('"') {
        return quoted(value, 0);
    }
    let key = value.find("version").filter(|&at| value[..at].trim_end().ends_with(['{', ',']))?;
    let after = key + "version".len();
    value[after..].trim_start().starts_with('=').then(|| quoted(value, after)).flatten()
}

/// What the first pair of quotes holds.
fn quoted(value: &str, from: usize) -> Option<Range<usize>> {
    let start = from + value[from..].find('"')? + 1;
    Some(start..start + value[start..].find('"')?)
}
