//! Real lock files against golden lists, and against what the tools that wrote them list themselves.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::cataloger::{Cataloger, File, FileHead};
use crate::catalogers::ALL;
use crate::content::MemorySpool;
use crate::fact::{Fact, PackageFact, Parsed};
use expect_test::expect_file;
use proptest::prelude::*;

/// The folders of `tests/fixtures/locks`, and where a project has the lock file that lies in each. Each has the golden `expected.txt`, and mostly
/// `listed.txt`: name and version as the tool that wrote the lock file lists them.
const FIXTURES: &[(&str, &str)] = &[
    ("bun", "bun.lock"),
    ("bundler", "Gemfile.lock"),
    ("bundler-git", "Gemfile.lock"),
    ("cabal", "cabal.project.freeze"),
    ("cargo-2", "Cargo.lock"),
    ("cargo-3", "Cargo.lock"),
    ("cargo-4", "Cargo.lock"),
    ("composer", "composer.lock"),
    ("conan-1", "conan.lock"),
    ("conan-2", "conan.lock"),
    ("conanfile", "conanfile.txt"),
    ("deno-5", "deno.lock"),
    ("dotnet-project", "Bicep.Core.csproj"),
    ("github-actions", ".github/workflows/codeql-analysis.yml"),
    ("go", "go.mod"),
    ("go-vendor", "vendor/modules.txt"),
    ("gradle", "gradle.lockfile"),
    ("julia-1", "Manifest.toml"),
    ("maven", "pom.xml"),
    ("mix-1", "mix.lock"),
    ("mix-2", "mix.lock"),
    ("npm-v1", "package-lock.json"),
    ("npm-v2", "package-lock.json"),
    ("npm-v3", "package-lock.json"),
    ("npm-workspaces", "package-lock.json"),
    ("nuget", "packages.lock.json"),
    ("pdm", "pdm.lock"),
    ("pipenv", "Pipfile.lock"),
    ("pnpm-7", "pnpm-lock.yaml"),
    ("pnpm-8", "pnpm-lock.yaml"),
    ("pnpm-9", "pnpm-lock.yaml"),
    ("podfile", "Podfile.lock"),
    ("poetry-1", "poetry.lock"),
    ("poetry-2", "poetry.lock"),
    ("pubspec", "pubspec.lock"),
    ("pylock-pip", "pylock.toml"),
    ("pylock-uv", "pylock.toml"),
    ("rebar", "rebar.lock"),
    ("renv", "renv.lock"),
    ("requirements", "requirements.txt"),
    ("stack", "stack.yaml.lock"),
    ("swift-1", "Package.resolved"),
    ("swift-2", "Package.resolved"),
    ("terraform", ".terraform.lock.hcl"),
    ("uv", "uv.lock"),
    ("yarn-1", "yarn.lock"),
    ("yarn-berry", "yarn.lock"),
];

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/locks")
}

fn read(folder: &str, file: &str) -> String {
    let path = fixtures().join(folder).join(file.rsplit('/').next().unwrap_or(file));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn cataloger_of(path: &str) -> Option<&'static Cataloger> {
    ALL.iter().find(|cataloger| (cataloger.wants)(&FileHead { path, mode: 0o644, size: 1, head: b"" }))
}

pub(super) fn parse(path: &str, bytes: &[u8]) -> Parsed {
    let cataloger = cataloger_of(path).unwrap_or_else(|| panic!("no cataloger wants {path}"));
    (cataloger.parse)(&File { path, mode: 0o644, content: &bytes, spool: &MemorySpool })
}

fn packages(parsed: &Parsed) -> impl Iterator<Item = &PackageFact> {
    parsed.facts.iter().filter_map(|fact| if let Fact::Package(package) = fact { Some(package) } else { None })
}

/// One line per package: name, version, marks, and after the arrow what it needs.
pub(super) fn render(parsed: &Parsed) -> String {
    let mut text = String::new();
    for package in packages(parsed) {
        text += &format!("{} {}", package.name, if package.version.is_empty() { "?" } else { &package.version });
        text += if package.direct { " direct" } else { "" };
        text += if package.development { " development" } else { "" };
        let needs = package.requires.iter();
        let needs: Vec<_> =
            needs.map(|need| format!("{} {}", need.name, need.version.as_deref().unwrap_or("?"))).collect();
        text += &if needs.is_empty() { "\n".to_owned() } else { format!(" -> {}\n", needs.join(", ")) };
    }
    for problem in &parsed.problems {
        text += &format!("! {}: {}\n", problem.kind.as_str(), problem.detail);
    }
    text
}

// Proves: cataloger bun-lock; cataloger gemfile-lock; cataloger cabal-freeze; cataloger cargo-lock.
// Proves: cataloger composer-lock; cataloger conan-lock; cataloger conanfile-txt; cataloger deno-lock.
// Proves: cataloger dotnet-project; cataloger github-actions; cataloger go-mod; cataloger go-vendor.
// Proves: cataloger gradle-lock; cataloger julia-manifest; cataloger pom-xml; cataloger mix-lock; cataloger npm-lock.
// Proves: cataloger nuget-lock; cataloger pdm-lock; cataloger pipfile-lock; cataloger pnpm-lock.
// Proves: cataloger podfile-lock; cataloger poetry-lock; cataloger pubspec-lock; cataloger pylock.
// Proves: cataloger rebar-lock; cataloger renv-lock; cataloger requirements-txt; cataloger stack-lock.
// Proves: cataloger swift-resolved; cataloger terraform-lock; cataloger uv-lock; cataloger yarn-lock.
#[test]
fn real_lock_files_read_as_expected() {
    for (folder, file) in FIXTURES {
        let parsed = parse(file, read(folder, file).as_bytes());
        expect_file![fixtures().join(folder).join("expected.txt")].assert_eq(&render(&parsed));
    }
}

#[test]
fn the_tools_themselves_list_the_same_packages() {
    for (folder, file) in FIXTURES.iter().filter(|(folder, _)| *folder != "maven") {
        let parsed = parse(file, read(folder, file).as_bytes());
        let found: BTreeSet<String> = packages(&parsed).map(|p| format!("{} {}", p.name, p.version)).collect();
        let listed: BTreeSet<String> = read(folder, "listed.txt").lines().map(str::to_owned).collect();
        assert_eq!(found.difference(&listed).collect::<Vec<_>>(), Vec::<&String>::new(), "{folder}: found, not listed");
        assert_eq!(listed.difference(&found).collect::<Vec<_>>(), Vec::<&String>::new(), "{folder}: listed, not found");
    }
}

#[test]
fn every_needed_version_is_a_package_of_the_file() {
    for (folder, file) in FIXTURES {
        let parsed = parse(file, read(folder, file).as_bytes());
        let found: BTreeSet<_> = packages(&parsed).map(|p| (p.name.as_str(), p.version.as_str())).collect();
        for need in packages(&parsed).flat_map(|package| &package.requires) {
            let Some(version) = &need.version else { continue };
            assert!(found.contains(&(need.name.as_str(), version.as_str())), "{folder}: {need:?}");
        }
    }
}

#[test]
fn lock_files_of_installed_dependencies_are_left_alone() {
    for path in [
        "app/node_modules/.package-lock.json",
        "app/node_modules/left-pad/package-lock.json",
        "app/node_modules/left-pad/yarn.lock",
        "venv/lib/python3.12/site-packages/thing/requirements.txt",
        "vendor/url/Cargo.lock",
        "vendor/bundle/ruby/3.1.0/gems/rack-2.2.4/Gemfile.lock",
        "deps/plug/mix.lock",
        ".build/checkouts/swift-nio/Package.resolved",
        "docs/notes.txt",
    ] {
        assert!(cataloger_of(path).is_none(), "{path}");
    }
    for path in ["package-lock.json", "a/npm-shrinkwrap.json", "requirements/base.txt", "requirements-dev.txt"] {
        assert!(cataloger_of(path).is_some(), "{path}");
    }
}

#[test]
fn a_file_that_is_something_else_is_a_problem_and_not_clean() {
    for (_, file) in FIXTURES {
        for content in ["\0\0\0\0", "hello", "{}", "<html/>", "[1, 2]", "<<<<<<< HEAD\n"] {
            let parsed = parse(file, content.as_bytes());
            assert!(parsed.facts.is_empty(), "{file}: {content:?} gives {parsed:?}");
            assert!(!parsed.problems.is_empty(), "{file}: {content:?} passes as clean");
        }
    }
}

#[test]
fn merge_conflicts_and_other_encodings_are_told_whatever_else_is_there() {
    // A conflict is no XML, and old POMs are in other encodings.
    for (folder, file) in FIXTURES.iter().filter(|(folder, _)| *folder != "maven") {
        let text = read(folder, file);
        let middle = text.match_indices('\n').nth(text.lines().count() / 2).map_or(0, |(at, _)| at + 1);
        let conflict = format!("{}<<<<<<< HEAD\n=======\n>>>>>>> theirs\n{}", &text[..middle], &text[middle..]);
        let parsed = parse(file, conflict.as_bytes());
        assert_eq!(render(&parsed), "! malformed: it has unresolved merge conflicts\n", "{folder}");
        let parsed = parse(file, &[text.as_bytes(), b"\xff\xfe"].concat());
        assert!(parsed.facts.is_empty() && parsed.problems.len() == 1, "{folder}: {parsed:?}");
    }
}

#[test]
fn a_million_entries_are_cut_and_told() {
    let million = |line: &dyn Fn(usize) -> String| (0..1_000_000).map(line).collect::<String>();
    let gems = format!("GEM\n  specs:\n{}", million(&|n| format!("    a{n} (1)\n      a{}\n", n / 2)));
    let freeze = format!("constraints: {}", million(&|n| format!("any.a{n} ==1,\n ")));
    let modules = million(&|n| format!("# m/{n} v1.0.0\n## explicit\n"));
    let deno = million(&|n| format!("\"a{n}@1\":{{}},"));
    let deno = format!("{{\"version\":\"5\",\"npm\":{{{}}}}}", deno.trim_end_matches(','));
    for (path, text) in
        [("Gemfile.lock", gems), ("cabal.project.freeze", freeze), ("vendor/modules.txt", modules), ("deno.lock", deno)]
    {
        let begun = std::time::Instant::now();
        let parsed = parse(path, text.as_bytes());
        let kinds: Vec<_> = parsed.problems.iter().map(|problem| problem.kind.as_str()).collect();
        assert_eq!(kinds, ["limit-exceeded"], "{path}: {} bytes", text.len());
        assert!(packages(&parsed).count() <= 100_000, "{path}");
        assert!(begun.elapsed().as_secs() < 60, "{path}: {:?}", begun.elapsed());
    }
}

#[test]
fn circles_of_packages_are_read() {
    let bun = r#"{"lockfileVersion": 1, "workspaces": {"": {"dependencies": {"a": "1"}}}, "packages": {
        "a": ["a@1.0.0", "", {"dependencies": {"b": "1"}}, ""], "b": ["b@1.0.0", "", {"dependencies": {"a": "1"}}, ""]}}"#;
    assert_eq!(render(&parse("bun.lock", bun.as_bytes())), "a 1.0.0 direct -> b 1.0.0\nb 1.0.0 -> a 1.0.0\n");
    let gems = "GEM\n  specs:\n    a (1.0)\n      b\n    b (1.0)\n      a\n\nDEPENDENCIES\n  a\n";
    assert_eq!(render(&parse("Gemfile.lock", gems.as_bytes())), "a 1.0 direct -> b 1.0\nb 1.0 -> a 1.0\n");
}

#[test]
fn truncated_anywhere_gives_no_panic() {
    for (folder, file) in FIXTURES {
        let text = read(folder, file);
        // Every length near the beginning and the end, and a sample of those between: whole files take minutes.
        let step = text.len() / 150 + 1;
        let lengths = (0..text.len()).filter(|&at| at < 300 || at + 300 > text.len() || at % step == 0);
        for length in lengths {
            parse(file, &text.as_bytes()[..length]);
        }
    }
}

#[test]
fn deep_nesting_is_refused() {
    let deep = "{\"dependencies\":{\"a\":".repeat(100_000);
    assert!(!parse("package-lock.json", deep.as_bytes()).problems.is_empty());
    assert!(!parse("bun.lock", deep.as_bytes()).problems.is_empty());
    assert!(!parse("deno.lock", deep.as_bytes()).problems.is_empty());
    assert!(!parse("mix.lock", format!("%{{{}", "[".repeat(100_000)).as_bytes()).problems.is_empty());
    assert!(!parse("Pipfile.lock", "[".repeat(100_000).as_bytes()).problems.is_empty());
    assert!(!parse("Cargo.lock", format!("package = {}", "[".repeat(100_000)).as_bytes()).problems.is_empty());
    assert!(!parse("pom.xml", format!("<project>{}", "<a>".repeat(100_000)).as_bytes()).problems.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn arbitrary_bytes_give_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for (_, file) in FIXTURES {
            parse(file, &bytes);
        }
    }

    #[test]
    fn disturbed_files_give_no_panic(
        fixture in 0..FIXTURES.len(),
        at in any::<prop::sample::Index>(),
        length in 0..40usize,
        inserted in "[-@:/(){}\\[\\]\"'<>&;#=,. \\n\\\\a-c0-9é]{0,12}",
    ) {
        let (folder, file) = FIXTURES[fixture];
        let mut bytes = read(folder, file).into_bytes();
        let start = at.index(bytes.len());
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, inserted.into_bytes());
        parse(file, &bytes);
    }
}

#[test]
fn small_files_that_multiply_stay_small() {
    // One long version named very often; one package in very many versions, each named by every other.
    let names: String = (0..60_000).map(|n| format!("\"a{n}\": \"\", ")).collect();
    let tree: String = (0..30)
        .map(|n| {
            format!("\"{}x{n}\": {{\"version\": \"1\", \"dependencies\": {{{names}\"z\": \"\"}}}},", "y/".repeat(250))
        })
        .collect();
    let npm = format!("{{\"lockfileVersion\": 3, \"packages\": {{{tree}\"\": {{}}}}}}");
    let versions: String = (0..20_000).map(|n| format!("a==1.{n}\n    # via a\n")).collect();
    let long = "9".repeat(1_000_000);
    let cargo = format!("[[package]]\nname = \"a\"\nversion = \"{long}\"\nsource = \"x\"\n");
    let limited = |path: &str, text: &str| {
        let parsed = parse(path, text.as_bytes());
        let details: Vec<_> = parsed.problems.iter().map(|problem| problem.kind.as_str()).collect();
        assert_eq!(details, ["limit-exceeded"], "{path}");
    };
    limited("package-lock.json", &npm);
    limited("Cargo.lock", &cargo);
    let edges: usize = packages(&parse("requirements.txt", versions.as_bytes())).map(|p| p.requires.len()).sum();
    assert!(edges <= 200_000, "{edges}");
}
