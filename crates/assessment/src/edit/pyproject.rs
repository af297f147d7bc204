//! Python's `pyproject.toml`: pins that stand as text in its lists of requirements. Source: PyPA specifications,
//! "pyproject.toml", "Dependency Groups"; PEP 508.

use super::requirements::{is_of, pinned};
use super::{Changes, Refused, Upgrade, lines, outcome};

pub(super) fn changes(text: &str, upgrade: &Upgrade<'_>) -> Result<Changes, Refused> {
    let (mut changes, mut is_named) = (Changes::new(), false);
    for (start, line) in lines(text) {
        let mut at = 0;
        // A comment's quotes hold no requirement, and a requirement no `#`.
        while let Some((mark, open)) = line[at..].char_indices().find(|(_, c)| "\"'#".contains(*c)) {
            if open == '#' {
                break;
            }
            let from = at + mark + 1;
            let Some(length) = line[from..].find(open) else { break };
            let requirement = &line[from..from + length];
            if is_of(requirement, upgrade.name) {
                is_named = true;
                if let Some(range) = pinned(requirement).filter(|range| &requirement[range.clone()] == upgrade.from) {
                    changes.push((start + from + range.start..start + from + range.end, upgrade.to.to_owned()));
                }
            }
            at = from + length + 1;
        }
    }
    outcome(changes, is_named)
}
