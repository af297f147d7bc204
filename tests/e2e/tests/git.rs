//! Git working trees: what belongs to them, what is known of them, and that they cannot make git run anything.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dogwatch_e2e::program::User;
use dogwatch_e2e::{have, skip};
use serde_json::Value;

/// Git as its user has it, with a name to commit by.
fn git(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(directory).args(["-c", "user.name=a", "-c", "user.email=a@shop.example"]);
    command.args(["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"]);
    let output = command.args(arguments).stdin(Stdio::null()).output().expect("git starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A Python project of one dependency.
fn project(directory: &Path, dependency: &str) {
    fs::create_dir_all(directory).expect("a directory");
    fs::write(directory.join("requirements.txt"), format!("{dependency}==1.0.0\n")).expect("a file");
}

fn commit(directory: &Path) -> String {
    git(directory, &["add", "-A"]);
    git(directory, &["commit", "-qm", "x"]);
    git(directory, &["rev-parse", "HEAD"])
}

/// A repository with everything that a listing must tell apart.
fn repository(user: &User) -> PathBuf {
    let (inner, root) = (user.path("inner"), user.path("shop"));
    for directory in [&inner, &root] {
        fs::create_dir_all(directory).expect("a directory");
        git(directory, &["init", "-q"]);
    }
    project(&inner, "of-submodule");
    commit(&inner);
    fs::write(root.join(".gitignore"), "build/\n/local/*\n").expect("a file");
    project(&root, "tracked");
    project(&root.join("local"), "tracked-though-ignored");
    git(&root, &["add", "-f", "local/requirements.txt"]);
    let address = inner.display().to_string();
    git(&root, &["submodule", "--quiet", "add", &address, "lib/here"]);
    git(&root, &["submodule", "--quiet", "add", &address, "lib/away"]);
    commit(&root);
    git(&root, &["submodule", "--quiet", "deinit", "-f", "lib/away"]);
    git(&root, &["remote", "add", "origin", "https://bob:hunter2@git.example/shop.git"]);
    project(&root.join("build"), "ignored");
    project(&root.join("new"), "untracked");
    root
}

fn packages(report: &Value) -> BTreeSet<String> {
    let packages = report["inventory"]["packages"].as_array().expect("packages").iter();
    packages.filter_map(|package| Some(package["name"].as_str()?.to_owned())).collect()
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn a_working_tree_is_what_git_tracks_and_does_not_ignore() {
    if !have(&["git"]) {
        return;
    }
    let user = User::new();
    let root = repository(&user);
    let target = format!("git:{}", root.display());
    let scan = || user.scan(&target, &["--inventory-only"]);
    let report = scan();
    assert_eq!(packages(&report), names(["of-submodule", "tracked", "tracked-though-ignored", "untracked"]));
    let dir = user.scan(&format!("dir:{}", root.display()), &["--inventory-only"]);
    assert!(packages(&dir).contains("ignored"), "`dir:` reads everything");
    let gaps = report["inventory"]["gaps"].as_array().expect("gaps");
    assert!(gaps.iter().any(|gap| gap["subject"] == "lib/away"), "{gaps:?}");
    let tree = &report["artifact"]["working_tree"];
    assert_eq!(tree["commit"], git(&root, &["rev-parse", "HEAD"]));
    assert_eq!((&tree["branch"], &tree["remote"]), (&"main".into(), &"https://git.example/shop.git".into()));
    assert_eq!(tree["dirty"], false, "untracked files are no change of what is tracked");
    assert!(!report.to_string().contains("hunter2"));

    fs::write(root.join("requirements.txt"), "changed==1.0.0\n").expect("a file");
    let report = scan();
    assert!(packages(&report).contains("changed"), "what is on disk counts");
    assert_eq!(report["artifact"]["working_tree"]["dirty"], true);
    let table = user.run(&["scan", &target, "--inventory-only"]).exits(0).stdout;
    assert!(table.contains("on main, changed since"), "{table}");

    // Another working tree of the same repository, whose `.git` is a file, at no branch.
    git(&root, &["worktree", "add", "-q", "--detach", "../other"]);
    let report = user.scan(&format!("git:{}", user.path("other").display()), &["--inventory-only"]);
    assert!(packages(&report).contains("tracked"));
    let tree = &report["artifact"]["working_tree"];
    assert_eq!((&tree["branch"], &tree["dirty"]), (&Value::Null, &false.into()));
    // Branches in one file, and a repository without a commit.
    git(&root, &["pack-refs", "--all"]);
    assert_eq!(scan()["artifact"]["working_tree"]["commit"], git(&root, &["rev-parse", "HEAD"]));
    let fresh = user.path("fresh");
    project(&fresh, "fresh");
    git(&fresh, &["init", "-q"]);
    let report = user.scan(&format!("git:{}", fresh.display()), &["--inventory-only"]);
    assert_eq!(packages(&report), names(["fresh"]));
    assert_eq!(report["artifact"]["working_tree"]["commit"], Value::Null);

    let refused = user.run(&["scan", &format!("git:{}", user.path("").display())]).exits(2).stderr;
    assert!(refused.contains("is not the top of a git working tree") && refused.contains("write `dir:"), "{refused}");
}

#[test]
fn a_hostile_repository_runs_nothing_and_reads_nothing_outside() {
    if !have(&["git"]) {
        return;
    }
    let user = User::new();
    let root = repository(&user);
    let marker = user.path("ran");
    let script = user.file("evil.sh", &format!("#!/bin/sh\necho \"$0 $*\" >> {}\ncat\n", marker.display()));
    let mut command = Command::new("chmod");
    assert!(command.args(["755", &script]).status().expect("chmod starts").success());
    let inner = git(&root.join("lib/here"), &["rev-parse", "--absolute-git-dir"]);
    for config in [root.join(".git/config"), Path::new(&inner).join("config")] {
        for setting in [
            "core.fsmonitor",
            "core.pager",
            "core.editor",
            "core.sshCommand",
            "core.askPass",
            "core.alternateRefsCommand",
            "diff.external",
            "filter.evil.clean",
            "filter.evil.smudge",
            "filter.evil.process",
            "diff.evil.textconv",
            "diff.evil.command",
            "credential.helper",
            "gpg.program",
            "alias.ls-files",
            "alias.diff-index",
        ] {
            let value = if setting.starts_with("alias") { format!("!{script}") } else { script.clone() };
            git(&root, &["config", "--file", &config.display().to_string(), setting, &value]);
        }
    }
    let included = user.file("included", &format!("[core]\n\tfsmonitor = {script}\n"));
    git(&root, &["config", "include.path", &included]);
    for hook in ["post-index-change", "fsmonitor-watchman", "post-checkout", "pre-commit"] {
        fs::create_dir_all(root.join(".git/hooks")).expect("hooks");
        fs::copy(&script, root.join(".git/hooks").join(hook)).expect("a hook");
    }
    fs::write(root.join(".gitattributes"), "* filter=evil diff=evil\n").expect("a file");
    fs::write(root.join("lib/here/.gitattributes"), "* filter=evil diff=evil\n").expect("a file");
    // Same size, other time: git must look at the content to tell.
    fs::write(root.join("requirements.txt"), "tracker==1.0.0\n").expect("a file");
    // Where something tracked was, a link leads out.
    project(&user.path("outside"), "outside");
    fs::remove_dir_all(root.join("local")).expect("a directory");
    std::os::unix::fs::symlink(user.path("outside"), root.join("local")).expect("a link");
    fs::write(&marker, "").expect("a marker");

    let report = user.scan(&format!("git:{}", root.display()), &["--inventory-only"]);
    assert_eq!(fs::read_to_string(&marker).expect("a marker"), "", "nothing ran");
    assert_eq!(packages(&report), names(["of-submodule", "tracker", "untracked"]));
    assert_eq!(report["artifact"]["working_tree"]["dirty"], true);
    // The same settings do run when git itself is asked: the test would notice.
    let _ = Command::new("git").current_dir(&root).args(["status"]).stdin(Stdio::null()).output();
    assert_ne!(fs::read_to_string(&marker).expect("a marker"), "", "the trap works");

    // Files of git's that are something else.
    for (name, content) in [("HEAD", "ref: ../../../etc/passwd"), ("index", "DIRC garbage"), ("config", "[core\n")] {
        let path = root.join(".git").join(name);
        let before = fs::read(&path).expect("a file");
        fs::write(&path, content).expect("a file");
        let code = user.run(&["scan", &format!("git:{}", root.display()), "--inventory-only"]).code;
        assert_eq!(code, if name == "index" { 2 } else { 0 }, "{name}");
        fs::write(&path, before).expect("a file");
    }
}

#[test]
fn a_repository_elsewhere_is_fetched_without_history() {
    if !have(&["git"]) {
        return;
    }
    let user = User::new();
    let root = repository(&user);
    git(&root, &["tag", "v1"]);
    project(&root, "second");
    let second = commit(&root);
    let bare = user.path("bare.git").display().to_string();
    git(&root, &["clone", "-q", "--bare", ".", &bare]);
    let scan = |reference: &str| user.scan(&format!("git:file://{bare}{reference}"), &["--inventory-only"]);
    let report = scan("");
    assert_eq!(report["artifact"]["working_tree"]["commit"], second);
    assert_eq!(report["artifact"]["target"], format!("git:file://{bare}"));
    assert!(packages(&report).contains("second") && !packages(&report).contains("of-submodule"));
    assert!(packages(&scan("#v1")).contains("tracked"));
    let spool = fs::read_dir(user.path("cache/spool")).map_or(0, Iterator::count);
    assert_eq!(spool, 0, "nothing of it stays");
    for (target, why) in [
        (format!("git:file://{bare}#nowhere"), "git clone"),
        ("git:ext::sh -c id://".to_owned(), "only https"),
        ("git:https://bob:hunter2@git.example/a".to_owned(), "credential helpers"),
        (format!("git:file://{}", user.path("nothing").display()), "git clone"),
    ] {
        let said = user.run(&["scan", &target]).exits(2).stderr;
        assert!(said.contains(why) && !said.contains("hunter2"), "{said}");
    }
    let both = user.run(&["scan", "git:https://bob:hunter2@git.example/a", "git:x", "-o", "json"]).exits(2);
    assert!(!both.stdout.contains("hunter2") && !both.stderr.contains("hunter2"), "{both:?}");
    let said = user.run(&["scan", "git:https://git.example/a", "--offline"]).exits(2).stderr;
    assert!(said.contains("forbids the network"), "{said}");
}

// Proves: source git:.
#[test]
fn this_projects_own_checkout_is_read_as_git_lists_it() {
    let root = xtask::root();
    if !have(&["git"]) {
        return;
    }
    if !root.join(".git").exists() {
        return skip("this is no git working tree");
    }
    let user = User::new();
    let report = user.scan(&format!("git:{}", root.display()), &["--inventory-only"]);
    let listed = git(&root, &["ls-files", "--cached", "--others", "--exclude-standard"]);
    let listed: BTreeSet<&str> = listed.lines().collect();
    let packages = report["inventory"]["packages"].as_array().expect("packages");
    assert!(packages.iter().any(|package| package["name"] == "reqwest"), "from Cargo.lock");
    for evidence in packages.iter().flat_map(|package| package["evidence"].as_array().into_iter().flatten()) {
        let path = evidence["path"].as_str().expect("a path");
        // A path inside an archive begins with the archive's.
        let outer = path.split("!/").next().unwrap_or(path);
        assert!(listed.contains(outer), "{path} is not git's");
    }
    assert_eq!(report["artifact"]["working_tree"]["commit"], git(&root, &["rev-parse", "HEAD"]));
}
