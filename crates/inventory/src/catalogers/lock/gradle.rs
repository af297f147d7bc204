//! Gradle's dependency locks: `gradle.lockfile`, `buildscript-gradle.lockfile` and the older
//! `gradle/dependency-locks/<configuration>.lockfile`.
//!
//! Each line is `group:artifact:version=configuration,…`; the older files leave out the configurations. What only test
//! configurations or the build script use is for development. Who needs whom is not recorded.
//! Source: Gradle user manual, "Locking Versions".

use super::packages::{Packages, Use};
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::Parsed;
use model::gap::GapKind;
use model::package::PackageType;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "gradle-lock",
    version: 1,
    scope: Scope::Declared,
    wants,
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(file.path, &text)),
};

fn wants(head: &FileHead<'_>) -> bool {
    let name = head.file_name();
    matches!(name, "gradle.lockfile" | "buildscript-gradle.lockfile")
        || (name.ends_with(".lockfile") && head.path.rsplit('/').nth(1) == Some("dependency-locks"))
}

pub(super) fn parse(path: &str, text: &str) -> Parsed {
    let file_name = path.rsplit('/').next().unwrap_or(path);
    let of_build = file_name.starts_with("buildscript-");
    // `testRuntimeClasspath.lockfile`; the newer names are no configurations.
    let configuration = file_name.strip_suffix(".lockfile").filter(|name| !name.ends_with("gradle"));
    let mut packages = Packages::new(PackageType::Maven);
    let mut bad: Option<usize> = None;
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        let (coordinates, configurations) = line.split_once('=').unwrap_or((line, ""));
        if line.is_empty() || line.starts_with('#') || coordinates == "empty" {
            continue;
        }
        let Some((name, version)) = coordinates.rsplit_once(':').filter(|(name, _)| name.contains(':')) else {
            bad.get_or_insert(number);
            continue;
        };
        let mut configurations =
            configurations.split(',').chain(configuration).filter(|name| !name.is_empty()).peekable();
        let for_tests = configurations.peek().is_some() && configurations.all(is_for_tests);
        packages.add(name, version, if of_build || for_tests { Use::Development } else { Use::Any });
    }
    if let Some(number) = bad {
        packages.problem(GapKind::Malformed, format!("line {number} is not `group:artifact:version=configurations`"));
    }
    packages.finish()
}

/// `testCompileClasspath`, `integrationTestRuntimeClasspath`, `testFixturesApi`.
fn is_for_tests(configuration: &str) -> bool {
    configuration.starts_with("test") || configuration.contains("Test")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse("gradle.lockfile", text.as_bytes())));
    }

    #[test]
    fn a_broken_line_is_told() {
        check(
            r###"# x
a:b:1.0=testRuntimeClasspath,runtimeClasspath
a:c:2=integrationTestCompileClasspath
nonsense
empty=
"###,
            expect![[r#"
                a:b 1.0
                a:c 2 development
                ! malformed: line 4 is not `group:artifact:version=configurations`
            "#]],
        );
    }
}
