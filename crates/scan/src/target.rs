//! What the user asks us to look at, as one argument.
//!
//! One rule: a prefix (`docker-archive:`, `oci-dir:`, …) says what follows; without one the argument is the name of an
//! image, which an engine on this machine may have, and else its registry. Nothing is guessed from file names. A bare
//! argument that names an existing file or directory is refused, because scanning the public image `app` instead of the
//! directory `app` would answer the wrong question; the hint names the prefix that was probably meant, and
//! `registry:app` always means the image in the registry.

mod git_url;
mod pattern;
mod prefix;
mod reference;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use engines::EngineKind;
use model::digest::Digest;
use serde::{Deserialize, Serialize};

pub use git_url::GitUrl;
pub use pattern::{Pattern, PatternError};
pub use prefix::{PREFIXES, Prefix};
pub(crate) use reference::is_host;
pub use reference::{Reference, ReferenceError};

/// One thing to scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// An image by its name alone: `debian:12`. The engines on this machine are asked first, then its registry.
    Image(Reference),
    /// An image in a registry: `registry:registry.example/shop@sha256:…`.
    Registry(Reference),
    /// An image that an engine on this machine has, by name, id or the beginning of an id: `docker:REF`,
    /// `podman:REF`, `containerd:REF`.
    Engine(EngineKind, String),
    /// What `docker save` or `skopeo copy … docker-archive:` wrote: `docker-archive:FILE[:NAME|:@N]`.
    DockerArchive(Located),
    /// A directory in OCI image layout: `oci-dir:DIR[:NAME|:@N|:@sha256:…]`.
    OciDir(Located),
    /// A tar file of an OCI image layout: `oci-archive:FILE[:NAME|:@N|:@sha256:…]`.
    OciArchive(Located),
    /// A container of Docker's or Podman's, running or not, by name, id or the beginning of an id: `container:NAME`.
    Container(String),
    /// A root file system or a source tree: `dir:PATH`.
    Dir(PathBuf),
    /// One file, such as a lock file, a program or a jar: `file:PATH`.
    File(PathBuf),
    /// This machine, as it runs: `host:`.
    Host,
    /// What git tracks of a working tree, and what it does not ignore: `git:PATH`.
    Git(PathBuf),
    /// The newest commit of a repository elsewhere: `git:https://git.example/shop.git#v1.4`.
    GitUrl(GitUrl),
    /// A bill of materials: `sbom:FILE`.
    Sbom(PathBuf),
}

/// A file or directory that may hold several images, and which of them is meant.
///
/// The path ends at the first colon, as in skopeo, so a path that itself has a colon cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Located {
    /// The file or directory.
    pub path: PathBuf,
    /// Which image in it; none means the only one.
    pub selector: Option<Selector>,
}

/// Which of several images in one file is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Selector {
    /// The one with this name or tag.
    Name(String),
    /// The one at this position, counted from 0: `@0`.
    Position(usize),
    /// The one whose manifest has this digest: `@sha256:…`.
    Digest(Digest),
}

/// Why an argument names nothing that can be scanned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Nothing follows the prefix.
    #[error("`{text}` names no {wanted}")]
    Empty {
        /// What the user typed.
        text: String,
        /// What is missing.
        wanted: &'static str,
    },
    /// It could be the image called `registry`, or an image named by a bare version.
    #[error("`{text}` can mean two things")]
    Ambiguous {
        /// What the user typed.
        text: String,
    },
    /// It has no prefix, and a file or directory has that name.
    #[error("`{text}` is a {what} here, and an argument without a prefix means an image")]
    IsPath {
        /// What the user typed.
        text: String,
        /// Directory, OCI layout or file.
        what: PathKind,
    },
    /// It has no prefix and is written like a path, which no image name can be.
    #[error("`{text}` is written like a path, and an argument without a prefix means an image")]
    LooksLikePath {
        /// What the user typed.
        text: String,
    },
    /// It is not an image reference.
    #[error("`{text}` is not an image reference")]
    Reference {
        /// What the user typed.
        text: String,
        /// Why not.
        #[source]
        source: ReferenceError,
    },
    /// It cannot be the name of a container.
    #[error("`{text}` names no container: names have letters, digits, `_`, `.` and `-`")]
    Container {
        /// What the user typed.
        text: String,
    },
    /// It is no address of a git repository that is used.
    // The text is not shown: it may have a password.
    #[error("the address after `git:` cannot be used: {detail}")]
    GitUrl {
        /// What the user typed.
        text: String,
        /// Why not.
        detail: &'static str,
    },
    /// What follows `@` is neither a position nor a digest.
    #[error("`{selector}` in `{text}` selects no image")]
    Selector {
        /// What the user typed.
        text: String,
        /// The part that is wrong.
        selector: String,
    },
}

/// What stands at a path, as far as it helps to choose a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// A directory in OCI image layout.
    OciLayout,
    /// Any other directory.
    Directory,
    /// A file.
    File,
}

impl fmt::Display for PathKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OciLayout => "directory in OCI layout",
            Self::Directory => "directory",
            Self::File => "file",
        })
    }
}

impl PathKind {
    /// What stands at `path`; none when nothing does.
    fn at(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(match metadata.is_dir() {
            true if path.join("oci-layout").is_file() => Self::OciLayout,
            true => Self::Directory,
            false => Self::File,
        })
    }

    fn suggestion(self, text: &str) -> String {
        match self {
            Self::OciLayout => format!("`oci-dir:{text}`"),
            Self::Directory => format!("`dir:{text}`"),
            Self::File if text.ends_with(".json") => format!("`sbom:{text}`"),
            Self::File => format!("`docker-archive:{text}` (from `docker save`) or `oci-archive:{text}`"),
        }
    }
}

impl TargetError {
    /// What the reader can do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Empty { .. } => "for example `dogwatch scan debian:12` or `dogwatch scan oci-dir:./image`".into(),
            Self::Ambiguous { text } => match text.split_once(':') {
                Some(("registry", tag)) => format!(
                    "write `docker.io/library/{text}` for the image named registry, or `registry:library/{tag}`"
                ),
                _ => format!("write `docker.io/library/{text}` for the image named docker, or its tag for another"),
            },
            Self::IsPath { text, what } => {
                format!("write {} for what is here, or `registry:{text}` for the image", what.suggestion(text))
            }
            Self::LooksLikePath { text } => {
                format!(
                    "write what it is: `docker-archive:{text}`, `oci-archive:{text}`, `oci-dir:{text}`, `dir:{text}` or `sbom:{text}`"
                )
            }
            Self::Container { .. } => "`docker ps --all` and `podman ps --all` list names and ids".into(),
            Self::GitUrl { .. } => "for example `git:https://git.example/shop.git#v1.4`".into(),
            Self::Reference { source, .. } => return source.hint(),
            Self::Selector { .. } => "after `@` comes a position counted from 0, or `sha256:` and 64 hex digits".into(),
        })
    }
}

impl FromStr for Target {
    type Err = TargetError;

    /// Parses an argument. Looks at the file system only for an argument without a prefix, to refuse one that exists.
    fn from_str(text: &str) -> Result<Self, TargetError> {
        Self::parse(text, PathKind::at)
    }
}

impl Target {
    /// Whether it is had from a registry or an engine.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Image(_) | Self::Registry(_) | Self::Engine(..))
    }

    /// [`Target::from_str`] with the look at the file system as an argument.
    fn parse(text: &str, path_kind: impl Fn(&Path) -> Option<PathKind>) -> Result<Self, TargetError> {
        if let Some((name, rest)) = text.split_once(':')
            && let Some(prefix) = PREFIXES.iter().find(|prefix| prefix.name == name)
        {
            return (prefix.parse)(text, rest);
        }
        if text.is_empty() {
            return Err(TargetError::Empty { text: String::new(), wanted: "image" });
        }
        if let Some(what) = path_kind(Path::new(text)) {
            return Err(TargetError::IsPath { text: text.into(), what });
        }
        if text.starts_with(['/', '.', '~']) {
            return Err(TargetError::LooksLikePath { text: text.into() });
        }
        reference(text, text).map(Self::Image)
    }
}

/// An image of an engine's. Which of name, id and beginning of an id it is, the engine knows.
fn engine(text: &str, kind: EngineKind, rest: &str) -> Result<Target, TargetError> {
    // `docker:27-dind` is a well-known image as well as "the image `27-dind` that Docker has". The short ids that engines
    // print have 12 digits.
    let is_id = rest.len() >= 6 && rest.bytes().all(|b| b.is_ascii_hexdigit());
    if kind == EngineKind::Docker && is_version(rest) && !is_id {
        return Err(TargetError::Ambiguous { text: text.into() });
    }
    match rest.parse::<Reference>() {
        Ok(_) | Err(ReferenceError::ImageId) => Ok(Target::Engine(kind, rest.into())),
        Err(ReferenceError::Empty) => Err(TargetError::Empty { text: text.into(), wanted: "image" }),
        Err(source) => Err(TargetError::Reference { text: text.into(), source }),
    }
}

/// A container by name or id. Source: Docker's `daemon/names`, whose rule Podman shares.
fn container(text: &str, rest: &str) -> Result<Target, TargetError> {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    match rest.as_bytes() {
        [] => Err(TargetError::Empty { text: text.into(), wanted: "container" }),
        [first, others @ ..] if first.is_ascii_alphanumeric() && others.iter().all(|b| is_word(*b)) => {
            Ok(Target::Container(rest.into()))
        }
        _ => Err(TargetError::Container { text: text.into() }),
    }
}

fn registry(text: &str, rest: &str) -> Result<Target, TargetError> {
    // `registry:2` is a well-known image as well as "image `2` from a registry". Neither guess is safe.
    match rest {
        "" => Err(TargetError::Empty { text: text.into(), wanted: "image" }),
        rest if is_version(rest) => Err(TargetError::Ambiguous { text: text.into() }),
        rest => reference(text, rest).map(Target::Registry),
    }
}

/// Whether a name looks like the tag of an image whose own name is a prefix of ours.
fn is_version(name: &str) -> bool {
    let starts_so = name == "latest" || name.starts_with(|c: char| c.is_ascii_digit());
    starts_so && !name.contains(['/', ':', '@'])
}

fn reference(text: &str, rest: &str) -> Result<Reference, TargetError> {
    rest.parse().map_err(|source| TargetError::Reference { text: text.into(), source })
}

fn located(text: &str, rest: &str, wanted: &'static str) -> Result<Located, TargetError> {
    let (path, selector) = rest.split_once(':').map_or((rest, None), |(path, selector)| (path, Some(selector)));
    if path.is_empty() {
        return Err(TargetError::Empty { text: text.into(), wanted });
    }
    let wrong = |selector: &str| TargetError::Selector { text: text.into(), selector: selector.into() };
    let selector = match selector {
        None => None,
        Some("") => return Err(wrong("")),
        Some(name) => Some(match name.strip_prefix('@') {
            None => Selector::Name(name.into()),
            Some(digest) if digest.contains(':') => Selector::Digest(Digest::parse(digest).map_err(|_| wrong(name))?),
            Some(position) => Selector::Position(position.parse().map_err(|_| wrong(name))?),
        }),
    };
    Ok(Located { path: path.into(), selector })
}

impl fmt::Display for Target {
    /// The shortest argument that parses to the same target (for a path that is UTF-8).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(reference) => match Self::parse(&reference.familiar(), |_| None) {
                Ok(Self::Image(same)) if same == *reference => f.write_str(&reference.familiar()),
                // `registry:2` and the like: the full name cannot be taken for a prefix.
                _ => write!(f, "{reference}"),
            },
            Self::Registry(reference) => write!(f, "registry:{reference}"),
            Self::Engine(kind, name) => write!(f, "{kind}:{name}"),
            Self::DockerArchive(located) => write!(f, "docker-archive:{located}"),
            Self::OciDir(located) => write!(f, "oci-dir:{located}"),
            Self::OciArchive(located) => write!(f, "oci-archive:{located}"),
            Self::Container(name) => write!(f, "container:{name}"),
            Self::Dir(path) => write!(f, "dir:{}", path.display()),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Host => f.write_str("host:"),
            Self::Git(path) => write!(f, "git:{}", path.display()),
            Self::GitUrl(url) => write!(f, "git:{url}"),
            Self::Sbom(path) => write!(f, "sbom:{}", path.display()),
        }
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        match &self.selector {
            None => Ok(()),
            Some(selector) => write!(f, ":{selector}"),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Position(position) => write!(f, "@{position}"),
            Self::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let rendered = match Target::parse(text, |path| match path.to_str() {
            Some("here") => Some(PathKind::Directory),
            Some("layout") => Some(PathKind::OciLayout),
            Some("image.tar") => Some(PathKind::File),
            _ => None,
        }) {
            Ok(target) => {
                assert_eq!(Target::parse(&target.to_string(), |_| None), Ok(target.clone()), "{text}");
                target.to_string()
            }
            Err(error) => format!("error: {error} | hint: {}", error.hint().unwrap_or_default()),
        };
        assert!(rendered.starts_with(expected), "{text}\n got: {rendered}\nwant: {expected}");
    }

    #[test]
    fn a_prefix_says_what_follows() {
        check("debian", "debian:latest");
        check("registry:debian", "registry:docker.io/library/debian:latest");
        check("docker:shop:1.4", "docker:shop:1.4");
        check("docker:4f06b3e1a2c3", "docker:4f06b3e1a2c3");
        check(&format!("docker:sha256:{}", "4f".repeat(32)), "docker:sha256:4f4f");
        check(&format!("podman:{}", "4f".repeat(32)), "podman:4f4f");
        check("podman:localhost/shop", "podman:localhost/shop");
        check("docker.io/library/docker:27-dind", "docker.io/library/docker:27-dind");
        check("docker.io/library/registry:2", "docker.io/library/registry:2");
        check("registry:localhost:5000/a/b@sha256:0", "error: `registry:localhost:5000/a/b@sha256:0` is not");
        check("docker-archive:a.tar", "docker-archive:a.tar");
        check("docker-archive:a.tar:localhost:5000/x:1", "docker-archive:a.tar:localhost:5000/x:1");
        check("docker-archive:a.tar:@1", "docker-archive:a.tar:@1");
        check(&format!("oci-dir:x:@sha256:{}", "0".repeat(64)), "oci-dir:x:@sha256:0000");
        check("oci-archive:x.tar:v1", "oci-archive:x.tar:v1");
        check("container:web-1", "container:web-1");
        check("dir:/a:b", "dir:/a:b");
        check("file:web/package-lock.json", "file:web/package-lock.json");
        check("sbom:s.json", "sbom:s.json");
        check("host:", "host:");
        check("host:1.4", "host:1.4");
        check("git:.", "git:.");
        check("git:https://git.example/shop.git#v1.4", "git:https://git.example/shop.git#v1.4");
        check("git:ssh://git@git.example/shop", "git:ssh://git@git.example/shop");
    }

    #[test]
    fn what_is_not_clear_is_refused_with_the_way_out() {
        check(
            "here",
            "error: `here` is a directory here, and an argument without a prefix means an image | hint: write `dir:here` for what is here, or `registry:here` for the image",
        );
        check("layout", "error: `layout` is a directory in OCI layout here");
        check("image.tar", "error: `image.tar` is a file here");
        check("./nowhere", "error: `./nowhere` is written like a path");
        check("registry:2", "error: `registry:2` can mean two things | hint: write `docker.io/library/registry:2`");
        check(
            "docker:27-dind",
            "error: `docker:27-dind` can mean two things | hint: write `docker.io/library/docker:27-dind`",
        );
        check("docker:../version", "error: `docker:../version` is not an image reference");
        check("container:", "error: `container:` names no container");
        check("container:../images/x", "error: `container:../images/x` names no container: names have");
        check("podman:", "error: `podman:` names no image");
        check("", "error: `` names no image");
        check("dir:", "error: `dir:` names no directory");
        check("file:", "error: `file:` names no file");
        check("git:", "error: `git:` names no directory");
        check("git:ext::sh -c id://", "error: the address after `git:` cannot be used: only https");
        check("git:http://git.example/a", "error: the address after `git:` cannot be used: only https");
        check("git:https://-oProxyCommand=x/a", "error: the address after `git:` cannot be used: ");
        check("git:https://a.example/b#-x", "error: the address after `git:` cannot be used: after `#`");
        check("git:ssh://bob:secret@git.example/a", "error: the address after `git:` cannot be used: a password");
        check("oci-dir::x", "error: `oci-dir::x` names no directory");
        check("oci-dir:x:", "error: `` in `oci-dir:x:` selects no image");
        check("oci-dir:x:@y", "error: `@y` in `oci-dir:x:@y` selects no image | hint: after `@`");
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_a_target_or_an_error(text in "\\PC{0,80}") {
            if let Ok(target) = Target::parse(&text, |_| None) {
                assert_eq!(Target::parse(&target.to_string(), |_| None), Ok(target));
            }
        }

        #[test]
        fn what_parses_is_rendered_to_itself(text in "(registry:|oci-dir:|docker-archive:|docker:|podman:|container:|)[a-z0-9.:/@_-]{1,30}") {
            if let Ok(target) = Target::parse(&text, |_| None) {
                assert_eq!(Target::parse(&target.to_string(), |_| None), Ok(target));
            }
        }
    }
}
