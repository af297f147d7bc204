//! Which packages one archive is.
//!
//! 1. Each `pom.properties` is a package with the group, artifact and version it states (its path stands in for what it
//!    does not). One whose artifact begins the file name describes the archive itself, and so does a single one.
//! 2. Otherwise the archive itself is one more package, if its file name or manifest states a version, or its manifest a
//!    name. The artifact is the file name before the version, because repositories name files so and titles are prose; of a
//!    file name without a version, a title or bundle name that looks like an artifact is believed first.
//!    The version is the file name's, then `Implementation-Version`, `Bundle-Version`, `Plugin-Version`,
//!    `Specification-Version`.
//! 3. Its group is the first of: what the manifest or a Maven repository's directories say outright, [`groups`], a
//!    bundle or module name that holds the artifact, `Implementation-Vendor-Id`, a bundle or module name of two parts.
//!    Without a group the name is the artifact alone, which no advisory matches: a wrong group would match wrong ones.

use std::collections::HashSet;

use super::groups;
use super::manifest::{self, Attributes};
use crate::fact::PackageFact;
use model::package::PackageType;

/// What an archive says of itself.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub(super) manifest: Attributes,
    /// Each `pom.properties` with its path.
    pub(super) properties: Vec<(String, Attributes)>,
    /// Groups and artifacts with a directory below `META-INF/maven`.
    pub(super) descriptors: Vec<Descriptor>,
}

/// A group and an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Descriptor {
    group: String,
    artifact: String,
}

impl Descriptor {
    /// From `<group>/<artifact>/<file>`, the path below `META-INF/maven/`.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        let (directories, file) = path.rsplit_once('/')?;
        let (group, artifact) = directories.split_once('/')?;
        let names_one = file.starts_with("pom.") && !group.is_empty() && !artifact.is_empty();
        names_one.then(|| Self { group: group.to_owned(), artifact: artifact.to_owned() })
    }
}

/// The packages that the archive with this path is, its own first.
pub(super) fn packages(path: &str, texts: &Texts) -> Vec<PackageFact> {
    let file = FileName::of(path, &texts.manifest);
    let (mut stated, mut seen) = (Vec::<Coordinates>::new(), HashSet::new());
    for (path, properties) in &texts.properties {
        stated.extend(Coordinates::of_properties(path, properties).filter(|it| seen.insert(it.clone())));
    }
    let describes_file = |it: &&Coordinates| file.stem.starts_with(&it.artifact) && file.agrees_with(&it.version);
    let single = stated.len() == 1 && file.version.is_none_or(|version| version == stated[0].version);
    let longest = stated.iter().filter(describes_file).max_by_key(|it| it.artifact.len()).cloned();
    let own = longest.or_else(|| stated.first().filter(|_| single).cloned());
    let own = own.map(|it| it.with_version_of(&file)).or_else(|| own_coordinates(path, &file, texts));
    if let Some(own) = own {
        stated.retain(|it| (&it.group, &it.artifact) != (&own.group, &own.artifact));
        stated.insert(0, own);
    }
    let mut packages: Vec<_> = stated.into_iter().map(Coordinates::into_package).collect();
    if let (Some(first), Some(license)) = (packages.first_mut(), texts.manifest.get("bundle-license")) {
        first.licenses = manifest::list(license);
    }
    packages
}

/// A Maven package's coordinates.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Coordinates {
    /// Empty when not known.
    group: String,
    artifact: String,
    /// Empty when not stated.
    version: String,
}

impl Coordinates {
    fn of_properties(path: &str, properties: &Attributes) -> Option<Self> {
        let by_path = path.strip_prefix("META-INF/maven/").and_then(Descriptor::of_path);
        // A build that filters resources wrongly leaves `${project.version}`.
        let stated = |name| properties.get(name).filter(|value| !value.is_empty() && !value.contains("${")).cloned();
        let (group, artifact) = by_path.map(|it| (it.group, it.artifact)).unzip();
        Some(Self {
            group: stated("groupId").or(group)?,
            artifact: stated("artifactId").or(artifact)?,
            version: stated("version").unwrap_or_default(),
        })
    }

    fn with_version_of(self, file: &FileName<'_>) -> Self {
        if self.version.is_empty() { Self { version: file.version.unwrap_or("").to_owned(), ..self } } else { self }
    }

    fn into_package(self) -> PackageFact {
        let name = if self.group.is_empty() { self.artifact } else { format!("{}:{}", self.group, self.artifact) };
        PackageFact::new(PackageType::Maven, name, self.version)
    }
}

/// The archive's own coordinates by file name and manifest; none when nothing names it.
fn own_coordinates(path: &str, file: &FileName<'_>, texts: &Texts) -> Option<Coordinates> {
    let manifest = |name: &str| texts.manifest.get(name).map(String::as_str).filter(|value| is_stated(value));
    let title = manifest("artifact-id")
        .or_else(|| manifest("short-name"))
        .or_else(|| manifest("implementation-title").filter(|title| is_artifact_name(title)));
    let artifact = match (file.version, title) {
        // `app.jar`: whoever renamed it left the title alone.
        (None, Some(title)) => title,
        // `catalina.jar` of a Tomcat installation is `org.apache.tomcat-catalina`, published as `tomcat-catalina`.
        (None, None) => {
            manifest("bundle-symbolicname").and_then(|name| longer_name(name, file.stem)).unwrap_or(file.stem)
        }
        _ => file.artifact,
    };
    let version = file.version.or_else(|| manifest_version(&texts.manifest)).unwrap_or("");
    let documentation = ["-sources", "-javadoc"].iter().any(|classifier| file.stem.ends_with(classifier));
    let named = !version.is_empty() || title.is_some() || manifest("bundle-symbolicname").is_some();
    if artifact.is_empty() || documentation || !named {
        return None;
    }
    let group = group(path, artifact, texts).unwrap_or_default();
    Some(Coordinates { group, artifact: artifact.to_owned(), version: version.to_owned() })
}

/// The version a manifest states, without what builders append (`8.0.0 2ae4746`, `1.6.0-release-798(1.6.0)`).
fn manifest_version(manifest: &Attributes) -> Option<&str> {
    ["implementation-version", "bundle-version", "plugin-version", "specification-version"]
        .iter()
        .filter_map(|name| manifest.get(*name)?.split([' ', '(']).next())
        .find(|version| version.contains(|c: char| c.is_ascii_digit()) && is_stated(version))
}

fn is_stated(value: &str) -> bool {
    !value.is_empty() && !value.contains("${") && !value.starts_with('@')
}

fn is_artifact_name(title: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    title.starts_with(|c: char| c.is_ascii_lowercase()) && title.chars().all(allowed)
}

/// The last part of a bundle's name, when it ends with `-<stem>`.
fn longer_name<'a>(bundle: &'a str, stem: &str) -> Option<&'a str> {
    let last = bundle.split(';').next()?.trim().rsplit('.').next()?;
    last.strip_suffix(stem)?.ends_with('-').then_some(last)
}

fn group(path: &str, artifact: &str, texts: &Texts) -> Option<String> {
    let manifest = |name: &str| texts.manifest.get(name).map(String::as_str).filter(|value| is_stated(value));
    // `org.elasticsearch#server;7.10.0`, as Gradle's Nebula plugins write it.
    let title = manifest("implementation-title").and_then(|title| title.split_once('#')).map(|(group, _)| group);
    let descriptor = texts.descriptors.iter().find(|it| it.artifact == artifact).map(|it| it.group.as_str());
    if let Some(stated) = manifest("group-id").or(descriptor).or(title).filter(|group| is_dotted(group)) {
        return Some(stated.to_owned());
    }
    if let Some(group) = group_of_repository_path(path, artifact) {
        return Some(group);
    }
    if let Some(group) = groups::well_known(artifact) {
        return Some(group.to_owned());
    }
    if !texts.properties.is_empty() {
        // Builds that merge jars keep the manifest of one of them.
        return None;
    }
    let bundle = manifest("bundle-symbolicname").map(|name| name.split(';').next().unwrap_or(name).trim());
    let names: Vec<_> = [bundle, manifest("automatic-module-name")].into_iter().flatten().collect();
    let of_two_parts = || names.iter().copied().find(|name| is_dotted(name) && name.matches('.').count() == 1);
    let holding = names.iter().find_map(|name| group_holding(name, artifact));
    let vendor = manifest("implementation-vendor-id").filter(|id| is_dotted(id) && !groups::is_organisation(id));
    holding
        .or_else(|| names.iter().find_map(|name| groups::below_vendor(vendor?, name, artifact)))
        .or(vendor)
        .or_else(of_two_parts)
        .map(str::to_owned)
}

fn is_dotted(name: &str) -> bool {
    name.contains('.') && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

/// The group in a bundle or module name that ends with the artifact: `io.projectreactor.reactor-core`. Where only two
/// parts would stay and the artifact is a plain word (`org.apache.velocity`, `com.google.guava`), the whole is the group.
fn group_holding<'a>(name: &'a str, artifact: &str) -> Option<&'a str> {
    let group = name.strip_suffix(artifact)?.strip_suffix('.').filter(|group| is_dotted(group))?;
    if artifact.contains('-') || group.matches('.').count() >= 2 { Some(group) } else { Some(name) }
}

/// The group by the directories of a local Maven repository (`…/repository/<group>/<artifact>/<version>/`) or a Gradle
/// cache (`…/files-2.1/<group>/<artifact>/<version>/<hash>/`).
fn group_of_repository_path(path: &str, artifact: &str) -> Option<String> {
    let (directories, _) = path.rsplit_once('/')?;
    if let Some((_, below)) = directories.rsplit_once("/files-2.1/") {
        let mut parts = below.split('/');
        return parts.next().filter(|_| parts.next() == Some(artifact)).map(str::to_owned);
    }
    let below = ["/repository/", "/maven-repo/", "/maven2/"].iter().find_map(|root| directories.rsplit_once(root));
    let (artifact_directory, _version) = below?.1.rsplit_once('/')?;
    let (group, name) = artifact_directory.rsplit_once('/')?;
    (name == artifact).then(|| group.replace('/', "."))
}

/// An archive's file name, parted where the version begins.
#[derive(Debug)]
struct FileName<'a> {
    /// Without the extension.
    stem: &'a str,
    artifact: &'a str,
    version: Option<&'a str>,
}

impl<'a> FileName<'a> {
    fn of(path: &'a str, manifest: &'a Attributes) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        // What the manifest calls the version is one, whatever it looks like; a classifier may follow it.
        let stated = manifest_version(manifest).and_then(|version| {
            let at = stem.rfind(version)?;
            let artifact = stem[..at].strip_suffix('-')?;
            let end = at + version.len();
            // `jaxb-impl-2.2.3-1` was built again: what goes on with a number is still the version.
            let goes_on = stem[end..].strip_prefix('-').is_some_and(starts_with_digit);
            let ends = end == stem.len() || stem[end..].starts_with('-');
            (ends && !goes_on).then_some((artifact, &stem[at..end]))
        });
        match stated.or_else(|| split_version(stem)) {
            Some((artifact, version)) => Self { stem, artifact, version: Some(version) },
            None => Self { stem, artifact: stem, version: None },
        }
    }

    /// Whether a descriptor's version can be that of this file: a file name may state none, or one with a classifier.
    fn agrees_with(&self, version: &str) -> bool {
        self.version.is_none_or(|own| own.starts_with(version) || version.starts_with(own))
    }
}

/// Parts `netty-4.1.86.Final-linux-x86_64` into `netty` and `4.1.86.Final`.
///
/// The version begins at the first `-<digit>` after which no word other than a qualifier is followed by another number:
/// `log4j-1.2-api-2.14.1` is `log4j-1.2-api`.
fn split_version(stem: &str) -> Option<(&str, &str)> {
    let starts = stem.match_indices('-').map(|(at, _)| at);
    let at = starts.filter(|&at| starts_with_digit(&stem[at + 1..])).find(|&at| is_version(&stem[at + 1..]))?;
    let mut version = &stem[at + 1..];
    while let Some((before, _)) = version.rsplit_once('-').filter(|(_, word)| is_classifier(word)) {
        version = before;
    }
    Some((&stem[..at], version)).filter(|(artifact, _)| !artifact.is_empty())
}

fn is_version(text: &str) -> bool {
    let mut after_word = false;
    for part in text.split('-') {
        if starts_with_digit(part) {
            if after_word {
                return false;
            }
        } else {
            after_word |= !is_qualifier(part);
        }
    }
    true
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

fn is_qualifier(word: &str) -> bool {
    let word = word.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').to_ascii_lowercase();
    let qualifiers = [
        "alpha",
        "stable",
        "beta",
        "rc",
        "cr",
        "m",
        "b",
        "v",
        "ga",
        "sp",
        "final",
        "snapshot",
        "milestone",
        "build",
        "rev",
        "pre",
    ];
    qualifiers.contains(&word.as_str())
}

/// Words that tell variants of one version apart. Those that are part of versions (`32.1.2-jre`) are not among them.
fn is_classifier(word: &str) -> bool {
    let words = [
        "all",
        "shaded",
        "tests",
        "test",
        "sources",
        "javadoc",
        "standalone",
        "uber",
        "fat",
        "exec",
        "dependencies",
        "with",
        "jar",
        "nodep",
    ];
    let systems = [
        "linux", "osx", "macos", "windows", "x86_64", "x86_32", "aarch_64", "aarch64", "aarch32", "amd64", "arm64",
        "musl",
    ];
    words.contains(&word) || systems.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_part_where_the_version_begins() {
        for (stem, expected) in [
            ("guava-32.1.2-jre", Some(("guava", "32.1.2-jre"))),
            ("log4j-1.2-api-2.14.1", Some(("log4j-1.2-api", "2.14.1"))),
            (
                "netty-transport-native-epoll-4.1.86.Final-linux-x86_64",
                Some(("netty-transport-native-epoll", "4.1.86.Final")),
            ),
            (
                "plexus-container-default-1.0-alpha-9-stable-1",
                Some(("plexus-container-default", "1.0-alpha-9-stable-1")),
            ),
            ("app-1.0-20210101.123456-1", Some(("app", "1.0-20210101.123456-1"))),
            ("bcprov-jdk15on-1.70", Some(("bcprov-jdk15on", "1.70"))),
            ("shop-1.4-jar-with-dependencies", Some(("shop", "1.4"))),
            ("javax.inject-1", Some(("javax.inject", "1"))),
            ("ojdbc8", None),
            ("-1.0", None),
            ("", None),
        ] {
            assert_eq!(split_version(stem), expected, "{stem}");
        }
    }

    fn check(path: &str, manifest: &[(&str, &str)], expected: &[&str]) {
        let manifest = manifest.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let found = packages(path, &Texts { manifest, ..Texts::default() });
        let found: Vec<_> = found.iter().map(|it| format!("{} {}", it.name, it.version)).collect();
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn a_group_comes_from_what_says_it_most_surely() {
        let bundle = |name| [("bundle-symbolicname", name), ("implementation-vendor-id", "org.vendor")];
        check(
            "lib/reactor-core-3.4.0.jar",
            &bundle("io.projectreactor.reactor-core"),
            &["io.projectreactor:reactor-core 3.4.0"],
        );
        check("lib/widget-2.0.jar", &bundle("com.acme.widget"), &["com.acme.widget:widget 2.0"]);
        check("lib/widget-2.0.jar", &bundle("something"), &["org.vendor:widget 2.0"]);
        check("lib/widget-2.0.jar", &[("implementation-vendor-id", "org.apache")], &["widget 2.0"]);
        // As Hibernate 6 writes them.
        let hibernate =
            [("bundle-symbolicname", "org.hibernate.orm.core"), ("implementation-vendor-id", "org.hibernate")];
        check("lib/hibernate-core-6.5.3.Final.jar", &hibernate, &["org.hibernate.orm:hibernate-core 6.5.3.Final"]);
        check(
            "lib/jaxb-impl-2.2.3-1.jar",
            &[("implementation-version", "2.2.3"), ("implementation-vendor-id", "com.sun")],
            &["com.sun.xml.bind:jaxb-impl 2.2.3-1"],
        );
        check("lib/okhttp-4.9.0.jar", &[], &["com.squareup.okhttp3:okhttp 4.9.0"]);
        check("root/.m2/repository/org/acme/tool/1.2/tool-1.2.jar", &[], &["org.acme:tool 1.2"]);
        check(
            "home/.gradle/caches/modules-2/files-2.1/org.acme/tool/1.2/0a1b/tool-1.2.jar",
            &[],
            &["org.acme:tool 1.2"],
        );
        check(
            "lib/server-7.10.0.jar",
            &[("implementation-title", "org.elasticsearch#server;7.10.0")],
            &["org.elasticsearch:server 7.10.0"],
        );
    }

    #[test]
    fn an_archive_that_nothing_names_is_no_package() {
        check("app.jar", &[], &[]);
        check("lib/acme-1.0-sources.jar", &[], &[]);
        check("app.jar", &[("implementation-title", "shop"), ("implementation-version", "1.4")], &["shop 1.4"]);
        check(
            "lib/ojdbc8.jar",
            &[("implementation-title", "JDBC"), ("implementation-version", "19.3.0.0.0")],
            &["com.oracle.database.jdbc:ojdbc8 19.3.0.0.0"],
        );
        check(
            "lib/lucene-core.jar",
            &[("implementation-version", "8.0.0 2ae474")],
            &["org.apache.lucene:lucene-core 8.0.0"],
        );
    }
}
