//! Public knowledge and an organisation's own, asked as one.

use model::advisory::{Advisories, Advisory, AdvisoryNumber, Candidate, IndexDamage, VulnerabilityFacts};
use model::report::Coverage;

use super::Index;

/// Marks the number of a private record. No index has so many that its own numbers reach it: each needs a record of more
/// than two bytes in a section of at most 4 GiB.
const PRIVATE: u32 = 1 << 31;

/// An index, and beside it one of private advisories.
///
/// Coverage and scores are the public index's: private advisories add findings and never the claim to know everything.
#[derive(Debug, Clone, Copy)]
pub struct Combined<'a> {
    public: &'a Index,
    private: Option<&'a Index>,
}

impl<'a> Combined<'a> {
    /// Both.
    pub fn new(public: &'a Index, private: Option<&'a Index>) -> Self {
        Self { public, private }
    }

    fn of(&self, number: AdvisoryNumber) -> (&'a Index, AdvisoryNumber) {
        match self.private {
            Some(private) if number.0 & PRIVATE != 0 => (private, AdvisoryNumber(number.0 & !PRIVATE)),
            _ => (self.public, number),
        }
    }
}

impl Advisories for Combined<'_> {
    fn candidates(&self, ecosystem: &str, name: &str) -> Result<Vec<Candidate<'_>>, IndexDamage> {
        let mut rows = self.public.candidates(ecosystem, name)?;
        if let Some(private) = self.private {
            let own = private.candidates(ecosystem, name)?.into_iter();
            rows.extend(own.map(|row| Candidate { advisory: AdvisoryNumber(row.advisory.0 | PRIVATE), ..row }));
        }
        Ok(rows)
    }

    fn advisory(&self, number: AdvisoryNumber, ecosystem: &str, name: &str) -> Result<Advisory, IndexDamage> {
        let (index, number) = self.of(number);
        index.advisory(number, ecosystem, name)
    }

    fn vulnerability(&self, id: &str) -> Result<VulnerabilityFacts, IndexDamage> {
        self.public.vulnerability(id)
    }

    fn coverage(&self, ecosystem: &str) -> Result<Coverage, IndexDamage> {
        self.public.coverage(ecosystem)
    }
}
