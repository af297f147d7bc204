//! How much is known about what an inventory holds: the gaps that keep "no findings" from reading as "clean".

use std::collections::BTreeMap;

use inventory::support::{Support, support};
use model::Timestamp;
use model::advisory::{Advisories, IndexDamage};
use model::ecosystem::{borrowed, ecosystem_of, of_distro};
use model::gap::{Gap, GapKind};
use model::inventory::Inventory;
use model::report::{Coverage, CoverageState};

/// Knowledge older than this is called stale: the feeds change daily, and a week is what a long weekend and a broken
/// mirror explain.
pub const STALE_AFTER_DAYS: i64 = 7;

/// Coverage of every ecosystem the inventory has packages of, and the gaps that follow.
pub fn coverage(
    inventory: &Inventory,
    advisories: &dyn Advisories,
    now: Timestamp,
) -> Result<(Vec<Coverage>, Vec<Gap>), IndexDamage> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut uncovered: BTreeMap<String, usize> = BTreeMap::new();
    for package in &inventory.packages {
        match ecosystem_of(package, inventory.distro.as_ref()) {
            Some(ecosystem) => *counts.entry(ecosystem).or_default() += 1,
            // One gap about the distribution says it for all its packages.
            None if package.kind.is_os() => {}
            None if package.kind.as_str() == "generic" => {
                *uncovered.entry(format!("{}/{}", package.kind, package.name)).or_default() += 1;
            }
            None => *uncovered.entry(package.kind.to_string()).or_default() += 1,
        }
    }
    let mut coverages = Vec::new();
    let mut gaps = distro_gaps(inventory, now);
    for (ecosystem, packages) in counts {
        let coverage = advisories.coverage(&ecosystem)?;
        gaps.extend(gap(&coverage, packages));
        coverages.push(coverage);
    }
    for (kind, packages) in uncovered {
        gaps.push(Gap::new(
            GapKind::NoCoverage,
            &kind,
            format!("{packages} packages of a kind that no advisories are known for"),
        ));
    }
    gaps.extend(stale(&coverages, now));
    Ok((coverages, gaps))
}

fn gap(coverage: &Coverage, packages: usize) -> Option<Gap> {
    let subject = &coverage.ecosystem;
    match coverage.state {
        CoverageState::None => {
            Some(Gap::new(GapKind::NoCoverage, subject, format!("{packages} packages, and no advisories for them")))
        }
        CoverageState::Partial => {
            let note = coverage.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
            let detail = format!("{packages} packages, and only {} advisories{note}", coverage.records);
            Some(Gap::new(GapKind::PartialCoverage, subject, detail))
        }
        CoverageState::Complete => None,
    }
}

/// One gap for all knowledge that is too old, oldest first: with an old snapshot it is everything, and a line for each
/// ecosystem would hide the gaps that differ.
fn stale(coverages: &[Coverage], now: Timestamp) -> Option<Gap> {
    let aged = coverages.iter().filter_map(|coverage| {
        let newest: Timestamp = coverage.newest.parse().ok()?;
        Some((now.duration_since(newest).as_hours() / 24, coverage))
    });
    let mut old: Vec<(i64, &Coverage)> = aged.filter(|(days, _)| *days > STALE_AFTER_DAYS).collect();
    old.sort_by_key(|(days, _)| std::cmp::Reverse(*days));
    let (oldest, _) = old.first()?;
    let named: Vec<String> = old
        .iter()
        .map(|(_, coverage)| {
            format!("{} of {}", coverage.ecosystem, coverage.newest.get(..10).unwrap_or(&coverage.newest))
        })
        .collect();
    let detail = format!("up to {oldest} days old ({}); what was found since is missing", named.join(", "));
    Some(Gap::new(GapKind::Stale, "advisories", detail))
}

fn distro_gaps(inventory: &Inventory, now: Timestamp) -> Vec<Gap> {
    let os_packages = inventory.packages.iter().filter(|package| package.kind.is_os()).count();
    let Some(distro) = &inventory.distro else {
        let detail = format!("{os_packages} packages of a package manager, but nothing names the distribution");
        return if os_packages > 0 {
            vec![Gap::new(GapKind::UnknownDistribution, "os-release", detail)]
        } else {
            Vec::new()
        };
    };
    let name = distro
        .pretty_name
        .clone()
        .unwrap_or_else(|| format!("{} {}", distro.id, distro.version_id.as_deref().unwrap_or("")));
    let mut gaps = Vec::new();
    if os_packages > 0 && of_distro(distro).is_none() {
        gaps.push(Gap::new(
            GapKind::UnknownDistribution,
            &name,
            "a distribution or release whose advisories Dogwatch does not know",
        ));
    }
    if let Some(lender) = borrowed(distro).filter(|_| os_packages > 0) {
        let detail = format!("it publishes no advisories; judged by those of {lender}, which it is built from");
        gaps.push(Gap::new(GapKind::PartialCoverage, &name, detail));
    }
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    match support(distro) {
        Support::Until { last_day, terms } if today > last_day => {
            let detail =
                format!("no security updates since {last_day} ({terms}); what is not found may still be there");
            gaps.push(Gap::new(GapKind::EndOfLife, &name, detail));
        }
        Support::Unknown => {
            gaps.push(Gap::new(
                GapKind::EndOfLife,
                &name,
                "it is not known until when this release gets security updates",
            ));
        }
        Support::Until { .. } | Support::Rolling => {}
    }
    gaps
}
