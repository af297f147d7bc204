//! The catalog: systems, components, resources, teams and people, read from Backstage entities.
//!
//! Every mistake is found in one run and shown with its line, a caret and what to do. Keys that we do not know are allowed, because
//! Backstage allows extensions; kinds that we do not need (`API`, `Location`, `Template` and others) are left out with a
//! [`Note`]. Annotations `dogwatch.dev/…` are ours, so a slip in one is a mistake.
//!
//! Start at [`Catalog::load`]; what a component takes from its system is in [`Catalog::effective`].
//! **Never:** the order of files and documents does not matter.

mod reference;
mod entity;
mod handling;
mod document;
mod check;
mod image;
mod context;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use condition::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use context::{Context, is_production};
pub use entity::{Component, Domain, Link, Metadata, Note, Origin, Person, Resource, System, Team};
pub use handling::{Classification, Criticality, Handling, PREFIX};
pub use image::{ImagePatterns, repository};
pub use reference::{DEFAULT_NAMESPACE, EntityRef, PersonRef, RefError, TeamRef};

/// All entities of an organisation that we need, whose references all lead somewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Catalog {
    /// Domains.
    pub domains: BTreeMap<EntityRef, Domain>,
    /// Systems.
    pub systems: BTreeMap<EntityRef, System>,
    /// Components.
    pub components: BTreeMap<EntityRef, Component>,
    /// Resources.
    pub resources: BTreeMap<EntityRef, Resource>,
    /// Teams and other groups.
    pub teams: BTreeMap<TeamRef, Team>,
    /// People.
    pub people: BTreeMap<PersonRef, Person>,
    /// What was read and left out.
    pub notes: Vec<Note>,
}

impl Catalog {
    /// Reads files of entities, each with its name and text. All mistakes are returned, in the order of the files.
    pub fn load<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Vec<Diagnostic>> {
        let files: Vec<(&str, &str)> = files.into_iter().collect();
        let mut loaded = document::Loaded::default();
        for (index, (name, text)) in files.iter().enumerate() {
            loaded.read(index, name, text);
        }
        loaded.finish(&files)
    }
}
