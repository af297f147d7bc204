//! What targets are judged by. Loaded once, however many targets there are.

use std::path::Path;

use ::policy::{Exceptions, Flags, PolicySet, Shorthand};
use ::scan::pipeline::JudgeOptions;
use ::scan::vex::{self, Vex};
use assessment::vulnerability::AssessOptions;
use model::Timestamp;
use model::report::ScanReport;

use crate::cli::{JudgeArguments, ScanArguments};
use crate::commands;
use crate::console::{Failure, note};

/// Knowledge, policies, exceptions and VEX.
pub(super) struct Judge {
    index: ::advisories::Index,
    private: Option<::advisories::Index>,
    assess: AssessOptions,
    rules: Shorthand,
    exceptions: Exceptions,
    vex: Vex,
    now: Timestamp,
}

impl Judge {
    /// For `scan`, which can hide findings.
    pub(super) fn of_scan(arguments: &ScanArguments) -> Result<Self, Failure> {
        let flags = Flags {
            severity: arguments.severity.clone(),
            only_fixed: arguments.ignore_unfixed,
            fail_on: arguments.judge.fail_on,
            exit_code: arguments.exit_code.map(i32::from),
        };
        Self::load(&arguments.judge, &flags, arguments.source.no_cache)
    }

    /// For commands that hide no findings.
    pub(super) fn of(arguments: &JudgeArguments, no_cache: bool) -> Result<Self, Failure> {
        let flags = Flags { fail_on: arguments.fail_on, ..Flags::default() };
        Self::load(arguments, &flags, no_cache)
    }

    /// Opens the index, and reads the user's own advisories, policies and exceptions.
    fn load(arguments: &JudgeArguments, flags: &Flags, no_cache: bool) -> Result<Self, Failure> {
        let index = commands::index(arguments.index.as_deref())?;
        let private = commands::private_index(&arguments.advisories, no_cache)?;
        let policy_files = commands::texts(&arguments.policy)?;
        let exception_files = commands::texts(&arguments.exceptions)?;
        let named = (!policy_files.is_empty())
            .then(|| PolicySet::load(borrowed(&policy_files)))
            .transpose()
            .map_err(|errors| commands::mistakes(&errors))?;
        let exceptions = Exceptions::load(borrowed(&exception_files)).map_err(|errors| commands::mistakes(&errors))?;
        // Trivy's word; a file of that name is `./oci`.
        let (oci, files): (Vec<_>, Vec<_>) = arguments.vex.iter().cloned().partition(|path| path == Path::new("oci"));
        let mut vex = vex::load(&files).map_err(|error| Failure { hint: error.hint(), error: error.into() })?;
        vex.with_attached = !oci.is_empty();
        vex.notes.iter().for_each(|sentence| note(sentence));
        let rules = PolicySet::from_flags(flags, named)?;
        let assess = AssessOptions { scorers: arguments.scorer.clone() };
        Ok(Self { index, private, assess, rules, exceptions, vex, now: Timestamp::now() })
    }

    /// How new the advisories are.
    pub(super) fn as_of(&self) -> Result<&str, Failure> {
        Ok(self.index.as_of()?)
    }

    /// The exit code when a policy says no.
    pub(super) fn failed_exit_code(&self) -> u8 {
        self.rules.failed_exit_code.try_into().unwrap_or(1)
    }

    /// How one target is judged.
    pub(super) fn options<'a>(&'a self, compare_to: Option<&'a ScanReport>) -> JudgeOptions<'a> {
        JudgeOptions {
            index: &self.index,
            private: self.private.as_ref(),
            assess: self.assess.clone(),
            policies: &self.rules.policies,
            exceptions: &self.exceptions,
            vex: &self.vex,
            filter: &self.rules.filter,
            compare_to,
            now: self.now,
        }
    }
}

/// Names and texts as loaders want them.
pub(super) fn borrowed(files: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    files.iter().map(|(name, text)| (name.as_str(), text.as_str()))
}
