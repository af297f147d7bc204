//! What the catalog knows about a component, its system's word included.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Catalog, Classification, Criticality, EntityRef, Handling, ImagePatterns, PersonRef, System, TeamRef};

/// What is known about whatever runs somewhere: enough to weigh a risk and to find who answers for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Context {
    /// The system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<EntityRef>,
    /// The team that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamRef>,
    /// Who decides about its risks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_owner: Option<PersonRef>,
    /// What its data is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_classification: Option<Classification>,
    /// What its failure would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub criticality: Option<Criticality>,
    /// Where it runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// Where its tickets go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_board: Option<String>,
    /// Where its messages go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// `experimental`, `production`, `deprecated` or another word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<String>,
}

impl Context {
    /// The same in one environment, where something was seen running.
    pub fn in_environment(self, environment: &str) -> Self {
        Self { environments: vec![environment.to_owned()], ..self }
    }

    /// Whether it is in production: one of its environments is, or, where none is known, its lifecycle says so. Another lifecycle says
    /// nothing: what is deprecated runs in production as a rule.
    pub fn is_production(&self) -> Option<bool> {
        if self.environments.is_empty() {
            return (self.lifecycle.as_deref() == Some("production")).then_some(true);
        }
        Some(self.environments.iter().any(|environment| is_production(environment)))
    }
}

/// Whether an environment's name says production: `prod`, `Production`, `prod-eu`, `eu.prod`, and not `non-prod` or `pre_production`.
pub fn is_production(environment: &str) -> bool {
    let name = environment.to_lowercase();
    let mut words = name.split(|c: char| !c.is_alphanumeric());
    let negated = name.split(|c: char| !c.is_alphanumeric()).any(|word| matches!(word, "non" | "not" | "no" | "pre"));
    !negated && words.any(|word| matches!(word, "prod" | "production"))
}

impl Catalog {
    /// The system of a component: its own, or that of the component it is a part of.
    pub fn system_of(&self, component: &EntityRef) -> Option<&System> {
        let mut seen = BTreeSet::new();
        let mut at = component;
        while seen.insert(at) {
            let component = self.components.get(at)?;
            if let Some(system) = &component.system {
                return self.systems.get(system);
            }
            at = component.subcomponent_of.as_ref()?;
        }
        None
    }

    /// What is known about a component: what it says, and what it does not say from its system. None for a stranger.
    pub fn effective(&self, component: &EntityRef) -> Option<Context> {
        let found = self.components.get(component)?;
        let system = self.system_of(component);
        let nothing = Handling::default();
        let (own, systems) = (&found.handling, system.map_or(&nothing, |system| &system.handling));
        Some(Context {
            system: system.map(|system| system.metadata.reference.clone()),
            team: self.team_of(&found.owner).cloned(),
            business_owner: own.business_owner.clone().or_else(|| systems.business_owner.clone()),
            data_classification: own.data_classification.or(systems.data_classification),
            criticality: own.criticality.or(systems.criticality),
            environments: own_or(&own.environments, &systems.environments),
            ticket_board: own.ticket_board.clone().or_else(|| systems.ticket_board.clone()),
            channels: own_or(&own.channels, &systems.channels),
            lifecycle: Some(found.lifecycle.clone()),
        })
    }

    /// The team an owner stands for: a team for itself, a person for the first of their teams.
    pub fn team_of<'c>(&'c self, owner: &EntityRef) -> Option<&'c TeamRef> {
        if let Some(team) = self.teams.get(owner) {
            return Some(&team.metadata.reference);
        }
        self.people.get(owner)?.teams.first()
    }

    /// Whether a person is in a team, or in a team that is somewhere inside it.
    pub fn is_member(&self, person: &PersonRef, team: &TeamRef) -> bool {
        let Some(person) = self.people.get(person) else { return false };
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<&TeamRef> = person.teams.iter().collect();
        while let Some(at) = waiting.pop() {
            if at == team {
                return true;
            }
            if seen.insert(at) {
                waiting.extend(self.teams.get(at).into_iter().flat_map(|team| &team.parents));
            }
        }
        false
    }

    /// The image patterns of all components, ready for many questions.
    pub fn image_patterns(&self) -> ImagePatterns {
        ImagePatterns::new(self)
    }

    /// The component that an image belongs to by its name. For many images, ask [`Catalog::image_patterns`].
    pub fn component_of_image(&self, name: &str) -> Option<EntityRef> {
        self.image_patterns().component_of(name).cloned()
    }
}

fn own_or(own: &[String], systems: &[String]) -> Vec<String> {
    if own.is_empty() { systems.to_vec() } else { own.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::is_production;

    #[test]
    fn production_is_told_by_its_name() {
        for (name, expected) in [
            ("production", true),
            ("Prod", true),
            ("prod-eu", true),
            ("eu.prod", true),
            ("non-prod", false),
            ("pre_production", false),
            ("product-test", false),
            ("", false),
        ] {
            assert_eq!(is_production(name), expected, "{name}");
        }
    }
}
