//! What an organisation's own records must be beyond what public ones must.

use std::collections::HashSet;

use crate::feeds::Parsed;

/// Who publishes a record that does not say.
const PUBLISHER: &str = "private";

/// The ids seen so far.
#[derive(Default)]
pub(super) struct Own {
    ids: HashSet<String>,
}

impl Own {
    /// Gives a record its publisher, and adds what would make it say nothing, or less than it seems to.
    pub(super) fn look(&mut self, parsed: &mut Parsed) {
        let advisory = &mut parsed.advisory;
        if parsed.unsigned {
            // What was guessed from the ecosystem is somebody else.
            let guessed = std::mem::replace(&mut advisory.source, PUBLISHER.into());
            let of_packages = advisory.affected.iter_mut().flat_map(|affected| &mut affected.severities);
            let stated = advisory.severities.iter_mut().chain(of_packages);
            stated
                .filter(|severity| severity.scorer == guessed)
                .for_each(|severity| severity.scorer = PUBLISHER.into());
        }
        if parsed.packageless {
            parsed.problems.push("an `affected` entry without the ecosystem and name of a package".into());
        }
        if advisory.withdrawn.is_none() && advisory.affected.is_empty() && parsed.problems.is_empty() {
            parsed.problems.push("nothing in it can match a package, image or layer".into());
        }
        if !self.ids.insert(advisory.id.clone()) {
            parsed.problems.push("another record has the same id".into());
        }
    }
}
