//! Talking to the user: errors with their causes and hints on stderr, documents on stdout or into files.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use formats::printable::printable;

use crate::talk;
pub(crate) use crate::talk::{note, progress};

/// Could not tell: bad input, a missing source, stale knowledge where a policy forbids it.
pub(crate) const COULD_NOT_TELL: u8 = 2;

/// A failure as `main` shows it.
pub(crate) struct Failure {
    /// What happened, then each cause.
    pub(crate) error: anyhow::Error,
    /// What to do next.
    pub(crate) hint: Option<String>,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), hint: None }
    }
}

/// Adds a hint to a failure.
pub(crate) trait Hint<T> {
    /// The same result, with this hint if it failed and there is one.
    fn hint(self, hint: Option<String>) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> Hint<T> for Result<T, E> {
    fn hint(self, hint: Option<String>) -> Result<T, Failure> {
        self.map_err(|error| Failure { error: error.into(), hint })
    }
}

/// Shows a failure with its chain of causes, once.
pub(crate) fn failure(failure: &Failure) -> ExitCode {
    if failure.error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        // Whoever read our output has seen enough (`dogwatch … | head`).
        return ExitCode::SUCCESS;
    }
    let causes: Vec<String> = failure.error.chain().map(|cause| printable(&cause.to_string()).into_owned()).collect();
    let causes = causes.join(": ");
    if talk::error(&causes, failure.hint.as_deref()) {
        return ExitCode::from(COULD_NOT_TELL);
    }
    let mut stderr = anstream::stderr().lock();
    let _ = writeln!(stderr, "error: {causes}");
    if let Some(hint) = &failure.hint {
        let _ = writeln!(stderr, "hint: {}", printable(hint));
    }
    ExitCode::from(COULD_NOT_TELL)
}

/// Shows help, or what is wrong with the command line.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if let Some(instead) = crate::foreign::hint(error) {
        let _ = writeln!(anstream::stderr(), "hint: {instead}");
    }
    if error.use_stderr() { ExitCode::from(COULD_NOT_TELL) } else { ExitCode::SUCCESS }
}

/// Writes a document to a file, or to stdout with colour stripped where nobody wants it (`NO_COLOR`, pipes).
pub(crate) fn write(document: &str, file: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = file else {
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(document.as_bytes())?;
        return Ok(stdout.flush()?);
    };
    let plain = anstream::adapter::strip_str(document).to_string();
    std::fs::write(path, plain)
        .map_err(|error| anyhow::Error::new(error).context(format!("`{}` cannot be written", path.display())).into())
}

/// The width to lay tables out for.
pub(crate) fn columns() -> usize {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    asked.or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))).unwrap_or(100)
}
