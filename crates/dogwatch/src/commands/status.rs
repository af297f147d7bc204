//! `dogwatch advisories status`: what is known, how current it is, and where it is from.

use std::fmt::Write as _;
use std::path::Path;

use ::advisories::Index;
use ::advisories::share::{PulledState, pulled_state};
use ::advisories::update::{FeedState, FeedStates};
use formats::printable::printable;
use model::Timestamp;
use model::report::CoverageState;

use crate::console::{Failure, write};
use crate::paths;

/// Prints what the index in force (or the one named) holds, and for the user's own how its feeds are.
pub(crate) fn run(named: Option<&Path>) -> Result<u8, Failure> {
    let index = super::index(named)?;
    let mut text = status(&index)?;
    if let Some(private) = super::private_index(&[], false)? {
        let _ = writeln!(text, "private   {} advisories", private.status()?.advisories);
    }
    if named.is_none()
        && let Some(store) = paths::store()
    {
        let pulled = pulled_state(&store);
        if pulled.digest == index.digest() {
            text.push_str(&publication(&pulled));
        } else {
            text.push_str(&feeds(&store.states()));
        }
    }
    write(&text, None)?;
    Ok(0)
}

fn status(index: &Index) -> Result<String, Failure> {
    let status = index.status()?;
    let mut text = format!(
        "index     {}, {:.1} MB, format {}\nknowledge as of {}\ncontent   {} advisories, {} packages, {} ranges ({:.1} bytes each)\nepss      {} estimates of {}\nkev       as of {}\n\n",
        status.digest,
        status.bytes as f64 / 1e6,
        status.format,
        status.as_of,
        status.advisories,
        status.packages,
        status.ranges,
        status.bytes_per_range,
        status.epss_estimates,
        status.epss_date,
        status.kev_date,
    );
    let width = status.coverage.iter().map(|coverage| coverage.ecosystem.len()).max().unwrap_or(0);
    for coverage in &status.coverage {
        let state = match coverage.state {
            CoverageState::None => "NONE",
            CoverageState::Partial => "PARTIAL",
            CoverageState::Complete => "complete",
        };
        let newest = coverage.newest.split('T').next().unwrap_or_default();
        let note = coverage.note.as_deref().unwrap_or_default();
        let _ = writeln!(
            text,
            "{:<width$}  {state:<8}  {:>7} records  newest {newest:<10}  {}",
            coverage.ecosystem,
            coverage.records,
            printable(note)
        );
    }
    if !status.attributions.is_empty() {
        text.push_str("\nsources\n");
        for attribution in &status.attributions {
            let line = format!(
                "{}: {} ({}, {})",
                attribution.content, attribution.origin, attribution.licence, attribution.date
            );
            let _ = writeln!(text, "  {}", printable(&line));
        }
    }
    Ok(text)
}

/// Where a pulled index is from, and who says so.
fn publication(pulled: &PulledState) -> String {
    let (Some(statement), Some(at)) = (&pulled.statement, pulled.at) else { return String::new() };
    let now = Timestamp::now();
    let expiry = if statement.expires < now { "EXPIRED" } else { "good until" };
    format!(
        "\npulled\nfrom      {} on {at:.0}\nnumber    {} of {:.0}, {expiry} {:.0}\nsigned by {}\n",
        printable(&pulled.from),
        statement.sequence,
        statement.created,
        statement.expires,
        pulled.signed_by.join(", ")
    )
}

/// One line per feed that was ever asked for.
fn feeds(states: &FeedStates) -> String {
    let width = states.feeds.keys().map(String::len).max().unwrap_or(0);
    let lines = states.feeds.iter().map(|(name, state)| format!("{name:<width$}  {}\n", printable(&feed(state))));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\nfeeds\n{lines}") }
}

fn feed(state: &FeedState) -> String {
    let copy = match state.fetched_at {
        Some(at) => {
            let newest = state.newest.get(..10).unwrap_or(&state.newest);
            format!("{:>7} records  newest {newest:<10}  fetched {at:.0} from {}", state.records, state.from)
        }
        None => "no copy".into(),
    };
    let Some(trouble) = &state.trouble else { return copy };
    let word = if trouble.quarantined { "QUARANTINED" } else { "FAILING" };
    format!("{copy}  {word} since {:.0}: {}", trouble.since, trouble.detail)
}
