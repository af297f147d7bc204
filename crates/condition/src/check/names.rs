//! Names: facts, severities, and the variable of a quantifier.

use cel::common::ast::{Expr, IdedExpr};
use model::finding::Severity;

use super::{Checked, Checker};
use crate::bound::PACKAGE_NAME;
use crate::error::{ConditionError, ErrorCode};
use crate::fact::{Fact, FactType, stage_name};
use crate::nearest::nearest;
use crate::node::{Node, Type};

impl Checker<'_> {
    pub(super) fn name(&mut self, expression: &IdedExpr) -> Checked {
        let Some(name) = dotted(expression) else {
            return Err(self.unsupported(expression, "only facts have dotted names"));
        };
        if self.element.as_deref() == Some(name.as_str()) {
            return Ok((Type::String, Node::Element));
        }
        if let Some(severity) = severity_constant(&name) {
            return Ok((Type::Severity, Node::Severity(severity)));
        }
        let (index, fact) = self.fact(expression, &name)?;
        let kind = match fact.kind {
            FactType::Bool => Type::Bool,
            FactType::Int => Type::Int,
            FactType::Double => Type::Double,
            FactType::String => Type::String,
            FactType::Severity => Type::Severity,
            FactType::Moment => Type::Moment,
            FactType::Strings => Type::Strings,
            FactType::Labels => Type::Labels,
        };
        Ok((kind, Node::Fact(index)))
    }

    /// The fact of this name, which every stage of the policy can know.
    pub(super) fn fact(&mut self, expression: &IdedExpr, name: &str) -> Result<(usize, Fact), ConditionError> {
        let Some((index, fact)) = self.table.find(name) else { return Err(self.unknown_fact(expression, name)) };
        if let Some(stage) = self.stages.iter().find(|stage| !fact.stages.contains(stage)) {
            let known: Vec<&str> = fact.stages.iter().map(|stage| stage_name(*stage)).collect();
            let message = format!("`{name}` is not known at stage `{}`", stage_name(*stage));
            let remedy =
                format!("it is known at: {}; name only these in `stages`, or leave the fact out", known.join(", "));
            return Err(self.error(ErrorCode::StageCannotKnow, expression, message).with_remedy(remedy));
        }
        if !self.used.iter().any(|(place, _)| *place == index) {
            self.used.push((index, fact));
        }
        Ok((index, fact))
    }

    fn unknown_fact(&self, expression: &IdedExpr, name: &str) -> ConditionError {
        let error = self.error(ErrorCode::UnknownFact, expression, format!("there is no fact `{name}`"));
        let names = || self.table.facts().iter().map(|fact| fact.name);
        let below: Vec<&str> = names().filter(|fact| fact.starts_with(&format!("{name}."))).collect();
        if !below.is_empty() {
            return error.with_remedy(format!("say which of its facts: {}", below.join(", ")));
        }
        if let Some(severity) = Severity::parse(name) {
            return error.with_remedy(format!("write `{}`", severity.as_str().to_uppercase()));
        }
        let root = name.split('.').next().unwrap_or(name);
        let siblings: Vec<&str> = names().filter(|fact| fact.split('.').next() == Some(root)).collect();
        match nearest(name, names()) {
            Some(near) => error.with_remedy(format!("did you mean `{near}`?")),
            None if !siblings.is_empty() => error.with_remedy(format!("`{root}` has: {}", siblings.join(", "))),
            None if self.by_database => {
                error.with_remedy(format!("a text is quoted; there are: {}", names().collect::<Vec<_>>().join(", ")))
            }
            None => error.with_remedy("a text is quoted; the facts are listed in docs/policy-facts.md"),
        }
    }
}

/// The dotted name that an expression spells; none when it spells no name.
pub(super) fn dotted(expression: &IdedExpr) -> Option<String> {
    let mut parts = Vec::new();
    let mut at = expression;
    loop {
        match &at.expr {
            Expr::Ident(name) if name == PACKAGE_NAME => break parts.push("package"),
            Expr::Ident(name) => break parts.push(name.as_str()),
            Expr::Select(select) => {
                parts.push(&select.field);
                at = &select.operand;
            }
            _ => return None,
        }
    }
    parts.reverse();
    Some(parts.join("."))
}

fn severity_constant(name: &str) -> Option<Severity> {
    Severity::parse(name).filter(|severity| severity.as_str().to_uppercase() == name)
}
