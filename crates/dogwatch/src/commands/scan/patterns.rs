//! Patterns on the command line, and the images they stand for now.

use ::scan::inspect::InspectOptions;
use ::scan::source::{ListBounds, Listing, SourceError, list};
use ::scan::target::{Pattern, Target};

use crate::cli::ScanArguments;
use crate::commands::targets::Expanded;
use crate::console::{Failure, Hint, note, progress};

/// More images than this are scanned only when the user says so: each may be gigabytes to fetch.
const IMAGES_MAX: usize = 500;

/// The images that a pattern stands for, newest version first in each repository; none when the text is no pattern.
pub(super) fn expand(text: &str, scan: &ScanArguments, options: &InspectOptions) -> Option<Result<Expanded, Failure>> {
    let pattern = match Pattern::parse(text)? {
        Ok(pattern) => pattern,
        Err(error) => return Some(Err(Failure { hint: Some(error.hint()), error: error.into() })),
    };
    if scan.source.offline {
        let error = anyhow::anyhow!("`{text}` is in a registry, and `--offline` forbids the network");
        return Some(Err(error.into()));
    }
    let bounds =
        ListBounds { images_max: scan.max_images.unwrap_or(IMAGES_MAX), tags_max: scan.max_tags.unwrap_or(usize::MAX) };
    let bar = progress(format!("listing {text}"));
    let listed = list(&pattern, bounds, &options.source);
    bar.finish_and_clear();
    Some(listed.map_err(|error: SourceError| Failure { hint: error.hint(), error: error.into() }).and_then(|listing| {
        match listing.references.is_empty() {
            true => Err(anyhow::anyhow!("the registry has nothing that matches `{text}`")).hint(None),
            false => Ok(expanded(text, listing, scan)),
        }
    }))
}

/// What the user left out is noted. What we leave out could not be told, and counts like a target that failed.
fn expanded(text: &str, listing: Listing, scan: &ScanArguments) -> Expanded {
    let count = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    if listing.beyond_tags_max > 0 {
        note(&format!("`{text}`: {} left out by `--max-tags`", count(listing.beyond_tags_max, "older tag")));
    }
    if listing.attachments > 0 {
        note(&format!("`{text}`: {} of signatures and attestations left out", count(listing.attachments, "tag")));
    }
    let beyond = count(listing.beyond_images_max, "image");
    let mut failure = None;
    match (listing.beyond_images_max, scan.max_images) {
        (0, _) => {}
        (_, Some(_)) => note(&format!("`{text}`: {beyond} left out by `--max-images`")),
        (_, None) => {
            let hint = "take more with `--max-images N`, or the newest of each repository with `--max-tags 1`";
            let error = anyhow::anyhow!("{beyond} left out: a pattern takes {IMAGES_MAX} unless told otherwise");
            failure = Some(Failure { error, hint: Some(hint.into()) });
        }
    }
    if listing.unusable > 0 {
        let error = anyhow::anyhow!("{} that no image may have left out", count(listing.unusable, "name"));
        failure = failure.or(Some(error.into()));
    }
    let texts = listing.references.into_iter().map(|reference| Target::Registry(reference).to_string()).collect();
    Expanded { texts, failure }
}
