//! Facts about what we know and what we do not: gaps, and the advisories that the judgement rests on.

use condition::{FactType, Value};
use model::gap::GapKind;
use model::report::CoverageState;

use super::{Row, View, fact, maybe, or_absent};

pub(super) const ROWS: &[Row] = &[
    fact(
        "gaps.any",
        FactType::Bool,
        |v| Value::Bool(v.whole.gap_count > 0),
        "Something could not be read, parsed or known.",
    ),
    fact(
        "gaps.count",
        FactType::Int,
        |v| Value::Int(i64::try_from(v.whole.gap_count).unwrap_or(i64::MAX)),
        "How many gaps there are.",
    ),
    fact(
        "gaps.kinds",
        FactType::Strings,
        |v| Value::Strings(&v.whole.gap_kinds),
        "The kinds of gaps: `unreadable`, `encrypted`, `limit-exceeded`, `partial-coverage`, …",
    ),
    maybe(
        "knowledge.age_days",
        FactType::Int,
        age,
        "Whole days since the newest advisory changed; absent when no advisories were used.",
    ),
    fact(
        "knowledge.coverage_missing",
        FactType::Bool,
        |v| Value::Bool(coverage(v, CoverageState::None, GapKind::NoCoverage)),
        "There are no advisories for some ecosystem or release in the image.",
    ),
    fact(
        "knowledge.coverage_partial",
        FactType::Bool,
        |v| Value::Bool(coverage(v, CoverageState::Partial, GapKind::PartialCoverage)),
        "There is only a part of the advisories for some ecosystem or release in the image.",
    ),
    fact(
        "knowledge.end_of_life",
        FactType::Bool,
        |v| Value::Bool(has_gap(v, GapKind::EndOfLife)),
        "The distribution's release no longer receives security updates.",
    ),
];

fn age<'a>(view: &View<'a>) -> Value<'a> {
    let knowledge = view.whole.subject.knowledge;
    or_absent(knowledge.and_then(|knowledge| view.whole.days_since(&knowledge.as_of)), Value::Int)
}

fn coverage(view: &View<'_>, state: CoverageState, kind: GapKind) -> bool {
    let knowledge = view.whole.subject.knowledge;
    has_gap(view, kind) || knowledge.is_some_and(|knowledge| knowledge.coverage.iter().any(|c| c.state == state))
}

fn has_gap(view: &View<'_>, kind: GapKind) -> bool {
    view.whole.gap_kinds.iter().any(|name| name == kind.as_str())
}
