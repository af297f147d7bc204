//! Which OS package owns which file.

use std::collections::HashMap;

use model::package::PackageType;

use super::{Draft, Live};
use crate::fact::{Fact, PackageFact};
use crate::tree::{NodeId, Tree};

/// An OS package as its manager names it.
pub(super) type OwnerKey = (PackageType, String);

/// The owner of every file that an OS package claims and that is still there.
pub(super) struct Owners {
    keys: Vec<OwnerKey>,
    by_node: HashMap<NodeId, u32>,
}

impl Owners {
    /// Collects what the packages of `drafts` and separate lists (dpkg) claim. Paths go through links, because packages
    /// write `/lib/x` where the tree has `/usr/lib/x`.
    pub(super) fn of(tree: &Tree, drafts: &[Draft], live: &[Live<'_>]) -> Self {
        let mut owners = Self { keys: Vec::new(), by_node: HashMap::new() };
        for draft in drafts.iter().filter(|draft| draft.fact.kind.is_os() && !draft.fact.files.is_empty()) {
            owners.claim(tree, key(&draft.fact), &draft.fact.files);
        }
        for fact in live.iter().flat_map(|file| &file.facts.parsed.facts) {
            if let Fact::Owns { kind, package, paths } = fact {
                owners.claim(tree, (kind.clone(), package.clone()), paths);
            }
        }
        owners
    }

    /// Who owns the file.
    pub(super) fn of_node(&self, node: NodeId) -> Option<&OwnerKey> {
        self.by_node.get(&node).map(|&index| &self.keys[index as usize])
    }

    fn claim(&mut self, tree: &Tree, key: OwnerKey, paths: &[String]) {
        let index = self.keys.len() as u32;
        self.keys.push(key);
        // Directories are shared by packages; a directory's node never is evidence, so claiming it does no harm.
        for node in paths.iter().filter_map(|path| tree.resolve(path.as_bytes())) {
            self.by_node.insert(node, index);
        }
    }
}

/// How a package's files are claimed: without version or architecture, as dpkg's lists are named.
pub(super) fn key(fact: &PackageFact) -> OwnerKey {
    (fact.kind.clone(), fact.name.clone())
}
