//! Which version each package must have.

use ::scan::ScanError;
use ::scan::inspect::Inspection;
use ::scan::pipeline::{JudgeOptions, judge_inspection};
use model::finding::{Finding, Fix};
use model::inventory::Inventory;
use model::package::{Package, PackageId};
use model::report::ScanReport;

use super::denied;

/// A fixed version may have flaws of its own; this many times a still higher one is looked for.
const RAISES_MAX: usize = 64;

/// One package that policy objects to.
pub(super) struct Step {
    /// The package.
    pub(super) package: PackageId,
    /// The least version that policy does not object to; none when no fix is known.
    pub(super) to: Option<String>,
}

/// A step for each package with a denied finding.
pub(super) fn plan(
    inspection: &Inspection,
    report: &ScanReport,
    judge: &JudgeOptions<'_>,
) -> Result<Vec<Step>, ScanError> {
    let denied = denied(report);
    let mut packages: Vec<PackageId> = denied.iter().map(|&index| report.findings[index as usize].package).collect();
    packages.sort_unstable();
    packages.dedup();
    let mut alone = inspection.clone();
    let step = |package: PackageId| -> Result<Step, ScanError> {
        Ok(Step { package, to: clear(&mut alone, inspection.inventory.package(package).clone(), judge)? })
    };
    packages.into_iter().map(step).collect()
}

/// The version of a package.
pub(super) fn raise(package: &mut Package, to: &str) {
    // Go writes `v0.7.0`, its advisories `0.7.0`.
    let is_go = package.version.starts_with('v') && !to.starts_with('v');
    let to = if is_go { format!("v{to}") } else { to.to_owned() };
    package.purl = package.purl.replacen(&format!("@{}", package.version), &format!("@{to}"), 1);
    package.version = to;
}

/// Raises the package until policy has nothing against it, asking the index about each version on the way. `alone` is the
/// tree, whose inventory is replaced.
fn clear(alone: &mut Inspection, mut package: Package, judge: &JudgeOptions<'_>) -> Result<Option<String>, ScanError> {
    package.id = PackageId(0);
    package.depends_on.clear();
    let distro = alone.inventory.distro.clone();
    let mut to = None;
    for _ in 0..RAISES_MAX {
        alone.inventory = Inventory { packages: vec![package.clone()], distro: distro.clone(), ..Inventory::default() };
        let report = judge_inspection(alone, judge)?;
        let denied = denied(&report);
        if denied.is_empty() {
            return Ok(to);
        }
        let mut findings = denied.iter().map(|&index| &report.findings[index as usize]);
        // The highest of them is reached in the end; each raise gets past at least one finding.
        let Some(next) = findings.find_map(fixed) else { return Ok(None) };
        raise(&mut package, &next);
        to = Some(next);
    }
    Ok(None)
}

/// The least version that removes the finding.
fn fixed(finding: &Finding) -> Option<String> {
    match &finding.fix {
        Fix::Available { versions } => versions.first().cloned(),
        Fix::None { .. } | Fix::Refused { .. } => None,
    }
}
