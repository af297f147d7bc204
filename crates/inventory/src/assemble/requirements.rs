//! Which package needs which: names in metadata become packages of the same inventory.

use std::collections::HashMap;

use model::ecosystem::normalise_name;
use model::package::{PackageId, PackageType};

use super::Draft;
use crate::fact::Requirement;

/// For each draft, in order, the packages it needs. A needed package that was not found is left out.
pub(super) fn resolve(drafts: &[Draft]) -> Vec<Vec<PackageId>> {
    let index = Index::of(drafts);
    drafts.iter().map(|draft| index.needs(draft)).collect()
}

struct Index<'a> {
    /// Installed npm packages by directory.
    npm: HashMap<&'a str, u32>,
    /// Everything else, with its version.
    by_place: HashMap<Place<'a>, Vec<(u32, &'a str)>>,
}

/// Where a package is declared or installed, and its name there.
type Place<'a> = (&'a PackageType, &'a str, String);

impl<'a> Index<'a> {
    fn of(drafts: &'a [Draft]) -> Self {
        let mut index = Self { npm: HashMap::new(), by_place: HashMap::new() };
        for (number, draft) in drafts.iter().enumerate() {
            for evidence in &draft.evidence {
                if let Some(directory) = npm_directory(draft, &evidence.path) {
                    index.npm.insert(directory, number as u32);
                }
                let key =
                    (world(&draft.fact.kind), place(draft, &evidence.path), name(&draft.fact.kind, &draft.fact.name));
                index.by_place.entry(key).or_default().push((number as u32, &draft.fact.version));
            }
        }
        index
    }

    fn needs(&self, draft: &Draft) -> Vec<PackageId> {
        let mut needs = Vec::new();
        for evidence in &draft.evidence {
            for requirement in &draft.fact.requires {
                let found = match npm_directory(draft, &evidence.path) {
                    Some(directory) => self.node_resolution(directory, &requirement.name),
                    None => self.beside(draft, &evidence.path, requirement),
                };
                needs.extend(found.map(PackageId));
            }
        }
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    /// Node's own rule: the nearest `node_modules` from the package's directory upwards (Node.js documentation, "Loading
    /// from node_modules folders").
    fn node_resolution(&self, directory: &str, name: &str) -> Option<u32> {
        let mut from = directory;
        loop {
            let candidate =
                if from.is_empty() { format!("node_modules/{name}") } else { format!("{from}/node_modules/{name}") };
            if let Some(&found) = self.npm.get(candidate.as_str()) {
                return Some(found);
            }
            from = match from.rfind('/') {
                Some(slash) => &from[..slash],
                None if from.is_empty() => return None,
                None => "",
            };
        }
    }

    fn beside(&self, draft: &Draft, path: &str, requirement: &Requirement) -> Option<u32> {
        let key = (world(&draft.fact.kind), place(draft, path), name(&draft.fact.kind, &requirement.name));
        let found = self.by_place.get(&key)?;
        let exact =
            requirement.version.as_deref().and_then(|version| found.iter().find(|(_, other)| *other == version));
        exact.or(found.first()).map(|(number, _)| *number)
    }
}

/// The directory of an installed npm package: what `package.json` is in.
fn npm_directory<'a>(draft: &Draft, path: &'a str) -> Option<&'a str> {
    path.strip_suffix("/package.json").filter(|_| draft.fact.kind == PackageType::Npm)
}

/// What must be equal for one package to find another: the lock file that names both, or the directory that the language's
/// package manager installs into.
fn place<'a>(draft: &Draft, path: &'a str) -> &'a str {
    let file = path.split("!/").next().unwrap_or(path);
    let above = |levels: usize| (0..levels).try_fold(file, |path, _| path.rsplit_once('/').map(|(parent, _)| parent));
    let python = path.split_once(".dist-info/").or_else(|| path.split_once(".egg-info"));
    let directory = match file.rsplit(['/', '.']).next().unwrap_or(file) {
        // `site-packages`
        _ if draft.fact.kind == PackageType::PyPi && python.is_some() => {
            python.map(|(directory, _)| directory.rsplit_once('/').map_or("", |(parent, _)| parent))
        }
        // `specifications`, with what comes with Ruby in `default` below it
        "gemspec" => above(1).map(|directory| directory.strip_suffix("/default").unwrap_or(directory)),
        // GHC's package database
        "conf" => above(1),
        "json" => above(1).filter(|directory| directory.ends_with("conda-meta")),
        // R's library, above `NAME`
        "DESCRIPTION" => above(2),
        // `lib` above `NAME-VERSION/ebin`, the depot's `packages` above `NAME/SLUG`
        "app" => above(3),
        "toml" if draft.fact.kind == PackageType::Julia => above(3),
        _ => None,
    };
    directory.unwrap_or(file)
}

/// The sort among which packages find each other: those of Bioconductor need those of CRAN, those of JSR those of npm.
fn world(kind: &PackageType) -> &PackageType {
    match kind {
        PackageType::Bioconductor => &PackageType::Cran,
        PackageType::Other(name) if name == "jsr" => &PackageType::Npm,
        _ => kind,
    }
}

fn name(kind: &PackageType, name: &str) -> String {
    if *kind == PackageType::PyPi { normalise_name("PyPI", name) } else { name.to_owned() }
}
