//! Flags of other scanners that are no flags here. The guide's table is made from this one.

/// A flag of Trivy, Grype, OSV-Scanner or Syft.
pub(super) struct Flag {
    /// Its names: `--scope`, and perhaps `-s`.
    pub(super) name: &'static str,
    /// What it may be followed by for what is said of it to hold; a switch has nothing.
    pub(super) values: &'static [&'static str],
    /// Why it needs nothing done, or what to use in its place.
    pub(super) here: &'static str,
}

const fn switch(name: &'static str, here: &'static str) -> Flag {
    Flag { name, values: &[], here }
}

/// Accepted, and nothing is to be done for them: what they ask for is so anyway.
pub(super) const SO_ANYWAY: &[Flag] = &[
    switch("--all-packages", "documents list every package"),
    switch("--by-cve", "findings have the CVE as their id where there is one"),
    switch("--list-all-pkgs", "documents list every package"),
    switch("--no-ignore", "`dir:` also reads what git ignores"),
    switch("--no-progress", "where stderr is no terminal there is no bar; `--progress none` takes it off elsewhere"),
    switch("--offline-scan", "nobody is asked about dependencies while a scan runs"),
    switch("--recursive", "directories are always read with all that is below"),
    Flag { name: "--scanners", values: &["vuln"], here: "a scan finds vulnerabilities; nothing else is to be chosen" },
    Flag { name: "--scope", values: &["squashed"], here: "what a higher layer deletes is not in the image" },
    switch("--show-suppressed", "what is suppressed is always shown"),
    switch("--skip-db-update", "a scan never updates the advisories"),
    switch("--skip-java-db-update", "there is no such database"),
    switch("--skip-version-check", "nobody is asked for newer versions of this program"),
    switch("--skip-vex-repo-update", "a scan never fetches collections of VEX documents"),
];

/// Refused, because what they mean is done otherwise, or is not done.
pub(super) const HINTS: &[Flag] = &[
    switch("--add-cpes-if-none", "packages are matched by the names that advisories have for them, not by CPE"),
    switch("--branch", "the branch stands with the address: `git:URL#BRANCH`"),
    switch("--call-analysis", "a finding names the affected functions where the advisory does; code is not analysed"),
    switch("--clear-cache", "`dogwatch cache clear`"),
    switch("--db-repository", "`dogwatch advisories pull` takes a published index"),
    switch("--debug", "`-vv` says more"),
    switch("--dependency-tree", "`--why PACKAGE` says which dependencies bring a package"),
    switch("--distro", "a bill of materials says its distribution; an image's is in its files"),
    switch("--download-db-only", "`dogwatch advisories update`"),
    switch("--exit-on-eol", "use a policy with the condition `knowledge.end_of_life`"),
    switch("--ignore-policy", "use `--policy FILE`: conditions are written in CEL"),
    switch("--ignore-states", "use a policy with a condition on `finding.fix_state`"),
    switch("--ignore-status", "use a policy with a condition on `finding.fix_state`"),
    switch("--ignorefile", "turn it into exceptions with `dogwatch policy import`, then use `--exceptions FILE`"),
    switch("--insecure", "`--ca-file FILE` trusts a registry's certificate, `--insecure-http` uses none"),
    switch("--only-notfixed", "use a policy with the condition `!finding.fixable`"),
    switch("--parallel", "`--jobs N` scans several targets at once; the layers of one are always read side by side"),
    switch("--password", "credentials come from your docker configuration: `docker login`"),
    switch("--pkg-types", "use a policy with a condition on `package.type`"),
    switch("--registry-token", "credentials come from your docker configuration: `docker login`"),
    switch("--report", "`-o table` is the summary, `--all` the whole"),
    switch("--reset", "`dogwatch cache clear`"),
    switch(
        "--timeout",
        "every wait for a network or a process has a bound of its own; `timeout 10m dogwatch …` ends it earlier",
    ),
    switch("--username", "credentials come from your docker configuration: `docker login`"),
    switch("--vuln-type", "use a policy with a condition on `package.type`"),
];

/// Formats of other scanners that are not written.
pub(super) const FORMATS: &[(&str, &str)] = &[
    ("cyclonedx-xml", "`cyclonedx` is JSON"),
    ("github", "GitHub's dependency snapshots have no equivalent here; code scanning takes `sarif`"),
    ("spdx-tag-value", "`spdx` is JSON"),
    ("syft-json", "`json` is the whole report in our own schema; `cyclonedx` and `spdx` are for other programs"),
];
