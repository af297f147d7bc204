//! Checks a parsed condition against the fact table and lowers it to [`Node`]s.

mod call;
mod names;

use std::ops::Range;

use cel::common::ast::{Expr, IdedExpr, LiteralValue, SourceInfo};
use model::Timestamp;
use model::finding::Severity;
use model::verdict::Stage;

use crate::error::{ConditionError, ErrorCode};
use crate::fact::{Fact, FactTable};
use crate::node::{Node, Type};

type Checked = Result<(Type, Node), ConditionError>;

/// The checker of one condition. Recursion is as deep as the tree, which [`crate::bound`] keeps shallow.
pub(crate) struct Checker<'a> {
    text: &'a str,
    source: &'a SourceInfo,
    table: &'a FactTable,
    stages: &'a [Stage],
    used: Vec<(usize, Fact)>,
    /// A database will answer: what it cannot is refused.
    by_database: bool,
    /// The variable of the quantifier around the part that is being checked.
    element: Option<String>,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(text: &'a str, source: &'a SourceInfo, table: &'a FactTable, stages: &'a [Stage]) -> Self {
        Self { text, source, table, stages, used: Vec::new(), by_database: false, element: None }
    }

    /// The same, for a condition that a database answers.
    pub(crate) fn for_database(self) -> Self {
        Self { by_database: true, ..self }
    }

    /// The facts that were met.
    pub(crate) fn used(self) -> Vec<(usize, Fact)> {
        self.used
    }

    /// The whole condition, which must be a yes-or-no question.
    pub(crate) fn condition(&mut self, expression: &IdedExpr) -> Result<Node, ConditionError> {
        self.bool(expression, "the condition")
    }

    /// A part that must be a yes-or-no question.
    fn bool(&mut self, expression: &IdedExpr, what: &str) -> Result<Node, ConditionError> {
        match self.check(expression)? {
            (Type::Bool, node) => Ok(node),
            (other, _) => {
                let message = format!("{what} must be true or false, but this is {}", other.as_str());
                let remedy = match other {
                    Type::Severity => "compare it: `>= HIGH`",
                    Type::Strings | Type::Labels => "ask `size(…) > 0`, or `… in list`",
                    _ => "compare it with something",
                };
                Err(self.error(ErrorCode::WrongType, expression, message).with_remedy(remedy))
            }
        }
    }

    fn check(&mut self, expression: &IdedExpr) -> Checked {
        match &expression.expr {
            Expr::Literal(literal) => self.literal(expression, literal),
            Expr::Ident(_) | Expr::Select(_) => self.name(expression),
            Expr::Call(call) => self.call(expression, call),
            Expr::List(_) => Err(self.unsupported(expression, "a list stands only on the right of `in`")),
            Expr::Map(_) | Expr::Struct(_) => {
                Err(self.unsupported(expression, "a condition builds no maps or messages"))
            }
            Expr::Comprehension(_) | Expr::Unspecified => {
                Err(self.unsupported(expression, "this form of expression is not used in conditions"))
            }
        }
    }

    fn literal(&self, expression: &IdedExpr, literal: &LiteralValue) -> Checked {
        Ok(match literal {
            LiteralValue::Boolean(value) => (Type::Bool, Node::Bool(*value.inner())),
            LiteralValue::Int(value) => (Type::Int, Node::Int(*value.inner())),
            LiteralValue::Double(value) => (Type::Double, Node::Double(*value.inner())),
            LiteralValue::String(value) if self.by_database && value.inner().contains('\0') => {
                return Err(self.unsupported(expression, "no text here holds a NUL character"));
            }
            LiteralValue::String(value) => (Type::String, Node::String(value.inner().to_string())),
            LiteralValue::UInt(_) => return Err(self.unsupported(expression, "write whole numbers without `u`")),
            LiteralValue::Bytes(_) => return Err(self.unsupported(expression, "no fact holds bytes; drop the `b`")),
            LiteralValue::Null => {
                let error = self.unsupported(expression, "no fact is ever null");
                return Err(error.with_remedy("ask `has(fact)` whether an optional fact is present"));
            }
        })
    }

    fn error(&self, code: ErrorCode, expression: &IdedExpr, message: impl Into<String>) -> ConditionError {
        let bytes = self.span(expression).unwrap_or(0..1);
        let span = chars_before(self.text, bytes.start)..chars_before(self.text, bytes.end);
        ConditionError { code, message: message.into(), remedy: None, span, text: self.text.to_owned() }
    }

    fn unsupported(&self, expression: &IdedExpr, message: &str) -> ConditionError {
        self.error(ErrorCode::Unsupported, expression, message)
    }

    /// The bytes of a part. The parser marks an operator or a bracket for each node, so a part reaches from the first
    /// mark below it to the last.
    fn span(&self, expression: &IdedExpr) -> Option<Range<usize>> {
        let mark = self.source.offset_for(expression.id).map(|(start, stop)| start as usize..stop as usize + 1);
        let parts: Vec<Range<usize>> = match &expression.expr {
            Expr::Call(call) => call.target.iter().map(|target| &**target).chain(&call.args).collect(),
            Expr::List(list) => list.elements.iter().collect(),
            Expr::Select(select) => vec![&*select.operand],
            _ => Vec::new(),
        }
        .into_iter()
        .filter_map(|part| self.span(part))
        .collect();
        let mark = mark.map(|mark| match &expression.expr {
            // The mark of a selection is its dot, that of `f(x)` its bracket.
            Expr::Select(select) => mark.start..mark.end + select.field.len(),
            Expr::Call(call) if call.target.is_none() && call.func_name.starts_with(char::is_alphabetic) => {
                mark.start.saturating_sub(call.func_name.len())..mark.end
            }
            _ => mark,
        });
        parts.into_iter().chain(mark).reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))
    }

    /// A text literal where a point in time stands on the other side: `since >= "2026-11-27"`.
    fn as_moment(&self, expression: &IdedExpr, node: Node) -> Result<Node, ConditionError> {
        let moment = match &node {
            Node::String(text) => text.parse().or_else(|_| format!("{text}T00:00:00Z").parse::<Timestamp>()).ok(),
            _ => None,
        };
        moment.map(|moment| Node::Moment(moment.as_microsecond())).ok_or_else(|| {
            let message = "a point in time compares only with a point in time";
            let error = self.error(ErrorCode::WrongType, expression, message);
            error.with_remedy(
                "write `\"2026-11-27T09:00:00Z\"`, or `\"2026-11-27\"` for the beginning of that day in UTC",
            )
        })
    }

    /// A text literal where a severity stands on the other side: `finding.severity >= "high"`.
    fn as_severity(&self, expression: &IdedExpr, node: Node) -> Result<Node, ConditionError> {
        let Node::String(text) = node else {
            let message = "a severity compares only with a severity";
            return Err(self.error(ErrorCode::WrongType, expression, message).with_remedy(SEVERITIES));
        };
        match Severity::parse(&text) {
            Some(severity) => Ok(Node::Severity(severity)),
            None => {
                let message = format!("`{text}` is not a severity");
                Err(self.error(ErrorCode::WrongType, expression, message).with_remedy(SEVERITIES))
            }
        }
    }
}

/// How many characters begin before this byte. The parser counts bytes, people count characters.
fn chars_before(text: &str, byte: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < byte).count()
}

const SEVERITIES: &str = "severities are UNKNOWN, NEGLIGIBLE, LOW, MEDIUM, HIGH and CRITICAL, least first";

impl ConditionError {
    pub(crate) fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}
