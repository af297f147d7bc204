//! CycloneDX JSON.

use std::collections::BTreeMap;

use model::artifact::{Artifact, ArtifactKind, Layer, Origin};
use model::digest::Digest;
use model::distro::Distro;
use model::gap::GapKind;
use model::inventory::Inventory;
use model::package::SourcePackage;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::SbomError;
use super::inventory::{Builder, Component};

/// Components stay text until their turn, so that a malformed one is its own gap and memory stays near the input's size.
#[derive(Deserialize)]
struct Document<'a> {
    metadata: Option<Value>,
    #[serde(borrow, default)]
    components: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    dependencies: Vec<&'a RawValue>,
}

pub(super) fn read(bytes: &[u8]) -> Result<(Artifact, Inventory), SbomError> {
    let document: Document<'_> = serde_json::from_slice(bytes).map_err(SbomError::Json)?;
    let root = document.metadata.as_ref().and_then(|metadata| metadata.get("component"));
    let artifact = artifact(root);
    let mut builder = Builder::default();
    if let Some(metadata) = &document.metadata {
        project(metadata).into_iter().for_each(|reference| builder.root(reference));
    }
    for (number, text) in document.components.iter().enumerate() {
        match serde_json::from_str::<Value>(text.get()) {
            Ok(component) => add_tree(&mut builder, &artifact, &component),
            Err(error) => builder.gap(GapKind::Malformed, format!("component {}", number + 1), clause(&error)),
        }
    }
    // Some tools nest everything below the described component.
    for nested in root.and_then(|root| root.get("components")).and_then(Value::as_array).into_iter().flatten() {
        add_tree(&mut builder, &artifact, nested);
    }
    for (number, text) in document.dependencies.iter().enumerate() {
        match serde_json::from_str::<Dependency>(text.get()) {
            Ok(dependency) => dependency.depends_on.iter().for_each(|to| builder.depends(&dependency.reference, to)),
            Err(error) => builder.gap(GapKind::Malformed, format!("dependency {}", number + 1), clause(&error)),
        }
    }
    Ok((artifact, builder.finish()))
}

/// The reference of the project that the bill describes. None for an image or a directory, which names no dependencies
/// itself, and in our own documents, which say of each package whether it is direct.
fn project(metadata: &Value) -> Option<&str> {
    let root = metadata.get("component")?;
    let ours = metadata.pointer("/tools/components/0/name").is_some_and(|name| name == "dogwatch");
    let is_project = !ours && !matches!(text(root, "type"), "container" | "file" | "operating-system" | "");
    Some(text(root, "bom-ref")).filter(|reference| is_project && !reference.is_empty())
}

#[derive(Deserialize)]
struct Dependency {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(rename = "dependsOn", default)]
    depends_on: Vec<String>,
}

fn clause(error: &serde_json::Error) -> String {
    error.to_string().chars().take(200).collect()
}

/// A component and those nested in it. The JSON reader bounds the depth (128), a stack on the heap the rest.
fn add_tree(builder: &mut Builder, artifact: &Artifact, component: &Value) {
    let mut waiting = vec![component];
    while let Some(component) = waiting.pop() {
        if let Some(nested) = component.get("components").and_then(Value::as_array) {
            waiting.extend(nested.iter().rev());
        }
        add(builder, artifact, component);
    }
}

fn add(builder: &mut Builder, artifact: &Artifact, component: &Value) {
    if !component.is_object() {
        return builder.gap(GapKind::Malformed, "components", "an entry is not an object");
    }
    let properties = Properties::of(component);
    match text(component, "type") {
        "operating-system" => return set_distro(builder, component, &properties),
        // Files and data are listed beside packages; nothing is matched to them, and they are not missing versions.
        "file" | "data" | "cryptographic-asset" if text(component, "purl").is_empty() => return,
        // Trivy lists lock files as applications; what they declare follows as libraries.
        "application" if text(component, "purl").is_empty() && properties.get("aquasecurity:trivy:Class").is_some() => {
            return;
        }
        _ => {}
    }
    let group = text(component, "group");
    let name = text(component, "name");
    builder.add(Component {
        reference: text(component, "bom-ref").to_owned(),
        name: if group.is_empty() { name.to_owned() } else { format!("{group}/{name}") },
        version: text(component, "version").to_owned(),
        purl: text(component, "purl").to_owned(),
        licenses: licenses(component),
        paths: paths(component, &properties),
        source: source(&properties),
        arch: properties.get("dogwatch:arch").map(str::to_owned),
        module: properties.first(&["dogwatch:rpm:module", "aquasecurity:trivy:Modularitylabel"]).map(str::to_owned),
        provides: properties.all("dogwatch:provides").map(str::to_owned).collect(),
        layer: layer(artifact, &properties),
        origin: match properties.get("dogwatch:origin") {
            Some("base") => Origin::Base,
            Some("application") => Origin::Application,
            _ => Origin::Unknown,
        },
        direct: properties.get("dogwatch:direct").is_some(),
        development: text(component, "scope") == "excluded",
        cataloger: properties.first(&["dogwatch:cataloger", "syft:package:foundBy"]).map(str::to_owned),
    });
}

fn set_distro(builder: &mut Builder, component: &Value, properties: &Properties<'_>) {
    let stated = |name: &'static str| Some(text(component, name)).filter(|text| !text.is_empty());
    let id = properties.first(&["syft:distro:id", "aquasecurity:trivy:Type"]).or_else(|| stated("name"));
    let distro = Distro {
        id: id.unwrap_or_default().to_lowercase(),
        version_id: properties.get("syft:distro:versionID").or_else(|| stated("version")).map(str::to_owned),
        codename: properties.first(&["dogwatch:distro:codename", "syft:distro:versionCodename"]).map(str::to_owned),
        id_like: properties
            .matching("syft:distro:idLike:")
            .chain(properties.all("dogwatch:distro:idLike"))
            .map(str::to_owned)
            .collect(),
        pretty_name: properties.get("syft:distro:prettyName").or_else(|| stated("description")).map(str::to_owned),
        cpe: stated("cpe").map(str::to_owned),
    };
    match &builder.distro {
        Some(other) if *other != distro => {
            let detail = format!("the bill names {} as well as {}", distro.id, other.id);
            builder.gap(GapKind::UnknownDistribution, "distro", detail);
        }
        _ => builder.distro = Some(distro),
    }
}

fn artifact(root: Option<&Value>) -> Artifact {
    let nothing = Value::Null;
    let root = root.unwrap_or(&nothing);
    let properties = Properties::of(root);
    let (name, version) = (text(root, "name"), text(root, "version"));
    let mut artifact = Artifact::new(name, ArtifactKind::Sbom);
    artifact.names = properties
        .all("dogwatch:image:name")
        .chain(properties.all("aquasecurity:trivy:RepoTag"))
        .map(str::to_owned)
        .collect();
    let repo_digest = properties.get("aquasecurity:trivy:RepoDigest").and_then(|digest| digest.rsplit('@').next());
    if text(root, "type") == "container" {
        artifact.manifest_digest = repo_digest.or(Some(version)).and_then(|digest| Digest::parse(digest).ok());
        if artifact.names.is_empty() && !name.is_empty() {
            artifact.names.push(name.to_owned());
        }
    }
    let image_id = properties.first(&["dogwatch:image:id", "aquasecurity:trivy:ImageID"]);
    artifact.image_id = image_id.and_then(|digest| Digest::parse(digest).ok());
    artifact.platform = properties.get("dogwatch:image:platform").map(str::to_owned);
    let diff_ids = properties.all("dogwatch:layer:diffId").chain(properties.all("aquasecurity:trivy:DiffID"));
    // A bill lists which layers there are, not how large they were.
    artifact.layers = diff_ids
        .filter_map(|digest| Digest::parse(digest).ok())
        .map(|diff_id| Layer { diff_id, digest: None, size: 0, created_by: None, origin: Origin::Unknown })
        .collect();
    artifact
}

/// The layer by its number, or by its diff id among those that the bill lists.
fn layer(artifact: &Artifact, properties: &Properties<'_>) -> Option<u32> {
    if let Some(number) = properties.get("dogwatch:layer").and_then(|number| number.parse().ok()) {
        return Some(number).filter(|number| (*number as usize) < artifact.layers.len());
    }
    let diff_id = properties.first(&["aquasecurity:trivy:LayerDiffID", "syft:location:0:layerID"])?;
    let diff_id = Digest::parse(diff_id).ok()?;
    let position = artifact.layers.iter().position(|layer| layer.diff_id == diff_id)?;
    u32::try_from(position).ok()
}

fn source(properties: &Properties<'_>) -> Option<SourcePackage> {
    let name = properties.first(&[
        "dogwatch:source:name",
        "aquasecurity:trivy:SrcName",
        "syft:metadata:source",
        "syft:metadata:originPackage",
    ])?;
    let version =
        properties.first(&["dogwatch:source:version", "aquasecurity:trivy:SrcVersion", "syft:metadata:sourceVersion"]);
    let mut version = version.unwrap_or_default().to_owned();
    // Trivy takes the parts of a version apart.
    if let Some(release) = properties.get("aquasecurity:trivy:SrcRelease").filter(|_| !version.is_empty()) {
        version = format!("{version}-{release}");
    }
    if let Some(epoch) =
        properties.get("aquasecurity:trivy:SrcEpoch").filter(|epoch| *epoch != "0" && !version.is_empty())
    {
        version = format!("{epoch}:{version}");
    }
    Some(SourcePackage { name: name.to_owned(), version })
}

fn paths(component: &Value, properties: &Properties<'_>) -> Vec<String> {
    let occurrences =
        component.get("evidence").and_then(|evidence| evidence.get("occurrences")).and_then(Value::as_array);
    let mut paths: Vec<String> = occurrences
        .into_iter()
        .flatten()
        .map(|occurrence| text(occurrence, "location"))
        .chain(properties.all("aquasecurity:trivy:FilePath"))
        .chain(properties.locations())
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect();
    let mut seen = std::collections::HashSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    paths
}

fn licenses(component: &Value) -> Vec<String> {
    let choices = component.get("licenses").and_then(Value::as_array).into_iter().flatten();
    let licenses = choices.filter_map(|choice| {
        let license = choice.get("license").unwrap_or(&Value::Null);
        [text(license, "id"), text(license, "name"), text(choice, "expression")]
            .into_iter()
            .find(|text| !text.is_empty())
    });
    licenses.map(str::to_owned).collect()
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// `properties` of a component: names may repeat.
struct Properties<'a>(BTreeMap<&'a str, Vec<&'a str>>);

impl<'a> Properties<'a> {
    fn of(component: &'a Value) -> Self {
        let mut properties: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for property in component.get("properties").and_then(Value::as_array).into_iter().flatten() {
            properties.entry(text(property, "name")).or_default().push(text(property, "value"));
        }
        Self(properties)
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.get(name).into_iter().flatten().copied()
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.all(name).find(|value| !value.is_empty())
    }

    fn first(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// The values of all properties whose names begin so.
    fn matching(&self, prefix: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name.starts_with(prefix)).flat_map(|(_, values)| values.iter().copied())
    }

    /// Syft's `syft:location:N:path`, by number.
    fn locations(&self) -> impl Iterator<Item = &'a str> {
        let numbered = self.0.iter().filter_map(|(name, values)| {
            let number = name.strip_prefix("syft:location:")?.strip_suffix(":path")?.parse::<u32>().ok()?;
            Some((number, *values.first()?))
        });
        let mut numbered: Vec<(u32, &str)> = numbered.collect();
        numbered.sort_unstable();
        numbered.into_iter().map(|(_, path)| path)
    }
}
