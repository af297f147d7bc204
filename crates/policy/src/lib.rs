//! What we decide: policies, exceptions, verdicts.
//!
//! A policy names the stages it applies at, a condition over facts ([`fact_table`]), and an action. [`PolicySet::load`] reads them from
//! YAML and reports every mistake with its line; [`PolicySet::evaluate`] says what they make of a [`Subject`], with
//! [`Exceptions`] applied. The same facts, policies and exceptions hold at build, admission and runtime.
//!
//! Start at [`PolicySet`]; the facts are one table per family below `facts/`.
//! **Never:** this crate finds nothing, waits for nothing and reads no clock: checks find, only policy acts.

mod document;
mod evaluate;
mod exception;
mod facts;
mod import;
mod policy;
mod reference;
mod shorthand;
mod subject;

pub use condition::{Diagnostic, Place};
pub use exception::{AcceptedAt, Exception, Exceptions, Scope};
pub use facts::table as fact_table;
pub use import::{ImportError, ImportOptions, Imported, import};
pub use policy::{DEFAULT_POLICY, Each, Policy, PolicySet};
pub use reference::reference;
pub use shorthand::{Filter, Flags, Shorthand};
pub use subject::{Subject, Workload};

use model::report::ScanReport;
use model::verdict::{Stage, Verdict};

/// `dogwatch policy check`: what is wrong with a policy file; nothing when it may be used.
pub fn check(file: &str, text: &str) -> Vec<Diagnostic> {
    PolicySet::load([(file, text)]).err().unwrap_or_default()
}

/// `dogwatch policy test`: what the policies would have said about a report, at build, when it was judged.
pub fn test(policies: &PolicySet, exceptions: &Exceptions, report: &ScanReport) -> Verdict {
    policies.evaluate(Stage::Build, &Subject::of(report), exceptions, report.judged_at)
}
