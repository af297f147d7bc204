//! Where a publication lies: a directory, or the same directory on a web server. (A registry is the `scan` crate's
//! business; `dogwatch` joins the two.)
//!
//! ```text
//! <shelf>/latest.json          the signed statement, in its envelope
//! <shelf>/blobs/sha256/<hex>   the files it names
//! ```

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use reqwest::blocking::Client;

use super::statement::Part;
use crate::update::{fetch_small, fetch_whole};

/// The longest envelope: a statement with its changes has a few KiB.
pub const ENVELOPE_BYTES_MAX: u64 = 1 << 20;
/// The statement's name.
const LATEST: &str = "latest.json";

/// Why a shelf did not give or take something.
pub type ShelfError = Box<dyn std::error::Error + Send + Sync>;

/// A place that holds one publication at a time, and its files.
pub trait Shelf {
    /// The envelope of what is published; none when nothing is.
    ///
    /// # Errors
    ///
    /// When that cannot be known.
    fn envelope(&self) -> Result<Option<Vec<u8>>, ShelfError>;

    /// Writes a file of the publication to `to`: exactly `part.bytes` bytes, or it fails.
    ///
    /// # Errors
    ///
    /// When it cannot be had. Whether it is the right one is the caller's to check.
    fn take(&self, part: &Part, to: &Path) -> Result<(), ShelfError>;

    /// Publishes: the files of `parts`, beside those of `older` that are there already, then the envelope.
    ///
    /// # Errors
    ///
    /// When anything could not be put there; what was published before then still is.
    fn put(&self, envelope: &[u8], parts: &[(Part, PathBuf)], older: &[Part]) -> Result<(), ShelfError>;
}

/// A directory.
#[derive(Debug, Clone)]
pub struct Directory(pub PathBuf);

impl Directory {
    fn blob(&self, sha256: &str) -> PathBuf {
        self.0.join("blobs/sha256").join(sha256)
    }
}

impl Shelf for Directory {
    fn envelope(&self) -> Result<Option<Vec<u8>>, ShelfError> {
        let path = self.0.join(LATEST);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&path, error)),
        };
        let mut bytes = Vec::new();
        file.take(ENVELOPE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| at(&path, error))?;
        Ok(Some(bytes))
    }

    fn take(&self, part: &Part, to: &Path) -> Result<(), ShelfError> {
        let path = self.blob(&part.sha256);
        let file = File::open(&path).map_err(|error| at(&path, error))?;
        let mut to = File::create(to)?;
        let copied =
            io::copy(&mut file.take(part.bytes.saturating_add(1)), &mut to).map_err(|error| at(&path, error))?;
        exactly(part, copied).map_err(|error| at(&path, error))
    }

    fn put(&self, envelope: &[u8], parts: &[(Part, PathBuf)], _older: &[Part]) -> Result<(), ShelfError> {
        let blobs = self.0.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(|error| at(&blobs, error))?;
        for (part, file) in parts {
            let to = self.blob(&part.sha256);
            if fs::metadata(&to).is_ok_and(|found| found.len() == part.bytes) {
                continue;
            }
            let mut fresh = tempfile::Builder::new().permissions(readable()).tempfile_in(&blobs)?;
            io::copy(&mut File::open(file)?, &mut fresh).map_err(|error| at(&to, error))?;
            fresh.as_file().sync_all()?;
            fresh.persist(&to).map_err(|error| at(&to, error.error))?;
        }
        let mut fresh = tempfile::Builder::new().permissions(readable()).tempfile_in(&self.0)?;
        fresh.write_all(envelope)?;
        fresh.as_file().sync_all()?;
        let latest = self.0.join(LATEST);
        fresh.persist(&latest).map_err(|error| at(&latest, error.error))?;
        Ok(())
    }
}

/// Temporary files are private; a web server that runs as somebody else reads these.
fn readable() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o644)
}

fn at(path: &Path, error: io::Error) -> ShelfError {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display())).into()
}

/// Fails unless so many bytes came as the part has.
///
/// # Errors
///
/// When it is another number.
pub fn exactly(part: &Part, bytes: u64) -> io::Result<()> {
    if bytes == part.bytes {
        return Ok(());
    }
    let detail = format!("it should have {} bytes and has {bytes} or more", part.bytes);
    Err(io::Error::new(io::ErrorKind::InvalidData, detail))
}

/// A directory on a web server; it can only be read.
#[derive(Debug, Clone, Copy)]
pub struct Web<'a> {
    /// What sends the requests. It must not follow redirects by itself.
    pub client: &'a Client,
    /// The directory's address.
    pub address: &'a Url,
    /// The pause before the first repeated request; it doubles with each.
    pub retry_pause: Duration,
}

impl Web<'_> {
    fn url(&self, path: &str) -> Url {
        let mut url = self.address.clone();
        url.set_path(&format!("{}/{path}", self.address.path().trim_end_matches('/')));
        url
    }
}

impl Shelf for Web<'_> {
    fn envelope(&self) -> Result<Option<Vec<u8>>, ShelfError> {
        let scratch = tempfile::tempdir()?;
        Ok(fetch_small(self.client, self.retry_pause, &self.url(LATEST), &scratch.path().join(LATEST))?)
    }

    fn take(&self, part: &Part, to: &Path) -> Result<(), ShelfError> {
        let url = self.url(&format!("blobs/sha256/{}", part.sha256));
        fetch_whole(self.client, self.retry_pause, &url, to, part.bytes)?;
        Ok(exactly(part, fs::metadata(to)?.len())?)
    }

    fn put(&self, _: &[u8], _: &[(Part, PathBuf)], _: &[Part]) -> Result<(), ShelfError> {
        Err("a web server is published to by way of a directory: publish there, then copy it".into())
    }
}
