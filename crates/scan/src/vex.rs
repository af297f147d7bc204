//! VEX documents: what others say about findings. Files are read once for all targets; what is attached to an image in its
//! registry ([`attached`]) is fetched for that image.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use assessment::vex::Statements;
use formats::vex::{self, VEX_BYTES_MAX, VexError};
use model::artifact::Artifact;
use model::gap::{Gap, GapKind};
use model::vex::VexStatement;

use crate::error::whole;
use crate::source::{self, Attached, Attachments, SourceOptions};
use crate::target::Target;

/// Documents read from one directory; the largest public collections have about a thousand.
const DOCUMENTS_MAX: usize = 20_000;
/// Directories below the one that was named; collections are laid out by package URL.
const DEPTH_MAX: usize = 32;

/// The statements in force.
#[derive(Debug, Default)]
pub struct Vex {
    /// What is said.
    pub statements: Statements,
    /// What in the documents is not used.
    pub gaps: Vec<Gap>,
    /// Also look for documents attached to the image.
    pub with_attached: bool,
    /// Files of a directory that are no VEX documents, as sentences.
    pub notes: Vec<String>,
}

/// Why the documents cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VexFileError {
    /// A file or directory that cannot be read.
    #[error("`{path}` cannot be read")]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that is no document, or a damaged one.
    #[error("`{path}` is not a VEX document that Dogwatch reads")]
    Document {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: VexError,
    },
    /// More than [`DOCUMENTS_MAX`].
    #[error("`{path}` has more than {DOCUMENTS_MAX} documents")]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
}

impl VexFileError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Document { source, .. } => source.hint().map(str::to_owned),
            Self::TooMany { .. } => Some("name the directories that are about your images".into()),
            Self::Read { .. } => None,
        }
    }
}

/// Reads documents, and every `*.json` below directories. There, JSON of other sorts (an index) is passed over with a note;
/// a damaged file is an error wherever it is.
pub fn load(paths: &[PathBuf]) -> Result<Vex, VexFileError> {
    let mut read = Vex::default();
    let mut statements = Vec::new();
    for path in paths {
        if !path.is_dir() {
            add(path, &mut read, &mut statements)?;
            continue;
        }
        let mut files = Vec::new();
        documents(path, DEPTH_MAX, &mut files)?;
        if files.len() > DOCUMENTS_MAX {
            return Err(VexFileError::TooMany { path: path.clone() });
        }
        let mut others = 0;
        for file in &files {
            match add(file, &mut read, &mut statements) {
                Err(VexFileError::Document { source: VexError::Unrecognised, .. }) => others += 1,
                result => result?,
            }
        }
        if others > 0 || files.is_empty() {
            let documents = files.len() - others;
            read.notes.push(format!("`{}`: {documents} VEX documents, {others} other JSON files", path.display()));
        }
    }
    read.statements = Statements::new(statements);
    Ok(read)
}

/// What was read, and what is attached to the image in its registry. Nobody has checked who attached it, and each statement
/// says so. What cannot be had or read is a gap: without it findings stay, so the scan goes on.
pub fn attached(vex: &Vex, target: &Target, artifact: &Artifact, options: &SourceOptions) -> Vex {
    let mut all = Vex { gaps: vex.gaps.clone(), ..Vex::default() };
    let gap = |kind, detail: String| Gap::new(kind, "attached VEX documents", detail);
    let found = artifact.manifest_digest.as_ref().map(|image| source::attached(target, image, options));
    let attachments = match found {
        Some(Ok(Some(attachments))) => attachments,
        Some(Err(error)) => {
            all.gaps.push(gap(GapKind::Unreadable, error.to_string()));
            Attachments::default()
        }
        Some(Ok(None)) | None => {
            let detail = "they are in the registry of an image, and this was not taken from one";
            all.gaps.push(gap(GapKind::Unsupported, detail.to_owned()));
            Attachments::default()
        }
    };
    if attachments.left_out > 0 {
        all.gaps.push(gap(GapKind::LimitExceeded, format!("{} were too large or too many", attachments.left_out)));
    }
    let mut statements = Vec::new();
    for Attached { place, bytes } in attachments.documents {
        let name = format!("{place} (attached, unverified)");
        let read = bytes.map_err(|detail| (GapKind::Unreadable, detail)).and_then(|bytes| {
            formats::vex::read_attached(&name, &bytes, &attachments.subjects)
                .map_err(|error| (GapKind::Malformed, whole(&error)))
        });
        match read {
            Ok(document) => {
                let problem = |problem| Gap::new(GapKind::Malformed, &*name, problem);
                all.gaps.extend(document.problems.into_iter().map(problem));
                statements.extend(document.statements);
            }
            Err((kind, detail)) => all.gaps.push(Gap::new(kind, name, detail)),
        }
    }
    all.statements = vex.statements.with(statements);
    all
}

fn add(path: &Path, read: &mut Vex, statements: &mut Vec<VexStatement>) -> Result<(), VexFileError> {
    let unreadable = |source| VexFileError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // One byte more than is read, so that what is too large is refused as such.
    let file = File::open(path).map_err(unreadable)?;
    file.take(VEX_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let name = path.display().to_string();
    let document =
        vex::read(&name, &bytes).map_err(|source| VexFileError::Document { path: path.to_owned(), source })?;
    read.gaps.extend(document.problems.into_iter().map(|problem| Gap::new(GapKind::Malformed, &*name, problem)));
    statements.extend(document.statements);
    Ok(())
}

/// The files below a directory, in the order of their names. Links are not followed: they could lead anywhere.
fn documents(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), VexFileError> {
    let unreadable = |source| VexFileError::Read { path: directory.to_owned(), source };
    let mut entries =
        fs::read_dir(directory).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(unreadable)?;
        let path = entry.path();
        if kind.is_dir() && depth > 0 {
            documents(&path, depth - 1, files)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
        if files.len() > DOCUMENTS_MAX {
            break;
        }
    }
    Ok(())
}
