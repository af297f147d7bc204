//! `conanfile.txt`: what a project asks Conan for.
//!
//! An exact reference is what will be installed; a range is not. What those pull in stands in a lock file only.
//! Source: Conan's documentation, "conanfile.txt".

use super::conan::name_and_version;
use super::packages::{Packages, Use};
use crate::cataloger::{Cataloger, File, Scope};
use crate::fact::Parsed;
use model::package::PackageType;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "conanfile-txt",
    version: 1,
    scope: Scope::Declared,
    wants: |head| super::is_named(head, "conanfile.txt"),
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

const SECTIONS: [&str; 8] = [
    "[requires]",
    "[build_requires]",
    "[tool_requires]",
    "[test_requires]",
    "[generators]",
    "[options]",
    "[imports]",
    "[layout]",
];

pub(super) fn parse(text: &str) -> Parsed {
    let mut packages = Packages::new(PackageType::Conan);
    let (mut section, mut sections) = ("", 0);
    for line in text.lines() {
        // A comment begins a line or follows a space; a revision's `#` stands in the reference.
        let line = line.split(" #").next().unwrap_or(line).trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with('[') && line.ends_with(']') {
            section = line;
            sections += usize::from(SECTIONS.contains(&line));
            continue;
        }
        let needed_for = match section {
            "[requires]" => Use::Any,
            "[build_requires]" | "[tool_requires]" | "[test_requires]" => Use::Development,
            _ => continue,
        };
        match name_and_version(line) {
            Some((name, version)) => drop(packages.add(name, version, needed_for)),
            None => packages.unversioned(line),
        }
    }
    if sections == 0 {
        return Parsed::malformed("it has no section such as `[requires]`");
    }
    packages.mark_all_direct();
    packages.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("conanfile.txt", text.as_bytes())));
    }

    #[test]
    fn ranges_have_no_version() {
        check(
            "# ours\n[requires]\nzlib/1.2.13 # small\nopenssl/[>=3.0 <4]\nboost/1.80.0@user/channel#1\n[tool_requires]\n\
             cmake/3.25.0\n[options]\nzlib/*:shared=True\n",
            expect![[r#"
                boost 1.80.0 direct
                cmake 3.25.0 direct development
                zlib 1.2.13 direct
                ! unknown-version: 1 dependency names no exact version: `openssl/[>=3.0 <4]`
            "#]],
        );
    }
}
