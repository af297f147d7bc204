//! Whose an image, a base image or a layer is.
//!
//! Three voices, the first that says something is heard: a line of the owner rules ([`OwnerRules`]), the catalog (the component
//! whose image it is), and labels, which only *propose*: anybody who builds an image can write them.
//!
//! ```text
//! # PATTERN                        OWNER...            the last line that fits wins
//! registry.example/shop/*          storefront
//! tag registry.example/base:12*    platform            tags of one repository
//! base debian*                     platform            base images by the name they are registered with
//! layer sha256:0c9d…               group:default/payments
//! registry.example/shop/sandbox                        nobody's
//! ```
//!
//! Start at [`OwnerRules::owners_of`].
//! **Never:** a layer is not its image's owner's. Ask for what the subject is, and for nothing else.

mod rules;
mod propose;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use model::digest::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, EntityRef, ImagePatterns, TeamRef};

pub use propose::LABELS;
pub use rules::OwnerRules;

/// What has an owner. Fill in what it *is*: an image has names and labels, a base image also its registered name, a layer its diff
/// id and, where a base image brought it, that base's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// An image's names, with their tags where it has some.
    pub images: Vec<String>,
    /// A layer's diff id.
    pub layer: Option<Digest>,
    /// The name of the base image that it is, or that it is a layer of.
    pub base: Option<String>,
    /// An image's and its workload's labels and annotations.
    pub labels: BTreeMap<String, String>,
}

/// One owner, and how we know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ownership {
    /// The team.
    pub team: TeamRef,
    /// How we know.
    pub how: How,
}

/// How we know an owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// A line of the owner rules says so.
    Stated {
        /// The file of rules.
        file: String,
        /// The line, counted from 1.
        line: usize,
    },
    /// The image belongs to a component, which says so.
    Catalog {
        /// The component.
        component: EntityRef,
    },
    /// A label says so, and nobody has confirmed it.
    Proposed {
        /// The label's key.
        label: String,
    },
}

impl How {
    /// Whether it is only a proposal.
    pub fn is_proposed(&self) -> bool {
        matches!(self, Self::Proposed { .. })
    }
}

impl OwnerRules {
    /// Everybody who owns the subject. Of several on one line the first answers for it. Empty when nobody is known, and when the last
    /// line that fits names nobody: then no other voice is heard either.
    pub fn owners_of(&self, subject: &Subject, catalog: &Catalog) -> Vec<Ownership> {
        self.owners_with(subject, catalog, &catalog.image_patterns())
    }

    /// The same for many subjects: the patterns of [`Catalog::image_patterns`] are made once.
    pub fn owners_with(&self, subject: &Subject, catalog: &Catalog, patterns: &ImagePatterns) -> Vec<Ownership> {
        if let Some(rule) = self.rule_for(subject) {
            let how = How::Stated { file: self.file.clone(), line: rule.line };
            return rule.owners.iter().map(|team| Ownership { team: team.clone(), how: how.clone() }).collect();
        }
        let components = subject.images.iter().filter_map(|name| patterns.component_of(name));
        let mut stated = components.filter_map(|reference| {
            let team = catalog.team_of(&catalog.components.get(reference)?.owner)?.clone();
            Some(Ownership { team, how: How::Catalog { component: reference.clone() } })
        });
        let found = stated.next().or_else(|| propose::propose(&subject.labels, catalog));
        found.into_iter().collect()
    }

    /// Who answers for the subject.
    pub fn owner_of(&self, subject: &Subject, catalog: &Catalog) -> Option<Ownership> {
        self.owners_of(subject, catalog).into_iter().next()
    }
}
