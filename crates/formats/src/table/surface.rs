//! The attack surface in numbers, and what of it is new.

use model::report::ScanReport;

use super::page::{CARE, FAINT, PLAIN, Page, Piece, piece};
use crate::printable::printable;

/// New paths named for each sort before the rest is only counted.
const NEW_MAX: usize = 5;

/// One line of numbers; with `all` the paths, too.
pub(super) fn render(page: &mut Page, report: &ScanReport, all: bool) {
    let Some(surface) = &report.inventory.surface else { return };
    page.heading("Attack surface");
    let mut numbers = vec![format!("packages {}", report.inventory.packages.len())];
    numbers.push(format!("exposed ports {}", report.artifact.config.exposed_ports.len()));
    numbers.extend(surface.sorts().iter().map(|(sort, places)| format!("{sort} {}", places.count)));
    page.hanging(2, 2, &[piece(numbers.join(", "), PLAIN)]);
    for (sort, places) in surface.sorts().into_iter().filter(|(_, places)| all && !places.is_empty()) {
        page.hanging(2, 4, &paths(sort, &places.paths, places.count, places.paths.len()));
    }
}

/// What the artifact compared with did not have.
pub(super) fn growth(page: &mut Page, report: &ScanReport, all: bool) {
    let Some(new) = report.comparison.as_ref().and_then(|comparison| comparison.new_surface.as_ref()) else { return };
    for (sort, places) in new.sorts().into_iter().filter(|(_, places)| !places.is_empty()) {
        let shown = if all { places.paths.len() } else { NEW_MAX };
        let mut pieces = vec![piece("new", CARE)];
        pieces.extend(paths(sort, &places.paths, places.count, shown));
        page.hanging(4, 6, &pieces);
    }
}

fn paths<'a>(sort: &'a str, paths: &'a [String], count: u64, shown: usize) -> Vec<Piece<'a>> {
    let names: Vec<_> = paths.iter().take(shown).map(|path| printable(path)).collect();
    let rest = count.saturating_sub(names.len() as u64);
    let mut pieces = vec![piece(format!("{sort}:"), FAINT), piece(names.join(", "), PLAIN)];
    if rest > 0 {
        pieces.push(piece(format!("… and {rest} more"), FAINT));
    }
    pieces
}
