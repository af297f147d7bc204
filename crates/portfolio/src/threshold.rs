//! When a changed score is news: it crosses the threshold of the asset at hand.
//!
//! A threshold is a CVSS score for some environments, data and criticality; of those that apply the lowest counts. Without a file
//! of one's own: 7.0 in production and 9.0 elsewhere, lower by 1.0 for restricted data and for high or critical systems.
//!
//! ```yaml
//! thresholds:
//!   - score: 9.0
//!   - environment: production
//!     score: 7.0
//!   - environments: [production, staging-*]
//!     data-classification: restricted
//!     score: 6.0
//! ```
//!
//! Start at [`Thresholds::crossed`]. A file replaces the default.

mod document;
#[cfg(test)]
mod tests;

use condition::glob;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalog::{Classification, Context, Criticality};

/// All thresholds; the lowest that applies counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Thresholds {
    /// The thresholds.
    pub thresholds: Vec<Threshold>,
}

/// One threshold and where it applies: everywhere, but for what it names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct Threshold {
    /// Patterns of environments. `production` stands for every name that means it; see [`crate::catalog::is_production`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// Data of these classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_classification: Vec<Classification>,
    /// Systems of this criticality.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub criticality: Vec<Criticality>,
    /// The CVSS score, 0 to 10, that is reached or not.
    pub score: f64,
}

/// Which way a score crossed its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// It was below and is not any more.
    Up,
    /// It was not below and is now.
    Down,
}

/// A threshold that a score crossed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Crossing {
    /// The threshold.
    pub threshold: f64,
    /// Which way.
    pub direction: Direction,
}

impl Default for Thresholds {
    fn default() -> Self {
        let production = || vec![PRODUCTION.to_owned()];
        let restricted = || vec![Classification::Restricted];
        let critical = || vec![Criticality::High, Criticality::Critical];
        let everywhere = |score| Threshold { score, ..Threshold::default() };
        let thresholds = vec![
            everywhere(9.0),
            Threshold { data_classification: restricted(), ..everywhere(8.0) },
            Threshold { criticality: critical(), ..everywhere(8.0) },
            Threshold { environments: production(), ..everywhere(7.0) },
            Threshold { environments: production(), data_classification: restricted(), ..everywhere(6.0) },
            Threshold { environments: production(), criticality: critical(), ..everywhere(6.0) },
        ];
        Self { thresholds }
    }
}

/// The pattern that stands for every name that means production.
const PRODUCTION: &str = "production";

impl Threshold {
    /// Whether it applies. What is not known fits only where nothing is asked for.
    fn applies(&self, context: &Context) -> bool {
        let environment = |pattern: &String| match pattern.as_str() {
            PRODUCTION => context.is_production() == Some(true),
            pattern => context.environments.iter().any(|name| glob::fits(pattern, name)),
        };
        (self.environments.is_empty() || self.environments.iter().any(environment))
            && (self.data_classification.is_empty()
                || context.data_classification.is_some_and(|data| self.data_classification.contains(&data)))
            && (self.criticality.is_empty()
                || context.criticality.is_some_and(|criticality| self.criticality.contains(&criticality)))
    }
}

impl Thresholds {
    /// The threshold at a place; none where none applies.
    pub fn at(&self, context: &Context) -> Option<f64> {
        let applying = self.thresholds.iter().filter(|threshold| threshold.applies(context));
        applying.map(|threshold| threshold.score).min_by(f64::total_cmp)
    }

    /// Whether a change of score crosses the threshold of the place. No score is below every threshold: a first score that reaches it
    /// crosses it, and so does one that is withdrawn.
    pub fn crossed(&self, old: Option<f64>, new: Option<f64>, context: &Context) -> Option<Crossing> {
        let threshold = self.at(context)?;
        let reaches = |score: Option<f64>| score.is_some_and(|score| score >= threshold);
        let direction = match (reaches(old), reaches(new)) {
            (false, true) => Direction::Up,
            (true, false) => Direction::Down,
            _ => return None,
        };
        Some(Crossing { threshold, direction })
    }
}
