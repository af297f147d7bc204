//! Perl distributions: what cpanm notes of each that it installs, and the log that every installation of a module leaves.
//!
//! Source: App::cpanminus (`.meta/DISTRIBUTION/install.json`); ExtUtils::Install and perllocal(1) (`perllocal.pod`). The log
//! names modules, not distributions, and no author: what cpanm installed is in both, and the log's entry joins it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::{PackageFact, Parsed};
use model::package::PackageType;

/// Perl distributions.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "perl", version: 1, scope: Scope::Installed, wants, parse };

/// A distribution with a thousand modules takes about 100 KiB.
const NOTE_BYTES_MAX: u64 = 4 << 20;

/// An entry is below 1 KiB; logs of years of upgrades are a few MiB.
const LOG_BYTES_MAX: u64 = 32 << 20;

const LOG: &str = "/perllocal.pod";

fn wants(file: &FileHead<'_>) -> bool {
    file.path.ends_with(LOG) || (file.path.ends_with("/install.json") && file.path.contains("/.meta/"))
}

fn parse(file: &File<'_>) -> Parsed {
    let is_log = file.path.ends_with(LOG);
    let bytes = match file.bytes(if is_log { LOG_BYTES_MAX } else { NOTE_BYTES_MAX }) {
        Ok(bytes) => bytes,
        Err(problem) => return problem,
    };
    if is_log {
        return Parsed::packages(logged(&String::from_utf8_lossy(&bytes)));
    }
    match serde_json::from_slice::<Note>(&bytes) {
        Ok(note) => match note.package() {
            Some(package) => Parsed::packages([package]),
            None => Parsed::malformed("it names no distribution"),
        },
        Err(error) => Parsed::malformed(format_args!("not cpanm's note: {error}")),
    }
}

#[derive(Deserialize)]
struct Note {
    /// `Mojolicious-9.31`.
    dist: Option<String>,
    /// `S/SR/SRI/Mojolicious-9.31.tar.gz`, below the archive's `authors/id`.
    pathname: Option<String>,
    version: Option<serde_json::Value>,
}

impl Note {
    fn package(&self) -> Option<PackageFact> {
        let dist = self.dist.as_deref()?;
        let (name, version) = match dist.rsplit_once('-') {
            Some((name, version)) if version.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()) => {
                (name, version)
            }
            _ => (dist, self.version.as_ref().and_then(|version| version.as_str()).unwrap_or_default()),
        };
        let author = self.pathname.as_deref().and_then(|path| path.rsplit('/').nth(1)).filter(|it| !it.is_empty());
        let name = match author {
            Some(author) => format!("{author}/{name}"),
            None => name.to_owned(),
        };
        Some(cpan(name, version))
    }
}

fn cpan(name: String, version: &str) -> PackageFact {
    PackageFact::new(PackageType::Other("cpan".to_owned()), name, version)
}

/// The last entry of each module: `=head2 DATE: C<Module> L<Mojolicious|Mojolicious>`, then items such as
/// `C<VERSION: 9.31>`.
fn logged(text: &str) -> impl Iterator<Item = PackageFact> {
    let mut versions = BTreeMap::new();
    let mut module = None;
    for line in text.lines() {
        if line.starts_with("=head") {
            let link = line.split_once("C<Module>").and_then(|(_, rest)| rest.split_once("L<"));
            module = link.and_then(|(_, link)| link.split(['|', '>']).next());
        } else if let (Some(module), Some(version)) = (module, line.trim().strip_prefix("C<VERSION: ")) {
            versions.insert(module, version.trim_end_matches('>'));
        }
    }
    let claim =
        |(module, version): (&str, &str)| PackageFact { claimed: true, ..cpan(module.replace("::", "-"), version) };
    versions.into_iter().map(claim).collect::<Vec<_>>().into_iter()
}
