//! Package URLs.
use crate::distro::Distro;
use crate::package::{PackageType, SourcePackage};
/// parts
pub struct PurlParts<'a> {
    /// k
    pub kind: &'a PackageType,
    /// n
    pub name: &'a str,
    /// v
    pub version: &'a str,
    /// a
    pub arch: Option<&'a str>,
    /// d
    pub distro: Option<&'a Distro>,
    /// s
    pub source: Option<&'a SourcePackage>,
    /// m
    pub module: Option<&'a str>,
}
/// r
pub fn render(p: &PurlParts<'_>) -> String { format!("pkg:{}/{}@{}", p.kind, p.name, p.version) }
