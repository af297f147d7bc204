//! Under which ecosystem, name and version a package is looked up.
//!
//! Ecosystem names are those of the OSV schema ("Defined ecosystems"). What distributions call theirs, and whether their
//! advisories name source packages or binaries, is one table in [`release`].

mod own;
mod release;
mod runtime;

pub use release::{DISTRIBUTIONS, Distribution, Named, borrowed, distribution, of_distro, of_suse_product};

use release::{of_ecosystem, ubuntu_release};

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

/// The questions to ask for one package; none when its ecosystem (or its distribution) has no advisories we know of and
/// could have none of an organisation's own.
pub fn queries(package: &Package, distro: Option<&Distro>) -> Vec<Query> {
    let Some(ecosystem) = ecosystem_of(package, distro) else { return own::queries(package) };
    if is_generic(&package.kind) {
        return runtime::query(&package.name, &package.version).into_iter().chain(own::queries(package)).collect();
    }
    let query = |name: &str, version: &str| Query {
        name: normalise_name(&ecosystem, name),
        ecosystem: ecosystem.clone(),
        version: advised_version(&package.kind, version).to_owned(),
    };
    let named = of_ecosystem(&ecosystem).map_or(Named::Binary, |distribution| distribution.named);
    let source = package.source.as_ref().filter(|_| named != Named::Binary);
    let mut queries = Vec::with_capacity(2);
    if named != Named::Source || source.is_none() {
        queries.push(query(&package.name, &package.version));
    }
    if let Some(source) = source {
        let version = if source.version.is_empty() { &package.version } else { &source.version };
        let asked = query(&source.name, version);
        if queries.iter().all(|other| other.name != asked.name) {
            queries.push(asked);
        }
    }
    // A signed kernel is built from another source package, with a version of its own: advisories name the unsigned one.
    let unsigned = source.filter(|_| package.kind == PackageType::Deb).and_then(|source| unsigned_kernel(&source.name));
    queries.extend(unsigned.map(|name| query(&name, &package.version)));
    if ecosystem.starts_with("Red Hat") {
        module_queries(package, &query, &mut queries);
    }
    queries
}

/// Red Hat's own records name what is modular by its module: a package as `nodejs:18/nodejs`, and a fix often for the
/// whole module, `nodejs:18`, by the module's version and context.
fn module_queries(package: &Package, query: &dyn Fn(&str, &str) -> Query, queries: &mut Vec<Query>) {
    let Some(label) = &package.module else { return };
    let mut parts = label.split(':').filter(|part| !part.is_empty());
    let (Some(name), Some(stream)) = (parts.next(), parts.next()) else { return };
    queries.push(query(&format!("{name}:{stream}/{}", package.name), &package.version));
    if let Some(version) = parts.next() {
        let context = parts.next().map(|context| format!(".{context}")).unwrap_or_default();
        queries.push(query(&format!("{name}:{stream}"), &format!("{version}{context}")));
    }
}

/// The version as advisories know it, without what a rebuild, a platform or a packager adds behind it: advisories never
/// have that, and some orders would take it for a pre-release or for something newer.
fn advised_version<'a>(kind: &PackageType, version: &'a str) -> &'a str {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match kind {
        // Debian's binary-only rebuild, `1.2-3+b1`: the source is still `1.2-3`.
        PackageType::Deb => {
            version.rsplit_once("+b").filter(|(_, n)| is_number(n)).map_or(version, |(source, _)| source)
        }
        // Python's local version, `2.0.0+cu117`: a build of 2.0.0 (PEP 440, "Local version identifiers").
        PackageType::PyPi => version.split('+').next().unwrap_or(version),
        // A gem built for one platform, `1.13.3-x86_64-linux`.
        PackageType::Gem => {
            version.split_once('-').filter(|(_, rest)| is_platform(rest)).map_or(version, |(gem, _)| gem)
        }
        // The build's revision, `1.25.3-4`.
        PackageType::Bitnami => {
            version.rsplit_once('-').filter(|(_, n)| is_number(n)).map_or(version, |(application, _)| application)
        }
        _ => version,
    }
}

/// The processors and virtual machines that RubyGems' platforms begin with.
fn is_platform(text: &str) -> bool {
    const BEGINNINGS: [&str; 10] =
        ["x86", "x64", "i386", "i686", "arm", "aarch64", "universal", "java", "jruby", "mswin"];
    BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)) || text.starts_with("mingw")
}

/// `linux-signed-amd64` (Debian) and `linux-signed-aws` (Ubuntu) without the signing.
fn unsigned_kernel(source: &str) -> Option<String> {
    let flavour = source.strip_prefix("linux-signed")?;
    let flavour = ["-amd64", "-arm64", "-i386"].iter().find_map(|arch| flavour.strip_suffix(arch)).unwrap_or(flavour);
    Some(format!("linux{flavour}"))
}

/// Software that no package manager and no ecosystem knows, by its upstream name (purl type `generic`).
fn is_generic(kind: &PackageType) -> bool {
    matches!(kind, PackageType::Other(kind) if kind == "generic")
}

/// The OSV ecosystem, with its release, that a package belongs to.
pub fn ecosystem_of(package: &Package, distro: Option<&Distro>) -> Option<String> {
    Some(
        match &package.kind {
            PackageType::Deb
            | PackageType::Apk
            | PackageType::Rpm
            | PackageType::Alpm
            | PackageType::Ebuild
            | PackageType::Opkg => {
                let distro = distro?;
                return match distro.id.as_str() {
                    "ubuntu" => Some(ubuntu_pocket(&package.version, distro.version_id.as_deref()?)),
                    _ => of_distro(distro),
                };
            }
            PackageType::Npm => "npm",
            PackageType::PyPi => "PyPI",
            PackageType::Maven => "Maven",
            PackageType::Golang => "Go",
            PackageType::Cargo => "crates.io",
            PackageType::Gem => "RubyGems",
            PackageType::Composer => "Packagist",
            PackageType::NuGet => "NuGet",
            PackageType::Hex => "Hex",
            PackageType::Pub => "Pub",
            PackageType::Swift => "SwiftURL",
            PackageType::Cran => "CRAN",
            PackageType::Bioconductor => "Bioconductor",
            // The compiler is installed as a library, too, and has advisories of its own.
            PackageType::Hackage if package.name == "ghc" => "GHC",
            PackageType::Hackage => "Hackage",
            PackageType::Julia => "Julia",
            PackageType::Conan => "ConanCenter",
            PackageType::Opam => "opam",
            PackageType::GitHubActions => "GitHub Actions",
            PackageType::Bitnami => "Bitnami",
            PackageType::Other(kind) if kind == "dhi" => "DHI",
            PackageType::Other(_) if is_generic(&package.kind) => {
                return Some(runtime::query(&package.name, &package.version)?.ecosystem);
            }
            PackageType::Other(_) => return None,
        }
        .to_owned(),
    )
}

/// Ubuntu's pocket that a package is from, as its version says. A package of expanded security maintenance is followed in
/// the pocket of Ubuntu Pro, which repeats the fixes of the plain release. What is certified for FIPS has a line of
/// versions of its own, which cannot be compared with any other.
fn ubuntu_pocket(version: &str, release: &str) -> String {
    let release = ubuntu_release(release);
    let version = version.to_ascii_lowercase();
    if version.contains("fips") {
        format!("Ubuntu:Pro:FIPS-updates:{release}")
    } else if version.contains("esm") {
        format!("Ubuntu:Pro:{release}")
    } else {
        format!("Ubuntu:{release}")
    }
}

/// The pocket that goes on where this one ends: `Ubuntu:Pro:16.04:LTS` for `Ubuntu:16.04:LTS`.
///
/// Its fixes do not reach a plain host. But some (kernels') versions do not tell which pocket they are from, and a version
/// that has the fix is fixed wherever it came from.
pub fn extended_pocket(ecosystem: &str) -> Option<String> {
    let release = ecosystem.strip_prefix("Ubuntu:").filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(format!("Ubuntu:Pro:{release}"))
}

/// How the versions of an ecosystem (with or without its release) are ordered; none when we do not know.
pub fn scheme_of(ecosystem: &str) -> Option<Scheme> {
    if let Some(distribution) = of_ecosystem(ecosystem) {
        return Some(distribution.scheme);
    }
    Some(match ecosystem.split(':').next().unwrap_or(ecosystem) {
        "npm" => Scheme::Npm,
        "PyPI" => Scheme::PyPi,
        "Maven" => Scheme::Maven,
        "Go" => Scheme::Golang,
        "crates.io" | "Bitnami" | "DHI" | "SwiftURL" | "Hex" | "Pub" | "Julia" | "GitHub Actions" | "Linux" => {
            Scheme::Semver
        }
        // opam's order is Debian's, but for revisions, which opam has none of.
        "opam" => Scheme::Deb,
        "CRAN" | "Bioconductor" => Scheme::Cran,
        "Hackage" | "GHC" => Scheme::Hackage,
        "RubyGems" => Scheme::Gem,
        "Packagist" => Scheme::Composer,
        "NuGet" => Scheme::NuGet,
        _ => return own::scheme_of(ecosystem),
    })
}

/// A package name as the index stores it: PyPI by PEP 503; NuGet, Packagist, GitHub Actions and Swift's repositories without
/// regard to case, the last also without the scheme and `.git` that some write.
pub fn normalise_name(ecosystem: &str, name: &str) -> String {
    match ecosystem {
        "PyPI" => pep503(name),
        "NuGet" | "Packagist" | "GitHub Actions" => name.to_lowercase(),
        "SwiftURL" => {
            let name = name.split_once("://").map_or(name, |(_, name)| name);
            name.strip_suffix(".git").unwrap_or(name).to_lowercase()
        }
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

    #[test]
    fn every_language_has_its_ecosystem_and_order() {
        for (purl, ecosystem, name, scheme) in [
            ("pkg:gem/nokogiri@1.15.4", "RubyGems", "nokogiri", Scheme::Gem),
            ("pkg:composer/Symfony/http-kernel@v5.4.1", "Packagist", "symfony/http-kernel", Scheme::Composer),
            ("pkg:nuget/Newtonsoft.Json@13.0.1", "NuGet", "newtonsoft.json", Scheme::NuGet),
            ("pkg:hex/plug@1.15.0", "Hex", "plug", Scheme::Semver),
            ("pkg:pub/http@0.13.3", "Pub", "http", Scheme::Semver),
            ("pkg:swift/github.com/Apple/swift-nio@2.40.0", "SwiftURL", "github.com/apple/swift-nio", Scheme::Semver),
            ("pkg:cran/jsonlite@1.8.4", "CRAN", "jsonlite", Scheme::Cran),
            ("pkg:bioconductor/Biobase@2.58.0", "Bioconductor", "Biobase", Scheme::Cran),
            ("pkg:hackage/aeson@2.0.1.0", "Hackage", "aeson", Scheme::Hackage),
            ("pkg:hackage/ghc@9.2.4", "GHC", "ghc", Scheme::Hackage),
            ("pkg:julia/HTTP@1.10.0", "Julia", "HTTP", Scheme::Semver),
            ("pkg:opam/cohttp@5.0.0", "opam", "cohttp", Scheme::Deb),
            ("pkg:githubactions/Actions/checkout@v4", "GitHub Actions", "actions/checkout", Scheme::Semver),
            ("pkg:bitnami/nginx@1.25.3-4", "Bitnami", "nginx", Scheme::Semver),
        ] {
            let package = crate::purl::parse(purl).expect("a purl").package(purl);
            let asked = queries(&package, None);
            assert_eq!((asked[0].ecosystem.as_str(), asked[0].name.as_str()), (ecosystem, name), "{purl}");
            assert_eq!(scheme_of(ecosystem), Some(scheme), "{purl}");
            assert!(crate::version::Version::parse_lenient(scheme, &asked[0].version).is_ok(), "{purl}");
        }
        assert_eq!(normalise_name("SwiftURL", "https://github.com/apple/swift-nio.git"), "github.com/apple/swift-nio");
    }

    #[test]
    fn python_names_compare_by_pep_503() {
        assert_eq!(normalise_name("PyPI", "Zope.Interface__x"), "zope-interface-x");
        assert_eq!(normalise_name("npm", "JSONStream"), "JSONStream");
    }
}
