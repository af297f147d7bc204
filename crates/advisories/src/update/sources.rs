//! The live feeds: the one place where their addresses are.
//!
//! Adding a feed is adding a line. Its address is also its place: a mirror, an air-gapped directory and the directory in
//! which `update` keeps feeds all hold `https://HOST/PATH` as `HOST/PATH`, which is what `wget -x` makes and what a
//! forwarding proxy needs no table for.

use crate::feeds::Item;

/// One live feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// What people call it, and `--feed` takes.
    pub name: &'static str,
    /// Where its publisher has it, or where a mirror has it when its publisher moves it about.
    pub url: &'static str,
    /// How to find it when its publisher moves it about.
    pub(super) location: Location,
    /// Another feed says the same, later or with less, or it is large: it is fetched once it was asked for by name, and from
    /// then on with the others.
    pub on_request: bool,
    /// What is in it.
    pub content: Content,
    /// The ecosystems that it holds completely; none for scores and exploitation. `Debian` speaks for all its releases.
    pub ecosystems: &'static [&'static str],
    /// Whether the publisher has a `.meta` file beside it, with the SHA-256 of the text before compression (as the NVD does).
    pub has_meta: bool,
    /// The terms it comes under.
    pub licence: &'static str,
    /// The line that must go with it.
    pub attribution: &'static str,
}

/// What a feed's records are: what comes instead (a page for people, another feed) is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Advisories, in whatever format.
    Advisories,
    /// CISA's catalogue.
    Kev,
    /// EPSS estimates.
    Epss,
    /// Scores of CVEs.
    Facts,
}

impl Content {
    /// Whether an item is a record of such a feed.
    pub(super) fn has(self, item: &Item) -> bool {
        matches!(
            (self, item),
            (Self::Advisories, Item::Advisory(_))
                | (Self::Kev, Item::Kev(_))
                | (Self::Epss, Item::Epss(_))
                | (Self::Facts, Item::Facts(_))
        )
    }

    /// The largest file of such a feed: several times the largest of today.
    pub(super) fn bytes_max(self) -> u64 {
        match self {
            Self::Advisories | Self::Facts => 2 << 30,
            Self::Kev | Self::Epss => 64 << 20,
        }
    }

    /// In words, for messages.
    pub fn words(self) -> &'static str {
        match self {
            Self::Advisories => "advisories",
            Self::Kev => "a KEV catalogue",
            Self::Epss => "EPSS estimates",
            Self::Facts => "scores of CVEs",
        }
    }
}

/// How a feed's present address is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Location {
    /// It is [`Source::url`].
    Fixed,
    /// The text at this address is the name of the file that lies beside it.
    Named(&'static str),
    /// The text at this address begins with an rpm repository's address, and the feed is that repository's `updateinfo`.
    Repository(&'static str),
}

impl Source {
    /// Its address below a mirror: without the scheme.
    pub fn path(&self) -> &'static str {
        self.url.strip_prefix("https://").unwrap_or(self.url)
    }

    /// The address below a mirror of the file with its checksum, where its publisher has one.
    pub(super) fn meta_path(&self) -> Option<String> {
        let whole = self.path().strip_suffix(".json.gz").filter(|_| self.has_meta)?;
        Some(format!("{whole}.meta"))
    }

    /// Its place in a directory: the same, with spaces as file systems write them.
    pub fn file(&self) -> String {
        self.path().replace("%20", " ")
    }

    /// The feed of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SOURCES.iter().find(|source| source.name == name)
    }
}

/// What most feeds have in common.
const FEED: Source = Source {
    name: "",
    url: "",
    location: Location::Fixed,
    on_request: false,
    content: Content::Advisories,
    ecosystems: &[],
    has_meta: false,
    licence: "as its publisher states",
    attribution: "",
};

/// One ecosystem as OSV exports it. See <https://google.github.io/osv.dev/data/>, also for each publisher's terms.
macro_rules! osv {
    ($name:literal, $directory:literal, $ecosystem:literal, $attribution:literal) => {
        Source {
            name: concat!("osv-", $name),
            url: concat!("https://osv-vulnerabilities.storage.googleapis.com/", $directory, "/all.zip"),
            ecosystems: &[$ecosystem],
            licence: "each publisher's own: https://google.github.io/osv.dev/data/",
            attribution: $attribution,
            ..FEED
        }
    };
}

/// A distribution's own publication, where OSV has none.
macro_rules! own {
    ($name:literal, $url:literal, $ecosystem:literal, $attribution:literal) => {
        Source { name: $name, url: $url, ecosystems: &[$ecosystem], attribution: $attribution, ..FEED }
    };
}

/// What a publisher has beside what OSV exports of it: fetched on request.
macro_rules! also {
    ($name:expr, $url:expr, $content:ident, $ecosystems:expr, $licence:literal, $attribution:literal) => {
        Source {
            name: $name,
            url: $url,
            on_request: true,
            content: Content::$content,
            ecosystems: $ecosystems,
            licence: $licence,
            attribution: $attribution,
            ..FEED
        }
    };
}

/// A release of Alpine as its own database has it: one document for each repository.
macro_rules! alpine {
    ($release:literal, $repository:literal) => {
        also!(
            concat!("alpine-", $release, "-", $repository),
            concat!("https://secdb.alpinelinux.org/", $release, "/", $repository, ".json"),
            Advisories,
            &["Alpine"],
            "CC-BY-SA-4.0",
            "Alpine Linux security database"
        )
    };
}

/// A release of Amazon Linux. Its repository changes its address with each release of it.
macro_rules! amazon {
    ($name:literal, $repository:literal) => {
        Source {
            name: $name,
            url: concat!("https://cdn.amazonlinux.com/", $repository, "/updateinfo.xml.gz"),
            location: Location::Repository(concat!("https://cdn.amazonlinux.com/", $repository, "/mirror.list")),
            ecosystems: &["Amazon Linux"],
            attribution: "Amazon Linux security advisories, Amazon Web Services",
            ..FEED
        }
    };
}

/// A year of the National Vulnerability Database: the scores that most distributions leave to it.
macro_rules! nvd {
    ($year:literal) => {
        Source {
            name: concat!("nvd-", $year),
            url: concat!("https://nvd.nist.gov/feeds/json/cve/2.0/nvdcve-2.0-", $year, ".json.gz"),
            content: Content::Facts,
            has_meta: true,
            licence: "public domain",
            attribution: "National Vulnerability Database, NIST; not endorsed or certified by the NVD",
            ..FEED
        }
    };
}

/// Every feed that `update` fetches.
pub const SOURCES: &[Source] = &[
    osv!("almalinux", "AlmaLinux", "AlmaLinux", "AlmaLinux OSV database, the AlmaLinux OS Foundation"),
    osv!("alpine", "Alpine", "Alpine", "Alpine Linux security database"),
    osv!("azure-linux", "Azure%20Linux", "Azure Linux", "Azure Linux vulnerability data, Microsoft"),
    osv!("bioconductor", "Bioconductor", "Bioconductor", "R Consortium advisory database"),
    osv!("bitnami", "Bitnami", "Bitnami", "Bitnami vulnerability database"),
    osv!("chainguard", "Chainguard", "Chainguard", "Chainguard security advisories"),
    osv!("cran", "CRAN", "CRAN", "R Consortium advisory database"),
    osv!("crates.io", "crates.io", "crates.io", "RustSec advisory database; GitHub Advisory Database"),
    osv!("debian", "Debian", "Debian", "Debian security tracker"),
    osv!("ghc", "GHC", "GHC", "Haskell Security Response Team advisories"),
    osv!("github-actions", "GitHub%20Actions", "GitHub Actions", "GitHub Advisory Database"),
    osv!("go", "Go", "Go", "Go vulnerability database; GitHub Advisory Database"),
    osv!("hackage", "Hackage", "Hackage", "Haskell Security Response Team advisories"),
    osv!("hex", "Hex", "Hex", "GitHub Advisory Database"),
    osv!("julia", "Julia", "Julia", "Julia security advisories"),
    osv!("mageia", "Mageia", "Mageia", "Mageia advisories"),
    osv!("maven", "Maven", "Maven", "GitHub Advisory Database"),
    osv!("minimos", "MinimOS", "MinimOS", "MinimOS security advisories, Minimus"),
    osv!("npm", "npm", "npm", "GitHub Advisory Database; OpenSSF malicious packages"),
    osv!("nuget", "NuGet", "NuGet", "GitHub Advisory Database"),
    osv!("opam", "opam", "opam", "OCaml security advisories"),
    osv!("openeuler", "openEuler", "openEuler", "openEuler security advisories"),
    osv!("opensuse", "openSUSE", "openSUSE", "SUSE security advisories"),
    osv!("packagist", "Packagist", "Packagist", "GitHub Advisory Database"),
    osv!("pub", "Pub", "Pub", "GitHub Advisory Database"),
    osv!("pypi", "PyPI", "PyPI", "PyPA advisory database; GitHub Advisory Database; OpenSSF malicious packages"),
    osv!("redhat", "Red%20Hat", "Red Hat", "Red Hat security data"),
    osv!("rocky", "Rocky%20Linux", "Rocky Linux", "Rocky Linux errata"),
    osv!("rubygems", "RubyGems", "RubyGems", "GitHub Advisory Database"),
    osv!("suse", "SUSE", "SUSE", "SUSE security advisories"),
    osv!("swift", "SwiftURL", "SwiftURL", "GitHub Advisory Database"),
    osv!("ubuntu", "Ubuntu", "Ubuntu", "Ubuntu security notices and CVE tracker, Canonical"),
    osv!("wolfi", "Wolfi", "Wolfi", "Wolfi security advisories, Chainguard"),
    amazon!("amazon-2", "2/core/latest/x86_64"),
    amazon!("amazon-2023", "al2023/core/mirrors/latest/x86_64"),
    own!("arch", "https://security.archlinux.org/issues/all.json", "Arch Linux", "Arch Linux security tracker"),
    own!(
        "bottlerocket",
        "https://advisories.bottlerocket.aws/updateinfo.xml.gz",
        "Bottlerocket",
        "Bottlerocket security advisories, Amazon Web Services"
    ),
    own!(
        "oracle",
        "https://linux.oracle.com/security/oval/com.oracle.elsa-all.xml.bz2",
        "Oracle Linux",
        "Oracle Linux security advisories"
    ),
    own!(
        "photon-4",
        "https://packages.vmware.com/photon/photon_cve_metadata/cve_data_photon4.0.json",
        "Photon OS",
        "Photon OS CVE metadata"
    ),
    own!(
        "photon-5",
        "https://packages.vmware.com/photon/photon_cve_metadata/cve_data_photon5.0.json",
        "Photon OS",
        "Photon OS CVE metadata"
    ),
    alpine!("v3.16", "main"),
    alpine!("v3.16", "community"),
    alpine!("v3.17", "main"),
    alpine!("v3.17", "community"),
    alpine!("v3.18", "main"),
    alpine!("v3.18", "community"),
    alpine!("v3.19", "main"),
    alpine!("v3.19", "community"),
    alpine!("v3.20", "main"),
    alpine!("v3.20", "community"),
    alpine!("v3.21", "main"),
    alpine!("v3.21", "community"),
    alpine!("v3.22", "main"),
    alpine!("v3.22", "community"),
    alpine!("v3.23", "main"),
    alpine!("v3.23", "community"),
    also!(
        "chainguard-secdb",
        "https://packages.cgr.dev/chainguard/security.json",
        Advisories,
        &["Chainguard"],
        "as its publisher states",
        "Chainguard security advisories"
    ),
    also!(
        "cve-list",
        "https://github.com/CVEProject/cvelistV5/archive/refs/heads/main.zip",
        Facts,
        &[],
        "CVE terms of use: https://www.cve.org/Legal/TermsOfUse",
        "CVE records, the CVE Program; CISA Vulnrichment"
    ),
    also!(
        "debian-tracker",
        "https://security-tracker.debian.org/tracker/data/json",
        Advisories,
        &["Debian"],
        "as its publisher states",
        "Debian security tracker"
    ),
    also!(
        "friendsofphp",
        "https://github.com/FriendsOfPHP/security-advisories/archive/refs/heads/master.zip",
        Advisories,
        &["Packagist"],
        "Unlicense",
        "FriendsOfPHP security advisories"
    ),
    also!(
        "github",
        "https://github.com/github/advisory-database/archive/refs/heads/main.zip",
        Advisories,
        &[],
        "CC-BY-4.0",
        "GitHub Advisory Database"
    ),
    also!("go-vulndb", "https://vuln.go.dev/vulndb.zip", Advisories, &["Go"], "CC-BY-4.0", "Go vulnerability database"),
    also!(
        "malicious",
        "https://github.com/ossf/malicious-packages/archive/refs/heads/main.zip",
        Advisories,
        &[],
        "Apache-2.0",
        "OpenSSF malicious packages"
    ),
    also!(
        "minimos-secdb",
        "https://packages.mini.dev/advisories/secdb/security.json",
        Advisories,
        &["MinimOS"],
        "as its publisher states",
        "MinimOS security advisories, Minimus"
    ),
    also!(
        "pypa",
        "https://github.com/pypa/advisory-database/archive/refs/heads/main.zip",
        Advisories,
        &["PyPI"],
        "CC-BY-4.0",
        "PyPA advisory database"
    ),
    Source {
        name: "redhat-vex",
        url: "https://security.access.redhat.com/data/csaf/v2/vex/archive_latest.tar.zst",
        location: Location::Named("https://security.access.redhat.com/data/csaf/v2/vex/archive_latest.txt"),
        on_request: true,
        ecosystems: &["Red Hat"],
        licence: "CC-BY-4.0",
        attribution: "Red Hat security data",
        ..FEED
    },
    also!(
        "rubysec",
        "https://github.com/rubysec/ruby-advisory-db/archive/refs/heads/master.zip",
        Advisories,
        &["RubyGems"],
        "as its publisher states",
        "Ruby advisory database"
    ),
    also!(
        "rustsec",
        "https://github.com/rustsec/advisory-db/archive/refs/heads/main.zip",
        Advisories,
        &["crates.io"],
        "CC0-1.0",
        "RustSec advisory database"
    ),
    also!(
        "wolfi-secdb",
        "https://packages.wolfi.dev/os/security.json",
        Advisories,
        &["Wolfi"],
        "as its publisher states",
        "Wolfi security advisories, Chainguard"
    ),
    nvd!("2002"),
    nvd!("2003"),
    nvd!("2004"),
    nvd!("2005"),
    nvd!("2006"),
    nvd!("2007"),
    nvd!("2008"),
    nvd!("2009"),
    nvd!("2010"),
    nvd!("2011"),
    nvd!("2012"),
    nvd!("2013"),
    nvd!("2014"),
    nvd!("2015"),
    nvd!("2016"),
    nvd!("2017"),
    nvd!("2018"),
    nvd!("2019"),
    nvd!("2020"),
    nvd!("2021"),
    nvd!("2022"),
    nvd!("2023"),
    nvd!("2024"),
    nvd!("2025"),
    nvd!("2026"),
    Source {
        name: "kev",
        url: "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
        content: Content::Kev,
        licence: "CC0-1.0",
        attribution: "CISA, Known Exploited Vulnerabilities catalogue",
        ..FEED
    },
    Source {
        name: "epss",
        url: "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz",
        content: Content::Epss,
        licence: "free to use with attribution",
        attribution: "EPSS by FIRST.org, see https://www.first.org/epss",
        ..FEED
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_places_are_each_only_once() {
        let mut names: Vec<_> = SOURCES.iter().map(|source| source.name).collect();
        let mut files: Vec<_> = SOURCES.iter().map(Source::file).collect();
        names.sort_unstable();
        names.dedup();
        files.sort_unstable();
        files.dedup();
        assert_eq!((names.len(), files.len()), (SOURCES.len(), SOURCES.len()));
        for source in SOURCES {
            assert!(source.url.starts_with("https://"), "{}", source.name);
            assert!(!source.file().contains(['?', '#']), "{}: its address is also a path", source.name);
        }
    }
}
