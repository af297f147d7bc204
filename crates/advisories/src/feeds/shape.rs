//! What a document looks like: its syntax and the paths of its keys, which is what formats are recognised by.
//!
//! Only keys are looked at, never values, and only the upper levels of them. So telling formats apart costs one quick pass,
//! whatever a document holds.

use memchr::memchr2;

/// How deep keys are recorded. The marks of no format lie deeper.
const DEPTH_MAX: usize = 3;
/// How many different keys are recorded; the formats we know have fewer, but for those that are tables of packages, whose
/// first entries tell enough.
const KEYS_MAX: usize = 512;
/// How many keys of a JSON document are looked at, repetitions included; the rest is only looked through for its end.
const KEYS_SEEN_MAX: usize = 100_000;
/// How much of a YAML or XML document is looked at: all marks are near its beginning.
const HEAD_BYTES: usize = 64 << 10;
/// Deeper JSON is read by nobody: `serde_json` stops here.
const NESTING_MAX: usize = 128;
/// No key, or one that is not recorded.
const NONE: u16 = u16::MAX;

/// The syntax of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Json,
    Yaml,
    Xml,
    /// Anything else.
    Text,
}

/// A document's syntax and its keys.
pub(crate) struct Shape<'a> {
    pub(crate) syntax: Syntax,
    /// The first line of a text.
    pub(crate) first_line: &'a str,
    /// Whether a JSON document has its end.
    pub(crate) ended: bool,
    keys: Vec<Key<'a>>,
}

struct Key<'a> {
    parent: u16,
    depth: u8,
    name: &'a [u8],
}

impl<'a> Shape<'a> {
    /// Looks at a document.
    pub(crate) fn of(text: &'a [u8]) -> Self {
        let first_line = text.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii();
        let first_line = str::from_utf8(first_line).unwrap_or_default();
        let mut shape = Self { syntax: Syntax::Text, first_line, ended: false, keys: Vec::new() };
        let start = text.trim_ascii_start();
        match start {
            [b'{', ..] => shape.json(start),
            [b'[', rest @ ..] if matches!(rest.trim_ascii_start(), [b'{' | b']', ..]) => shape.json(start),
            [b'<', ..] => shape.xml(&start[..start.len().min(HEAD_BYTES)]),
            [b'`' | b'[', ..] => {}
            _ => shape.yaml(&start[..start.len().min(HEAD_BYTES)]),
        }
        shape
    }

    /// Whether it is of this syntax and has all these keys, each a path with dots; `*` stands for any key. Lists are looked
    /// through: the keys of their entries are those of the list.
    pub(crate) fn has(&self, syntax: Syntax, paths: &[&str]) -> bool {
        self.syntax == syntax && paths.iter().all(|path| self.any(NONE, &mut path.split('.')))
    }

    fn any(&self, parent: u16, path: &mut std::str::Split<'_, char>) -> bool {
        let Some(wanted) = path.next() else { return true };
        let mut keys = self.keys.iter().enumerate();
        keys.any(|(at, key)| {
            key.parent == parent
                && (wanted == "*" || wanted.as_bytes() == key.name)
                && self.any(at as u16, &mut path.clone())
        })
    }

    /// The number of a key below another, recorded if it is new. `near` is where it likely is: keys repeat in their order.
    fn key(&mut self, parent: u16, near: u16, name: &'a [u8]) -> u16 {
        let depth = if parent == NONE { 0 } else { self.keys[parent as usize].depth + 1 };
        let is = |key: &Key<'_>| key.parent == parent && key.name == name;
        let near = if near == NONE { 0 } else { near as usize }.min(self.keys.len());
        let found = self.keys[near..].iter().position(is).map(|at| at + near);
        match found.or_else(|| self.keys[..near].iter().position(is)) {
            Some(at) => at as u16,
            None if self.keys.len() < KEYS_MAX && usize::from(depth) < DEPTH_MAX => {
                self.keys.push(Key { parent, depth, name });
                (self.keys.len() - 1) as u16
            }
            None => NONE,
        }
    }

    fn json(&mut self, text: &'a [u8]) {
        self.syntax = Syntax::Json;
        // For each open bracket: the key it is the value of and the last key in it. A depth that is not recorded has none,
        // which is not the same as the outermost, so that is a level of its own.
        struct Level {
            within: u16,
            recorded: bool,
            last: u16,
            last_recorded: bool,
        }
        let mut levels: Vec<Level> = Vec::new();
        let mut seen = 0;
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            at += 1;
            match byte {
                b'"' => {
                    let start = at;
                    let Some(end) = end_of_string(text, at) else { return };
                    at = end + 1;
                    let is_key = text[at..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
                    if let (true, Some(level)) = (is_key, levels.last_mut()) {
                        seen += 1;
                        level.last_recorded = false;
                        if level.recorded && seen < KEYS_SEEN_MAX {
                            level.last = self.key(level.within, level.last, &text[start..end]);
                            level.last_recorded = level.last != NONE;
                        }
                    }
                }
                b'{' | b'[' => {
                    if levels.len() == NESTING_MAX {
                        return;
                    }
                    let (within, recorded) =
                        levels.last().map_or((NONE, true), |level| (level.last, level.last_recorded));
                    levels.push(Level { within, recorded, last: within, last_recorded: recorded });
                }
                b'}' | b']' => {
                    levels.pop();
                    if levels.is_empty() {
                        self.ended = true;
                        return;
                    }
                }
                _ => {}
            }
        }
    }

    /// Keys at the margin, and those one level below them.
    fn yaml(&mut self, text: &'a [u8]) {
        self.syntax = Syntax::Yaml;
        let mut last = NONE;
        for line in text.split(|&byte| byte == b'\n') {
            let inner = line.trim_ascii_start();
            let indent = line.len() - inner.len();
            let inner = inner.strip_prefix(b"- ").map_or(inner, <[u8]>::trim_ascii_start);
            let Some(colon) = inner.iter().position(|&byte| byte == b':') else { continue };
            let name = inner[..colon].trim_ascii();
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'@');
            let ends = inner.get(colon + 1).is_none_or(u8::is_ascii_whitespace);
            if name.is_empty() || !ends || !name.iter().all(plain) {
                continue;
            }
            match (indent, line.first()) {
                (0, Some(first)) if *first != b'-' => last = self.key(NONE, last, name),
                (0..=4, _) if last != NONE => _ = self.key(last, NONE, name),
                _ => {}
            }
        }
    }

    /// The names of elements, without their prefixes.
    fn xml(&mut self, text: &'a [u8]) {
        self.syntax = Syntax::Xml;
        let mut open: Vec<u16> = Vec::new();
        let mut at = 0;
        while let Some(start) = text[at..].iter().position(|&byte| byte == b'<').map(|found| at + found + 1) {
            let Some(end) = text[start..].iter().position(|&byte| byte == b'>').map(|found| start + found) else {
                return;
            };
            at = end + 1;
            let tag = &text[start..end];
            match tag.first() {
                Some(b'?' | b'!') | None => {}
                Some(b'/') => _ = open.pop(),
                Some(_) => {
                    let name = tag.split(|byte| byte.is_ascii_whitespace() || *byte == b'/').next().unwrap_or_default();
                    let name = name.rsplit(|&byte| byte == b':').next().unwrap_or_default();
                    let parent = open.last().copied().unwrap_or(NONE);
                    let hidden = !open.is_empty() && parent == NONE;
                    let key = if hidden { NONE } else { self.key(parent, NONE, name) };
                    if tag.last() != Some(&b'/') {
                        open.push(key);
                    }
                }
            }
            if open.len() > NESTING_MAX {
                return;
            }
        }
    }
}

/// Where a string ends whose first character is at `at`; none when it does not.
fn end_of_string(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(syntax: Syntax, text: &str, has: &[&str], has_not: &[&str]) {
        let shape = Shape::of(text.as_bytes());
        assert_eq!(shape.syntax, syntax, "{text}");
        has.iter().for_each(|path| assert!(shape.has(syntax, &[path]), "{path} in {text}"));
        has_not.iter().for_each(|path| assert!(!shape.has(syntax, &[path]), "{path} not in {text}"));
    }

    #[test]
    fn keys_of_lists_are_those_of_their_entries_and_values_are_no_keys() {
        check(
            Syntax::Json,
            r#" {"a": [{"b": {"c": {"d": 1}}}, {"e": "f"}], "g\"": "a.b"}"#,
            &["a", "a.b", "a.b.c", "a.e", "*.e", "*.*.c"],
            &["b", "f", "a.b.c.d", "d", "g", "c.d"],
        );
        check(Syntax::Json, r#"[{"a": 1}, {"b": [[{"c": 2}]]}]"#, &["a", "b.c"], &["c"]);
        check(Syntax::Json, &"[{".repeat(200), &[], &["a"]);
        assert!(!Shape::of(br#"{"a": 1, "#).ended);
        assert!(Shape::of(br#"{"a": "}"} "#).ended);
    }

    #[test]
    fn other_syntaxes_are_told_apart() {
        check(Syntax::Text, "[31 Mar 2023] DSA-5380-1 xorg-server - security update", &[], &[]);
        check(Syntax::Text, "```toml\n[advisory]\n", &[], &["advisory"]);
        check(
            Syntax::Yaml,
            "# a comment: no key\n---\nid: x\naffected:\n- package:\n    name: y\n  versions: []\nsummary: a b: c\n",
            &["id", "affected.package", "affected.versions", "summary"],
            &["package", "name", "b"],
        );
        check(
            Syntax::Xml,
            "<?xml version='1.0'?><!-- <x> --><updates><update type='a'><id>1</id><br/></update></updates>",
            &["updates", "updates.update.id", "updates.update.br"],
            &["id", "updates.id"],
        );
    }
}
