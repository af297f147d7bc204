//! Under which ecosystem, name and version a package is looked up.
//!
//! Advisories for Debian, Ubuntu, Alpine and Wolfi name source (origin) packages; those of the Red Hat family name
//! binaries. Ecosystem names are those of the OSV schema ("Defined ecosystems").

use crate::distro::Distro;
use crate::package::{Package, PackageType};
use crate::version::Scheme;

/// One question to the advisory index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Query {
    /// `Debian:12`, `npm`, …
    pub ecosystem: String,
    /// The package's name as that ecosystem's advisories write it, normalised by [`normalise_name`].
    pub name: String,
    /// The version to compare.
    pub version: String,
}

/// The questions to ask for one package; none when its ecosystem (or its distribution) has no advisories we know of.
pub fn queries(package: &Package, distro: Option<&Distro>) -> Vec<Query> {
    let Some(ecosystem) = ecosystem_of(package, distro) else { return Vec::new() };
    let by_source = matches!(package.kind, PackageType::Deb | PackageType::Apk);
    let (name, version) = match &package.source {
        Some(source) if by_source => {
            (source.name.as_str(), if source.version.is_empty() { &package.version } else { &source.version })
        }
        _ => (package.name.as_str(), &package.version),
    };
    let query = |name: &str| Query {
        name: normalise_name(&ecosystem, name),
        ecosystem: ecosystem.clone(),
        version: version.clone(),
    };
    let mut queries = vec![query(name)];
    // Red Hat's own records carry the module in the name: `nodejs:18/nodejs`.
    if let Some(module) = package.module.as_deref().filter(|_| ecosystem.starts_with("Red Hat")) {
        let stream: String = module.splitn(3, ':').take(2).collect::<Vec<_>>().join(":");
        if !stream.is_empty() {
            queries.push(query(&format!("{stream}/{name}")));
        }
    }
    queries
}

/// The OSV ecosystem, with its release, that a package belongs to.
pub fn ecosystem_of(package: &Package, distro: Option<&Distro>) -> Option<String> {
    Some(
        match &package.kind {
            PackageType::Deb | PackageType::Apk | PackageType::Rpm => {
                let distro = distro?;
                // A package from Ubuntu's expanded security maintenance says so in its version, and its fixes are in
                // that pocket alone. A host without it stays vulnerable to what only that pocket fixes.
                if distro.id == "ubuntu" && package.version.contains("esm") {
                    return Some(format!("Ubuntu:Pro:{}", ubuntu_release(distro.version_id.as_deref()?)));
                }
                return of_distro(distro);
            }
            PackageType::Npm => "npm",
            PackageType::PyPi => "PyPI",
            PackageType::Maven => "Maven",
            PackageType::Golang => "Go",
            PackageType::Cargo => "crates.io",
            PackageType::Gem => "RubyGems",
            PackageType::Composer => "Packagist",
            PackageType::NuGet => "NuGet",
            PackageType::Other(kind) if kind == "bitnami" => "Bitnami",
            PackageType::Other(_) => return None,
        }
        .to_owned(),
    )
}

/// The OSV ecosystem of a distribution's release; none where OSV has none or the release is not stated.
pub fn of_distro(distro: &Distro) -> Option<String> {
    let version = distro.version_id.as_deref();
    let major = || version.map(|v| v.split('.').next().unwrap_or(v));
    Some(match distro.id.as_str() {
        // Debian before 9 numbered point releases in VERSION_ID; advisories name the major number, but `3.0`…`6.0` whole.
        "debian" | "raspbian" => match version?.split_once('.') {
            Some((major, _)) if major.parse::<u32>().is_ok_and(|major| major >= 7) => format!("Debian:{major}"),
            _ => format!("Debian:{}", version?),
        },
        "ubuntu" => format!("Ubuntu:{}", ubuntu_release(version?)),
        "alpine" => {
            let version = version?;
            // Edge calls itself by the coming release: `3.22_alpha20250108`.
            if version.contains('_') || version == "edge" {
                "Alpine:edge".into()
            } else {
                format!("Alpine:v{}", version.split('.').take(2).collect::<Vec<_>>().join("."))
            }
        }
        "wolfi" => "Wolfi".into(),
        "chainguard" => "Chainguard".into(),
        "almalinux" => format!("AlmaLinux:{}", major()?),
        "rocky" => format!("Rocky Linux:{}", major()?),
        "rhel" => format!("Red Hat:enterprise_linux:{}", major()?),
        "opensuse-leap" => format!("openSUSE:Leap {}", version?),
        "opensuse-tumbleweed" => "openSUSE:Tumbleweed".into(),
        "openEuler" | "openeuler" => format!("openEuler:{}", version?),
        "mageia" => format!("Mageia:{}", version?),
        _ => return None,
    })
}

/// Ubuntu's release as OSV writes it: the spring releases of even years are long-term.
fn ubuntu_release(version: &str) -> String {
    let lts = version.strip_suffix(".04").and_then(|year| year.parse::<u32>().ok()).is_some_and(|year| year % 2 == 0);
    if lts { format!("{version}:LTS") } else { version.to_owned() }
}

/// How the versions of an ecosystem (with or without its release) are ordered; none when we do not know.
pub fn scheme_of(ecosystem: &str) -> Option<Scheme> {
    Some(match ecosystem.split(':').next().unwrap_or(ecosystem) {
        "Debian" | "Ubuntu" => Scheme::Deb,
        "Alpine" | "Wolfi" | "Chainguard" => Scheme::Apk,
        "AlmaLinux" | "Rocky Linux" | "Red Hat" | "openSUSE" | "SUSE" | "openEuler" | "Mageia" => Scheme::Rpm,
        "npm" => Scheme::Npm,
        "PyPI" => Scheme::PyPi,
        "Maven" => Scheme::Maven,
        "Go" => Scheme::Golang,
        "crates.io" | "Bitnami" | "DHI" | "SwiftURL" | "Hex" | "Pub" => Scheme::Semver,
        "RubyGems" => Scheme::Gem,
        "Packagist" => Scheme::Composer,
        "NuGet" => Scheme::NuGet,
        _ => return None,
    })
}

/// A package name as the index stores it: PyPI by PEP 503, NuGet and Packagist without regard to case.
pub fn normalise_name(ecosystem: &str, name: &str) -> String {
    match ecosystem {
        "PyPI" => pep503(name),
        "NuGet" | "Packagist" => name.to_lowercase(),
        _ => name.to_owned(),
    }
}

/// PEP 503: runs of `-`, `_` and `.` are one `-`, and case does not matter.
fn pep503(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            _ => normal.extend(c.to_lowercase()),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distro(id: &str, version: &str) -> Distro {
        Distro { id: id.into(), version_id: Some(version.into()), ..Distro::default() }
    }

    #[test]
    fn releases_are_named_as_osv_names_them() {
        for (id, version, expected) in [
            ("debian", "12", "Debian:12"),
            ("debian", "8.11", "Debian:8"),
            ("debian", "6.0", "Debian:6.0"),
            ("ubuntu", "22.04", "Ubuntu:22.04:LTS"),
            ("ubuntu", "23.04", "Ubuntu:23.04"),
            ("ubuntu", "23.10", "Ubuntu:23.10"),
            ("alpine", "3.18.4", "Alpine:v3.18"),
            ("alpine", "3.22_alpha20250108", "Alpine:edge"),
            ("almalinux", "9.3", "AlmaLinux:9"),
            ("rhel", "8.9", "Red Hat:enterprise_linux:8"),
        ] {
            assert_eq!(of_distro(&distro(id, version)).as_deref(), Some(expected));
        }
        assert_eq!(of_distro(&Distro { id: "debian".into(), ..Distro::default() }), None, "testing has no release");
    }

    #[test]
    fn python_names_compare_by_pep_503() {
        assert_eq!(normalise_name("PyPI", "Zope.Interface__x"), "zope-interface-x");
        assert_eq!(normalise_name("npm", "JSONStream"), "JSONStream");
    }
}
