//! Go's `go.mod`. Source: Go Modules Reference, "go.mod files".

use super::{Changes, Refused, Upgrade, lines, outcome};

pub(super) fn changes(text: &str, upgrade: &Upgrade<'_>) -> Result<Changes, Refused> {
    let (from, to) = (plain(upgrade.from), plain(upgrade.to));
    let mut changes = Changes::new();
    let mut block = "";
    for (start, line) in lines(text) {
        let code = line.split("//").next().unwrap_or(line);
        let words: Vec<&str> = code.split_whitespace().collect();
        let (directive, words) = match words.as_slice() {
            [")"] => {
                block = "";
                continue;
            }
            [name, "("] => {
                block = *name;
                continue;
            }
            [name, rest @ ..] if block.is_empty() => (*name, rest),
            rest => (block, rest),
        };
        match (directive, words) {
            ("replace", [name, ..]) if *name == upgrade.name => return Err(Refused::Replaced),
            ("require", [name, version]) if *name == upgrade.name && plain(version) == from => {
                // The version is the last word, so that a name that ends alike is not taken for it.
                let end = code.trim_end().len();
                changes.push((start + end - version.len()..start + end, format!("v{to}")));
            }
            // The standard library comes with the toolchain; without that line, with the version of the language.
            ("toolchain" | "go", [version])
                if upgrade.name == "stdlib" && version.strip_prefix("go").unwrap_or(version) == from =>
            {
                let end = code.trim_end().len();
                changes.push((start + end - from.len()..start + end, to.to_owned()));
            }
            _ => {}
        }
    }
    if !changes.is_empty() && major(from) != major(to) && !to.ends_with("+incompatible") {
        return Err(Refused::MajorPath);
    }
    outcome(changes, false)
}

fn plain(version: &str) -> &str {
    version.strip_prefix('v').unwrap_or(version)
}

/// Versions 0 and 1 share a path ("Major version suffixes").
fn major(version: &str) -> &str {
    match version.split('.').next().unwrap_or_default() {
        "0" | "1" => "1",
        other => other,
    }
}
