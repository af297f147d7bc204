//! Terraform's and OpenTofu's `.terraform.lock.hcl`: the providers a configuration uses.
//!
//! A provider is named by its source address, registry first. Modules are not locked.
//! Source: Terraform's documentation, "Dependency Lock File".

use super::packages::{Packages, Use};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "terraform-lock",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, ".terraform.lock.hcl"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

pub(super) fn parse(text: &str) -> Parsed {
    let mut packages = Packages::new(PackageType::Other("terraform".into()));
    let (mut provider, mut bad) = (None, None);
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if let Some(rest) = line.strip_prefix("provider ") {
            provider = rest.split('"').nth(1);
        } else if let (Some(name), Some(version)) = (provider, line.strip_prefix("version")) {
            if let Some(version) = version.split('"').nth(1) {
                packages.add(name, version, Use::Any);
                provider = None;
            }
        } else if line == "}" {
            provider.take().into_iter().for_each(|name| packages.unversioned(name));
        } else if line.starts_with(['<', '{', '[']) || (bad.is_none() && !line.is_empty() && !is_of_lock(line)) {
            bad.get_or_insert(number);
        }
    }
    match bad {
        Some(number) => Parsed::malformed(format_args!("line {number} is not a provider's")),
        None => packages.finish(),
    }
}

/// Whether a line may stand in a lock file: comments, attributes, their lists of hashes and brackets.
fn is_of_lock(line: &str) -> bool {
    line.starts_with(['#', '"', ']', '}']) || line.starts_with("//") || line.contains('=')
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse(".terraform.lock.hcl", text.as_bytes())));
    }

    #[test]
    fn a_provider_without_a_version() {
        check(
            "provider \"registry.example/a/b\" {\n  version     = \"1.0.0\"\n  constraints = \">= 1.0.0\"\n  hashes = [\n    \
             \"h1:x=\",\n  ]\n}\nprovider \"registry.example/a/c\" {\n}\n",
            expect![[r#"
                registry.example/a/b 1.0.0
                ! unknown-version: 1 dependency names no exact version: `registry.example/a/c`
            "#]],
        );
    }
}
