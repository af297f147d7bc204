//! The tokens of Erlang terms: as much as resource files need.
//!
//! Source: Erlang reference manual, "Character Set and Source File Encoding", "Data Types".

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `kernel`, `'Elixir.Access'`; also numbers and variables, which are never what is looked for.
    Atom(&'a str),
    /// `"1.0"` or the text of `<<"1.0">>`, with its escapes.
    Text(&'a str),
    /// Anything else, a character each.
    Punctuation(char),
}

/// Reads tokens from a text until it ends or is cut off within one.
pub(super) struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// The text up to an unescaped `quote`; none when there is none.
    fn quoted(&mut self, quote: u8) -> Option<&'a str> {
        let mut escaped = false;
        let end = self.rest.bytes().position(|byte| {
            let closes = byte == quote && !escaped;
            escaped = byte == b'\\' && !escaped;
            closes
        })?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(text)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.strip_prefix('%') {
                Some(comment) => self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest),
                None => break,
            }
        }
        let first = self.rest.chars().next()?;
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '@';
        if is_word(first) {
            let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
            let (word, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Some(Token::Atom(word));
        }
        self.rest = &self.rest[first.len_utf8()..];
        match first {
            '"' => self.quoted(b'"').map(Token::Text),
            '\'' => self.quoted(b'\'').map(Token::Atom),
            _ => Some(Token::Punctuation(first)),
        }
    }
}
