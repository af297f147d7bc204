//! Linux distributions as `os-release` names them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The distribution a file tree says it is (`os-release(5)`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Distro {
    /// `ID`, lower case: `debian`, `alpine`, `rhel`.
    pub id: String,
    /// `VERSION_ID`: `12`, `3.18.4`, `8.9`. None for rolling distributions and Debian's testing and unstable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// `VERSION_CODENAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codename: Option<String>,
    /// `ID_LIKE`, split.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_like: Vec<String>,
    /// `PRETTY_NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pretty_name: Option<String>,
    /// `CPE_NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpe: Option<String>,
}

/// Whose release a code name is, and the `VERSION_ID` it stands for: `bookworm` is `debian`, `12`.
pub fn release_of_codename(name: &str) -> Option<(&'static str, &'static str)> {
    const CODENAMES: &[(&str, &str, &str)] = &[
        ("wheezy", "debian", "7"),
        ("jessie", "debian", "8"),
        ("stretch", "debian", "9"),
        ("buster", "debian", "10"),
        ("bullseye", "debian", "11"),
        ("bookworm", "debian", "12"),
        ("trixie", "debian", "13"),
        ("forky", "debian", "14"),
        ("trusty", "ubuntu", "14.04"),
        ("xenial", "ubuntu", "16.04"),
        ("bionic", "ubuntu", "18.04"),
        ("focal", "ubuntu", "20.04"),
        ("jammy", "ubuntu", "22.04"),
        ("kinetic", "ubuntu", "22.10"),
        ("lunar", "ubuntu", "23.04"),
        ("mantic", "ubuntu", "23.10"),
        ("noble", "ubuntu", "24.04"),
        ("oracular", "ubuntu", "24.10"),
        ("plucky", "ubuntu", "25.04"),
        ("questing", "ubuntu", "25.10"),
    ];
    let known = CODENAMES.iter().find(|(known, _, _)| known.eq_ignore_ascii_case(name));
    known.map(|(_, owner, version)| (*owner, *version))
}
