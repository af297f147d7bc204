//! Alpine versions: `digits{.digits}[letter]{_suffix[digits]}[~hash][-rdigits]` (apk-package(5), as apk-tools 3 reads it).

use std::cmp::Ordering;

use super::{compare_digits, split_while};

/// A valid version; it is walked again in every comparison, which costs less than keeping its tokens.
#[derive(Debug, Clone)]
pub(super) struct ApkVersion<'a>(&'a str);

pub(super) fn parse(text: &str) -> Result<ApkVersion<'_>, &'static str> {
    let mut tokens = Tokens::new(text);
    loop {
        match tokens.next_token()? {
            Token::End => return Ok(ApkVersion(text)),
            _ => continue,
        }
    }
}

impl ApkVersion<'_> {
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (Tokens::new(self.0), Tokens::new(other.0));
        loop {
            // Both were read to their ends before, so no token is invalid here.
            let (x, y) = (a.next_token().unwrap_or(Token::End), b.next_token().unwrap_or(Token::End));
            let order = x.compare(&y);
            if order.is_ne() || matches!(x, Token::End) {
                return order;
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Token<'a> {
    First(&'a str),
    Digits(&'a str),
    Letter(u8),
    Suffix(Suffix),
    SuffixNumber(&'a str),
    Hash(&'a str),
    Revision(&'a str),
    End,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Suffix {
    Alpha,
    Beta,
    Pre,
    Rc,
    Cvs,
    Svn,
    Git,
    Hg,
    Patch,
}

impl Token<'_> {
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            // A leading zero makes a fraction of the number: `1.09` is older than `1.1`, and then digits sort as text.
            (Self::Digits(a), Self::Digits(b)) if a.starts_with('0') || b.starts_with('0') => a.cmp(b),
            (Self::First(a), Self::First(b))
            | (Self::Digits(a), Self::Digits(b))
            | (Self::SuffixNumber(a), Self::SuffixNumber(b))
            | (Self::Revision(a), Self::Revision(b)) => compare_digits(a, b),
            (Self::Letter(a), Self::Letter(b)) => a.cmp(b),
            (Self::Suffix(a), Self::Suffix(b)) => a.cmp(b),
            (Self::Hash(a), Self::Hash(b)) => a.cmp(b),
            _ => self.weight().cmp(&other.weight()),
        }
    }

    /// Where tokens of different sorts meet: a pre-release is older than the end, all else is newer, and what can stand
    /// earlier in a version is newer.
    fn weight(&self) -> u8 {
        match self {
            Self::Suffix(suffix) if *suffix <= Suffix::Rc => 0,
            Self::End => 1,
            Self::Revision(_) => 2,
            Self::Hash(_) => 3,
            Self::SuffixNumber(_) => 4,
            Self::Suffix(_) => 5,
            Self::Letter(_) => 6,
            Self::Digits(_) => 7,
            Self::First(_) => 8,
        }
    }
}

/// How far a version has been read; later stages never return to earlier ones, but suffixes repeat.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Start,
    Digits,
    Letter,
    Suffix,
    SuffixNumber,
    Hash,
    Revision,
}

struct Tokens<'a> {
    rest: &'a str,
    stage: Stage,
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text, stage: Stage::Start }
    }

    fn next_token(&mut self) -> Result<Token<'a>, &'static str> {
        let rest = self.rest;
        let Some(&first) = rest.as_bytes().first() else {
            return if self.stage == Stage::Start { Err("it is empty") } else { Ok(Token::End) };
        };
        let after = rest.get(1..).unwrap_or("");
        match first {
            _ if self.stage == Stage::Start => self.digits(rest, Stage::Digits).map(Token::First),
            b'.' if self.stage == Stage::Digits => self.digits(after, Stage::Digits).map(Token::Digits),
            b'a'..=b'z' if self.stage == Stage::Digits => {
                self.advance(after, Stage::Letter);
                Ok(Token::Letter(first))
            }
            b'0'..=b'9' if self.stage == Stage::Suffix => {
                self.digits(rest, Stage::SuffixNumber).map(Token::SuffixNumber)
            }
            b'_' if self.stage <= Stage::SuffixNumber => {
                let (name, rest) = split_while(after, |byte| byte.is_ascii_lowercase());
                self.advance(rest, Stage::Suffix);
                suffix(name).map(Token::Suffix)
            }
            b'~' if self.stage < Stage::Hash => {
                let (hash, rest) = split_while(after, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                self.advance(rest, Stage::Hash);
                if hash.is_empty() { Err("no commit hash follows `~`") } else { Ok(Token::Hash(hash)) }
            }
            b'-' if self.stage < Stage::Revision => match after.strip_prefix('r') {
                Some(digits) => self.digits(digits, Stage::Revision).map(Token::Revision),
                None => Err("`-` is not followed by `r` and a number"),
            },
            _ => Err("a character is out of place"),
        }
    }

    fn digits(&mut self, text: &'a str, stage: Stage) -> Result<&'a str, &'static str> {
        let (digits, rest) = split_while(text, |byte| byte.is_ascii_digit());
        self.advance(rest, stage);
        if digits.is_empty() { Err("digits are missing") } else { Ok(digits) }
    }

    fn advance(&mut self, rest: &'a str, stage: Stage) {
        (self.rest, self.stage) = (rest, stage);
    }
}

fn suffix(name: &str) -> Result<Suffix, &'static str> {
    Ok(match name {
        "alpha" => Suffix::Alpha,
        "beta" => Suffix::Beta,
        "pre" => Suffix::Pre,
        "rc" => Suffix::Rc,
        "cvs" => Suffix::Cvs,
        "svn" => Suffix::Svn,
        "git" => Suffix::Git,
        "hg" => Suffix::Hg,
        "p" => Suffix::Patch,
        _ => return Err("the suffix after `_` is not one that apk knows"),
    })
}
