//! From policies, exceptions and a subject to a verdict.

use condition::EvaluationError;
use model::Timestamp;
use model::artifact::Artifact;
use model::finding::Severity;
use model::verdict::{ExceptionState, ExceptionUse, Outcome, Stage, Verdict, Violation};

use crate::exception::Exceptions;
use crate::facts::{View, Whole, image_name};
use crate::policy::{Each, Policy, PolicySet};
use crate::subject::Subject;
use condition::glob;

impl PolicySet {
    /// What the policies of a stage say about a subject.
    ///
    /// *Failed* when a denying policy is violated and no exception excuses it. Else *unknown* when a denying policy that
    /// only asks what we know ([`Policy::is_about_knowledge`]) is violated, or when one could not be answered because
    /// the subject lacks a fact that the stage promises. Else *passed*. An optional fact that is absent (no EPSS) makes
    /// a condition not hold. With a comparison, findings that are not new do not count; nor does a finding that a VEX
    /// statement says is fixed or does not affect, unless the policy reads that status itself.
    pub fn evaluate(&self, stage: Stage, subject: &Subject<'_>, exceptions: &Exceptions, now: Timestamp) -> Verdict {
        let whole = Whole::new(*subject, now);
        let (mut policies, mut violations, mut undecided) = (Vec::new(), Vec::new(), false);
        let mut about_knowledge = Vec::new();
        for policy in &self.policies {
            let in_scope = policy.images.is_empty() || image_matches(&policy.images, subject.artifact);
            if !policy.stages.contains(&stage) || !in_scope {
                continue;
            }
            policies.push(policy.name.clone());
            undecided |= objections(policy, &whole, &mut violations);
            about_knowledge.resize(violations.len(), policy.is_about_knowledge());
        }
        let exceptions = excuse(&mut violations, subject, exceptions, now);
        let mut counted = violations.iter().zip(&about_knowledge).filter(|(violation, _)| violation.denies());
        let outcome = match (counted.clone().any(|(_, knowledge)| !knowledge), counted.next().is_some() || undecided) {
            (true, _) => Outcome::Failed,
            (false, true) => Outcome::Unknown,
            (false, false) => Outcome::Passed,
        };
        Verdict { outcome, stage, policies, violations, exceptions }
    }
}

/// Whether a name of the artifact, or the target as it was given, fits one of the patterns.
pub(crate) fn image_matches(patterns: &[String], artifact: &Artifact) -> bool {
    let names = || artifact.names.iter().map(String::as_str).chain([artifact.target.as_str(), image_name(artifact)]);
    patterns.iter().any(|pattern| names().any(|name| glob::fits(pattern, name)))
}

/// Adds what one policy objects to. True when a denying policy could not be answered.
fn objections(policy: &Policy, whole: &Whole<'_>, violations: &mut Vec<Violation>) -> bool {
    let packages = &whole.subject.inventory.packages;
    let mut undecided = None;
    let judges_vex = policy.judges_vex();
    let mut ask = |view: View<'_>| match policy.condition.evaluate(&view) {
        Ok(true) => {
            let vex = view.finding.and_then(|(_, finding)| finding.suppressed_by()).filter(|_| !judges_vex);
            let excused_by = vex.map(|vex| format!("VEX {}", vex.document));
            violations.push(Violation { excused_by, ..violation(policy, &view) });
        }
        Ok(false) | Err(EvaluationError::Absent { optional: true, .. }) => {}
        Err(error) => undecided = undecided.or(Some(error)),
    };
    match policy.each {
        Each::Image => ask(View { whole, package: None, finding: None }),
        Each::Package => packages.iter().for_each(|package| ask(View { whole, package: Some(package), finding: None })),
        Each::Finding => {
            for (index, finding) in whole.subject.findings.iter().enumerate().filter(|(index, _)| whole.is_new(*index))
            {
                let package = packages.get(finding.package.0 as usize);
                ask(View { whole, package, finding: Some((index, finding)) });
            }
        }
    }
    let Some(error) = undecided else { return false };
    let because = match error {
        EvaluationError::Absent { fact, .. } => format!("`{fact}` is not known"),
        EvaluationError::Arithmetic => "the condition calculates a number that does not exist".to_owned(),
    };
    let mut unanswered = violation(policy, &View { whole, package: None, finding: None });
    unanswered.rationale = format!("the policy could not be answered: {because}");
    // Shown, but at most as a warning: the outcome says that nobody can tell.
    unanswered.action = unanswered.action.min(model::verdict::Action::Warn);
    violations.push(unanswered);
    policy.blocks()
}

fn violation(policy: &Policy, view: &View<'_>) -> Violation {
    let of_finding = view.finding.map(|(_, finding)| finding.severity);
    Violation {
        policy: policy.name.clone(),
        action: policy.action,
        severity: policy.severity.or(of_finding).unwrap_or(Severity::Medium),
        rationale: policy.rationale.clone(),
        remediation: policy.remediation.clone(),
        finding: view.finding.and_then(|(index, _)| u32::try_from(index).ok()),
        package: view.finding.map(|(_, finding)| finding.package).or(view.package.map(|package| package.id)),
        excused_by: None,
    }
}

/// Marks the violations that an exception excuses, and says what became of each exception. One that excuses some
/// violations and is void for others is listed twice.
fn excuse(
    violations: &mut [Violation],
    subject: &Subject<'_>,
    exceptions: &Exceptions,
    now: Timestamp,
) -> Vec<ExceptionUse> {
    let mut uses = Vec::new();
    for exception in &exceptions.exceptions {
        let (mut covered, mut exceeded) = (0, 0);
        let expired = now >= exception.until;
        for violation in violations.iter_mut() {
            let finding = violation.finding.and_then(|index| subject.findings.get(index as usize));
            let package = violation.package.and_then(|id| subject.inventory.packages.get(id.0 as usize));
            if !exception.covers(subject.artifact, violation, finding, package) {
                continue;
            }
            if !expired && exception.is_exceeded(finding) {
                exceeded += 1;
                continue;
            }
            covered += 1;
            if !expired {
                violation.excused_by.get_or_insert_with(|| exception.id.clone());
            }
        }
        let mut say = |state, count| {
            let (id, who, why) = (exception.id.clone(), exception.who.clone(), exception.why.clone());
            uses.push(ExceptionUse { id, who, why, until: exception.until.to_string(), state, count });
        };
        match (expired, covered, exceeded) {
            (true, ..) => say(ExceptionState::Expired, covered),
            (false, 0, 0) => say(ExceptionState::Unused, 0),
            _ => {
                if covered > 0 {
                    say(ExceptionState::Applied, covered);
                }
                if exceeded > 0 {
                    say(ExceptionState::Voided, exceeded);
                }
            }
        }
    }
    uses
}
