//! What policies and the comparison say about each finding, by its index in the report.

use std::collections::HashSet;

use model::report::ScanReport;
use model::verdict::{Action, Violation};

/// Which findings are denied, excused, warned of, new.
pub(crate) struct Marks {
    denied: HashSet<usize>,
    excused: HashSet<usize>,
    warned: HashSet<usize>,
    new: Option<HashSet<usize>>,
}

impl Marks {
    pub(crate) fn of(report: &ScanReport) -> Self {
        let violations = || report.verdict.iter().flat_map(|verdict| &verdict.violations);
        let denying = violations().filter(|violation| violation.action >= Action::Deny);
        let (excused, denied): (Vec<_>, Vec<_>) = denying.partition(|violation| violation.excused_by.is_some());
        let warned =
            violations().filter(|violation| violation.action == Action::Warn && violation.excused_by.is_none());
        let new =
            report.comparison.as_ref().map(|comparison| comparison.new.iter().map(|index| *index as usize).collect());
        Self {
            denied: indices(denied.into_iter()),
            excused: indices(excused.into_iter()),
            warned: indices(warned),
            new,
        }
    }

    /// A policy denies it, and nothing excuses that.
    pub(crate) fn is_denied(&self, index: usize) -> bool {
        self.denied.contains(&index)
    }

    /// A policy warns of it.
    pub(crate) fn is_warned(&self, index: usize) -> bool {
        self.warned.contains(&index)
    }

    /// Every policy that would deny it has an exception.
    pub(crate) fn is_excused(&self, index: usize) -> bool {
        self.excused.contains(&index) && !self.is_denied(index)
    }

    /// It was not in the report that this one is compared with.
    pub(crate) fn is_new(&self, index: usize) -> bool {
        self.new.as_ref().is_some_and(|new| new.contains(&index))
    }

    /// Whether the report is compared with another.
    pub(crate) fn is_comparison(&self) -> bool {
        self.new.is_some()
    }

    /// `denied`, `excused`, `warned`; empty when no policy objects.
    pub(crate) fn status(&self, index: usize) -> &'static str {
        match () {
            () if self.is_denied(index) => "denied",
            () if self.is_excused(index) => "excused",
            () if self.is_warned(index) => "warned",
            () => "",
        }
    }
}

fn indices<'a>(violations: impl Iterator<Item = &'a Violation>) -> HashSet<usize> {
    violations.filter_map(|violation| violation.finding).map(|index| index as usize).collect()
}
