//! The one place where a bill's package URLs are taken apart.
//!
//! Note: to be replaced by `model::purl::parse` once both are merged.

use std::str::FromStr;

use model::package::{PackageType, SourcePackage};
use packageurl::PackageUrl;

/// What a package URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ParsedPurl {
    pub kind: PackageType,
    pub name: String,
    pub version: Option<String>,
    pub arch: Option<String>,
    /// The distribution, `debian-12`, by its `distro` qualifier.
    pub distro: Option<String>,
    /// The namespace of OS packages: `debian`.
    pub vendor: Option<String>,
    pub source: Option<SourcePackage>,
    pub module: Option<String>,
}

/// Takes a package URL apart; the error is one clause.
pub(super) fn parse(text: &str) -> Result<ParsedPurl, String> {
    let purl = PackageUrl::from_str(text).map_err(|error| error.to_string())?;
    let kind = PackageType::from(purl.ty().to_owned());
    let qualifier =
        |name: &str| purl.qualifiers().get(name).map(|value| value.to_string()).filter(|value| !value.is_empty());
    let name = match (&kind, purl.namespace()) {
        (PackageType::Maven, Some(group)) => format!("{group}:{}", purl.name()),
        (PackageType::Deb | PackageType::Apk | PackageType::Rpm, _) | (_, None) => purl.name().to_owned(),
        (_, Some(namespace)) => format!("{namespace}/{}", purl.name()),
    };
    let epoch = qualifier("epoch").filter(|epoch| epoch != "0" && epoch.bytes().all(|b| b.is_ascii_digit()));
    let version = purl.version().filter(|version| !version.is_empty()).map(|version| match epoch {
        Some(epoch) if kind.is_os() && !version.contains(':') => format!("{epoch}:{version}"),
        _ => version.to_owned(),
    });
    let source = if kind.is_os() { qualifier("upstream").and_then(|upstream| source(&kind, &upstream)) } else { None };
    Ok(ParsedPurl {
        name,
        version,
        arch: qualifier("arch"),
        distro: qualifier("distro"),
        vendor: if kind.is_os() { purl.namespace().map(str::to_owned) } else { None },
        source,
        module: qualifier("modularitylabel").or_else(|| qualifier("rpmmod")),
        kind,
    })
}

/// `openssl@3.0.9-1`, `openssl`, and for rpm the file name `openssl-3.0.7-6.el9.src.rpm`.
fn source(kind: &PackageType, upstream: &str) -> Option<SourcePackage> {
    let (name, version) = match upstream.strip_suffix(".src.rpm") {
        Some(file) if *kind == PackageType::Rpm => {
            let (rest, release) = file.rsplit_once('-')?;
            let (name, version) = rest.rsplit_once('-')?;
            (name, format!("{version}-{release}"))
        }
        _ => {
            let (name, version) = upstream.split_once('@').unwrap_or((upstream, ""));
            (name, version.to_owned())
        }
    };
    Some(SourcePackage { name: name.to_owned(), version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_and_sources_are_read_from_qualifiers() {
        let purl =
            parse("pkg:deb/debian/libssl3@3.0.9-1?arch=amd64&distro=debian-12&epoch=1&upstream=openssl%403.0.9-1");
        let purl = purl.unwrap();
        assert_eq!((purl.name.as_str(), purl.version.as_deref()), ("libssl3", Some("1:3.0.9-1")));
        assert_eq!(purl.source, Some(SourcePackage { name: "openssl".into(), version: "3.0.9-1".into() }));
        assert_eq!((purl.distro.as_deref(), purl.arch.as_deref()), (Some("debian-12"), Some("amd64")));
        let rpm = parse("pkg:rpm/rhel/openssl-libs@3.0.7-6.el9?epoch=1&upstream=openssl-3.0.7-6.el9.src.rpm").unwrap();
        assert_eq!(rpm.version.as_deref(), Some("1:3.0.7-6.el9"));
        assert_eq!(rpm.source, Some(SourcePackage { name: "openssl".into(), version: "3.0.7-6.el9".into() }));
    }

    #[test]
    fn names_are_those_of_the_ecosystem() {
        let name = |text| parse(text).unwrap().name;
        assert_eq!(name("pkg:npm/%40babel/core@7.0.0"), "@babel/core");
        assert_eq!(name("pkg:maven/org.slf4j/slf4j-api@2.0.0"), "org.slf4j:slf4j-api");
        assert_eq!(name("pkg:golang/golang.org/x/net@v0.1.0"), "golang.org/x/net");
        assert_eq!(name("pkg:composer/symfony/http-kernel@5.4.0"), "symfony/http-kernel");
    }
}
