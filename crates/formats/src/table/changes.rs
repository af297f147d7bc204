//! How a container differs from its image.

use model::change::{ChangeKind, FileChange, PackageChange};
use model::report::ScanReport;

use super::page::{BAD, CARE, FAINT, PLAIN, Page, Piece, STRONG, piece};
use crate::printable::printable;
use crate::words;

/// How many lines of each sort are shown before the rest is only counted.
const CHANGES_MAX: usize = 10;

/// What the container changed since it was made. Nothing where that is not known; a gap says so then.
pub(super) fn render(page: &mut Page, report: &ScanReport, all: bool) {
    let Some(changes) = &report.changes else { return };
    page.heading("Changed since the image");
    if changes.files.is_empty() && changes.packages.is_empty() {
        page.line(2, &[piece("nothing that runs, and no package", PLAIN)]);
    }
    let shown = if all { usize::MAX } else { CHANGES_MAX };
    changes.packages.iter().take(shown).for_each(|change| page.line(2, &package(change)));
    left_out(page, changes.packages.len(), shown, "package");
    changes.files.iter().take(shown).for_each(|change| page.line(2, &file(change)));
    left_out(page, changes.files.len(), shown, "file");
    if changes.other_files > 0 {
        let others =
            format!("and {} that nobody runs or loads", words::count(changes.other_files as usize, "other file"));
        page.line(2, &[piece(others, FAINT)]);
    }
}

fn left_out(page: &mut Page, count: usize, shown: usize, noun: &str) {
    if let Some(rest) = count.checked_sub(shown).filter(|rest| *rest > 0) {
        page.line(2, &[piece(format!("… and {} more", words::count(rest, noun)), CARE)]);
    }
}

fn word(change: ChangeKind) -> Piece<'static> {
    let style = if change == ChangeKind::Deleted { CARE } else { BAD };
    piece(change.as_str(), style).wide(8)
}

fn package(change: &PackageChange) -> Vec<Piece<'_>> {
    let version = |version: &Option<String>| version.as_deref().map(|version| printable(version).into_owned());
    let versions = match (version(&change.was_version), version(&change.version)) {
        (Some(was), Some(is)) => format!("{was} became {is}"),
        (was, is) => was.or(is).unwrap_or_default(),
    };
    let name = format!("{} package {}", printable(change.kind.as_str()), printable(&change.name));
    vec![word(change.change), piece(name, STRONG), piece(versions, PLAIN)]
}

fn file(change: &FileChange) -> Vec<Piece<'_>> {
    let mut pieces = vec![word(change.change), piece(printable(&change.path), STRONG)];
    if let (Some(was), Some(is)) = (&change.was_mode, &change.mode)
        && was != is
    {
        pieces.push(piece(format!("mode {} became {}", printable(was), printable(is)), CARE));
    }
    match &change.package {
        Some(package) => pieces.push(piece(format!("of {}", printable(package)), PLAIN)),
        None if change.change == ChangeKind::Added => pieces.push(piece("of no package", PLAIN)),
        None => {}
    }
    pieces
}
