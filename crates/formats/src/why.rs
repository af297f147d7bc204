//! Why a package is here: `--why PACKAGE`.

use model::dependents::{Dependents, Paths};
use model::package::{Package, PackageId};
use model::report::ScanReport;

use crate::printable::printable;
use crate::table::page::{CARE, PLAIN, Page, STRONG, piece};
use crate::words;

/// The most chains that are shown for one package; beyond that the number says more than the list.
const PATHS_MAX: usize = 20;

/// How many chains stand beside a finding.
const PATHS_BESIDE_FINDING: usize = 3;

/// The most packages of one chain that are shown: real chains have fewer than 30.
const CHAIN_SHOWN_MAX: usize = 60;

/// The most packages of one question that are shown: a project has few versions of one name.
const PACKAGES_MAX: usize = 50;

/// Every shortest chain of dependencies that brings each package so named, by name, `name@version` or package URL. None
/// when the inventory has no such package.
pub fn render(report: &ScanReport, wanted: &str, columns: usize) -> Option<String> {
    let packages: Vec<&Package> =
        report.inventory.packages.iter().filter(|package| is_meant(package, wanted.trim())).collect();
    let dependents = Dependents::of(&report.inventory);
    let mut page = Page::new(columns.max(60));
    for package in packages.iter().take(PACKAGES_MAX) {
        describe(&mut page, report, &dependents, package);
    }
    if packages.len() > PACKAGES_MAX {
        page.line(0, &[piece(format!("and {} more", packages.len() - PACKAGES_MAX), CARE)]);
    }
    (!packages.is_empty()).then(|| page.finish())
}

fn is_meant(package: &Package, wanted: &str) -> bool {
    let of_name = |name: &str| package.name.eq_ignore_ascii_case(name);
    let of_version = |(name, version): (&str, &str)| of_name(name) && package.version == version;
    of_name(wanted)
        || wanted.rsplit_once('@').is_some_and(of_version)
        || package.purl == wanted
        || package.purl.strip_prefix(wanted).is_some_and(|rest| rest.starts_with(['@', '?']))
}

fn describe(page: &mut Page, report: &ScanReport, dependents: &Dependents<'_>, package: &Package) {
    let use_only = if package.development { "for development only" } else { "" };
    page.line(
        0,
        &[
            piece(printable(&words::name_and_version(package)).into_owned(), STRONG),
            piece(printable(&package.purl), PLAIN),
            piece(use_only, CARE),
        ],
    );
    for evidence in &package.evidence {
        page.hanging(2, 4, &[piece(format!("in /{}", printable(&evidence.path)), PLAIN)]);
    }
    let paths = dependents.paths(package.id, PATHS_MAX);
    if let Some(sentence) = alone(dependents, package, &paths) {
        page.hanging(2, 4, &[piece(sentence, PLAIN)]);
    }
    for path in paths.paths.iter().filter(|path| path.len() > 1) {
        page.hanging(2, 4, &[piece(chain(report, path), PLAIN)]);
    }
    if paths.more {
        page.line(2, &[piece(format!("and more: only the {PATHS_MAX} shortest are shown"), CARE)]);
    }
    page.blank();
}

/// What there is to say beside the chains.
fn alone(dependents: &Dependents<'_>, package: &Package, paths: &Paths) -> Option<String> {
    if package.direct {
        return Some("the project itself names it".into());
    }
    if paths.paths.is_empty() {
        return Some("only packages that need each other need it; nothing says which of them the project names".into());
    }
    dependents
        .needing(package.id)
        .is_empty()
        .then(|| "nothing here says who needs it: installed by itself, or its metadata does not tell".into())
}

/// The chains to show beside a finding: `a 1.0 > b 2.0`. Empty where nothing is known.
pub(crate) fn beside_finding(report: &ScanReport, dependents: &Dependents<'_>, package: PackageId) -> Vec<String> {
    if report.inventory.package(package).direct {
        return vec!["the project itself, which names it".into()];
    }
    let found = dependents.paths(package, PATHS_BESIDE_FINDING);
    let mut chains: Vec<String> =
        found.paths.iter().filter(|path| path.len() > 1).map(|path| chain(report, path)).collect();
    if found.more {
        let name = printable(&report.inventory.package(package).name).into_owned();
        chains.push(format!("and more: `--why {name}` shows them"));
    }
    chains
}

/// `a 1.0 > b 2.0`, fit to print.
fn chain(report: &ScanReport, path: &[PackageId]) -> String {
    let name = |id: &PackageId| printable(&words::name_and_version(report.inventory.package(*id))).into_owned();
    let mut names: Vec<String> = path.iter().map(name).collect();
    if names.len() > CHAIN_SHOWN_MAX {
        let left_out = names.len() - CHAIN_SHOWN_MAX;
        names.splice(CHAIN_SHOWN_MAX / 2..CHAIN_SHOWN_MAX / 2 + left_out, [format!("({left_out} more)")]);
    }
    names.join(" > ")
}
