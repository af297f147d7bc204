//! What a policy is asked about.

use model::artifact::Artifact;
use model::finding::Finding;
use model::gap::Gap;
use model::inventory::Inventory;
use model::report::{Comparison, Knowledge, ScanReport};

/// One artifact with everything that is known about it, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What it is.
    pub artifact: &'a Artifact,
    /// What is inside.
    pub inventory: &'a Inventory,
    /// What is wrong; violations name findings by their place here.
    pub findings: &'a [Finding],
    /// What was not known when judging, beside the inventory's own gaps.
    pub gaps: &'a [Gap],
    /// The knowledge it was judged with.
    pub knowledge: Option<&'a Knowledge>,
    /// What it was compared with: then only its new findings count.
    pub comparison: Option<&'a Comparison>,
    /// What would run it; known at admission and at runtime.
    pub workload: Option<Workload<'a>>,
}

/// What runs, or wants to run, an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload<'a> {
    /// The Kubernetes namespace.
    pub namespace: &'a str,
    /// Whether a container of it is privileged.
    pub privileged: bool,
    /// Whether it shares the host's network.
    pub host_network: bool,
    /// For each package of the inventory, whether its files were loaded since the workload started; none before it runs.
    pub packages_in_use: Option<&'a [bool]>,
}

impl<'a> Subject<'a> {
    /// What a scan report is about.
    pub fn of(report: &'a ScanReport) -> Self {
        Self {
            artifact: &report.artifact,
            inventory: &report.inventory,
            findings: &report.findings,
            gaps: &report.gaps,
            knowledge: report.knowledge.as_ref(),
            comparison: report.comparison.as_ref(),
            workload: None,
        }
    }
}
