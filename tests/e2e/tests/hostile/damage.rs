//! A damaged cache, a damaged index, a full disk, and being stopped in the middle.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::craft::{Image, file, gzip, hex_digest, tar, witness};
use crate::documents::index;
use crate::sandbox::{Sandbox, fixtures, packages};

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

/// A sandbox with an image of two layers in it.
fn prepared() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let status = fs::read(fixtures().join("os-packages/debian.status")).expect("a fixture");
    let image =
        Image::of([tar([file("var/lib/dpkg/status", status)]), tar([witness(), file("usr/bin/x.sh", "#!/bin/sh\n")])]);
    let path = sandbox.file("image.tar", image.docker_archive());
    let target = format!("docker-archive:{}", path.display());
    (sandbox, target)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn a_cache_of_garbage_changes_nothing() {
    let (sandbox, target) = prepared();
    let first = sandbox.inventory(&target).expect("a report");
    // Files newer than this are not yet trusted to be settled; entries must exist for the test to mean something.
    let entries = files(&sandbox.cache());
    assert!(entries.len() >= 4, "{entries:?}");
    for garbage in [&b""[..], b"garbage", &[0x28, 0xb5, 0x2f, 0xfd, 0xff, 0xff], &[0xff; 100_000]] {
        for entry in files(&sandbox.cache()) {
            fs::write(entry, garbage).expect("ours");
        }
        let again = sandbox.inventory(&target).expect("a report");
        assert_eq!(again["inventory"], first["inventory"]);
    }
    // Cut, and with one byte flipped.
    for change in [
        |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2),
        |bytes: &mut Vec<u8>| {
            let at = bytes.len() / 2;
            bytes[at] ^= 0x55
        },
    ] {
        for entry in files(&sandbox.cache()) {
            let mut bytes = fs::read(&entry).expect("ours");
            change(&mut bytes);
            fs::write(entry, bytes).expect("ours");
        }
        assert_eq!(sandbox.inventory(&target).expect("a report")["inventory"], first["inventory"]);
    }
    // Entries that are directories.
    for entry in files(&sandbox.cache()) {
        fs::remove_file(&entry).expect("ours");
        fs::create_dir(&entry).expect("ours");
    }
    assert_eq!(sandbox.inventory(&target).expect("a report")["inventory"], first["inventory"]);
}

#[test]
fn a_cache_that_cannot_be_written_costs_only_time() {
    let (sandbox, target) = prepared();
    fs::remove_dir(sandbox.cache()).expect("empty");
    fs::write(sandbox.cache(), "a file").expect("ours");
    assert!(packages(&sandbox.inventory(&target).expect("a report")).contains(&"witness 1.0.0".to_owned()));
}

#[test]
fn a_full_disk_leaves_the_cache_usable() {
    let (sandbox, target) = prepared();
    let expected = sandbox.inventory(&target).expect("a report");
    for bytes in [0, 1, 100, 500] {
        let (full, target) = prepared();
        let full = full.with(|limits| limits.file_bytes = Some(bytes));
        let report = full.inventory(&target).expect("a report");
        assert_eq!(report["inventory"], expected["inventory"], "{bytes}");
        let later = full.with(|limits| limits.file_bytes = None);
        assert_eq!(later.inventory(&target).expect("a report")["inventory"], expected["inventory"]);
        assert!(
            files(&later.cache())
                .iter()
                .all(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with(".tmp"))),
            "temporary files stay"
        );
    }
}

#[test]
fn a_full_disk_leaves_the_old_index() {
    let sandbox = Sandbox::new();
    let old = index(&sandbox);
    let before = fs::read(&old).expect("built");
    let from = fixtures().join("advisories");
    let sandbox = sandbox.with(|limits| limits.file_bytes = Some(1000));
    let outcome = sandbox.run(&["advisories", "build", "--from", text(&from), "--out", &old]);
    assert!(outcome.code == 2 && outcome.stderr.contains("small.index"), "{}", outcome.stderr);
    assert_eq!(fs::read(&old).expect("still there"), before);
    // The snapshot that ships is compiled into the cache: not this time, and the next time is as good as the first.
    let target = format!("sbom:{}", fixtures().join("formats/syft.cdx.json").display());
    let outcome = sandbox.run(&["scan", &target]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("snapshot"), "{}", outcome.stderr);
    assert!(files(&sandbox.cache()).iter().all(|path| path.extension().is_none_or(|extension| extension != "index")));
}

/// Every block has a checksum, but a reader must not depend on it.
#[test]
fn an_index_with_any_byte_flipped_is_noticed_or_harmless() {
    let sandbox = Sandbox::new();
    let whole = fs::read(index(&sandbox)).expect("built");
    let path = sandbox.root().join("work/damaged.index");
    let bill = format!("sbom:{}", fixtures().join("formats/syft.cdx.json").display());
    fs::write(&path, &whole).expect("ours");
    let expected = sandbox.run(&["scan", &bill, "--index", text(&path), "-o", "json"]);
    for at in (0..whole.len()).step_by(whole.len() / 150 + 1).chain(0..64) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        fs::write(&path, damaged).expect("ours");
        let outcome = sandbox.run(&["scan", &bill, "--index", text(&path), "-o", "json"]);
        assert!(
            outcome.code == 2 || findings(&outcome.stdout) == findings(&expected.stdout),
            "byte {at} changes findings unsaid"
        );
    }
    for size in [0, 1, 7, 63, 64, 200, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..size]).expect("ours");
        let outcome = sandbox.run(&["advisories", "status", "--index", text(&path)]);
        assert!(outcome.code == 2 && outcome.stderr.contains("damaged.index"), "{size}: {}", outcome.stderr);
    }
    fs::write(&path, [whole.as_slice(), b"more"].concat()).expect("ours");
    assert_eq!(sandbox.run(&["advisories", "status", "--index", text(&path)]).code, 2, "a longer index");
    for index in ["/dev/zero", "/", "nowhere"] {
        assert_eq!(sandbox.run(&["advisories", "status", "--index", index]).code, 2, "{index}");
    }
}

fn findings(report: &str) -> serde_json::Value {
    serde_json::from_str::<serde_json::Value>(report).map(|report| report["findings"].clone()).unwrap_or_default()
}

#[test]
fn stopped_in_the_middle_everything_stays_usable() {
    let sandbox = Sandbox::new();
    let old = index(&sandbox);
    let before = fs::read(&old).expect("built");
    let layer = tar((0..3000)
        .map(|number| {
            file(format!("node_modules/p{number}/package.json"), format!(r#"{{"name":"p{number}","version":"1.0.0"}}"#))
        })
        .chain([witness()]));
    let path = sandbox.file("image.tar", Image::stored([(gzip(&layer), hex_digest(&layer))]).docker_archive());
    let target = format!("docker-archive:{}", path.display());
    let from = fixtures().join("advisories");
    let mut stopped = 0;
    for signal in [libc::SIGINT, libc::SIGKILL, libc::SIGTERM] {
        for milliseconds in [1, 5, 15, 40, 100, 200] {
            for arguments in [
                &["scan", &target, "--index", &old][..],
                &["scan", &target],
                &["advisories", "build", "--from", text(&from), "--out", &old],
            ] {
                let mut child = sandbox
                    .command(arguments)
                    .stdout(std::process::Stdio::null())
                    .stderr(std::process::Stdio::null())
                    .spawn()
                    .expect("starts");
                std::thread::sleep(Duration::from_millis(milliseconds));
                // SAFETY: the child is ours and not yet waited for.
                unsafe { libc::kill(child.id() as i32, signal) };
                stopped += usize::from(child.wait().expect("ends").signal().is_some());
            }
        }
    }
    assert!(stopped > 10, "only {stopped} runs were stopped");
    assert_eq!(sandbox.inventory(&target).map(|report| packages(&report).len()), Ok(3001));
    let status = sandbox.run(&["advisories", "status", "--index", &old]);
    assert_eq!(status.code, 0, "{}", status.stderr);
    assert_eq!(fs::read(&old).expect("there").len(), before.len());
}
