//! Stated licenses as SPDX ids, expressions and references.

use model::package::Package;
use spdx::{Expression, ParseMode};

/// What a stated license is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum License<'a> {
    /// One id of the SPDX license list.
    Id(&'a str),
    /// A valid expression of several.
    Expression(&'a str),
    /// Anything else people write.
    Name(&'a str),
}

/// Longer texts are names: whole license texts end up in such fields, and expressions that long do not.
const EXPRESSION_BYTES_MAX: usize = 1024;
/// `spdx` parses by precedence, so nesting needs a bound of its own.
const EXPRESSION_PARENTHESES_MAX: usize = 32;

/// The licenses a package states, classified; empty ones are left out.
pub(crate) fn licenses(package: &Package) -> impl Iterator<Item = License<'_>> {
    package.licenses.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).map(classify)
}

pub(crate) fn classify(text: &str) -> License<'_> {
    if spdx::license_id(text).is_some_and(|id| id.name == text) {
        return License::Id(text);
    }
    let bounded = text.len() <= EXPRESSION_BYTES_MAX && text.matches('(').count() <= EXPRESSION_PARENTHESES_MAX;
    // References (`LicenseRef-`) need a document that defines them, which an inventory does not have.
    match bounded && !text.contains("Ref-") && Expression::parse_mode(text, ParseMode::STRICT).is_ok() {
        true => License::Expression(text),
        false => License::Name(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_expressions_and_names_are_told_apart() {
        assert_eq!(classify("MIT"), License::Id("MIT"));
        assert_eq!(classify("GPL-2.0"), License::Id("GPL-2.0"));
        assert_eq!(classify("MIT OR Apache-2.0"), License::Expression("MIT OR Apache-2.0"));
        assert_eq!(classify("GPL-2+"), License::Name("GPL-2+"));
        assert_eq!(classify("The MIT License"), License::Name("The MIT License"));
        assert_eq!(classify("MIT OR"), License::Name("MIT OR"));
        assert_eq!(classify("LicenseRef-foo"), License::Name("LicenseRef-foo"));
        let bomb = "(".repeat(100_000);
        assert_eq!(classify(&bomb), License::Name(&bomb));
    }
}
