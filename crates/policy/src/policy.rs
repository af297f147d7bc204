//! A policy, and a set of them.

use condition::{Condition, ConditionError, Diagnostic};
use model::finding::Severity;
use model::verdict::{Action, Stage};

/// One policy: when it applies, what it objects to, and what then happens.
#[derive(Debug)]
pub struct Policy {
    /// Its name, unique within the set.
    pub name: String,
    /// The stages it applies at.
    pub stages: Vec<Stage>,
    /// Patterns (`*`, `?`) of image names that it applies to; empty means every image.
    pub images: Vec<String>,
    /// What the condition is asked about.
    pub each: Each,
    /// What it objects to.
    pub condition: Condition,
    /// How bad that is; none means as bad as the finding.
    pub severity: Option<Severity>,
    /// Why the policy exists.
    pub rationale: String,
    /// What to do about a violation.
    pub remediation: Option<String>,
    /// What then happens.
    pub action: Action,
}

/// What a condition is asked about, coarsest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Each {
    /// The image, once.
    Image,
    /// Each package.
    Package,
    /// Each finding, with its package.
    Finding,
}

impl Each {
    /// The level that a fact belongs to.
    pub(crate) fn of_fact(name: &str) -> Self {
        match name.split('.').next() {
            Some("finding") => Self::Finding,
            Some("package") => Self::Package,
            _ => Self::Image,
        }
    }
}

impl Policy {
    /// Whether a violation means that the verdict does not pass.
    pub fn blocks(&self) -> bool {
        matches!(self.action, Action::Deny | Action::Quarantine)
    }

    /// Whether it reads what VEX statements say (`finding.vex_…`). Then it decides what they are worth; for every other
    /// policy a statement that nothing is left to do is an excuse.
    pub fn judges_vex(&self) -> bool {
        self.condition.facts().any(|fact| fact.name.starts_with("finding.vex_"))
    }

    /// Whether everything it reads is about what we know (`knowledge.…`, `gaps.…`). Such a policy never says that an
    /// image is bad, only that nobody can tell; so where it denies, the outcome is *unknown*, not *failed*.
    pub fn is_about_knowledge(&self) -> bool {
        let mut families =
            self.condition.facts().map(|fact| fact.name.split('.').next().unwrap_or_default()).peekable();
        families.peek().is_some() && families.all(|family| matches!(family, "knowledge" | "gaps"))
    }
}

/// The policies in force.
#[derive(Debug, Default)]
pub struct PolicySet {
    /// In the order of their files.
    pub policies: Vec<Policy>,
}

/// The policy that holds where none is given.
pub const DEFAULT_POLICY: &str = include_str!("default.yaml");

impl PolicySet {
    /// Reads policy files, `(name, text)`. Every mistake in every file is reported.
    pub fn load<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Vec<Diagnostic>> {
        let (mut policies, mut errors) = (Vec::new(), Vec::new());
        for (file, text) in files {
            crate::document::read(file, text, &mut policies, &mut errors);
        }
        if errors.is_empty() { Ok(Self { policies }) } else { Err(errors) }
    }

    /// The built-in policy ([`DEFAULT_POLICY`]).
    pub fn built_in() -> Self {
        Self::load([("default.yaml", DEFAULT_POLICY)]).expect("the built-in policy is tested to load")
    }

    /// The set as a policy file that loads to the same set.
    pub fn to_yaml(&self) -> String {
        self.policies.iter().map(crate::document::write).collect::<Vec<_>>().join("---\n")
    }

    /// The same policies, with a further condition (over `finding.…` facts that every stage knows) on each finding.
    pub(crate) fn narrowed(self, clause: &str) -> Result<Self, ConditionError> {
        let narrow = |policy: Policy| {
            if policy.each != Each::Finding {
                return Ok(policy);
            }
            // The line break ends a comment that the condition may end with.
            let text = format!("({}\n) && {clause}", policy.condition.text().trim());
            let condition = Condition::compile(&text, crate::facts::table(), &policy.stages)?;
            Ok(Policy { condition, ..policy })
        };
        Ok(Self { policies: self.policies.into_iter().map(narrow).collect::<Result<_, _>>()? })
    }
}
