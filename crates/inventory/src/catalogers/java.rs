//! Java archives: what is in a jar, and in the jars within it.
//!
//! An archive names packages in two ways. Every `META-INF/maven/<group>/<artifact>/pom.properties` is one package: an
//! archive with several is shaded, and what was merged into it is there. When none of them describes the archive itself,
//! its manifest and its file name do, as far as they say: see [`identity`]. Nested archives are read the same way.
//!
//! Source: JAR File Specification; Maven Archiver documentation (`pom.properties`); Spring Boot, "Executable jar file
//! structure". **Never:** classes are not looked at.

use std::io;

use super::zip_directory::{Member, ZipDirectory, ZipError};
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::content::{ReadAt, Spool};
use crate::fact::{Fact, Parsed, Problem};
use identity::{Descriptor, Texts};
use model::gap::GapKind;

mod groups;
mod identity;
mod manifest;

/// Java archives by name.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "java", version: 2, scope: Scope::Installed, wants, parse };

/// Run times load an archive in an archive in an archive (ear, war, jar) at most; a shaded jar may be one more.
const NESTING_MAX: usize = 8;
/// The largest application archives seen hold some thousand.
const ARCHIVES_MAX: usize = 10_000;
/// All deflated archives within one file together, inflated. Larger than the largest application archives seen.
const NESTED_BYTES_MAX: u64 = 2 << 30;
/// An archive within an archive is compressed already, or its directory is mostly text: past this it is a bomb.
const EXPANSION_MAX: u64 = 100;
/// Below this, expansion does not matter.
const EXPANSION_FREE_BYTES: u64 = 1 << 20;
/// All members of all archives in one file: so many are walked in about a second.
const MEMBERS_MAX: u64 = 4_000_000;
/// A signed jar's manifest has a section per class; the main section comes first and is rarely above 100 KiB.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// Three short lines and a date, about 120 bytes.
const PROPERTIES_BYTES_MAX: u64 = 8 << 10;
/// All manifests and `pom.properties` of all archives in one file; they are about 5 KiB for each archive.
const TEXTS_BYTES_MAX: u64 = 64 << 20;
/// The most merged jars seen have about 300 descriptors.
const DESCRIPTORS_MAX: usize = 10_000;
/// The paths of one archive's descriptors and nested archives together, because a hostile path can have 64 KiB.
const PATHS_BYTES_MAX: usize = 4 << 20;

/// More packages and problems in one file tell a reader nothing; the largest application archives seen have thousands
/// of packages.
const PACKAGES_MAX: usize = 100_000;
const PROBLEMS_MAX: usize = 1_000;

fn wants(file: &FileHead<'_>) -> bool {
    match ArchiveName::of(file.path) {
        // An executable jar begins with a launch script, so the name is enough.
        Some(ArchiveName::Java) => true,
        Some(ArchiveName::Ambiguous) => file.head.starts_with(b"PK"),
        None => false,
    }
}

/// How much a file's extension says.
enum ArchiveName {
    /// Used for Java archives only.
    Java,
    /// Other formats use it, too.
    Ambiguous,
}

impl ArchiveName {
    fn of(path: &str) -> Option<Self> {
        let (_, extension) = path.rsplit_once('.')?;
        let is = |names: &[&str]| names.iter().any(|name| extension.eq_ignore_ascii_case(name));
        if is(&["jar", "war", "ear", "jpi", "hpi"]) {
            Some(Self::Java)
        } else if is(&["par", "sar", "nar", "kar", "lpkg", "rar"]) {
            Some(Self::Ambiguous)
        } else {
            None
        }
    }
}

fn parse(file: &File<'_>) -> Parsed {
    let mut walk =
        Walk { spool: file.spool, parsed: Parsed::default(), archives: 0, members: 0, nested_bytes: 0, texts_bytes: 0 };
    walk.archive(file.content, &Place { path: file.path, inside: None, depth: 0 });
    walk.parsed
}

/// Where an archive is.
struct Place<'a> {
    /// Its path: in the artifact, or in the archive around it.
    path: &'a str,
    /// Its path inside the outermost file; none for that file itself.
    inside: Option<String>,
    depth: usize,
}

impl Place<'_> {
    fn of_member(&self, member: &str) -> String {
        match &self.inside {
            Some(inside) => format!("{inside}!/{member}"),
            None => member.to_owned(),
        }
    }
}

/// One file's archives, and how much of what is allowed was used.
struct Walk<'a> {
    spool: &'a dyn Spool,
    parsed: Parsed,
    archives: usize,
    members: u64,
    nested_bytes: u64,
    texts_bytes: u64,
}

/// The members of one archive that matter.
#[derive(Default)]
struct Wanted {
    manifest: Option<Member>,
    /// `pom.properties`, with their paths.
    properties: Vec<(String, Member)>,
    /// Groups and artifacts that a directory below `META-INF/maven` names, with or without `pom.properties`.
    descriptors: Vec<Descriptor>,
    nested: Vec<(String, Member)>,
    encrypted: u64,
    paths_bytes: usize,
    /// Some were left out, because there are too many.
    overflow: bool,
}

impl Wanted {
    fn take(&mut self, name: &[u8], member: Member) {
        self.encrypted += u64::from(member.is_encrypted());
        let Ok(name) = std::str::from_utf8(name) else { return };
        if name.eq_ignore_ascii_case("META-INF/MANIFEST.MF") {
            self.manifest.get_or_insert(member);
        } else if let Some(rest) = name.strip_prefix("META-INF/maven/") {
            if let Some(descriptor) = Descriptor::of_path(rest).filter(|_| self.keeps(name, self.descriptors.len())) {
                self.descriptors.push(descriptor);
                if name.ends_with("/pom.properties") {
                    self.properties.push((name.to_owned(), member));
                }
            }
        } else if ArchiveName::of(name).is_some() && self.keeps(name, 0) {
            self.nested.push((name.to_owned(), member));
        }
    }

    /// Whether one more path can be kept beside `others` of its kind.
    fn keeps(&mut self, path: &str, others: usize) -> bool {
        self.paths_bytes += path.len();
        let fits = self.paths_bytes <= PATHS_BYTES_MAX && others < DESCRIPTORS_MAX;
        self.overflow |= !fits;
        fits
    }
}

impl Walk<'_> {
    fn archive(&mut self, content: &dyn ReadAt, place: &Place<'_>) {
        self.archives += 1;
        let (directory, wanted) = match self.open(content) {
            Ok(opened) => opened,
            Err(error) => return self.problem(&error, place.inside.clone()),
        };
        if wanted.encrypted > 0 {
            let detail = format!("{} of its members are encrypted", wanted.encrypted);
            self.push_problem(GapKind::Encrypted, detail, place.inside.clone());
        }
        if directory.follows_another().unwrap_or(true) {
            let detail = "another archive begins before the one that was read: it is cut off, or two are joined";
            self.push_problem(GapKind::Malformed, detail.to_owned(), place.inside.clone());
        }
        if wanted.overflow {
            let detail = "it has more descriptors and nested archives than are looked at";
            self.push_problem(GapKind::LimitExceeded, detail.to_owned(), place.inside.clone());
        }
        let texts = self.texts(&directory, &wanted, place);
        let packages = identity::packages(place.path, &texts);
        if self.parsed.facts.len() + packages.len() > PACKAGES_MAX {
            let detail = format!("the file holds more than {PACKAGES_MAX} packages");
            return self.push_problem(GapKind::LimitExceeded, detail, place.inside.clone());
        }
        for mut package in packages {
            package.inside = place.inside.clone();
            self.parsed.facts.push(Fact::Package(package));
        }
        // The recursion below should not hold every level's texts.
        drop(texts);
        for (name, member) in &wanted.nested {
            self.nested(&directory, name, member, place);
        }
    }

    fn open<'c>(&mut self, content: &'c dyn ReadAt) -> Result<(ZipDirectory<'c>, Wanted), ZipError> {
        let directory = ZipDirectory::open(content)?;
        let mut wanted = Wanted::default();
        let members_left = MEMBERS_MAX.saturating_sub(self.members);
        let mut seen = 0;
        let result = directory.visit(|name, member| {
            wanted.take(name, member);
            seen += 1;
            seen <= members_left
        });
        self.members += seen;
        result?;
        if seen > members_left { Err(ZipError::TooManyMembers) } else { Ok((directory, wanted)) }
    }

    /// Reads the manifest and every `pom.properties`. Encrypted ones are reported with the archive.
    fn texts(&mut self, directory: &ZipDirectory<'_>, wanted: &Wanted, place: &Place<'_>) -> Texts {
        let mut texts = Texts { descriptors: wanted.descriptors.clone(), ..Texts::default() };
        if let Some(member) = &wanted.manifest {
            let bytes = self.text(directory, "META-INF/MANIFEST.MF", member, MANIFEST_BYTES_MAX, place);
            texts.manifest = manifest::parse(&bytes.unwrap_or_default());
        }
        for (name, member) in &wanted.properties {
            if let Some(bytes) = self.text(directory, name, member, PROPERTIES_BYTES_MAX, place) {
                texts.properties.push((name.clone(), manifest::parse_properties(&bytes)));
            }
        }
        texts
    }

    fn text(
        &mut self,
        directory: &ZipDirectory<'_>,
        name: &str,
        member: &Member,
        size_max: u64,
        place: &Place<'_>,
    ) -> Option<Vec<u8>> {
        let left = TEXTS_BYTES_MAX.saturating_sub(self.texts_bytes);
        if left == 0 && self.texts_bytes != u64::MAX {
            let detail = format!("the descriptors in this file are longer than {TEXTS_BYTES_MAX} bytes");
            self.push_problem(GapKind::LimitExceeded, detail, Some(place.of_member(name)));
            // Said once, and nothing more is read.
            self.texts_bytes = u64::MAX;
        }
        if self.texts_bytes == u64::MAX {
            return None;
        }
        match directory.beginning(member, size_max.min(left)) {
            Ok(bytes) => {
                self.texts_bytes += bytes.len() as u64;
                Some(bytes)
            }
            Err(ZipError::Encrypted) => None,
            Err(error) => {
                self.problem(&error, Some(place.of_member(name)));
                None
            }
        }
    }

    fn nested(&mut self, directory: &ZipDirectory<'_>, name: &str, member: &Member, place: &Place<'_>) {
        let inner = Place { path: name, inside: Some(place.of_member(name)), depth: place.depth + 1 };
        if inner.depth > NESTING_MAX {
            let detail = format!("archives are nested more than {NESTING_MAX} deep");
            return self.push_problem(GapKind::LimitExceeded, detail, inner.inside);
        }
        if self.archives >= ARCHIVES_MAX {
            // Said once: the next one would say the same.
            if self.archives == ARCHIVES_MAX {
                self.archives += 1;
                let detail = format!("the file holds more than {ARCHIVES_MAX} archives");
                self.push_problem(GapKind::LimitExceeded, detail, inner.inside);
            }
            return;
        }
        let content = match self.nested_content(directory, member) {
            Ok(NestedContent::InPlace(part)) => return self.archive(&part, &inner),
            Ok(NestedContent::Inflated(content)) => content,
            Err(ZipError::Encrypted) => return,
            Err(ZipError::Io(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
                let detail = format!(
                    "inflates to more than {EXPANSION_MAX} times its size, or nested archives together to more than \
                     {NESTED_BYTES_MAX} bytes"
                );
                return self.push_problem(GapKind::LimitExceeded, detail, inner.inside);
            }
            Err(error) => return self.problem(&error, inner.inside),
        };
        self.nested_bytes += content.size();
        self.archive(&content, &inner);
    }

    fn nested_content<'c>(&self, directory: &ZipDirectory<'c>, member: &Member) -> Result<NestedContent<'c>, ZipError> {
        if let Some(part) = directory.in_place(member)? {
            return Ok(NestedContent::InPlace(part));
        }
        let size_max = member
            .stored_bytes()
            .saturating_mul(EXPANSION_MAX)
            .max(EXPANSION_FREE_BYTES)
            .min(NESTED_BYTES_MAX.saturating_sub(self.nested_bytes));
        directory.read(member, |reader| self.spool.spool(reader, size_max)).map(NestedContent::Inflated)
    }

    fn problem(&mut self, error: &ZipError, inside: Option<String>) {
        self.push_problem(error.kind(), error.to_string(), inside);
    }

    fn push_problem(&mut self, kind: GapKind, detail: String, inside: Option<String>) {
        let problem = match self.parsed.problems.len() {
            count if count < PROBLEMS_MAX => Problem { kind, detail, inside },
            PROBLEMS_MAX => {
                let detail = format!("more than {PROBLEMS_MAX} problems in this file; the others are not listed");
                Problem { kind: GapKind::LimitExceeded, detail, inside: None }
            }
            _ => return,
        };
        self.parsed.problems.push(problem);
    }
}

enum NestedContent<'a> {
    InPlace(crate::content::Part<'a>),
    Inflated(Box<dyn ReadAt>),
}
