//! A unified diff of two texts with as many lines as each other, as `git apply` takes it. Source: GNU diffutils manual,
//! "Unified Format"; `git-diff(1)`, "Generating patch text".

use std::fmt::Write;

/// Lines shown around a change, as everywhere.
const CONTEXT: usize = 3;

/// The diff of a file below the current directory; empty when nothing differs.
///
/// # Panics
/// When the texts have different numbers of lines: edits of one version never make one.
pub fn unified(path: &str, old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    assert_eq!(old.len(), new.len(), "an edit changes no line ends");
    let changed: Vec<usize> = (0..old.len()).filter(|&line| old[line] != new[line]).collect();
    let mut diff = String::new();
    let mut at = 0;
    while at < changed.len() {
        let first = changed[at].saturating_sub(CONTEXT);
        let mut last = changed[at];
        while at < changed.len() && changed[at] <= last + 2 * CONTEXT {
            last = changed[at];
            at += 1;
        }
        let end = (last + CONTEXT + 1).min(old.len());
        if diff.is_empty() {
            // A tab ends a name that has a blank in it.
            let tab = if path.contains(' ') { "\t" } else { "" };
            let _ = write!(diff, "--- a/{path}{tab}\n+++ b/{path}{tab}\n");
        }
        let _ = writeln!(diff, "@@ -{0},{1} +{0},{1} @@", first + 1, end - first);
        hunk(&mut diff, &old[first..end], &new[first..end]);
    }
    diff
}

fn hunk(diff: &mut String, old: &[&str], new: &[&str]) {
    let mut line = 0;
    while line < old.len() {
        if old[line] == new[line] {
            push(diff, ' ', old[line]);
            line += 1;
            continue;
        }
        let end = (line..old.len()).find(|&next| old[next] == new[next]).unwrap_or(old.len());
        old[line..end].iter().for_each(|text| push(diff, '-', text));
        new[line..end].iter().for_each(|text| push(diff, '+', text));
        line = end;
    }
}

fn push(diff: &mut String, sign: char, line: &str) {
    diff.push(sign);
    diff.push_str(line);
    if !line.ends_with('\n') {
        diff.push_str("\n\\ No newline at end of file\n");
    }
}
