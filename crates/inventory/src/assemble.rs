//! Stacks layers into one inventory: what is still there, who brought it, and which packages are one.

mod claims;
mod join;
mod owners;
mod requirements;
mod surface;

use std::collections::{HashMap, HashSet};

use model::artifact::Origin;
use model::distro::Distro;
use model::gap::{Gap, GapKind};
use model::integrity::IntegrityFile;
use model::inventory::Inventory;
use model::package::{Evidence, Package, PackageId, PackageType};
use model::purl;

use crate::catalogers::os_release;
use crate::entry::EntryKind;
use crate::fact::{Fact, PackageFact};
use crate::layer::{FileFacts, LayerFacts, display};
use crate::tree::{ContentRef, LeftOut, NodeId, Tree};
use owners::Owners;

/// How the layers given to [`assemble`] are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stacking {
    /// The layers are an image's. When not, there is one pseudo layer, and packages name none.
    pub layered: bool,
    /// How many of the lowest layers belong to the recognised base image; none when no base was recognised.
    pub base_layers: Option<u32>,
}

/// An inventory and the integrity model's files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assembled {
    /// Distribution, packages, gaps.
    pub inventory: Inventory,
    /// Every file that may be run or loaded, sorted by path.
    pub integrity: Vec<IntegrityFile>,
}

/// A package under construction.
struct Draft {
    fact: PackageFact,
    cataloger: String,
    evidence: Vec<Evidence>,
    introduced: u32,
    /// The file it was found in.
    node: NodeId,
    provides: Vec<String>,
}

/// Stacks `layers` (bottom first) and says what the result contains.
pub fn assemble(layers: &[LayerFacts], stacking: Stacking) -> Assembled {
    let mut tree = Tree::default();
    for (number, layer) in layers.iter().enumerate() {
        tree.stack(number as u32, &layer.entries);
    }
    let history = History::of(layers);
    let live = live_files(&tree, layers);
    let distro = distro(&live);
    let (claims, mut drafts): (Vec<_>, Vec<_>) =
        drafts(&live, &history).into_iter().partition(|draft| draft.fact.claimed);
    apply_licenses(&mut drafts, &live);
    let owners = Owners::of(&tree, &drafts, &live);
    let drafts = join::owned(drafts, &owners);
    let (mut drafts, foreign) = claims::join(join::conda(drafts, &tree), claims, &owners, distro.as_ref());
    if !stacking.layered {
        drafts = join::same(drafts);
    }
    drafts.sort_by(|a, b| order(a).cmp(&order(b)));
    let integrity = integrity(&tree, &drafts, &owners, distro.as_ref(), stacking);
    let gaps = layers.iter().enumerate().flat_map(|(number, layer)| {
        layer.gaps.iter().cloned().map(move |gap| if stacking.layered { gap.in_layer(number as u32) } else { gap })
    });
    let gaps = gaps.chain(left_out(&tree, stacking)).chain(foreign).collect();
    let depends_on = requirements::resolve(&drafts);
    let packages = drafts.into_iter().zip(depends_on).enumerate();
    let packages =
        packages.map(|(number, (draft, needs))| package(number as u32, draft, needs, distro.as_ref(), stacking));
    let surface = stacking.layered.then(|| surface::surface(&tree, layers));
    Assembled { inventory: Inventory { packages: packages.collect(), distro, gaps, surface }, integrity }
}

/// Entries that had no place in the tree, each a gap.
fn left_out(tree: &Tree, stacking: Stacking) -> Vec<Gap> {
    let (entries, count) = tree.left_out();
    let detail = format!("its path is too deep, or the tree too large; ignored, {count} such entries in all");
    let gap = |entry: &LeftOut| {
        let gap = Gap::new(GapKind::LimitExceeded, display(&entry.path), detail.clone());
        if stacking.layered { gap.in_layer(entry.layer) } else { gap }
    };
    entries.iter().map(gap).collect()
}

/// One file that can still be reached, with what was learned from it.
struct Live<'a> {
    node: NodeId,
    path: String,
    layer: u32,
    facts: &'a FileFacts,
}

/// Facts of files that are still there: the node at the path was made by the very entry the facts are from. A hard link
/// has the facts of the content it names.
fn live_files<'a>(tree: &Tree, layers: &'a [LayerFacts]) -> Vec<Live<'a>> {
    let mut by_content: HashMap<ContentRef, Vec<&FileFacts>> = HashMap::new();
    let mut live = Vec::new();
    for (layer, facts) in layers
        .iter()
        .enumerate()
        .flat_map(|(number, layer)| layer.files.iter().map(move |facts| (number as u32, facts)))
    {
        let made_by = ContentRef { layer, entry: facts.entry as u32 };
        by_content.entry(made_by).or_default().push(facts);
        // `display` is the identity for UTF-8, and catalogers want no other names.
        let node = tree.node_at(facts.path.as_bytes()).filter(|&node| tree.made_by(node) == made_by);
        live.extend(node.map(|node| Live { node, path: facts.path.clone(), layer, facts }));
    }
    let links =
        layers.iter().enumerate().flat_map(|(layer, facts)| facts.links.iter().map(move |&entry| (layer, entry)));
    let wanted: HashSet<ContentRef> =
        links.map(|(layer, entry)| ContentRef { layer: layer as u32, entry: entry as u32 }).collect();
    for &link in tree.hardlinks().iter().filter(|&&link| wanted.contains(&tree.made_by(link))) {
        let path = tree.path(link);
        let Some(content) = tree.content(link).filter(|_| tree.node_at(&path) == Some(link)) else { continue };
        for facts in by_content.get(&content).into_iter().flatten() {
            live.push(Live { node: link, path: display(&path), layer: tree.made_by(link).layer, facts });
        }
    }
    live
}

/// What each layer said about each path, to find who introduced a package.
struct History<'a> {
    /// (path) -> (layer, facts), bottom first.
    by_path: HashMap<&'a str, Vec<(u32, &'a FileFacts)>>,
    whiteouts: HashSet<(u32, Vec<u8>)>,
}

impl<'a> History<'a> {
    fn of(layers: &'a [LayerFacts]) -> Self {
        let mut history = Self { by_path: HashMap::new(), whiteouts: HashSet::new() };
        for (number, layer) in layers.iter().enumerate() {
            for facts in &layer.files {
                history.by_path.entry(&facts.path).or_default().push((number as u32, facts));
            }
            if layer.entries.has_whiteouts() {
                let hidden =
                    layer.entries.iter().filter(|entry| matches!(entry.kind, EntryKind::Whiteout | EntryKind::Opaque));
                history.whiteouts.extend(hidden.map(|entry| (number as u32, entry.path)));
            }
        }
        history
    }

    /// Whether a layer hides a path that lower layers brought.
    fn hidden(&self, layer: u32, path: &str) -> bool {
        !self.whiteouts.is_empty()
            && path
                .match_indices('/')
                .map(|(end, _)| &path[..end])
                .chain([path, ""])
                .any(|prefix| self.whiteouts.contains(&(layer, prefix.as_bytes().to_vec())))
    }
}

/// The distribution the tree says it is: of the files that name one, the one that counts most.
fn distro(live: &[Live<'_>]) -> Option<Distro> {
    let distros = live.iter().flat_map(|file| file.facts.parsed.facts.iter().map(move |fact| (file, fact)));
    let distros = distros.filter_map(|(file, fact)| match fact {
        Fact::Distro(distro) => Some((os_release::precedence(&file.path)?, distro)),
        _ => None,
    });
    distros.min_by_key(|(precedence, _)| *precedence).map(|(_, distro)| distro.clone())
}

fn drafts(live: &[Live<'_>], history: &History<'_>) -> Vec<Draft> {
    let drafts = live.iter().flat_map(|file| {
        let mut introduced = introduced(file, history);
        // One archive often holds several copies of a package; they are one package there.
        packages_of(file.facts).filter_map(move |package| {
            let introduced = introduced.remove(&key(package))?;
            Some(Draft { introduced, ..Draft::new(file, package) })
        })
    });
    drafts.collect()
}

/// What makes a package the same in two copies of a file.
type Key<'a> = (&'a PackageType, &'a str, &'a str, Option<&'a str>);

fn key(package: &PackageFact) -> Key<'_> {
    (&package.kind, &package.name, &package.version, package.arch.as_deref())
}

fn packages_of(facts: &FileFacts) -> impl Iterator<Item = &PackageFact> {
    facts.parsed.facts.iter().flat_map(|fact| match fact {
        Fact::Package(package) => std::slice::from_ref(package),
        Fact::Database(packages) => packages.as_slice(),
        _ => &[],
    })
}

/// The layer that introduced each package of a file: of the layers at or below the file's whose copy of it has the
/// package without a break, the lowest. A later layer that merely rewrites the file (an upgrade of something else,
/// `chown`) did not. All packages at once: databases are long, and so are images.
fn introduced<'a>(file: &Live<'a>, history: &History<'a>) -> HashMap<Key<'a>, u32> {
    let mut introduced: HashMap<Key<'a>, u32> =
        packages_of(file.facts).map(|package| (key(package), file.layer)).collect();
    let mut unbroken: HashSet<Key<'a>> = introduced.keys().copied().collect();
    let mut above = file.layer;
    let path = file.facts.path.as_str();
    let versions = history.by_path.get(path).map_or(&[][..], Vec::as_slice);
    for (layer, facts) in
        versions.iter().rev().filter(|(layer, facts)| *layer < file.layer && facts.cataloger == file.facts.cataloger)
    {
        if unbroken.is_empty() || (*layer + 1..=above).any(|between| history.hidden(between, path)) {
            break;
        }
        let there: HashSet<Key<'_>> = packages_of(facts).map(key).collect();
        unbroken.retain(|key| there.contains(key));
        introduced.extend(unbroken.iter().map(|key| (*key, *layer)));
        above = *layer;
    }
    introduced
}

impl Draft {
    fn new(file: &Live<'_>, package: &PackageFact) -> Self {
        let path = match &package.inside {
            Some(inside) => format!("{}!/{inside}", file.path),
            None => file.path.clone(),
        };
        Self {
            fact: package.clone(),
            cataloger: file.facts.cataloger.clone(),
            evidence: vec![Evidence { path, text: package.said.clone(), layer: Some(file.layer) }],
            introduced: file.layer,
            node: file.node,
            provides: Vec::new(),
        }
    }

    fn purl(&self, distro: Option<&Distro>) -> String {
        purl::render(&purl::PurlParts {
            kind: &self.fact.kind,
            name: &self.fact.name,
            version: &self.fact.version,
            arch: self.fact.arch.as_deref(),
            distro: distro.filter(|_| self.fact.kind.is_os()),
            source: self.fact.source.as_ref(),
            module: self.fact.module.as_deref(),
        })
    }
}

/// Licenses that the package manager keeps outside its database.
fn apply_licenses(drafts: &mut [Draft], live: &[Live<'_>]) {
    let mut licenses = HashMap::new();
    for fact in live.iter().flat_map(|file| &file.facts.parsed.facts) {
        if let Fact::Licenses { kind, package, licenses: names } = fact {
            licenses.insert((kind, package.as_str()), names);
        }
    }
    for draft in drafts.iter_mut().filter(|draft| draft.fact.licenses.is_empty()) {
        if let Some(names) = licenses.get(&(&draft.fact.kind, draft.fact.name.as_str())) {
            draft.fact.licenses = (*names).clone();
        }
    }
}

fn order(draft: &Draft) -> (&model::package::PackageType, &str, &str, &[Evidence]) {
    (&draft.fact.kind, &draft.fact.name, &draft.fact.version, &draft.evidence)
}

fn package(
    number: u32,
    draft: Draft,
    depends_on: Vec<PackageId>,
    distro: Option<&Distro>,
    stacking: Stacking,
) -> Package {
    let purl = draft.purl(distro);
    let Draft { fact, cataloger, mut evidence, introduced, provides, .. } = draft;
    if !stacking.layered {
        evidence.iter_mut().for_each(|evidence| evidence.layer = None);
    }
    Package {
        id: PackageId(number),
        kind: fact.kind,
        name: fact.name,
        version: fact.version,
        purl,
        arch: fact.arch,
        source: fact.source,
        module: fact.module,
        licenses: fact.licenses,
        evidence,
        layer: stacking.layered.then_some(introduced),
        origin: origin(introduced, stacking),
        provides,
        depends_on,
        direct: fact.direct,
        development: fact.development,
        cataloger,
    }
}

/// Whether the base or the application brought what a layer brought.
pub fn origin(layer: u32, stacking: Stacking) -> Origin {
    match stacking.base_layers {
        _ if !stacking.layered => Origin::Application,
        Some(base) if layer < base => Origin::Base,
        Some(_) => Origin::Application,
        None => Origin::Unknown,
    }
}

fn integrity(
    tree: &Tree,
    drafts: &[Draft],
    owners: &Owners,
    distro: Option<&Distro>,
    stacking: Stacking,
) -> Vec<IntegrityFile> {
    let mut purls: HashMap<&owners::OwnerKey, String> = HashMap::new();
    let by_key: HashMap<_, _> =
        drafts.iter().filter(|draft| draft.fact.kind.is_os()).map(|draft| (owners::key(&draft.fact), draft)).collect();
    let language: HashMap<NodeId, &Draft> =
        drafts.iter().filter(|draft| !draft.fact.kind.is_os()).map(|draft| (draft.node, draft)).collect();
    let mut files: Vec<IntegrityFile> = Vec::new();
    for file in tree.pinned_files() {
        let Some((kind, sha256)) = file.pinned else { continue };
        let owned = owners.of_node(file.node);
        let package = match owned {
            Some(key) => by_key.get(key).map(|draft| purls.entry(key).or_insert_with(|| draft.purl(distro)).clone()),
            None => language.get(&file.node).map(|draft| draft.purl(distro)),
        };
        files.push(IntegrityFile {
            path: format!("/{}", display(&file.path)),
            kind,
            sha256,
            size: file.size,
            mode: format!("{:04o}", file.mode),
            package,
            layer: stacking.layered.then_some(file.content.layer),
        });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}
