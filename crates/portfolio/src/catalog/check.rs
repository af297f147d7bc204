//! Mistakes that only all files together show: doubles, references that lead nowhere, circles.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use condition::{Diagnostic, Place, nearest};

use super::document::{Loaded, Spot, Use};
use super::{Catalog, EntityRef};

/// So many are shown; each costs a walk through its file, and nobody reads more.
const MISTAKES_MAX: usize = 200;
/// So many members of a circle are named.
const NAMED_MAX: usize = 8;

/// Kinds whose entities are all in the catalog, so that a reference to one must lead somewhere.
const COMPLETE: &[&str] = &["component", "domain", "group", "resource", "system", "user"];

/// Codes of mistakes that keep a file, or the rest of it, from being read.
const INCOMPLETE: &[&str] = &["yaml", "too-large", "too-many-mistakes"];

/// Gathers mistakes between documents.
struct Mistakes<'f> {
    files: &'f [(&'f str, &'f str)],
    found: Vec<(Spot, &'static str, String, String)>,
}

impl Mistakes<'_> {
    fn add(&mut self, spot: Spot, code: &'static str, message: String, remedy: String) {
        if self.found.len() < MISTAKES_MAX {
            self.found.push((spot, code, message, remedy));
        }
    }

    fn is_full(&self) -> bool {
        self.found.len() == MISTAKES_MAX
    }

    /// `catalog.yaml:12`.
    fn say(&self, spot: Spot) -> String {
        format!("{}:{}", self.files.get(spot.file).map_or("", |(name, _)| name), spot.at.0)
    }

    fn into_diagnostics(self) -> Vec<Diagnostic> {
        let files = self.files;
        let place = |spot: Spot| {
            let (name, text) = files.get(spot.file).copied().unwrap_or_default();
            Place::new(name, text, spot.at.0, spot.at.1, spot.at.2)
        };
        let diagnostic = |(spot, code, message, remedy): (Spot, &'static str, String, String)| Diagnostic {
            code,
            message,
            place: place(spot),
            remedy: Some(remedy).filter(|remedy| !remedy.is_empty()),
        };
        self.found.into_iter().map(diagnostic).collect()
    }
}

impl Loaded {
    /// The catalog, if nothing is wrong with it.
    pub(super) fn finish(self, files: &[(&str, &str)]) -> Result<Catalog, Vec<Diagnostic>> {
        let Self { mut catalog, declared, uses, patterns, mut errors } = self;
        let mut mistakes = Mistakes { files, found: Vec::new() };
        let places = doubles(&mut mistakes, declared);
        // Where a part of the files was not understood, who is missing may be in it.
        if !errors.iter().any(|error| INCOMPLETE.contains(&error.code)) {
            dangling(&mut mistakes, &places, &uses);
        }
        double_patterns(&mut mistakes, &patterns);
        let inside = |field: &Use| match field.field {
            "parent" => Some((field.from.clone(), field.to.clone())),
            "children" => Some((field.to.clone(), field.from.clone())),
            _ => None,
        };
        circles(&mut mistakes, &places, uses.iter().filter_map(inside), "groups", "the parent of");
        let parts = uses.iter().filter(|field| field.field == "subcomponentOf");
        let parts = parts.map(|field| (field.from.clone(), field.to.clone()));
        circles(&mut mistakes, &places, parts, "components", "a part of");
        errors.extend(mistakes.into_diagnostics());
        let order: HashMap<&str, usize> = files.iter().enumerate().map(|(index, (name, _))| (*name, index)).collect();
        errors
            .sort_by_key(|error| (order.get(error.place.file.as_str()).copied(), error.place.line, error.place.column));
        complete(&mut catalog, &uses);
        if errors.is_empty() { Ok(catalog) } else { Err(errors) }
    }
}

/// Where each entity is declared first; the others are mistakes.
fn doubles(mistakes: &mut Mistakes<'_>, declared: Vec<(EntityRef, Spot)>) -> BTreeMap<EntityRef, Spot> {
    let mut places = BTreeMap::new();
    for (reference, spot) in declared {
        match places.get(&reference) {
            None => _ = places.insert(reference, spot),
            Some(first) => {
                let remedy =
                    format!("the first is at {}; give one of them another name or namespace", mistakes.say(*first));
                mistakes.add(spot, "duplicate-entity", format!("there is already a `{reference}`"), remedy);
            }
        }
    }
    places
}

fn dangling(mistakes: &mut Mistakes<'_>, places: &BTreeMap<EntityRef, Spot>, uses: &[Use]) {
    for Use { field, to, spot, .. } in uses {
        if places.contains_key(to) || !COMPLETE.contains(&to.kind()) {
            continue;
        }
        if mistakes.is_full() {
            return;
        }
        let same_kind = || places.keys().filter(|other| other.kind() == to.kind());
        let elsewhere = same_kind().find(|other| other.name() == to.name());
        let near = || nearest(to.name(), same_kind().map(EntityRef::name));
        let near = elsewhere.or_else(|| near().and_then(|name| same_kind().find(|other| other.name() == name)));
        let remedy = match near.and_then(|near| places.get(near).map(|spot| (near, spot))) {
            Some((near, spot)) => format!("did you mean `{}` of {}?", near.short(), mistakes.say(*spot)),
            None => format!("declare it as an entity of its own, or correct `{field}`"),
        };
        mistakes.add(*spot, "dangling-reference", format!("there is no `{to}`, which `{field}` refers to"), remedy);
    }
}

fn double_patterns(mistakes: &mut Mistakes<'_>, patterns: &[(String, EntityRef, Spot)]) {
    let mut seen: HashMap<&str, (&EntityRef, Spot)> = HashMap::new();
    for (pattern, whose, spot) in patterns {
        match seen.get(pattern.as_str()) {
            None => _ = seen.insert(pattern, (whose, *spot)),
            Some((first, _)) if *first == whose => {}
            Some((first, at)) => {
                let message = format!("`{pattern}` belongs to `{first}` already");
                let remedy = format!("it is said at {}; take it away from one of them", mistakes.say(*at));
                mistakes.add(*spot, "duplicate-pattern", message, remedy);
            }
        }
    }
}

/// Finds entities that are inside themselves.
fn circles(
    mistakes: &mut Mistakes<'_>,
    places: &BTreeMap<EntityRef, Spot>,
    edges: impl Iterator<Item = (EntityRef, EntityRef)>,
    what: &str,
    relation: &str,
) {
    let mut outer: BTreeMap<EntityRef, BTreeSet<EntityRef>> = BTreeMap::new();
    edges.for_each(|(inner, outside)| _ = outer.entry(inner).or_default().insert(outside));
    for circle in circles_of(&outer) {
        let named: Vec<String> = circle
            .iter()
            .take(NAMED_MAX)
            .map(|reference| match places.get(*reference) {
                Some(spot) => format!("`{}` ({})", reference.short(), mistakes.say(*spot)),
                None => format!("`{}`", reference.short()),
            })
            .collect();
        let more = if circle.len() > NAMED_MAX { " and others" } else { "" };
        let message = format!("these {what} are inside themselves: {}{more}", named.join(", "));
        let Some(spot) = circle.first().and_then(|first| places.get(*first)) else { continue };
        let remedy = format!("let one of them not name another as {relation} itself");
        mistakes.add(*spot, "circle", message, remedy);
    }
}

/// The circles of a relation, each once. Without recursion: a chain may be as long as the file.
fn circles_of(outer: &BTreeMap<EntityRef, BTreeSet<EntityRef>>) -> Vec<Vec<&EntityRef>> {
    // Who has nothing outside it is in no circle; without it, who was directly inside it may have nothing left.
    let mut inside: HashMap<&EntityRef, Vec<&EntityRef>> = HashMap::new();
    let mut left: HashMap<&EntityRef, usize> = HashMap::new();
    for (inner, outsides) in outer {
        left.insert(inner, outsides.len());
        outsides.iter().for_each(|outside| inside.entry(outside).or_default().push(inner));
    }
    let mut free: Vec<&EntityRef> = inside.keys().copied().filter(|outside| !left.contains_key(outside)).collect();
    while let Some(outside) = free.pop() {
        for inner in inside.get(outside).into_iter().flatten() {
            if let Some(count) = left.get_mut(inner) {
                *count -= 1;
                if *count == 0 {
                    left.remove(inner);
                    free.push(inner);
                }
            }
        }
    }
    let mut circles = Vec::new();
    let mut walked: BTreeSet<&EntityRef> = BTreeSet::new();
    for start in outer.keys().filter(|inner| left.contains_key(inner)) {
        let mut path: Vec<&EntityRef> = Vec::new();
        let mut on_path: HashMap<&EntityRef, usize> = HashMap::new();
        let mut at = Some(start);
        while let Some(here) = at.filter(|here| walked.insert(here)) {
            on_path.insert(here, path.len());
            path.push(here);
            at = outer.get(here).and_then(|outsides| outsides.iter().find(|outside| left.contains_key(outside)));
        }
        if let Some(begin) = at.and_then(|here| on_path.get(here)) {
            circles.push(path.split_off(*begin));
        }
    }
    circles
}

/// Lets both sides know who is in which team and which team is inside which.
///
/// By name, so that the order of files does not matter; only what a person says of their own teams keeps its order.
fn complete(catalog: &mut Catalog, uses: &[Use]) {
    let mut said: BTreeMap<(&EntityRef, &str), BTreeSet<&EntityRef>> = BTreeMap::new();
    for Use { from, field, to, .. } in uses {
        said.entry((to, field)).or_default().insert(from);
    }
    let told = |of: &EntityRef, field: &str| -> Vec<EntityRef> {
        said.get(&(of, field)).into_iter().flatten().map(|from| (*from).clone()).collect()
    };
    for (reference, team) in &mut catalog.teams {
        let parents: BTreeSet<_> = team.parents.drain(..).chain(told(reference, "children")).collect();
        let members: BTreeSet<_> = team.members.drain(..).chain(told(reference, "memberOf")).collect();
        team.parents.extend(parents);
        team.members.extend(members);
    }
    for (reference, person) in &mut catalog.people {
        let mut seen = BTreeSet::new();
        let all = person.teams.drain(..).chain(told(reference, "members"));
        person.teams = all.filter(|team| seen.insert(team.clone())).collect();
    }
}
