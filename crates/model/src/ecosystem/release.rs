//! Distributions: the names of their advisories, how those are scoped to a release, and which packages they name.
//!
//! One table, [`DISTRIBUTIONS`]. The ecosystems are those of the OSV schema ("Defined ecosystems") where it defines one.
//! It defines none for Amazon, Arch, Azure, Bottlerocket, CentOS, Fedora, Gentoo, OpenWrt and Oracle; those names are made
//! in its manner, and every feed compiled into an index uses them.

use crate::distro::Distro;
use crate::version::Scheme;

/// Which package an advisory of a distribution names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// What was installed.
    Binary,
    /// What it was built from.
    Source,
    /// One or the other, by publisher: both are asked for.
    Either,
}

/// One family of advisories.
#[derive(Debug, Clone, Copy)]
pub struct Distribution {
    /// The `ID`s of `os-release` that mean it, lower case.
    pub ids: &'static [&'static str],
    /// The ecosystem without a release.
    pub ecosystem: &'static str,
    /// The order of its packages' versions.
    pub scheme: Scheme,
    /// Which packages its advisories name.
    pub named: Named,
    /// How `VERSION_ID` becomes the release.
    release: Release,
}

/// How an ecosystem's release is written.
#[derive(Debug, Clone, Copy)]
enum Release {
    /// It has none.
    Rolling,
    /// As `VERSION_ID` has it, behind these words.
    Whole(&'static str),
    /// The first number.
    Major,
    /// The first two numbers.
    Minor,
    /// By a rule of its own.
    By(fn(&Distro) -> Option<String>),
}

const fn row(
    ids: &'static [&'static str],
    ecosystem: &'static str,
    release: Release,
    scheme: Scheme,
    named: Named,
) -> Distribution {
    Distribution { ids, ecosystem, scheme, named, release }
}

#[rustfmt::skip] // One distribution a line.
/// Every distribution whose advisories have a name. A family may have several rows, one for each way of naming releases.
pub const DISTRIBUTIONS: &[Distribution] = {
    use Named::{Binary, Either, Source};
    use Release::{By, Major, Minor, Rolling, Whole};
    use Scheme::{Alpm, Apk, Deb, Ebuild, Rpm};
    &[
        row(&["almalinux"], "AlmaLinux", Major, Rpm, Binary),
        row(&["alpaquita"], "Alpaquita", Whole(""), Apk, Source),
        row(&["alpine"], "Alpine", By(alpine), Apk, Source),
        row(&["amzn"], "Amazon Linux", By(amazon), Rpm, Binary),
        row(&["arch", "archarm"], "Arch Linux", Rolling, Alpm, Binary),
        // CBL-Mariner 1 and 2 are Azure Linux 1 and 2 under the earlier name.
        row(&["azurelinux", "mariner"], "Azure Linux", Major, Rpm, Source),
        row(&["bottlerocket"], "Bottlerocket", Rolling, Rpm, Binary),
        row(&["chainguard"], "Chainguard", Rolling, Apk, Source),
        // Debian before 9 numbered point releases in VERSION_ID; raspbian is Debian built for another processor.
        row(&["debian", "raspbian"], "Debian", By(debian), Deb, Source),
        row(&["fedora"], "Fedora", Whole(""), Rpm, Binary),
        row(&["gentoo"], "Gentoo", Rolling, Ebuild, Binary),
        row(&["mageia"], "Mageia", Whole(""), Rpm, Either),
        row(&["minimos"], "MinimOS", Rolling, Apk, Source),
        row(&["openeuler"], "openEuler", Whole(""), Rpm, Either),
        row(&["opensuse-leap"], "openSUSE", Whole("Leap "), Rpm, Either),
        row(&["opensuse-leap-micro"], "openSUSE", Whole("Leap Micro "), Rpm, Either),
        row(&["opensuse-tumbleweed"], "openSUSE", By(|_| Some("Tumbleweed".into())), Rpm, Either),
        row(&["openwrt"], "OpenWrt", Minor, Deb, Binary),
        row(&["ol"], "Oracle Linux", Major, Rpm, Binary),
        row(&["photon"], "Photon OS", Whole(""), Rpm, Either),
        // CentOS is built from Red Hat's sources and has no advisories of its own: see `borrowed`.
        row(&["rhel", "centos"], "Red Hat", By(red_hat), Rpm, Binary),
        row(&["rocky"], "Rocky Linux", Major, Rpm, Either),
        row(&["sles", "sled", "sle_hpc", "sles_sap"], "SUSE", By(suse_server), Rpm, Either),
        row(&["sle-micro"], "SUSE", Whole("Linux Enterprise Micro "), Rpm, Either),
        row(&["sl-micro"], "SUSE", Whole("Linux Micro "), Rpm, Either),
        row(&["ubuntu"], "Ubuntu", By(ubuntu), Deb, Source),
        row(&["wolfi"], "Wolfi", Rolling, Apk, Source),
    ]
};

/// The row of a distribution.
pub fn distribution(distro: &Distro) -> Option<&'static Distribution> {
    DISTRIBUTIONS.iter().find(|row| row.ids.iter().any(|id| id.eq_ignore_ascii_case(&distro.id)))
}

/// The row of an ecosystem, with or without its release. Rows of one ecosystem differ in how releases are written only.
pub(super) fn of_ecosystem(ecosystem: &str) -> Option<&'static Distribution> {
    let family = ecosystem.split(':').next().unwrap_or(ecosystem);
    DISTRIBUTIONS.iter().find(|row| row.ecosystem == family)
}

/// The ecosystem of a distribution's release; none where we know none or the release is not stated.
pub fn of_distro(distro: &Distro) -> Option<String> {
    let row = distribution(distro)?;
    let version = || distro.version_id.as_deref().filter(|version| !version.is_empty());
    let release = match row.release {
        Release::Rolling => return Some(row.ecosystem.to_owned()),
        Release::Whole(words) => format!("{words}{}", version()?),
        Release::Major => parts(version()?, 1).to_owned(),
        Release::Minor => parts(version()?, 2).to_owned(),
        Release::By(rule) => rule(distro)?,
    };
    Some(format!("{}:{release}", row.ecosystem))
}

/// Whose advisories stand in for a distribution that publishes none.
pub fn borrowed(distro: &Distro) -> Option<&'static str> {
    distro.id.eq_ignore_ascii_case("centos").then_some("Red Hat Enterprise Linux")
}

/// The ecosystem of a SUSE product by its marketing name, as SUSE's feeds write it: `SUSE Linux Enterprise Module for
/// Basesystem 15 SP5`, `SUSE:Linux Enterprise Server 15 SP4-LTSS`.
///
/// Everything of one service pack is one ecosystem: a host says its service pack and not which modules or extended support
/// it is subscribed to, and a package is built once for all of them. None for what is no operating system (SUSE Manager).
///
/// ```
/// use dogwatch_model::ecosystem::of_suse_product;
///
/// let of = |product| of_suse_product(product);
/// let server = Some("SUSE:Linux Enterprise Server 15 SP5".to_owned());
/// assert_eq!(of("SUSE Linux Enterprise Module for Basesystem 15 SP5"), server);
/// assert_eq!(of("SUSE:Linux Enterprise Server 15 SP5-LTSS"), server);
/// assert_eq!(of("openSUSE Leap 15.5").as_deref(), Some("openSUSE:Leap 15.5"));
/// assert_eq!(of("SUSE Manager Server 4.3"), None);
/// ```
pub fn of_suse_product(product: &str) -> Option<String> {
    let after = |vendor: &str| product.strip_prefix(vendor)?.strip_prefix([' ', ':']);
    if let Some(release) = after("openSUSE") {
        return Some(format!("openSUSE:{release}"));
    }
    let name = after("SUSE")?;
    if name.starts_with("Linux Micro ") || name.starts_with("Linux Enterprise Micro ") {
        return Some(format!("SUSE:{}", name.split('-').next().unwrap_or(name)));
    }
    let mut words = name.strip_prefix("Linux Enterprise ")?.split([' ', '-']);
    let major = words.find(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()))?;
    let pack = words.next().filter(|word| word.starts_with("SP")).map(|pack| format!(" {pack}")).unwrap_or_default();
    Some(format!("SUSE:Linux Enterprise Server {major}{pack}"))
}

/// The first numbers of a version.
fn parts(version: &str, count: usize) -> &str {
    version.match_indices('.').nth(count - 1).map_or(version, |(point, _)| &version[..point])
}

/// Edge calls itself by the coming release: `3.22_alpha20250108`.
fn alpine(distro: &Distro) -> Option<String> {
    let version = distro.version_id.as_deref()?;
    let edge = version.contains('_') || version == "edge";
    Some(if edge { "edge".into() } else { format!("v{}", parts(version, 2)) })
}

/// The first Amazon Linux called itself by the month: `2018.03`.
fn amazon(distro: &Distro) -> Option<String> {
    let version = distro.version_id.as_deref()?;
    let monthly = version.split_once('.').is_some_and(|(year, _)| year.len() == 4 && year < "2019");
    Some(if monthly { "1".into() } else { parts(version, 1).to_owned() })
}

/// The major number; `3.0` to `6.0` whole.
fn debian(distro: &Distro) -> Option<String> {
    let version = distro.version_id.as_deref()?;
    let major = parts(version, 1);
    Some(if major.parse::<u32>().is_ok_and(|major| major >= 7) { major.to_owned() } else { version.to_owned() })
}

/// The product of a host that is on extended updates, where its `CPE_NAME` says so: those fixes hold for no other host.
/// Else the major release.
fn red_hat(distro: &Distro) -> Option<String> {
    extended_red_hat(distro).or_else(|| Some(format!("enterprise_linux:{}", parts(distro.version_id.as_deref()?, 1))))
}

fn extended_red_hat(distro: &Distro) -> Option<String> {
    let cpe = distro.cpe.as_deref()?;
    let mut parts = cpe.trim_start_matches("cpe:2.3:").trim_start_matches("cpe:/").split(':').skip(1);
    let (vendor, product, version) = (parts.next()?, parts.next()?, parts.next()?);
    (vendor == "redhat" && product.starts_with("rhel_")).then(|| format!("{product}:{version}"))
}

/// `15.5` is service pack 5 of 15.
fn suse_server(distro: &Distro) -> Option<String> {
    let version = distro.version_id.as_deref()?;
    Some(match version.split_once('.') {
        Some((major, pack)) if pack != "0" => format!("Linux Enterprise Server {major} SP{pack}"),
        Some((major, _)) => format!("Linux Enterprise Server {major}"),
        None => format!("Linux Enterprise Server {version}"),
    })
}

fn ubuntu(distro: &Distro) -> Option<String> {
    Some(ubuntu_release(distro.version_id.as_deref()?))
}

/// Ubuntu's release as OSV writes it: the spring releases of even years are long-term.
pub(super) fn ubuntu_release(version: &str) -> String {
    let version = parts(version, 2);
    let lts = version.strip_suffix(".04").and_then(|year| year.parse::<u32>().ok()).is_some_and(|year| year % 2 == 0);
    if lts { format!("{version}:LTS") } else { version.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distro(id: &str, version: &str) -> Distro {
        let version_id = Some(version.to_owned()).filter(|version| !version.is_empty());
        Distro { id: id.into(), version_id, ..Distro::default() }
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
            ("ubuntu", "20.04.6", "Ubuntu:20.04:LTS"),
            ("alpine", "3.18.4", "Alpine:v3.18"),
            ("alpine", "3.22_alpha20250108", "Alpine:edge"),
            ("almalinux", "9.3", "AlmaLinux:9"),
            ("rocky", "9.3", "Rocky Linux:9"),
            ("rhel", "8.9", "Red Hat:enterprise_linux:8"),
            ("centos", "7", "Red Hat:enterprise_linux:7"),
            ("amzn", "2018.03", "Amazon Linux:1"),
            ("amzn", "2", "Amazon Linux:2"),
            ("amzn", "2023", "Amazon Linux:2023"),
            ("arch", "", "Arch Linux"),
            ("azurelinux", "3.0", "Azure Linux:3"),
            ("mariner", "2.0", "Azure Linux:2"),
            ("photon", "4.0", "Photon OS:4.0"),
            ("ol", "8.9", "Oracle Linux:8"),
            ("fedora", "41", "Fedora:41"),
            ("opensuse-leap", "15.5", "openSUSE:Leap 15.5"),
            ("opensuse-tumbleweed", "20240101", "openSUSE:Tumbleweed"),
            ("sles", "15.5", "SUSE:Linux Enterprise Server 15 SP5"),
            ("sles", "15", "SUSE:Linux Enterprise Server 15"),
            ("sle-micro", "5.5", "SUSE:Linux Enterprise Micro 5.5"),
            ("wolfi", "20230201", "Wolfi"),
            ("minimos", "20241031", "MinimOS"),
            ("openEuler", "22.03", "openEuler:22.03"),
            ("openwrt", "23.05.3", "OpenWrt:23.05"),
        ] {
            assert_eq!(of_distro(&distro(id, version)).as_deref(), Some(expected));
        }
        for id in ["debian", "alpine", "sles", "fedora", "centos", "void"] {
            assert_eq!(of_distro(&distro(id, "")), None, "{id} without a release");
        }
    }

    #[test]
    fn rows_of_one_ecosystem_agree_on_names_and_order() {
        for row in DISTRIBUTIONS {
            let first = of_ecosystem(row.ecosystem).expect("it has a row");
            assert_eq!((first.scheme, first.named), (row.scheme, row.named), "{}", row.ecosystem);
        }
    }

    #[test]
    fn a_suse_product_is_of_its_service_pack() {
        for (product, expected) in [
            ("SUSE Linux Enterprise Server 15 SP4-LTSS", Some("SUSE:Linux Enterprise Server 15 SP4")),
            ("SUSE:Linux Enterprise Module for Basesystem 15 SP7", Some("SUSE:Linux Enterprise Server 15 SP7")),
            ("SUSE Linux Enterprise Server for SAP Applications 12", Some("SUSE:Linux Enterprise Server 12")),
            ("SUSE Linux Enterprise High Performance Computing 15 SP3", Some("SUSE:Linux Enterprise Server 15 SP3")),
            ("SUSE Linux Enterprise Micro 5.5", Some("SUSE:Linux Enterprise Micro 5.5")),
            ("SUSE Linux Micro 6.0", Some("SUSE:Linux Micro 6.0")),
            ("openSUSE Tumbleweed", Some("openSUSE:Tumbleweed")),
            ("openSUSE:Leap 15.5", Some("openSUSE:Leap 15.5")),
            ("SUSE Enterprise Storage 7.1", None),
            ("Red Hat", None),
        ] {
            assert_eq!(of_suse_product(product).as_deref(), expected);
        }
    }
}
