//! References to entities: `[kind:][namespace/]name`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The namespace of an entity that names none.
pub const DEFAULT_NAMESPACE: &str = "default";
/// The longest kind, namespace and name that Backstage takes.
const PART_CHARS_MAX: usize = 63;

/// Which entity is meant, in full: `group:default/team-a`.
///
/// Backstage compares references without regard to case, so they are kept in lower case. Parsing is the only way to make one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct EntityRef {
    kind: String,
    namespace: String,
    name: String,
}

/// A reference to a team (`group:`).
pub type TeamRef = EntityRef;
/// A reference to a person (`user:`).
pub type PersonRef = EntityRef;

/// Why a text is no reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefError {
    /// A part before `:` or `/`, or the name, is empty.
    #[error("a reference is `[kind:][namespace/]name`")]
    Form,
    /// No kind, where none can be assumed.
    #[error("the reference says no kind")]
    NoKind,
    /// The kind has other characters than letters and digits.
    #[error("a kind has letters and digits only")]
    Kind,
    /// The namespace is no DNS label.
    #[error("a namespace has lower-case letters, digits and single `-` between them, at most 63 characters")]
    Namespace,
    /// The name breaks Backstage's rule for names.
    #[error(
        "a name has letters, digits, `-`, `_` and `.`, begins and ends with a letter or digit, and has at most 63 characters"
    )]
    Name,
}

impl EntityRef {
    /// Reads a reference as Backstage does: what it does not say comes from where it stands.
    pub fn parse(text: &str, default_kind: Option<&str>, default_namespace: &str) -> Result<Self, RefError> {
        let slash = text.find('/');
        // A colon behind the slash belongs to the name, which then breaks the rule for names.
        let colon = text.find(':').filter(|colon| slash.is_none_or(|slash| *colon < slash));
        let kind = colon.map(|colon| &text[..colon]);
        let after = colon.map_or(0, |colon| colon + 1);
        let namespace = slash.map(|slash| &text[after..slash]);
        let name = &text[slash.map_or(after, |slash| slash + 1)..];
        if kind == Some("") || namespace == Some("") || name.is_empty() {
            return Err(RefError::Form);
        }
        let kind = kind.or(default_kind).ok_or(RefError::NoKind)?;
        // Case does not matter in a reference; in a declared namespace it does.
        let namespace = namespace.unwrap_or(default_namespace).to_ascii_lowercase();
        Self::new(kind, &namespace, name)
    }

    /// The reference of an entity that says these of itself.
    pub(super) fn new(kind: &str, namespace: &str, name: &str) -> Result<Self, RefError> {
        if !is_kind(kind) {
            return Err(RefError::Kind);
        }
        if !is_namespace(namespace) {
            return Err(RefError::Namespace);
        }
        if !is_name(name) {
            return Err(RefError::Name);
        }
        Ok(Self { kind: kind.to_ascii_lowercase(), namespace: namespace.to_owned(), name: name.to_ascii_lowercase() })
    }

    /// The kind in lower case: `group`, `user`, `component`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The namespace, `default` if none was said.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As short as it can be said beside its kind: without the default namespace.
    pub fn short(&self) -> String {
        if self.namespace == DEFAULT_NAMESPACE {
            self.name.clone()
        } else {
            format!("{}/{}", self.namespace, self.name)
        }
    }
}

impl fmt::Display for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.kind, self.namespace, self.name)
    }
}

impl FromStr for EntityRef {
    type Err = RefError;

    fn from_str(text: &str) -> Result<Self, RefError> {
        Self::parse(text, None, DEFAULT_NAMESPACE)
    }
}

impl TryFrom<String> for EntityRef {
    type Error = RefError;

    fn try_from(text: String) -> Result<Self, RefError> {
        text.parse()
    }
}

impl From<EntityRef> for String {
    fn from(reference: EntityRef) -> Self {
        reference.to_string()
    }
}

fn is_kind(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    begins && text.len() <= PART_CHARS_MAX && text.bytes().all(|c| c.is_ascii_alphanumeric())
}

fn is_namespace(text: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.len() <= PART_CHARS_MAX && text.split('-').all(word)
}

fn is_name(text: &str) -> bool {
    let inside = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    let ends =
        text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.ends_with(|c: char| c.is_ascii_alphanumeric());
    ends && text.len() <= PART_CHARS_MAX && text.bytes().all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_backstage_reads_them() {
        for (text, expected) in [
            ("team-a", Ok("group:shop/team-a")),
            ("Team-A", Ok("group:shop/team-a")),
            ("user:jane.doe", Ok("user:shop/jane.doe")),
            ("Group:Default/team-a", Ok("group:default/team-a")),
            ("other/team_a", Ok("group:other/team_a")),
            ("", Err(RefError::Form)),
            (":a", Err(RefError::Form)),
            ("group:", Err(RefError::Form)),
            ("group:/a", Err(RefError::Form)),
            ("a/b/c", Err(RefError::Name)),
            ("a/b:c", Err(RefError::Name)),
            ("-a", Err(RefError::Name)),
            ("team a", Err(RefError::Name)),
            ("a--b/c", Err(RefError::Namespace)),
            ("gr-oup:a", Err(RefError::Kind)),
        ] {
            let read = EntityRef::parse(text, Some("group"), "shop").map(|reference| reference.to_string());
            assert_eq!(read, expected.map(str::to_owned), "{text}");
        }
        assert_eq!("team-a".parse::<EntityRef>(), Err(RefError::NoKind));
        assert_eq!(EntityRef::new("Group", "default", &"a".repeat(64)), Err(RefError::Name));
        let text: EntityRef = "user:default/jane".parse().unwrap();
        assert_eq!(serde_json::to_string(&text).unwrap(), r#""user:default/jane""#);
    }
}
