//! Why a package is here: the chains of dependencies from what the project itself names down to it.
//!
//! Start at [`Dependents::paths`]. Who needs whom is what metadata and lock files say; where they say nothing, a package
//! stands for itself. Circles and graphs with very many chains are normal input: each package is looked at once, and
//! no more chains are made than the caller asks for.

use std::collections::{BTreeMap, VecDeque};

use crate::inventory::Inventory;
use crate::package::PackageId;

/// Who needs each package of one inventory.
pub struct Dependents<'a> {
    inventory: &'a Inventory,
    /// By package: those that need it, without itself.
    needed_by: Vec<Vec<PackageId>>,
}

/// The chains that bring one package.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paths {
    /// From a root to the package, shortest first; a package that is its own root is a chain of one.
    pub paths: Vec<Vec<PackageId>>,
    /// There are more than were asked for.
    pub more: bool,
}

impl<'a> Dependents<'a> {
    /// Turns the dependencies of an inventory around.
    pub fn of(inventory: &'a Inventory) -> Self {
        let mut needed_by = vec![Vec::new(); inventory.packages.len()];
        for package in &inventory.packages {
            for needed in package.depends_on.iter().filter(|needed| **needed != package.id) {
                // A report that was read from a file may name packages it does not have.
                if let Some(dependents) = needed_by.get_mut(needed.0 as usize) {
                    dependents.push(package.id);
                }
            }
        }
        Self { inventory, needed_by }
    }

    /// The packages that need this one themselves.
    pub fn needing(&self, package: PackageId) -> &[PackageId] {
        self.needed_by.get(package.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// Whether chains begin at this package: the project names it, or nothing here needs it.
    pub fn is_root(&self, package: PackageId) -> bool {
        self.inventory.package(package).direct || self.needing(package).is_empty()
    }

    /// Every shortest chain from each root to the package, at most `paths_max`. None where only a circle of packages that
    /// nobody names needs it.
    ///
    /// A root that another root needs is still one: to be rid of the package, both must change.
    pub fn paths(&self, package: PackageId, paths_max: usize) -> Paths {
        let distances = self.distances(package);
        let mut roots: Vec<(u32, PackageId)> = distances
            .iter()
            .filter(|&(&root, _)| self.is_root(root))
            .map(|(&root, &distance)| (distance, root))
            .collect();
        roots.sort_unstable();
        let mut found = Paths::default();
        for (_, root) in roots {
            if !self.descend(root, package, &distances, paths_max, &mut found) {
                found.more = true;
                break;
            }
        }
        found
    }

    /// Adds every shortest chain from `root` to `package`. False when there was no room for one.
    fn descend(
        &self,
        root: PackageId,
        package: PackageId,
        distances: &BTreeMap<PackageId, u32>,
        paths_max: usize,
        found: &mut Paths,
    ) -> bool {
        // Depth first without recursion: chains can be as long as the inventory. `waiting[i]` may follow `path[i]`.
        let mut path = vec![root];
        let mut waiting = vec![self.one_step_nearer(root, distances)];
        loop {
            if path.last() == Some(&package) {
                if found.paths.len() == paths_max {
                    return false;
                }
                found.paths.push(path.clone());
            }
            match waiting.last_mut().map(Vec::pop) {
                Some(Some(next)) => {
                    path.push(next);
                    waiting.push(self.one_step_nearer(next, distances));
                }
                Some(None) => {
                    path.pop();
                    waiting.pop();
                    // A chain that was found must not be found again on the way back.
                    while waiting.last().is_some_and(Vec::is_empty) {
                        path.pop();
                        waiting.pop();
                    }
                }
                None => return true,
            }
        }
    }

    /// The roots that are nearest above the package on each chain: what one would change to be rid of it. The package
    /// itself where it is one.
    pub fn nearest_roots(&self, package: PackageId) -> Vec<PackageId> {
        let mut seen = vec![false; self.needed_by.len()];
        let mut roots = Vec::new();
        let mut open = vec![package];
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut seen[at.0 as usize], true) {
                continue;
            }
            if self.is_root(at) { roots.push(at) } else { open.extend(self.needing(at)) }
        }
        roots.sort_unstable();
        roots
    }

    /// How many steps each package that needs this one, directly or not, is away from it.
    fn distances(&self, package: PackageId) -> BTreeMap<PackageId, u32> {
        let mut distances = BTreeMap::from([(package, 0)]);
        let mut open = VecDeque::from([(package, 0)]);
        while let Some((at, distance)) = open.pop_front() {
            for &above in self.needing(at) {
                if let std::collections::btree_map::Entry::Vacant(place) = distances.entry(above) {
                    place.insert(distance + 1);
                    open.push_back((above, distance + 1));
                }
            }
        }
        distances
    }

    /// What `from` needs that is on a shortest chain, last first.
    fn one_step_nearer(&self, from: PackageId, distances: &BTreeMap<PackageId, u32>) -> Vec<PackageId> {
        let distance = distances.get(&from).copied().unwrap_or_default();
        let needed = self.inventory.package(from).depends_on.iter().rev().copied();
        needed.filter(|needed| distances.get(needed).is_some_and(|nearer| nearer + 1 == distance)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purl;

    /// Packages `0`, `1`, … with what each needs; those in `direct` are direct.
    fn inventory(needs: &[&[u32]], direct: &[usize]) -> Inventory {
        let mut inventory = Inventory::default();
        for (number, needs) in needs.iter().enumerate() {
            let purl = format!("pkg:npm/{number}@1");
            let mut package = purl::parse(&purl).expect("a package URL").package(&purl);
            package.id = PackageId(number as u32);
            package.depends_on = needs.iter().copied().map(PackageId).collect();
            package.direct = direct.contains(&number);
            inventory.packages.push(package);
        }
        inventory
    }

    /// `0>1 2>1 …`, with `+` at the end when there are more.
    fn chains(inventory: &Inventory, package: u32, paths_max: usize) -> String {
        let found = Dependents::of(inventory).paths(PackageId(package), paths_max);
        let chain = |path: &Vec<PackageId>| path.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(">");
        let mut chains: Vec<String> = found.paths.iter().map(chain).collect();
        chains.extend(found.more.then(|| "+".to_owned()));
        chains.join(" ")
    }

    #[test]
    fn every_shortest_chain_from_every_root() {
        // A diamond, a longer way round, and a root that another root needs.
        let inventory = inventory(&[&[1, 2, 4], &[3], &[3], &[], &[1], &[1]], &[0, 1]);
        assert_eq!(chains(&inventory, 3, 9), "1>3 0>1>3 0>2>3 5>1>3");
        assert_eq!(chains(&inventory, 3, 2), "1>3 0>1>3 +");
        assert_eq!(chains(&inventory, 0, 9), "0");
        let nearest = |package| Dependents::of(&inventory).nearest_roots(PackageId(package));
        assert_eq!(nearest(3), [PackageId(0), PackageId(1)], "0 needs it also without 1");
        assert_eq!(nearest(1), [PackageId(1)]);
    }

    #[test]
    fn circles_end() {
        let circle = inventory(&[&[1], &[2], &[0, 2, 9]], &[]);
        assert_eq!(chains(&circle, 0, 9), "");
        assert_eq!(Dependents::of(&circle).nearest_roots(PackageId(0)), []);
        let named = inventory(&[&[1], &[2], &[0]], &[1]);
        assert_eq!(chains(&named, 0, 9), "1>2>0");
    }

    #[test]
    fn many_chains_and_long_ones_take_no_time() {
        // 2^30 chains: pairs, each of which needs both of the next pair.
        let needs: Vec<Vec<u32>> = (0..60u32).map(|n| [n / 2 * 2 + 2, n / 2 * 2 + 3].into()).collect();
        let pairs: Vec<&[u32]> = needs.iter().map(Vec::as_slice).chain([&[][..], &[]]).collect();
        let found = Dependents::of(&inventory(&pairs, &[0])).paths(PackageId(60), 20);
        assert_eq!((found.paths.len(), found.more), (20, true));
        let line: Vec<[u32; 1]> = (1..100_000).map(|n| [n]).collect();
        let line: Vec<&[u32]> = line.iter().map(|needs| &needs[..]).chain([&[][..]]).collect();
        let found = Dependents::of(&inventory(&line, &[])).paths(PackageId(99_999), 20);
        assert_eq!((found.paths.len(), found.paths[0].len(), found.more), (1, 100_000, false));
    }
}
