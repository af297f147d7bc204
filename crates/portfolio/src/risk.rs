//! How much one finding matters at one place: a number from 0 to 100 that can be recomputed by hand.
//!
//! ```text
//! product = 10 × CVSS score
//!           × exploitation × exposure × privilege × use × criticality × data × environment
//! score   = product, at most 100, to one decimal
//! ```
//!
//! | factor | values |
//! | --- | --- |
//! | severity (points) | 10 × the CVSS score; without one critical 95, high 80, medium 55, low 20, negligible 5, unknown 50 |
//! | exploitation | in KEV, or SSVC `active`: × 1.2. Else the higher of SSVC `poc` × 0.7 and EPSS × (0.5 + EPSS / 2); nothing known × 0.5 |
//! | exposure | internet × 1.15, internal or unknown × 1, none × 0.85 |
//! | privilege | privileged × 1.15, root × 1.05, unknown × 1, ordinary user × 0.9 |
//! | use | in use × 1.1, unknown × 1, not in use × 0.6 |
//! | criticality | critical × 1.2, high × 1.1, medium or unknown × 1, low × 0.85 |
//! | data | restricted × 1.15, confidential × 1.05, internal or unknown × 1, public × 0.9 |
//! | environment | production × 1.15, unknown × 1, other × 0.75 |
//!
//! What is not known multiplies by 1: it neither frightens nor soothes. Only exploitation has no neutral value, because nearly all
//! vulnerabilities are never exploited. Raising any input never lowers the score. [`Risk::product`] keeps what 100 cuts off, so
//! that the worst of the worst stay in order.
//!
//! **Never:** whether a fix exists. It decides what to do, not how bad it is.

use std::borrow::Cow;

use model::finding::Severity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalog::{Classification, Context, Criticality};

/// What SSVC says about exploitation, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ssvc {
    /// No sign of it.
    None,
    /// Somebody has shown how.
    Poc,
    /// Somebody does it.
    Active,
}

/// Who can reach it, fewest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Exposure {
    /// It listens on nothing.
    None,
    /// The organisation's own network.
    Internal,
    /// Anybody.
    Internet,
}

/// What it may do, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Privilege {
    /// An ordinary user.
    Ordinary,
    /// Root in its container.
    Root,
    /// A privileged container: nearly root on the machine.
    Privileged,
}

/// All that the score depends on. None means not known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Factors {
    /// The severity; counts where there is no score.
    pub severity: Severity,
    /// The CVSS base score, 0 to 10.
    pub cvss: Option<f64>,
    /// Whether the catalogue of known exploited vulnerabilities has it.
    pub kev: bool,
    /// The probability that it is exploited within 30 days, 0 to 1.
    pub epss: Option<f64>,
    /// What SSVC says.
    pub ssvc: Option<Ssvc>,
    /// Who can reach it.
    pub exposure: Option<Exposure>,
    /// What it may do.
    pub privilege: Option<Privilege>,
    /// Whether the package is loaded or executed.
    pub in_use: Option<bool>,
    /// What a failure of the system would do.
    pub criticality: Option<Criticality>,
    /// What its data is.
    pub data_classification: Option<Classification>,
    /// Whether it runs in production.
    pub production: Option<bool>,
}

impl Factors {
    /// The same, with what the catalog knows of the place.
    pub fn at(self, context: &Context) -> Self {
        Self {
            criticality: context.criticality,
            data_classification: context.data_classification,
            production: context.is_production(),
            ..self
        }
    }
}

/// A score and how it came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Risk {
    /// From 0 to 100, to one decimal.
    pub score: f64,
    /// The product of all factors, which may be more than 100.
    pub product: f64,
    /// The factors, in the order in which they are multiplied.
    pub factors: Vec<Factor>,
}

/// Most are fixed words, and a portfolio is weighed as a whole.
type Text = Cow<'static, str>;

/// One factor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Factor {
    /// Its name.
    pub name: Text,
    /// What it is here.
    pub value: Text,
    /// What it does to the score.
    pub effect: Effect,
    /// Why.
    pub because: Text,
}

/// What a factor does to the score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The points that it begins with.
    Points(f64),
    /// What they are multiplied by.
    Times(f64),
}

impl Effect {
    fn number(self) -> f64 {
        match self {
            Self::Points(number) | Self::Times(number) => number,
        }
    }
}

/// Weighs one finding at one place. Pure: the same factors, the same score.
pub fn risk(factors: &Factors) -> Risk {
    let factors = vec![
        severity(factors),
        exploitation(factors),
        exposure(factors.exposure),
        privilege(factors.privilege),
        in_use(factors.in_use),
        criticality(factors.criticality),
        data(factors.data_classification),
        environment(factors.production),
    ];
    let product = factors.iter().map(|factor| factor.effect.number()).product::<f64>();
    let score = (product.min(100.0) * 10.0).round() / 10.0;
    Risk { score, product, factors }
}

fn factor(name: &'static str, value: impl Into<Text>, effect: Effect, because: &'static str) -> Factor {
    Factor { name: name.into(), value: value.into(), effect, because: because.into() }
}

/// A number within bounds; none when it is no number.
fn within(number: Option<f64>, max: f64) -> Option<f64> {
    number.filter(|number| !number.is_nan()).map(|number| number.clamp(0.0, max))
}

fn severity(factors: &Factors) -> Factor {
    if let Some(score) = within(factors.cvss, 10.0) {
        // To one decimal, as CVSS scores are: 10 × 9.8 is 98 and not 98.00000000000001.
        let points = (score * 100.0).round() / 10.0;
        return factor("severity", format!("CVSS {score:.1}"), Effect::Points(points), "ten points for each of CVSS");
    }
    let points = match factors.severity {
        Severity::Unknown => 50.0,
        Severity::Negligible => 5.0,
        Severity::Low => 20.0,
        Severity::Medium => 55.0,
        Severity::High => 80.0,
        Severity::Critical => 95.0,
    };
    factor("severity", factors.severity.as_str(), Effect::Points(points), "no score is known; the middle of its range")
}

fn exploitation(factors: &Factors) -> Factor {
    let name = "exploitation";
    if factors.kev {
        return factor(name, "KEV", Effect::Times(1.2), "attackers use it");
    }
    if factors.ssvc == Some(Ssvc::Active) {
        return factor(name, "SSVC active", Effect::Times(1.2), "attackers use it");
    }
    let probability = within(factors.epss, 1.0);
    let epss = 0.5 + probability.unwrap_or(0.0) / 2.0;
    match (factors.ssvc, probability) {
        (Some(Ssvc::Poc), _) if epss <= 0.7 => factor(name, "SSVC poc", Effect::Times(0.7), "somebody has shown how"),
        (_, Some(probability)) => {
            let because = "half, and the other half by its probability within 30 days";
            factor(name, format!("EPSS {:.2} %", probability * 100.0), Effect::Times(epss), because)
        }
        _ => factor(name, "nothing known", Effect::Times(0.5), "most vulnerabilities are never used"),
    }
}

fn exposure(exposure: Option<Exposure>) -> Factor {
    let (value, times, because) = match exposure {
        Some(Exposure::Internet) => ("internet", 1.15, "anybody can reach it"),
        Some(Exposure::Internal) => ("internal", 1.0, "the organisation's network can reach it"),
        Some(Exposure::None) => ("none", 0.85, "it listens on nothing"),
        None => ("unknown", 1.0, "who can reach it is not known"),
    };
    factor("exposure", value, Effect::Times(times), because)
}

fn privilege(privilege: Option<Privilege>) -> Factor {
    let (value, times, because) = match privilege {
        Some(Privilege::Privileged) => ("privileged", 1.15, "a privileged container is nearly root on its machine"),
        Some(Privilege::Root) => ("root", 1.05, "it runs as root in its container"),
        Some(Privilege::Ordinary) => ("ordinary", 0.9, "it runs as an ordinary user"),
        None => ("unknown", 1.0, "what it may do is not known"),
    };
    factor("privilege", value, Effect::Times(times), because)
}

fn in_use(in_use: Option<bool>) -> Factor {
    let (value, times, because) = match in_use {
        Some(true) => ("in use", 1.1, "the package was seen in use"),
        Some(false) => ("not in use", 0.6, "the package is there and was not seen in use"),
        None => ("unknown", 1.0, "whether it is used is not known"),
    };
    factor("use", value, Effect::Times(times), because)
}

fn criticality(criticality: Option<Criticality>) -> Factor {
    let (times, because) = match criticality {
        Some(Criticality::Critical) => (1.2, "the organisation stops without the system"),
        Some(Criticality::High) => (1.1, "work stops without the system"),
        Some(Criticality::Medium) => (1.0, "somebody notices when the system fails"),
        Some(Criticality::Low) => (0.85, "the system can wait"),
        None => (1.0, "the catalog does not say how critical the system is"),
    };
    factor("criticality", criticality.map_or("unknown", Criticality::as_str), Effect::Times(times), because)
}

fn data(data: Option<Classification>) -> Factor {
    let (times, because) = match data {
        Some(Classification::Restricted) => (1.15, "few may see its data"),
        Some(Classification::Confidential) => (1.05, "some may see its data"),
        Some(Classification::Internal) => (1.0, "everybody inside may see its data"),
        Some(Classification::Public) => (0.9, "anybody may see its data"),
        None => (1.0, "the catalog does not classify its data"),
    };
    factor("data", data.map_or("unknown", Classification::as_str), Effect::Times(times), because)
}

fn environment(production: Option<bool>) -> Factor {
    let (value, times, because) = match production {
        Some(true) => ("production", 1.15, "it runs in production"),
        Some(false) => ("other", 0.75, "it does not run in production"),
        None => ("unknown", 1.0, "where it runs is not known"),
    };
    factor("environment", value, Effect::Times(times), because)
}

#[cfg(test)]
mod tests;
