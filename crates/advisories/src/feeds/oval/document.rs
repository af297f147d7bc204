//! An OVAL document as it is read: definitions first, then what they refer to.

use std::collections::HashMap;

use super::super::xml::{self, Attributes};

/// What a definition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Class {
    /// An erratum.
    #[default]
    Patch,
    /// One vulnerability.
    Vulnerability,
    /// Inventory and compliance, which are nothing to us.
    Other,
}

#[derive(Default)]
pub(super) struct Definition {
    pub(super) class: Class,
    pub(super) id: String,
    pub(super) title: String,
    pub(super) severity: String,
    pub(super) issued: String,
    pub(super) platforms: Vec<String>,
    /// Source and id.
    pub(super) references: Vec<(String, String)>,
    pub(super) vulnerabilities: Vec<String>,
    pub(super) criteria: Node,
}

pub(super) enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Test { test: String, comment: String },
}

impl Default for Node {
    fn default() -> Self {
        Self::Or(Vec::new())
    }
}

/// How a state compares a version.
pub(super) enum Bound {
    Before(String),
    UpTo(String),
    From(String),
}

impl Bound {
    pub(super) fn version(&self) -> &str {
        match self {
            Self::Before(version) | Self::UpTo(version) | Self::From(version) => version,
        }
    }

    pub(super) fn same_side(&self, other: &Self) -> bool {
        matches!(self, Self::From(_)) == matches!(other, Self::From(_))
    }
}

#[derive(Default)]
struct Test {
    object: String,
    state: String,
}

#[derive(Default)]
pub(super) struct Document {
    pub(super) definitions: Vec<Definition>,
    tests: HashMap<String, Test>,
    /// Names by object.
    objects: HashMap<String, String>,
    states: HashMap<String, Bound>,
    /// Open criteria: whether it is an `AND`, and what is in it.
    open: Vec<(bool, Vec<Node>)>,
    /// The test, object or state being read.
    current: String,
    operation: String,
}

impl Document {
    /// The package that a test is about and the bound of its version; none for tests of anything else. "Is installed",
    /// without a version, says something only of a vulnerability that has no fix.
    pub(super) fn package(&self, test: &str, class: Class) -> Option<(&str, Option<&Bound>)> {
        let test = self.tests.get(test)?;
        let name = self.objects.get(&test.object)?;
        match self.states.get(&test.state) {
            Some(bound) => Some((name, Some(bound))),
            None if test.state.is_empty() && class == Class::Vulnerability => Some((name, None)),
            None => None,
        }
    }

    fn criterion(&mut self, attributes: &Attributes) {
        if attributes.get("negate") == "true" {
            return;
        }
        let node = Node::Test { test: attributes.get("test_ref").into(), comment: attributes.get("comment").into() };
        if let Some((_, nodes)) = self.open.last_mut() {
            nodes.push(node);
        }
    }

    fn close_criteria(&mut self) {
        let Some((and, nodes)) = self.open.pop() else { return };
        let node = if and { Node::And(nodes) } else { Node::Or(nodes) };
        match (self.open.last_mut(), self.definitions.last_mut()) {
            (Some((_, outer)), _) => outer.push(node),
            (None, Some(definition)) => definition.criteria = node,
            (None, None) => {}
        }
    }
}

impl xml::Visitor for Document {
    fn begin(&mut self, path: &[String], attributes: &Attributes) {
        let text = |name: &str| attributes.get(name).to_owned();
        let Some(name) = path.last().map(String::as_str) else { return };
        match (path.get(1).map(String::as_str), name) {
            (Some("definitions"), "definition") => {
                let class = match attributes.get("class") {
                    "patch" => Class::Patch,
                    "vulnerability" => Class::Vulnerability,
                    _ => Class::Other,
                };
                self.open.clear();
                self.definitions.push(Definition { class, id: text("id"), ..Definition::default() });
            }
            (Some("definitions"), "criteria") => self.open.push((attributes.get("operator") != "OR", Vec::new())),
            (Some("definitions"), "criterion") => self.criterion(attributes),
            (Some("definitions"), "reference") => {
                let reference = (text("source"), text("ref_id"));
                self.definitions.last_mut().into_iter().for_each(|known| known.references.push(reference.clone()));
            }
            (Some("definitions"), "issued") if !attributes.get("date").is_empty() => {
                let issued = format!("{}T00:00:00Z", attributes.get("date"));
                self.definitions.last_mut().into_iter().for_each(|known| known.issued.clone_from(&issued));
            }
            (Some("tests"), "object") => {
                self.tests.entry(self.current.clone()).or_default().object = text("object_ref");
            }
            (Some("tests"), "state") => {
                self.tests.entry(self.current.clone()).or_default().state = text("state_ref");
            }
            (Some("tests" | "objects" | "states"), _) if path.len() == 3 => self.current = text("id"),
            (Some("states"), "evr") => self.operation = text("operation"),
            _ => {}
        }
    }

    fn end(&mut self, path: &[String], text: &str) {
        let Some(name) = path.last().map(String::as_str) else { return };
        match (path.get(1).map(String::as_str), name) {
            (Some("definitions"), "criteria") => self.close_criteria(),
            (Some("definitions"), _) => {
                let Some(definition) = self.definitions.last_mut() else { return };
                match name {
                    "title" => definition.title = text.to_owned(),
                    "severity" => definition.severity = text.to_owned(),
                    "platform" => definition.platforms.push(text.to_owned()),
                    "advisory_date" => definition.issued = text.to_owned(),
                    "cve" => definition.vulnerabilities.push(text.to_owned()),
                    _ => {}
                }
            }
            (Some("objects"), "name") => _ = self.objects.insert(self.current.clone(), text.to_owned()),
            (Some("states"), "evr") => {
                // Epoch 0 is what no epoch means.
                let version = text.strip_prefix("0:").unwrap_or(text).to_owned();
                let bound = match self.operation.as_str() {
                    "less than" => Bound::Before(version),
                    "less than or equal" => Bound::UpTo(version),
                    "greater than or equal" | "greater than" => Bound::From(version),
                    _ => return,
                };
                self.states.insert(self.current.clone(), bound);
            }
            _ => {}
        }
    }
}
