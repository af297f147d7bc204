//! Package URLs: how every document names a package (purl specification; qualifiers as Syft writes them).
//!
//! [`render`] writes one form. [`parse`] reads that and what other tools write (Syft, Trivy, cdxgen): an unencoded
//! `@scope`, a distribution given by its release or code name alone, a source package given by its rpm file.
//!
//! **Never:** nothing here is checked against reality. A parsed purl is somebody's claim.

mod vendor;

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::artifact::Origin;
use crate::distro::Distro;
use crate::package::{Package, PackageId, PackageType, SourcePackage};

/// What a package URL is made of, in the model's own terms (see [`Package`] for how each is written).
#[derive(Debug, Clone, Copy)]
pub struct PurlParts<'a> {
    /// The purl type.
    pub kind: &'a PackageType,
    /// `libssl3`, `@babel/core`, `org.slf4j:slf4j-api`, `golang.org/x/net`.
    pub name: &'a str,
    /// With epoch and release; empty when not known.
    pub version: &'a str,
    /// The architecture.
    pub arch: Option<&'a str>,
    /// The distribution of an OS package.
    pub distro: Option<&'a Distro>,
    /// The source package; it is written where it differs from the package.
    pub source: Option<&'a SourcePackage>,
    /// The rpm module. `Some("")` cannot be written: to a purl an empty qualifier is none.
    pub module: Option<&'a str>,
}

impl<'a> PurlParts<'a> {
    /// The parts of a package found in this distribution.
    pub fn of(package: &'a Package, distro: Option<&'a Distro>) -> Self {
        Self {
            kind: &package.kind,
            name: &package.name,
            version: &package.version,
            arch: package.arch.as_deref(),
            distro: distro.filter(|_| package.kind.is_os()),
            source: package.source.as_ref(),
            module: package.module.as_deref(),
        }
    }
}

/// A package URL that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedPurl {
    /// The purl type.
    pub kind: PackageType,
    /// As its ecosystem writes it.
    pub name: String,
    /// As its ecosystem writes it, with epoch; empty when not stated.
    pub version: String,
    /// The architecture.
    pub arch: Option<String>,
    /// The distribution of an OS package: `id` and, where stated, `version_id` and `codename`.
    pub distro: Option<Distro>,
    /// The source package, with the package's own version where none is stated.
    pub source: Option<SourcePackage>,
    /// The rpm module.
    pub module: Option<String>,
}

impl ParsedPurl {
    /// The package it names, alone: of an inventory it would be the first.
    pub fn package(&self, purl: &str) -> Package {
        Package {
            id: PackageId(0),
            kind: self.kind.clone(),
            name: self.name.clone(),
            version: self.version.clone(),
            purl: purl.to_owned(),
            arch: self.arch.clone(),
            source: self.source.clone(),
            module: self.module.clone(),
            licenses: Vec::new(),
            evidence: Vec::new(),
            layer: None,
            origin: Origin::Unknown,
            provides: Vec::new(),
            depends_on: Vec::new(),
            direct: false,
            development: false,
            cataloger: "purl".into(),
        }
    }
}

/// Why a text is not a package URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a package URL: {reason}")]
pub struct PurlError {
    text: String,
    reason: &'static str,
}

/// What the specification leaves unencoded in names, versions and values.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~').remove(b':');

/// The purl of a package.
///
/// ```
/// use dogwatch_model::package::PackageType;
/// use dogwatch_model::purl::{PurlParts, render};
///
/// let parts = PurlParts {
///     kind: &PackageType::Npm,
///     name: "@babel/core",
///     version: "7.22.0",
///     arch: None,
///     distro: None,
///     source: None,
///     module: None,
/// };
/// assert_eq!(render(&parts), "pkg:npm/%40babel/core@7.22.0");
/// ```
pub fn render(parts: &PurlParts<'_>) -> String {
    let mut purl = format!("pkg:{}", encode(&parts.kind.as_str().to_ascii_lowercase()));
    if let Some(distro) = parts.distro.filter(|distro| has_vendor(parts.kind) && !distro.id.is_empty()) {
        push_segment(&mut purl, vendor::namespace_of(&distro.id));
    }
    push_name(&mut purl, parts.kind, parts.name);
    let (epoch, version) = match (parts.kind, parts.version.split_once(':')) {
        (PackageType::Rpm, Some((epoch, version))) if is_number(epoch) => (Some(epoch), version),
        _ => (None, parts.version),
    };
    if !version.is_empty() {
        purl.push('@');
        purl.extend(utf8_percent_encode(version, ENCODED));
    }
    let distro = parts.distro.map(|distro| match &distro.version_id {
        Some(version) => format!("{}-{version}", distro.id),
        None => distro.id.clone(),
    });
    let upstream = parts.source.and_then(|source| upstream(source, parts));
    // In the order of their names, as the specification wants them.
    let (arch, platform) = if *parts.kind == PackageType::Gem { (None, parts.arch) } else { (parts.arch, None) };
    let qualifiers = [
        ("arch", arch),
        ("distro", distro.as_deref()),
        ("epoch", epoch),
        ("platform", platform),
        ("rpmmod", parts.module),
        ("upstream", upstream.as_deref()),
    ];
    let mut separator = '?';
    for (key, value) in qualifiers {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        purl.push(separator);
        purl.push_str(key);
        purl.push('=');
        purl.extend(utf8_percent_encode(value, ENCODED));
        separator = '&';
    }
    purl
}

/// Whether a purl of this kind has the distribution as its namespace. Portage's has the package's category there.
fn has_vendor(kind: &PackageType) -> bool {
    kind.is_os() && *kind != PackageType::Ebuild
}

fn push_name(purl: &mut String, kind: &PackageType, name: &str) {
    let name: Cow<'_, str> = match kind {
        PackageType::PyPi => crate::ecosystem::normalise_name("PyPI", name).into(),
        PackageType::Composer => name.to_lowercase().into(),
        _ => name.into(),
    };
    match kind {
        PackageType::Maven => name.splitn(2, ':').for_each(|part| push_segment(purl, part)),
        // An empty part would vanish when the purl is read: then the slashes are kept by encoding them.
        _ if name.split('/').any(str::is_empty) => push_segment(purl, &name),
        _ => name.split('/').for_each(|part| push_segment(purl, part)),
    }
}

fn push_segment(purl: &mut String, segment: &str) {
    purl.push('/');
    purl.extend(utf8_percent_encode(segment, ENCODED));
}

/// `name`, or `name@version` where the source's version is its own; none where it says nothing new.
fn upstream(source: &SourcePackage, parts: &PurlParts<'_>) -> Option<String> {
    let same_version = source.version.is_empty() || source.version == parts.version;
    match (source.name == parts.name, same_version) {
        (true, true) => None,
        (false, true) => Some(source.name.clone()),
        (_, false) => Some(format!("{}@{}", source.name, source.version)),
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Reads a package URL that stands beside a package's name in a document. Where the two name the same Go module, the
/// name is the document's: it has the whole path, and the letters that some writers of package URLs lower.
pub fn parse_beside(text: &str, name: &str) -> Result<ParsedPurl, PurlError> {
    let mut parsed = parse(text)?;
    if parsed.kind == PackageType::Golang && !parsed.name.eq_ignore_ascii_case(name) {
        let subpath = text.split_once('#').and_then(|(_, subpath)| decode(subpath)).unwrap_or_default();
        let whole = format!("{}/{}", parsed.name, subpath.trim_matches('/'));
        if !whole.eq_ignore_ascii_case(name) {
            return Ok(parsed);
        }
    }
    if parsed.kind == PackageType::Golang {
        name.clone_into(&mut parsed.name);
    }
    Ok(parsed)
}

/// Reads a package URL, leniently. A subpath is dropped unless it has the end of a Go module's path; unknown
/// qualifiers are not looked at.
pub fn parse(text: &str) -> Result<ParsedPurl, PurlError> {
    let error = |reason| PurlError { text: text.chars().take(200).collect(), reason };
    let rest = match text.split_at_checked(4) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("pkg:") => rest.trim_start_matches('/'),
        _ => return Err(error("it does not begin with `pkg:`")),
    };
    let (rest, subpath) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let (kind, path) = rest.split_once('/').ok_or_else(|| error("it has no name after the type"))?;
    if !kind.starts_with(|c: char| c.is_ascii_alphabetic())
        || !kind.bytes().all(|b| b.is_ascii_alphanumeric() || b".+-".contains(&b))
    {
        return Err(error("its type is empty or malformed"));
    }
    let kind = PackageType::from(kind.to_ascii_lowercase());
    let (path, version) = split_version(path);
    let decoded = |part: &str| decode(part).ok_or_else(|| error("a percent-encoding is not UTF-8"));
    let mut segments = Vec::new();
    let rest_of_module = match kind {
        PackageType::Golang => rest_of_module(path, version, subpath),
        _ => "",
    };
    for segment in path.split('/').chain(rest_of_module.split('/')).filter(|segment| !segment.is_empty()) {
        segments.push(decoded(segment)?);
    }
    let Some(name) = segments.pop().filter(|name| !name.is_empty()) else {
        return Err(error("it has no name"));
    };
    let mut version = decoded(version)?;
    let mut values = Qualifiers::default();
    for (key, value) in qualifiers.split('&').filter_map(|pair| pair.split_once('=')) {
        let key = key.to_ascii_lowercase();
        if let Some(slot) = values.slot(&key).filter(|_| key != "platform" || kind == PackageType::Gem) {
            slot.get_or_insert(decoded(value)?);
        }
    }
    let Qualifiers { arch, distro, epoch, module, upstream } = values.without_empty();
    // The qualifier is rpm's; Trivy writes it for Debian's packages too.
    let takes_epoch = match kind {
        PackageType::Rpm => !version.contains(':'),
        PackageType::Deb => !version.is_empty() && !version.contains(':'),
        _ => false,
    };
    if let Some(epoch) = epoch.filter(|epoch| takes_epoch && is_number(epoch)) {
        version = format!("{epoch}:{version}");
    }
    let (distro, name) = match kind.is_os() {
        true if has_vendor(&kind) => (vendor::distro_of(segments.first().map(String::as_str), distro.as_deref()), name),
        true => (vendor::distro_of(None, distro.as_deref()), joined_name(&kind, segments, name)),
        false => (None, joined_name(&kind, segments, name)),
    };
    let source = upstream.and_then(|upstream| source_of(&upstream, &version));
    Ok(ParsedPurl { kind, name, version, arch, distro, source, module })
}

#[derive(Default)]
struct Qualifiers {
    arch: Option<String>,
    distro: Option<String>,
    epoch: Option<String>,
    module: Option<String>,
    upstream: Option<String>,
}

impl Qualifiers {
    fn slot(&mut self, key: &str) -> Option<&mut Option<String>> {
        Some(match key {
            // What a gem was built for: `java`, `x86_64-linux`.
            "arch" | "platform" => &mut self.arch,
            "distro" => &mut self.distro,
            "epoch" => &mut self.epoch,
            "rpmmod" | "modularitylabel" => &mut self.module,
            "upstream" => &mut self.upstream,
            _ => return None,
        })
    }

    fn without_empty(self) -> Self {
        let kept = |value: Option<String>| value.filter(|value| !value.is_empty());
        Self {
            arch: kept(self.arch),
            distro: kept(self.distro),
            epoch: kept(self.epoch),
            module: kept(self.module),
            upstream: kept(self.upstream),
        }
    }
}

/// What of a Go purl's subpath belongs to the module's path: Syft writes `github.com/redis/go-redis/v9` as
/// `…/go-redis@v9.7.0#v9`. A module of a second or later major version ends in that, so what stands behind is a package in
/// it, and a subpath without it is one, too.
fn rest_of_module<'a>(path: &str, version: &str, subpath: &'a str) -> &'a str {
    let major = version.split('.').next().filter(|major| !matches!(*major, "" | "v0" | "v1"));
    let Some(major) = major.filter(|major| path.rsplit('/').next() != Some(major)) else { return "" };
    let mut end = 0;
    for segment in subpath.split('/') {
        end += segment.len();
        if segment == major {
            return &subpath[..end];
        }
        end += 1;
    }
    ""
}

/// Splits at the last `@`, unless that begins a segment: then it is an npm scope that somebody did not encode.
fn split_version(path: &str) -> (&str, &str) {
    match path.rsplit_once('@') {
        Some((name, version)) if !name.is_empty() && !name.ends_with('/') => (name, version),
        _ => (path, ""),
    }
}

fn decode(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}

fn joined_name(kind: &PackageType, mut segments: Vec<String>, name: String) -> String {
    match kind {
        PackageType::Maven if !segments.is_empty() => format!("{}:{name}", segments.join("/")),
        _ => {
            segments.push(name);
            segments.join("/")
        }
    }
}

/// The source package named by `name`, `name@version` or the file name of a source rpm.
fn source_of(upstream: &str, version: &str) -> Option<SourcePackage> {
    let source = |name: &str, version: &str| {
        (!name.is_empty()).then(|| SourcePackage { name: name.to_owned(), version: version.to_owned() })
    };
    if let Some(file) = upstream.strip_suffix(".src.rpm").or_else(|| upstream.strip_suffix(".nosrc.rpm")) {
        let (rest, release) = file.rsplit_once('-')?;
        let (name, number) = rest.rsplit_once('-')?;
        return source(name, &format!("{number}-{release}"));
    }
    match upstream.rsplit_once('@') {
        Some((name, version)) if !name.is_empty() && !version.is_empty() => source(name, version),
        _ => source(upstream, version),
    }
}
