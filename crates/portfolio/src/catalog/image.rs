//! Which component an image is built from, by its name.

use std::collections::HashMap;

use condition::glob;

use super::{Catalog, EntityRef};

/// An image's name without its tag and digest: `registry.example:5000/shop/api`.
pub fn repository(name: &str) -> &str {
    let name = name.split('@').next().unwrap_or(name);
    // A colon before the last slash is the registry's port.
    match name.rfind(':') {
        Some(colon) if !name[colon..].contains('/') => &name[..colon],
        _ => name,
    }
}

/// What is wrong with a pattern for repositories.
pub(super) fn pattern_problem(pattern: &str) -> Option<String> {
    if pattern.contains(char::is_whitespace) {
        return Some(format!("`{pattern}` has white space in it; patterns are separated by commas"));
    }
    (repository(pattern) != pattern)
        .then(|| format!("`{pattern}` names a tag or digest, and every tag of a repository is one component's"))
}

/// What a pattern says before its first `*` or `?`.
fn literal_prefix(pattern: &str) -> &str {
    pattern.split(['*', '?']).next().unwrap_or_default()
}

/// The image patterns of all components, ready for many questions.
///
/// The pattern with the longest text before its first `*` or `?` wins, then the one with the most characters that are neither, then
/// the component whose reference comes first. The order of files and lines does not matter: a directory has none.
#[derive(Debug)]
pub struct ImagePatterns {
    by_prefix: HashMap<String, Vec<(String, EntityRef)>>,
    longest: usize,
}

impl ImagePatterns {
    pub(super) fn new(catalog: &Catalog) -> Self {
        let mut by_prefix: HashMap<String, Vec<(String, EntityRef)>> = HashMap::new();
        for (reference, component) in &catalog.components {
            for pattern in &component.handling.images {
                let prefix = literal_prefix(pattern).to_owned();
                by_prefix.entry(prefix).or_default().push((pattern.clone(), reference.clone()));
            }
        }
        let literals = |pattern: &str| pattern.chars().filter(|c| !matches!(c, '*' | '?')).count();
        for patterns in by_prefix.values_mut() {
            patterns
                .sort_by_cached_key(|(pattern, reference)| (std::cmp::Reverse(literals(pattern)), reference.clone()));
        }
        let longest = by_prefix.keys().map(String::len).max().unwrap_or(0);
        Self { by_prefix, longest }
    }

    /// The component that an image belongs to. The name is whole, as platforms write it; its tag and digest do not matter.
    pub fn component_of(&self, image: &str) -> Option<&EntityRef> {
        let name = repository(image);
        let lengths = (0..=name.len().min(self.longest)).rev().filter(|length| name.is_char_boundary(*length));
        let mut fitting = lengths.filter_map(|length| {
            let patterns = self.by_prefix.get(&name[..length])?;
            patterns.iter().find(|(pattern, _)| glob::fits(pattern, name)).map(|(_, reference)| reference)
        });
        fitting.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_a_name_without_tag_and_digest() {
        for (name, expected) in [
            ("registry.example/shop/api:1.4", "registry.example/shop/api"),
            ("registry.example:5000/shop", "registry.example:5000/shop"),
            ("registry.example:5000/shop:1@sha256:00", "registry.example:5000/shop"),
            ("debian", "debian"),
            ("", ""),
        ] {
            assert_eq!(repository(name), expected);
        }
        assert!(pattern_problem("registry.example:5000/shop/*").is_none());
        assert!(pattern_problem("registry.example/shop:1*").is_some());
        assert!(pattern_problem("a b").is_some());
    }
}
