//! The files that named a distribution before there was `os-release`.

use model::distro::Distro;

use super::assignments;

/// The distribution that the file at `path` names; none when its text is not what such a file holds.
pub(super) fn distro(path: &str, text: &str) -> Option<Distro> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    match path {
        "etc/alpine-release" => starts_with_digit(line).then(|| named("alpine", Some(line), None)),
        "etc/debian_version" => debian(line),
        "etc/lsb-release" => lsb(text),
        "etc/SuSE-release" => suse(line, text),
        _ => red_hat(line),
    }
}

fn named(id: &str, version: Option<&str>, pretty_name: Option<&str>) -> Distro {
    Distro {
        id: id.to_owned(),
        version_id: version.map(str::to_owned),
        pretty_name: pretty_name.map(str::to_owned),
        ..Distro::default()
    }
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// `12.5`, `6.0.10`, or `trixie/sid` before the release. Since 7 the first number is the release and the second the
/// point release; up to 6 both were the release.
fn debian(line: &str) -> Option<Distro> {
    if !starts_with_digit(line) {
        let (codename, _) = line.split_once("/sid")?;
        return Some(Distro { codename: Some(codename.to_owned()), ..named("debian", None, None) });
    }
    let mut numbers = line.split('.');
    let major = numbers.next()?;
    let version = match numbers.next() {
        Some(minor) if major.parse::<u32>().is_ok_and(|major| major < 7) => format!("{major}.{minor}"),
        _ => major.to_owned(),
    };
    Some(named("debian", Some(&version), None))
}

/// Ubuntu's and its relatives' `DISTRIB_…` assignments.
fn lsb(text: &str) -> Option<Distro> {
    let mut distro = Distro::default();
    for (name, value) in assignments(text).filter(|(_, value)| !value.is_empty()) {
        match name {
            "DISTRIB_ID" => distro.id = value.to_ascii_lowercase(),
            "DISTRIB_RELEASE" => distro.version_id = Some(value),
            "DISTRIB_CODENAME" => distro.codename = Some(value),
            "DISTRIB_DESCRIPTION" => distro.pretty_name = Some(value),
            _ => {}
        }
    }
    (!distro.id.is_empty()).then_some(distro)
}

/// `CentOS Linux release 7.9.2009 (Core)`: a name, the word "release", a number.
fn red_hat(line: &str) -> Option<Distro> {
    const FAMILY: [(&str, &str); 10] = [
        ("CentOS", "centos"),
        ("Red Hat", "rhel"),
        ("AlmaLinux", "almalinux"),
        ("Rocky", "rocky"),
        ("Fedora", "fedora"),
        ("Oracle", "ol"),
        ("Amazon", "amzn"),
        ("Scientific", "scientific"),
        ("openEuler", "openEuler"),
        ("Mageia", "mageia"),
    ];
    let (_, id) = FAMILY.iter().find(|(name, _)| line.starts_with(name))?;
    let (_, rest) = line.split_once("release ")?;
    let version = rest.split_ascii_whitespace().next().filter(|version| starts_with_digit(version))?;
    Some(named(id, Some(version), Some(line)))
}

/// `SUSE Linux Enterprise Server 11 (x86_64)`, then `VERSION = 11` and, for the enterprise editions, `PATCHLEVEL = 4`.
fn suse(line: &str, text: &str) -> Option<Distro> {
    let field = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        lines.find_map(|(key, value)| (key.trim() == name).then(|| value.trim()))
    };
    let version = field("VERSION").filter(|version| starts_with_digit(version))?;
    if line.starts_with("openSUSE") {
        return Some(named("opensuse", Some(version), Some(line)));
    }
    let version = match field("PATCHLEVEL") {
        Some(level) if level != "0" => format!("{version}.{level}"),
        _ => version.to_owned(),
    };
    line.starts_with("SUSE Linux Enterprise").then(|| named("sles", Some(&version), Some(line)))
}
