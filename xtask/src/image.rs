//! Puts OCI images together, layer by layer, without a container engine.
//!
//! Every time stamp is the same and entries are sorted, so equal files give equal digests. The format is OCI image
//! layout 1.0 (`oci-layout`, `index.json`, `blobs/sha256/…`).

use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

/// When something was made: in seconds, and as documents write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Since 1970.
    pub seconds: u64,
    /// RFC 3339, in UTC.
    pub text: String,
}

/// The day everything in images for tests was made: the first of 2024.
fn any_day() -> Moment {
    Moment { seconds: 1_704_067_200, text: "2024-01-01T00:00:00Z".into() }
}

/// An image that is being put together. A clone goes its own way from there.
#[derive(Debug, Clone)]
pub struct Image {
    layout: PathBuf,
    made: Moment,
    layers: Vec<Value>,
    diff_ids: Vec<String>,
    history: Vec<Value>,
}

/// A layer that was written: its digests with `sha256:` before them, and its compressed size.
struct Blob {
    digest: String,
    diff_id: String,
    size: u64,
}

impl Image {
    /// Begins an image in the directory `layout`, which may hold other images already.
    pub fn begin(layout: &Path) -> Result<Self> {
        Self::begin_at(layout, &any_day())
    }

    /// [`Image::begin`] for an image all of which was made at one moment.
    pub fn begin_at(layout: &Path, made: &Moment) -> Result<Self> {
        fs::create_dir_all(layout.join("blobs/sha256"))?;
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        let (layout, made) = (layout.to_owned(), made.clone());
        Ok(Self { layout, made, layers: Vec::new(), diff_ids: Vec::new(), history: Vec::new() })
    }

    /// Puts a tar file on top as it is.
    pub fn tar(&mut self, tar: &Path, created_by: &str) -> Result<()> {
        let mut tar = File::open(tar).with_context(|| format!("`{}` cannot be read", tar.display()))?;
        self.written(created_by, |out| io::copy(&mut tar, out).map(drop))
    }

    /// Puts the tar file that `fill` writes on top.
    pub fn written(&mut self, created_by: &str, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        let blob = self.blob(fill)?;
        self.push(blob, created_by);
        Ok(())
    }

    /// Puts a tar file on top that gzip compressed already: it is linked into the layout, not copied. The digests are
    /// SHA-256 in hexadecimal, of the file and of what it inflates to.
    pub fn compressed(&mut self, gz: &Path, digest: &str, diff_id: &str, created_by: &str) -> Result<()> {
        let size = fs::metadata(gz).with_context(|| format!("`{}` cannot be read", gz.display()))?.len();
        let blob = Blob { digest: format!("sha256:{digest}"), diff_id: format!("sha256:{diff_id}"), size };
        let path = self.blob_path(&blob.digest);
        if !path.exists() {
            fs::hard_link(gz, path)?;
        }
        self.push(blob, created_by);
        Ok(())
    }

    /// Puts the files of a directory on top, owned by root.
    pub fn directory(&mut self, directory: &Path, created_by: &str) -> Result<()> {
        let made = self.made.seconds;
        self.written(created_by, |out| tar_of(directory, Path::new(""), made, out).map(drop))
    }

    /// Puts on top what differs between two states of one file tree: new and changed files, and a whiteout for each that
    /// is gone (image layer specification, "Representing Changes").
    pub fn changes(&mut self, before: &Path, after: &Path, created_by: &str) -> Result<()> {
        let made = self.made.seconds;
        self.written(created_by, |out| {
            let mut tar = tar::Builder::new(out);
            let is_new = |path: &Path, now: &Metadata| {
                before.join(path).symlink_metadata().map_or(true, |old| changed(&old, now))
            };
            append_below(&mut tar, after, Path::new(""), Path::new(""), made, &is_new)?;
            append_whiteouts(&mut tar, before, after, Path::new(""), made)?;
            tar.finish()
        })
    }

    /// Notes a build step that changed no file.
    pub fn step(&mut self, created_by: &str) {
        self.history.push(json!({ "created": self.made.text, "created_by": created_by, "empty_layer": true }));
    }

    /// Writes configuration and manifest of what was put together so far and names it in the layout's index. `config` is
    /// the `config` member of the image configuration. More layers may follow for another name.
    pub fn finish(&self, name: &str, config: &Value) -> Result<()> {
        self.finish_for(architecture(), name, config)
    }

    /// [`Image::finish`] for another architecture, in Go's words.
    pub fn finish_for(&self, architecture: &str, name: &str, config: &Value) -> Result<()> {
        let config = self.document(&json!({
            "created": self.made.text,
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": { "type": "layers", "diff_ids": self.diff_ids },
            "history": self.history,
        }))?;
        let manifest = self.document(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": self.layers,
        }))?;
        let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
        entry["platform"] = json!({ "architecture": architecture, "os": "linux" });
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        let index = self.layout.join("index.json");
        let mut manifests = match fs::read(&index) {
            Ok(bytes) => serde_json::from_slice::<Value>(&bytes)?["manifests"].as_array().cloned().unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        manifests.retain(|other| other["annotations"] != entry["annotations"]);
        manifests.push(entry);
        fs::write(index, json!({ "schemaVersion": 2, "manifests": manifests }).to_string())?;
        Ok(())
    }

    fn push(&mut self, blob: Blob, created_by: &str) {
        self.layers.push(descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &blob));
        self.diff_ids.push(blob.diff_id);
        self.history.push(json!({ "created": self.made.text, "created_by": created_by }));
    }

    /// Compresses and hashes what `fill` writes, in one go.
    fn blob(&self, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Blob> {
        let partial = self.layout.join("blobs/partial");
        let file = Hashed::new(BufWriter::new(File::create(&partial)?));
        let mut inner = Hashed::new(GzEncoder::new(file, Compression::new(3)));
        fill(&mut inner)?;
        let diff_id = inner.digest();
        let mut file = inner.inner.finish()?;
        file.flush()?;
        let (digest, size) = (file.digest(), file.bytes);
        fs::rename(partial, self.blob_path(&digest))?;
        Ok(Blob { digest, diff_id, size })
    }

    fn document(&self, document: &Value) -> Result<Blob> {
        let bytes = serde_json::to_vec(document)?;
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
        fs::write(self.blob_path(&digest), &bytes)?;
        Ok(Blob { diff_id: digest.clone(), digest, size: bytes.len() as u64 })
    }

    fn blob_path(&self, digest: &str) -> PathBuf {
        self.layout.join("blobs").join(digest.replace(':', "/"))
    }
}

/// The machine's architecture in Go's words, which are OCI's.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn descriptor(media_type: &str, blob: &Blob) -> Value {
    json!({ "mediaType": media_type, "digest": blob.digest, "size": blob.size })
}

fn changed(old: &Metadata, now: &Metadata) -> bool {
    let of = |data: &Metadata| (data.file_type(), data.mode(), data.uid(), data.gid());
    // The time of a directory changes with its entries, which speak for themselves.
    let content = |data: &Metadata| (data.len(), data.mtime(), data.mtime_nsec());
    of(old) != of(now) || (!now.is_dir() && content(old) != content(now))
}

fn entries(directory: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let names: io::Result<Vec<_>> = fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name())).collect();
    let mut names = names?;
    names.sort();
    Ok(names)
}

/// Writes a directory as a tar file: see [`append_tree`].
pub fn tar_of<W: Write>(directory: &Path, prefix: &Path, made: u64, out: W) -> io::Result<W> {
    let mut tar = tar::Builder::new(out);
    append_tree(&mut tar, directory, prefix, made)?;
    tar.into_inner()
}

/// Appends everything below a directory under `prefix`, owned by root, of one time, sorted.
pub fn append_tree<W: Write>(tar: &mut tar::Builder<W>, directory: &Path, prefix: &Path, made: u64) -> io::Result<()> {
    append_below(tar, directory, Path::new(""), prefix, made, &|_, _| true)
}

/// Appends everything below `root/path` that `wanted` says yes to; parents of what is wanted are not needed in a layer.
fn append_below<W: Write>(
    tar: &mut tar::Builder<W>,
    root: &Path,
    path: &Path,
    prefix: &Path,
    made: u64,
    wanted: &dyn Fn(&Path, &Metadata) -> bool,
) -> io::Result<()> {
    for name in entries(&root.join(path))? {
        let (path, full) = (path.join(&name), root.join(path).join(&name));
        let metadata = full.symlink_metadata()?;
        if wanted(&path, &metadata) {
            append(tar, &prefix.join(&path), &full, &metadata, made)?;
        }
        if metadata.is_dir() {
            append_below(tar, root, &path, prefix, made, wanted)?;
        }
    }
    Ok(())
}

fn append<W: Write>(
    tar: &mut tar::Builder<W>,
    path: &Path,
    full: &Path,
    metadata: &Metadata,
    made: u64,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(metadata.permissions().mode() & 0o7777);
    header.set_mtime(made);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    if metadata.is_dir() {
        header.set_entry_type(EntryType::Directory);
        tar.append_data(&mut header, path, io::empty())
    } else if metadata.is_symlink() {
        header.set_entry_type(EntryType::Symlink);
        tar.append_link(&mut header, path, fs::read_link(full)?)
    } else if metadata.is_file() {
        header.set_entry_type(EntryType::Regular);
        header.set_size(metadata.len());
        tar.append_data(&mut header, path, BufReader::new(File::open(full)?).take(metadata.len()))
    } else {
        Ok(()) // Devices and sockets have no place in our images.
    }
}

fn append_whiteouts<W: Write>(
    tar: &mut tar::Builder<W>,
    before: &Path,
    after: &Path,
    path: &Path,
    made: u64,
) -> io::Result<()> {
    for name in entries(&before.join(path))? {
        let below = path.join(&name);
        let now = after.join(&below).symlink_metadata();
        let is_directory = |data: Metadata| data.is_dir();
        if now.is_err() {
            let mut marker = std::ffi::OsString::from(".wh.");
            marker.push(&name);
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Regular);
            header.set_mtime(made);
            header.set_size(0);
            tar.append_data(&mut header, path.join(marker), io::empty())?;
        } else if now.is_ok_and(is_directory) && before.join(&below).symlink_metadata().is_ok_and(is_directory) {
            append_whiteouts(tar, before, after, &below, made)?;
        }
    }
    Ok(())
}

/// Counts and hashes what passes through.
struct Hashed<W> {
    inner: W,
    hasher: Sha256,
    bytes: u64,
}

impl<W> Hashed<W> {
    fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new(), bytes: 0 }
    }

    fn digest(&self) -> String {
        format!("sha256:{}", hex::encode(self.hasher.clone().finalize()))
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
