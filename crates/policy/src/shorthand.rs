//! Flags that stand for a policy: `--severity`, `--ignore-unfixed`, `--fail-on`, `--exit-code`.

use condition::{Condition, ConditionError};
use model::finding::{Finding, Fix, Severity};
use model::verdict::{Action, Stage};

use crate::facts;
use crate::policy::{Each, Policy, PolicySet};

/// The flags, as the command line gives them.
///
/// - `--severity HIGH,CRITICAL` (Trivy): only findings of these levels are shown and count.
/// - `--ignore-unfixed`, `--only-fixed` (Trivy, Grype): only findings with a published fix are shown and count.
/// - `--fail-on high` (Grype): a finding of that level or above fails the scan. Takes the place of the built-in policy.
/// - `--exit-code N` (Trivy): any finding that counts fails the scan, which then exits with `N`; 0 never fails for a
///   finding. Takes the place of the built-in policy. With `--fail-on` it only says which code a failure has.
///
/// Policies that the user names in files stay in force beside the flags, narrowed by the first two.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flags {
    /// `--severity`; empty means every level.
    pub severity: Vec<Severity>,
    /// `--ignore-unfixed`, `--only-fixed`.
    pub only_fixed: bool,
    /// `--fail-on`.
    pub fail_on: Option<Severity>,
    /// `--exit-code`.
    pub exit_code: Option<i32>,
}

/// Which findings are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only these levels; empty means every level.
    pub severities: Vec<Severity>,
    /// Only those with a published fix.
    pub only_fixed: bool,
}

impl Filter {
    /// Whether a finding is shown.
    pub fn admits(&self, finding: &Finding) -> bool {
        (self.severities.is_empty() || self.severities.contains(&finding.severity))
            && (!self.only_fixed || matches!(finding.fix, Fix::Available { .. }))
    }

    /// The filter as a condition; none when it lets everything pass.
    fn condition(&self) -> Option<String> {
        let levels: Vec<String> = self.severities.iter().map(|level| level.as_str().to_uppercase()).collect();
        let severity = (!levels.is_empty()).then(|| format!("finding.severity in [{}]", levels.join(", ")));
        let fixed = self.only_fixed.then(|| "finding.fixable".to_owned());
        let clauses: Vec<String> = severity.into_iter().chain(fixed).collect();
        (!clauses.is_empty()).then(|| clauses.join(" && "))
    }
}

/// What the flags stand for.
#[derive(Debug)]
pub struct Shorthand {
    /// The policies in force; [`PolicySet::to_yaml`] prints them.
    pub policies: PolicySet,
    /// Which findings are shown.
    pub filter: Filter,
    /// The exit code of a failed verdict: 1 unless `--exit-code` says another.
    pub failed_exit_code: i32,
}

impl PolicySet {
    /// The policies that flags stand for, beside those that the user named in files (`None`: named none).
    ///
    /// Fails when a policy of `named` is too long to be narrowed.
    pub fn from_flags(flags: &Flags, named: Option<PolicySet>) -> Result<Shorthand, ConditionError> {
        let filter = Filter { severities: flags.severity.clone(), only_fixed: flags.only_fixed };
        let gate = match (flags.fail_on, flags.exit_code) {
            (Some(level), _) => {
                Some(("fail-on", format!("finding.severity >= {}", level.as_str().to_uppercase()), Action::Deny))
            }
            (None, Some(0)) => Some(("exit-code-0", "finding.severity >= UNKNOWN".to_owned(), Action::Audit)),
            (None, Some(_)) => Some(("exit-code", "finding.severity >= UNKNOWN".to_owned(), Action::Deny)),
            (None, None) => None,
        };
        let mut policies = match (named, &gate) {
            (Some(named), _) => named,
            (None, Some(_)) => PolicySet::default(),
            (None, None) => PolicySet::built_in(),
        };
        if let Some((name, condition, action)) = gate {
            policies.policies.push(gate_policy(name, &condition, action)?);
        }
        if let Some(clause) = filter.condition() {
            policies = policies.narrowed(&clause)?;
        }
        let failed_exit_code = flags.exit_code.filter(|code| *code != 0).unwrap_or(1);
        Ok(Shorthand { policies, filter, failed_exit_code })
    }
}

fn gate_policy(name: &str, condition: &str, action: Action) -> Result<Policy, ConditionError> {
    Ok(Policy {
        name: name.to_owned(),
        stages: vec![Stage::Build],
        images: Vec::new(),
        each: Each::Finding,
        condition: Condition::compile(condition, facts::table(), &[Stage::Build])?,
        severity: None,
        rationale: format!("the command line asks for it (`{condition}`)"),
        remediation: Some("Upgrade the package where a fix is published.".to_owned()),
        action,
    })
}
