//! Patterns for images in a registry: `registry.example/team/*:v1.*`.

use regex::Regex;

use super::reference::{is_host, is_tag, split_registry};

/// The longest pattern; twice the longest reference.
const PATTERN_BYTES_MAX: usize = 1024;

/// Which images of one registry are meant.
///
/// `*` stands for any characters within one component of a name, `**` also across components, `?` for one character. The
/// registry is always written out, and so are the tags: `registry.example/shop:*`, `registry:debian:12*`.
#[derive(Debug, Clone)]
pub struct Pattern {
    registry: String,
    repository: String,
    repositories: Regex,
    tags: Regex,
}

/// Why a text with `*` or `?` is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// No tag part.
    #[error("the pattern `{text}` does not say which tags")]
    NoTags {
        /// What the user typed.
        text: String,
    },
    /// Characters that no name has.
    #[error("the pattern `{text}` matches no name a registry may have")]
    Impossible {
        /// What the user typed.
        text: String,
    },
}

impl PatternError {
    /// What the reader can do next.
    pub fn hint(&self) -> String {
        match self {
            Self::NoTags { text } => format!("write `{text}:*` for all of them, or `{text}:latest`"),
            Self::Impossible { .. } => {
                "`*` is any characters but `/`, `**` any characters, `?` one; names have a-z, 0-9, `.`, `_`, `-`, `/`"
                    .into()
            }
        }
    }
}

impl Pattern {
    /// The pattern that `text` is; none when it is none: it has no `*` or `?`, or no registry before them.
    pub fn parse(text: &str) -> Option<Result<Self, PatternError>> {
        let explicit = text.strip_prefix("registry:");
        let rest = explicit.unwrap_or(text);
        if !rest.contains(['*', '?']) || rest.len() > PATTERN_BYTES_MAX {
            return None;
        }
        let (registry, rest) = match split_registry(rest) {
            (Some(registry), rest) if is_host(registry) => (registry, rest),
            (None, rest) if explicit.is_some() => (super::reference::DEFAULT_REGISTRY, rest),
            _ => return None,
        };
        let Some((repository, tag)) = rest.split_once(':') else {
            return Some(Err(PatternError::NoTags { text: text.into() }));
        };
        let of_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/*?".contains(&b);
        let usable = !repository.is_empty()
            && repository.bytes().all(of_name)
            && is_tag(&tag.replace(['*', '?'], "x"))
            && !tag.is_empty();
        let (Some(tags), true) = (regex(tag), usable) else {
            return Some(Err(PatternError::Impossible { text: text.into() }));
        };
        let in_library = registry == super::reference::DEFAULT_REGISTRY && !repository.contains(['/', '*']);
        let repository = if in_library { format!("library/{repository}") } else { repository.to_owned() };
        let repositories = regex(&repository)?;
        Some(Ok(Self { registry: registry.to_ascii_lowercase(), repository, repositories, tags }))
    }

    /// The registry.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The only repository that is meant; none when the registry must be asked which there are.
    pub fn repository(&self) -> Option<&str> {
        (!self.repository.contains(['*', '?'])).then_some(&self.repository)
    }

    /// Whether a repository is meant.
    pub fn has_repository(&self, name: &str) -> bool {
        self.repositories.is_match(name)
    }

    /// Whether a tag is meant.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.is_match(tag)
    }
}

/// As a regular expression, which matches in linear time. None when it is too large a one.
fn regex(pattern: &str) -> Option<Regex> {
    let mut expression = String::from("^");
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let taken = if rest.starts_with("**") { 2 } else { c.len_utf8() };
        match (c, taken) {
            ('*', 2) => expression.push_str(".*"),
            ('*', _) => expression.push_str("[^/]*"),
            ('?', _) => expression.push_str("[^/]"),
            _ => expression.push_str(&regex::escape(&rest[..taken])),
        }
        rest = &rest[taken..];
    }
    expression.push('$');
    Regex::new(&expression).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, names: &[(&str, &str)], others: &[(&str, &str)]) {
        let pattern = Pattern::parse(text).expect("a pattern").unwrap_or_else(|error| panic!("{error}"));
        let is_meant = |(name, tag): &(&str, &str)| pattern.has_repository(name) && pattern.has_tag(tag);
        names.iter().for_each(|name| assert!(is_meant(name), "{text} has {name:?}"));
        others.iter().for_each(|name| assert!(!is_meant(name), "{text} has not {name:?}"));
    }

    #[test]
    fn stars_stay_within_a_component_and_double_stars_do_not() {
        check(
            "registry.example/team/*:v1.*",
            &[("team/shop", "v1.2"), ("team/a", "v1.")],
            &[("team/a/b", "v1.2"), ("other/a", "v1.2"), ("team/shop", "v2.1"), ("team/shop", "xv1.2")],
        );
        check("localhost:5000/**:*", &[("a", "1"), ("a/b/c", "latest")], &[]);
        check("registry.example/a.b?:1?", &[("a.bc", "12")], &[("axbc", "12"), ("a.b", "12"), ("a.bc", "1")]);
        check("registry:debian:12*", &[("library/debian", "12-slim")], &[("debian", "12")]);
    }

    #[test]
    fn what_is_no_pattern_is_left_to_others_or_refused() {
        for text in ["debian:12", "dir:/srv/*", "oci-dir:a/*:x", "debian*", "team/*:1", "sbom:*.json", "git:a/*"] {
            assert!(Pattern::parse(text).is_none(), "{text}");
        }
        let error = |text: &str| Pattern::parse(text).expect("a pattern").expect_err("refused").to_string();
        assert!(error("registry.example/team/*").contains("does not say which tags"));
        assert!(error("registry.example/Team/*:x").contains("matches no name"));
        assert!(error("registry.example/team/*:a b").contains("matches no name"));
        assert!(error("registry.example/[ab]*:1").contains("matches no name"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_pattern_or_none(text in "\\PC{0,60}", name in "[a-z/.-]{0,20}") {
            if let Some(Ok(pattern)) = Pattern::parse(&text) {
                pattern.has_repository(&name);
            }
        }
    }
}
