//! An organisation's own advisories: OSV records in its own files, beside the public index and never mixed into it.
//!
//! They are compiled into a small index of their own. Unlike public feeds nothing in them is passed over: whoever writes an
//! advisory wants to know that it says nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::build::{BuildError, BuildOptions, BuildSummary, Problem, build, tree};
use crate::index::Index;
use crate::update::Store;

/// The most bytes of private advisories: a thousand times what organisations write by hand.
const BYTES_MAX: u64 = 1 << 30;

/// Why private advisories cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// Something could not be read or written.
    #[error("could not read or write `{path}`")]
    File {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Records that cannot be used. Each is to be shown.
    #[error("{count} {} in private advisories", if *count == 1 { "mistake" } else { "mistakes" })]
    Mistakes {
        /// How many.
        count: u64,
        /// The first of them.
        first: Vec<Problem>,
    },
    /// Compiling failed.
    #[error("private advisories could not be compiled")]
    Build(#[source] BuildError),
    /// More bytes than is sensible.
    #[error("private advisories of more than {BYTES_MAX} bytes")]
    TooLarge,
}

impl PrivateError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Mistakes { .. } => Some("docs/guide/private-advisories.md shows what a record needs".into()),
            Self::Build(error) => error.hint(),
            Self::File { .. } | Self::TooLarge => None,
        }
    }
}

/// Compiles files (or directories of them) into an index in `cache`, or finds it there; none when there are no files.
///
/// The index is named by the content of the files, so it is compiled once for each state of them.
///
/// # Errors
///
/// When a file cannot be read, or any record in it cannot be used.
pub fn compile(inputs: &[PathBuf], cache: &Path) -> Result<Option<PathBuf>, PrivateError> {
    let files = files(inputs)?;
    if files.is_empty() {
        return Ok(None);
    }
    let index = cache.join(format!("private-{}.index", &fingerprint(&files)?[..32]));
    // One that lost bytes is compiled again rather than complained about.
    if index.exists() && Index::open(&index).is_ok() {
        return Ok(Some(index));
    }
    fs::create_dir_all(cache).map_err(|source| PrivateError::File { path: cache.to_owned(), source })?;
    checked(&files, &index)?;
    Ok(Some(index))
}

/// Puts the organisation's advisories in place of those that `store` keeps, when every record in them can be used.
///
/// # Errors
///
/// As [`compile`]; what was kept before is then unchanged.
pub fn keep(directory: &Path, store: &Store) -> Result<BuildSummary, PrivateError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| PrivateError::File { path, source }
    };
    let files = files(&[directory.to_owned()])?;
    fs::create_dir_all(store.root()).map_err(failed(store.root()))?;
    let fresh = tempfile::tempdir_in(store.root()).map_err(failed(store.root()))?;
    for file in &files {
        let inside = file.strip_prefix(directory).unwrap_or(file);
        let to = fresh.path().join(if inside.as_os_str().is_empty() { Path::new("advisories.json") } else { inside });
        to.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed(&to))?;
        fs::copy(file, &to).map_err(failed(file))?;
    }
    let summary = match files.is_empty() {
        true => BuildSummary::default(),
        false => checked(&files, &fresh.path().join(".index"))?,
    };
    fs::remove_file(fresh.path().join(".index")).ok();
    let place = store.private();
    let old = store.root().join(".private-before");
    fs::remove_dir_all(&old).ok();
    match fs::rename(&place, &old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&place)(error)),
        _ => {}
    }
    fs::rename(fresh.path(), &place).map_err(failed(&place))?;
    fs::remove_dir_all(&old).ok();
    // It was renamed: nothing is left to delete.
    let _ = fresh.keep();
    Ok(summary)
}

fn checked(files: &[PathBuf], index: &Path) -> Result<BuildSummary, PrivateError> {
    let options = BuildOptions { private: true, ..BuildOptions::default() };
    build(files, index, &options).map_err(|error| match error {
        BuildError::Problems { count, first } => PrivateError::Mistakes { count, first },
        BuildError::NotAFeed { path, source } => {
            let detail = crate::build::whole(&source);
            PrivateError::Mistakes { count: 1, first: vec![Problem { file: path, record: "the file".into(), detail }] }
        }
        error => PrivateError::Build(error),
    })
}

/// The advisory files in what was given. A repository's own papers (`README.md`, `LICENSE`) are none.
fn files(inputs: &[PathBuf]) -> Result<Vec<PathBuf>, PrivateError> {
    let mut files = Vec::new();
    for input in inputs {
        let failed = |source| PrivateError::File { path: input.clone(), source };
        if fs::metadata(input).map_err(failed)?.is_dir() {
            let mut found = Vec::new();
            tree(input, 0, &mut found).map_err(failed)?;
            found.sort();
            files.extend(found.into_iter().filter(|path| !is_paper(path)));
        } else {
            files.push(input.clone());
        }
    }
    Ok(files)
}

fn is_paper(path: &Path) -> bool {
    path.extension().is_none_or(|extension| extension == "md" || extension == "txt")
}

fn fingerprint(files: &[PathBuf]) -> Result<String, PrivateError> {
    let mut hasher = Sha256::new();
    let mut left = BYTES_MAX;
    hasher.update(env!("CARGO_PKG_VERSION"));
    hasher.update(crate::index::layout::FORMAT_VERSION.to_le_bytes());
    for path in files {
        let failed = |source| PrivateError::File { path: path.clone(), source };
        // A pipe would block for ever and a device never end.
        let found = fs::metadata(path).map_err(failed)?;
        if !found.is_file() {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
        }
        left = left.checked_sub(found.len()).ok_or(PrivateError::TooLarge)?;
        let bytes = fs::read(path).map_err(failed)?;
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
