//! Our own annotations: how a system or component is to be handled.

use condition::nearest;
use condition::yaml::{Node, Reader, place_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PersonRef, image};

/// What our annotations begin with.
pub const PREFIX: &str = "dogwatch.dev/";

/// The annotations that we know, without their prefix.
pub(super) const NAMES: &[&str] = &[
    "business-owner",
    "data-classification",
    "criticality",
    "environment",
    "environments",
    "ticket-board",
    "channels",
    "images",
];

/// How much harm it does if the data gets out, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Classification {
    /// Anybody may see it.
    Public,
    /// Everybody inside may see it.
    Internal,
    /// Some may see it.
    Confidential,
    /// Few may see it, and law or contract says so.
    Restricted,
}

impl Classification {
    /// The words and what they mean, least first.
    pub const WORDS: &[(&str, Self)] = &[
        ("public", Self::Public),
        ("internal", Self::Internal),
        ("confidential", Self::Confidential),
        ("restricted", Self::Restricted),
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        word(Self::WORDS, self)
    }
}

/// How much harm it does if the system fails, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Criticality {
    /// It can wait.
    Low,
    /// Somebody notices.
    Medium,
    /// Work stops.
    High,
    /// The organisation stops.
    Critical,
}

impl Criticality {
    /// The words and what they mean, least first.
    pub const WORDS: &[(&str, Self)] =
        &[("low", Self::Low), ("medium", Self::Medium), ("high", Self::High), ("critical", Self::Critical)];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        word(Self::WORDS, self)
    }
}

fn word<T: Copy + PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, other)| *other == value).map_or("", |(word, _)| word)
}

/// What the annotations `dogwatch.dev/…` of a system or component say. What is not said is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Handling {
    /// `business-owner`: who decides about its risks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_owner: Option<PersonRef>,
    /// `data-classification`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_classification: Option<Classification>,
    /// `criticality`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub criticality: Option<Criticality>,
    /// `environment` and `environments`: where it runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// `ticket-board`: where its tickets go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_board: Option<String>,
    /// `channels`: where its messages go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// `images`: patterns of the images that are built from it. Of components only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
}

impl Handling {
    /// Takes one annotation, named without its prefix. The Business Owner is a reference and the caller's work.
    pub(super) fn take(&mut self, reader: &mut Reader<'_>, kind: &str, name: (&Node, &str), value: &Node) {
        let (key, name) = name;
        if !matches!(kind, "component" | "system") {
            let message = format!("`{PREFIX}{name}` does not belong on a {kind}");
            return reader.reject(key, "misplaced-annotation", message, "say it on a system or a component");
        }
        match name {
            "business-owner" => {}
            "data-classification" => self.data_classification = reader.word(value, name, Classification::WORDS),
            "criticality" => self.criticality = reader.word(value, name, Criticality::WORDS),
            "environment" | "environments" => {
                self.environments.extend(list(reader, name, value));
                self.environments.sort();
                self.environments.dedup();
            }
            "ticket-board" => self.ticket_board = list(reader, name, value).into_iter().next(),
            "channels" => self.channels = list(reader, name, value),
            "images" if kind == "system" => {
                let message = "a system has no images of its own";
                reader.reject(
                    key,
                    "misplaced-annotation",
                    message,
                    "say it on the component that the images are built from",
                );
            }
            "images" => self.images = patterns(reader, value),
            _ => {
                let remedy = match nearest(name, NAMES.iter().copied()) {
                    Some(near) => format!("did you mean `{PREFIX}{near}`?"),
                    None => format!("there are: {}", NAMES.join(", ")),
                };
                reader.reject(key, "unknown-annotation", format!("there is no annotation `{PREFIX}{name}`"), &remedy);
            }
        }
    }
}

/// The parts of a comma-separated text.
fn list(reader: &mut Reader<'_>, name: &str, value: &Node) -> Vec<String> {
    let parts = value.text().unwrap_or_default().split(',').map(str::trim);
    let parts: Vec<String> = parts.filter(|part| !part.is_empty()).map(str::to_owned).collect();
    if parts.is_empty() {
        reader.reject(
            value,
            "missing-value",
            format!("`{PREFIX}{name}` says nothing"),
            "leave it out, or give it a value",
        );
    }
    parts
}

fn patterns(reader: &mut Reader<'_>, value: &Node) -> Vec<String> {
    let patterns = list(reader, "images", value);
    let text = value.text().unwrap_or_default();
    for pattern in &patterns {
        let Some(problem) = image::pattern_problem(pattern) else { continue };
        // Finding the place walks through the value.
        if reader.is_full() {
            break;
        }
        let offset = text.find(pattern.as_str()).map_or(0, |byte| text[..byte].chars().count());
        let (line, column) = place_of(reader.source, value, offset);
        let remedy = "name the repository: `registry.example/shop/api`, `registry.example/shop/*`".to_owned();
        reader.report("wrong-pattern", problem, (line, column, pattern.chars().count()), Some(remedy));
    }
    patterns
}
