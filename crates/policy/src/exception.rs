//! Exceptions: who accepted which risk, why, until when, and at what level.
//!
//! An exception applies here and nowhere else: the finding stays in the report, its violation names the exception.

mod document;

use condition::Diagnostic;
use model::Timestamp;
use model::artifact::Artifact;
use model::finding::{Finding, Severity};
use model::package::Package;
use model::verdict::Violation;

use crate::facts;
use condition::glob;

/// One accepted risk.
#[derive(Debug, Clone, PartialEq)]
pub struct Exception {
    /// Its id, unique within the set.
    pub id: String,
    /// Who accepted it.
    pub who: String,
    /// Why.
    pub why: String,
    /// The first moment at which it no longer holds. A date in the file means the end of that day in UTC.
    pub until: Timestamp,
    /// What it covers.
    pub scope: Scope,
    /// The risk as it was when accepted.
    pub accepted_at: AcceptedAt,
}

/// What an exception covers: a violation that fits every list that is not empty. At least one is not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Ids of vulnerabilities, by any of their aliases.
    pub vulnerabilities: Vec<String>,
    /// Patterns of package names or package URLs.
    pub packages: Vec<String>,
    /// Patterns of image names.
    pub images: Vec<String>,
    /// Patterns of base-image names.
    pub bases: Vec<String>,
    /// Diff ids of the layers that introduced the package.
    pub layers: Vec<String>,
    /// Names of policies.
    pub policies: Vec<String>,
}

/// The risk at acceptance. What has risen above a stated value voids the exception; what is not stated is not watched.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AcceptedAt {
    /// The severity then.
    pub severity: Option<Severity>,
    /// The highest CVSS base score then.
    pub score: Option<f64>,
    /// The EPSS score then, or the highest that is tolerated.
    pub epss: Option<f64>,
    /// Whether it was known to be exploited then; `false` voids the exception once it is.
    pub kev: Option<bool>,
}

/// The exceptions in force.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exceptions {
    /// In the order of their files.
    pub exceptions: Vec<Exception>,
}

impl Exceptions {
    /// Reads exception files, `(name, text)`. Every mistake in every file is reported.
    pub fn load<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Vec<Diagnostic>> {
        let (mut exceptions, mut errors) = (Vec::new(), Vec::new());
        for (file, text) in files {
            document::read(file, text, &mut exceptions, &mut errors);
        }
        if errors.is_empty() { Ok(Self { exceptions }) } else { Err(errors) }
    }

    /// The exceptions as a file that loads to the same.
    pub fn to_yaml(&self) -> String {
        self.exceptions.iter().map(document::write).collect::<Vec<_>>().join("---\n")
    }
}

impl Exception {
    /// Whether it covers this violation.
    pub(crate) fn covers(
        &self,
        artifact: &Artifact,
        violation: &Violation,
        finding: Option<&Finding>,
        package: Option<&Package>,
    ) -> bool {
        let scope = &self.scope;
        let any = |patterns: &[String], names: &[&str]| {
            patterns.is_empty() || patterns.iter().any(|pattern| names.iter().any(|name| glob::fits(pattern, name)))
        };
        let vulnerability = |id: &String| finding.is_some_and(|finding| finding.id == *id || finding.ids.contains(id));
        let layer = || {
            let layer = package.and_then(|package| artifact.layers.get(package.layer? as usize));
            layer.map(|layer| layer.diff_id.to_string())
        };
        (scope.vulnerabilities.is_empty() || scope.vulnerabilities.iter().any(vulnerability))
            && (scope.policies.is_empty() || scope.policies.contains(&violation.policy))
            && any(&scope.packages, &package.map_or(vec![], |package| vec![&*package.name, &*package.purl]))
            && (scope.layers.is_empty() || layer().is_some_and(|layer| scope.layers.contains(&layer)))
            && (scope.images.is_empty() || crate::evaluate::image_matches(&scope.images, artifact))
            && any(&scope.bases, &artifact.base.as_ref().map_or(vec![], |base| vec![&*base.name]))
    }

    /// Whether the risk is now above what was accepted.
    pub(crate) fn is_exceeded(&self, finding: Option<&Finding>) -> bool {
        let Some(finding) = finding else { return false };
        let accepted = &self.accepted_at;
        let above = |now: Option<f64>, then: Option<f64>| matches!((now, then), (Some(now), Some(then)) if now > then);
        accepted.severity.is_some_and(|severity| finding.severity > severity)
            || above(facts::score(finding), accepted.score)
            || above(finding.epss.map(|epss| epss.score), accepted.epss)
            || (accepted.kev == Some(false) && finding.kev.is_some())
    }
}
