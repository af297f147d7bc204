//! An error as the other process told it: its words, and those of its causes.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ScanError;
use crate::source::SourceError;

/// The most causes that are told: our own chains have five.
const CAUSES_MAX: usize = 16;

/// An error that happened in another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    text: String,
    cause: Option<Box<Told>>,
    hint: Option<String>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Told {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl Told {
    /// An error and its causes.
    pub(crate) fn of(error: &dyn Error, hint: Option<String>) -> Self {
        let (mut texts, mut next) = (Vec::new(), error.source());
        while let Some(cause) = next.filter(|_| texts.len() < CAUSES_MAX) {
            texts.push(cause.to_string());
            next = cause.source();
        }
        let cause = texts.into_iter().rev().fold(None, |cause, text| Some(Box::new(Self { text, cause, hint: None })));
        Self { text: error.to_string(), cause, hint }
    }

    /// What the reader can do next.
    pub fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

impl From<&ScanError> for Told {
    fn from(error: &ScanError) -> Self {
        Self::of(error, error.hint())
    }
}

impl From<&SourceError> for Told {
    fn from(error: &SourceError) -> Self {
        Self::of(error, error.hint())
    }
}
