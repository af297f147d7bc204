//! Conditions: CEL expressions over a table of facts, checked when loaded.
//!
//! A [`FactTable`] lists what an expression may ask: names, types, and the stages that know the answer.
//! [`Condition::compile`] parses a text with the `cel` crate, checks every name and type against the table, and lowers
//! it to a small typed tree; [`Condition::evaluate`] walks that tree and asks [`Facts`] only for what it reaches.
//! Evaluation is pure, allocates nothing, and its cost is linear in the text and the lists it looks at. [`Sql`] is the same question
//! for a database, which answers it alike.
//!
//! The dialect is CEL without what a yes-or-no question does not need (see `docs/adr/0004-conditions.md`).
//! **Never:** this crate does not know which facts exist; its users bring their tables.

mod bound;
mod check;
mod condition;
mod diagnostic;
mod error;
mod evaluate;
mod fact;
mod function;
pub mod glob;
mod nearest;
mod node;
mod sql;
pub mod yaml;

pub use condition::Condition;
pub use diagnostic::{Diagnostic, Place};
pub use error::{ConditionError, ErrorCode};
pub use evaluate::{EvaluationError, Facts, Value};
pub use fact::{Fact, FactTable, FactType};
pub use function::{FUNCTIONS, Function};
pub use nearest::nearest;
pub use sql::{Sql, SqlValue};
