//! `coverage.json` beside feed files: what each file is, how much of its ecosystems it holds, and under which licence.
//!
//! Only who made a collection knows whether it is whole. Without this file, [`default_claim`] applies.

use std::path::Path;

use model::report::CoverageState;
use serde::{Deserialize, Serialize};

use super::collect::Claim;
use crate::feeds::Form;

/// The manifest's name in the directory it describes.
pub const MANIFEST_NAME: &str = "coverage.json";
/// The version of the manifest this program reads.
pub const MANIFEST_VERSION: u32 = 1;

/// The manifest of a directory of feeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub version: u32,
    /// One entry per file.
    pub files: Vec<ManifestFile>,
}

/// What the manifest says of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Its path within the directory, with `/`.
    pub file: String,
    /// What it is.
    pub content: String,
    /// Where it comes from, and in which state.
    pub origin: String,
    /// The day of its content, `YYYY-MM-DD`.
    pub date: String,
    /// The SPDX expression of its licence, or words where there is none.
    pub licence: String,
    /// The line that must go with it wherever it goes.
    pub attribution: String,
    /// How much of which ecosystem. An ecosystem without a release speaks for all its releases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ecosystems: Vec<ManifestEcosystem>,
}

/// How much a file holds of one ecosystem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestEcosystem {
    /// `npm`, `Debian:12`.
    pub ecosystem: String,
    /// `complete` or `partial`.
    pub state: CoverageState,
    /// What is missing; required by good manners when partial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Manifest {
    /// Reads the manifest of a directory; none when it has none.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn beside(directory: &Path) -> Result<Option<Self>, String> {
        let text = match std::fs::read(directory.join(MANIFEST_NAME)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        if manifest.version != MANIFEST_VERSION {
            return Err(format!("is version {}; this program reads {MANIFEST_VERSION}", manifest.version));
        }
        Ok(Some(manifest))
    }
}

impl ManifestFile {
    /// What the file may claim about an ecosystem (with its release). What the manifest does not name is partial.
    pub(super) fn claim(&self, ecosystem: &str) -> Claim {
        let family = ecosystem.split(':').next().unwrap_or(ecosystem);
        let stated = |name: &str| self.ecosystems.iter().find(|entry| entry.ecosystem == name);
        match stated(ecosystem).or_else(|| stated(family)) {
            Some(entry) => Claim { state: entry.state, note: entry.note.clone() },
            None => Claim {
                state: CoverageState::Partial,
                note: Some("the feed's manifest does not say that it is complete".into()),
            },
        }
    }
}

/// What a file without a manifest may claim.
///
/// An archive or a tree of one file per record is how publishers export a feed, and is taken as whole; so is a document that
/// its format says is all. A single file of
/// many records can be any extract, a single record is surely one. `partial` says why no number of such records is all.
pub(super) fn default_claim(form: Form, from_tree: bool, partial: Option<&str>) -> Claim {
    let because = |note: &str| Claim { state: CoverageState::Partial, note: Some(note.into()) };
    match (form, from_tree) {
        _ if partial.is_some() => because(partial.unwrap_or_default()),
        (Form::Archive | Form::Catalogue, _) | (Form::Single, true) => {
            Claim { state: CoverageState::Complete, note: None }
        }
        _ => because("given without a manifest that says whether it is complete"),
    }
}
