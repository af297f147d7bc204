//! Operators, functions and quantifiers.

use cel::common::ast::{CallExpr, Expr, IdedExpr, operators};
use regex::RegexBuilder;

use super::names::dotted;
use super::{Checked, Checker};
use crate::error::{ConditionError, ErrorCode};
use crate::function::FUNCTIONS;
use crate::nearest::nearest;
use crate::node::{Arithmetic, Comparison, Node, Quantifier, TextTest, Type};

/// How large a compiled regular expression may be in bytes: far above what names and versions need, and small enough that
/// a policy full of them stays harmless.
const REGEX_BYTES_MAX: usize = 256 << 10;

impl Checker<'_> {
    pub(super) fn call(&mut self, expression: &IdedExpr, call: &CallExpr) -> Checked {
        if self.by_database
            && let Some((message, remedy)) = beyond_databases(call)
        {
            return Err(self.unsupported(expression, message).with_remedy(remedy));
        }
        if let Some(comparison) = comparison(&call.func_name)
            && let [left, right] = call.args.as_slice()
        {
            return self.compare(expression, comparison, left, right);
        }
        if let Some(arithmetic) = arithmetic(&call.func_name)
            && let [left, right] = call.args.as_slice()
        {
            return self.arithmetic(expression, arithmetic, left, right);
        }
        match (call.func_name.as_str(), call.target.as_deref(), call.args.as_slice()) {
            (operators::LOGICAL_NOT, None, [inner]) => {
                Ok((Type::Bool, Node::Not(Box::new(self.bool(inner, "what `!` negates")?))))
            }
            (operators::LOGICAL_AND, None, [left, right]) => {
                let (left, right) = (self.bool(left, "each side of `&&`")?, self.bool(right, "each side of `&&`")?);
                Ok((Type::Bool, Node::And(Box::new(left), Box::new(right))))
            }
            (operators::LOGICAL_OR, None, [left, right]) => {
                let (left, right) = (self.bool(left, "each side of `||`")?, self.bool(right, "each side of `||`")?);
                Ok((Type::Bool, Node::Or(Box::new(left), Box::new(right))))
            }
            (operators::CONDITIONAL, None, [condition, then, otherwise]) => {
                self.conditional(expression, condition, then, otherwise)
            }
            (operators::NEGATE, None, [inner]) => self.negate(expression, inner),
            (operators::INDEX, None, [map, key]) => self.label(expression, map, key),
            (operators::IN, None, [needle, list]) => self.is_in(expression, needle, list),
            (operators::HAS, None, [name]) => self.has(name),
            ("size", None, [inner]) | ("size", Some(inner), []) => self.size(inner),
            ("startsWith", Some(text), [other]) => self.test(TextTest::StartsWith, text, other),
            ("endsWith", Some(text), [other]) => self.test(TextTest::EndsWith, text, other),
            ("contains", Some(text), [other]) => self.test(TextTest::Contains, text, other),
            ("matches", Some(text), [pattern]) => self.matches(text, pattern),
            (operators::EXISTS, Some(list), [variable, body]) => {
                self.quantifier(Quantifier::Exists, list, variable, body)
            }
            (operators::ALL, Some(list), [variable, body]) => self.quantifier(Quantifier::All, list, variable, body),
            (name, ..) => Err(self.unknown_function(expression, name)),
        }
    }

    fn compare(&mut self, expression: &IdedExpr, comparison: Comparison, left: &IdedExpr, right: &IdedExpr) -> Checked {
        let ((left_type, left_node), (right_type, right_node)) = (self.check(left)?, self.check(right)?);
        let (left_node, right_node) = match (left_type, right_type) {
            (Type::Severity, Type::Severity) => (left_node, right_node),
            (Type::Severity, _) => (left_node, self.as_severity(right, right_node)?),
            (_, Type::Severity) => (self.as_severity(left, left_node)?, right_node),
            (Type::Moment, Type::Moment) => (left_node, right_node),
            (Type::Moment, _) => (left_node, self.as_moment(right, right_node)?),
            (_, Type::Moment) => (self.as_moment(left, left_node)?, right_node),
            (a, b) if a.is_number() && b.is_number() => (left_node, right_node),
            (Type::String, Type::String) => (left_node, right_node),
            (Type::Bool, Type::Bool) if matches!(comparison, Comparison::Equal | Comparison::NotEqual) => {
                (left_node, right_node)
            }
            (a, b) => {
                let message = format!("{} does not compare with {} here", a.as_str(), b.as_str());
                let error = self.error(ErrorCode::WrongType, expression, message);
                return Err(error.with_remedy(match (a, b) {
                    (Type::Strings | Type::Labels, _) | (_, Type::Strings | Type::Labels) => "ask `\"text\" in list`",
                    (Type::String, n) | (n, Type::String) if n.is_number() => "write numbers without quotes",
                    _ => "compare like with like",
                }));
            }
        };
        Ok((Type::Bool, Node::Compare(comparison, Box::new(left_node), Box::new(right_node))))
    }

    fn arithmetic(
        &mut self,
        expression: &IdedExpr,
        arithmetic: Arithmetic,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Checked {
        let ((left_type, left), (right_type, right)) = (self.check(left)?, self.check(right)?);
        if !left_type.is_number() || !right_type.is_number() {
            let message = format!("{} and {} cannot be calculated with", left_type.as_str(), right_type.as_str());
            return Err(self.error(ErrorCode::WrongType, expression, message));
        }
        let kind = if left_type == right_type { left_type } else { Type::Double };
        Ok((kind, Node::Arithmetic(arithmetic, Box::new(left), Box::new(right))))
    }

    fn negate(&mut self, expression: &IdedExpr, inner: &IdedExpr) -> Checked {
        let (kind, node) = self.check(inner)?;
        if !kind.is_number() {
            return Err(self.error(ErrorCode::WrongType, expression, format!("{} has no negative", kind.as_str())));
        }
        Ok((kind, Node::Arithmetic(Arithmetic::Subtract, Box::new(Node::Int(0)), Box::new(node))))
    }

    fn conditional(
        &mut self,
        expression: &IdedExpr,
        condition: &IdedExpr,
        then: &IdedExpr,
        otherwise: &IdedExpr,
    ) -> Checked {
        let condition = self.bool(condition, "what stands before `?`")?;
        let ((kind, then), (other, otherwise)) = (self.check(then)?, self.check(otherwise)?);
        if kind != other || matches!(kind, Type::Strings | Type::Labels) {
            let message = format!("one side of `:` is {}, the other {}", kind.as_str(), other.as_str());
            return Err(self.error(ErrorCode::WrongType, expression, message));
        }
        Ok((kind, Node::If(Box::new([condition, then, otherwise]))))
    }

    fn label(&mut self, expression: &IdedExpr, map: &IdedExpr, key: &IdedExpr) -> Checked {
        match (self.check(map)?, self.check(key)?) {
            ((Type::Labels, Node::Fact(index)), (Type::String, Node::String(key))) => {
                Ok((Type::String, Node::Label(index, key)))
            }
            ((Type::Strings, _), _) => {
                let error = self.unsupported(expression, "a list has no order to count in");
                Err(error.with_remedy("ask `\"text\" in list` or `list.exists(e, …)`"))
            }
            _ => Err(self.unsupported(expression, "`[…]` reads a label by its quoted name, and nothing else")),
        }
    }

    fn is_in(&mut self, expression: &IdedExpr, needle: &IdedExpr, list: &IdedExpr) -> Checked {
        let (kind, needle) = self.check(needle)?;
        let Expr::List(literal) = &list.expr else {
            let (list_type, node) = self.check(list)?;
            if kind != Type::String || !matches!(list_type, Type::Strings | Type::Labels) {
                let message = format!("{} cannot be in {}", kind.as_str(), list_type.as_str());
                return Err(self.error(ErrorCode::WrongType, expression, message));
            }
            return Ok((Type::Bool, Node::In(Box::new(needle), Box::new(node))));
        };
        let mut items = Vec::with_capacity(literal.elements.len());
        for element in &literal.elements {
            let (element_type, node) = self.check(element)?;
            if self.by_database && !node.is_literal() {
                return Err(
                    self.unsupported(element, "a filter's list holds quoted texts, numbers and severities only")
                );
            }
            items.push(match (kind, element_type) {
                (Type::Severity, Type::Severity) => node,
                (Type::Severity, _) => self.as_severity(element, node)?,
                (Type::Moment, _) => self.as_moment(element, node)?,
                (a, b) if a == b || a.is_number() && b.is_number() => node,
                (a, b) => {
                    let message = format!("{} is never {}", a.as_str(), b.as_str());
                    return Err(self.error(ErrorCode::WrongType, element, message));
                }
            });
        }
        Ok((Type::Bool, Node::In(Box::new(needle), Box::new(Node::List(items)))))
    }

    fn has(&mut self, name: &IdedExpr) -> Checked {
        let Some(name_text) = dotted(name) else {
            let error = self.unsupported(name, "`has` asks about a fact");
            return Err(error.with_remedy("ask `\"name\" in image.labels` for a label"));
        };
        let (index, _) = self.fact(name, &name_text)?;
        Ok((Type::Bool, Node::Has(index)))
    }

    fn size(&mut self, inner: &IdedExpr) -> Checked {
        match self.check(inner)? {
            (Type::Strings | Type::Labels | Type::String, node) => Ok((Type::Int, Node::Size(Box::new(node)))),
            (kind, _) => Err(self.error(ErrorCode::WrongType, inner, format!("{} has no size", kind.as_str()))),
        }
    }

    fn text(&mut self, expression: &IdedExpr) -> Result<Node, ConditionError> {
        match self.check(expression)? {
            (Type::String, node) => Ok(node),
            (kind, _) => {
                let error =
                    self.error(ErrorCode::WrongType, expression, format!("a text is needed, not {}", kind.as_str()));
                Err(if kind == Type::Strings {
                    error.with_remedy("ask `\"text\" in list`, or `list.exists(e, e.startsWith(\"…\"))`")
                } else {
                    error
                })
            }
        }
    }

    fn test(&mut self, test: TextTest, text: &IdedExpr, other: &IdedExpr) -> Checked {
        let (text, other) = (self.text(text)?, self.text(other)?);
        Ok((Type::Bool, Node::Test(test, Box::new(text), Box::new(other))))
    }

    fn matches(&mut self, text: &IdedExpr, pattern: &IdedExpr) -> Checked {
        let text = self.text(text)?;
        let Node::String(literal) = self.text(pattern)? else {
            return Err(self.unsupported(pattern, "the regular expression must be a quoted text"));
        };
        // `regex` matches in linear time, so a hostile package name cannot stall it.
        match RegexBuilder::new(&literal).size_limit(REGEX_BYTES_MAX).nest_limit(32).build() {
            Ok(regex) => Ok((Type::Bool, Node::Matches(Box::new(text), regex))),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                Err(self.error(ErrorCode::Syntax, pattern, format!("not a regular expression: {reason}")))
            }
        }
    }

    /// `list.exists(e, …)` and `list.all(e, …)`. They do not nest, so the cost stays linear in the list.
    fn quantifier(&mut self, quantifier: Quantifier, list: &IdedExpr, variable: &IdedExpr, body: &IdedExpr) -> Checked {
        if self.element.is_some() {
            return Err(self.unsupported(list, "one `exists` or `all` does not stand inside another"));
        }
        let (Type::Strings, list) = self.check(list)? else {
            return Err(self.error(ErrorCode::WrongType, list, "only a list has elements"));
        };
        let Expr::Ident(name) = &variable.expr else {
            let error = self.error(ErrorCode::Syntax, variable, "the first argument names the element");
            return Err(error.with_remedy("write `list.exists(e, e == \"text\")`"));
        };
        self.element = Some(name.clone());
        let body = self.bool(body, "what is asked of each element");
        self.element = None;
        Ok((Type::Bool, Node::Quantifier(quantifier, Box::new(list), Box::new(body?))))
    }

    fn unknown_function(&self, expression: &IdedExpr, name: &str) -> ConditionError {
        if let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) {
            let error = self.error(ErrorCode::WrongType, expression, format!("`{name}` is not called like this"));
            return error.with_remedy(format!("write `{}`", function.example));
        }
        let error = self.error(ErrorCode::UnknownFunction, expression, format!("there is no function `{name}`"));
        let names: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
        match nearest(name, names.iter().copied()) {
            Some(near) => error.with_remedy(format!("did you mean `{near}`?")),
            None => error.with_remedy(format!("there are: {}", names.join(", "))),
        }
    }
}

/// What a database cannot answer as we would, and what to ask instead.
fn beyond_databases(call: &CallExpr) -> Option<(&'static str, &'static str)> {
    Some(match call.func_name.as_str() {
        "matches" => ("a filter knows no regular expressions", "ask `startsWith`, `endsWith` or `contains`"),
        operators::CONDITIONAL => ("a filter has no `? :`", "write it with `&&`, `||` and `!`"),
        name if arithmetic(name).is_some() => ("a filter does not calculate", "compare a fact with a value"),
        operators::NEGATE if !matches!(call.args.as_slice(), [IdedExpr { expr: Expr::Literal(_), .. }]) => {
            ("a filter does not calculate", "compare a fact with a value")
        }
        _ => return None,
    })
}

fn comparison(operator: &str) -> Option<Comparison> {
    Some(match operator {
        operators::EQUALS => Comparison::Equal,
        operators::NOT_EQUALS => Comparison::NotEqual,
        operators::LESS => Comparison::Less,
        operators::LESS_EQUALS => Comparison::LessOrEqual,
        operators::GREATER => Comparison::Greater,
        operators::GREATER_EQUALS => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn arithmetic(operator: &str) -> Option<Arithmetic> {
    Some(match operator {
        operators::ADD => Arithmetic::Add,
        operators::SUBSTRACT => Arithmetic::Subtract,
        operators::MULTIPLY => Arithmetic::Multiply,
        operators::DIVIDE => Arithmetic::Divide,
        operators::MODULO => Arithmetic::Remainder,
        _ => return None,
    })
}
