//! YAML with places: a document as a tree in which every key and value knows its line.
//!
//! For documents that users write: policies, exceptions, configuration. Deserialising into structs would stop at the first
//! mistake; reading a tree reports them all.

use std::fmt;

use crate::diagnostic::Cursor;
use crate::{Diagnostic, Place, nearest};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

/// The largest file that is read: thousands of policies or exceptions.
pub const FILE_BYTES_MAX: usize = 4 << 20;
/// So many documents may a file have: one of the largest size has no more, even if each is only as long as a short policy.
pub const DOCUMENTS_MAX: usize = 10_000;
/// So many mistakes of a file are reported: nobody reads on, and each holds a part of the file.
pub const MISTAKES_MAX: usize = 200;
/// So much of a message is kept; a document's own words in it may be MiB.
const MESSAGE_CHARS_MAX: usize = 500;
/// How many nodes a file may expand to, aliases included; a file of the largest size has fewer.
const NODES_MAX: usize = 1_000_000;
/// How deep a file may nest; ours need five.
const DEPTH_MAX: usize = 24;

/// One value and where it begins.
#[derive(Debug, Clone)]
pub struct Node {
    /// The value.
    pub value: Yaml,
    /// The line it begins in, counted from 1.
    pub line: usize,
    /// The column it begins at, counted from 1.
    pub column: usize,
    /// How many characters it has.
    pub width: usize,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum Yaml {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(Node, Node)>),
}

impl Node {
    fn new(value: Yaml, at: Location) -> Self {
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Self { value, line: size(at.line()), column: size(at.column()), width: size(at.span().len()) }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        if let Yaml::Text(text) = &self.value { Some(text) } else { None }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Yaml>::deserialize(deserializer)?;
        Ok(Self::new(spanned.value, spanned.referenced))
    }
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyVisitor;
        impl<'de> Visitor<'de> for AnyVisitor {
            type Value = Yaml;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a YAML value")
            }

            fn visit_unit<E>(self) -> Result<Yaml, E> {
                Ok(Yaml::Null)
            }

            fn visit_none<E>(self) -> Result<Yaml, E> {
                Ok(Yaml::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Yaml, E> {
                Ok(Yaml::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Yaml, E> {
                Ok(Yaml::Number(value as f64))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Yaml, E> {
                Ok(Yaml::Number(value as f64))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Yaml, E> {
                Ok(Yaml::Number(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Yaml, E> {
                Ok(Yaml::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Yaml, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Yaml::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Yaml, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Yaml::Map(entries))
            }
        }
        deserializer.deserialize_any(AnyVisitor)
    }
}

/// Reads the documents of one file and gathers what is wrong with them.
#[derive(Debug)]
pub struct Reader<'a> {
    /// The file's name, for diagnostics.
    pub file: &'a str,
    /// The file's text.
    pub source: &'a str,
    errors: Vec<Diagnostic>,
    /// The first mistake beyond the bound: line, column and width.
    more_at: Option<(usize, usize, usize)>,
}

impl<'a> Reader<'a> {
    /// A reader of this text.
    pub fn new(file: &'a str, source: &'a str) -> Self {
        Self { file, source, errors: Vec::new(), more_at: None }
    }

    /// Whether nothing was wrong so far.
    pub fn is_content(&self) -> bool {
        self.errors.is_empty()
    }

    /// Whether more was wrong than is reported, so that looking for more mistakes is of no use.
    pub fn is_full(&self) -> bool {
        self.more_at.is_some()
    }

    /// The documents of the file; empty ones are left out.
    pub fn documents(&mut self) -> Vec<Node> {
        if self.source.len() > FILE_BYTES_MAX {
            let message = format!("the file is larger than {} MiB", FILE_BYTES_MAX >> 20);
            self.report("too-large", message, (1, 1, 1), Some("split it into several files".into()));
            return Vec::new();
        }
        if let Some(line) = self.document_too_many() {
            let message = format!("the file has more than {DOCUMENTS_MAX} documents");
            self.report("too-large", message, (line, 1, 3), Some("split it into several files".into()));
            return Vec::new();
        }
        let options = serde_saphyr::options! {
            // YAML 1.1 reads a bare `no` or `y` as a boolean; a reason may be any word.
            strict_booleans: true,
            budget: serde_saphyr::budget! {
                max_depth: DEPTH_MAX,
                max_nodes: NODES_MAX,
                max_aliases: 1_000,
                // A document before the first separator comes on top.
                max_documents: DOCUMENTS_MAX + 1,
            },
            alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000 },
        };
        match serde_saphyr::from_multiple_with_options::<Node>(self.source, options) {
            Ok(documents) => documents.into_iter().filter(|node| !matches!(node.value, Yaml::Null)).collect(),
            Err(error) => {
                let at = error.location().map_or((1, 1), |at| (at.line() as usize, at.column() as usize));
                // The library ends its sentence with the place, and names its own options after a comma.
                let message = error.without_snippet().to_string();
                let message = message.lines().next().unwrap_or_default();
                let message = message.split(" at line ").next().unwrap_or(message);
                let message = message.split(", set ").next().unwrap_or(message).to_owned();
                self.report("yaml", message, (at.0, at.1, 1), None);
                Vec::new()
            }
        }
    }

    /// The line that begins one document too many.
    fn document_too_many(&self) -> Option<usize> {
        let separates =
            |line: &str| line.strip_prefix("---").is_some_and(|rest| !rest.starts_with(|c| !" \t".contains(c)));
        let separators = (1..).zip(self.source.lines()).filter(|(_, line)| separates(line));
        separators.map(|(line, _)| line).nth(DOCUMENTS_MAX)
    }

    /// What was wrong, in the order of the file; at most [`MISTAKES_MAX`], and one that says so at the end.
    pub fn into_errors(mut self) -> Vec<Diagnostic> {
        self.errors.sort_by_key(|error| (error.place.line, error.place.column));
        let mut cursor = Cursor::new(self.source);
        self.errors.iter_mut().for_each(|error| cursor.show(&mut error.place));
        if let Some((line, column, width)) = self.more_at {
            let message = format!("there are more mistakes; {MISTAKES_MAX} are shown");
            let place = Place::new(self.file, self.source, line, column, width);
            let remedy = Some("correct these first".to_owned());
            self.errors.push(Diagnostic { code: "too-many-mistakes", message, place, remedy });
        }
        self.errors
    }

    /// Notes an error at a line, a column and a width.
    pub fn report(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        at: (usize, usize, usize),
        remedy: Option<String>,
    ) {
        if self.errors.len() == MISTAKES_MAX {
            self.more_at.get_or_insert(at);
            return;
        }
        let (file, (line, column, width)) = (self.file.to_owned(), at);
        // The text is added when all mistakes are known.
        let place = Place { file, line, column, width, text: String::new(), skipped: 0 };
        let remedy = remedy.map(short);
        self.errors.push(Diagnostic { code, message: short(message.into()), place, remedy });
    }

    /// Notes an error at a node.
    pub fn reject(&mut self, node: &Node, code: &'static str, message: impl Into<String>, remedy: &str) {
        let width = if matches!(node.value, Yaml::Map(_) | Yaml::List(_)) { 1 } else { node.width };
        let remedy = Some(remedy.to_owned()).filter(|remedy| !remedy.is_empty());
        self.report(code, message, (node.line, node.column, width), remedy);
    }

    /// The fields of a mapping, of which only `known` are allowed.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<Fields<'n>> {
        let Yaml::Map(entries) = &node.value else {
            self.reject(node, "wrong-shape", format!("{what} is a mapping of keys"), "");
            return None;
        };
        for (key, _) in entries {
            let name = key.text().unwrap_or_default();
            // What is wrong beyond the bound is not explained: comparing names costs time.
            if !known.contains(&name) && self.is_full() {
                break;
            }
            if !known.contains(&name) {
                let remedy = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("{what} has: {}", known.join(", ")),
                };
                self.reject(key, "unknown-key", format!("{what} has no key `{name}`"), &remedy);
            }
        }
        Some(Fields { node, entries })
    }

    /// A text that must be there.
    pub fn required<'n>(&mut self, fields: &Fields<'n>, key: &str, remedy: &str) -> Option<&'n str> {
        match fields.get(key) {
            Some(_) => self.optional(fields, key).filter(|text| !text.trim().is_empty()).or_else(|| {
                if let Some(Node { value: Yaml::Text(_), .. }) = fields.get(key) {
                    self.reject(fields.get(key)?, "missing-key", format!("`{key}` is empty"), remedy);
                }
                None
            }),
            None => {
                self.reject(fields.node, "missing-key", format!("`{key}` is missing"), remedy);
                None
            }
        }
    }

    /// A text that may be there.
    pub fn optional<'n>(&mut self, fields: &Fields<'n>, key: &str) -> Option<&'n str> {
        let node = fields.get(key)?;
        if node.text().is_none() {
            self.reject(node, "wrong-shape", format!("`{key}` is a text"), "quote it");
        }
        node.text()
    }

    /// A list of texts, or one text that stands for a list of one.
    pub fn texts<'n>(&mut self, fields: &Fields<'n>, key: &str) -> Vec<&'n Node> {
        let nodes: Vec<&Node> = match fields.get(key) {
            None => Vec::new(),
            Some(Node { value: Yaml::List(items), .. }) => items.iter().collect(),
            Some(node) => vec![node],
        };
        for node in nodes.iter().filter(|node| node.text().is_none()) {
            self.reject(node, "wrong-shape", format!("`{key}` is a list of texts"), "");
        }
        nodes.into_iter().filter(|node| node.text().is_some()).collect()
    }

    /// A list of texts without their places.
    pub fn strings(&mut self, fields: &Fields<'_>, key: &str) -> Vec<String> {
        self.texts(fields, key).into_iter().filter_map(|node| node.text().map(str::to_owned)).collect()
    }

    /// One of a few words.
    pub fn word<T: Copy>(&mut self, node: &Node, key: &str, words: &[(&str, T)]) -> Option<T> {
        let text = node.text().unwrap_or_default();
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() && !self.is_full() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let remedy = match nearest(text, all.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("one of: {}", all.join(", ")),
            };
            self.reject(node, "unknown-value", format!("`{text}` is no value of `{key}`"), &remedy);
        }
        found
    }
}

/// The text, cut where it is long.
fn short(text: String) -> String {
    match text.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The fields of one mapping.
#[derive(Debug)]
pub struct Fields<'n> {
    /// The mapping.
    pub node: &'n Node,
    entries: &'n [(Node, Node)],
}

impl<'n> Fields<'n> {
    /// The value under a key; none when it is absent or null.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        let entry = self.entries.iter().find(|(name, _)| name.text() == Some(key));
        entry.map(|(_, value)| value).filter(|value| !matches!(value.value, Yaml::Null))
    }
}

/// Where a character of a text value stands in its file.
///
/// Plain, quoted and block scalars fold white space but keep every other character, so the two are walked side by side
/// over what is not white space. Where an escape breaks that, the place is the value's beginning.
pub fn place_of(source: &str, node: &Node, offset: usize) -> (usize, usize) {
    let start = (node.line, node.column);
    let Some(text) = node.text() else { return start };
    let mut rest = characters(source, node.line).skip_while(|(_, at)| *at < start).peekable();
    match rest.peek() {
        Some(('|' | '>', _)) => while rest.next_if(|(_, at)| at.0 == node.line).is_some() {},
        Some(('"' | '\'', _)) => drop(rest.next()),
        _ => {}
    }
    let mut rest = rest.filter(|(c, _)| !c.is_whitespace());
    let mut last = start;
    for (index, expected) in text.chars().enumerate() {
        if index == offset && expected.is_whitespace() {
            return (last.0, last.1 + 1);
        }
        if expected.is_whitespace() {
            continue;
        }
        match rest.next() {
            Some((found, at)) if found == expected => last = at,
            _ => return start,
        }
        if index == offset {
            return last;
        }
    }
    (last.0, last.1 + 1)
}

/// The characters of a file from a line on, with their lines and columns.
fn characters(source: &str, first: usize) -> impl Iterator<Item = (char, (usize, usize))> {
    source
        .lines()
        .enumerate()
        .skip(first.saturating_sub(1))
        .flat_map(|(line, text)| text.chars().enumerate().map(move |(column, c)| (c, (line + 1, column + 1))))
}
