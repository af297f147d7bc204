//! Patches of manifests that real tools wrote: applied by the real git, followed by the ecosystems' own tools, scanned again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dogwatch_e2e::program::User;
use dogwatch_e2e::{have, skip};

/// A copy of files of one folder below `tests/fixtures/locks`.
fn tree(user: &User, folder: &str, files: &[&str]) -> PathBuf {
    let to = user.path(folder);
    fs::create_dir_all(&to).expect("a directory");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/locks").join(folder);
    for file in files {
        fs::copy(from.join(file), to.join(file)).expect("the fixture");
    }
    to
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn shell(directory: &Path, command: &str) -> Result<String, String> {
    let ran = Command::new("sh").args(["-c", command]).current_dir(directory).output().expect("a shell");
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    if ran.status.success() { Ok(said) } else { Err(format!("`{command}`: {said}")) }
}

/// The commands that a fix asked for.
fn commands(said: &str) -> Vec<&str> {
    said.lines().filter_map(|line| line.split_once("then run: ")).map(|(_, command)| command).collect()
}

#[test]
fn git_applies_the_patch_of_a_go_mod_and_then_policy_passes() {
    let user = User::new();
    let go = tree(&user, "go", &["go.mod"]);
    let target = format!("dir:{}", go.display());
    let scan = |code: i32| drop(user.run(&["scan", &target, "--fail-on", "high"]).exits(code));
    let before = fs::read_to_string(go.join("go.mod")).expect("the file");
    scan(1);
    let fixed = user.run(&["fix", text(&go), "--fail-on", "high"]).exits(0);
    assert_eq!(fs::read_to_string(go.join("go.mod")).expect("the file"), before, "nothing is written unasked");
    assert!(fixed.stderr.contains("go get golang.org/x/net@v"), "{}", fixed.stderr);
    if !have(&["git"]) {
        return;
    }
    fs::write(go.join("fix.patch"), &fixed.stdout).expect("a file");
    shell(&go, "git init -q . && git apply fix.patch && rm -rf .git fix.patch").expect("git takes it");
    let applied = fs::read_to_string(go.join("go.mod")).expect("the file");
    assert_eq!(applied.lines().count(), before.lines().count());
    let changed: Vec<_> = applied.lines().zip(before.lines()).filter(|(now, then)| now != then).collect();
    assert!(!changed.is_empty() && changed.len() < 5, "{changed:?}");
    scan(0);
    fs::write(go.join("go.mod"), &before).expect("the file");
    shell(&go, "git init -q . && git add . && git -c user.name=a -c user.email=a@b.example commit -qm a && echo '// mine' >> go.mod")
        .expect("git commits");
    let refused = user.run(&["fix", text(&go), "--fail-on", "high", "--write"]).exits(2);
    assert!(refused.stderr.contains("`go.mod` has changes that are not committed"), "{}", refused.stderr);
    shell(&go, "git checkout -q .").expect("git");
    let wrote = user.run(&["fix", text(&go), "--fail-on", "high", "--write"]).exits(0);
    assert_eq!((wrote.stdout.as_str(), fs::read_to_string(go.join("go.mod")).expect("the file")), ("", applied));
}

#[test]
fn hashes_are_not_made_up() {
    let user = User::new();
    let pip = tree(&user, "requirements", &["requirements.txt"]);
    let before = fs::read(pip.join("requirements.txt")).expect("the file");
    let said = user.run(&["fix", text(&pip), "--fail-on", "high", "--write"]).exits(3).stderr;
    assert!(said.contains("it pins hashes") && said.contains("urllib3 2.6.3 -> 2.7.0"), "{said}");
    assert_eq!(fs::read(pip.join("requirements.txt")).expect("the file"), before);
}

/// Denies whatever has a fix: some of what the snapshot knows is not rated.
const POLICY: &str = "version: 1
name: nothing-fixable
stages: [build]
condition: finding.fixable
rationale: What has a fix is to be fixed.
remediation: Upgrade the package.
severity: high
action: deny
";

/// Fixes a tree, runs what the fix asked for, and expects that policy is satisfied.
fn follows(user: &User, directory: &Path, bin: &Path) -> String {
    let target = format!("dir:{}", directory.display());
    let policy = user.path("policy.yaml");
    fs::write(&policy, POLICY).expect("a file");
    let scan = || user.run(&["scan", &target, "--policy", text(&policy)]);
    scan().exits(1);
    let fixed = user.run(&["fix", text(directory), "--policy", text(&policy), "--write"]).exits(0);
    let commands = commands(&fixed.stderr);
    assert!(!commands.is_empty(), "{}", fixed.stderr);
    for command in commands {
        let command = format!("PATH={}:$PATH; {command}", bin.display());
        shell(directory, &command).unwrap_or_else(|said| panic!("{said}\n{}", fixed.stderr));
    }
    let after = scan();
    assert_eq!(after.code, 0, "{}\n{}", fixed.stderr, after.stdout);
    fixed.stderr
}

/// A project of these files, locked by a real tool; none when its registry is not here.
fn locked(user: &User, name: &str, files: &[(&str, &str)], lock: &str) -> Option<PathBuf> {
    let directory = user.path(name);
    for (file, text) in files {
        let path = directory.join(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
    shell(&directory, lock).map_err(|said| skip(&format!("cannot be locked here: {said}"))).ok().map(|_| directory)
}

#[test]
fn cargo_does_what_the_fix_says() {
    let user = User::new();
    let manifest = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\n\
                    # kept\nsmallvec = \"=1.6.0\"\n";
    let files =
        [("Cargo.toml", "[workspace]\nmembers = [\"shop\"]\n"), ("shop/Cargo.toml", manifest), ("shop/src/lib.rs", "")];
    let Some(directory) = locked(&user, "crate", &files, "cargo generate-lockfile") else { return };
    follows(&user, &directory, &directory);
    let manifest = fs::read_to_string(directory.join("shop/Cargo.toml")).expect("the file");
    assert!(manifest.contains("# kept\nsmallvec = \"=1.6.1\""), "{manifest}");
}

/// Direct: jquery (CVE-2020-11023). Pulled in by boom: hoek (CVE-2018-3728).
const SHOP: (&str, &str) = (
    "package.json",
    "{\n  \"name\": \"shop\", \"version\": \"1.0.0\", \"private\": true,\n  \"dependencies\": { \"jquery\": \"^1.12.4\", \"boom\": \"2.10.1\" }\n}\n",
);

#[test]
fn npm_does_what_the_fix_says() {
    if !have(&["npm"]) {
        return;
    }
    let user = User::new();
    let Some(directory) = locked(&user, "shop", &[SHOP], "npm install --package-lock-only") else { return };
    let said = follows(&user, &directory, &directory);
    assert!(said.contains("then run: npm pkg set 'overrides[hoek@2.16.3]=4.2.1' && npm install"), "{said}");
    let manifest = fs::read_to_string(directory.join("package.json")).expect("the file");
    assert!(manifest.contains("\"jquery\": \"^3.5.0\""), "{manifest}");
}

/// Both Yarns and pnpm come from npm's registry.
#[test]
fn yarn_and_pnpm_do_what_the_fix_says() {
    if !have(&["npm"]) {
        return;
    }
    let user = User::new();
    let tools = [
        ("yarn", "yarn@1.22.22", "yarn install --silent"),
        ("yarn", "@yarnpkg/cli-dist@4.9.2", "touch yarn.lock && yarn install"),
        ("pnpm", "pnpm@9.15.9", "pnpm install --lockfile-only"),
    ];
    for (number, (program, package, lock)) in tools.into_iter().enumerate() {
        let tool = user.path(&format!("tool{number}"));
        fs::create_dir_all(&tool).expect("a directory");
        let install = format!("npm install --silent --prefix {} {package}", tool.display());
        if let Err(said) = shell(&tool, &install) {
            skip(&format!("npm's registry is not here: {said}"));
            return;
        }
        let bin = tool.join("node_modules/.bin");
        assert!(bin.join(program).exists());
        let lock = format!("export YARN_ENABLE_TELEMETRY=0 PATH={}:$PATH; {lock}", bin.display());
        let settings = (".yarnrc.yml", "nodeLinker: node-modules\n");
        let Some(directory) = locked(&user, &format!("shop{number}"), &[SHOP, settings], &lock) else { return };
        // What is installed is another matter than what is locked.
        shell(&directory, "rm -rf node_modules").expect("removed");
        let said = follows(&user, &directory, &bin);
        assert!(said.contains("npm pkg set '"), "{said}");
    }
}

#[test]
fn uv_does_what_the_fix_says() {
    let user = User::new();
    let tool = user.path("tool");
    if let Err(said) = shell(&std::env::temp_dir(), &format!("pip install --quiet --target {} uv", tool.display())) {
        return skip(&format!("PyPI is not here: {said}"));
    }
    let bin = tool.join("bin");
    let project = "[project]\nname = \"shop\"\nversion = \"1\"\nrequires-python = \">=3.10\"\ndependencies = [\"urllib3==1.26.4\"]\n";
    let lock = format!("{}/uv lock", bin.display());
    let Some(directory) = locked(&user, "shop", &[("pyproject.toml", project)], &lock) else { return };
    follows(&user, &directory, &bin);
}

#[test]
fn pip_takes_the_requirements_that_the_fix_wrote() {
    let user = User::new();
    let lock = "pip download --quiet --no-deps --dest wheels -r requirements.txt && rm -r wheels";
    let files = [("requirements.txt", "# kept\nurllib3==1.26.4  # pinned\n")];
    let Some(directory) = locked(&user, "shop", &files, lock) else { return };
    let fixed = user.run(&["fix", text(&directory), "--fail-on", "high", "--write"]).exits(0);
    user.run(&["scan", &format!("dir:{}", directory.display()), "--fail-on", "high"]).exits(0);
    shell(&directory, lock).unwrap_or_else(|said| panic!("{said}\n{}", fixed.stderr));
    let text_now = fs::read_to_string(directory.join("requirements.txt")).expect("the file");
    assert!(text_now.starts_with("# kept\nurllib3==") && text_now.ends_with("  # pinned\n"), "{text_now}");
}

#[test]
fn go_does_what_the_fix_says() {
    if !have(&["go"]) {
        return;
    }
    let user = User::new();
    let main =
        "package main\n\nimport \"golang.org/x/net/html\"\n\nfunc main() { println(html.EscapeString(\"a\")) }\n";
    let lock = "go mod init shop.example/shop && go get golang.org/x/net@v0.7.0 && go mod tidy";
    let Some(directory) = locked(&user, "shop", &[("main.go", main)], lock) else {
        return;
    };
    let target = format!("dir:{}", directory.display());
    let denied = user.run(&["scan", &target, "--fail-on", "high"]);
    assert_eq!(denied.code, 1, "{}", denied.stdout);
    let fixed = user.run(&["fix", text(&directory), "--fail-on", "high", "--write"]);
    assert!(fixed.stderr.contains("go get golang.org/x/net@v0."), "{}", fixed.stderr);
    for command in commands(&fixed.stderr).into_iter().filter(|command| command.contains("golang.org/x/net")) {
        shell(&directory, command).unwrap_or_else(|said| panic!("{said}\n{}", fixed.stderr));
    }
    // Only the module is raised here: the standard library's upgrade is another toolchain.
    let after = user.run(&["scan", &target, "--fail-on", "high"]).stdout;
    let is_denied = |line: &&str| line.contains("golang.org/x/net") && line.contains("HIGH");
    let denied: Vec<_> = after.lines().filter(is_denied).collect();
    assert!(denied.is_empty(), "{after}");
}

#[test]
fn a_base_is_replaced_in_a_dockerfile() {
    let user = User::new();
    let directory = user.path("app");
    fs::create_dir_all(&directory).expect("a directory");
    let dockerfile = directory.join("deploy/web.Dockerfile");
    fs::create_dir_all(directory.join("deploy")).expect("a directory");
    fs::write(&dockerfile, "FROM debian:12.1-slim AS build\r\nRUN true\r\n").expect("a file");
    user.run(&["fix", text(&directory), "--base", "debian:12.1-slim=debian:12.12-slim", "--write"]).exits(0);
    let text_now = fs::read_to_string(&dockerfile).expect("the file");
    assert_eq!(text_now, "FROM debian:12.12-slim AS build\r\nRUN true\r\n");
    user.run(&["fix", text(&directory), "--base", "alpine:3=alpine:4"]).exits(2);
    fs::write(directory.join("Dockerfile"), "ARG V=3\nFROM alpine:${V}\n").expect("a file");
    user.run(&["fix", text(&directory), "--base", "alpine:3=alpine:4"]).exits(3);
}
