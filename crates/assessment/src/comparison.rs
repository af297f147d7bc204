//! What is new since another report, so that a team with hundreds of old findings can gate on today's.

use std::collections::{BTreeMap, BTreeSet};

use model::finding::Finding;
use model::inventory::Inventory;
use model::report::{Comparison, ScanReport};

/// Compares findings with those of an earlier report.
///
/// A finding is the same when it is the same vulnerability (any shared id) in a package of the same type and name: an upgrade
/// that does not help, or a move to another path or layer, makes nothing new.
pub fn compare(inventory: &Inventory, findings: &[Finding], before: &ScanReport) -> Comparison {
    let keys = |inventory: &Inventory, finding: &Finding| -> Vec<(String, String, String)> {
        let package = inventory.package(finding.package);
        finding.ids.iter().map(|id| (package.kind.to_string(), package.name.clone(), id.clone())).collect()
    };
    let old: BTreeSet<_> = before.findings.iter().flat_map(|finding| keys(&before.inventory, finding)).collect();
    let now: BTreeSet<_> = findings.iter().flat_map(|finding| keys(inventory, finding)).collect();
    let is_new = |finding: &Finding| !keys(inventory, finding).iter().any(|key| old.contains(key));
    let new: Vec<u32> = (0..).zip(findings).filter(|(_, finding)| is_new(finding)).map(|(index, _)| index).collect();
    let gone: BTreeMap<_, ()> = before
        .findings
        .iter()
        .filter(|finding| !keys(&before.inventory, finding).iter().any(|key| now.contains(key)))
        .map(|finding| {
            let package = before.inventory.package(finding.package);
            (format!("{} {} {}", finding.id, package.name, package.version), ())
        })
        .collect();
    Comparison {
        with: before.artifact.target.clone(),
        unchanged: (findings.len() - new.len()) as u32,
        new,
        gone: gone.into_keys().collect(),
        new_surface: inventory
            .surface
            .as_ref()
            .zip(before.inventory.surface.as_ref())
            .map(|(now, then)| now.since(then)),
    }
}
