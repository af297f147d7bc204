//! The facts that policies may read: one table for the checker, the evaluator and the reference page.

mod finding;
mod image;
mod knowledge;
mod package;
mod surface;
mod workload;

use std::sync::LazyLock;

use condition::{Fact, FactTable, FactType, Facts, Value};
use model::Timestamp;
use model::finding::Finding;
use model::package::Package;
use model::verdict::Stage;

use crate::subject::Subject;

pub(crate) use finding::score;
pub(crate) use image::name as image_name;

/// A fact and how it is read.
pub(crate) struct Row {
    fact: Fact,
    read: for<'a> fn(&View<'a>) -> Value<'a>,
}

/// The rows of every family, in the order of the reference page.
static ROWS: LazyLock<Vec<&'static Row>> = LazyLock::new(|| {
    [finding::ROWS, package::ROWS, image::ROWS, surface::ROWS, knowledge::ROWS, workload::ROWS]
        .into_iter()
        .flatten()
        .collect()
});

/// The table that policies are checked against.
static TABLE: LazyLock<FactTable> = LazyLock::new(|| FactTable::new(ROWS.iter().map(|row| row.fact)));

/// The facts that the conditions of policies may read.
pub fn table() -> &'static FactTable {
    &TABLE
}

const EVERY_STAGE: &[Stage] = &[Stage::Build, Stage::Admission, Stage::Runtime];

/// A fact that every stage knows.
const fn fact(name: &'static str, kind: FactType, read: for<'a> fn(&View<'a>) -> Value<'a>, doc: &'static str) -> Row {
    Row { fact: Fact { name, kind, stages: EVERY_STAGE, optional: false, doc }, read }
}

/// A fact that may be absent.
const fn maybe(name: &'static str, kind: FactType, read: for<'a> fn(&View<'a>) -> Value<'a>, doc: &'static str) -> Row {
    Row { fact: Fact { name, kind, stages: EVERY_STAGE, optional: true, doc }, read }
}

/// One thing that conditions are asked about: the image, or one package of it, or one finding in that package.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) whole: &'a Whole<'a>,
    pub(crate) package: Option<&'a Package>,
    pub(crate) finding: Option<(usize, &'a Finding)>,
}

impl Facts for View<'_> {
    fn fact(&self, index: usize) -> Value<'_> {
        ROWS.get(index).map_or(Value::Absent, |row| (row.read)(self))
    }
}

/// A subject with what is worked out once for all conditions.
pub(crate) struct Whole<'a> {
    pub(crate) subject: Subject<'a>,
    pub(crate) now: Timestamp,
    /// For each finding, whether it counts as new; none without a comparison, when all do.
    new: Option<Vec<bool>>,
    gap_kinds: Vec<String>,
    gap_count: usize,
}

impl<'a> Whole<'a> {
    pub(crate) fn new(subject: Subject<'a>, now: Timestamp) -> Self {
        let gaps = || subject.inventory.gaps.iter().chain(subject.gaps);
        let mut gap_kinds: Vec<String> = gaps().map(|gap| gap.kind.as_str().to_owned()).collect();
        let gap_count = gap_kinds.len();
        gap_kinds.sort_unstable();
        gap_kinds.dedup();
        let new = subject.comparison.map(|comparison| {
            let mut new = vec![false; subject.findings.len()];
            for index in &comparison.new {
                if let Some(flag) = new.get_mut(*index as usize) {
                    *flag = true;
                }
            }
            new
        });
        Self { subject, now, new, gap_kinds, gap_count }
    }

    /// Whether a finding counts: with a comparison only the new ones do.
    pub(crate) fn is_new(&self, finding: usize) -> bool {
        self.new.as_ref().is_none_or(|new| new.get(finding).copied().unwrap_or(false))
    }

    /// The whole days since a point in time that a document states (RFC 3339, or a date); 0 for the future.
    fn days_since(&self, stated: &str) -> Option<i64> {
        let then = point_in_time(stated)?;
        Some((self.now.as_second().saturating_sub(then.as_second())).max(0) / 86_400)
    }
}

/// A point in time as documents state it: RFC 3339, or a date, which means its beginning in UTC.
fn point_in_time(stated: &str) -> Option<Timestamp> {
    stated.parse().ok().or_else(|| {
        let date: jiff::civil::Date = stated.parse().ok()?;
        Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })
}

/// An optional value as a fact.
fn or_absent<'a, T>(value: Option<T>, wrap: fn(T) -> Value<'a>) -> Value<'a> {
    value.map_or(Value::Absent, wrap)
}
