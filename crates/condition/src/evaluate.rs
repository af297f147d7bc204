//! Whether a checked condition holds for some facts.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use model::finding::Severity;

use crate::fact::{Fact, FactType};
use crate::node::{Arithmetic, Comparison, Node, Quantifier, TextTest};

/// Who knows the facts. Asked only for what evaluation reaches.
pub trait Facts {
    /// The fact at this place of the table that the condition was compiled with.
    fn fact(&self, index: usize) -> Value<'_>;
}

/// The answer to one fact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// Text.
    String(&'a str),
    /// A severity.
    Severity(Severity),
    /// A point in time, in microseconds since 1970.
    Moment(i64),
    /// A list of texts.
    Strings(&'a [String]),
    /// Texts under names.
    Labels(&'a BTreeMap<String, String>),
    /// Not known here.
    Absent,
}

/// Why a condition neither holds nor fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvaluationError {
    /// The answer hangs on a fact that is absent.
    Absent {
        /// The fact.
        fact: &'static str,
        /// Its row says that it may be absent.
        optional: bool,
    },
    /// The answer hangs on a division by zero or a number out of range.
    Arithmetic,
}

/// An [`EvaluationError`] before the fact has its name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Undecided {
    Absent(usize),
    Arithmetic,
}

impl Undecided {
    /// `used` are the condition's facts with their places in the table.
    pub(crate) fn named(self, used: &[(usize, Fact)]) -> EvaluationError {
        match self {
            Self::Arithmetic => EvaluationError::Arithmetic,
            Self::Absent(index) => {
                let fact = used.iter().find(|(place, _)| *place == index).map(|(_, fact)| fact);
                EvaluationError::Absent {
                    fact: fact.map_or("", |fact| fact.name),
                    // A label may always be absent, whatever the row of the map says.
                    optional: fact.is_some_and(|fact| fact.optional || fact.kind == FactType::Labels),
                }
            }
        }
    }
}

/// One evaluation: the facts, and the list element that a quantifier is looking at.
#[derive(Clone, Copy)]
pub(crate) struct Evaluation<'a> {
    facts: &'a dyn Facts,
    element: &'a str,
}

impl<'a> Evaluation<'a> {
    pub(crate) fn new(facts: &'a dyn Facts) -> Self {
        Self { facts, element: "" }
    }

    pub(crate) fn holds(&self, node: &'a Node) -> Result<bool, Undecided> {
        match node {
            Node::Not(inner) => Ok(!self.holds(inner)?),
            Node::And(left, right) => self.either(left, right, false),
            Node::Or(left, right) => self.either(left, right, true),
            Node::If(parts) => self.holds(self.branch(parts)?),
            Node::Compare(comparison, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                Ok(comparison.accepts(compare(left, right)))
            }
            Node::In(needle, list) => self.contains(list, self.value(needle)?),
            Node::Test(test, text, other) => Ok(test.holds(self.text(text)?, self.text(other)?)),
            Node::Matches(text, regex) => Ok(regex.is_match(self.text(text)?)),
            Node::Has(index) => Ok(self.facts.fact(*index) != Value::Absent),
            Node::Quantifier(quantifier, list, body) => self.quantify(*quantifier, list, body),
            other => Ok(matches!(self.value(other)?, Value::Bool(true))),
        }
    }

    /// `&&` (decided by false) and `||` (decided by true). A side that decides makes the other's failure irrelevant.
    fn either(&self, left: &'a Node, right: &'a Node, deciding: bool) -> Result<bool, Undecided> {
        let first = self.holds(left);
        if matches!(first, Ok(answer) if answer == deciding) {
            return Ok(deciding);
        }
        match self.holds(right) {
            Ok(answer) if answer == deciding => Ok(deciding),
            second => first.and(second),
        }
    }

    fn branch(&self, parts: &'a [Node; 3]) -> Result<&'a Node, Undecided> {
        let [condition, then, otherwise] = parts;
        Ok(if self.holds(condition)? { then } else { otherwise })
    }

    pub(crate) fn value(&self, node: &'a Node) -> Result<Value<'a>, Undecided> {
        Ok(match node {
            Node::Bool(value) => Value::Bool(*value),
            Node::Int(value) => Value::Int(*value),
            Node::Double(value) => Value::Double(*value),
            Node::String(value) => Value::String(value),
            Node::Severity(value) => Value::Severity(*value),
            Node::Moment(value) => Value::Moment(*value),
            Node::Element => Value::String(self.element),
            Node::Fact(index) => match self.facts.fact(*index) {
                Value::Absent => return Err(Undecided::Absent(*index)),
                value => value,
            },
            Node::Label(index, name) => match self.facts.fact(*index) {
                Value::Labels(labels) => {
                    labels.get(name).map(|label| Value::String(label)).ok_or(Undecided::Absent(*index))?
                }
                _ => return Err(Undecided::Absent(*index)),
            },
            Node::Size(inner) => Value::Int(self.size(inner)?),
            Node::Arithmetic(operation, left, right) => operation.apply(self.value(left)?, self.value(right)?)?,
            Node::If(parts) => return self.value(self.branch(parts)?),
            truth => Value::Bool(self.holds(truth)?),
        })
    }

    fn text(&self, node: &'a Node) -> Result<&'a str, Undecided> {
        Ok(if let Value::String(text) = self.value(node)? { text } else { "" })
    }

    fn size(&self, node: &'a Node) -> Result<i64, Undecided> {
        let size = match self.value(node)? {
            Value::Strings(list) => list.len(),
            Value::Labels(labels) => labels.len(),
            Value::String(text) => text.chars().count(),
            _ => 0,
        };
        Ok(i64::try_from(size).unwrap_or(i64::MAX))
    }

    fn contains(&self, list: &'a Node, needle: Value<'a>) -> Result<bool, Undecided> {
        if let Node::List(items) = list {
            for item in items {
                if compare(self.value(item)?, needle) == Some(Ordering::Equal) {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        let Value::String(needle) = needle else { return Ok(false) };
        Ok(match self.value(list)? {
            Value::Strings(list) => list.iter().any(|item| item == needle),
            Value::Labels(labels) => labels.contains_key(needle),
            _ => false,
        })
    }

    fn quantify(&self, quantifier: Quantifier, list: &'a Node, body: &'a Node) -> Result<bool, Undecided> {
        let Value::Strings(list) = self.value(list)? else { return Ok(false) };
        let deciding = quantifier == Quantifier::Exists;
        let mut answer = Ok(!deciding);
        for element in list {
            match (Evaluation { element, ..*self }).holds(body) {
                Ok(holds) if holds == deciding => return Ok(deciding),
                Ok(_) => {}
                undecided => answer = undecided,
            }
        }
        answer
    }
}

/// The order of two values that the checker found comparable; none for NaN.
pub(crate) fn compare(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(&b)),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(&b)),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(&b),
        (Value::Int(a), Value::Double(b)) => (a as f64).partial_cmp(&b),
        (Value::Double(a), Value::Int(b)) => a.partial_cmp(&(b as f64)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Severity(a), Value::Severity(b)) => Some(a.cmp(&b)),
        (Value::Moment(a), Value::Moment(b)) => Some(a.cmp(&b)),
        _ => None,
    }
}

impl Comparison {
    pub(crate) fn accepts(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

impl TextTest {
    fn holds(self, text: &str, other: &str) -> bool {
        match self {
            Self::StartsWith => text.starts_with(other),
            Self::EndsWith => text.ends_with(other),
            Self::Contains => text.contains(other),
        }
    }
}

impl Arithmetic {
    fn apply<'a>(self, left: Value<'a>, right: Value<'a>) -> Result<Value<'a>, Undecided> {
        if let (Value::Int(a), Value::Int(b)) = (left, right) {
            let result = match self {
                Self::Add => a.checked_add(b),
                Self::Subtract => a.checked_sub(b),
                Self::Multiply => a.checked_mul(b),
                Self::Divide => a.checked_div(b),
                Self::Remainder => a.checked_rem(b),
            };
            return result.map(Value::Int).ok_or(Undecided::Arithmetic);
        }
        let number = |value| match value {
            Value::Int(value) => Ok(value as f64),
            Value::Double(value) => Ok(value),
            _ => Err(Undecided::Arithmetic),
        };
        let (a, b) = (number(left)?, number(right)?);
        Ok(Value::Double(match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
            Self::Remainder => a % b,
        }))
    }
}
