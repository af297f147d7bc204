//! What documents in the artifact claim: further evidence of what was found, and packages where nothing was.

use std::collections::{BTreeSet, HashMap, HashSet};

use model::distro::Distro;
use model::ecosystem::normalise_name;
use model::gap::{Gap, GapKind};
use model::package::PackageType;

use super::Draft;
use super::owners::{self, Owners};
use crate::fact::PackageFact;

/// Adds claims to what was found.
///
/// A claim of something that was found, or that an earlier document claims, is further evidence. Where an OS package owns
/// the document, the claim is another name of that package. The rest is taken at its word, except for OS packages: where
/// there is a database of their kind, that one is whole; and those of another distribution (Python wheels carry such
/// libraries along, and say so) could only be compared with the wrong advisories. Of these a gap tells.
pub(super) fn join(
    mut drafts: Vec<Draft>,
    claims: Vec<Draft>,
    owners: &Owners,
    distro: Option<&Distro>,
) -> (Vec<Draft>, Option<Gap>) {
    let databases: HashSet<PackageType> =
        drafts.iter().map(|draft| &draft.fact.kind).filter(|kind| kind.is_os()).cloned().collect();
    let mut by_owner: HashMap<_, usize> = HashMap::new();
    let mut known: HashMap<_, usize> = HashMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        known.entry(key(draft)).or_insert(index);
        if draft.fact.kind.is_os() {
            by_owner.insert(owners::key(&draft.fact), index);
        }
    }
    // A document that states no version says nothing that is not known, where some version was found.
    let found: HashSet<_> = drafts.iter().map(|draft| named(&draft.fact)).collect();
    let claims =
        claims.into_iter().filter(|claim| !claim.fact.version.is_empty() || !found.contains(&named(&claim.fact)));
    let mut foreign = Foreign::default();
    let mut extended = BTreeSet::new();
    for claim in claims {
        let key = key(&claim);
        let is_os = claim.fact.kind.is_os();
        let owner = owners.of_node(claim.node).and_then(|owner| by_owner.get(owner)).filter(|_| !is_os);
        if is_os && is_foreign(&claim, distro) {
            foreign.add(&claim);
        } else if let Some(&index) = known.get(&key) {
            extended.insert(index);
            drafts[index].take_claim(claim);
        } else if is_os && databases.contains(&claim.fact.kind) {
            // The database would have it.
        } else if let Some(&owner) = owner {
            extended.insert(owner);
            drafts[owner].provides.push(claim.purl(None));
            drafts[owner].take_claim(claim);
        } else {
            known.insert(key, drafts.len());
            drafts.push(claim);
        }
    }
    extended.into_iter().for_each(|index| drafts[index].drop_repetitions());
    (drafts, foreign.gap())
}

fn is_foreign(claim: &Draft, distro: Option<&Distro>) -> bool {
    match (&claim.fact.distro, distro) {
        (Some(claimed), Some(distro)) => *claimed != distro.id,
        // Without a distribution nothing can be compared, but nothing is wrong either.
        _ => false,
    }
}

/// What makes a claim the same as something found. Of Perl's distributions not every source tells the author, which
/// stands before the name.
fn key(draft: &Draft) -> (PackageType, String, String) {
    let (kind, name) = named(&draft.fact);
    (kind, name, draft.fact.version.clone())
}

fn named(fact: &PackageFact) -> (PackageType, String) {
    let name = match &fact.kind {
        PackageType::PyPi => normalise_name("PyPI", &fact.name),
        PackageType::Composer | PackageType::NuGet => fact.name.to_lowercase(),
        PackageType::Other(kind) if kind == "cpan" => fact.name.rsplit('/').next().unwrap_or(&fact.name).to_owned(),
        _ => fact.name.clone(),
    };
    (fact.kind.clone(), name)
}

impl Draft {
    fn take_claim(&mut self, claim: Draft) {
        if self.fact.licenses.is_empty() {
            self.fact.licenses = claim.fact.licenses;
        }
        self.evidence.extend(claim.evidence);
    }

    /// Once, at the end: a hostile document repeats itself a hundred thousand times.
    fn drop_repetitions(&mut self) {
        self.provides.sort();
        self.provides.dedup();
        let mut seen = HashSet::new();
        self.evidence.retain(|evidence| seen.insert(evidence.clone()));
    }
}

/// Packages of other distributions that documents list.
#[derive(Default)]
struct Foreign {
    documents: BTreeSet<String>,
    packages: BTreeSet<String>,
}

impl Foreign {
    fn add(&mut self, claim: &Draft) {
        self.documents.extend(claim.evidence.iter().map(|evidence| evidence.path.clone()));
        self.packages.insert(format!("`{} {}`", claim.fact.name, claim.fact.version));
    }

    fn gap(self) -> Option<Gap> {
        const EXAMPLES_MAX: usize = 5;
        let document = self.documents.first()?;
        let examples: Vec<&str> = self.packages.iter().take(EXAMPLES_MAX).map(String::as_str).collect();
        let more = if self.packages.len() > EXAMPLES_MAX { ", …" } else { "" };
        let others = match self.documents.len() - 1 {
            0 => String::new(),
            others => format!(" and {others} more documents"),
        };
        let detail = format!(
            "{} packages of another distribution are listed in it{others} and were not assessed: {}{more}",
            self.packages.len(),
            examples.join(", ")
        );
        Some(Gap::new(GapKind::Unsupported, document, detail))
    }
}
