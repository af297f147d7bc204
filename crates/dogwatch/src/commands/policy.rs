//! `dogwatch policy`: check a policy, and try it on earlier reports.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ::policy::{DEFAULT_POLICY, Exceptions, ImportError, ImportOptions, PolicySet, import};
use anyhow::Context;
use formats::json;
use formats::printable::printable;
use model::verdict::{Action, Outcome, Verdict};

use super::judge::borrowed;
use super::{mistakes, texts};
use crate::cli::PolicyCommand;
use crate::console::{COULD_NOT_TELL, Failure, Hint, note, write};

/// Runs one of the policy commands.
pub(crate) fn run(command: PolicyCommand) -> Result<u8, Failure> {
    match command {
        PolicyCommand::Check { file } => {
            let files = texts(&[file])?;
            let policies = PolicySet::load(borrowed(&files)).map_err(|errors| mistakes(&errors))?;
            write(&format!("{} policies, no mistakes\n", policies.policies.len()), None)?;
            Ok(0)
        }
        PolicyCommand::Test { file, reports, exceptions } => {
            let files = texts(&[file])?;
            let policies = PolicySet::load(borrowed(&files)).map_err(|errors| mistakes(&errors))?;
            let files = texts(&exceptions)?;
            let exceptions = Exceptions::load(borrowed(&files)).map_err(|errors| mistakes(&errors))?;
            let mut worst = 0;
            for path in reports {
                let name = path.display().to_string();
                let bytes = std::fs::read(&path).with_context(|| format!("`{name}` cannot be read"))?;
                let report = json::read(&bytes).with_context(|| format!("`{name}` is not a report"))?;
                let verdict = ::policy::test(&policies, &exceptions, &report);
                write(&summary(&name, &verdict), None)?;
                worst = worst.max(exit_code(verdict.outcome));
            }
            Ok(worst)
        }
        PolicyCommand::Import { files, owner, until, output } => {
            take_over(&files, &owner, until.as_deref(), output.as_deref())
        }
        PolicyCommand::Default => {
            write(DEFAULT_POLICY, None)?;
            Ok(0)
        }
        PolicyCommand::Facts => {
            write(&::policy::reference(), None)?;
            Ok(0)
        }
    }
}

/// Turns ignore files into one exceptions file. What has no equivalent goes to stderr, with its line.
fn take_over(files: &[PathBuf], owner: &str, until: Option<&str>, output: Option<&Path>) -> Result<u8, Failure> {
    let until = until
        .map(|text| {
            let end = text.parse().or_else(|_| format!("{text}T23:59:59Z").parse::<model::Timestamp>());
            end.map_err(|_| anyhow::anyhow!("`{text}` is not a date")).hint(Some("write `2027-03-31`".into()))
        })
        .transpose()?;
    let (mut all, mut ids, mut left_out) = (Exceptions::default(), HashSet::new(), 0);
    for (file, text) in texts(files)? {
        let taken = import(&file, &text, ImportOptions { owner, until }).map_err(import_failure)?;
        left_out += taken.left_out.len();
        taken.left_out.iter().for_each(|left| eprintln!("{left}\n"));
        for mut exception in taken.exceptions.exceptions {
            // Two files of one scanner may have a rule in the same line.
            while !ids.insert(exception.id.clone()) {
                exception.id.push('x');
            }
            all.exceptions.push(exception);
        }
    }
    note(&format!("{} exceptions; {left_out} lines have no equivalent", all.exceptions.len()));
    write(&all.to_yaml(), output)?;
    Ok(0)
}

fn import_failure(error: ImportError) -> Failure {
    let hint = match &error {
        ImportError::Malformed { mistakes: found, .. } => return mistakes(found),
        ImportError::Endless { .. } => {
            Some("say until when: `--until 2027-03-31`; nothing is accepted for ever".into())
        }
        ImportError::Unknown { .. } => None,
    };
    Failure { hint, error: error.into() }
}

fn exit_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Passed => 0,
        Outcome::Failed => 1,
        Outcome::Unknown => COULD_NOT_TELL,
    }
}

/// The verdict on one report, and how often each policy objected.
fn summary(name: &str, verdict: &Verdict) -> String {
    let outcome = match verdict.outcome {
        Outcome::Passed => "PASS",
        Outcome::Failed => "FAIL",
        Outcome::Unknown => "UNKNOWN",
    };
    let mut text = format!("{outcome}  {}\n", printable(name));
    for policy in &verdict.policies {
        let of_policy = || verdict.violations.iter().filter(|violation| &violation.policy == policy);
        let (count, excused) =
            (of_policy().count(), of_policy().filter(|violation| violation.excused_by.is_some()).count());
        if let Some(violation) = of_policy().next() {
            let action = match violation.action {
                Action::Audit => "audit",
                Action::Warn => "warn",
                Action::Deny => "deny",
                Action::Quarantine => "quarantine",
            };
            let _ = writeln!(text, "  {action:<10} {policy}: {count} violations, {excused} excused");
        }
    }
    text
}
