//! Compiles feeds into an index.
//!
//! What feeds say is gathered ([`collect`]), put into an order that depends on nothing else ([`tables`]), and written
//! beside the target and renamed over it ([`write`]): the same feeds give the same bytes, however they are cut into files,
//! and whoever has the old index mapped keeps it whole.

mod collect;
mod flat;
mod manifest;
mod private;
mod strings;
mod tables;
mod write;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::feeds::{self, Form, Item, NotAFeed};
use crate::index::meta::{Attribution, Meta};
use collect::Collector;

pub use flat::FlatError;
pub(crate) use flat::{flatten, rebuild};
pub use manifest::{MANIFEST_NAME, MANIFEST_VERSION, Manifest, ManifestEcosystem, ManifestFile};

/// Deepest directory looked into. Publishers' trees are three or four deep.
const TREE_DEPTH_MAX: usize = 32;
/// Problems kept in words; the rest are counted. A feed that is all problems needs no longer list.
const PROBLEMS_KEPT_MAX: usize = 1000;

/// EPSS estimates by the day they are for.
type Epss = BTreeMap<String, Vec<u64>>;

/// Choices for a build.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// Refuse to write an index when any record was a problem.
    pub strict: bool,
    /// The records are an organisation's own: strict, every record must say something, and who does not say otherwise is
    /// its publisher.
    pub private: bool,
}

/// What went into an index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BuildSummary {
    /// The index's digest, `sha256:…`.
    pub digest: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Advisory records.
    pub advisories: u64,
    /// Affected ranges, and versions named one by one that no range covers.
    pub ranges: u64,
    /// Files that were read.
    pub files: u64,
    /// Files in given directories that are no feed, and why.
    pub skipped: Vec<(PathBuf, String)>,
    /// How many records, or parts of records, could not be used.
    pub problem_count: u64,
    /// The first of them in words.
    pub problems: Vec<Problem>,
}

/// Something in a feed that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// The record's id, or its line.
    pub record: String,
    /// What is wrong with it.
    pub detail: String,
}

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file or directory given could not be read.
    #[error("could not read `{path}`")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file given by name is no feed.
    #[error("`{path}` is not a feed that can be compiled")]
    NotAFeed {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: NotAFeed,
    },
    /// The manifest beside the feeds is unusable.
    #[error("`{path}` cannot be used: {detail}")]
    Manifest {
        /// Which.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// Nothing in what was given is a feed.
    #[error("no feed was found in {0}")]
    Nothing(String),
    /// Problems, where none were wanted.
    #[error("{count} records could not be used")]
    Problems {
        /// How many.
        count: u64,
        /// The first of them.
        first: Vec<Problem>,
    },
    /// A section would need more than four gigabytes.
    #[error("the feeds hold more than one index can: over 4 GiB in one table")]
    TooLarge,
    /// The index could not be written.
    #[error("could not write the index `{path}`")]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl BuildError {
    /// What the reader can do next, when we know it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotAFeed { .. } | Self::Nothing(_) => Some(format!(
                "give feeds as their publishers write them (a directory, zip or tar, a document or JSON lines, plain or \
                     compressed with zstd, gzip or bzip2); known formats: {}, EPSS",
                feeds::format_names().collect::<Vec<_>>().join(", ")
            )),
            Self::Manifest { .. } => Some(format!("correct `{MANIFEST_NAME}`, or move it out of the directory")),
            Self::TooLarge => Some("build one index per group of ecosystems".into()),
            Self::Write { .. } => Some("the index that was there before, if any, is unchanged".into()),
            Self::Read { .. } | Self::Problems { .. } => None,
        }
    }
}

/// Compiles the feeds in `inputs` (files, or directories that are searched) into an index at `out`.
///
/// Files are recognised by content. A file given by name must be a feed; in a directory, what is none is passed over and
/// listed. Records that cannot be used are problems in the summary, and no reason to stop.
///
/// # Errors
///
/// When an input cannot be read or none holds a feed, or the index cannot be written; whatever was at `out` is then
/// unchanged.
pub fn build(inputs: &[PathBuf], out: &Path, options: &BuildOptions) -> Result<BuildSummary, BuildError> {
    let mut reading = Reading { own: options.private.then(private::Own::default), ..Reading::default() };
    for input in inputs {
        reading.input(input)?;
    }
    if reading.summary.files == 0 {
        let names: Vec<String> = inputs.iter().map(|path| format!("`{}`", path.display())).collect();
        return Err(BuildError::Nothing(names.join(", ")));
    }
    if (options.strict || options.private) && reading.summary.problem_count > 0 {
        let BuildSummary { problem_count: count, problems: first, .. } = reading.summary;
        return Err(BuildError::Problems { count, first });
    }
    let Reading { collector, epss, mut meta, attributions, mut summary, .. } = reading;
    meta.attributions = attributions.into_values().collect();
    let collector = collector.unwrap_or_else(Collector::new);
    let sections = tables::compile(&collector, epss, meta)?;
    summary.ranges =
        (sections[crate::index::layout::Section::Rows as usize].len() / crate::index::layout::ROW_BYTES) as u64;
    summary.advisories = (sections[crate::index::layout::Section::Advisories as usize].len() / 4) as u64;
    drop(collector);
    let written = write::write(&sections, out).map_err(|source| BuildError::Write { path: out.to_owned(), source })?;
    summary.digest = written.digest;
    summary.bytes = written.bytes;
    Ok(summary)
}

/// A build while its inputs are read.
#[derive(Default)]
struct Reading {
    collector: Option<Collector>,
    epss: Epss,
    /// The day of the estimates being read.
    epss_day: String,
    meta: Meta,
    attributions: BTreeMap<String, Attribution>,
    summary: BuildSummary,
    /// Present when the records are an organisation's own.
    own: Option<private::Own>,
}

impl Reading {
    fn input(&mut self, input: &Path) -> Result<(), BuildError> {
        let unreadable = |source| BuildError::Read { path: input.to_owned(), source };
        if !std::fs::metadata(input).map_err(unreadable)?.is_dir() {
            return self.file(input, None, false).map_err(|error| match error {
                NotAFeed::Unreadable(source) => unreadable(source),
                source => BuildError::NotAFeed { path: input.to_owned(), source },
            });
        }
        let manifest = Manifest::beside(input)
            .map_err(|detail| BuildError::Manifest { path: input.join(MANIFEST_NAME), detail })?;
        let mut files = Vec::new();
        tree(input, 0, &mut files).map_err(unreadable)?;
        files.sort();
        for path in files {
            if path.strip_prefix(input).is_ok_and(|inside| inside == Path::new(MANIFEST_NAME)) {
                continue;
            }
            let stated = manifest.as_ref().and_then(|manifest| {
                manifest.files.iter().find(|entry| path.strip_prefix(input).is_ok_and(|p| p == Path::new(&entry.file)))
            });
            match self.file(&path, stated, true) {
                Ok(()) => {}
                // What is no feed is the directory's own business; a feed that broke is not, and must be heard of.
                Err(NotAFeed::Unknown) => self.summary.skipped.push((path, NotAFeed::Unknown.to_string())),
                Err(error) => self.problem(&path, "the file".into(), whole(&error)),
            }
        }
        if let Some(missing) = manifest.iter().flat_map(|m| &m.files).find(|entry| !input.join(&entry.file).is_file()) {
            self.problem(&input.join(&missing.file), "the file".into(), "is in the manifest and not there".into());
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, stated: Option<&ManifestFile>, from_tree: bool) -> Result<(), NotAFeed> {
        // A pipe would block for ever and a device never end.
        if !std::fs::metadata(path)?.is_file() {
            return Err(NotAFeed::Unreadable(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
        }
        let day = stated.map(|file| file.date.clone()).unwrap_or_default();
        self.collector.get_or_insert_with(Collector::new).file_day = day;
        let form = feeds::read(path, &mut |item| self.item(path, item));
        let claimed = form.as_ref().copied().unwrap_or(Form::Collection);
        self.collector.get_or_insert_with(Collector::new).settle(|ecosystem, partial| match stated {
            Some(file) => file.claim(ecosystem),
            None => manifest::default_claim(claimed, from_tree, partial),
        });
        form?;
        self.summary.files += 1;
        if let Some(file) = stated {
            let attribution = Attribution {
                content: file.content.clone(),
                origin: file.origin.clone(),
                date: file.date.clone(),
                licence: file.licence.clone(),
                attribution: file.attribution.clone(),
            };
            self.attributions.insert(file.file.clone(), attribution);
        }
        Ok(())
    }

    fn item(&mut self, path: &Path, item: Item) {
        let collector = self.collector.get_or_insert_with(Collector::new);
        let outcome = match item {
            Item::Advisory(mut parsed) => {
                self.own.iter_mut().for_each(|own| own.look(&mut parsed));
                collector.advisory(&parsed);
                for detail in parsed.problems {
                    self.problem(path, parsed.advisory.id.clone(), detail);
                }
                Ok(())
            }
            Item::Kev(entry) => collector.kev(&entry).map_err(|detail| (entry.cve, detail)),
            Item::Facts(facts) => collector.facts(&facts).map_err(|detail| (facts.cve, detail)),
            Item::EpssDate(date) => {
                self.meta.epss_date = std::mem::take(&mut self.meta.epss_date).max(date.clone());
                self.epss_day = date;
                Ok(())
            }
            Item::Epss(word) => {
                match self.epss.get_mut(&self.epss_day) {
                    Some(words) => words.push(word),
                    None => _ = self.epss.insert(self.epss_day.clone(), vec![word]),
                }
                Ok(())
            }
            Item::Part { ecosystem, part, of } => {
                collector.part(ecosystem, part, of);
                Ok(())
            }
            Item::KevDate(date) => {
                self.meta.kev_date = std::mem::take(&mut self.meta.kev_date).max(date);
                Ok(())
            }
            Item::Problem { record, detail } => Err((record, detail)),
        };
        if let Err((record, detail)) = outcome {
            self.problem(path, record, detail);
        }
    }

    fn problem(&mut self, file: &Path, record: String, detail: String) {
        self.summary.problem_count += 1;
        if self.summary.problems.len() < PROBLEMS_KEPT_MAX {
            self.summary.problems.push(Problem { file: file.to_owned(), record, detail });
        }
    }
}

/// An error with its causes.
pub(crate) fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The files below a directory. Hidden directories are a version control's own, and links to directories may circle.
pub(crate) fn tree(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if depth > TREE_DEPTH_MAX {
        return Err(io::Error::other(format!("directories more than {TREE_DEPTH_MAX} deep")));
    }
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        match (kind.is_dir(), hidden) {
            (true, false) => tree(&entry.path(), depth + 1, files)?,
            (false, false) if kind.is_file() || entry.path().is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    Ok(())
}
