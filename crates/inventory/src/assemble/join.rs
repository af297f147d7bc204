//! Which drafts are one package: what several files tell of it is brought together.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::ecosystem::normalise_name;
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
    fn absorb(&mut self, other: Draft) {
        self.fact.development &= other.fact.development;
        self.fact.direct |= other.fact.direct;
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
