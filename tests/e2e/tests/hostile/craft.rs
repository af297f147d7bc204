//! Makes archives and images that no tool would make.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// One member of a tar archive, as written: nothing about it needs to be true.
#[derive(Clone, Default)]
pub(crate) struct Member {
    pub(crate) path: Vec<u8>,
    pub(crate) kind: u8,
    pub(crate) link: Vec<u8>,
    pub(crate) content: Vec<u8>,
    /// The size field, when it is to lie.
    pub(crate) size: Option<Vec<u8>>,
    pub(crate) mode: u32,
    /// Records of a pax header before the member.
    pub(crate) pax: Vec<(Vec<u8>, Vec<u8>)>,
}

pub(crate) fn file(path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Member {
    Member {
        path: path.as_ref().to_vec(),
        kind: b'0',
        content: content.as_ref().to_vec(),
        mode: 0o755,
        ..Member::default()
    }
}

pub(crate) fn link(kind: u8, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Member {
    Member { path: path.as_ref().to_vec(), kind, link: target.as_ref().to_vec(), mode: 0o777, ..Member::default() }
}

pub(crate) const HARD: u8 = b'1';
pub(crate) const SOFT: u8 = b'2';

/// An archive of these members, with its end.
pub(crate) fn tar(members: impl IntoIterator<Item = Member>) -> Vec<u8> {
    let mut archive = Vec::new();
    members.into_iter().for_each(|member| append(&mut archive, &member));
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn append(archive: &mut Vec<u8>, member: &Member) {
    if !member.pax.is_empty() {
        let records: Vec<u8> = member.pax.iter().flat_map(|(key, value)| record(key, value)).collect();
        block(archive, b"pax", b'x', &[], &octal(records.len()), 0);
        content(archive, &records);
    }
    // Long names the GNU way.
    for (kind, text) in [(b'L', &member.path), (b'K', &member.link)] {
        if text.len() > 100 {
            block(archive, b"././@LongLink", kind, &[], &octal(text.len() + 1), 0);
            content(archive, &[text, &b"\0"[..]].concat());
        }
    }
    let size = member.size.clone().unwrap_or_else(|| octal(member.content.len()));
    block(archive, &member.path, member.kind, &member.link, &size, member.mode);
    content(archive, &member.content);
}

/// `length key=value\n`, the length counting itself.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

fn octal(size: usize) -> Vec<u8> {
    format!("{size:011o}\0").into_bytes()
}

fn block(archive: &mut Vec<u8>, path: &[u8], kind: u8, link: &[u8], size: &[u8], mode: u32) {
    let mut block = [0u8; 512];
    let mut put = |at: usize, bytes: &[u8], most: usize| {
        let bytes = &bytes[..bytes.len().min(most)];
        block[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(0, path, 100);
    put(100, format!("{mode:07o}\0").as_bytes(), 8);
    put(124, size, 12);
    put(148, b"        ", 8);
    put(156, &[kind], 1);
    put(157, link, 100);
    put(257, b"ustar  \0", 8);
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    archive.extend_from_slice(&block);
}

fn content(archive: &mut Vec<u8>, bytes: &[u8]) {
    archive.extend_from_slice(bytes);
    archive.resize(archive.len().next_multiple_of(512), 0);
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("to memory");
    encoder.finish().expect("to memory")
}

pub(crate) fn hex_digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// An image whose documents tell the truth, to be bent by tests.
pub(crate) struct Image {
    /// Stored bytes and diff id of each layer.
    pub(crate) layers: Vec<(Vec<u8>, String)>,
    pub(crate) config: Value,
}

impl Image {
    /// From uncompressed layers.
    pub(crate) fn of(layers: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self::stored(layers.into_iter().map(|layer| (layer.clone(), hex_digest(&layer))))
    }

    /// From stored bytes with the diff id of each.
    pub(crate) fn stored(layers: impl IntoIterator<Item = (Vec<u8>, String)>) -> Self {
        let layers: Vec<_> = layers.into_iter().collect();
        let diff_ids: Vec<String> = layers.iter().map(|(_, diff_id)| format!("sha256:{diff_id}")).collect();
        let config = json!({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}});
        Self { layers, config }
    }

    /// What `docker save` would write.
    pub(crate) fn docker_archive(&self) -> Vec<u8> {
        let config = self.config.to_string();
        let name = format!("{}.json", hex_digest(config.as_bytes()));
        let names: Vec<String> = (0..self.layers.len()).map(|number| format!("{number}/layer.tar")).collect();
        let manifest = json!([{"Config": name, "RepoTags": ["hostile:1"], "Layers": names}]);
        let layers = names.iter().zip(&self.layers).map(|(name, (bytes, _))| file(name, bytes));
        tar([file("manifest.json", manifest.to_string()), file(&name, config)].into_iter().chain(layers))
    }

    /// The files of an OCI layout, path and content.
    pub(crate) fn oci(&self) -> Vec<(String, Vec<u8>)> {
        let blob = |bytes: &[u8]| format!("blobs/sha256/{}", hex_digest(bytes));
        let descriptor = |kind: &str, bytes: &[u8]| json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": format!("sha256:{}", hex_digest(bytes)), "size": bytes.len()});
        let config = self.config.to_string().into_bytes();
        let layers: Vec<Value> = self.layers.iter().map(|(bytes, _)| descriptor("layer.v1.tar+gzip", bytes)).collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": descriptor("config.v1+json", &config), "layers": layers});
        let manifest = manifest.to_string().into_bytes();
        let index = json!({"schemaVersion": 2, "manifests": [descriptor("manifest.v1+json", &manifest)]});
        let mut files = vec![
            ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
            ("index.json".to_owned(), index.to_string().into_bytes()),
            (blob(&config), config.clone()),
            (blob(&manifest), manifest.clone()),
        ];
        files.extend(self.layers.iter().map(|(bytes, _)| (blob(bytes), bytes.clone())));
        files
    }
}

/// `[[[[…]]]]`.
pub(crate) fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

/// The end of a layer that says which packages must still be found: hostile neighbours hide nothing.
pub(crate) fn witness() -> Member {
    file("srv/node_modules/witness/package.json", r#"{"name":"witness","version":"1.0.0"}"#)
}

/// A zip archive with stored members, by its specification (APPNOTE 4.3).
pub(crate) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut body, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let sum = crc(content);
        let offset = body.len() as u32;
        let mut common = Vec::new();
        common.extend([20, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        common.extend(sum.to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        body.extend(b"PK\x03\x04");
        body.extend(&common);
        body.extend(name.as_bytes());
        body.extend(*content);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = body.len() as u32;
    let count = (members.len().min(65535) as u16).to_le_bytes();
    body.extend(&directory);
    body.extend(b"PK\x05\x06\0\0\0\0");
    body.extend(count);
    body.extend(count);
    body.extend((directory.len() as u32).to_le_bytes());
    body.extend(start.to_le_bytes());
    body.extend([0, 0]);
    body
}

fn crc(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}
