//! A target reads the same in a sandbox as without one, and what goes wrong there is said.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use dogwatch_e2e::images::{copy, small};
use dogwatch_e2e::program::User;
use dogwatch_e2e::registry::Registry;
use dogwatch_e2e::{have, skip};
use serde_json::Value;

/// The report without what differs between any two scans.
fn timeless(mut report: Value) -> Value {
    report.as_object_mut().and_then(|members| members.remove("judged_at")).expect("the time of judgement");
    report
}

/// Scans with and without a sandbox, from nothing and from the cache. False where this kernel has none.
fn same_in_a_sandbox(target: &str, more: &[&str]) -> bool {
    let with = |user: &User, how: &str| {
        let arguments: Vec<&str> = more.iter().copied().chain([how]).collect();
        timeless(user.scan(target, &arguments))
    };
    let (outside, inside) = (User::new(), User::new());
    let probe = inside.run(&["scan", target, "--sandbox", "--inventory-only", "--no-cache", "-q"]);
    if probe.stderr.contains("no sandbox is possible here") {
        skip("this kernel has no Landlock or no seccomp");
        return false;
    }
    let reference = with(&outside, "--no-sandbox");
    for _ in 0..2 {
        assert_eq!(with(&inside, "--sandbox"), reference, "{target}");
    }
    // Each reads what the other remembered.
    assert_eq!(with(&outside, "--sandbox"), reference, "{target}");
    assert_eq!(with(&inside, "--no-sandbox"), reference, "{target}");
    true
}

#[test]
fn images_read_the_same() {
    let Some(layout) = small() else { return };
    if !have(&["skopeo", "docker-registry"]) {
        return;
    }
    let user = User::new();
    let registry = Registry::start(&user.path(""));
    let from = format!("oci:{}:small", layout.display());
    let archive = user.path("shop.tar").display().to_string();
    copy(&from, &format!("docker-archive:{archive}:shop:1"), &[]);
    copy(&from, &format!("docker://{}", registry.reference("shop:1")), &[]);
    for target in
        [format!("oci-dir:{}", layout.display()), format!("docker-archive:{archive}"), registry.reference("shop:1")]
    {
        if !same_in_a_sandbox(&target, &[]) {
            return;
        }
    }
}

#[test]
fn directories_git_trees_and_bills_of_materials_read_the_same() {
    let root = xtask::root();
    let fixtures = root.join("tests/fixtures");
    let user = User::new();
    let bill = user.path("bill.json").display().to_string();
    let lock_files = format!("dir:{}", fixtures.join("locks").display());
    let ran = user.run(&["scan", &lock_files, "--inventory-only", "-o", &format!("cyclonedx={bill}")]);
    assert!(ran.code < 2, "{}", ran.stderr);
    let one = format!("file:{}", fixtures.join("locks/npm-v3/package-lock.json").display());
    for target in [lock_files, one, format!("sbom:{bill}"), format!("git:{}", root.display())] {
        if target.starts_with("git:") && !root.join(".git").exists() {
            skip("this is no git working tree");
            continue;
        }
        if !same_in_a_sandbox(&target, &[]) {
            return;
        }
    }
}

/// What only the caller may read is read all the same, and stays his alone.
#[test]
fn a_private_archive_is_read() {
    let Some(layout) = small() else { return };
    if !have(&["skopeo"]) {
        return;
    }
    let user = User::new();
    let archive = user.path("private/shop.tar");
    std::fs::create_dir(user.path("private")).expect("a directory");
    copy(&format!("oci:{}:small", layout.display()), &format!("docker-archive:{}:shop:1", archive.display()), &[]);
    std::fs::set_permissions(&archive, PermissionsExt::from_mode(0o600)).expect("its mode");
    std::fs::set_permissions(user.path("private"), PermissionsExt::from_mode(0o700)).expect("its mode");
    if same_in_a_sandbox(&format!("docker-archive:{}", archive.display()), &[]) {
        assert_eq!(owners(&user.path("")), [own()].into());
    }
}

fn own() -> u32 {
    std::fs::metadata("/proc/self").expect("this process").uid()
}

fn owners(directory: &Path) -> std::collections::BTreeSet<u32> {
    let mut owners = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
        let data = entry.metadata().expect("its data");
        owners.insert(data.uid());
        if data.is_dir() {
            owners.extend(self::owners(&entry.path()));
        }
    }
    owners
}

#[test]
fn errors_are_the_same() {
    let user = User::new();
    let broken = user.file("broken.tar", "no archive");
    let missing = user.path("missing").display().to_string();
    for target in [
        format!("docker-archive:{broken}"),
        format!("docker-archive:{missing}"),
        format!("oci-dir:{missing}"),
        format!("dir:{missing}"),
        format!("sbom:{broken}"),
        "localhost:1/no/registry:here".to_owned(),
    ] {
        let run = |how| user.run(&["scan", &target, how, "--no-cache"]);
        let (outside, inside) = (run("--no-sandbox"), run("--sandbox"));
        if inside.stderr.contains("no sandbox is possible here") {
            return skip("this kernel has no Landlock or no seccomp");
        }
        assert_eq!((inside.code, inside.stderr), (outside.code, outside.stderr), "{target}");
        assert_eq!(inside.code, 2, "{target}");
    }
}

/// A reading process that is ended ends the scan with an error, not the program, and leaves nothing behind.
#[test]
fn a_reading_process_that_dies_is_an_error() {
    let Some(layout) = small() else { return };
    let user = User::new();
    let target = format!("oci-dir:{}", layout.display());
    let mut scan = user.start(&[], &["scan", &target, "--sandbox", "--no-cache", "-o", "json"]);
    let deadline = Instant::now() + Duration::from_secs(20);
    let children = format!("/proc/{0}/task/{0}/children", scan.id());
    let reader = loop {
        let child = std::fs::read_to_string(&children).unwrap_or_default();
        let child: Option<i32> = child.split_whitespace().next().and_then(|child| child.parse().ok());
        // Once it is confined its name is still the program's; what it does by then does not matter.
        match child {
            Some(child) => break Some(child),
            None if Instant::now() > deadline || scan.try_wait().expect("a child").is_some() => break None,
            None => std::thread::yield_now(),
        }
    };
    let Some(reader) = reader else { return skip("the reading process was too quick, or is none on this kernel") };
    // SAFETY: the scan is not waited for yet, so its child's number is nobody else's.
    unsafe { libc::kill(reader, libc::SIGKILL) };
    let output = scan.wait_with_output().expect("the scan ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the sandboxed process that read the target was ended"), "{said}");
    let left = std::fs::read_dir(user.path("cache/spool")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "temporary files are left");
}

#[test]
fn a_container_says_why_it_cannot_be_confined() {
    let ran = User::new().run(&["scan", "container:0123456789ab", "--sandbox"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("cannot be read in a sandbox"), "{}", ran.stderr);
    assert!(ran.stderr.contains("leave `--sandbox` out"), "{}", ran.stderr);
}
