//! Facts about one finding.

use condition::{FactType, Value};
use model::finding::{Finding, Fix};

use super::{Row, View, fact, maybe, or_absent};

pub(super) const ROWS: &[Row] = &[
    fact(
        "finding.id",
        FactType::String,
        |v| of(v, |f| Value::String(&f.id)),
        "The id people use: the CVE where there is one.",
    ),
    fact(
        "finding.ids",
        FactType::Strings,
        |v| of(v, |f| Value::Strings(&f.ids)),
        "Every id of the vulnerability and of its advisories.",
    ),
    fact(
        "finding.severity",
        FactType::Severity,
        |v| of(v, |f| Value::Severity(f.severity)),
        "The severity in force: the distribution's, else that of the chosen score.",
    ),
    maybe(
        "finding.score",
        FactType::Double,
        |v| of(v, |f| or_absent(score(f), Value::Double)),
        "The highest CVSS base score that any scorer gives, 0 to 10.",
    ),
    maybe(
        "finding.epss",
        FactType::Double,
        |v| of(v, |f| or_absent(f.epss.map(|e| e.score), Value::Double)),
        "How likely exploitation is within 30 days by EPSS, 0 to 1.",
    ),
    maybe(
        "finding.epss_percentile",
        FactType::Double,
        |v| of(v, |f| or_absent(f.epss.map(|e| e.percentile), Value::Double)),
        "The share of vulnerabilities with that EPSS or less, 0 to 1.",
    ),
    maybe(
        "finding.epss_change",
        FactType::Double,
        |v| of(v, |f| or_absent(f.epss.and_then(|e| e.change), Value::Double)),
        "By how much that EPSS has risen (below 0: fallen) in about 30 days, where an estimate of then is known.",
    ),
    fact(
        "finding.kev",
        FactType::Bool,
        |v| of(v, |f| Value::Bool(f.kev.is_some())),
        "CISA knows it to be exploited (KEV).",
    ),
    fact(
        "finding.kev_ransomware",
        FactType::Bool,
        |v| of(v, |f| Value::Bool(f.kev.as_ref().is_some_and(|kev| kev.ransomware))),
        "CISA knows ransomware campaigns that use it.",
    ),
    maybe(
        "finding.ssvc_exploitation",
        FactType::String,
        |v| of(v, |f| or_absent(f.ssvc.map(|ssvc| ssvc.exploitation.as_str()), Value::String)),
        "What CISA's assessment (SSVC) says of attacks: `none`, `poc` or `active`.",
    ),
    maybe(
        "finding.ssvc_automatable",
        FactType::Bool,
        |v| of(v, |f| or_absent(f.ssvc.map(|ssvc| ssvc.automatable), Value::Bool)),
        "Whether attacks can be automated, by CISA's assessment (SSVC).",
    ),
    maybe(
        "finding.ssvc_technical_impact",
        FactType::String,
        |v| of(v, |f| or_absent(f.ssvc.map(|ssvc| ssvc.technical_impact.as_str()), Value::String)),
        "What an attacker gains by CISA's assessment (SSVC): `partial` or `total`.",
    ),
    fact(
        "finding.fixable",
        FactType::Bool,
        |v| of(v, |f| Value::Bool(matches!(f.fix, Fix::Available { .. }))),
        "A version without it has been published.",
    ),
    fact(
        "finding.fix_state",
        FactType::String,
        |v| of(v, |f| Value::String(fix_state(f))),
        "`available`, `none` (none is known) or `refused` (the vendor will not fix it).",
    ),
    maybe(
        "finding.fixed_version",
        FactType::String,
        |v| of(v, |f| or_absent(f.fix.version(), Value::String)),
        "The least version that removes it.",
    ),
    maybe("finding.published_age_days", FactType::Int, published_age, "Whole days since it was first published."),
    fact("finding.new", FactType::Bool, is_new, "It was not in the report compared with; true without a comparison."),
    maybe(
        "finding.vex_status",
        FactType::String,
        |v| of(v, |f| or_absent(f.vex.as_ref().map(|vex| vex.status.as_str()), Value::String)),
        "What the newest VEX statement says: `not_affected`, `affected`, `fixed` or `under_investigation`. A policy that reads it decides itself what that is worth; for others `not_affected` and `fixed` are an excuse.",
    ),
    maybe(
        "finding.vex_justification",
        FactType::String,
        |v| of(v, |f| or_absent(f.vex.as_ref().and_then(|vex| vex.justification.as_deref()), Value::String)),
        "Why that statement says it does not affect: `vulnerable_code_not_in_execute_path`, …",
    ),
    maybe(
        "finding.vex_author",
        FactType::String,
        |v| of(v, |f| or_absent(f.vex.as_ref().map(|vex| vex.author.as_str()), Value::String)),
        "Who that statement is from, as its document says; nobody checks it.",
    ),
    fact(
        "finding.malicious",
        FactType::Bool,
        |v| of(v, |f| Value::Bool(is_malicious(f))),
        "The package itself is malware, by an advisory of malicious packages (`MAL-…` and others).",
    ),
];

fn of<'a>(view: &View<'a>, read: fn(&'a Finding) -> Value<'a>) -> Value<'a> {
    view.finding.map_or(Value::Absent, |(_, finding)| read(finding))
}

/// The highest base score of any scorer.
pub(crate) fn score(finding: &Finding) -> Option<f64> {
    finding.scores.iter().map(|score| score.score).filter(|score| !score.is_nan()).reduce(f64::max)
}

fn fix_state(finding: &Finding) -> &'static str {
    match finding.fix {
        Fix::Available { .. } => "available",
        Fix::None { .. } => "none",
        Fix::Refused { .. } => "refused",
    }
}

fn is_malicious(finding: &Finding) -> bool {
    finding.malicious || finding.id.starts_with("MAL-") || finding.ids.iter().any(|id| id.starts_with("MAL-"))
}

fn published_age<'a>(view: &View<'a>) -> Value<'a> {
    let published = view.finding.and_then(|(_, finding)| finding.published.as_deref());
    or_absent(published.and_then(|published| view.whole.days_since(published)), Value::Int)
}

fn is_new<'a>(view: &View<'a>) -> Value<'a> {
    or_absent(view.finding.map(|(index, _)| view.whole.is_new(index)), Value::Bool)
}
