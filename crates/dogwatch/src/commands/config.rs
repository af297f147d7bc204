//! `dogwatch config`: which settings are in force, and who set them.

use std::fmt::Write as _;
use std::path::Path;

use formats::printable::printable;

use crate::config::{self, InForce, Source};
use crate::console::{Failure, write};

/// Prints every setting, its value and its source.
pub(crate) fn show(named: Option<&Path>) -> Result<u8, Failure> {
    let settings = config::in_force(named)?;
    let read = config::path(named).map_or_else(|| "none".to_owned(), |path| path.display().to_string());
    write(&format!("# configuration file: {}\n{}", printable(&read), table(&settings)), None)?;
    Ok(0)
}

/// Three columns: name, value, where it comes from.
fn table(settings: &[InForce]) -> String {
    let rows: Vec<[String; 3]> = settings.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1).min(40));
    let mut text = String::new();
    for [name, value, source] in &rows {
        let _ = writeln!(text, "{name:<first$}  {value:<second$}  {source}");
    }
    text
}

fn row(in_force: &InForce) -> [String; 3] {
    let value = printable(&in_force.values.join(" ")).into_owned();
    let value = if value.is_empty() { "-".into() } else { value };
    let source = match &in_force.source {
        Source::Default => "default".to_owned(),
        Source::File { name, line } => format!("{}:{line}", printable(name)),
        Source::Variable(name) => name.clone(),
    };
    [in_force.setting.long().to_owned(), value, source]
}
