//! Files of entities: one YAML document per entity.

use std::collections::BTreeMap;

use condition::yaml::{Fields, Node, Reader, Yaml};
use condition::{Diagnostic, nearest};

use super::handling::PREFIX;
use super::reference::{DEFAULT_NAMESPACE, RefError};
use super::{
    Catalog, Component, Domain, EntityRef, Handling, Link, Metadata, Note, Origin, Person, Resource, System, Team,
};

/// The versions of Backstage's own kinds.
const API_VERSIONS: &[&str] = &["backstage.io/v1alpha1", "backstage.io/v1beta1"];
/// The kinds that are read.
const KINDS: &[&str] = &["Component", "Domain", "Group", "Resource", "System", "User"];
/// So many keys may a mapping have whose keys are looked up; looking up is quadratic, and Backstage's have ten.
const KEYS_MAX: usize = 500;

/// A place in one of the files, without its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    /// Which file, counted from 0.
    pub(super) file: usize,
    /// Line, column and width.
    pub(super) at: (usize, usize, usize),
}

/// A reference that must lead somewhere.
#[derive(Debug)]
pub(super) struct Use {
    /// Who refers.
    pub(super) from: EntityRef,
    /// By which key.
    pub(super) field: &'static str,
    /// To whom.
    pub(super) to: EntityRef,
    /// Where it is written.
    pub(super) spot: Spot,
}

/// What was read of the files so far.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// The entities; of several with one reference the first.
    pub(super) catalog: Catalog,
    /// Every entity and where its name is written.
    pub(super) declared: Vec<(EntityRef, Spot)>,
    /// Every reference.
    pub(super) uses: Vec<Use>,
    /// Every image pattern, whose it is, and where it is written.
    pub(super) patterns: Vec<(String, EntityRef, Spot)>,
    /// What is wrong within single documents.
    pub(super) errors: Vec<Diagnostic>,
}

impl Loaded {
    /// Reads one file.
    pub(super) fn read(&mut self, file: usize, name: &str, text: &str) {
        let mut reader = Reader::new(name, text);
        for document in &reader.documents() {
            EntityReader { reader: &mut reader, loaded: self, file, place: document }.read();
            // The rest of the file is not read: finding mistakes that are not shown costs time.
            if reader.is_full() {
                break;
            }
        }
        self.errors.extend(reader.into_errors());
    }
}

/// Reads one document.
struct EntityReader<'r, 'a> {
    reader: &'r mut Reader<'a>,
    loaded: &'r mut Loaded,
    file: usize,
    place: &'r Node,
}

impl EntityReader<'_, '_> {
    /// Takes the entity into the catalog. None when a mistake keeps it out.
    fn read(&mut self) -> Option<()> {
        let root = self.open(self.place, "an entity")?;
        let kind = self.reader.required(&root, "kind", "say what it is, such as `kind: Component`");
        let version = self.reader.required(&root, "apiVersion", "write `apiVersion: backstage.io/v1alpha1`");
        let (kind, version) = (kind?, version?);
        if !KINDS.contains(&kind) {
            self.skip(kind);
            return Some(());
        }
        if !API_VERSIONS.contains(&version) {
            let message = format!("a {kind} has no apiVersion `{version}`");
            let remedy = format!("write one of: {}", API_VERSIONS.join(", "));
            self.reader.reject(root.get("apiVersion")?, "unknown-value", message, &remedy);
        }
        let about = self.section(&root, "metadata", "say its name: `metadata: { name: … }`");
        let spec = self.section(&root, "spec", "say what it is: `spec: { owner: … }`");
        let (about, spec) = (about?, spec?);
        let (metadata, handling) = self.metadata(kind, &about)?;
        let reference = metadata.reference.clone();
        self.loaded.declared.push((reference.clone(), self.spot(about.get("name")?)));
        self.entity(kind, &reference, metadata, handling, &spec)
    }

    fn entity(
        &mut self,
        kind: &str,
        me: &EntityRef,
        metadata: Metadata,
        handling: Handling,
        spec: &Fields<'_>,
    ) -> Option<()> {
        match kind {
            "Group" => {
                let (display_name, email) = self.profile(spec);
                let kind =
                    self.reader.required(spec, "type", "say what it is: team, department, organization")?.to_owned();
                let parents = self.refs(me, spec, "parent", Some("group"), &["group"]);
                // Kept beside the references until all files are read: the other side learns of them then.
                self.refs(me, spec, "children", Some("group"), &["group"]);
                let members = self.refs(me, spec, "members", Some("user"), &["user"]);
                let team = Team { metadata, kind, display_name, email, parents, members };
                self.loaded.catalog.teams.entry(me.clone()).or_insert(team);
            }
            "User" => {
                let (display_name, email) = self.profile(spec);
                let teams = self.refs(me, spec, "memberOf", Some("group"), &["group"]);
                let person = Person { metadata, display_name, email, teams };
                self.loaded.catalog.people.entry(me.clone()).or_insert(person);
            }
            "Component" => {
                let kind = self.reader.required(spec, "type", "say what it is: service, website, library");
                let lifecycle =
                    self.reader.required(spec, "lifecycle", "say how far it is: experimental, production, deprecated");
                let owner = self.owner(me, spec);
                let system = self.one(me, spec, "system", "system");
                let subcomponent_of = self.one(me, spec, "subcomponentOf", "component");
                let depends_on = self.refs(me, spec, "dependsOn", None, &[]);
                let (kind, lifecycle, owner) = (kind?.to_owned(), lifecycle?.to_owned(), owner?);
                let component =
                    Component { metadata, kind, lifecycle, owner, system, subcomponent_of, depends_on, handling };
                self.loaded.catalog.components.entry(me.clone()).or_insert(component);
            }
            "Resource" => {
                let kind = self.reader.required(spec, "type", "say what it is: database, s3-bucket, queue");
                let owner = self.owner(me, spec);
                let system = self.one(me, spec, "system", "system");
                let depends_on = self.refs(me, spec, "dependsOn", None, &[]);
                let resource = Resource { metadata, kind: kind?.to_owned(), owner: owner?, system, depends_on };
                self.loaded.catalog.resources.entry(me.clone()).or_insert(resource);
            }
            "System" => {
                let owner = self.owner(me, spec);
                let domain = self.one(me, spec, "domain", "domain");
                let system = System { metadata, owner: owner?, domain, handling };
                self.loaded.catalog.systems.entry(me.clone()).or_insert(system);
            }
            _ => {
                let domain = Domain { metadata, owner: self.owner(me, spec)? };
                self.loaded.catalog.domains.entry(me.clone()).or_insert(domain);
            }
        }
        Some(())
    }

    fn skip(&mut self, kind: &str) {
        let text = match nearest(kind, KINDS.iter().copied()) {
            Some(near) => format!("entities of kind `{kind}` are left out; did you mean `{near}`?"),
            None => format!("entities of kind `{kind}` are left out"),
        };
        let origin = self.origin();
        self.loaded.catalog.notes.push(Note { origin, text });
    }

    fn origin(&self) -> Origin {
        Origin { file: self.reader.file.to_owned(), line: self.place.line }
    }

    fn spot(&self, node: &Node) -> Spot {
        Spot { file: self.file, at: (node.line, node.column, node.width) }
    }

    /// The fields of a mapping that may have any keys.
    fn open<'n>(&mut self, node: &'n Node, what: &str) -> Option<Fields<'n>> {
        let Yaml::Map(entries) = &node.value else { return self.reader.fields(node, what, &[]) };
        if entries.len() > KEYS_MAX {
            self.reader.reject(node, "too-many-keys", format!("{what} has more than {KEYS_MAX} keys"), "");
            return None;
        }
        // Every key that is there is known, and so is one that is no text.
        let known: Vec<&str> = entries.iter().map(|(key, _)| key.text().unwrap_or_default()).collect();
        self.reader.fields(node, what, &known)
    }

    fn section<'n>(&mut self, root: &Fields<'n>, key: &str, remedy: &str) -> Option<Fields<'n>> {
        match root.get(key) {
            Some(node) => self.open(node, &format!("`{key}`")),
            None => {
                self.reader.reject(root.node, "missing-key", format!("`{key}` is missing"), remedy);
                None
            }
        }
    }

    fn metadata(&mut self, kind: &str, about: &Fields<'_>) -> Option<(Metadata, Handling)> {
        let name = self.reader.required(about, "name", "give it a name that is unique among its kind");
        let namespace = self.reader.optional(about, "namespace").unwrap_or(DEFAULT_NAMESPACE);
        let name = name?;
        let reference = match EntityRef::new(kind, namespace, name) {
            Ok(reference) => reference,
            Err(error) => {
                let key = if error == RefError::Namespace { "namespace" } else { "name" };
                self.reader.reject(about.get(key)?, "wrong-name", error.to_string(), "");
                return None;
            }
        };
        let labels = self.texts_by_key(about, "labels").into_iter();
        let labels = labels.map(|(key, value)| (text_of(key), text_of(value))).collect();
        let (annotations, handling) = self.annotations(&reference, about);
        let optional = |reader: &mut Reader<'_>, key| reader.optional(about, key).map(|text| text.trim().to_owned());
        let metadata = Metadata {
            reference,
            name: name.to_owned(),
            title: optional(self.reader, "title"),
            description: optional(self.reader, "description"),
            labels,
            annotations,
            tags: self.reader.strings(about, "tags"),
            links: self.links(about),
            origin: self.origin(),
        };
        Some((metadata, handling))
    }

    fn links(&mut self, about: &Fields<'_>) -> Vec<Link> {
        let Some(node) = about.get("links") else { return Vec::new() };
        let Yaml::List(items) = &node.value else {
            self.reader.reject(node, "wrong-shape", "`links` is a list of mappings", "");
            return Vec::new();
        };
        let mut links = Vec::new();
        for item in items {
            let Some(fields) = self.open(item, "a link") else { continue };
            let url = self.reader.required(&fields, "url", "say where it leads");
            let title = self.reader.optional(&fields, "title").map(str::to_owned);
            links.extend(url.map(|url| Link { url: url.to_owned(), title }));
        }
        links
    }

    fn annotations(&mut self, me: &EntityRef, about: &Fields<'_>) -> (BTreeMap<String, String>, Handling) {
        let mut handling = Handling::default();
        let mut all = BTreeMap::new();
        for (key, value) in self.texts_by_key(about, "annotations") {
            all.insert(text_of(key), text_of(value));
            let Some(name) = key.text().and_then(|key| key.strip_prefix(PREFIX)) else { continue };
            handling.take(self.reader, me.kind(), (key, name), value);
            if name == "business-owner" {
                handling.business_owner = self.reference(me, "business-owner", value, Some("user"), &["user"]);
            }
            let spot = self.spot(value);
            if name == "images" {
                let patterns = handling.images.iter().map(|pattern| (pattern.clone(), me.clone(), spot));
                self.loaded.patterns.extend(patterns);
            }
        }
        (all, handling)
    }

    /// A mapping of texts.
    fn texts_by_key<'n>(&mut self, fields: &Fields<'n>, key: &str) -> Vec<(&'n Node, &'n Node)> {
        let entries = match fields.get(key) {
            None => return Vec::new(),
            Some(Node { value: Yaml::Map(entries), .. }) => entries,
            Some(node) => {
                self.reader.reject(node, "wrong-shape", format!("`{key}` is a mapping of texts"), "");
                return Vec::new();
            }
        };
        let (texts, others): (Vec<_>, Vec<_>) =
            entries.iter().map(|(key, value)| (key, value)).partition(|(_, value)| value.text().is_some());
        for (_, value) in others {
            self.reader.reject(value, "wrong-shape", format!("a value of `{key}` is a text"), "quote it");
        }
        texts
    }

    fn profile(&mut self, spec: &Fields<'_>) -> (Option<String>, Option<String>) {
        let Some(node) = spec.get("profile") else { return (None, None) };
        let Some(fields) = self.open(node, "`profile`") else { return (None, None) };
        let mut text = |key| self.reader.optional(&fields, key).map(|text| text.trim().to_owned());
        (text("displayName"), text("email"))
    }

    fn owner(&mut self, me: &EntityRef, spec: &Fields<'_>) -> Option<EntityRef> {
        self.reader.required(spec, "owner", "name the team that answers for it, such as `owner: team-a`")?;
        self.reference(me, "owner", spec.get("owner")?, Some("group"), &["group", "user"])
    }

    fn one(&mut self, me: &EntityRef, spec: &Fields<'_>, key: &'static str, kind: &str) -> Option<EntityRef> {
        let node = spec.get(key)?;
        self.reader.optional(spec, key)?;
        self.reference(me, key, node, Some(kind), &[kind])
    }

    /// The references of a list, of kinds that are `allowed`; of any where none is named.
    fn refs(
        &mut self,
        me: &EntityRef,
        spec: &Fields<'_>,
        key: &'static str,
        kind: Option<&str>,
        allowed: &[&str],
    ) -> Vec<EntityRef> {
        let nodes = self.reader.texts(spec, key);
        nodes.into_iter().filter_map(|node| self.reference(me, key, node, kind, allowed)).collect()
    }

    fn reference(
        &mut self,
        me: &EntityRef,
        field: &'static str,
        node: &Node,
        kind: Option<&str>,
        allowed: &[&str],
    ) -> Option<EntityRef> {
        let text = node.text().unwrap_or_default();
        let to = match EntityRef::parse(text, kind, me.namespace()) {
            Ok(to) => to,
            Err(error) => {
                let example = format!("write it as `{}:default/name`", kind.unwrap_or("component"));
                self.reader.reject(node, "wrong-reference", error.to_string(), &example);
                return None;
            }
        };
        if !allowed.is_empty() && !allowed.contains(&to.kind()) {
            let message = format!("`{field}` refers to a {}, not to a {}", allowed.join(" or a "), to.kind());
            self.reader.reject(node, "wrong-reference", message, "");
            return None;
        }
        let spot = self.spot(node);
        self.loaded.uses.push(Use { from: me.clone(), field, to: to.clone(), spot });
        Some(to)
    }
}

fn text_of(node: &Node) -> String {
    node.text().unwrap_or_default().to_owned()
}
