//! Who publishes a record: a short name for the many ways in which feeds write it.

/// Parts of `database_specific.source` as feeds write it, and the publisher that users know.
const DECLARED: &[(&str, &str)] = &[
    ("github/advisory-database", "GitHub"),
    ("pypa/advisory-database", "PyPA"),
    ("golang/vulndb", "Go"),
    ("vuln.go.dev", "Go"),
    ("rustsec/advisory-db", "RustSec"),
    ("rubysec/ruby-advisory-db", "RubySec"),
    ("almalinux/osv-database", "AlmaLinux"),
    ("errata.almalinux.org", "AlmaLinux"),
    ("wolfi-dev/advisories", "Wolfi"),
    ("packages.wolfi.dev", "Wolfi"),
    ("packages.cgr.dev", "Chainguard"),
    ("bitnami/vulndb", "Bitnami"),
    ("docker-hardened-images", "Docker Hardened Images"),
    ("retirejs/retire.js", "Retire.js"),
    ("nodejs/security-wg", "Node.js"),
    ("friendsofphp/security-advisories", "FriendsOfPHP"),
    ("ossf/malicious-packages", "OpenSSF"),
    ("debian security tracker", "Debian"),
    ("security-tracker.debian.org", "Debian"),
    ("package changelogs", "Debian changelogs"),
    ("red hat cna", "Red Hat"),
    ("security.access.redhat.com", "Red Hat"),
    ("red hat product security", "Red Hat"),
    ("suse product security", "SUSE"),
    ("cna package data", "CVE records"),
    ("victims/victims-cve-db", "victims"),
    ("alpine-secdb", "Alpine"),
    ("secdb.alpinelinux.org", "Alpine"),
    ("vulnerablecode", "VulnerableCode"),
    ("canonical/ubuntu-security-notices", "Ubuntu"),
];

/// Prefixes of ids that only one publisher gives out (OSV schema, "id, modified fields").
const PREFIXES: &[(&str, &str)] = &[
    ("GHSA-", "GitHub"),
    ("PYSEC-", "PyPA"),
    ("GO-", "Go"),
    ("RUSTSEC-", "RustSec"),
    ("MAL-", "OpenSSF"),
    ("ALSA-", "AlmaLinux"),
    ("ALBA-", "AlmaLinux"),
    ("ALEA-", "AlmaLinux"),
    ("RLSA-", "Rocky Linux"),
    ("RXSA-", "Rocky Linux"),
    ("RHSA-", "Red Hat"),
    ("RHBA-", "Red Hat"),
    ("RHEA-", "Red Hat"),
    ("DSA-", "Debian"),
    ("DLA-", "Debian"),
    ("DTSA-", "Debian"),
    ("DEBIAN-", "Debian"),
    ("UBUNTU-", "Ubuntu"),
    ("USN-", "Ubuntu"),
    ("LSN-", "Ubuntu"),
    ("ALPINE-", "Alpine"),
    ("CGA-", "Chainguard"),
    ("BIT-", "Bitnami"),
    ("SUSE-", "SUSE"),
    ("openSUSE-", "SUSE"),
    ("OESA-", "openEuler"),
    ("MGASA-", "Mageia"),
];

/// The publisher of a record: what it declares, else who gives out its id, else the family of its first ecosystem.
///
/// A declared source that we do not know is kept as it is written, so nothing is attributed to the wrong party.
pub(crate) fn publisher(declared: &str, id: &str, ecosystem: &str) -> String {
    let lower = declared.to_ascii_lowercase();
    if let Some((_, name)) = DECLARED.iter().find(|(part, _)| lower.contains(part)) {
        return (*name).to_owned();
    }
    // A page of one record (`https://…/PYSEC-2024-1.yaml`) is no name; every record would have a source of its own.
    if !declared.trim().is_empty() && !lower.starts_with("http") {
        return declared.trim().to_owned();
    }
    if let Some((_, name)) = PREFIXES.iter().find(|(prefix, _)| id.starts_with(prefix)) {
        return (*name).to_owned();
    }
    match ecosystem.split(':').next() {
        Some(family) if !family.is_empty() => family.to_owned(),
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::publisher;

    #[test]
    fn a_publisher_has_one_name_however_it_is_written() {
        for (declared, id, ecosystem, expected) in [
            ("pypa/advisory-database (fork westonsteimel/advisory-database-pypa)", "PYSEC-2024-1", "PyPI", "PyPA"),
            ("https://github.com/pypa/advisory-database/blob/main/vulns/a/PYSEC-1.yaml", "PYSEC-1", "PyPI", "PyPA"),
            ("", "GHSA-xxxx-yyyy-zzzz", "npm", "GitHub"),
            ("", "UBUNTU-CVE-2020-1", "Ubuntu:22.04:LTS", "Ubuntu"),
            ("", "XYZ-1", "Debian:12", "Debian"),
            ("our own database", "CVE-2024-1", "npm", "our own database"),
            ("rubysec/ruby-advisory-db", "GHSA-xxxx-yyyy-zzzz", "RubyGems", "RubySec"),
        ] {
            assert_eq!(publisher(declared, id, ecosystem), expected);
        }
    }
}
