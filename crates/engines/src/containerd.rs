//! containerd: images by name, content by digest.
//!
//! Source: containerd 1.x and 2.x, `api/services/images/v1/images.proto` and `api/services/content/v1/content.proto`; of
//! their messages only the fields that are read here. containerd keeps things apart by namespace: `ctr` uses `default`,
//! Kubernetes `k8s.io`, Docker `moby`.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

use model::digest::Digest;
use prost::Message;

use crate::error::EngineError;
use crate::grpc::Messages;
use crate::http::{Engine, printable};
use crate::image::{EngineImage, ImageFormat};

/// Where images are looked for when `CONTAINERD_NAMESPACE` names no namespace.
const NAMESPACES: [&str; 3] = ["default", "k8s.io", "moby"];

/// The shortest beginning of an id that is looked for; every engine prints 12 digits.
const ID_DIGITS_MIN: usize = 6;

/// Points at content; the image's top document.
#[derive(Clone, PartialEq, Message)]
struct Descriptor {
    #[prost(string, tag = "1")]
    media_type: String,
    #[prost(string, tag = "2")]
    digest: String,
    #[prost(int64, tag = "3")]
    size: i64,
    #[prost(map = "string, string", tag = "5")]
    annotations: HashMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "3")]
    target: Option<Descriptor>,
}

#[derive(Clone, PartialEq, Message)]
struct ListImagesRequest {}

#[derive(Clone, PartialEq, Message)]
struct ListImagesResponse {
    #[prost(message, repeated, tag = "1")]
    images: Vec<Image>,
}

#[derive(Clone, PartialEq, Message)]
struct ReadContentRequest {
    #[prost(string, tag = "1")]
    digest: String,
}

#[derive(Clone, PartialEq, Message)]
struct ReadContentResponse {
    #[prost(int64, tag = "1")]
    offset: i64,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct InfoRequest {
    #[prost(string, tag = "1")]
    digest: String,
}

#[derive(Clone, PartialEq, Message)]
struct InfoResponse {
    #[prost(message, optional, tag = "1")]
    info: Option<Info>,
}

#[derive(Clone, PartialEq, Message)]
struct Info {
    #[prost(string, tag = "1")]
    digest: String,
    #[prost(int64, tag = "2")]
    size: i64,
}

/// Looks an image up by its full name, a digest, or the beginning of one.
pub(crate) fn image(engine: &Engine, name: &str) -> Result<EngineImage, EngineError> {
    let what = format!("the image `{}`", printable(name));
    let named = std::env::var("CONTAINERD_NAMESPACE").ok().filter(|namespace| !namespace.is_empty());
    let namespaces = named.as_deref().map_or(NAMESPACES.to_vec(), |namespace| vec![namespace]);
    for namespace in namespaces {
        let images: ListImagesResponse =
            engine.ask("containerd.services.images.v1.Images/List", namespace, &ListImagesRequest {}, &what)?;
        let images: Vec<(String, Digest)> = images.images.into_iter().filter_map(named_digest).collect();
        if let Some(id) = find(&images, name).map_err(|detail| engine.malformed(&what, detail))? {
            let same = images.iter().filter(|(_, digest)| *digest == id);
            // Kubernetes enters every image under the digest of its configuration as well.
            let names = same.map(|(name, _)| printable(name)).filter(|name| !name.starts_with("sha256:")).collect();
            let format = ImageFormat::Content { namespace: namespace.into() };
            return Ok(EngineImage { id, names, format, diff_ids: Vec::new(), platform: None });
        }
    }
    Err(EngineError::NotFound { engine: engine.kind, what })
}

fn named_digest(image: Image) -> Option<(String, Digest)> {
    let digest = Digest::parse(&image.target?.digest).ok()?;
    Some((image.name, digest))
}

/// The digest that a name stands for: exactly that name, else the digest after its `@`, else the beginning of an id.
fn find(images: &[(String, Digest)], name: &str) -> Result<Option<Digest>, &'static str> {
    if let Some((_, digest)) = images.iter().find(|(other, _)| other == name) {
        return Ok(Some(digest.clone()));
    }
    if let Some((_, wanted)) = name.split_once('@') {
        return Ok(images.iter().find(|(_, digest)| digest.to_string() == wanted).map(|(_, digest)| digest.clone()));
    }
    let hex = name.strip_prefix("sha256:").unwrap_or(name);
    if hex.len() < ID_DIGITS_MIN || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let begins = |(name, digest): &&(String, Digest)| {
        digest.hex().starts_with(hex) || name.strip_prefix("sha256:").is_some_and(|id| id.starts_with(hex))
    };
    let mut found = images.iter().filter(begins).map(|(_, digest)| digest);
    let first = found.next();
    match found.all(|other| Some(other) == first) {
        true => Ok(first.cloned()),
        false => Err("several images begin so"),
    }
}

pub(crate) fn understands(bytes: &[u8]) -> bool {
    let images = ListImagesResponse::decode(bytes).map(|listed| listed.images).unwrap_or_default();
    let images: Vec<_> = images.into_iter().filter_map(named_digest).collect();
    find(&images, "4f4f4f").is_ok_and(|found| found.is_some()) || ReadContentResponse::decode(bytes).is_ok()
}

/// Content of one namespace of containerd's.
#[derive(Debug, Clone)]
pub struct Content {
    engine: Arc<Engine>,
    namespace: String,
}

impl Content {
    /// The content that belongs to an image whose format says [`ImageFormat::Content`].
    pub fn new(engine: Engine, namespace: String) -> Self {
        Self { engine: Arc::new(engine), namespace }
    }

    /// How many bytes are stored under a digest.
    pub fn size(&self, digest: &Digest, what: &str) -> Result<u64, EngineError> {
        let request = InfoRequest { digest: digest.to_string() };
        let answer: Result<InfoResponse, _> =
            self.engine.ask("containerd.services.content.v1.Content/Info", &self.namespace, &request, what);
        match answer {
            Ok(answer) => u64::try_from(answer.info.unwrap_or_default().size)
                .map_err(|_| self.engine.malformed(what, "its size is negative")),
            Err(EngineError::NotFound { engine, what }) => Err(EngineError::NoContent { engine, what }),
            Err(error) => Err(error),
        }
    }

    /// Begins to read what is stored under a digest. The reader fails unless it gives exactly `size` bytes; whether they
    /// have the digest is for the caller to check.
    pub fn read(&self, digest: &Digest, size: u64, what: &str) -> Result<ContentReader, EngineError> {
        let request = ReadContentRequest { digest: digest.to_string() };
        let messages =
            self.engine.call("containerd.services.content.v1.Content/Read", &self.namespace, &request, what)?;
        Ok(ContentReader { messages, piece: io::Cursor::default(), left: size })
    }
}

/// Reads stored content. Dropping it ends the request.
#[derive(Debug)]
pub struct ContentReader {
    messages: Messages,
    piece: io::Cursor<Vec<u8>>,
    left: u64,
}

impl Read for ContentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let count = self.piece.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            let Some(message) = self.messages.next()? else {
                let cut = "containerd sends less than the image says";
                return if self.left == 0 { Ok(0) } else { Err(io::Error::new(io::ErrorKind::UnexpectedEof, cut)) };
            };
            let answer = ReadContentResponse::decode(message.as_slice())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
            let more = || io::Error::new(io::ErrorKind::InvalidData, "containerd sends more than the image says");
            self.left = self.left.checked_sub(answer.data.len() as u64).ok_or_else(more)?;
            self.piece = io::Cursor::new(answer.data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_before_digests_and_a_beginning_must_be_the_only_one() {
        let digest = |byte| Digest::from_bytes([byte; 32]);
        let config = format!("sha256:{}", "cd".repeat(32));
        let images = [("registry.example/shop:1".to_owned(), digest(0x4f)), ("x:2".to_owned(), digest(0x4e))];
        let images = [images.to_vec(), vec![(config, digest(0x4f))]].concat();
        let check = |name: &str, expected| assert_eq!(find(&images, name), expected, "{name}");
        check("registry.example/shop:1", Ok(Some(digest(0x4f))));
        check(&format!("y@sha256:{}", "4e".repeat(32)), Ok(Some(digest(0x4e))));
        check("4f4f4f", Ok(Some(digest(0x4f))));
        check(&format!("sha256:{}", "cd".repeat(32)), Ok(Some(digest(0x4f))));
        check("cdcdcdcd", Ok(Some(digest(0x4f))));
        check("4f", Ok(None));
        check("shop", Ok(None));
        let twins = [("a".to_owned(), Digest::from_bytes([9; 32])), ("sha256:090909aa".to_owned(), digest(1))];
        assert!(find(&twins, "090909").is_err());
    }
}
