//! The file tree that remains when layers are stacked: whiteouts applied, links resolved inside the tree.
//!
//! Nodes live in one vector, names in one buffer, children are found through one hash table keyed by (parent, name): about
//! 60 bytes for a file, so that images of millions of files fit. A replaced or hidden node is cut off by taking it out of
//! that table; whatever hung below it can no longer be reached.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use model::digest::Digest;
use model::integrity::FileKind;

use crate::entry::{Entry, EntryKind, EntryTable, PATH_BYTES_MAX};

/// The stacked tree.
pub struct Tree {
    nodes: Vec<Node>,
    names: Vec<u8>,
    children: HashTable<u32>,
    hasher: RandomState,
    pinned: Vec<(FileKind, Digest)>,
    hardlinks: Vec<NodeId>,
    /// The parent of the entry before, because archives list a directory's files one after the other.
    last_parent: Option<(Vec<u8>, NodeId)>,
    left_out: Vec<LeftOut>,
    left_out_count: u64,
}

/// An entry that has no place in the tree because it would break a bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The layer, counted from 0 at the bottom.
    pub layer: u32,
    /// Its path as the layer has it.
    pub path: Vec<u8>,
}

/// One node of a [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// Bytes of some layer: the entry that carries them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentRef {
    /// The layer, counted from 0 at the bottom.
    pub layer: u32,
    /// The entry's number in the layer's table.
    pub entry: u32,
}

#[derive(Clone, Copy)]
struct Node {
    parent: u32,
    name: Text,
    kind: NodeKind,
    mode: u16,
    /// The entry that made this node.
    made_by: ContentRef,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Text {
    start: u32,
    length: u16,
}

#[derive(Clone, Copy)]
enum NodeKind {
    Directory,
    File { content: ContentRef, size: u64, pinned: u32 },
    Symlink(Text),
    Special,
}

/// Stands for "not pinned".
const NOT_PINNED: u32 = u32::MAX;

const ROOT: NodeId = NodeId(0);

/// Linux gives up after 40 links in one path (`path_resolution(7)`).
const LINKS_MAX: u32 = 40;

/// The most nodes, about 1.2 GB of them: few bytes of paths can ask for many directories, so entries alone bound nothing.
const NODES_MAX: usize = 20_000_000;

/// The most bytes of names; offsets into them are 32 bits wide.
const NAMES_BYTES_MAX: usize = 1 << 30;

/// More left out entries than this are only counted.
const LEFT_OUT_MAX: usize = 20;

/// A live regular file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveFile {
    /// Its node.
    pub node: NodeId,
    /// Path inside the artifact.
    pub path: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
    /// Size in bytes.
    pub size: u64,
    /// Where its bytes are.
    pub content: ContentRef,
    /// What the integrity model says of it.
    pub pinned: Option<(FileKind, Digest)>,
}

/// One node that can still be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeNode<'a> {
    /// Which one.
    pub id: NodeId,
    /// Its own name.
    pub name: &'a [u8],
    /// What it is.
    pub kind: TreeNodeKind,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
}

/// What a [`TreeNode`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeNodeKind {
    /// A directory.
    Directory,
    /// A regular file, under its first name or another.
    File,
    /// A symbolic link.
    Symlink,
    /// A device, fifo or socket.
    Special,
}

impl Default for Tree {
    fn default() -> Self {
        let root = Node {
            parent: 0,
            name: Text { start: 0, length: 0 },
            kind: NodeKind::Directory,
            mode: 0o755,
            made_by: ContentRef { layer: 0, entry: u32::MAX },
        };
        Self {
            nodes: vec![root],
            names: Vec::new(),
            children: HashTable::new(),
            hasher: RandomState::new(),
            pinned: Vec::new(),
            hardlinks: Vec::new(),
            last_parent: None,
            left_out: Vec::new(),
            left_out_count: 0,
        }
    }
}

impl Tree {
    /// Puts a layer on top.
    ///
    /// Whiteouts hide only what lower layers brought, wherever they stand in the archive, so they are applied first.
    pub fn stack(&mut self, layer: u32, entries: &EntryTable) {
        if entries.has_whiteouts() {
            entries
                .iter()
                .filter(|entry| matches!(entry.kind, EntryKind::Whiteout | EntryKind::Opaque))
                .for_each(|entry| self.hide(&entry));
        }
        for (number, entry) in entries.iter().enumerate() {
            let made_by = ContentRef { layer, entry: u32::try_from(number).unwrap_or(u32::MAX) };
            self.place(entry, made_by);
        }
        self.last_parent = None;
    }

    /// The node at a path (absolute or relative to the root), symbolic links followed, also a last one.
    pub fn resolve(&self, path: &[u8]) -> Option<NodeId> {
        self.walk(ROOT, path, &mut 0)
    }

    /// The node at exactly this normalised path, no link followed in its last component.
    pub fn node_at(&self, path: &[u8]) -> Option<NodeId> {
        let (parent, name) = split(path);
        self.child(self.walk(ROOT, parent, &mut 0)?, name)
    }

    /// Where the bytes of a file are; none for everything else.
    pub fn content(&self, node: NodeId) -> Option<ContentRef> {
        match self.node(node).kind {
            NodeKind::File { content, .. } => Some(content),
            _ => None,
        }
    }

    /// The entry that made the node: for a hard link the link itself, not the bytes.
    pub fn made_by(&self, node: NodeId) -> ContentRef {
        self.node(node).made_by
    }

    /// The path of a node, from the root.
    pub fn path(&self, node: NodeId) -> Vec<u8> {
        let mut components = Vec::new();
        let mut at = node;
        while at != ROOT {
            components.push(self.text(self.node(at).name));
            at = NodeId(self.node(at).parent);
        }
        components.reverse();
        components.join(&b'/')
    }

    /// The first entries that had no place, and how many there were. A path that links lead deeper than
    /// [`PATH_BYTES_MAX`] is one, and whatever comes after a tree is as large as trees may be.
    pub fn left_out(&self) -> (&[LeftOut], u64) {
        (&self.left_out, self.left_out_count)
    }

    /// Nodes that were made by hard links, hidden ones too.
    pub fn hardlinks(&self) -> &[NodeId] {
        &self.hardlinks
    }

    /// Everything that can still be reached, the root left out.
    pub fn nodes(&self) -> impl Iterator<Item = TreeNode<'_>> + '_ {
        let live = self.live();
        (1..self.nodes.len()).filter(move |&index| live[index]).map(|index| self.look(NodeId(index as u32)))
    }

    /// One node.
    pub fn look(&self, id: NodeId) -> TreeNode<'_> {
        let node = self.node(id);
        let kind = match node.kind {
            NodeKind::Directory => TreeNodeKind::Directory,
            NodeKind::File { .. } => TreeNodeKind::File,
            NodeKind::Symlink(_) => TreeNodeKind::Symlink,
            NodeKind::Special => TreeNodeKind::Special,
        };
        TreeNode { id, name: self.text(node.name), kind, mode: u32::from(node.mode) }
    }

    /// Whether the node's directory, or the one above that, has one of these names.
    pub fn is_below(&self, node: NodeId, names: &[&[u8]]) -> bool {
        let parent = NodeId(self.node(node).parent);
        let above = NodeId(self.node(parent).parent);
        [parent, above].into_iter().any(|directory| names.contains(&self.text(self.node(directory).name)))
    }

    /// Every file that can still be reached and that the integrity model pins.
    pub fn pinned_files(&self) -> impl Iterator<Item = LiveFile> + '_ {
        let live = self.live();
        (0..self.nodes.len())
            .filter(move |&index| live[index])
            .filter_map(|index| self.pinned_file(NodeId(index as u32)))
    }

    fn pinned_file(&self, node: NodeId) -> Option<LiveFile> {
        let NodeKind::File { content, size, pinned } = self.node(node).kind else { return None };
        let pinned = self.pinned.get(pinned as usize)?.clone();
        Some(LiveFile {
            node,
            path: self.path(node),
            mode: u32::from(self.node(node).mode),
            size,
            content,
            pinned: Some(pinned),
        })
    }

    /// Whether each node can still be reached. A parent is always made before its children.
    fn live(&self) -> Vec<bool> {
        let mut live = vec![true; self.nodes.len()];
        for index in 1..self.nodes.len() {
            let node = self.nodes[index];
            let found = self.child(NodeId(node.parent), self.text(node.name));
            live[index] = live[node.parent as usize] && found == Some(NodeId(index as u32));
        }
        live
    }

    fn hide(&mut self, entry: &Entry) {
        let Some(node) = (if entry.path.is_empty() { Some(ROOT) } else { self.node_at(&entry.path) }) else { return };
        if entry.kind == EntryKind::Whiteout {
            self.unlink(node);
        } else if node == ROOT {
            self.children.clear();
        } else {
            // The directory stays, what was below it goes: a new node takes its name, and nothing hangs below that yet.
            let old = *self.node(node);
            self.unlink(node);
            self.attach(Node { kind: NodeKind::Directory, ..old });
        }
    }

    fn place(&mut self, entry: Entry, made_by: ContentRef) {
        let mode = entry.mode as u16;
        if entry.path.is_empty() {
            return;
        }
        let (parent_path, name) = split(&entry.path);
        let Some(parent) = self.parent(parent_path, made_by) else {
            self.left_out_count += 1;
            if self.left_out.len() < LEFT_OUT_MAX {
                self.left_out.push(LeftOut { layer: made_by.layer, path: entry.path });
            }
            return;
        };
        let old = self.child(parent, name);
        let kind = match entry.kind {
            EntryKind::Whiteout | EntryKind::Opaque => return,
            EntryKind::Directory => NodeKind::Directory,
            EntryKind::Special => NodeKind::Special,
            EntryKind::Symlink(target) => NodeKind::Symlink(self.store(&target)),
            EntryKind::File { size, pinned } => {
                let pinned = pinned.map_or(NOT_PINNED, |pinned| {
                    self.pinned.push(pinned);
                    (self.pinned.len() - 1) as u32
                });
                NodeKind::File { content: made_by, size, pinned }
            }
            EntryKind::Hardlink(target) => match self.node_at(&target).map(|node| self.node(node).kind) {
                Some(kind @ (NodeKind::File { .. } | NodeKind::Symlink(_) | NodeKind::Special)) => kind,
                // A link to nothing, or to a directory, is what no system would have made: there is no file.
                _ => return,
            },
        };
        match old {
            // A directory over a directory changes its mode and keeps what is below.
            Some(old) if matches!((kind, self.node(old).kind), (NodeKind::Directory, NodeKind::Directory)) => {
                let node = &mut self.nodes[old.0 as usize];
                node.mode = mode;
                node.made_by = made_by;
                return;
            }
            Some(old) => self.unlink(old),
            None => {}
        }
        let name = self.store(name);
        let is_link = matches!(kind, NodeKind::File { content, .. } if content != made_by);
        let node = self.attach(Node { parent: parent.0, name, kind, mode, made_by });
        if is_link {
            self.hardlinks.push(node);
        }
    }

    /// The directory an entry goes into. Links in it are followed as a container engine follows them when it unpacks, and
    /// directories that the archive does not mention are made. None when a bound is reached.
    fn parent(&mut self, path: &[u8], made_by: ContentRef) -> Option<NodeId> {
        if let Some((last, node)) = &self.last_parent
            && last == path
        {
            return Some(*node);
        }
        if self.nodes.len() + path.len() >= NODES_MAX || self.names.len() > NAMES_BYTES_MAX {
            return None;
        }
        let mut at = ROOT;
        // Links count for the whole path, as Linux counts them, or each component could cost 40 long targets.
        let mut links = 0;
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            let next = self.child(at, name).and_then(|child| self.follow(child, &mut links));
            at = match next {
                Some(node) if matches!(self.node(node).kind, NodeKind::Directory) => node,
                _ => {
                    if let Some(old) = self.child(at, name) {
                        self.unlink(old);
                    }
                    let name = self.store(name);
                    self.attach(Node { parent: at.0, name, kind: NodeKind::Directory, mode: 0o755, made_by })
                }
            };
        }
        if links > 0 && self.is_too_deep(at) {
            return None;
        }
        self.last_parent = Some((path.to_vec(), at));
        Some(at)
    }

    /// Whether no path reaches the node: links into one another's depth make directories that Linux cannot open by name,
    /// and whose full paths would fill the memory.
    fn is_too_deep(&self, node: NodeId) -> bool {
        let (mut at, mut length) = (node, 0);
        while at != ROOT && length <= PATH_BYTES_MAX {
            length += usize::from(self.node(at).name.length) + 1;
            at = NodeId(self.node(at).parent);
        }
        length > PATH_BYTES_MAX
    }

    fn walk(&self, from: NodeId, path: &[u8], links: &mut u32) -> Option<NodeId> {
        let mut at = if path.starts_with(b"/") { ROOT } else { from };
        for name in path.split(|&byte| byte == b'/') {
            at = match name {
                b"" | b"." => at,
                b".." => NodeId(self.node(at).parent),
                _ => self.follow(self.child(at, name)?, links)?,
            };
        }
        Some(at)
    }

    /// The node itself, or what it links to; none for links to nothing and in circles.
    fn follow(&self, node: NodeId, links: &mut u32) -> Option<NodeId> {
        let NodeKind::Symlink(target) = self.node(node).kind else { return Some(node) };
        *links += 1;
        if *links > LINKS_MAX {
            return None;
        }
        self.walk(NodeId(self.node(node).parent), self.text(target), links)
    }

    fn child(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        let hash = self.hash(parent.0, name);
        self.children.find(hash, |&index| self.is(index, parent.0, name)).map(|&index| NodeId(index))
    }

    fn attach(&mut self, node: Node) -> NodeId {
        let index = self.nodes.len() as u32;
        self.nodes.push(node);
        let hash = self.hash(node.parent, self.text(node.name));
        let Self { nodes, names, children, hasher, .. } = self;
        children.insert_unique(hash, index, |&other| {
            let other = nodes[other as usize];
            hasher.hash_one((other.parent, slice(names, other.name)))
        });
        NodeId(index)
    }

    fn unlink(&mut self, node: NodeId) {
        self.last_parent = None;
        let Node { parent, name, .. } = *self.node(node);
        let hash = self.hash(parent, self.text(name));
        if let Ok(found) = self.children.find_entry(hash, |&index| index == node.0) {
            found.remove();
        }
    }

    fn is(&self, index: u32, parent: u32, name: &[u8]) -> bool {
        let node = self.nodes[index as usize];
        node.parent == parent && self.text(node.name) == name
    }

    fn hash(&self, parent: u32, name: &[u8]) -> u64 {
        self.hasher.hash_one((parent, name))
    }

    fn node(&self, node: NodeId) -> &Node {
        &self.nodes[node.0 as usize]
    }

    fn store(&mut self, text: &[u8]) -> Text {
        // Paths and targets are bounded by `entry::PATH_BYTES_MAX`; a longer link target leads nowhere and is cut.
        let text = &text[..text.len().min(usize::from(u16::MAX))];
        let start = self.names.len() as u32;
        self.names.extend_from_slice(text);
        Text { start, length: text.len() as u16 }
    }

    fn text(&self, text: Text) -> &[u8] {
        slice(&self.names, text)
    }
}

fn slice(names: &[u8], text: Text) -> &[u8] {
    let start = text.start as usize;
    &names[start..start + usize::from(text.length)]
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::EntryKind::{Directory, Hardlink, Opaque, Symlink, Whiteout};

    fn file() -> EntryKind {
        EntryKind::File { size: 1, pinned: Some((FileKind::Script, Digest::from_bytes([7; 32]))) }
    }

    fn tree(layers: &[&[(&str, EntryKind)]]) -> Tree {
        let mut tree = Tree::default();
        for (number, layer) in (0..).zip(layers) {
            let mut table = EntryTable::default();
            for (path, kind) in *layer {
                table.push(&Entry { path: path.as_bytes().to_vec(), kind: kind.clone(), mode: 0o644 });
            }
            tree.stack(number, &table);
        }
        tree
    }

    /// Live files as `path@layer`.
    fn check(layers: &[&[(&str, EntryKind)]], expected: &[&str]) {
        let tree = tree(layers);
        let mut live: Vec<String> = tree
            .pinned_files()
            .map(|file| format!("{}@{}", String::from_utf8_lossy(&file.path), file.content.layer))
            .collect();
        live.sort();
        assert_eq!(live, expected);
    }

    #[test]
    fn a_whiteout_hides_a_file_and_a_whole_directory() {
        check(&[&[("a", file()), ("d/x", file()), ("d/y/z", file())], &[("a", Whiteout), ("d", Whiteout)]], &[]);
    }

    #[test]
    fn links_lead_no_deeper_than_paths_reach() {
        let run = "d/".repeat(1000);
        let below = format!("l/{run}");
        let deeper = format!("m/{run}");
        let (x, y, z) = (format!("{run}x"), format!("{below}y"), format!("{deeper}z"));
        let (l, m) = (Symlink(run.clone().into_bytes()), Symlink(below.clone().into_bytes()));
        let tree = tree(&[&[("l", l), (&x, file()), (&y, file()), ("m", m), (&z, file())]]);
        assert_eq!(tree.pinned_files().count(), 2);
        let (left_out, count) = tree.left_out();
        assert_eq!((left_out[0].path.as_slice(), count), (z.as_bytes(), 1));
    }

    #[test]
    fn an_opaque_directory_hides_only_what_lower_layers_brought() {
        // The mark may stand after the new files, and hides none of them.
        check(&[&[("d/old", file()), ("e", file())], &[("d/new", file()), ("d", Opaque)]], &["d/new@1", "e@0"]);
        check(&[&[("a", file())], &[("", Opaque), ("b", file())]], &["b@1"]);
    }

    #[test]
    fn what_is_deleted_and_made_again_does_not_bring_back_its_children() {
        check(&[&[("d/x", file())], &[("d", Whiteout)], &[("d", Directory), ("d/y", file())]], &["d/y@2"]);
    }

    #[test]
    fn a_file_replaces_a_directory_and_a_directory_a_file() {
        check(&[&[("d/x", file())], &[("d", file())]], &["d@1"]);
        check(&[&[("d", file())], &[("d", Directory), ("d/x", file())]], &["d/x@1"]);
    }

    #[test]
    fn entries_go_where_links_lead_inside_the_tree() {
        check(
            &[&[("usr/lib", Directory), ("lib", Symlink(b"usr/lib".to_vec()))], &[("lib/x.so", file())]],
            &["usr/lib/x.so@1"],
        );
        // A link that climbs out stays at the root, as it would in a container.
        check(
            &[&[("l", Symlink(b"../../../etc".to_vec())), ("etc", Directory)], &[("l/passwd", file())]],
            &["etc/passwd@1"],
        );
    }

    #[test]
    fn links_in_circles_lead_nowhere() {
        let tree =
            tree(&[&[("a", Symlink(b"b".to_vec())), ("b", Symlink(b"a".to_vec())), ("c", Symlink(b"c".to_vec()))]]);
        assert_eq!(tree.resolve(b"/a"), None);
        assert_eq!(tree.resolve(b"c/x"), None);
    }

    #[test]
    fn a_hard_link_keeps_content_whose_first_name_is_gone() {
        check(&[&[("store", file())], &[("name", Hardlink(b"store".to_vec()))], &[("store", Whiteout)]], &["name@0"]);
        check(&[&[("name", Hardlink(b"missing".to_vec()))]], &[]);
    }
}
