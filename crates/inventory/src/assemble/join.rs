//! Which drafts are one package: what several files tell of it is brought together.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::ecosystem::normalise_name;
use model::package::PackageType;
use model::version::{Scheme, compare_lenient};

use super::owners::{self, Owners};
use super::{Draft, NodeId};
use crate::fact::Requirement;
use crate::tree::Tree;

/// A language package whose file an OS package owns is that OS package: its purl is kept with the owner, and advisories of
/// the distribution decide.
pub(super) fn owned(drafts: Vec<Draft>, owners: &Owners) -> Vec<Draft> {
    let (mut os, mut language): (Vec<_>, Vec<_>) = drafts.into_iter().partition(|draft| draft.fact.kind.is_os());
    let by_key: HashMap<_, _> = os.iter().enumerate().map(|(index, draft)| (owners::key(&draft.fact), index)).collect();
    language.retain_mut(|draft| {
        let Some(&owner) = owners.of_node(draft.node).and_then(|owner| by_key.get(owner)) else { return true };
        os[owner].provides.push(draft.purl(None));
        os[owner].evidence.append(&mut draft.evidence);
        false
    });
    for draft in &mut os {
        draft.provides.sort();
        draft.provides.dedup();
        let mut seen = HashSet::new();
        draft.evidence.retain(|evidence| seen.insert(evidence.clone()));
    }
    os.append(&mut language);
    os
}

/// A Python (or R, or Node.js) package that Conda installed is one package. It keeps the name that advisories know it by;
/// Conda's record is further evidence, and its purl another name.
///
/// Some records own packages that are something else: Conda's `python` brings wheels of `pip` along. So name or version
/// must be the same.
pub(super) fn conda(drafts: Vec<Draft>, tree: &Tree) -> Vec<Draft> {
    let (mut records, mut others): (Vec<_>, Vec<_>) = drafts.into_iter().partition(|draft| draft.cataloger == "conda");
    let mut owners: HashMap<NodeId, usize> = HashMap::new();
    for (index, record) in records.iter().enumerate() {
        owners.extend(
            record.fact.files.iter().filter_map(|path| tree.resolve(path.as_bytes())).map(|node| (node, index)),
        );
    }
    let mut joined = vec![false; records.len()];
    for draft in others.iter_mut().filter(|draft| draft.fact.inside.is_none()) {
        let Some(&index) = owners.get(&draft.node) else { continue };
        let record = &records[index];
        let same_name = normalise_name("PyPI", &draft.fact.name) == normalise_name("PyPI", &record.fact.name);
        let order = compare_lenient(Scheme::PyPi, &draft.fact.version, &record.fact.version);
        if same_name || order.is_some_and(|order| order.is_eq()) {
            joined[index] = true;
            draft.provides.push(record.purl(None));
            draft.evidence.extend(record.evidence.iter().cloned());
            if draft.fact.licenses.is_empty() {
                draft.fact.licenses = record.fact.licenses.clone();
            }
        }
    }
    let mut joined = joined.into_iter();
    records.retain(|_| joined.next() != Some(true));
    others.append(&mut records);
    others
}

/// What documents in the artifact claim is further evidence of what was found, or of what an earlier document claims;
/// where an OS package owns the document, it is that package, as in [`owned`]. The rest is taken at its word, except for OS
/// packages where there is a database of their kind: that one is whole.
pub(super) fn claims(mut drafts: Vec<Draft>, claims: Vec<Draft>, owners: &Owners) -> Vec<Draft> {
    let databases: HashSet<PackageType> =
        drafts.iter().map(|draft| &draft.fact.kind).filter(|kind| kind.is_os()).cloned().collect();
    let mut by_owner: HashMap<_, usize> = HashMap::new();
    let mut known: HashMap<_, usize> = HashMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        known.entry(claim_key(draft)).or_insert(index);
        if draft.fact.kind.is_os() {
            by_owner.insert(owners::key(&draft.fact), index);
        }
    }
    for claim in claims {
        let key = claim_key(&claim);
        let owner = owners.of_node(claim.node).and_then(|owner| by_owner.get(owner));
        if let Some(&index) = known.get(&key) {
            drafts[index].take_claim(claim);
        } else if claim.fact.kind.is_os() && databases.contains(&claim.fact.kind) {
            continue;
        } else if let Some(&owner) = owner.filter(|_| !claim.fact.kind.is_os()) {
            let purl = claim.purl(None);
            if !drafts[owner].provides.contains(&purl) {
                drafts[owner].provides.push(purl);
            }
            drafts[owner].take_claim(claim);
        } else {
            known.insert(key, drafts.len());
            drafts.push(claim);
        }
    }
    drafts
}

/// What makes a claim the same as something found. Of Perl's distributions not every source tells the author, which
/// stands before the name.
fn claim_key(draft: &Draft) -> (PackageType, String, String) {
    let fact = &draft.fact;
    let name = match &fact.kind {
        PackageType::Other(kind) if kind == "cpan" => fact.name.rsplit('/').next().unwrap_or(&fact.name).to_owned(),
        kind => ecosystem_name(kind, &fact.name),
    };
    (fact.kind.clone(), name, fact.version.clone())
}

fn ecosystem_name(kind: &PackageType, name: &str) -> String {
    match kind {
        PackageType::PyPi => normalise_name("PyPI", name),
        PackageType::Composer | PackageType::NuGet => name.to_lowercase(),
        _ => name.to_owned(),
    }
}

/// In a directory the same package is often both locked and installed; there it is one package with several evidences.
pub(super) fn same(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut joined: BTreeMap<_, Draft> = BTreeMap::new();
    for draft in drafts {
        let key =
            (draft.fact.kind.clone(), draft.fact.name.clone(), draft.fact.version.clone(), draft.fact.arch.clone());
        match joined.entry(key) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(draft);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => place.get_mut().absorb(draft),
        }
    }
    joined.into_values().collect()
}

impl Draft {
    fn take_claim(&mut self, claim: Draft) {
        if self.fact.licenses.is_empty() {
            self.fact.licenses = claim.fact.licenses;
        }
        let new = claim.evidence.into_iter().filter(|evidence| !self.evidence.contains(evidence)).collect::<Vec<_>>();
        self.evidence.extend(new);
    }

    fn absorb(&mut self, other: Draft) {
        self.fact.development &= other.fact.development;
        if self.fact.licenses.is_empty() {
            self.fact.licenses = other.fact.licenses;
        }
        let known: HashSet<Requirement> = self.fact.requires.iter().cloned().collect();
        self.fact.requires.extend(other.fact.requires.into_iter().filter(|requirement| !known.contains(requirement)));
        self.evidence.extend(other.evidence);
        self.evidence.sort();
        self.evidence.dedup();
    }
}
