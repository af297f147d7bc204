//! Terms of Elixir and Erlang, as far as lock files need them.
//!
//! Tuples, lists, maps and binaries are all groups, and `key: value` or `key => value` are two terms in a row: whoever
//! reads one knows at which place what stands. Nothing is evaluated.

/// One term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term<'a> {
    /// A string, an atom or a number, without quotes and colons.
    Text(&'a str),
    /// What stands between two brackets.
    Group(Vec<Term<'a>>),
}

/// The deepest nesting that is followed; lock files need 6 levels.
const DEPTH_MAX: usize = 32;

/// The most parts (terms, brackets, commas, blanks) of one file: the largest lock files have some ten thousands.
const PARTS_MAX: usize = 1_000_000;

impl<'a> Term<'a> {
    /// The text; empty for a group.
    pub(super) fn text(&self) -> &'a str {
        if let Self::Text(text) = self { text } else { "" }
    }

    /// The terms inside; none for a text.
    pub(super) fn terms(&self) -> &[Term<'a>] {
        if let Self::Group(terms) = self { terms } else { &[] }
    }
}

/// The terms of a text, or what is wrong with it. `comment` begins a comment outside of strings: `#` or `%%`.
pub(super) fn read<'a>(text: &'a str, comment: &str) -> Result<Vec<Term<'a>>, &'static str> {
    let mut open: Vec<Vec<Term<'a>>> = vec![Vec::new()];
    let mut rest = text;
    let mut count = 0;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            _ if rest.starts_with(comment) => rest.find('\n').unwrap_or(rest.len()),
            // `<<"text">>` is a text of Erlang.
            '<' | '>' => 1,
            '{' | '[' if open.len() > DEPTH_MAX => return Err("it is nested too deeply"),
            '{' | '[' => {
                open.push(Vec::new());
                1
            }
            '}' | ']' => {
                let group = open.pop().map(Term::Group);
                open.last_mut().ok_or("a bracket is closed that was not opened")?.extend(group);
                1
            }
            '"' => {
                let length = string_length(rest).ok_or("a string is not closed")?;
                open.last_mut().into_iter().for_each(|group| group.push(Term::Text(&rest[1..length - 1])));
                length
            }
            _ => {
                let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@' | '?' | '!' | '.' | '-');
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                // The dot that ends a term of Erlang stands alone.
                if length > 0 && !rest[..length].starts_with('.') {
                    open.last_mut().into_iter().for_each(|group| group.push(Term::Text(&rest[..length])));
                }
                length.max(first.len_utf8())
            }
        };
        count += 1;
        if count > PARTS_MAX {
            return Err("it has more than 1000000 parts");
        }
        rest = &rest[length..];
    }
    let terms = open.pop().unwrap_or_default();
    if open.is_empty() { Ok(terms) } else { Err("a bracket is not closed") }
}

/// The length of the string that begins the text, with both quotes.
fn string_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages() {
        let elixir = read("# x\n%{\"a\": {:hex, :b, \"1.0\", [only: [:dev]]}, \"c\" => nil}", "#").expect("terms");
        assert_eq!(elixir.len(), 1);
        let [name, entry, ..] = elixir[0].terms() else { panic!("{elixir:?}") };
        assert_eq!((name.text(), entry.terms()[1].text(), entry.terms()[2].text()), ("a", "b", "1.0"));
        let erlang =
            read("%% x\n{\"1.2.0\",\n[{<<\"a\">>,{pkg,<<\"b\">>,<<\"2.0\">>},0}]}.\n[].\n", "%%").expect("terms");
        assert_eq!(erlang[0].terms()[1].terms()[0].terms()[1].terms()[2].text(), "2.0");
        assert_eq!(erlang.len(), 2);
    }

    #[test]
    fn broken_ones_are_told() {
        for text in ["{", "}", "\"", "\"\\", "[}]]", &"[".repeat(100_000), &"a,".repeat(1_000_000)] {
            assert!(read(text, "#").is_err(), "{}", &text[..text.len().min(9)]);
        }
    }
}
