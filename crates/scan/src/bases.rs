//! A user's list of base images, in one JSON file.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

pub use model::base::{Bases, KnownBase};

/// Why the list of bases cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BasesError {
    /// The file cannot be read or written.
    #[error("the list of base images `{path}` cannot be used")]
    File {
        /// Where it is.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not what this program writes.
    #[error("the list of base images `{path}` is malformed")]
    Malformed {
        /// Where it is.
        path: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// Reads the list; a missing file is an empty list.
pub fn load(path: &Path) -> Result<Bases, BasesError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Bases::default()),
        Err(source) => return Err(BasesError::File { path: path.display().to_string(), source }),
    };
    serde_json::from_slice(&text).map_err(|source| BasesError::Malformed { path: path.display().to_string(), source })
}

/// Writes the list, whole or not at all.
pub fn save(bases: &Bases, path: &Path) -> Result<(), BasesError> {
    let write = || -> io::Result<()> {
        let directory = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        serde_json::to_writer_pretty(&mut file, bases)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|source| BasesError::File { path: path.display().to_string(), source })
}
