//! Distributions as package URLs name them: a vendor as namespace, and the `distro` qualifier.

use crate::distro::{Distro, release_of_codename};

/// The vendor in a purl, for a distribution's `ID`.
pub(super) fn namespace_of(id: &str) -> &str {
    match id {
        "rhel" => "redhat",
        other => other,
    }
}

/// A distribution's `ID`, for what tools write instead.
fn id_of(vendor: &str) -> String {
    match vendor.to_ascii_lowercase().as_str() {
        "redhat" => "rhel".to_owned(),
        "oracle" => "ol".to_owned(),
        "amazon" => "amzn".to_owned(),
        "rockylinux" => "rocky".to_owned(),
        "alma" => "almalinux".to_owned(),
        "opensuse.leap" => "opensuse-leap".to_owned(),
        "opensuse.tumbleweed" => "opensuse-tumbleweed".to_owned(),
        "suse linux enterprise server" => "sles".to_owned(),
        other => other.to_owned(),
    }
}

/// Reads `debian-12`, `debian-bookworm`, `alpine-3.18.4`; where the id is missing (`12`, `bookworm`) the vendor has it.
pub(super) fn distro_of(vendor: Option<&str>, qualifier: Option<&str>) -> Option<Distro> {
    let vendor = vendor.filter(|vendor| !vendor.is_empty());
    let distro = |id: &str, version_id: Option<&str>| Distro {
        id: id_of(id),
        version_id: version_id.map(str::to_owned),
        ..Distro::default()
    };
    let Some(qualifier) = qualifier else { return vendor.map(|vendor| distro(vendor, None)) };
    let starts_with_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    if starts_with_digit(qualifier) {
        return vendor.map(|vendor| distro(vendor, Some(qualifier)));
    }
    let (id, release) = match qualifier.rsplit_once('-') {
        Some((id, release))
            if !id.is_empty() && (starts_with_digit(release) || release_of_codename(release).is_some()) =>
        {
            (Some(id), release)
        }
        _ => (None, qualifier),
    };
    match (release_of_codename(release), id) {
        (Some((owner, version)), id) => Some(Distro {
            codename: Some(release.to_ascii_lowercase()),
            ..distro(id.or(vendor).unwrap_or(owner), Some(version))
        }),
        (None, Some(id)) => Some(distro(id, Some(release))),
        (None, None) => Some(distro(qualifier, None)),
    }
}
