//! What a process that may open no socket asks for, and the answers of the one that may.
//!
//! Whoever answers reads no document: it hands over what a registry or an engine sends. It answers only about the one
//! image that is being scanned.

use std::io::{self, Read};
use std::sync::{Arc, OnceLock};

use engines::{Content, Engine, EngineImage, ImageFormat};
use model::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::target::Target;

use super::blob::Stored;
use super::document::{CONFIG_BYTES_MAX, Descriptor, MANIFEST_BYTES_MAX, Store};
use super::error::SourceError;
use super::registry::RegistryError;
use super::{Known, SourceOptions, engine, identify, registry};

/// What can be asked about the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Question {
    /// What it is recognised by.
    Known,
    /// What the engine says of it.
    Image,
    /// Its topmost manifest or index.
    Top,
    /// A manifest by digest.
    Manifest(Digest),
    /// The size that is stored under a digest.
    Size(Digest),
    /// A configuration or layer.
    Blob { digest: Digest, size: u64 },
    /// The whole image as an archive.
    Save,
    /// The indexes of what refers to a manifest.
    Referrers(Digest),
}

/// An answer that is no stream.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Given {
    Known(Known),
    Image(EngineImage),
    /// Whose bytes come beside, with the digest that the registry claims for them.
    Document(Option<Digest>),
    Size(u64),
    /// So many bytes each.
    Documents(Vec<u64>),
}

/// An answer.
pub(crate) enum Answer {
    Given(Given, Vec<u8>),
    Stream(Box<dyn Read + Send>),
}

/// Answers about one image.
#[derive(Debug)]
pub(crate) struct Provider {
    target: Target,
    options: SourceOptions,
    /// The engine's image that was asked about; what is given is of this one.
    image: OnceLock<EngineImage>,
}

impl Provider {
    pub(crate) fn new(target: &Target, options: &SourceOptions) -> Self {
        Self { target: target.clone(), options: options.clone(), image: OnceLock::new() }
    }

    pub(crate) fn answer(&self, question: &Question) -> Result<Answer, SourceError> {
        match &self.target {
            _ if *question == Question::Known => {
                Ok(Answer::Given(Given::Known(identify(&self.target, &self.options)?), Vec::new()))
            }
            Target::Registry(reference) => registry::answer(reference, question, &self.options),
            Target::Engine(kind, name) => {
                let engine = Engine::find(*kind)?;
                if *question == Question::Image {
                    let image = engine.image(&engine::asked_for(*kind, name))?;
                    let image = self.image.get_or_init(|| image).clone();
                    return Ok(Answer::Given(Given::Image(image), Vec::new()));
                }
                self.of_engine(engine, question)
            }
            _ => Err(self.refuse()),
        }
    }

    fn of_engine(&self, engine: Engine, question: &Question) -> Result<Answer, SourceError> {
        let image = self.image.get().ok_or_else(|| self.refuse())?;
        let namespace = match &image.format {
            ImageFormat::Content { namespace } => namespace.clone(),
            _ if *question == Question::Save => return Ok(Answer::Stream(Box::new(engine.save(image)?))),
            _ => return Err(self.refuse()),
        };
        let store = engine::ContentStore::new(Content::new(engine, namespace), self.target.to_string());
        let document = |digest: &Digest| {
            Ok(Answer::Given(Given::Document(None), store.document(digest, "the manifest", MANIFEST_BYTES_MAX)?))
        };
        match question {
            Question::Top => document(&image.id),
            Question::Manifest(digest) => document(digest),
            Question::Size(digest) => {
                Ok(Answer::Given(Given::Size(store.content.size(digest, &format!("the layer {digest}"))?), Vec::new()))
            }
            Question::Blob { digest, size } => {
                Ok(Answer::Stream(Box::new(store.content.read(digest, *size, &format!("the layer {digest}"))?)))
            }
            _ => Err(self.refuse()),
        }
    }

    fn refuse(&self) -> SourceError {
        SourceError::NoLayers { target: self.target.to_string() }
    }
}

/// Asks whoever may open sockets.
pub(crate) trait Ask: Send + Sync + std::fmt::Debug {
    /// An answer that is no stream, with its bytes.
    fn given(&self, question: &Question) -> Result<(Given, Vec<u8>), SourceError>;

    /// A stream.
    fn stream(&self, question: &Question) -> io::Result<Box<dyn Read + Send>>;
}

/// The way out of a process that may open no socket. Everything that is elsewhere comes through it.
#[derive(Debug, Clone)]
pub struct Outside(pub(crate) Arc<dyn Ask>);

impl Outside {
    fn unexpected() -> SourceError {
        SourceError::Malformed {
            place: "the parent process".into(),
            what: "an answer".into(),
            detail: "it is no answer to this question".into(),
        }
    }

    pub(super) fn known(&self) -> Result<Known, SourceError> {
        match self.0.given(&Question::Known)?.0 {
            Given::Known(known) => Ok(known),
            _ => Err(Self::unexpected()),
        }
    }

    pub(super) fn image(&self) -> Result<EngineImage, SourceError> {
        match self.0.given(&Question::Image)?.0 {
            Given::Image(image) => Ok(image),
            _ => Err(Self::unexpected()),
        }
    }

    pub(super) fn document(&self, question: &Question) -> Result<(Vec<u8>, Option<Digest>), SourceError> {
        match self.0.given(question)? {
            (Given::Document(claimed), bytes) => Ok((bytes, claimed)),
            _ => Err(Self::unexpected()),
        }
    }

    pub(super) fn size(&self, digest: &Digest) -> Result<u64, SourceError> {
        match self.0.given(&Question::Size(digest.clone()))?.0 {
            Given::Size(size) => Ok(size),
            _ => Err(Self::unexpected()),
        }
    }

    pub(super) fn documents(&self, question: &Question) -> Result<Vec<Vec<u8>>, SourceError> {
        let (Given::Documents(lengths), bytes) = self.0.given(question)? else { return Err(Self::unexpected()) };
        let mut rest = bytes.as_slice();
        let mut next = |length: &u64| {
            let (document, more) = rest.split_at_checked(usize::try_from(*length).ok()?)?;
            rest = more;
            Some(document.to_vec())
        };
        lengths.iter().map(&mut next).collect::<Option<_>>().ok_or_else(Self::unexpected)
    }

    pub(super) fn stream(&self, question: &Question) -> io::Result<Box<dyn Read + Send>> {
        self.0.stream(question)
    }
}

/// The documents and layers of an image that somebody else fetches.
pub(super) struct OutsideStore {
    pub(super) outside: Outside,
    pub(super) place: String,
    /// The manifest's word on a layer's size is not taken: containerd knows it.
    pub(super) sizes_are_asked: bool,
}

impl Store for OutsideStore {
    fn place(&self) -> &str {
        &self.place
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, SourceError> {
        Ok(self.outside.document(&Question::Manifest(descriptor.digest.clone()))?.0)
    }

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, SourceError> {
        let what = || "the configuration".to_owned();
        let Descriptor { digest, mut size, .. } = descriptor.clone();
        if self.sizes_are_asked {
            size = self.outside.size(&digest)?;
        }
        if size > CONFIG_BYTES_MAX {
            return Err(SourceError::TooLarge { place: self.place.clone(), what: what(), limit: CONFIG_BYTES_MAX });
        }
        let failed = |source| RegistryError::Body { what: format!("{} of `{}`", what(), self.place), source };
        let mut bytes = Vec::new();
        let reader = self.outside.stream(&Question::Blob { digest, size }).map_err(failed)?;
        reader.take(CONFIG_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    fn layer(&self, descriptor: &Descriptor) -> Result<Stored, SourceError> {
        let Descriptor { digest, mut size, .. } = descriptor.clone();
        if self.sizes_are_asked {
            size = self.outside.size(&digest)?;
        }
        Ok(Stored::Outside { outside: self.outside.clone(), digest, size })
    }
}
