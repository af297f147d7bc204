//! Platforms, and which image of an index is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::document::{Descriptor, printable};
use super::error::SourceError;

/// `os/architecture[/variant]`, in Go's words as OCI has them: `linux/arm64/v8`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// Operating system.
    pub os: String,
    /// Architecture.
    pub architecture: String,
    /// Variant of the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// A text that is no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a platform (`os/architecture` or `os/architecture/variant`, for example `linux/arm64`)")]
pub struct PlatformError {
    text: String,
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let is_word = |part: &&str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        let parts: Vec<&str> = text.split('/').filter(is_word).collect();
        match (text.matches('/').count() + 1 == parts.len(), parts.as_slice()) {
            (true, [os, architecture]) => Ok(Self::new(os, architecture, None)),
            (true, [os, architecture, variant]) => Ok(Self::new(os, architecture, Some(variant))),
            _ => Err(PlatformError { text: text.chars().take(100).collect() }),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

impl Platform {
    fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let lower = str::to_ascii_lowercase;
        // The names people type. Source: the `platforms` package of containerd, `normalizeArch`.
        let (architecture, variant) = match (lower(architecture).as_str(), variant) {
            ("x86_64" | "x86-64", variant) => ("amd64".to_owned(), variant),
            ("aarch64", variant) => ("arm64".to_owned(), variant),
            ("armhf", None) => ("arm".to_owned(), Some("v7")),
            ("armel", None) => ("arm".to_owned(), Some("v6")),
            ("i386" | "i686", variant) => ("386".to_owned(), variant),
            (other, variant) => (other.to_owned(), variant),
        };
        Self { os: lower(os), architecture, variant: variant.map(lower) }
    }

    /// `linux` on the architecture this program was built for.
    pub fn of_this_machine() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86" => "386",
            "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
            other => other,
        };
        Self::new("linux", architecture, None)
    }

    /// The variant an architecture has when none is named.
    fn variant_or_default(&self) -> Option<&str> {
        self.variant.as_deref().or(match self.architecture.as_str() {
            "arm64" => Some("v8"),
            "arm" => Some("v7"),
            "amd64" => Some("v1"),
            _ => None,
        })
    }

    /// Whether an image of the platform `other` is what was asked for by `self`.
    pub(super) fn accepts(&self, other: &Self) -> bool {
        self.os == other.os
            && self.architecture == other.architecture
            && (self.variant.is_none() || self.variant_or_default() == other.variant_or_default())
    }

    /// [`Platform::accepts`] for what a configuration says. Many leave out the variant that their index names, so only
    /// a variant that is there can be wrong.
    pub(super) fn accepts_configuration(&self, found: &Self) -> bool {
        let without_variant = Self { variant: None, ..self.clone() };
        self.accepts(found) || (found.variant.is_none() && without_variant.accepts(found))
    }
}

/// Which entry of an index is meant.
///
/// A wanted platform must be there. Without one, an index with a single image gives that image whatever its platform,
/// and any other gives the one for `linux` on this machine's architecture. Of several variants, the exact or default
/// one wins, then the first.
pub(super) fn choose<'a>(
    place: &str,
    manifests: &'a [Descriptor],
    wanted: Option<&Platform>,
) -> Result<&'a Descriptor, SourceError> {
    let images: Vec<&Descriptor> = manifests.iter().filter(|descriptor| descriptor.may_be_image()).collect();
    if let (None, [only]) = (wanted, images.as_slice()) {
        return Ok(only);
    }
    let wanted = wanted.cloned().unwrap_or_else(Platform::of_this_machine);
    let fits = |descriptor: &&&Descriptor| descriptor.platform.as_ref().is_some_and(|found| wanted.accepts(found));
    let is_default = |descriptor: &&&Descriptor| {
        let found = descriptor.platform.as_ref();
        found.is_some_and(|found| found.variant_or_default() == wanted.variant_or_default())
    };
    if let Some(found) = images.iter().filter(fits).find(is_default).or_else(|| images.iter().find(fits)) {
        return Ok(found);
    }
    // An index need not say the platform of its entries; then only the configuration can, and the caller asks that.
    if let [only] = images.as_slice()
        && only.platform.is_none()
    {
        return Ok(only);
    }
    if images.is_empty() {
        return Err(SourceError::Missing { place: place.into(), what: "an image: its index lists none".into() });
    }
    let name = |descriptor: &&Descriptor| match &descriptor.platform {
        Some(platform) => printable(&platform.to_string()),
        None => format!("an unnamed platform ({})", descriptor.digest),
    };
    let available = images.iter().map(name).collect();
    Err(SourceError::NoPlatform { place: place.into(), wanted: wanted.to_string(), available })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: Option<&str>, available: &[&str], expected: &str) {
        let manifests: Vec<Descriptor> = available
            .iter()
            .map(|text| {
                let mut descriptor = Descriptor::for_test(text);
                descriptor.platform = text.parse().ok();
                descriptor
            })
            .collect();
        let wanted = wanted.map(|text| text.parse().unwrap());
        let rendered = match choose("x", &manifests, wanted.as_ref()) {
            Ok(found) => found.platform.as_ref().map_or("unnamed".into(), Platform::to_string),
            Err(error) => error.to_string(),
        };
        assert_eq!(rendered, expected);
    }

    #[test]
    fn the_wanted_platform_is_found_among_variants() {
        check(Some("linux/arm64"), &["linux/amd64", "linux/arm64/v8"], "linux/arm64/v8");
        check(Some("linux/arm64/v8"), &["linux/amd64", "linux/arm64"], "linux/arm64");
        check(Some("linux/arm"), &["linux/arm/v5", "linux/arm/v7"], "linux/arm/v7");
        check(Some("linux/arm"), &["linux/arm/v5", "linux/amd64"], "linux/arm/v5");
        check(Some("linux/arm/v6"), &["linux/arm/v5"], "`x` has no image for linux/arm/v6, only for linux/arm/v5");
        check(Some("linux/x86_64"), &["linux/amd64/v3", "linux/amd64"], "linux/amd64");
    }

    #[test]
    fn without_a_wish_a_single_image_is_taken_and_of_several_this_machines() {
        check(None, &["windows/amd64"], "windows/amd64");
        check(None, &["?"], "unnamed");
        check(None, &["unknown/unknown", "linux/s390x"], "linux/s390x");
        let here = Platform::of_this_machine().to_string();
        check(None, &["linux/mips", &here], &here);
        check(
            None,
            &["linux/mips", "linux/riscv32"],
            &format!("`x` has no image for {here}, only for linux/mips, linux/riscv32"),
        );
        check(None, &[], "`x` lacks an image: its index lists none");
    }

    #[test]
    fn a_configuration_may_leave_out_the_variant() {
        let check = |wanted: &str, found: &str| {
            wanted.parse::<Platform>().unwrap().accepts_configuration(&found.parse().unwrap())
        };
        assert!(check("linux/arm/v6", "linux/arm"));
        assert!(check("linux/arm/v6", "linux/arm/v6"));
        assert!(!check("linux/arm/v6", "linux/arm/v7"));
        assert!(!check("linux/arm/v6", "linux/arm64"));
    }

    #[test]
    fn what_is_no_platform_is_refused() {
        for text in ["", "linux", "linux/", "/amd64", "a/b/c/d", "linux/am d64", "linux//v8"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}
