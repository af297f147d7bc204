//! Maven versions: `ComparableVersion` of Maven 3.9 (Maven reference, "POM", section "Version Order Specification").
//!
//! A hyphen, and every change between digits and letters, opens a list inside the list before it. A list is always the
//! last thing in its list, so the nest is kept flat: [`Item::List`] means "all that follows is one list deeper", and
//! nothing here recurses, however many hyphens a stranger writes.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::{all_digits, compare_digits};

#[derive(Debug, Clone)]
pub(super) struct MavenVersion<'a> {
    items: Vec<Item<'a>>,
}

#[derive(Debug, Clone)]
enum Item<'a> {
    Number(Cow<'a, str>),
    Qualifier(Qualifier<'a>),
    List,
}

/// In order of age; `Release` is the empty qualifier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Qualifier<'a> {
    Alpha,
    Beta,
    Milestone,
    Candidate,
    Snapshot,
    Release,
    ServicePack,
    Other(Cow<'a, str>),
}

pub(super) fn parse(text: &str) -> Result<MavenVersion<'_>, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    // Case does not matter. Nearly all versions are lower case already, and then nothing is copied.
    let lower = if text.chars().any(|c| c.to_lowercase().ne([c])) {
        Cow::Owned(text.to_lowercase())
    } else {
        Cow::Borrowed(text)
    };
    Ok(match lower {
        Cow::Borrowed(text) => MavenVersion { items: Builder::default().read(text, Cow::Borrowed) },
        Cow::Owned(text) => MavenVersion { items: Builder::default().read(&text, |part| Cow::Owned(part.to_owned())) },
    })
}

struct Builder<'a> {
    items: Vec<Item<'a>>,
    /// How many items the innermost list got, counting those that were dropped again.
    list_len: usize,
}

impl Default for Builder<'_> {
    fn default() -> Self {
        Self { items: Vec::with_capacity(8), list_len: 0 }
    }
}

impl<'a> Builder<'a> {
    fn read<'t>(mut self, text: &'t str, keep: impl Fn(&'t str) -> Cow<'a, str>) -> Vec<Item<'a>> {
        let mut start = 0;
        let mut digits = false;
        for (at, byte) in text.bytes().enumerate() {
            let part = || keep(text.get(start..at).unwrap_or(""));
            match byte {
                b'.' | b'-' => {
                    match at == start {
                        true => self.push(Item::Number(Cow::Borrowed(""))),
                        false => self.push(item(part(), digits)),
                    }
                    start = at + 1;
                    if byte == b'-' {
                        self.open_list();
                    }
                }
                b'0'..=b'9' => {
                    if !digits && at > start {
                        self.open_list_unless_empty();
                        self.push(Item::Qualifier(before_digit(part())));
                        start = at;
                        self.open_list();
                    }
                    digits = true;
                }
                _ => {
                    if digits && at > start {
                        self.push(item(part(), true));
                        start = at;
                        self.open_list();
                    }
                    digits = false;
                }
            }
        }
        if start < text.len() {
            if !digits {
                self.open_list_unless_empty();
            }
            self.push(item(keep(text.get(start..).unwrap_or("")), digits));
        }
        self.drop_trailing_nulls();
        while matches!(self.items.last(), Some(Item::List)) {
            self.items.pop();
        }
        self.items
    }

    fn push(&mut self, item: Item<'a>) {
        self.items.push(item);
        self.list_len += 1;
    }

    fn open_list(&mut self) {
        self.drop_trailing_nulls();
        self.items.push(Item::List);
        self.list_len = 0;
    }

    fn open_list_unless_empty(&mut self) {
        if self.list_len > 0 {
            self.open_list();
        }
    }

    /// Zeros and empty qualifiers at the end of a list say nothing: `1.0.0-rc1` is `1-rc1`.
    fn drop_trailing_nulls(&mut self) {
        while self.items.last().is_some_and(Item::is_null) {
            self.items.pop();
        }
    }
}

fn item(part: Cow<'_, str>, digits: bool) -> Item<'_> {
    if digits && all_digits(&part) { Item::Number(part) } else { Item::Qualifier(qualifier(part)) }
}

fn qualifier(text: Cow<'_, str>) -> Qualifier<'_> {
    match &*text {
        "alpha" => Qualifier::Alpha,
        "beta" => Qualifier::Beta,
        "milestone" => Qualifier::Milestone,
        "rc" | "cr" => Qualifier::Candidate,
        "snapshot" => Qualifier::Snapshot,
        "" | "ga" | "final" | "release" => Qualifier::Release,
        "sp" => Qualifier::ServicePack,
        _ => Qualifier::Other(text),
    }
}

/// `a1`, `b1` and `m1` are short for `alpha-1`, `beta-1` and `milestone-1`, but only before a digit.
fn before_digit(text: Cow<'_, str>) -> Qualifier<'_> {
    match &*text {
        "a" => Qualifier::Alpha,
        "b" => Qualifier::Beta,
        "m" => Qualifier::Milestone,
        _ => qualifier(text),
    }
}

impl MavenVersion<'_> {
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (self.items.iter(), other.items.iter());
        loop {
            let order = match (a.next(), b.next()) {
                (None, None) => return Ordering::Equal,
                (Some(x), None) => x.compare_to_nothing(),
                (None, Some(y)) => y.compare_to_nothing().reverse(),
                (Some(x), Some(y)) => x.compare(y),
            };
            if order.is_ne() {
                return order;
            }
        }
    }
}

impl Item<'_> {
    fn is_null(&self) -> bool {
        match self {
            Self::Number(digits) => digits.bytes().all(|digit| digit == b'0'),
            Self::Qualifier(qualifier) => *qualifier == Qualifier::Release,
            Self::List => false,
        }
    }

    fn compare_to_nothing(&self) -> Ordering {
        match self {
            Self::Number(digits) => compare_digits(digits, ""),
            Self::Qualifier(qualifier) => qualifier.cmp(&Qualifier::Release),
            // Its items come next, and each is compared to nothing in turn.
            Self::List => Ordering::Equal,
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => compare_digits(a, b),
            (Self::Qualifier(a), Self::Qualifier(b)) => a.cmp(b),
            // A qualifier is older than a list (`1-sp` < `1-1`), a list older than a number (`1-1` < `1.1`).
            _ => self.weight().cmp(&other.weight()),
        }
    }

    fn weight(&self) -> u8 {
        match self {
            Self::Qualifier(_) => 0,
            Self::List => 1,
            Self::Number(_) => 2,
        }
    }
}
