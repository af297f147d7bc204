//! What the catalog holds: systems, components, resources, teams, people.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EntityRef, Handling, PersonRef, TeamRef};

/// Where an entity is declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// The file's name.
    pub file: String,
    /// The line its document begins in, counted from 1.
    pub line: usize,
}

/// What every entity says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// Kind, namespace and name.
    pub reference: EntityRef,
    /// The name as it was written.
    pub name: String,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations, ours included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Links.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Where it is declared.
    pub origin: Origin,
}

/// A link of an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// Where it leads.
    pub url: String,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// Several systems of one concern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Domain {
    /// What it says of itself.
    pub metadata: Metadata,
    /// Who answers for it: a team, or a person.
    pub owner: EntityRef,
}

/// An IT system: components and resources that do one job together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct System {
    /// What it says of itself.
    pub metadata: Metadata,
    /// Who answers for it: a team, or a person.
    pub owner: EntityRef,
    /// The domain it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<EntityRef>,
    /// What our annotations say.
    #[serde(default)]
    pub handling: Handling,
}

/// A piece of software: a service, a website, a library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Component {
    /// What it says of itself.
    pub metadata: Metadata,
    /// `service`, `website`, `library` or another word.
    #[serde(rename = "type")]
    pub kind: String,
    /// `experimental`, `production`, `deprecated` or another word.
    pub lifecycle: String,
    /// Who answers for it: a team, or a person.
    pub owner: EntityRef,
    /// The system it says it belongs to; [`super::Catalog::system_of`] knows more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<EntityRef>,
    /// The component it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subcomponent_of: Option<EntityRef>,
    /// What it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<EntityRef>,
    /// What our annotations say.
    #[serde(default)]
    pub handling: Handling,
}

/// What a system needs to run: a database, a bucket, a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resource {
    /// What it says of itself.
    pub metadata: Metadata,
    /// `database`, `s3-bucket` or another word.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who answers for it: a team, or a person.
    pub owner: EntityRef,
    /// The system it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<EntityRef>,
    /// What it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<EntityRef>,
}

/// A team, department or other group of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Team {
    /// What it says of itself.
    pub metadata: Metadata,
    /// `team`, `department`, `organization` or another word.
    #[serde(rename = "type")]
    pub kind: String,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Where it reads mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The groups it is directly in, whichever side says so. More than one is rare.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<TeamRef>,
    /// The people who are directly in it, whichever side says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<PersonRef>,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Person {
    /// What it says of itself.
    pub metadata: Metadata,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Where they read mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The teams they are directly in, whichever side says so; the first is the one they stand for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<TeamRef>,
}

/// Something that was read and left out. It is no mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// Where.
    pub origin: Origin,
    /// What.
    pub text: String,
}
