//! Which differences are explained: rules in a file, each with the section of the document that gives the reason.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Difference, Tool};

/// The rules, from the top of the repository.
pub(super) const FILE: &str = "benches/syft-differences.json";

/// Every rule, in the order in which they are asked.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Explained(Vec<Rule>);

/// Differences with one reason. What is left out holds for any; `*` in a text stands for any characters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// The heading in the document.
    section: String,
    /// Whose list has it.
    only: Tool,
    /// The type of the package URL.
    #[serde(rename = "type")]
    kind: String,
    /// `name@version`, one of these.
    #[serde(default = "any")]
    packages: Vec<String>,
    /// Where it was seen, one of these.
    #[serde(default = "any")]
    paths: Vec<String>,
    /// The cataloger that found it.
    #[serde(default = "any")]
    found_by: Vec<String>,
}

fn any() -> Vec<String> {
    vec!["*".to_owned()]
}

impl Explained {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("cannot understand `{}`", path.display()))
    }

    /// The section that explains a difference.
    pub(super) fn section(&self, difference: &Difference) -> Option<&str> {
        self.0.iter().find(|rule| rule.covers(difference)).map(|rule| rule.section.as_str())
    }
}

impl Rule {
    fn covers(&self, Difference { only, key, path, found_by }: &Difference) -> bool {
        let one_of = |patterns: &[String], text: &str| patterns.iter().any(|pattern| matches(pattern, text));
        self.only == *only
            && matches(&self.kind, &key.kind)
            && one_of(&self.packages, &format!("{}@{}", key.name, key.version))
            && one_of(&self.paths, path)
            && one_of(&self.found_by, found_by)
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("*/test/*", "a/test/b", true),
            ("*/test/*", "a/tests/b", false),
            ("a*b*c*d", "a.c.b.c.d", true),
            ("a*b*c*d", "a.c.b.d", false),
            ("ab*ba", "aba", false),
            ("a", "a", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn every_rule_has_its_section_in_the_document() {
        let document = fs::read_to_string(crate::root().join("docs/syft-comparison.md")).unwrap();
        let headings: Vec<&str> = document.lines().filter_map(|line| line.strip_prefix("### ")).collect();
        for rule in Explained::read(&crate::root().join(FILE)).unwrap().0 {
            assert!(headings.contains(&rule.section.as_str()), "`{}` is not explained", rule.section);
        }
    }
}
