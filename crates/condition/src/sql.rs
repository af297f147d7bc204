//! A condition as a database asks it: SQL that SQLite and PostgreSQL read alike, every value of the text bound.
//!
//! The database answers as [`crate::Condition::evaluate`] does: a fact that is absent is NULL there, and both reckon with three values. Texts
//! compare by their bytes, for which PostgreSQL needs columns with `COLLATE "C"`.

use crate::condition::checked_for_database;
use crate::error::{ConditionError, ErrorCode};
use crate::evaluate::{Evaluation, Facts, Value, compare};
use crate::fact::{FactTable, FactType};
use crate::node::{Comparison, Node, TextTest};

/// What stands in the text for each value, in their order.
pub(crate) const PLACE: &str = "$$";

/// A condition in SQL.
#[derive(Debug, Clone, PartialEq)]
pub struct Sql {
    /// The condition; `$$` stands for each value, in their order.
    pub text: String,
    /// The values.
    pub values: Vec<SqlValue>,
}

/// A value to bind.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    /// Text.
    Text(String),
    /// A whole number, a severity's number, or microseconds since 1970.
    Int(i64),
    /// A number.
    Double(f64),
}

impl From<&str> for SqlValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for SqlValue {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl Sql {
    /// Parses a text, checks it against a table, and writes it as SQL. `columns` are the expressions for the table's facts, in its order; for a
    /// fact that is a bool it is a condition, for a severity its number, for a point in time its microseconds since 1970.
    pub fn compile(text: &str, table: &FactTable, columns: &[&str]) -> Result<Self, ConditionError> {
        let root = checked_for_database(text, table)?;
        let mut lowering = Lowering { table, columns, values: Vec::new() };
        let lowered = lowering.holds(&root).ok_or_else(|| ConditionError {
            code: ErrorCode::Unsupported,
            message: "a database cannot answer this".into(),
            remedy: None,
            span: 0..text.chars().count(),
            text: text.to_owned(),
        })?;
        Ok(Self { text: lowered, values: lowering.values })
    }
}

/// One condition on its way to SQL. None is what the checker for databases has refused already.
struct Lowering<'a> {
    table: &'a FactTable,
    columns: &'a [&'a str],
    values: Vec<SqlValue>,
}

impl Lowering<'_> {
    /// A yes-or-no question, in brackets where it has parts.
    fn holds(&mut self, node: &Node) -> Option<String> {
        Some(match node {
            Node::Bool(value) => truth(*value),
            Node::Fact(index) => format!("({})", self.columns.get(*index)?),
            Node::Has(index) => format!("({} IS NOT NULL)", self.columns.get(*index)?),
            // Twice not is nothing, and a long chain of them would be too deep for SQLite.
            Node::Not(inner) => match &**inner {
                Node::Not(inner) => self.holds(inner)?,
                inner => format!("(NOT {})", self.holds(inner)?),
            },
            Node::And(left, right) => format!("({} AND {})", self.holds(left)?, self.holds(right)?),
            Node::Or(left, right) => format!("({} OR {})", self.holds(left)?, self.holds(right)?),
            Node::Compare(comparison, left, right) => self.compare(*comparison, left, right)?,
            Node::In(needle, list) => self.is_in(needle, list)?,
            Node::Test(test, text, other) => self.test(*test, text, other)?,
            _ => return None,
        })
    }

    fn compare(&mut self, comparison: Comparison, left: &Node, right: &Node) -> Option<String> {
        if left.is_literal() && right.is_literal() {
            // The order of two texts that are in no column would be the database's own.
            let evaluation = Evaluation::new(&Nothing);
            let (left, right) = (evaluation.value(left).ok()?, evaluation.value(right).ok()?);
            return Some(truth(comparison.accepts(compare(left, right))));
        }
        let as_double = self.is_double(left) || self.is_double(right);
        Some(format!("({} {} {})", self.value(left, as_double)?, sign(comparison), self.value(right, as_double)?))
    }

    fn is_in(&mut self, needle: &Node, list: &Node) -> Option<String> {
        let Node::List(items) = list else { return None };
        let as_double = std::iter::once(needle).chain(items).any(|node| self.is_double(node));
        if items.is_empty() {
            // False, unless the needle is absent.
            return Some(format!("({} <> {})", self.value(needle, as_double)?, self.value(needle, as_double)?));
        }
        let needle = self.value(needle, as_double)?;
        let items: Vec<String> = items.iter().map(|item| self.value(item, as_double)).collect::<Option<_>>()?;
        Some(format!("({needle} IN ({}))", items.join(", ")))
    }

    /// Without `LIKE`, for which the two databases have their own ideas of upper and lower case.
    fn test(&mut self, test: TextTest, text: &Node, other: &Node) -> Option<String> {
        let text = |lowering: &mut Self| lowering.value(text, false);
        let other = |lowering: &mut Self| lowering.value(other, false);
        Some(match test {
            TextTest::StartsWith => {
                format!("(SUBSTR({}, 1, LENGTH({})) = {})", text(self)?, other(self)?, other(self)?)
            }
            TextTest::EndsWith => {
                let is_long_enough = format!("LENGTH({}) >= LENGTH({})", text(self)?, other(self)?);
                let (whole, from, end) = (text(self)?, text(self)?, other(self)?);
                let ends = format!("SUBSTR({whole}, LENGTH({from}) - LENGTH({end}) + 1) = {}", other(self)?);
                format!("({is_long_enough} AND {ends})")
            }
            TextTest::Contains => {
                format!("({} = '' OR REPLACE({}, {}, '') <> {})", other(self)?, text(self)?, other(self)?, text(self)?)
            }
        })
    }

    /// A value. With `as_double`, a number is one with a fraction, since only such numbers compare alike in both databases and here.
    fn value(&mut self, node: &Node, as_double: bool) -> Option<String> {
        let bound = match node {
            Node::Fact(index) if as_double && self.table.facts().get(*index)?.kind == FactType::Int => {
                return Some(format!("CAST({} AS DOUBLE PRECISION)", self.columns.get(*index)?));
            }
            Node::Fact(index) => return Some(format!("({})", self.columns.get(*index)?)),
            Node::Size(text) => {
                let length = format!("LENGTH({})", self.value(text, false)?);
                return Some(if as_double { format!("CAST({length} AS DOUBLE PRECISION)") } else { length });
            }
            Node::Int(value) if as_double => SqlValue::Double(*value as f64),
            Node::Int(value) | Node::Moment(value) => SqlValue::Int(*value),
            Node::Double(value) => SqlValue::Double(*value),
            Node::String(value) => SqlValue::Text(value.clone()),
            Node::Severity(value) => SqlValue::Int(*value as i64),
            other => return self.holds(other),
        };
        self.values.push(bound);
        Some(PLACE.to_owned())
    }

    fn is_double(&self, node: &Node) -> bool {
        match node {
            Node::Double(_) => true,
            Node::Fact(index) => self.table.facts().get(*index).is_some_and(|fact| fact.kind == FactType::Double),
            _ => false,
        }
    }
}

/// No fact is known: for what hangs on none.
struct Nothing;

impl Facts for Nothing {
    fn fact(&self, _: usize) -> Value<'_> {
        Value::Absent
    }
}

/// SQLite has no words for it that PostgreSQL has, too.
fn truth(value: bool) -> String {
    if value { "(1 = 1)".into() } else { "(1 = 0)".into() }
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}
