//! A condition: compiled once, evaluated often.

use cel::common::ast::{IdedExpr, SourceInfo};
use model::verdict::Stage;

use crate::bound;
use crate::check::Checker;
use crate::error::{ConditionError, ErrorCode};
use crate::evaluate::{Evaluation, EvaluationError, Facts};
use crate::fact::{Fact, FactTable};
use crate::node::Node;

/// A checked condition.
#[derive(Debug)]
pub struct Condition {
    text: String,
    root: Node,
    /// The facts it reads, each with its place in the table.
    facts: Vec<(usize, Fact)>,
}

impl Condition {
    /// Parses a text and checks it against a table: every fact exists, each of `stages` can know it, the types fit, and
    /// the whole is a yes-or-no question.
    pub fn compile(text: &str, table: &FactTable, stages: &[Stage]) -> Result<Self, ConditionError> {
        let (expression, source) = parse(text)?;
        let mut checker = Checker::new(text, &source, table, stages);
        let root = checker.condition(&expression)?;
        Ok(Self { text: text.to_owned(), root, facts: checker.used() })
    }

    /// Whether the condition holds. It is [`EvaluationError`] where that hangs on a fact that is absent or on a number
    /// that does not exist; `&&` and `||` need no answer from a side that cannot change theirs (CEL, "Logical operators").
    pub fn evaluate(&self, facts: &dyn Facts) -> Result<bool, EvaluationError> {
        Evaluation::new(facts).holds(&self.root).map_err(|error| error.named(&self.facts))
    }

    /// The text it was compiled from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The facts it reads, each once, in the order of first mention.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.facts.iter().map(|(_, fact)| fact)
    }
}

/// Parses a text and checks it against a table, as one that a database will answer.
pub(crate) fn checked_for_database(text: &str, table: &FactTable) -> Result<Node, ConditionError> {
    let (expression, source) = parse(text)?;
    Checker::new(text, &source, table, &[]).for_database().condition(&expression)
}

/// Parses within the bounds of [`bound`]. Macros stay the calls they are written as: the checker types them itself.
fn parse(text: &str) -> Result<(IdedExpr, SourceInfo), ConditionError> {
    let admitted = bound::admit(text)?;
    cel::Env::default().with_optional_support(false).parser().parse_with_source_info(&admitted).map_err(|errors| {
        let first = errors.errors.into_iter().next();
        let (message, (line, column)) = first.map(|error| (error.msg, error.pos)).unwrap_or_default();
        syntax_error(text, &message, offset_of(text, line, column))
    })
}

/// The offset of a place that the parser counts from 1.
fn offset_of(text: &str, line: isize, column: isize) -> usize {
    let line = usize::try_from(line).unwrap_or(1).max(1);
    let before: usize = text.split_inclusive('\n').take(line - 1).map(|line| line.chars().count()).sum();
    (before + usize::try_from(column).unwrap_or(1).max(1) - 1).min(text.chars().count())
}

/// Says in words what the grammar's message means to the author of a condition.
fn syntax_error(text: &str, message: &str, at: usize) -> ConditionError {
    let rest: String = text.chars().skip(at).collect();
    let word: String = match rest.chars().next() {
        Some(c) if c.is_alphanumeric() => rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect(),
        Some(c) => c.into(),
        None => String::new(),
    };
    let (code, message) = if message.contains("ecursion limit") {
        (ErrorCode::TooLarge, "the condition nests too deep".to_owned())
    } else if rest.trim().is_empty() {
        (ErrorCode::Syntax, "the condition ends where a fact, a value or a closing bracket should follow".to_owned())
    } else if word == "\"" || word == "'" {
        (ErrorCode::Syntax, "the quoted text is not closed, or holds an escape that CEL does not know".to_owned())
    } else if message.starts_with("Syntax error") || message.starts_with("reserved") {
        (ErrorCode::Syntax, format!("`{word}` is not expected here"))
    } else {
        (ErrorCode::Syntax, message.to_owned())
    };
    let remedy = match word.as_str() {
        "=" => Some("write `==` to compare"),
        "&" | "and" | "AND" => Some("write `&&`"),
        "|" | "or" | "OR" => Some("write `||`"),
        "not" | "NOT" => Some("write `!`"),
        _ => None,
    };
    let span = at..at + word.chars().count().max(1);
    ConditionError { code, message, remedy: remedy.map(str::to_owned), span, text: text.to_owned() }
}
