//! Writes layers and images for the bench: plain, sorted, with no times in them, so that the same files give the same bytes.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::image::{Image, append_tree};

use super::image::open;

/// What `docker save` and most builders use.
const GZIP_LEVEL: u32 = 6;

/// Writes one layer.
pub(super) struct LayerWriter<W: Write> {
    builder: tar::Builder<W>,
}

impl LayerWriter<BufWriter<File>> {
    pub(super) fn create(path: &Path) -> Result<Self> {
        Ok(Self { builder: tar::Builder::new(BufWriter::with_capacity(1 << 20, File::create(path)?)) })
    }
}

impl<W: Write> LayerWriter<W> {
    /// Adds what is below the directory `from`, at `at` in the image.
    pub(super) fn tree(&mut self, from: &Path, at: &str) -> Result<()> {
        Ok(append_tree(&mut self.builder, from, Path::new(at), 0)?)
    }

    pub(super) fn file(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        Ok(self.builder.append_data(&mut header, name, content)?)
    }

    pub(super) fn finish(self) -> Result<()> {
        Ok(self.builder.into_inner()?.flush()?)
    }
}

/// Writes the members of `above` that `below` does not have just so: what a build step on top of it changed.
pub(super) fn difference(below: &Path, above: &Path, out: &Path) -> Result<()> {
    let mut known = HashMap::new();
    for_each_member(below, |member, sum| {
        known.insert(member.path_bytes().into_owned(), sum);
        Ok(())
    })?;
    let mut changed = std::collections::HashSet::new();
    for_each_member(above, |member, sum| {
        let path = member.path_bytes().into_owned();
        if known.get(&path) != Some(&sum) {
            changed.insert(path);
        }
        Ok(())
    })?;
    let mut layer = LayerWriter::create(out)?;
    let mut archive = tar::Archive::new(BufReader::with_capacity(1 << 20, open(above)?));
    for member in archive.entries()? {
        let mut member = member?;
        let path = member.path()?.into_owned();
        if changed.contains(&*member.path_bytes()) {
            let mut header = member.header().clone();
            match member.link_name()?.map(|link| link.into_owned()) {
                Some(link) => layer.builder.append_link(&mut header, path, link)?,
                None => layer.builder.append_data(&mut header, path, &mut member)?,
            }
        }
    }
    layer.finish()
}

fn for_each_member(
    path: &Path,
    mut each: impl FnMut(&tar::Entry<'_, BufReader<File>>, [u8; 32]) -> Result<()>,
) -> Result<()> {
    let mut archive = tar::Archive::new(BufReader::with_capacity(1 << 20, open(path)?));
    for member in archive.entries()? {
        let mut member = member?;
        let mut hasher = Sha256::new();
        hasher.update(hashed(&mut member)?.1);
        hasher.update([member.header().entry_type().as_byte()]);
        hasher.update(member.header().mode()?.to_le_bytes());
        hasher.update(member.link_name_bytes().unwrap_or_default());
        each(&member, hasher.finalize().into())?;
    }
    Ok(())
}

/// The layers of one image, uncompressed tar files with their digests, bottom first.
pub(super) struct Layers(Vec<(PathBuf, String)>);

impl Layers {
    pub(super) fn read(layers: &[PathBuf]) -> Result<Self> {
        Ok(Self(layers.iter().map(|path| Ok((path.clone(), file_digest(path)?))).collect::<Result<_>>()?))
    }

    /// As `docker save` writes it: layers as they are.
    pub(super) fn write_docker_archive(&self, out: &Path) -> Result<()> {
        let diff_ids: Vec<String> = self.0.iter().map(|(_, digest)| format!("sha256:{digest}")).collect();
        let config = serde_json::to_vec(&json!({
            "architecture": "amd64", "os": "linux", "config": run_config(),
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        }))?;
        let mut archive = LayerWriter::create(out)?;
        let name = |digest: &str| format!("{digest}/layer.tar");
        let config_name = format!("{}.json", hex::encode(Sha256::digest(&config)));
        archive.file(&config_name, &config)?;
        for (path, digest) in &self.0 {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(fs::metadata(path)?.len());
            archive.builder.append_data(&mut header, name(digest), open(path)?)?;
        }
        let layers: Vec<String> = self.0.iter().map(|(_, digest)| name(digest)).collect();
        let manifest = json!([{ "Config": config_name, "RepoTags": ["bench:latest"], "Layers": layers }]);
        archive.file("manifest.json", &serde_json::to_vec(&manifest)?)?;
        archive.finish()
    }

    /// As a registry has it: an OCI layout with gzip layers. Compressed layers are kept in `parts` and linked.
    pub(super) fn write_oci(&self, out: &Path, parts: &Path) -> Result<()> {
        let mut image = Image::begin(out)?;
        for (path, digest) in &self.0 {
            let zipped = parts.join(format!("{digest}.gz"));
            if !zipped.exists() {
                let unfinished = zipped.with_extension("unfinished");
                let mut encoder =
                    GzEncoder::new(BufWriter::new(File::create(&unfinished)?), Compression::new(GZIP_LEVEL));
                io::copy(&mut open(path)?, &mut encoder)?;
                encoder.finish()?.flush()?;
                fs::rename(&unfinished, &zipped)?;
            }
            let created_by = path.file_name().unwrap_or_default().to_string_lossy();
            image.compressed(&zipped, &file_digest(&zipped)?, digest, &created_by)?;
        }
        image.finish_for("amd64", "bench", &run_config())
    }
}

/// The `config` member of the image configuration.
fn run_config() -> Value {
    json!({ "Entrypoint": ["/usr/local/bin/shop"], "User": "1000" })
}

/// An image of one layer with `count` small files of a directory tree like a mail spool's.
pub(super) fn small_files(out: &Path, count: u32) -> Result<()> {
    let mut image = Image::begin(out)?;
    image.written("COPY spool /var/spool/mail", |out| {
        let mut layer = LayerWriter { builder: tar::Builder::new(out) };
        for number in 0..count {
            let name =
                format!("var/spool/mail/{:03}/{:03}/message-{number:07}.eml", number / 1_000_000, number / 1000 % 1000);
            layer.file(&name, format!("Subject: {number}\n\nHello.\n").as_bytes()).map_err(io::Error::other)?;
        }
        layer.builder.finish()
    })?;
    image.finish_for("amd64", "bench", &json!({}))
}

/// SHA-256 of a file, in hexadecimal.
pub(super) fn file_digest(path: &Path) -> Result<String> {
    Ok(hex::encode(hashed(open(path)?)?.1))
}

/// SHA-256 of what a gzip layer inflates to, after hashing what is stored: both are needed to verify a layer.
pub(super) fn inflated_digest(path: &Path) -> Result<String> {
    let mut stored = Sha256::new();
    let tee = Tee { inner: BufReader::with_capacity(1 << 18, open(path)?), hasher: &mut stored };
    Ok(match hashed(flate2::read::MultiGzDecoder::new(tee)) {
        Ok((size, digest)) => format!("{} {size} {}", hex::encode(digest), hex::encode(stored.finalize())),
        // Manifests and configurations lie beside the layers.
        Err(_) => "not a layer".into(),
    })
}

fn hashed(mut reader: impl Read) -> io::Result<(u64, [u8; 32])> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let mut size = 0;
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok((size, hasher.finalize().into())),
            count => {
                size += count as u64;
                hasher.update(&buffer[..count]);
            }
        }
    }
}

struct Tee<'a, R> {
    inner: R,
    hasher: &'a mut Sha256,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}
