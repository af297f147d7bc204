//! From a target to its inventory, each layer read once, ever.

use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use formats::sbom::SBOM_BYTES_MAX;
use inventory::assemble::{Assembled, Stacking, assemble, origin};
use inventory::cataloger::{Cataloger, Scope};
use inventory::catalogers;
use inventory::layer::LayerFacts;
use model::artifact::{Artifact, ArtifactKind, Layer, Referrer};
use model::change::Changes;
use model::digest::Digest;
use model::gap::{Gap, GapKind};
use model::integrity::{INTEGRITY_MODEL_VERSION, IntegrityFile, IntegrityModel};
use model::inventory::Inventory;
use serde::{Deserialize, Serialize};

use crate::bases::Bases;
use crate::cache::{Cache, Kind, key};
use crate::container::{self, Found};
use crate::error::ScanError;
use crate::exclude::Exclude;
use crate::progress::{Event, Progress};
use crate::sandbox::{self, Sandboxing};
use crate::source::git::{self, Contents};
use crate::source::{self, Known, LayerBlob, Located, SourceError, SourceIdentity, SourceOptions};
use crate::spool::TempSpool;
use crate::target::Target;
use crate::walk::layer::{LayerError, read_layer, verify_layer};
use crate::walk::listing::Listing;
use crate::walk::{self, Budget};

/// What inspecting needs besides the target.
#[derive(Debug)]
pub struct InspectOptions {
    /// How to open images.
    pub source: SourceOptions,
    /// Where to remember layers; none to read everything again.
    pub cache: Option<Cache>,
    /// Known base images.
    pub bases: Bases,
    /// What of it to leave out.
    pub exclude: Exclude,
    /// Who is told how it goes on.
    pub progress: Progress,
    /// Whether another process reads, which can do nothing else.
    pub sandbox: Sandboxing,
}

/// What was found: facts, no opinion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// What was looked at.
    pub artifact: Artifact,
    /// What is inside.
    pub inventory: Inventory,
    /// Where an image was taken from that was given by its name alone, as a sentence.
    pub taken_from: Option<String>,
    /// How a container differs from its image.
    pub changes: Option<Changes>,
    integrity: IntegrityFiles,
}

/// The integrity model is large and seldom asked for, so it stays on disk when the rest came from there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum IntegrityFiles {
    Here(Vec<IntegrityFile>),
    Cached(String),
}

/// The catalogers that read images.
pub fn image_catalogers() -> Vec<Cataloger> {
    catalogers::ALL.iter().filter(|cataloger| cataloger.scope != Scope::Declared).copied().collect()
}

/// The catalogers that read directories.
fn directory_catalogers() -> Vec<Cataloger> {
    catalogers::ALL.iter().filter(|cataloger| cataloger.scope != Scope::Shipped).copied().collect()
}

/// A target, with what had to be asked of engines and git before it can be read.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    /// As the user wrote it.
    pub(crate) named: String,
    /// Where it is.
    pub(crate) target: &'a Target,
    /// Of a working tree: what belongs to it.
    pub(crate) contents: Option<Contents>,
}

/// Looks into a target.
pub fn inspect(target: &Target, options: &InspectOptions) -> Result<Inspection, ScanError> {
    let clone = match target {
        Target::GitUrl(url) => Some(git::clone(url, &spool_directory(options))?),
        _ => None,
    };
    let located = source::locate(target, &options.source)?;
    let (place, taken_from) = match (&clone, located) {
        (Some(clone), _) => (Target::Git(clone.path().to_owned()), None),
        (None, Some(Located { target, note })) => (target, Some(note)),
        (None, None) => (target.clone(), None),
    };
    let contents = match &place {
        Target::Git(path) => Some(git::contents(path)?),
        _ => None,
    };
    let prepared = Prepared { named: target.to_string(), target: &place, contents };
    let confined = match options.sandbox {
        Sandboxing::Off => None,
        _ => sandbox::look(&prepared, options)?,
    };
    let mut inspection = match confined {
        Some(inspection) => inspection,
        None => look(&place, prepared.contents.as_ref(), options)?,
    };
    inspection.artifact.target = prepared.named;
    options.exclude.apply(&mut inspection.inventory);
    Ok(Inspection { taken_from, ..inspection })
}

/// Reads a target that was located and listed.
pub(crate) fn look(
    target: &Target,
    contents: Option<&Contents>,
    options: &InspectOptions,
) -> Result<Inspection, ScanError> {
    match (target, contents) {
        (Target::Sbom(path), _) => bill_of_materials(target, path),
        (Target::Dir(path), _) => directory(target, path, options),
        (Target::File(path), _) => file(target, path, options),
        (Target::Git(path), Some(contents)) => working_tree(target, path, contents, options),
        (Target::Container(name), _) => container(target, name, options),
        (Target::Host, _) => host(target, options),
        _ => image(target, options),
    }
}

impl Inspection {
    /// The key of what was left in the cache.
    pub(crate) fn cached_key(&self) -> Option<&str> {
        match &self.integrity {
            IntegrityFiles::Here(_) => None,
            IntegrityFiles::Cached(key) => Some(key),
        }
    }

    /// What the artifact may run and contain. Fails when it was cached and the cache has lost it since.
    pub fn integrity_model(&self, options: &InspectOptions) -> Result<IntegrityModel, ScanError> {
        let files = match &self.integrity {
            IntegrityFiles::Here(files) => files.clone(),
            IntegrityFiles::Cached(key) => {
                let cache = options.cache.as_ref();
                cache.and_then(|cache| cache.get(Kind::Integrity, key)).ok_or(ScanError::CacheLost)?
            }
        };
        let config = &self.artifact.config;
        Ok(IntegrityModel {
            schema_version: INTEGRITY_MODEL_VERSION,
            manifest_digest: self.artifact.manifest_digest.clone(),
            image_id: self.artifact.image_id.clone(),
            platform: self.artifact.platform.clone(),
            user: config.user.clone().filter(|user| !user.is_empty()),
            entrypoint: config.entrypoint.clone(),
            cmd: config.cmd.clone(),
            files,
            gaps: self.inventory.gaps.clone(),
        })
    }
}

fn bill_of_materials(target: &Target, path: &Path) -> Result<Inspection, ScanError> {
    let bytes =
        bill_of_materials_bytes(path).map_err(|source| ScanError::SbomFile { path: path.to_owned(), source })?;
    let (mut artifact, inventory) =
        formats::sbom::read(&bytes).map_err(|source| ScanError::Sbom { path: path.to_owned(), source })?;
    artifact.target = target.to_string();
    Ok(Inspection { artifact, inventory, taken_from: None, changes: None, integrity: IntegrityFiles::Here(Vec::new()) })
}

fn bill_of_materials_bytes(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    // One byte more than is read, so that its reader can say that it is too long.
    std::fs::File::open(path)?.take(SBOM_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn directory(target: &Target, path: &Path, options: &InspectOptions) -> Result<Inspection, ScanError> {
    let facts = walk::directory::read_directory(path, &directory_catalogers(), &spool(options))?;
    let Assembled { inventory, integrity } = assemble(&[facts], Stacking { layered: false, base_layers: None });
    let artifact = Artifact::new(target.to_string(), ArtifactKind::Directory);
    Ok(Inspection { artifact, inventory, taken_from: None, changes: None, integrity: IntegrityFiles::Here(integrity) })
}

/// One file of a directory.
fn file(target: &Target, path: &Path, options: &InspectOptions) -> Result<Inspection, ScanError> {
    // A link is followed: it is the user who names it, not a stranger's tree.
    let real = std::fs::canonicalize(path);
    let real = real.map_err(|source| SourceError::File { path: path.to_owned(), source })?;
    let (Some(parent), Some(name), true) = (real.parent(), real.file_name(), real.is_file()) else {
        return Err(SourceError::NotAFile { path: path.to_owned() }.into());
    };
    let mut listing = Listing::default();
    listing.insert(name.as_bytes());
    let facts = walk::directory::read_listed(parent, &listing, catalogers::ALL, &spool(options))?;
    let is_unknown = facts.files.is_empty() && facts.gaps.is_empty();
    let Assembled { mut inventory, integrity } = assemble(&[facts], Stacking { layered: false, base_layers: None });
    if is_unknown {
        let detail = "no cataloger knows a file of this name and content";
        inventory.gaps.push(Gap::new(GapKind::Unsupported, name.to_string_lossy(), detail));
    }
    let artifact = Artifact::new(target.to_string(), ArtifactKind::Directory);
    Ok(Inspection { artifact, inventory, taken_from: None, changes: None, integrity: IntegrityFiles::Here(integrity) })
}

fn container(target: &Target, name: &str, options: &InspectOptions) -> Result<Inspection, ScanError> {
    let mut found = container::look(target.to_string(), name, &spool(options), &options.bases)?;
    if let Some(of) = found.image_to_compare() {
        let assembled = |image: Inspection| -> Option<Assembled> {
            let integrity = image.integrity_model(options).ok()?.files;
            Some(Assembled { inventory: image.inventory, integrity })
        };
        found.compare(inspect(&of, options).ok().and_then(assembled));
    }
    let Found { artifact, assembled, changes, .. } = found;
    let Assembled { inventory, integrity } = assembled;
    Ok(Inspection { artifact, inventory, taken_from: None, changes, integrity: IntegrityFiles::Here(integrity) })
}

fn host(target: &Target, options: &InspectOptions) -> Result<Inspection, ScanError> {
    let read = walk::host::read_host(Path::new("/"), &image_catalogers(), &spool(options))?;
    let Assembled { inventory, integrity } = assemble(&[read.facts], Stacking { layered: false, base_layers: None });
    let mut artifact = Artifact::new(target.to_string(), ArtifactKind::Host);
    artifact.host = Some(walk::host::describe(read.seen, &inventory));
    Ok(Inspection { artifact, inventory, taken_from: None, changes: None, integrity: IntegrityFiles::Here(integrity) })
}

/// What git tracks and what it does not ignore, in the working tree and those inside it.
fn working_tree(
    target: &Target,
    path: &Path,
    contents: &Contents,
    options: &InspectOptions,
) -> Result<Inspection, ScanError> {
    let facts = walk::directory::read_listed(path, &contents.listing, &directory_catalogers(), &spool(options))?;
    let Assembled { mut inventory, integrity } = assemble(&[facts], Stacking { layered: false, base_layers: None });
    inventory.gaps.extend(contents.gaps.iter().cloned());
    let mut artifact = Artifact::new(target.to_string(), ArtifactKind::Directory);
    artifact.working_tree = Some(contents.state.clone());
    Ok(Inspection { artifact, inventory, taken_from: None, changes: None, integrity: IntegrityFiles::Here(integrity) })
}

fn image(target: &Target, options: &InspectOptions) -> Result<Inspection, ScanError> {
    if let (Some(cache), Some(known)) = (&options.cache, known(target, options))
        && let Some(key) = target_key(target, &known.identity)
        && let Some(mut artifact) = cache.get::<Artifact>(Kind::Target, &key)
    {
        artifact.target = target.to_string();
        artifact.names = known.names.unwrap_or(artifact.names);
        if let Some(inspection) = known_inventory(with_base(artifact, &options.bases), cache) {
            return Ok(inspection);
        }
    }
    let before = SystemTime::now();
    let opened = source::open(target, &options.source)?;
    // An archive written a moment ago may be written again without looking any different, so it is not recognised by that.
    let is_settled = opened.identity.is_settled_at(before);
    let mut artifact = opened.artifact;
    let read = read_layers(target, &opened.layers, options)?;
    artifact.layers = read.iter().map(|read| read.layer.clone()).collect();
    artifact.referrers = referrers(target, &artifact, options);
    if let (Some(cache), Some(key), true) = (&options.cache, target_key(target, &opened.identity), is_settled) {
        cache.put(Kind::Target, &key, &artifact).ok();
    }
    let artifact = with_base(artifact, &options.bases);
    if let Some(inspection) = options.cache.as_ref().and_then(|cache| known_inventory(artifact.clone(), cache)) {
        return Ok(inspection);
    }
    let facts: Vec<LayerFacts> = read.into_iter().map(|read| read.facts).collect();
    let Assembled { inventory, integrity } = assemble(&facts, stacking(&artifact));
    if let Some(cache) = &options.cache {
        // Losing the cache costs time only; the next scan will try again.
        let key = inventory_key(&artifact);
        cache.put(Kind::Integrity, &key, &integrity).and_then(|()| cache.put(Kind::Inventory, &key, &inventory)).ok();
        cache.prune().ok();
    }
    Ok(Inspection { artifact, inventory, taken_from: None, changes: None, integrity: IntegrityFiles::Here(integrity) })
}

/// What refers to a registry's image. A registry that does not answer this has still given the image, so the scan goes on.
fn referrers(target: &Target, artifact: &Artifact, options: &InspectOptions) -> Option<Vec<Referrer>> {
    // A bare name has become the target that it was found as.
    let subject = artifact.manifest_digest.as_ref().filter(|_| matches!(target, Target::Registry(_)))?;
    let found = source::referrers(target, subject, &options.source).ok()?;
    let kind = |found: &source::Descriptor| found.artifact_type.clone().unwrap_or_else(|| found.media_type.clone());
    Some(found.iter().map(|found| Referrer { digest: found.digest.clone(), kind: kind(found) }).collect())
}

/// What an unchanged target is recognised by; none when there is no cache, or when asking failed (then opening says why).
fn known(target: &Target, options: &InspectOptions) -> Option<Known> {
    options.cache.as_ref()?;
    source::identify(target, &options.source).ok()
}

fn target_key(target: &Target, identity: &SourceIdentity) -> Option<String> {
    let name = match identity {
        // An engine's image is what its id says, under every name it has.
        SourceIdentity::Engine { .. } => String::new(),
        _ => target.to_string(),
    };
    let machine = match identity {
        SourceIdentity::Files { .. } => source::machine(),
        _ => "",
    };
    Some(key(&[&name, &serde_json::to_string(identity).ok()?, machine]))
}

fn known_inventory(artifact: Artifact, cache: &Cache) -> Option<Inspection> {
    let key = inventory_key(&artifact);
    let inventory = cache.get(Kind::Inventory, &key)?;
    Some(Inspection { artifact, inventory, taken_from: None, changes: None, integrity: IntegrityFiles::Cached(key) })
}

fn inventory_key(artifact: &Artifact) -> String {
    let base = format!("{:?}", stacking(artifact).base_layers);
    let chain: Vec<String> = artifact.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    key(&[&base, &chain.join(",")])
}

fn stacking(artifact: &Artifact) -> Stacking {
    Stacking { layered: true, base_layers: artifact.base.as_ref().and_then(|base| base.layer_count) }
}

pub(crate) fn with_base(mut artifact: Artifact, bases: &Bases) -> Artifact {
    let diff_ids: Vec<Digest> = artifact.layers.iter().map(|layer| layer.diff_id.clone()).collect();
    artifact.base = bases.recognise(&artifact, &diff_ids);
    let stacking = stacking(&artifact);
    for (number, layer) in (0..).zip(&mut artifact.layers) {
        layer.origin = origin(number, stacking);
    }
    artifact
}

struct KnownLayer {
    layer: Layer,
    facts: LayerFacts,
}

/// A layer as it is cached, under its diff id.
#[derive(Serialize, Deserialize)]
struct CachedLayer {
    size: u64,
    facts: LayerFacts,
}

fn read_layers(target: &Target, blobs: &[LayerBlob], options: &InspectOptions) -> Result<Vec<KnownLayer>, ScanError> {
    let of = blobs.len();
    let size = |blob: &LayerBlob| blob.size.unwrap_or(0);
    options.progress.tell(|| Event::Layers {
        target: target.to_string(),
        of,
        bytes: blobs.iter().map(size).fold(0, u64::saturating_add),
    });
    // Counted and told in one step, so that nobody hears the third before the second.
    let done = Mutex::new(0);
    let tell = |layer: usize, bytes: u64, cached: bool| {
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        *done += 1;
        options.progress.tell(|| Event::Layer { target: target.to_string(), layer, done: *done, of, bytes, cached });
    };
    let reading = Reading {
        catalogers: image_catalogers(),
        spool: spool(options),
        budget: Budget::default(),
        cache: options.cache.as_ref(),
    };
    let read = |(number, blob): &(usize, &LayerBlob)| -> Result<KnownLayer, LayerError> {
        // Targets scanned side by side share layers: whoever comes second waits, and finds what the first one found.
        let _alone = options.cache.as_ref().map(|cache| cache.alone(&blob.expected_diff_id.hex()));
        let known = reading.known(blob)?;
        let cached = known.is_some();
        let CachedLayer { size, facts } = match known {
            Some(known) => known,
            None => reading.fresh(blob)?,
        };
        tell(*number, size, cached);
        let layer = Layer {
            diff_id: blob.expected_diff_id.clone(),
            digest: blob.expected_digest.clone(),
            size,
            created_by: blob.created_by.clone(),
            origin: model::artifact::Origin::Unknown,
        };
        Ok(KnownLayer { layer, facts })
    };
    let numbered: Vec<(usize, &LayerBlob)> = (1..).zip(blobs).collect();
    Ok(walk::try_in_parallel(&numbered, |(_, blob)| size(blob), read)?)
}

/// What reading the layers of one image needs.
struct Reading<'a> {
    catalogers: Vec<Cataloger>,
    spool: TempSpool,
    budget: Budget,
    cache: Option<&'a Cache>,
}

impl Reading<'_> {
    fn fresh(&self, blob: &LayerBlob) -> Result<CachedLayer, LayerError> {
        let stamp = blob.stamp();
        let read = read_layer(blob, &self.catalogers, &self.spool, &self.budget)?;
        let layer = CachedLayer { size: read.size, facts: read.facts };
        if let Some(cache) = self.cache {
            cache.put(Kind::Layer, &read.diff_id.hex(), &layer).ok();
            remember_verified(blob, stamp, cache);
        }
        Ok(layer)
    }

    /// A layer whose content was seen before. What is known under a digest is used only for bytes that have it: they are
    /// hashed again unless the same file (or the same blob of a registry) was verified earlier.
    fn known(&self, blob: &LayerBlob) -> Result<Option<CachedLayer>, LayerError> {
        let Some(cache) = self.cache else { return Ok(None) };
        let Some(known) = cache.get::<CachedLayer>(Kind::Layer, &blob.expected_diff_id.hex()) else { return Ok(None) };
        let stamp = blob.stamp();
        let is_verified = |stamp: &String| cache.get::<()>(Kind::Verified, &verified_key(blob, stamp)).is_some();
        if !stamp.as_ref().is_some_and(is_verified) {
            verify_layer(blob, &self.budget)?;
            remember_verified(blob, stamp, cache);
        }
        Ok(Some(known))
    }
}

fn remember_verified(blob: &LayerBlob, stamp: Option<String>, cache: &Cache) {
    // Only a file that did not change while it was read has the digest that was computed.
    if let Some(stamp) = stamp.filter(|stamp| Some(stamp) == blob.stamp().as_ref()) {
        cache.put(Kind::Verified, &verified_key(blob, &stamp), &()).ok();
    }
}

fn verified_key(blob: &LayerBlob, stamp: &str) -> String {
    let digest = blob.expected_digest.as_ref().map(Digest::to_string).unwrap_or_default();
    key(&[stamp, &digest, &blob.expected_diff_id.to_string()])
}

fn spool(options: &InspectOptions) -> TempSpool {
    TempSpool::new(spool_directory(options))
}

pub(crate) fn spool_directory(options: &InspectOptions) -> PathBuf {
    let on_cache_disk = options.cache.as_ref().and_then(|cache| cache.spool_directory().ok());
    on_cache_disk.unwrap_or_else(std::env::temp_dir)
}
