//! GitHub's workflows and composite actions: which actions their steps use.
//!
//! `uses: owner/repository/path@v4.1.7` names a release; a commit does when a comment behind it says which release it is. A
//! branch or a moving tag such as `v4` is whatever it is on the day, so it counts as a dependency without a version.
//! Source: GitHub's documentation, "Workflow syntax for GitHub Actions", `steps[*].uses`.

use super::packages::{Packages, Use};
use super::yaml_lines::unquoted;
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::fact::Parsed;
use model::package::PackageType;

pub(crate) const CATALOGER: Cataloger = Cataloger {
    name: "github-actions",
    version: 1,
    scope: Scope::Declared,
    wants,
    parse: |file: &File<'_>| super::text(file).map_or_else(|problem| problem, |text| parse(&text)),
};

fn wants(head: &FileHead<'_>) -> bool {
    let is_yaml = |name: &str| name.ends_with(".yml") || name.ends_with(".yaml");
    let mut above = head.path.rsplit('/').skip(1);
    let workflow = above.next() == Some("workflows") && above.next() == Some(".github");
    let action = head.path.contains(".github/actions/") && matches!(head.file_name(), "action.yml" | "action.yaml");
    (workflow && is_yaml(head.file_name()) || action) && !super::is_installed(head.path)
}

pub(super) fn parse(text: &str) -> Parsed {
    let mut packages = Packages::new(PackageType::GitHubActions);
    let mut has_steps = false;
    for line in text.lines() {
        let content = line.trim_start();
        let content = content.strip_prefix("- ").unwrap_or(content).trim_start();
        has_steps |= ["jobs:", "runs:"].iter().any(|key| line.starts_with(key));
        let Some(rest) = content.strip_prefix("uses:") else { continue };
        let (value, comment) = rest.split_once(" #").unwrap_or((rest, ""));
        let value = unquoted(value.trim());
        // Directories of the project, and images, which are no packages.
        let Some((action, reference)) = value.split_once('@').filter(|_| !value.contains(':')) else { continue };
        if action.starts_with('.') || value.contains("${{") {
            continue;
        }
        let repository = action.match_indices('/').nth(1).map_or(action, |(end, _)| &action[..end]);
        match [reference, comment.split_whitespace().next().unwrap_or_default()].into_iter().find(|it| is_release(it)) {
            Some(version) => drop(packages.add(repository, version, Use::Any)),
            None => packages.unversioned(value),
        }
    }
    if !has_steps {
        return Parsed::malformed("it has neither `jobs` nor `runs`");
    }
    packages.mark_all_direct();
    packages.finish()
}

/// `v4.1.7`, `2.0.0-beta`; not `v4`, `main` or a commit.
fn is_release(reference: &str) -> bool {
    let version = reference.strip_prefix('v').unwrap_or(reference);
    let release = version.split(['-', '+']).next().unwrap_or(version);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    release.split('.').count() == 3 && release.split('.').all(is_number)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{parse, render};
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&render(&parse(".github/workflows/ci.yml", text.as_bytes())));
    }

    #[test]
    fn releases_commits_and_moving_tags() {
        check(
            r###"on: push
jobs:
  call:
    uses: octo/workflows/.github/workflows/x.yml@main
  build:
    steps:
      - uses: actions/checkout@v4
      - name: x
        uses: "tj-actions/changed-files@v45.0.7"
      - uses: github/codeql-action/init@97edff6d525f192a3f83cea1944765f769ae2678 # v3.25.1 (pinned)
      - uses: octo/sha@97edff6d525f192a3f83cea1944765f769ae2678
      - uses: ./.github/actions/own
      - uses: docker://alpine:3.8
"###,
            expect![[r#"
                github/codeql-action v3.25.1 direct
                tj-actions/changed-files v45.0.7 direct
                ! unknown-version: 3 dependencies name no exact version: `actions/checkout@v4`, `octo/sha@97edff6d525f192a3f83cea1944765f769ae2678`, `octo/workflows/.github/workflows/x.yml@main`
            "#]],
        );
    }
}
