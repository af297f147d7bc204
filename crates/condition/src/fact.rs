//! Facts: what a condition may ask.

use model::verdict::Stage;

/// One thing that a condition may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// Its dotted name, `finding.severity`.
    pub name: &'static str,
    /// What sort of answer it gives.
    pub kind: FactType,
    /// The stages that can answer.
    pub stages: &'static [Stage],
    /// It may be absent even where the stage knows it: `has(name)` tells, and a comparison with an absent fact neither
    /// holds nor fails.
    pub optional: bool,
    /// One line for the reference page.
    pub doc: &'static str,
}

/// The sorts of answers. How long ago something was is a fact in days (`age_days`), so no clock is read while evaluating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactType {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Double,
    /// Text.
    String,
    /// [`model::finding::Severity`], which compares by order.
    Severity,
    /// A point in time, which compares with a text: `"2026-11-27T09:00:00Z"`, or a date for its beginning in UTC.
    Moment,
    /// A list of texts.
    Strings,
    /// Texts under names: `image.labels["org.opencontainers.image.vendor"]`.
    Labels,
}

impl FactType {
    /// The type's name in messages and on the reference page.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Double => "double",
            Self::String => "string",
            Self::Severity => "severity",
            Self::Moment => "timestamp",
            Self::Strings => "list<string>",
            Self::Labels => "map<string, string>",
        }
    }
}

/// The facts that one family of conditions may ask.
#[derive(Debug, Clone)]
pub struct FactTable {
    facts: Vec<Fact>,
}

impl FactTable {
    /// A table of these facts, in the order of the reference page. Names must differ.
    pub fn new(facts: impl IntoIterator<Item = Fact>) -> Self {
        Self { facts: facts.into_iter().collect() }
    }

    /// The facts, in table order.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// The position and the row of a fact.
    pub fn find(&self, name: &str) -> Option<(usize, Fact)> {
        self.facts.iter().position(|fact| fact.name == name).map(|index| (index, self.facts[index]))
    }
}

/// A stage's name in documents.
pub(crate) fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Build => "build",
        Stage::Admission => "admission",
        Stage::Runtime => "runtime",
    }
}
