//! Owners that labels propose.

use std::collections::BTreeMap;

use super::{How, Ownership};
use crate::catalog::{Catalog, DEFAULT_NAMESPACE, EntityRef, Team, TeamRef};

/// The labels that are asked, in this order: those that mean an owner first, those that only often name one last.
pub const LABELS: &[&str] = &[
    "team",
    "owner",
    "org.opencontainers.image.authors",
    "org.opencontainers.image.vendor",
    "org.opencontainers.image.source",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/managed-by",
    "com.docker.compose.project",
];

/// A label longer than this names no team, and is not looked at.
const VALUE_BYTES_MAX: usize = 1024;

/// The first label that names a team of the catalog, or a person who is in one.
pub(super) fn propose(labels: &BTreeMap<String, String>, catalog: &Catalog) -> Option<Ownership> {
    LABELS.iter().find_map(|label| {
        let value = labels.get(*label).filter(|value| value.len() <= VALUE_BYTES_MAX)?;
        let team = names(label, value).into_iter().find_map(|name| team_called(catalog, name))?;
        Some(Ownership { team: team.clone(), how: How::Proposed { label: (*label).to_owned() } })
    })
}

/// What in a value may be a name.
fn names<'v>(label: &str, value: &'v str) -> Vec<&'v str> {
    if label == "org.opencontainers.image.source" {
        // `https://git.example/team-a/shop.git`: who owns the repository, and groups within groups.
        let path = value.split("://").last().unwrap_or(value).split_once('/').map_or("", |(_, path)| path);
        return path.split('/').collect();
    }
    // `Jo Miller <jo@org.example>, storefront`.
    let mut names = Vec::new();
    for part in value.split([',', ';']) {
        match part.split_once('<') {
            Some((name, rest)) => names.extend([rest.split('>').next().unwrap_or_default().trim(), name.trim()]),
            None => names.push(part.trim()),
        }
    }
    names
}

/// The team that a name means: by reference, by mail address, by the name it is shown with. A name that two teams have means none.
fn team_called<'c>(catalog: &'c Catalog, name: &str) -> Option<&'c TeamRef> {
    if name.is_empty() {
        return None;
    }
    let reference = EntityRef::parse(name.trim_start_matches('@'), Some("group"), DEFAULT_NAMESPACE).ok();
    if let Some(team) = reference.and_then(|reference| catalog.team_of(&reference)) {
        return Some(team);
    }
    let is = |text: &Option<String>| text.as_deref().is_some_and(|text| text.to_lowercase() == name.to_lowercase());
    let known = |team: &&Team| is(&team.email) || is(&team.display_name) || is(&team.metadata.title);
    let mut teams = catalog.teams.values().filter(known);
    match (teams.next(), teams.next()) {
        (Some(team), None) => return Some(&team.metadata.reference),
        (Some(_), Some(_)) => return None,
        (None, _) => {}
    }
    let mut people = catalog.people.values().filter(|person| name.contains('@') && is(&person.email));
    people.next()?.teams.first()
}
