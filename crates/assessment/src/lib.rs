//! What is wrong with what an inventory holds.
//!
//! Everything here is a pure function of an inventory and advisory knowledge. Whether a finding is acceptable is the
//! business of `policy`; fetching knowledge is that of `advisories`.
//!
//! Start at [`vulnerability::assess`]; [`subject`] makes findings about the image itself possible. [`vex::Statements`] puts what
//! others say beside the findings. [`remedy::remedies`] then groups findings by the action that removes them, and
//! [`comparison::compare`] says what is new since another report.

pub mod coverage;
pub mod edit;
pub mod matching;
pub mod vulnerability;
mod fix;
pub mod remedy;
pub mod subject;
pub mod comparison;
pub mod vex;
