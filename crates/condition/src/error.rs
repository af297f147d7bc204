//! What can be wrong with a condition.

use std::fmt;
use std::ops::Range;

use crate::diagnostic::{Diagnostic, Place};

/// Why a text is not a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionError {
    /// What sort of mistake it is.
    pub code: ErrorCode,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do, where we know.
    pub remedy: Option<String>,
    /// The characters of the text that are meant, counted from 0.
    pub span: Range<usize>,
    /// The whole text.
    pub text: String,
}

/// The sorts of mistakes; their names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// It is not CEL.
    Syntax,
    /// It is longer or deeper than is accepted.
    TooLarge,
    /// No fact has this name.
    UnknownFact,
    /// The fact exists, but one of the stages cannot know it.
    StageCannotKnow,
    /// No function has this name.
    UnknownFunction,
    /// The types do not fit.
    WrongType,
    /// CEL has it, this dialect does not.
    Unsupported,
}

impl ErrorCode {
    /// The name in messages and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::TooLarge => "too-large",
            Self::UnknownFact => "unknown-fact",
            Self::StageCannotKnow => "stage-cannot-know",
            Self::UnknownFunction => "unknown-function",
            Self::WrongType => "wrong-type",
            Self::Unsupported => "unsupported",
        }
    }
}

impl ConditionError {
    /// The error with the line of the condition that it is about, for a condition that stands alone.
    pub fn diagnostic(&self, file: &str) -> Diagnostic {
        let before = self.text.chars().take(self.span.start);
        let (mut line, mut column) = (1, 1);
        for c in before {
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        let place = Place::new(file, &self.text, line, column, self.span.len());
        Diagnostic { code: self.code.as_str(), message: self.message.clone(), place, remedy: self.remedy.clone() }
    }
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnostic("condition").fmt(f)
    }
}

impl std::error::Error for ConditionError {}
