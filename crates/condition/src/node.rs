//! The typed tree that a checked condition becomes.

use model::finding::Severity;
use regex::Regex;

/// The type of a part of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Int,
    Double,
    String,
    Severity,
    Moment,
    Strings,
    Labels,
}

impl Type {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "a bool",
            Self::Int => "an int",
            Self::Double => "a double",
            Self::String => "a string",
            Self::Severity => "a severity",
            Self::Moment => "a point in time",
            Self::Strings => "a list of strings",
            Self::Labels => "a map of strings",
        }
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Double)
    }
}

/// A part of a checked condition. The checker promises that types fit, so the evaluator meets no others.
#[derive(Debug)]
pub(crate) enum Node {
    Bool(bool),
    Int(i64),
    Double(f64),
    String(String),
    Severity(Severity),
    /// In microseconds since 1970.
    Moment(i64),
    /// A list of literals, on the right of `in`.
    List(Vec<Node>),
    /// The fact at this place of the table.
    Fact(usize),
    /// A label of the fact at this place of the table.
    Label(usize, String),
    /// The list element that a quantifier is looking at.
    Element,
    Has(usize),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    If(Box<[Node; 3]>),
    Compare(Comparison, Box<Node>, Box<Node>),
    In(Box<Node>, Box<Node>),
    Test(TextTest, Box<Node>, Box<Node>),
    Matches(Box<Node>, Regex),
    Size(Box<Node>),
    Quantifier(Quantifier, Box<Node>, Box<Node>),
    Arithmetic(Arithmetic, Box<Node>, Box<Node>),
}

impl Node {
    /// Whether it is a value that stands in the text itself.
    pub(crate) fn is_literal(&self) -> bool {
        matches!(
            self,
            Self::Bool(_) | Self::Int(_) | Self::Double(_) | Self::String(_) | Self::Severity(_) | Self::Moment(_)
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantifier {
    Exists,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}
